/*
 * The plans of the hot statements, as the library prepares them: whatever the statistics say, and
 * however full the tables are. A plan made while a table was empty must still do when it holds
 * 200,000 rows.
 *
 * The order of the tests matters: each begins with the tables that the one before has left.
 */
#include "support.h"

#include <pthread.h>

#include "db/statement.h"

#define ROWS 200000
#define WAIT_MS 20000

static char *dsn;
static PGconn *sql; /* set up as the library sets up its connections */
static uint64_t serials;
static pgqrsi_scope schema, queue;

struct probe {
    pgqrsi_sql sql;
    const char *arguments;
    const char *expected[4]; /* stand in the plan */
};

static const char *
statement(pgqrsi_scope *scope, pgqrsi_sql which, pgqrsi_lane lane)
{
    const pgqrsi_statement *rendered;

    TS_OK(pgqrsi_scope_statement(scope, which, lane, &rendered, NULL), NULL);
    return rendered->text;
}

/* Runs the library's own first statement on a connection. */
static PGconn *
connect_as_the_library_does(void)
{
    PGconn *connection = ts_connect(dsn);
    char pid[16];
    const char *const values[] = { pid, "0", "0" };
    PGresult *result;

    snprintf(pid, sizeof(pid), "%d", PQbackendPID(connection));
    result =
        PQexecParams(connection, statement(&schema, PGQRSI_SQL_CONNECTION_PROBE, PGQRSI_LANE_READY),
                     3, NULL, values, NULL, NULL, 0);
    if (PQresultStatus(result) != PGRES_TUPLES_OK || strcmp(PQgetvalue(result, 0, 0), "t") != 0)
        ts_fail("the probe failed: %s", PQerrorMessage(connection));
    PQclear(result);
    ts_sql(connection, "SET search_path = public"); /* for what the tests say themselves */
    return connection;
}

static int
open_queue(void **state)
{
    pgqrs_client *client;

    (void)state;
    dsn = ts_database();
    client = ts_client(dsn, NULL);
    TS_OK(pgqrs_queue_create(client, pgqrs_slice_of("jobs"), NULL, NULL, NULL), NULL);
    pgqrs_client_close(client);
    pgqrsi_scope_init(&schema, "public", &serials);
    pgqrsi_scope_init(&queue, "public", &serials);
    queue.queue_id = 1;
    queue.queue_name = "jobs";
    sql = connect_as_the_library_does();
    /* Vacuuming and analysing is part of the stories. */
    ts_sql(sql, "ALTER TABLE pgqrs_messages_1_ready SET (autovacuum_enabled = off); "
                "ALTER TABLE pgqrs_messages_1_held SET (autovacuum_enabled = off)");
    return 0;
}

static int
close_queue(void **state)
{
    (void)state;
    PQfinish(sql);
    pgqrsi_scope_release(&schema);
    pgqrsi_scope_release(&queue);
    free(dsn);
    return 0;
}

/* The generic plan of a statement; the caller frees it. */
static char *
plan_of(PGconn *connection, const char *text, const char *arguments)
{
    PGresult *result;
    char *plan = ts_format("%s", "");
    char *explain = ts_format("EXPLAIN (COSTS OFF, VERBOSE OFF) EXECUTE planned(%s)", arguments);

    result = PQprepare(connection, "planned", text, 0, NULL);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        ts_fail("%s\ncould not be prepared: %s", text, PQerrorMessage(connection));
    PQclear(result);
    result = PQexec(connection, explain);
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        ts_fail("%s\ncould not be explained: %s", text, PQerrorMessage(connection));
    for (int row = 0; row < PQntuples(result); row++) {
        char *longer = ts_format("%s%s\n", plan, PQgetvalue(result, row, 0));

        free(plan);
        plan = longer;
    }
    PQclear(result);
    ts_sql(connection, "DEALLOCATE planned");
    free(explain);
    return plan;
}

