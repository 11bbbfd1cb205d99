/*
 * What keeps the write-ahead log small: appending by COPY, which stores what an INSERT would have
 * stored, and the claim that locks no rows. On a server of its own, for the log is the server's.
 */
#include "support.h"

#include "db/statement.h"

enum { MESSAGES = 1000 };

static ts_cluster *cluster;
static char *dsn;
static PGconn *sql;
static pgqrs_client *client;
static pgqrs_producer *producer;
static uint64_t serials;
static pgqrsi_scope queue;

static const char *
statement(pgqrsi_sql which)
{
    const pgqrsi_statement *rendered;

    TS_OK(pgqrsi_scope_statement(&queue, which, PGQRSI_LANE_READY, &rendered, NULL), NULL);
    return rendered->text;
}

static int
open_queue(void **state)
{
    (void)state;
    cluster = ts_cluster_start("fsync = off\nautovacuum = off\n");
    dsn = ts_database_on(ts_cluster_server(cluster));
    client = ts_client(dsn, NULL);
    TS_OK(pgqrs_queue_create(client, pgqrs_slice_of("jobs"), NULL, NULL, NULL), NULL);
    TS_OK(pgqrs_producer_open(client, pgqrs_slice_of("jobs"), NULL, &producer, NULL), NULL);
    pgqrsi_scope_init(&queue, "public", &serials);
    queue.queue_id = 1;
    queue.queue_name = "jobs";
    sql = ts_connect(dsn);
    return 0;
}

static int
close_queue(void **state)
{
    (void)state;
    pgqrs_producer_close(producer);
    pgqrs_client_close(client);
    PQfinish(sql);
    pgqrsi_scope_release(&queue);
    ts_cluster_free(cluster);
    free(dsn);
    return 0;
}

/* Of MESSAGES alike, which is enough for COPY. */
static void
copy(pgqrs_enqueued *out)
{
    pgqrs_slice payloads[MESSAGES];

    for (int i = 0; i < MESSAGES; i++)
        payloads[i] = pgqrs_slice_of("42");
    TS_OK(pgqrs_producer_enqueue_batch(producer, payloads, NULL, MESSAGES, out, NULL), NULL);
}

TEST(what_was_copied_is_what_an_insert_stores)
{
    pgqrs_enqueued out[MESSAGES];

    (void)state;
    copy(out);
    ts_sql(sql, "INSERT INTO pgqrs_messages_1_ready (payload) VALUES ('42')");
    assert_int_equal(ts_int(sql,
                            "SELECT count(*) FROM pgqrs_messages WHERE id BETWEEN %lld AND %lld",
                            (long long)out[0].id, (long long)out[MESSAGES - 1].id),
                     MESSAGES);
    /* All but id and times alike. */
    assert_int_equal(ts_int(sql, "SELECT count(DISTINCT to_jsonb(m) - "
                                 "'{id,vt,enqueued_at}'::text[]) FROM pgqrs_messages AS m"),
                     1);
    assert_int_equal(ts_int(sql, "SELECT count(*) FROM pgqrs_messages WHERE vt <> enqueued_at"), 0);
}

static long long
wal_bytes(void)
{
    return ts_int(sql, "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint");
}

/* The difference is 42 bytes a message. */
TEST(a_copy_writes_less_wal_than_an_insert)
{
    pgqrs_enqueued out[MESSAGES];
    long long copied = 0, inserted = 0;

    (void)state;
    PQclear(PQprepare(sql, "enqueue", statement(PGQRSI_SQL_PRODUCER_ENQUEUE), 0, NULL));
    for (int round = 0; round < 5; round++) {
        long long before = wal_bytes();

        copy(out);
        copied += wal_bytes() - before;
        before = wal_bytes();
        ts_sql(sql, "EXECUTE enqueue(array_fill('42'::jsonb, ARRAY[%d]), NULL)", MESSAGES);
        inserted += wal_bytes() - before;
    }
    assert_true(copied + 5 * MESSAGES * 30 < inserted);
}

/* Records that a claim of all messages writes. */
static long long
records_of_a_claim(pgqrsi_sql which)
{
    PGresult *result;
    long long records = -1;

    ts_sql(sql,
           "TRUNCATE pgqrs_messages_1_ready; INSERT INTO pgqrs_messages_1_ready (payload) "
           "SELECT '42' FROM generate_series(1, %d)",
           MESSAGES);
    PQclear(PQprepare(sql, "claim", statement(which), 0, NULL));
    result = PQexec(
        sql,
        "EXPLAIN (ANALYZE, WAL, COSTS OFF, TIMING OFF) EXECUTE claim(0, 1000, 60000, 1, NULL, 1)");
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        ts_fail("the claim failed: %s", PQerrorMessage(sql));
    for (int row = 0; row < PQntuples(result) && records < 0; row++) {
        const char *found = strstr(PQgetvalue(result, row, 0), "WAL: records=");

        if (found != NULL)
            records = strtoll(found + strlen("WAL: records="), NULL, 10);
    }
    PQclear(result);
    ts_sql(sql, "DEALLOCATE claim");
    return records;
}

TEST(a_claim_by_runs_writes_one_record_a_message)
{
    (void)state;
    assert_in_range(records_of_a_claim(PGQRSI_SQL_CONSUMER_CLAIM_READY_RUNS), MESSAGES,
                    MESSAGES * 11 / 10);
    assert_in_range(records_of_a_claim(PGQRSI_SQL_CONSUMER_CLAIM_READY), MESSAGES * 2,
                    MESSAGES * 21 / 10);
}

TEST_MAIN(open_queue, close_queue)
