/*
 * The end of `pgqrs work`: when nothing is left to do, when it is told to end, when the server is
 * away, and when the system refuses it memory or processes.
 */
#include "work_fixture.h"

#include <sys/resource.h>

/* Leaves its own number in a file and sleeps, whatever it is told. */
#define STUBBORN "trap '' TERM; echo $$ > \"$FOLDER/pid\"; while :; do sleep 0.1; done"

/* Ends when it is allowed to. */
#define PATIENT                                                                                    \
    "echo $$ > \"$FOLDER/pid\"; while [ ! -e \"$FOLDER/go\" ]; do sleep 0.05; done; echo "         \
    "'\"allowed\"'"

/* One child at a time, a minute's lease. */
static ts_process *
work_with_grace(struct fixture *f, const char *grace, const char *script)
{
    const char *const argv[] = { ts_command(), "--log-level", "info",    "work", "jobs",
                                 "--lease",    "60",          "--grace", grace,  "--",
                                 "sh",         "-c",          script,    NULL };
    const char *const env[] = { f->dsn_variable, f->folder_variable, NULL };

    return ts_spawn(&(ts_invocation){ .argv = argv, .env = env });
}

static void
expect_end(ts_process *worker, int wanted_code, int within_ms, const char *wanted_text)
{
    long long before = now_ms();
    ts_result result;

    ts_wait(worker, WORK_WAIT_MS, &result);
    if (result.exit_code != wanted_code)
        ts_fail("pgqrs work ended with %d, not %d: %s", result.exit_code, wanted_code, result.err);
    if (now_ms() - before > within_ms)
        ts_fail("pgqrs work took %lld ms to end: %s", now_ms() - before, result.err);
    if (wanted_text != NULL && strstr(result.err, wanted_text) == NULL)
        ts_fail("pgqrs work did not say \"%s\": %s", wanted_text, result.err);
    ts_result_release(&result);
}

/* Due at once, and no attempt is charged. */
static void
expect_given_back(struct fixture *f, int count)
{
    assert_int_equal(ts_int(f->sql,
                            "SELECT count(*) FROM pgqrs_messages WHERE vt <= clock_timestamp() AND "
                            "failed_ct = 0 AND crash_ct = 0 AND lease_token IS NULL"),
                     count);
}

TEST(what_has_not_ended_after_the_grace_is_stopped_and_given_back)
{
    struct fixture f;
    ts_process *worker;
    pid_t child;

    (void)state;
    fixture_open(&f);
    fixture_send_numbers(&f, 1);
    worker = work_with_grace(&f, "0.5", STUBBORN);
    child = await_pid(&f, "pid");
    ts_kill(worker, SIGTERM);
    expect_end(worker, 0, 6000, "stopped 1 program that had not ended in time");
    assert_false(ts_is_running(child));
    expect_given_back(&f, 1);
    fixture_close(&f);
}

TEST(a_child_that_was_stopped_is_ended_as_well)
{
    struct fixture f;
    ts_process *worker;
    pid_t child;

    (void)state;
    fixture_open(&f);
    fixture_send_numbers(&f, 1);
    worker = work_with_grace(
        &f, "0.2", "trap 'exit 0' TERM; echo $$ > \"$FOLDER/pid\"; kill -STOP $$; sleep 9");
    child = await_pid(&f, "pid");
    pause_ms(100);
    ts_kill(worker, SIGTERM);
    expect_end(worker, 0, 6000, NULL);
    assert_false(ts_is_running(child));
    expect_given_back(&f, 1);
    fixture_close(&f);
}

TEST(what_ends_within_the_grace_is_archived)
{
    struct fixture f;
    ts_process *worker;

    (void)state;
    fixture_open(&f);
    fixture_send_numbers(&f, 2);
    worker = work_with_grace(&f, "20", PATIENT);
    await_pid(&f, "pid");
    ts_kill(worker, SIGTERM);
    ts_wait_output(worker, "claiming no more after SIGTERM: waiting for 1 program", WORK_WAIT_MS);
    fixture_touch(&f, "go");
    expect_end(worker, 0, 6000, "1 done, 0 failed, 0 dead, 0 lost");
    assert_int_equal(
        ts_int(f.sql, "SELECT count(*) FROM pgqrs_archive WHERE result = '\"allowed\"'"), 1);
    expect_given_back(&f, 1);
    fixture_close(&f);
}

/* Stops the server in order; what was claimed stays claimed. */
TEST(what_cannot_be_reported_is_left)
{
    struct fixture f;
    ts_cluster *cluster = ts_cluster_start(NULL);
    ts_process *worker;
    pid_t child;

    (void)state;
    fixture_open_on(&f, ts_database_on(ts_cluster_server(cluster)), 20);
    fixture_send_numbers(&f, 1);
    worker = work_with_grace(&f, "1", PATIENT);
    child = await_pid(&f, "pid");
    ts_cluster_stop(cluster, TS_STOP_FAST);
    fixture_touch(&f, "go");
    await_end(child, 5000);
    ts_wait_output(worker, "trying again", WORK_WAIT_MS);
    ts_kill(worker, SIGTERM);
    expect_end(worker, 75, 12000, "left 1 messages as they are");
    fixture_close(&f);
    ts_cluster_free(cluster);
}