/* Asserts that a plan has these parts, and that none of its nodes reads or sorts a whole table. */
static void
expect_plan(PGconn *connection, const struct probe *probe, pgqrsi_lane lane)
{
    static const char *const forbidden[] = { "Seq Scan on pgqrs_messages_1",
                                             "Bitmap",
                                             "Hash",
                                             "Merge Join",
                                             "Sort\n",
                                             "Sort Key",
                                             "Materialize" };
    char *plan = plan_of(connection, statement(&queue, probe->sql, lane), probe->arguments);

    for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++)
        if (strstr(plan, forbidden[i]) != NULL)
            ts_fail("\"%s\" stands in the plan of %s:\n%s", forbidden[i],
                    pgqrsi_sql_texts[probe->sql].name, plan);
    for (size_t i = 0; i < 4 && probe->expected[i] != NULL; i++)
        if (strstr(plan, probe->expected[i]) == NULL)
            ts_fail("\"%s\" does not stand in the plan of %s:\n%s", probe->expected[i],
                    pgqrsi_sql_texts[probe->sql].name, plan);
    free(plan);
}

#define BOUND "Index Cond: (id > '0'::bigint)"

static const struct probe ready_probes[] = {
    { PGQRSI_SQL_CONSUMER_CLAIM_READY,
      "0, 1, 1000, 1, NULL, 1",
      { "Tid Scan on pgqrs_messages_1_ready", "InitPlan",
        "Index Scan using pgqrs_messages_1_ready_id_idx", "Index Cond: (id > $1)" } },
    { PGQRSI_SQL_CONSUMER_CLAIM_READY_RUNS,
      "0, 1, 1000, 1, NULL, 1",
      { "Tid Scan on pgqrs_messages_1_ready", "InitPlan",
        "Index Scan using pgqrs_messages_1_ready_id_idx", "Index Cond: (id > $1)" } },
    { PGQRSI_SQL_CONSUMER_CLAIM_READY_TYPE,
      "0, 1, 1000, 1, NULL, 'a', 1",
      { "Tid Scan on pgqrs_messages_1_ready", "Index Cond: (id > $1)" } },
    { PGQRSI_SQL_CONSUMER_SWEEP,
      "0, 1000, 1000, 5000, 1000, 1, 0",
      { "Tid Scan on pgqrs_messages_1_ready", "Index Cond: ((id > $1) AND (id <= $2))" } },
};

static const struct probe held_probes[] = {
    { PGQRSI_SQL_CONSUMER_CLAIM_HELD,
      "1, 100, 1, 1000, 1, NULL, NULL, NULL, 0, 1",
      { "Tid Scan on pgqrs_messages_1_held", "pgqrs_messages_1_held_priority_vt_id_idx",
        ".priority) AND (vt <= statement_timestamp()) AND (vt >= $",
        "Function Scan on generate_series" } },
    { PGQRSI_SQL_CONSUMER_PEEK,
      "0, 0, 1000, 5000, NULL, NULL, NULL, 1",
      { "pgqrs_messages_1_held_priority_vt_id_idx", "Index Cond: ((priority = p",
        "Index Cond: (id > $1)", "Index Cond: ((id > $2) AND (id <= $" } },
};

/* Those of both lanes. */
static const struct probe ending_probes[] = {
    { PGQRSI_SQL_CONSUMER_DELETE,
      "'{1}', '{1}'",
      { "Index Scan", "_id_idx", "Index Cond: (id = ANY ($1))" } },
    { PGQRSI_SQL_CONSUMER_ARCHIVE,
      "'{1}', '{1}', '{1}'",
      { "Index Scan", "_id_idx", "Index Cond: (id = ANY ($1))" } },
    { PGQRSI_SQL_CONSUMER_DELETE_RUN,
      "'{1,2}', '{1,1}'",
      { "Index Scan", "_id_idx", "Index Cond: ((id >= ($1)[1]) AND (id <= " } },
    { PGQRSI_SQL_CONSUMER_ARCHIVE_RUN,
      "'{1,2}', '{1,1}', '{1,1}'",
      { "Index Scan", "_id_idx", "Index Cond: ((id >= ($1)[1]) AND (id <= " } },
    { PGQRSI_SQL_CONSUMER_EXTEND,
      "'{1}', '{1}', 1",
      { "Tid Scan", "Index Scan", "_id_idx", "Index Cond: (id = ANY ($1))" } },
    { PGQRSI_SQL_CONSUMER_EXTEND_WAIT,
      "'{1}', '{1}', 1",
      { "Index Scan", "_id_idx", "Index Cond: (id = ANY ($1))" } },
    { PGQRSI_SQL_CONSUMER_LEASE_STATE,
      "'{1}', '{1}'",
      { "Index Scan", "_id_idx", "Index Cond: (id = ANY ($1))" } },
    { PGQRSI_SQL_CONSUMER_RELEASE,
      "'{1}', '{1}', 1",
      { "Index Scan", "_id_idx", "Index Cond: (id = ANY ($1))" } },
    { PGQRSI_SQL_CONSUMER_FAIL,
      "1, 1, 0, 0, '', 1, 1",
      { "Index Scan", "_id_idx", "Index Cond: (id = $1)" } },
    { PGQRSI_SQL_CONSUMER_CLAIM_ONE,
      "1, 1, 1, 0",
      { "Index Scan", "_id_idx", "Index Cond: (id = $1)" } },
};

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static void
expect_all_plans(void)
{
    for (size_t i = 0; i < LENGTH(ready_probes); i++)
        expect_plan(sql, &ready_probes[i], PGQRSI_LANE_READY);
    for (size_t i = 0; i < LENGTH(held_probes); i++)
        expect_plan(sql, &held_probes[i], PGQRSI_LANE_READY);
    for (size_t i = 0; i < LENGTH(ending_probes); i++) {
        expect_plan(sql, &ending_probes[i], PGQRSI_LANE_READY);
        expect_plan(sql, &ending_probes[i], PGQRSI_LANE_HELD);
    }
}

