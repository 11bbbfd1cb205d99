/*
 * The standby that other tests rely on really replicates, is really waited for, and can be
 * promoted.
 */
#include "support.h"

#include "standby.h"

TEST(a_standby_has_what_its_primary_committed_and_can_be_promoted)
{
    ts_cluster *primary = ts_cluster_start("fsync = on\nwork_mem = '5MB'\n");
    ts_cluster *standby = ts_cluster_standby(primary);
    PGconn *sql = ts_connect(ts_cluster_dsn(primary)), *copy = ts_connect(ts_cluster_dsn(standby));
    char *work_mem = ts_text(copy, "SHOW work_mem");

    (void)state;
    assert_string_equal(work_mem, "5MB");
    assert_int_equal(ts_int(copy, "SELECT pg_is_in_recovery()"), 1);
    ts_sql(sql, "CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)");
    ts_standby_await_replay(primary, standby);
    assert_int_equal(ts_int(copy, "SELECT n FROM kept"), 7);
    PQfinish(sql);
    ts_cluster_stop(primary, TS_STOP_IMMEDIATE);
    ts_cluster_promote(standby);
    assert_int_equal(ts_int(copy, "SELECT pg_is_in_recovery()"), 0);
    ts_sql(copy, "INSERT INTO kept VALUES (8)");
    assert_int_equal(ts_int(copy, "SELECT sum(n) FROM kept"), 15);
    PQfinish(copy);
    free(work_mem);
    ts_cluster_free(standby);
    ts_cluster_free(primary);
}

/* A commit whose wait is cancelled is reported as done, and is lost with the primary. */
TEST(a_commit_waits_for_a_standby_that_is_required)
{
    ts_cluster *primary = ts_cluster_start("fsync = on\n");
    ts_cluster *standby = ts_cluster_standby(primary);
    PGconn *sql = ts_connect(ts_cluster_dsn(primary)), *copy;
    PGresult *result;

    (void)state;
    ts_sql(sql, "CREATE TABLE kept (n int)");
    ts_standby_require(primary);
    ts_sql(sql, "INSERT INTO kept VALUES (1)");
    ts_cluster_stop(standby, TS_STOP_IMMEDIATE);
    assert_int_equal(PQsendQuery(sql, "INSERT INTO kept VALUES (2)"), 1);
    ts_standby_await_waiting(primary, 1);
    assert_int_equal(ts_standby_cancel_waits(primary), 1);
    result = PQgetResult(sql);
    assert_int_equal(PQresultStatus(result), PGRES_COMMAND_OK);
    PQclear(result);
    PQfinish(sql);
    ts_cluster_stop(primary, TS_STOP_IMMEDIATE);
    ts_cluster_restart(standby);
    ts_cluster_promote(standby);
    copy = ts_connect(ts_cluster_dsn(standby));
    ts_sql(copy, "INSERT INTO kept VALUES (4)"); /* it waits for nobody itself */
    assert_int_equal(ts_int(copy, "SELECT sum(n) FROM kept"), 5);
    PQfinish(copy);
    ts_cluster_free(standby);
    ts_cluster_free(primary);
}

TEST(a_standby_that_is_released_is_not_waited_for)
{
    ts_cluster *primary = ts_cluster_start("fsync = on\n");
    ts_cluster *standby = ts_cluster_standby(primary);
    PGconn *sql = ts_connect(ts_cluster_dsn(primary));
    PGresult *result;

    (void)state;
    ts_standby_require(primary);
    ts_cluster_stop(standby, TS_STOP_IMMEDIATE);
    assert_int_equal(PQsendQuery(sql, "CREATE TABLE kept (n int)"), 1);
    ts_standby_await_waiting(primary, 1);
    ts_standby_release(primary);
    result = PQgetResult(sql);
    assert_int_equal(PQresultStatus(result), PGRES_COMMAND_OK);
    PQclear(result);
    PQclear(PQgetResult(sql));
    ts_cluster_restart(standby);
    ts_standby_require(primary);
    ts_sql(sql, "INSERT INTO kept VALUES (1)");
    PQfinish(sql);
    ts_cluster_free(standby);
    ts_cluster_free(primary);
}

TEST_MAIN(NULL, NULL)
