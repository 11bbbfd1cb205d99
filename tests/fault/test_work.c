/*
 * `pgqrs work` is killed, stopped, frozen, and cut off from its server. No message is lost, none is
 * done twice, and no child works on a message that another worker may have.
 */
#include "work_fixture.h"

#define KILLS 30
#define KILLED_MESSAGES 600
#define KILLED_WORKERS 3

/* Leaves its own number in a file and sleeps. */
#define SLEEPER "echo $$ > \"$FOLDER/pid\"; exec sleep 300"

TEST(workers_killed_at_random_moments_lose_nothing)
{
    struct fixture f;
    ts_process *workers[KILLED_WORKERS];
    const char *script = "sleep 0.05; cat";
    unsigned seed = (unsigned)now_ms();

    (void)state;
    fixture_open(&f);
    fixture_send_numbers(&f, KILLED_MESSAGES);
    for (int i = 0; i < KILLED_WORKERS; i++)
        workers[i] = fixture_work(&f, "4", "1", 1, script);
    for (int i = 0; i < KILLS; i++) {
        int victim = i % KILLED_WORKERS;

        pause_ms(rand_r(&seed) % 200);
        ts_kill(workers[victim], SIGKILL);
        ts_wait(workers[victim], WORK_WAIT_MS, NULL);
        workers[victim] = fixture_work(&f, "4", "1", 1, script);
    }
    for (int i = 0; i < KILLED_WORKERS; i++) {
        ts_result result;

        ts_wait(workers[i], 60000, &result);
        assert_int_equal(result.exit_code, 0);
        ts_result_release(&result);
    }
    assert_int_equal(
        ts_int(f.sql,
               "SELECT count(*) FROM pgqrs_archive WHERE outcome = 'done' AND result = payload"),
        KILLED_MESSAGES);
    assert_int_equal(ts_int(f.sql, "SELECT count(DISTINCT payload) FROM pgqrs_archive"),
                     KILLED_MESSAGES);
    assert_int_equal(ts_int(f.sql, "SELECT count(*) FROM pgqrs_archive"), KILLED_MESSAGES);
    assert_int_equal(ts_int(f.sql, "SELECT count(*) FROM pgqrs_messages"), 0);
    assert_true(ts_int(f.sql, "SELECT count(*) FROM pgqrs_archive WHERE crash_ct > 0") > 0);
    fixture_close(&f);
}

TEST(a_killed_worker_takes_its_child_along)
{
    struct fixture f;
    ts_process *worker;
    pid_t child;

    (void)state;
    fixture_open(&f);
    fixture_send_numbers(&f, 1);
    worker = fixture_work(&f, "1", "60", 0, SLEEPER);
    child = await_pid(&f, "pid");
    ts_kill(worker, SIGKILL);
    ts_wait(worker, WORK_WAIT_MS, NULL);
    await_end(child, 2000);
    fixture_close(&f);
}

TEST(sigterm_finishes_what_runs_and_claims_no_more)
{
    struct fixture f;
    ts_process *worker;
    ts_result result;

    (void)state;
    fixture_open(&f);
    fixture_send_numbers(&f, 70);
    worker = fixture_work(&f, "50", "5", 0,
                          "while [ ! -e \"$FOLDER/go\" ]; do sleep 0.1; done; echo \"$WHO\"");
    ts_wait_until(f.sql, WORK_WAIT_MS,
                  "SELECT count(*) = 50 FROM pgqrs_messages WHERE lease_token IS NOT NULL");
    ts_kill(worker, SIGTERM);
    ts_wait_output(worker, "claiming no more after SIGTERM", WORK_WAIT_MS);
    assert_int_equal(ts_int(f.sql, "SELECT count(*) FROM pgqrs_archive"), 0);
    fixture_touch(&f, "go");
    ts_wait(worker, WORK_WAIT_MS, &result);
    assert_int_equal(result.exit_code, 0);
    assert_int_equal(
        ts_int(f.sql, "SELECT count(*) FROM pgqrs_archive WHERE outcome = 'done' AND read_ct = 1"),
        50);
    assert_int_equal(
        ts_int(f.sql,
               "SELECT count(*) FROM pgqrs_messages WHERE read_ct = 0 AND lease_token IS NULL"),
        20);
    assert_int_equal(ts_int(f.sql, "SELECT count(*) FROM pgqrs_workers"), 0);
    ts_result_release(&result);
    fixture_close(&f);
}

