/*
 * The servers and processes that other tests rely on really crash, recover, pool and end.
 */
#include "support.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

TEST(a_crashed_cluster_recovers_what_was_committed)
{
    ts_cluster *cluster = ts_cluster_start("log_checkpoints = on\nwork_mem = '5MB'\n");
    PGconn *sql = ts_connect(ts_cluster_dsn(cluster));
    pid_t before = ts_cluster_pid(cluster);
    PGresult *refused;
    char *fsync = ts_text(sql, "SHOW fsync"), *work_mem = ts_text(sql, "SHOW work_mem");

    (void)state;
    assert_string_equal(fsync, "on");
    assert_string_equal(work_mem, "5MB");
    ts_sql(sql, "CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)");
    ts_cluster_stop(cluster, TS_STOP_IMMEDIATE);
    refused = PQexec(sql, "SELECT 1");
    assert_int_equal(PQresultStatus(refused), PGRES_FATAL_ERROR);
    PQclear(refused);
    PQfinish(sql);
    ts_cluster_restart(cluster);
    assert_int_not_equal(ts_cluster_pid(cluster), before);
    sql = ts_connect(ts_cluster_dsn(cluster));
    assert_int_equal(ts_int(sql, "SELECT n FROM kept"), 7);
    PQfinish(sql);
    before = ts_cluster_pid(cluster);
    ts_cluster_free(cluster);
    assert_false(ts_is_running(before));
    free(fsync);
    free(work_mem);
}

TEST(a_frozen_cluster_goes_away_as_well)
{
    ts_cluster *cluster = ts_cluster_start(NULL);
    pid_t server = ts_cluster_pid(cluster);

    (void)state;
    assert_int_equal(kill(server, SIGSTOP), 0);
    ts_cluster_free(cluster);
    assert_false(ts_is_running(server));
}

TEST(the_pooler_gives_a_session_away_between_transactions)
{
    char *dsn = ts_empty_database();
    ts_pgbouncer *pooler = ts_pgbouncer_start(dsn);
    PGconn *one = ts_connect(ts_pgbouncer_dsn(pooler)),
           *other = ts_connect(ts_pgbouncer_dsn(pooler));
    long long backend = ts_int(one, "SELECT pg_backend_pid()");

    (void)state;
    assert_int_equal(ts_int(other, "SELECT pg_backend_pid()"), backend);
    PQfinish(one);
    PQfinish(other);
    ts_pgbouncer_stop(pooler);
    free(dsn);
}

TEST(a_program_is_run_with_its_input_environment_and_end)
{
    const char *const argv[] = { "sh", "-c", "cat; echo \"$WORD\" >&2; exit 3", NULL };
    const char *const env[] = { "WORD=said", NULL };
    ts_result result;

    (void)state;
    ts_run(&(ts_invocation){ .argv = argv, .env = env, .input = "given" }, &result);
    assert_int_equal(result.exit_code, 3);
    assert_int_equal(result.signal, 0);
    assert_string_equal(result.out, "given");
    assert_string_equal(result.err, "said\n");
    ts_result_release(&result);
}

TEST(a_program_can_be_watched_and_killed)
{
    ts_process *process = ts_spawn_args("sh", "-c", "echo ready; exec sleep 1000", NULL);
    ts_result result;

    (void)state;
    ts_wait_output(process, "ready", 10000);
    ts_kill(process, SIGTERM);
    ts_wait(process, 10000, &result);
    assert_int_equal(result.exit_code, -1);
    assert_int_equal(result.signal, SIGTERM);
    ts_result_release(&result);
}

/* A fork, since what the test executable leaves to the kernel can only be seen from outside of
 * it. */
TEST(a_killed_test_leaves_no_process_behind)
{
    int told[2];
    pid_t test, kept;
    int status;

    (void)state;
    assert_int_equal(pipe(told), 0);
    test = fork();
    if (test == 0) {
        kept = ts_process_pid(ts_spawn_args("sleep", "1000", NULL));
        TS_TRUE(write(told[1], &kept, sizeof(kept)) == (ssize_t)sizeof(kept));
        pause();
    }
    assert_int_equal(read(told[0], &kept, sizeof(kept)), sizeof(kept));
    assert_int_equal(kill(kept, 0), 0);
    assert_int_equal(kill(test, SIGKILL), 0);
    assert_int_equal(waitpid(test, &status, 0), test);
    close(told[0]);
    close(told[1]);
    for (int i = 0; i < 500 && ts_is_running(kept); i++)
        usleep(10000);
    assert_false(ts_is_running(kept));
}

TEST(a_helper_that_fails_in_a_fork_ends_the_fork)
{
    pid_t child = fork();
    int status;

    (void)state;
    if (child == 0) {
        if (freopen("/dev/null", "w", stderr) == NULL)
            _exit(1);
        ts_fail("as it should");
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 99);
}

TEST(databases_are_new_and_of_one_kind)
{
    char *one = ts_empty_database(), *other = ts_empty_database();
    PGconn *sql = ts_connect(one), *elsewhere = ts_connect(other);
    char *encoding = ts_text(sql, "SHOW server_encoding");

    (void)state;
    assert_string_not_equal(one, other);
    assert_string_equal(encoding, "UTF8");
    ts_sql(sql, "CREATE TABLE mine ()");
    assert_int_equal(ts_int(elsewhere, "SELECT to_regclass('mine') IS NULL"), 1);
    PQfinish(sql);
    PQfinish(elsewhere);
    free(encoding);
    free(one);
    free(other);
}

TEST(a_condition_that_comes_true_is_seen)
{
    char *dsn = ts_empty_database();
    PGconn *sql = ts_connect(dsn);

    (void)state;
    ts_sql(sql, "CREATE SEQUENCE asked");
    ts_wait_until(sql, 10000, "SELECT nextval('asked') >= 5");
    assert_int_equal(ts_int(sql, "SELECT last_value FROM asked"), 5);
    PQfinish(sql);
    free(dsn);
}

TEST_MAIN(NULL, NULL)