TEST(a_second_signal_does_not_wait_for_the_server)
{
    struct fixture f;
    ts_cluster *cluster = ts_cluster_start(NULL);
    ts_process *worker;
    pid_t child;

    (void)state;
    fixture_open_on(&f, ts_database_on(ts_cluster_server(cluster)), 20);
    fixture_send_numbers(&f, 1);
    worker = work_with_grace(&f, "60", STUBBORN);
    child = await_pid(&f, "pid");
    ts_cluster_stop(cluster, TS_STOP_FAST);
    ts_kill(worker, SIGTERM);
    ts_wait_output(worker, "claiming no more", WORK_WAIT_MS);
    ts_kill(worker, SIGTERM);
    expect_end(worker, 143, 3000, NULL);
    assert_false(ts_is_running(child));
    fixture_close(&f);
    ts_cluster_free(cluster);
}

TEST(until_empty_waits_for_what_is_delayed)
{
    struct fixture f;
    pgqrs_enqueue_options options = PGQRS_ENQUEUE_OPTIONS_INIT;

    (void)state;
    fixture_open(&f);
    options.delay_ms = 1500;
    fixture_send(&f, "1", &options);
    fixture_send(&f, "2", NULL);
    fixture_work_off(&f, "cat");
    assert_int_equal(ts_int(f.sql, "SELECT count(*) FROM pgqrs_archive WHERE result = payload"), 2);
    fixture_close(&f);
}

TEST(until_empty_waits_for_what_others_hold)
{
    struct fixture f;
    pgqrs_consumer_options options = PGQRS_CONSUMER_OPTIONS_INIT;
    pgqrs_consumer *consumer = NULL;
    pgqrs_message_list *list = NULL;

    (void)state;
    fixture_open(&f);
    fixture_send_numbers(&f, 1);
    options.lease_ms = 2000;
    TS_OK(pgqrs_consumer_open(f.client, pgqrs_slice_of("jobs"), &options, &consumer, f.err), f.err);
    TS_OK(pgqrs_consumer_dequeue(consumer, &list, f.err), f.err);
    assert_int_equal(pgqrs_message_list_count(list), 1);
    pgqrs_message_list_free(list);
    pgqrs_consumer_close(consumer);
    fixture_work_off(&f, "cat"); /* its holder is gone: it comes back when the lease has run out */
    assert_int_equal(ts_int(f.sql, "SELECT count(*) FROM pgqrs_archive WHERE crash_ct = 1"), 1);
    fixture_close(&f);
}

TEST(a_message_that_is_cancelled_takes_its_child_along)
{
    struct fixture f;
    ts_process *worker;
    pid_t child;

    (void)state;
    fixture_open(&f);
    fixture_send_numbers(&f, 1);
    worker = work_with_grace(&f, "60", PATIENT);
    child = await_pid(&f, "pid");
    TS_OK(pgqrs_message_cancel(f.client, pgqrs_slice_of("jobs"),
                               ts_int(f.sql, "SELECT id FROM pgqrs_messages"), f.err),
          f.err);
    await_end(child, 5000);
    ts_wait_output(worker, "it was cancelled", WORK_WAIT_MS);
    ts_kill(worker, SIGTERM);
    expect_end(worker, 0, 6000, "0 done, 0 failed, 0 dead, 0 lost");
    assert_int_equal(ts_int(f.sql, "SELECT count(*) FROM pgqrs_archive WHERE outcome = 'dead'"), 1);
    fixture_close(&f);
}

TEST(what_became_of_messages_is_said)
{
    struct fixture f;

    (void)state;
    fixture_open_on(&f, ts_database(), 2);
    fixture_send_numbers(&f, 1);
    expect_end(
        fixture_work(&f, "1", "60", 1, "echo no >&2; echo good >&2; exit $((PGQRS_ATTEMPT + 2))"),
        1, WORK_WAIT_MS, "failed and will be tried again: exit status 3: no good\n");
    fixture_send_numbers(&f, 1);
    expect_end(
        fixture_work(&f, "1", "60", 1, "echo no >&2; echo good >&2; exit $((PGQRS_ATTEMPT + 2))"),
        1, WORK_WAIT_MS, "failed for the last time and is dead: exit status 4: no good\n");
    fixture_close(&f);
}