TEST(on_new_tables)
{
    (void)state;
    expect_all_plans();
}

TEST(on_empty_tables_that_were_vacuumed_and_analysed)
{
    (void)state;
    ts_sql(sql, "VACUUM ANALYZE pgqrs_messages_1_ready");
    ts_sql(sql, "VACUUM ANALYZE pgqrs_messages_1_held");
    expect_all_plans();
}

static void
fill(void)
{
    ts_sql(sql,
           "INSERT INTO pgqrs_messages_1_ready (payload) SELECT to_jsonb(repeat('x', 100)) FROM "
           "generate_series(1, %d)",
           ROWS);
    ts_sql(sql,
           "INSERT INTO pgqrs_messages_1_held (payload, priority, vt) "
           "SELECT '{}', n %% 5 - 2, now() + (n %% 100 - 50) * interval '1 h' FROM "
           "generate_series(1, %d) AS n",
           ROWS);
}

TEST(on_full_tables_that_were_never_analysed)
{
    (void)state;
    fill();
    expect_all_plans();
}

TEST(on_full_tables_that_were_analysed)
{
    (void)state;
    ts_sql(sql, "ANALYZE pgqrs_messages_1_ready, pgqrs_messages_1_held");
    expect_all_plans();
}

/* Through a pooler the library cannot change settings. At least the claims do not depend on
 * them. */
TEST(the_claims_need_no_settings)
{
    static const char *const modes[] = { "force_generic_plan", "force_custom_plan" };
    PGconn *plain = ts_connect(dsn);

    (void)state;
    for (int i = 0; i < 4; i++) {
        struct probe probe = ready_probes[i / 2];

        ts_sql(plain, "SET plan_cache_mode = %s", modes[i % 2]);
        if (i % 2 == 1)
            probe.expected[3] = BOUND;
        expect_plan(plain, &probe, PGQRSI_LANE_READY);
    }
    PQfinish(plain);
}

static long long
index_rows_read(void)
{
    ts_sql(sql, "SELECT pg_stat_force_next_flush()");
    return ts_int(sql, "SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname = "
                       "'pgqrs_messages_1_held'");
}

/* Of four priorities only the lowest has anything due. The plan does not show how one leads to the
 * next, so this counts what is read. */
TEST(the_held_lane_is_probed_and_not_read)
{
    long long before;

    (void)state;
    ts_sql(sql, "UPDATE pgqrs_messages_1_held SET vt = now() + interval '1 h' WHERE priority > -2");
    ts_sql(sql, "VACUUM ANALYZE pgqrs_messages_1_held");
    PQclear(PQprepare(sql, "claim",
                      statement(&queue, PGQRSI_SQL_CONSUMER_CLAIM_HELD, PGQRSI_LANE_READY), 0,
                      NULL));
    PQclear(PQprepare(sql, "peek", statement(&queue, PGQRSI_SQL_CONSUMER_PEEK, PGQRSI_LANE_READY),
                      0, NULL));
    before = index_rows_read();
    ts_sql(sql, "EXECUTE claim(-100, 100, 10, 1000, 1, NULL, NULL, NULL, 0, 1)");
    assert_in_range(index_rows_read() - before, 10, 100);
    assert_int_equal(
        ts_int(sql, "SELECT count(*) FROM pgqrs_messages_1_held WHERE lease_token = 1"), 10);
    before = index_rows_read();
    ts_sql(sql, "EXECUTE peek(0, 0, 0, 5000, NULL, NULL, NULL, 1)");
    assert_in_range(index_rows_read() - before, 5, 100);
    ts_sql(sql, "DEALLOCATE ALL");
}