static void
stop_twice(int first, int second, int wanted_code)
{
    struct fixture f;
    ts_process *worker;
    ts_result result;
    long long before;
    pid_t child;

    fixture_open(&f);
    fixture_send_numbers(&f, 1);
    worker = fixture_work(&f, "2", "60", 0, "trap '' TERM INT; " SLEEPER);
    child = await_pid(&f, "pid");
    ts_kill(worker, first);
    ts_wait_output(worker, "claiming no more", WORK_WAIT_MS);
    before = now_ms();
    ts_kill(worker, second);
    ts_wait(worker, WORK_WAIT_MS, &result);
    assert_true(now_ms() - before < 3000);
    assert_int_equal(result.exit_code, wanted_code);
    assert_false(ts_is_running(child));
    /* Given back: due at once, and no attempt is charged. */
    assert_int_equal(ts_int(f.sql,
                            "SELECT count(*) FROM pgqrs_messages WHERE vt <= clock_timestamp() AND "
                            "failed_ct = 0 AND crash_ct = 0 AND lease_token IS NULL"),
                     1);
    ts_result_release(&result);
    fixture_close(&f);
}

TEST(a_second_signal_stops_at_once_and_gives_back)
{
    (void)state;
    stop_twice(SIGTERM, SIGTERM, 143);
    stop_twice(SIGINT, SIGINT, 130);
}

TEST(what_a_frozen_worker_finishes_too_late_is_refused)
{
    struct fixture f;
    ts_process *frozen, *other;
    ts_result result;
    char *winner;

    (void)state;
    fixture_open(&f);
    fixture_send_numbers(&f, 1);
    frozen = fixture_work_as(&f, "frozen", "1", "1", 1,
                             "echo $$ > \"$FOLDER/pid\"; sleep 0.5; echo \"\\\"$WHO\\\"\"");
    await_pid(&f, "pid");
    ts_kill(frozen, SIGSTOP);
    other = fixture_work_as(&f, "other", "1", "1", 1, "echo \"\\\"$WHO\\\"\"");
    ts_wait(other, WORK_WAIT_MS, &result);
    assert_int_equal(result.exit_code, 0);
    ts_result_release(&result);
    ts_kill(frozen, SIGCONT);
    ts_wait_output(frozen, "lost the lease of message", WORK_WAIT_MS);
    ts_wait(frozen, WORK_WAIT_MS, &result);
    assert_int_equal(result.exit_code, 0);
    ts_result_release(&result);
    winner = ts_text(f.sql, "SELECT result #>> '{}' FROM pgqrs_archive");
    assert_string_equal(winner, "other");
    assert_int_equal(ts_int(f.sql, "SELECT count(*) FROM pgqrs_archive"), 1);
    assert_int_equal(ts_int(f.sql, "SELECT crash_ct FROM pgqrs_archive"), 1);
    free(winner);
    fixture_close(&f);
}

TEST(a_lost_lease_ends_the_child)
{
    struct fixture f;
    ts_process *worker;
    pid_t child;

    (void)state;
    fixture_open(&f);
    fixture_send_numbers(&f, 1);
    worker = fixture_work(&f, "1", "1", 0, SLEEPER);
    child = await_pid(&f, "pid");
    TS_OK(pgqrs_queue_purge(f.client, pgqrs_slice_of("jobs"), f.err), f.err);
    await_end(child, 5000);
    ts_kill(worker, SIGTERM);
    ts_wait(worker, WORK_WAIT_MS, NULL);
    assert_int_equal(ts_int(f.sql, "SELECT count(*) FROM pgqrs_archive"), 0);
    fixture_close(&f);
}

TEST(a_long_job_outlives_its_lease_by_extensions)
{
    struct fixture f;

    (void)state;
    fixture_open(&f);
    fixture_send_numbers(&f, 1);
    ts_wait(fixture_work(&f, "1", "1", 1, "sleep 3; echo 1"), WORK_WAIT_MS, NULL);
    assert_int_equal(
        ts_int(f.sql, "SELECT count(*) FROM pgqrs_archive WHERE read_ct = 1 AND crash_ct = 0"), 1);
    fixture_close(&f);
}

/* A claim's commit does not wait for the disk, so a crash of the server can forget it; not after
 * this. */
static void
crash_server(struct fixture *f, ts_cluster *cluster)
{
    ts_sql(f->sql, "CHECKPOINT");
    ts_cluster_stop(cluster, TS_STOP_IMMEDIATE);
}

/* The connections of a fixture do not survive their server. */
static void
restart_server(struct fixture *f, ts_cluster *cluster)
{
    ts_cluster_restart(cluster);
    PQfinish(f->sql);
    f->sql = ts_connect(f->dsn);
}

