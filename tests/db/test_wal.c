/*
 * What keeps the write-ahead log small: appending by COPY, which stores what an INSERT would have stored, and
 * the claim that locks no rows. On a server of its own, for the log is the server's.
 */
#include "support.h"

#include <endian.h>

#include "db/statement.h"

enum { MESSAGES = 1000, ROW = 2 + 12 + 4 + 1 + 2 + 4 };

static ts_cluster *cluster;
static char *dsn;
static PGconn *sql;
static uint32_t serials;
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
    pgqrs_client *client;

    (void)state;
    cluster = ts_cluster_start("fsync = off\nautovacuum = off\n");
    dsn = ts_database_on(ts_cluster_server(cluster));
    client = ts_client(dsn, NULL);
    TS_OK(pgqrs_queue_create(client, pgqrs_slice_of("jobs"), NULL, NULL, NULL), NULL);
    pgqrs_client_close(client);
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
    PQfinish(sql);
    pgqrsi_scope_release(&queue);
    ts_cluster_free(cluster);
    free(dsn);
    return 0;
}

static void
reserve(int64_t *ids)
{
    PGresult *result = PQexecParams(sql, statement(PGQRSI_SQL_PRODUCER_RESERVE), 1, NULL,
                                    (const char *[]){ "1000" }, NULL, NULL, 0);

    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        ts_fail("no ids were given out: %s", PQerrorMessage(sql));
    assert_int_equal(PQntuples(result), MESSAGES);
    for (int i = 0; i < MESSAGES; i++) {
        ids[i] = strtoll(PQgetvalue(result, i, 0), NULL, 10);
        assert_true(i == 0 || ids[i] > ids[i - 1]);
    }
    PQclear(result);
}

static char *
put_32(char *to, int32_t number)
{
    uint32_t wire = htobe32((uint32_t)number);

    memcpy(to, &wire, sizeof(wire));
    return to + sizeof(wire);
}

/* Three columns: id, the payload `payload` of two bytes, no producer_worker_id. */
static char *
put_row(char *to, int64_t id, const char *payload)
{
    uint64_t wire = htobe64((uint64_t)id);

    *to++ = 0;
    *to++ = 3;
    to = put_32(to, 8);
    memcpy(to, &wire, sizeof(wire));
    to = put_32(to + sizeof(wire), 3);
    *to++ = 1; /* version of jsonb */
    memcpy(to, payload, 2);
    return put_32(to + 2, -1);
}

/* Returns the SQLSTATE, or "" if it was stored. */
static void
copy(const int64_t *ids, const char *last_payload, char *sqlstate)
{
    static const char signature[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0";
    char *data = malloc(19 + MESSAGES * ROW + 2), *end = data + 19;
    PGresult *result;

    TS_TRUE(data != NULL);
    memcpy(data, signature, 19);
    for (int i = 0; i < MESSAGES; i++)
        end = put_row(end, ids[i], i == MESSAGES - 1 ? last_payload : "42");
    memset(end, 0xff, 2);
    result = PQexec(sql, statement(PGQRSI_SQL_PRODUCER_COPY));
    if (PQresultStatus(result) != PGRES_COPY_IN)
        ts_fail("COPY did not begin: %s", PQerrorMessage(sql));
    PQclear(result);
    assert_int_equal(PQputCopyData(sql, data, (int)(end + 2 - data)), 1);
    assert_int_equal(PQputCopyEnd(sql, NULL), 1);
    free(data);
    result = PQgetResult(sql);
    snprintf(sqlstate, 6, "%s",
             PQresultStatus(result) == PGRES_COMMAND_OK ? "" : PQresultErrorField(result, PG_DIAG_SQLSTATE));
    PQclear(result);
    PQclear(PQgetResult(sql));
}

static void
what_was_copied_is_what_an_insert_stores(void **state)
{
    int64_t ids[MESSAGES];
    char sqlstate[6];

    (void)state;
    reserve(ids);
    copy(ids, "42", sqlstate);
    assert_string_equal(sqlstate, "");
    ts_sql(sql, "INSERT INTO pgqrs_messages_1_ready (payload) VALUES ('42')");
    assert_int_equal(ts_int(sql, "SELECT count(*) FROM pgqrs_messages WHERE id BETWEEN %lld AND %lld",
                            (long long)ids[0], (long long)ids[MESSAGES - 1]),
                     MESSAGES);
    /* All but id and times alike. */
    assert_int_equal(ts_int(sql, "SELECT count(DISTINCT to_jsonb(m) - '{id,vt,enqueued_at}'::text[]) "
                                 "FROM pgqrs_messages AS m"),
                     1);
    assert_int_equal(ts_int(sql, "SELECT count(*) FROM pgqrs_messages WHERE vt <> enqueued_at"), 0);
}

/* The server reads the payloads: a bad one stores nothing. */
static void
one_bad_payload_stores_nothing(void **state)
{
    int64_t ids[MESSAGES];
    char sqlstate[6];
    long long before = ts_int(sql, "SELECT count(*) FROM pgqrs_messages");

    (void)state;
    reserve(ids);
    copy(ids, "4}", sqlstate);
    assert_string_equal(sqlstate, "22P02");
    assert_int_equal(ts_int(sql, "SELECT count(*) FROM pgqrs_messages"), before);
}

static long long
wal_bytes(void)
{
    return ts_int(sql, "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint");
}

/* The difference is 42 bytes a message. */
static void
a_copy_writes_less_wal_than_an_insert(void **state)
{
    int64_t ids[MESSAGES];
    char sqlstate[6];
    long long copied = 0, inserted = 0;

    (void)state;
    PQclear(PQprepare(sql, "enqueue", statement(PGQRSI_SQL_PRODUCER_ENQUEUE), 0, NULL));
    for (int round = 0; round < 5; round++) {
        long long before = wal_bytes();

        reserve(ids);
        copy(ids, "42", sqlstate);
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
    result =
        PQexec(sql, "EXPLAIN (ANALYZE, WAL, COSTS OFF, TIMING OFF) EXECUTE claim(0, 1000, 60000, 1, NULL)");
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

static void
a_claim_by_runs_writes_one_record_a_message(void **state)
{
    (void)state;
    assert_in_range(records_of_a_claim(PGQRSI_SQL_CONSUMER_CLAIM_READY_RUNS), MESSAGES, MESSAGES * 11 / 10);
    assert_in_range(records_of_a_claim(PGQRSI_SQL_CONSUMER_CLAIM_READY), MESSAGES * 2, MESSAGES * 21 / 10);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_copied_is_what_an_insert_stores),
        cmocka_unit_test(one_bad_payload_stores_nothing),
        cmocka_unit_test(a_copy_writes_less_wal_than_an_insert),
        cmocka_unit_test(a_claim_by_runs_writes_one_record_a_message),
    };

    return cmocka_run_group_tests(tests, open_queue, close_queue);
}
