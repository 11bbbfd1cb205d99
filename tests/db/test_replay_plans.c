/*
 * The plans of the statements about dead messages, as the library prepares them: they go by the
 * index on id of the dead leaf, join nothing, and read no more than they need, whatever the
 * statistics say.
 */
#include "support.h"

#include "db/statement.h"

#define DEAD 20000
#define DEAD_ID_INDEX "using pgqrs_archive_1_dead_id_idx on pgqrs_archive_1_dead"

static char *dsn;
static PGconn *sql; /* set up as the library sets up its connections */
static uint64_t serials;
static pgqrsi_scope schema, queue;

struct probe {
    pgqrsi_sql sql;
    const char *arguments;
    const char *expected[3]; /* stand in the plan */
};

static const struct probe probes[] = {
    { PGQRSI_SQL_ARCHIVE_REPLAY_START, NULL, { "Index Scan Backward " DEAD_ID_INDEX, "Limit" } },
    { PGQRSI_SQL_ARCHIVE_REPLAY_COUNT,
      "0, 1000000, NULL, NULL, 4000000000000000, 3, 50000",
      { "Index Scan " DEAD_ID_INDEX, "Index Cond: ((id > $1) AND (id <= $2))", "Limit" } },
    { PGQRSI_SQL_ARCHIVE_REPLAY_FIND,
      "0, 1000000, NULL, NULL, 4000000000000000, 3, 50000, 1000, 8388608",
      { "Index Scan " DEAD_ID_INDEX, "Index Cond: ((id > $1) AND (id <= $2))", "Limit" } },
    { PGQRSI_SQL_ARCHIVE_REPLAY,
      "'{1}', NULL, 0, NULL",
      { "Index Scan " DEAD_ID_INDEX, "Index Cond: (id = ANY ($1))", "LockRows" } },
    { PGQRSI_SQL_ARCHIVE_ERRORS,
      "NULL, 10000, 100",
      { "Index Scan Backward " DEAD_ID_INDEX, "Limit" } },
    { PGQRSI_SQL_ARCHIVE_PAGE_OUTCOME,
      "9223372036854775807, 100, 0, 'dead'",
      { "Index Scan Backward " DEAD_ID_INDEX, "Subplans Removed" } },
};

static const char *
statement(pgqrsi_scope *scope, pgqrsi_sql which)
{
    const pgqrsi_statement *rendered;

    TS_OK(pgqrsi_scope_statement(scope, which, PGQRSI_LANE_READY, &rendered, NULL), NULL);
    return rendered->text;
}

static void
prepare(const char *name, pgqrsi_sql which)
{
    PGresult *result = PQprepare(sql, name, statement(&queue, which), 0, NULL);

    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        ts_fail("%s could not be prepared: %s", pgqrsi_sql_texts[which].name, PQerrorMessage(sql));
    PQclear(result);
}

static void
set_up_session(void)
{
    char pid[16];
    const char *const values[] = { pid, "0", "0" };

    snprintf(pid, sizeof(pid), "%d", PQbackendPID(sql));
    PQclear(PQexecParams(sql, statement(&schema, PGQRSI_SQL_CONNECTION_PROBE), 3, NULL, values,
                         NULL, NULL, 0));
    assert_int_equal(ts_int(sql, "SELECT current_setting('enable_seqscan') = 'off'"), 1);
    ts_sql(sql, "SET search_path = public"); /* for what the tests say themselves */
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
    sql = ts_connect(dsn);
    set_up_session();
    ts_sql(sql, "ALTER TABLE pgqrs_archive_1_dead SET (autovacuum_enabled = off)");
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

/* Tables are not read as a whole, rows are not compared each with each. */
static void
expect_plan(const struct probe *probe)
{
    static const char *const forbidden[] = { "Seq Scan on pgqrs_", "Bitmap",    "Hash Join",
                                             "Merge Join",         "Semi Join", "Materialize" };
    const char *name = pgqrsi_sql_texts[probe->sql].name;
    char *arguments =
        probe->arguments != NULL ? ts_format("(%s)", probe->arguments) : ts_format("%s", "");
    char *explain = ts_format("EXPLAIN (COSTS OFF) EXECUTE planned%s", arguments);
    char *plan = ts_format("%s", "");
    PGresult *result;

    prepare("planned", probe->sql);
    result = PQexec(sql, explain);
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        ts_fail("%s could not be explained: %s", name, PQerrorMessage(sql));
    for (int row = 0; row < PQntuples(result); row++) {
        char *longer = ts_format("%s%s\n", plan, PQgetvalue(result, row, 0));

        free(plan);
        plan = longer;
    }
    PQclear(result);
    ts_sql(sql, "DEALLOCATE planned");
    for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++)
        if (strstr(plan, forbidden[i]) != NULL)
            ts_fail("\"%s\" stands in the plan of %s:\n%s", forbidden[i], name, plan);
    for (size_t i = 0; i < 3 && probe->expected[i] != NULL; i++)
        if (strstr(plan, probe->expected[i]) == NULL)
            ts_fail("\"%s\" does not stand in the plan of %s:\n%s", probe->expected[i], name, plan);
    free(plan);
    free(explain);
    free(arguments);
}

