/*
 * What the numbers of a queue cost, in buffers: as much with 200,000 messages as with few, whatever
 * the statistics say, and also while a transaction keeps 100,000 dead rows before the first live
 * one.
 */
#include "support.h"

#define ROWS 200000
#define DEAD 100000

/* Three looks at 10,000 rows each, at most one buffer a row, and the catalogue. */
#define BOUND 45000

/* A look at a queue with few messages. */
#define FEW 3000

static char *dsn;
static PGconn *sql;

static int
make_queue(void **state)
{
    (void)state;
    dsn = ts_database();
    sql = ts_connect(dsn);
    ts_sql(sql, "SELECT pgqrs_create_queue('jobs'), pgqrs_create_queue('other');"
                "ALTER TABLE pgqrs_messages_1_ready SET (autovacuum_enabled = off);"
                "ALTER TABLE pgqrs_messages_1_held SET (autovacuum_enabled = off)");
    return 0;
}

static int
drop_queue(void **state)
{
    (void)state;
    PQfinish(sql);
    free(dsn);
    return 0;
}

#define BUFFERS_TEST(name) TEST_WITH(name, make_queue, drop_queue)

/* The buffers that a statement touches, with what its functions do. */
static long long
buffers_of(const char *statement)
{
    char *plan;
    long long buffers;

    ts_sql(sql, "CREATE OR REPLACE FUNCTION pg_temp.buffers(statement text) RETURNS bigint "
                "LANGUAGE plpgsql AS $$"
                "DECLARE plan json; BEGIN EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT "
                "JSON) ' || statement INTO plan;"
                "RETURN (plan->0->'Plan'->>'Shared Hit Blocks')::bigint + "
                "(plan->0->'Plan'->>'Shared Read Blocks')::bigint; END $$");
    plan = ts_format("SELECT pg_temp.buffers(%s)", statement);
    (void)ts_int(sql, "%s", plan); /* sets hint bits, fills the caches */
    buffers = ts_int(sql, "%s", plan);
    free(plan);
    return buffers;
}

static void
expect_at_most(long long bound)
{
    long long one = buffers_of("'SELECT * FROM pgqrs_metrics(''jobs'')'");
    long long all = buffers_of("'SELECT * FROM pgqrs_metrics(look_ms := NULL)'");

    if (one > bound || all > bound)
        ts_fail("a look at one queue took %lld buffers, and at all %lld", one, all);
}

BUFFERS_TEST(the_cost_is_bounded_whatever_the_statistics_say)
{
    (void)state;
    expect_at_most(FEW);
    ts_sql(sql,
           "INSERT INTO pgqrs_messages_1_ready (payload) SELECT to_jsonb(repeat('x', 100)) FROM "
           "generate_series(1, %d);"
           "INSERT INTO pgqrs_messages_1_held (payload, priority, vt) SELECT '1', n %% 5 - 2, "
           "now() + (n %% 100 - 50) * interval '1 h' FROM generate_series(1, %d) AS n",
           ROWS, ROWS);
    expect_at_most(BOUND);
    ts_sql(sql, "ANALYZE pgqrs_messages_1_ready, pgqrs_messages_1_held");
    expect_at_most(BOUND);
    assert_int_equal(
        ts_int(sql, "SELECT (estimated @> '{ready}')::integer FROM pgqrs_metrics('jobs')"), 1);
}

/* Until the counters know of the dead rows. */
static void
wait_for_waste(const char *table)
{
    PQfinish(sql);
    sql = ts_connect(dsn);
    ts_wait_until(sql, 20000, "SELECT pg_stat_get_dead_tuples('%s'::regclass) >= %d", table, DEAD);
}

BUFFERS_TEST(dead_rows_at_the_head_of_the_ready_lane_are_not_read)
{
    PGconn *holder = ts_connect(dsn);

    (void)state;
    ts_sql(holder,
           "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pgqrs_messages_1_ready");
    ts_sql(sql,
           "INSERT INTO pgqrs_messages_1_ready (payload) SELECT '1' FROM generate_series(1, %d)",
           DEAD);
    ts_sql(sql, "DELETE FROM pgqrs_messages_1_ready");
    ts_sql(sql, "SELECT setval('pgqrs_frontier_1', last_value) FROM pgqrs_message_id_seq");
    ts_sql(sql,
           "INSERT INTO pgqrs_messages_1_ready (payload) SELECT '1' FROM generate_series(1, 5)");
    wait_for_waste("pgqrs_messages_1_ready");
    expect_at_most(FEW);
    /* What may be below the mark is not looked for. */
    assert_int_equal(ts_int(sql, "SELECT ready FROM pgqrs_metrics('jobs') WHERE at_least @> "
                                 "'{ready}' AND oldest_due_at IS NOT NULL"),
                     5);
    /* A mark that is beyond the issued ids, as after a failover, is none. */
    ts_sql(sql, "SELECT setval('pgqrs_frontier_1', last_value + 1) FROM pgqrs_message_id_seq");
    expect_at_most(FEW);
    assert_int_equal(ts_int(sql, "SELECT count(*) FROM pgqrs_metrics('jobs') WHERE estimated @> "
                                 "'{ready}' AND oldest_due_at IS NULL"),
                     1);
    ts_sql(sql, "SELECT setval('pgqrs_frontier_1', 0, false)");
    expect_at_most(FEW);
    PQfinish(holder);
}

BUFFERS_TEST(dead_rows_of_the_held_lane_are_not_read)
{
    PGconn *holder = ts_connect(dsn);

    (void)state;
    ts_sql(holder,
           "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pgqrs_messages_1_held");
    ts_sql(sql,
           "INSERT INTO pgqrs_messages_1_held (payload) SELECT '1' FROM generate_series(1, %d)",
           DEAD);
    ts_sql(sql, "DELETE FROM pgqrs_messages_1_held");
    ts_sql(sql, "INSERT INTO pgqrs_messages_1_held (payload, vt) SELECT '1', now() + interval '1 "
                "h' FROM generate_series(1, 5000)");
    wait_for_waste("pgqrs_messages_1_held");
    expect_at_most(FEW);
    assert_int_equal(ts_int(sql, "SELECT ready + delayed + leased FROM pgqrs_metrics('jobs') WHERE "
                                 "estimated @> '{delayed}' AND at_least @> '{oldest_due_at}'"),
                     5000);
    PQfinish(holder);
}

TEST_MAIN(NULL, NULL)