/* The ready lane was filled to half of each page: each new row version finds room beside the old
 * one. */
TEST(claims_are_hot_updates)
{
    enum { CLAIMED = 20000 };
    PGconn *other = connect_as_the_library_does();
    char *ids;

    (void)state;
    ts_sql(sql, "SELECT pg_stat_reset_single_table_counters('pgqrs_messages_1_ready'::regclass)");
    PQclear(PQprepare(other, "claim",
                      statement(&queue, PGQRSI_SQL_CONSUMER_CLAIM_READY, PGQRSI_LANE_READY), 0,
                      NULL));
    PQclear(PQprepare(other, "extend",
                      statement(&queue, PGQRSI_SQL_CONSUMER_EXTEND, PGQRSI_LANE_READY), 0, NULL));
    for (int i = 0; i < CLAIMED / 100; i++)
        ts_sql(other, "EXECUTE claim(%d, 100, 60000, 7, NULL, 1)", i * 100);
    ids = ts_text(other, "SELECT array_agg(n) FROM generate_series(1, 100) AS n");
    ts_sql(other, "EXECUTE extend('%s', array_fill(7::bigint, ARRAY[100]), 60000)", ids);
    free(ids);
    PQfinish(other); /* which reports its statistics */
    ts_wait_until(
        sql, WAIT_MS,
        "SELECT n_tup_upd = %d FROM pg_stat_user_tables WHERE relname = 'pgqrs_messages_1_ready'",
        CLAIMED + 100);
    assert_true(ts_int(sql, "SELECT n_tup_hot_upd >= 0.95 * n_tup_upd FROM pg_stat_user_tables "
                            "WHERE relname = 'pgqrs_messages_1_ready'"));
}

enum { SESSIONS = 8, ASKED = 7, TO_CLAIM = 3000 };

struct session {
    PGconn *connection;
    int token;
    int claimed, overfed, failed;
};

static void *
claim_all(void *argument)
{
    struct session *session = argument;
    int idle = 0;

    while (idle < 3 && !session->failed) {
        char *execute =
            ts_format("EXECUTE claim(0, %d, 60000, %d, NULL, 1)", ASKED, session->token);
        PGresult *result = PQexec(session->connection, execute);
        int rows = PQntuples(result);

        session->failed = PQresultStatus(result) != PGRES_TUPLES_OK;
        session->overfed |= rows > ASKED;
        session->claimed += rows;
        idle = rows == 0 ? idle + 1 : 0;
        PQclear(result);
        free(execute);
    }
    return NULL;
}

TEST(no_claim_is_handed_more_than_it_asked_for)
{
    struct session sessions[SESSIONS];
    pthread_t threads[SESSIONS];
    int claimed = 0;

    (void)state;
    ts_sql(sql, "TRUNCATE pgqrs_messages_1_ready");
    ts_sql(sql,
           "INSERT INTO pgqrs_messages_1_ready (payload) SELECT '{}' FROM generate_series(1, %d)",
           TO_CLAIM);
    for (int i = 0; i < SESSIONS; i++) {
        sessions[i] =
            (struct session){ .connection = connect_as_the_library_does(), .token = i + 1 };
        PQclear(PQprepare(sessions[i].connection, "claim",
                          statement(&queue, PGQRSI_SQL_CONSUMER_CLAIM_READY, PGQRSI_LANE_READY), 0,
                          NULL));
    }
    for (int i = 0; i < SESSIONS; i++)
        pthread_create(&threads[i], NULL, claim_all, &sessions[i]);
    for (int i = 0; i < SESSIONS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(sessions[i].failed, 0);
        assert_int_equal(sessions[i].overfed, 0);
        claimed += sessions[i].claimed;
        PQfinish(sessions[i].connection);
    }
    assert_int_equal(claimed, TO_CLAIM);
    assert_int_equal(ts_int(sql, "SELECT count(*) FROM pgqrs_messages_1_ready WHERE read_ct = 1"),
                     TO_CLAIM);
}

TEST_MAIN(open_queue, close_queue)