static void
expect_all_plans(void)
{
    for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++)
        expect_plan(&probes[i]);
}

TEST(on_a_new_table)
{
    (void)state;
    expect_all_plans();
    ts_sql(sql, "VACUUM ANALYZE pgqrs_archive_1_dead");
    expect_all_plans();
}

TEST(on_a_full_table)
{
    (void)state;
    ts_sql(
        sql,
        "INSERT INTO pgqrs_archive (id, queue_id, priority, outcome, read_ct, failed_ct, crash_ct, "
        "enqueued_at, payload) SELECT n, 1, 0, 'dead', 1, 1, 0, now(), '1' FROM generate_series(1, "
        "%d) AS "
        "n; SELECT setval('pgqrs_message_id_seq', %d)",
        DEAD, DEAD);
    expect_all_plans();
    ts_sql(sql, "ANALYZE pgqrs_archive_1_dead");
    expect_all_plans();
}

static long long
rows_read(void)
{
    ts_sql(sql, "SELECT pg_stat_force_next_flush()");
    return ts_int(sql, "SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE indexrelname = "
                       "'pgqrs_archive_1_dead_id_idx'");
}

/* The plan does not show when a scan ends, so this counts what is read. */
TEST(a_slice_is_found_without_reading_the_rest)
{
    long long before;

    (void)state;
    prepare("find", PGQRSI_SQL_ARCHIVE_REPLAY_FIND);
    before = rows_read();
    ts_sql(sql, "EXECUTE find(0, %d, NULL, NULL, 4000000000000000, 3, 50000, 100, 8388608)", DEAD);
    assert_in_range(rows_read() - before, 100, 200);
    before = rows_read();
    ts_sql(sql, "EXECUTE find(0, %d, 'rare', NULL, 4000000000000000, 3, 1000, 100, 8388608)", DEAD);
    assert_in_range(rows_read() - before, 1000, 2100);
    prepare("count", PGQRSI_SQL_ARCHIVE_REPLAY_COUNT);
    before = rows_read();
    ts_sql(sql, "EXECUTE count(0, %d, NULL, NULL, 4000000000000000, 3, 1000)", DEAD);
    assert_in_range(rows_read() - before, 1000, 1100);
    prepare("errors", PGQRSI_SQL_ARCHIVE_ERRORS);
    before = rows_read();
    ts_sql(sql, "EXECUTE errors(NULL, 500, 10)");
    assert_in_range(rows_read() - before, 500, 600);
}

TEST(a_replay_reads_each_row_twice)
{
    char *ids = ts_text(sql, "SELECT array_agg(n) FROM generate_series(1, 1000) AS n");
    long long before;

    (void)state;
    prepare("replay", PGQRSI_SQL_ARCHIVE_REPLAY);
    before = rows_read();
    ts_sql(sql, "EXECUTE replay('%s', NULL, 0, NULL)", ids);
    assert_in_range(rows_read() - before, 2000, 2100); /* to lock them, and to mark them */
    assert_int_equal(ts_int(sql, "SELECT count(*) FROM pgqrs_messages"), 1000);
    free(ids);
}

TEST_MAIN(open_queue, close_queue)