static void
set_file_limit(const ts_process *process, rlim_t files)
{
    struct rlimit limit;

    TS_TRUE(prlimit(ts_process_pid(process), RLIMIT_NOFILE, NULL, &limit) == 0);
    limit.rlim_cur = files;
    TS_TRUE(prlimit(ts_process_pid(process), RLIMIT_NOFILE, &limit, NULL) == 0);
}

TEST(a_child_that_could_not_be_started_costs_no_attempt)
{
    struct fixture f;
    ts_process *worker;

    (void)state;
    fixture_open(&f);
    fixture_send_numbers(&f, 2);
    worker = fixture_work(&f, "1", "60", 0, PATIENT);
    await_pid(&f, "pid");
    set_file_limit(worker, 6);
    fixture_touch(&f, "go");
    ts_wait_output(worker, "could not start the program", WORK_WAIT_MS);
    ts_wait_until(f.sql, WORK_WAIT_MS, "SELECT count(*) = 1 FROM pgqrs_archive");
    set_file_limit(worker, 100);
    ts_wait_until(f.sql, WORK_WAIT_MS,
                  "SELECT count(*) = 2 FROM pgqrs_archive WHERE outcome = 'done' AND failed_ct + "
                  "crash_ct = 0");
    ts_kill(worker, SIGTERM);
    expect_end(worker, 0, 6000, "2 done, 0 failed, 0 dead, 0 lost");
    fixture_close(&f);
}

TEST(more_children_than_usual_run_at_once)
{
    struct fixture f;
    ts_process *worker;

    (void)state;
    fixture_open(&f);
    fixture_send_numbers(&f, 256);
    worker =
        fixture_work(&f, "256", "30", 1, "while [ ! -e \"$FOLDER/go\" ]; do sleep 0.5; done; cat");
    ts_wait_until(f.sql, WORK_WAIT_MS,
                  "SELECT count(*) = 256 FROM pgqrs_messages WHERE lease_token IS NOT NULL");
    fixture_touch(&f, "go");
    expect_end(worker, 0, WORK_WAIT_MS, "256 done");
    assert_int_equal(ts_int(f.sql, "SELECT count(*) FROM pgqrs_archive WHERE result = payload"),
                     256);
    fixture_close(&f);
}

/* A slow server or a lock must not end a lease. */
TEST(a_lease_lasts_half_a_minute_if_nothing_else_is_said)
{
    struct fixture f;
    const char *const argv[] = { ts_command(), "work", "jobs", "--", "sh", "-c", PATIENT, NULL };
    ts_process *worker;

    (void)state;
    fixture_open(&f);
    fixture_send_numbers(&f, 1);
    worker = ts_spawn(&(ts_invocation){
        .argv = argv, .env = (const char *const[]){ f.dsn_variable, f.folder_variable, NULL } });
    await_pid(&f, "pid");
    assert_int_equal(ts_int(f.sql, "SELECT count(*) FROM pgqrs_messages WHERE vt - dequeued_at = "
                                   "interval '30 s' OR vt > clock_timestamp() + interval '6 s'"),
                     1);
    fixture_touch(&f, "go");
    ts_kill(worker, SIGTERM);
    expect_end(worker, 0, WORK_WAIT_MS, NULL);
    fixture_close(&f);
}

/* The server refuses to archive the message, as if something were wrong with more than that. */
static void
refuse_one(const char *sqlstate)
{
    struct fixture f;
    ts_process *worker;
    ts_result result;

    fixture_open(&f);
    ts_sql(f.sql, "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                  "RAISE EXCEPTION 'refused on purpose' USING ERRCODE = TG_ARGV[0]; END $$");
    ts_sql(f.sql,
           "CREATE TRIGGER refuse BEFORE INSERT ON pgqrs_archive FOR EACH ROW EXECUTE FUNCTION "
           "refuse('%s')",
           sqlstate);
    fixture_send_numbers(&f, 1);
    worker = work_with_grace(&f, "60", "echo 1");
    ts_wait_output(worker, "trying again", WORK_WAIT_MS);
    pause_ms(1500); /* longer than the command waits before it decides */
    assert_true(ts_is_running(ts_process_pid(worker)));
    ts_kill(worker, SIGTERM);
    ts_wait_output(worker, "claiming no more", WORK_WAIT_MS);
    ts_kill(worker, SIGTERM);
    ts_wait(worker, WORK_WAIT_MS, &result);
    if (result.exit_code != 143)
        ts_fail("refused with %s it ended with %d: %s", sqlstate, result.exit_code, result.err);
    ts_result_release(&result);
    fixture_close(&f);
}

TEST(a_message_that_the_server_refuses_does_not_end_the_work)
{
    static const char *const sqlstates[] = { "22023", "54000", "42883", "3F000", "42501" };

    (void)state;
    for (size_t i = 0; i < sizeof(sqlstates) / sizeof(sqlstates[0]); i++)
        refuse_one(sqlstates[i]);
}

TEST_MAIN(NULL, NULL)