TEST(an_outcome_is_kept_until_the_server_is_back)
{
    struct fixture f;
    ts_cluster *cluster = ts_cluster_start(NULL);
    ts_process *worker;
    ts_result result;
    pid_t child;

    (void)state;
    fixture_open_on(&f, ts_database_on(ts_cluster_server(cluster)), 20);
    fixture_send_numbers(&f, 1);
    worker = fixture_work(
        &f, "1", "60", 1,
        "echo $$ > \"$FOLDER/pid\"; while [ ! -e \"$FOLDER/go\" ]; do sleep 0.1; done; "
        "echo '{\"kept\": true}'");
    child = await_pid(&f, "pid");
    crash_server(&f, cluster);
    fixture_touch(&f, "go");
    await_end(child, 5000);
    ts_wait_output(worker, "trying again", WORK_WAIT_MS);
    restart_server(&f, cluster);
    ts_wait(worker, WORK_WAIT_MS, &result);
    assert_int_equal(result.exit_code, 0);
    assert_int_equal(
        ts_int(f.sql, "SELECT count(*) FROM pgqrs_archive WHERE read_ct = 1 AND result ? 'kept'"),
        1);
    ts_result_release(&result);
    fixture_close(&f);
    ts_cluster_free(cluster);
}

TEST(a_child_is_stopped_before_a_lease_ends_that_cannot_be_extended)
{
    struct fixture f;
    ts_cluster *cluster = ts_cluster_start(NULL);
    ts_process *worker;
    ts_result result;
    pid_t child;

    (void)state;
    fixture_open_on(&f, ts_database_on(ts_cluster_server(cluster)), 20);
    fixture_send_numbers(&f, 1);
    worker = fixture_work(&f, "1", "2", 1, "[ ! -e \"$FOLDER/pid\" ] || exec echo again; " SLEEPER);
    child = await_pid(&f, "pid");
    crash_server(&f, cluster);
    await_end(child, 3000);
    ts_wait_output(worker, "could not be extended in time", WORK_WAIT_MS);
    restart_server(&f, cluster);
    ts_wait(worker, WORK_WAIT_MS, &result);
    assert_int_equal(result.exit_code, 0);
    assert_int_equal(ts_int(f.sql, "SELECT count(*) FROM pgqrs_archive WHERE result = '\"again\"'"),
                     1);
    ts_result_release(&result);
    fixture_close(&f);
    ts_cluster_free(cluster);
}

#define MAX_BACKENDS 64

/* All of a server that its clients can meet, to be stopped and continued. */
struct backends {
    pid_t pids[MAX_BACKENDS];
    int count;
};

static void
find_backends(struct fixture *f, const ts_cluster *cluster, struct backends *out)
{
    PGresult *rows =
        PQexec(f->sql, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'");

    TS_TRUE(PQresultStatus(rows) == PGRES_TUPLES_OK && PQntuples(rows) < MAX_BACKENDS);
    out->pids[0] = ts_cluster_pid(cluster);
    out->count = 1;
    for (int i = 0; i < PQntuples(rows); i++)
        out->pids[out->count++] = atoi(PQgetvalue(rows, i, 0));
    PQclear(rows);
}

static void
signal_backends(const struct backends *backends, int number)
{
    for (int i = 0; i < backends->count; i++)
        kill(backends->pids[i], number);
}

TEST(a_server_that_hangs_does_not_keep_a_child_from_being_ended)
{
    struct fixture f;
    ts_cluster *cluster = ts_cluster_start(NULL);
    struct backends backends;
    ts_process *worker;
    ts_result result;
    pid_t child;

    (void)state;
    fixture_open_on(&f, ts_database_on(ts_cluster_server(cluster)), 20);
    fixture_send_numbers(&f, 1);
    worker = fixture_work(&f, "1", "2", 1, "[ ! -e \"$FOLDER/pid\" ] || exec echo again; " SLEEPER);
    child = await_pid(&f, "pid");
    find_backends(&f, cluster, &backends);
    signal_backends(&backends, SIGSTOP);
    await_end(child, 3000);
    signal_backends(&backends, SIGCONT);
    ts_wait(worker, 60000, &result);
    assert_int_equal(result.exit_code, 0);
    assert_int_equal(ts_int(f.sql, "SELECT count(*) FROM pgqrs_archive WHERE result = '\"again\"'"),
                     1);
    ts_result_release(&result);
    fixture_close(&f);
    ts_cluster_free(cluster);
}

TEST(a_queue_that_is_deleted_ends_the_work)
{
    struct fixture f;
    ts_process *worker;
    ts_result result;
    pid_t child;

    (void)state;
    fixture_open(&f);
    fixture_send_numbers(&f, 1);
    worker = fixture_work(&f, "1", "1", 0, SLEEPER);
    child = await_pid(&f, "pid");
    TS_OK(pgqrs_queue_delete(f.client, pgqrs_slice_of("jobs"), f.err), f.err);
    ts_wait(worker, WORK_WAIT_MS, &result);
    assert_int_equal(result.exit_code, 1);
    assert_non_null(strstr(result.err, "deleted"));
    assert_false(ts_is_running(child));
    ts_result_release(&result);
    fixture_close(&f);
}

TEST_MAIN(NULL, NULL)
