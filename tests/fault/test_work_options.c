/* `pgqrs work` with several queues, a time for programs, --delete and --pass-dsn, when something is
 * in the way. */
#include "work_fixture.h"

/* `pgqrs work` with `options`, ended by NULL, until its queues are empty. */
static void
work_off(struct fixture *f, const char *const *options, const char *script, ts_result *result)
{
    const char *argv[24] = { ts_command(), "--log-level", "info", "work", "jobs", "--until-empty" };
    const char *const env[] = { f->dsn_variable, f->folder_variable, NULL };
    size_t count = 6;

    while (*options != NULL)
        argv[count++] = *options++;
    argv[count++] = "--";
    argv[count++] = "sh";
    argv[count++] = "-c";
    argv[count++] = script;
    ts_wait(ts_spawn(&(ts_invocation){ .argv = argv, .env = env }), 60000, result);
}

TEST(a_queue_that_goes_does_not_keep_the_work_from_the_others)
{
    char *script;
    const char *options[] = { "gone", "--pass-dsn", "--log-dest", NULL, NULL };
    struct fixture f;
    ts_result result;
    char *log;

    (void)state;
    fixture_open(&f);
    log = ts_format("%s/log", f.folder);
    options[3] = log;
    TS_OK(pgqrs_queue_create(f.client, pgqrs_slice_of("gone"), NULL, NULL, f.err), f.err);
    fixture_send(&f, "1", NULL);
    /* The other message comes when the worker has found out. */
    script =
        ts_format("read -r n; [ $n = 1 ] || exit 0; %s queue delete --yes gone && until grep -q 'a "
                  "queue was deleted' $FOLDER/log; do sleep 0.05; done; %s message send jobs 2",
                  ts_command(), ts_command());
    work_off(&f, options, script, &result);
    if (result.exit_code != 0)
        ts_fail("pgqrs work ended with %d: %s", result.exit_code, result.err);
    assert_int_equal(ts_int(f.sql, "SELECT count(*) FROM pgqrs_archive WHERE outcome = 'done'"), 2);
    ts_result_release(&result);
    free(script);
    free(log);
    fixture_close(&f);
}

TEST(a_program_that_takes_too_long_is_stopped_and_its_attempt_has_failed)
{
    const char *const options[] = { "--timeout", "0.3", NULL };
    struct fixture f;
    ts_result result;

    (void)state;
    fixture_open_on(&f, ts_database(), 2);
    fixture_send(&f, "1", NULL);
    work_off(&f, options, "echo $$ > $FOLDER/pid; trap '' TERM; while :; do sleep 0.1; done",
             &result);
    assert_int_equal(result.exit_code, 1);
    await_end(await_pid(&f, "pid"), WORK_WAIT_MS);
    assert_int_equal(ts_int(f.sql, "SELECT count(*) FROM pgqrs_archive WHERE outcome = 'dead' AND "
                                   "failed_ct = 2 AND crash_ct = 0 AND error LIKE '%%timeout%%'"),
                     1);
    ts_result_release(&result);
    fixture_close(&f);
}

/* A variable of the environment holds 128 KiB; exec fails if one is longer, and that would end the
 * work. */
TEST(headers_that_no_variable_can_hold_do_not_end_the_work)
{
    const char *const options[] = { "--concurrency", "1", NULL };
    pgqrs_enqueue_options send = PGQRS_ENQUEUE_OPTIONS_INIT;
    char *headers = ts_format("{\"long\": \"%0*d\"}", 200000, 0);
    struct fixture f;
    ts_result result;

    (void)state;
    fixture_open(&f);
    send.headers = pgqrs_slice_of(headers);
    fixture_send(&f, "1", &send);
    send.headers = pgqrs_slice_of("{\"a\": \"b c\"}");
    fixture_send(&f, "2", &send);
    work_off(&f, options, "printf %s \"${PGQRS_HEADERS-unset}\"", &result);
    if (result.exit_code != 0 || strstr(result.err, "without PGQRS_HEADERS: 200012 bytes") == NULL)
        ts_fail("pgqrs work ended with %d: %s", result.exit_code, result.err);
    assert_int_equal(ts_int(f.sql,
                            "SELECT count(*) FROM pgqrs_archive WHERE payload = '1' AND result = "
                            "'\"unset\"' OR payload = '2' AND result = '{\"a\": \"b c\"}'"),
                     2);
    ts_result_release(&result);
    free(headers);
    fixture_close(&f);
}

TEST(what_is_done_is_deleted_if_that_is_wanted)
{
    const char *const options[] = { "--delete", NULL };
    struct fixture f;
    ts_result result;

    (void)state;
    fixture_open(&f);
    fixture_send_numbers(&f, 5);
    work_off(&f, options, "cat", &result);
    assert_int_equal(result.exit_code, 0);
    assert_non_null(strstr(result.err, "5 done, 0 failed"));
    assert_int_equal(
        ts_int(
            f.sql,
            "SELECT (SELECT count(*) FROM pgqrs_archive) + (SELECT count(*) FROM pgqrs_messages)"),
        0);
    ts_result_release(&result);
    fixture_close(&f);
}

TEST_MAIN(NULL, NULL)
