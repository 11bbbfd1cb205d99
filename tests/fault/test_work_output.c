/*
 * `pgqrs work`: a child's output, exit code and behaviour, and what is stored of them.
 */
#include "work_fixture.h"

#include <sys/stat.h>

#define MEBIBYTE (1 << 20)

/* The result of the one archived message. */
static char *
result_of(struct fixture *f, const char *script)
{
    ts_sql(f->sql, "TRUNCATE pgqrs_archive");
    fixture_send(f, "{}", NULL);
    fixture_work_off(f, script);
    assert_int_equal(ts_int(f->sql, "SELECT count(*) FROM pgqrs_archive WHERE outcome = 'done'"),
                     1);
    return ts_text(f->sql, "SELECT result FROM pgqrs_archive");
}

static void
expect_result(struct fixture *f, const char *script, const char *wanted)
{
    char *result = result_of(f, script);

    if (wanted == NULL)
        assert_null(result);
    else if (result == NULL)
        ts_fail("%s left no result instead of %s", script, wanted);
    else
        assert_string_equal(result, wanted);
    free(result);
}

TEST(output_becomes_a_json_value_if_it_is_one_else_a_string)
{
    struct fixture f;

    (void)state;
    fixture_open(&f);
    expect_result(&f, "echo '{\"a\": [1, 2.50, null]}'", "{\"a\": [1, 2.50, null]}");
    expect_result(&f, "printf ' 12 '", "12");
    expect_result(&f, "echo '\"text\"'", "\"text\"");
    expect_result(&f, "echo done", "\"done\"");
    expect_result(&f, "echo '{\"a\": '", "\"{\\\"a\\\": \"");
    expect_result(&f, "printf '{} {}'", "\"{} {}\"");
    expect_result(&f, "echo 1; echo 2", "\"1\\n2\"");
    expect_result(&f, "echo '\"\\u0000\"'", "\"\\\"\\\\u0000\\\"\"");
    expect_result(&f, "true", NULL);
    expect_result(&f, "echo", NULL);
    expect_result(&f, "printf 'a\\377\\000\\001\\303\\251\\342\\202'",
                  "\"a\xef\xbf\xbd\xef\xbf\xbd\\u0001\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\"");
    fixture_close(&f);
}

TEST(a_batch_with_one_bad_result_archives_all)
{
    struct fixture f;

    (void)state;
    fixture_open(&f);
    fixture_send_numbers(&f, 40);
    fixture_work_off(&f, "read -r n; case $n in *7) echo '{bad}';; *) echo $n;; esac");
    assert_int_equal(ts_int(f.sql, "SELECT count(*) FROM pgqrs_archive WHERE result = '\"{bad}\"'"),
                     4);
    assert_int_equal(ts_int(f.sql, "SELECT count(*) FROM pgqrs_archive WHERE result = payload"),
                     36);
    fixture_close(&f);
}

TEST(output_beyond_a_mebibyte_is_cut)
{
    struct fixture f;
    char *result;

    (void)state;
    fixture_open(&f);
    result = result_of(&f, "head -c 20000000 /dev/zero | tr '\\0' x");
    assert_int_equal(strlen(result), MEBIBYTE);
    assert_int_equal(result[0], '"');
    free(result);
    /* Cut JSON is none. */
    result = result_of(&f, "echo '{\"a\": \"'; head -c 2000000 /dev/zero | tr '\\0' x; echo '\"}'");
    assert_int_equal(strncmp(result, "\"{\\\"a\\\": \\\"\\nxxx", 16), 0);
    free(result);
    result = result_of(&f, "head -c 2000000 /dev/zero");
    assert_true(strlen(result) <= MEBIBYTE && strlen(result) > MEBIBYTE - 8);
    free(result);
    fixture_close(&f);
}

static void
expect_error(struct fixture *f, const char *script, const char *wanted)
{
    char *error;

    ts_sql(f->sql, "TRUNCATE pgqrs_archive");
    fixture_send(f, "{}", NULL);
    fixture_work_off(f, script);
    assert_int_equal(
        ts_int(f->sql,
               "SELECT count(*) FROM pgqrs_archive WHERE outcome = 'dead' AND failed_ct = 2"),
        1);
    error = ts_text(f->sql, "SELECT error FROM pgqrs_archive");
    assert_string_equal(error, wanted);
    free(error);
}

TEST(a_failure_keeps_the_status_and_the_end_of_standard_error)
{
    struct fixture f;
    char *error;

    (void)state;
    fixture_open_on(&f, ts_database(), 2);
    expect_error(&f, "exit 3", "exit status 3");
    expect_error(&f, "echo no such thing >&2; echo not this; exit 1",
                 "exit status 1: no such thing");
    expect_error(&f, "kill -9 $$", "killed by signal 9 (Killed)");
    expect_error(&f, "printf 'a\\377b\\000c' >&2; exit 255",
                 "exit status 255: a\xef\xbf\xbd"
                 "b\xef\xbf\xbd"
                 "c");
    expect_error(&f, "nosuchprogram 2>/dev/null", "exit status 127");

    ts_sql(f.sql, "TRUNCATE pgqrs_archive");
    fixture_send(&f, "{}", NULL);
    fixture_work_off(&f, "head -c 5000000 /dev/zero | tr '\\0' x >&2; echo the end >&2; exit 1");
    error = ts_text(f.sql, "SELECT error FROM pgqrs_archive");
    assert_true(strlen(error) > 8000 && strlen(error) < 8300);
    assert_string_equal(error + strlen(error) - 7, "the end");
    free(error);
    fixture_close(&f);
}

TEST(a_failure_is_tried_again_until_it_succeeds)
{
    struct fixture f;

    (void)state;
    fixture_open(&f);
    fixture_send(&f, "{}", NULL);
    fixture_work_off(&f, "[ $PGQRS_ATTEMPT -ge 3 ] || exit 1; echo $PGQRS_ATTEMPT");
    assert_int_equal(ts_int(f.sql, "SELECT count(*) FROM pgqrs_archive WHERE outcome = 'done' AND "
                                   "result = '3' AND failed_ct = 2"),
                     1);
    fixture_close(&f);
}

TEST(the_environment_says_which_message_it_is_and_holds_no_secret)
{
    struct fixture f;
    pgqrs_enqueue_options options = PGQRS_ENQUEUE_OPTIONS_INIT;
    char *result, *wanted;

    (void)state;
    fixture_open(&f);
    options.type = pgqrs_slice_of("a 'type'; $(x)");
    fixture_send(&f, "{}", &options);
    setenv("PGPASSWORD", "canary", 1);
    fixture_work_off(&f, "env | grep -E '^(PGQRS_|PGPASSWORD)|canary' | grep -v TEST | sort");
    unsetenv("PGPASSWORD");
    result = ts_text(f.sql, "SELECT result #>> '{}' FROM pgqrs_archive");
    wanted =
        ts_text(f.sql, "SELECT format(E'PGQRS_ATTEMPT=1\\nPGQRS_HEADERS=\\nPGQRS_LEASE_TOKEN=%%s\\n"
                       "PGQRS_MESSAGE_ID=%%s\\nPGQRS_QUEUE=jobs\\nPGQRS_TYPE=a ''type''; $(x)', "
                       "lease_token, id) FROM pgqrs_archive");
    assert_string_equal(result, wanted);
    free(result);
    free(wanted);
    fixture_close(&f);
}

/* A payload larger than any pipe, for children that do not read it, or not all of it. */
TEST(a_child_need_not_read_its_input)
{
    struct fixture f;
    char *payload = malloc(MEBIBYTE);

    (void)state;
    fixture_open(&f);
    memset(payload, 'x', MEBIBYTE);
    payload[0] = '"';
    memcpy(payload + 900000, "\"", 2);
    for (int i = 0; i < 4; i++)
        fixture_send(&f, payload, NULL);
    fixture_work_off(
        &f,
        "case $PGQRS_MESSAGE_ID in *[02468]) sleep 0.3;; *) exec <&-; sleep 0.3;; esac; echo 1");
    assert_int_equal(
        ts_int(f.sql, "SELECT count(*) FROM pgqrs_archive WHERE result = '1' AND read_ct = 1"), 4);
    fixture_send(&f, payload, NULL);
    fixture_work_off(&f, "wc -c");
    assert_int_equal(ts_int(f.sql, "SELECT count(*) FROM pgqrs_archive WHERE result = '900001'"),
                     1);
    free(payload);
    fixture_close(&f);
}

TEST(a_grandchild_that_holds_the_pipes_delays_nobody)
{
    struct fixture f;
    long long before;
    pid_t grandchild;

    (void)state;
    fixture_open(&f);
    fixture_send(&f, "{}", NULL);
    before = now_ms();
    fixture_work_off(&f, "sleep 300 & echo $! > \"$FOLDER/pid\"; echo 1");
    assert_true(now_ms() - before < 5000);
    assert_int_equal(ts_int(f.sql, "SELECT count(*) FROM pgqrs_archive WHERE result = '1'"), 1);
    grandchild = await_pid(&f, "pid");
    kill(grandchild, SIGKILL);
    fixture_close(&f);
}

static void
run_work(struct fixture *f, const char *queue, const char *program, ts_result *result)
{
    const char *const argv[] = {
        ts_command(), "work", queue, "--until-empty", "--", program, NULL
    };
    const char *const env[] = { f->dsn_variable, NULL };

    ts_run(&(ts_invocation){ .argv = argv, .env = env }, result);
}

TEST(what_cannot_work_is_refused_before_anything_is_claimed)
{
    struct fixture f;
    ts_result result;

    (void)state;
    fixture_open(&f);
    fixture_send(&f, "{}", NULL);
    run_work(&f, "jobs", "no-such-program", &result);
    assert_int_equal(result.exit_code, 69);
    assert_non_null(strstr(result.err, "could not find the program \"no-such-program\""));
    ts_result_release(&result);
    run_work(&f, "jobs", "/etc/passwd", &result);
    assert_int_equal(result.exit_code, 69);
    ts_result_release(&result);
    run_work(&f, "no such queue", "cat", &result);
    assert_int_equal(result.exit_code, 1);
    assert_non_null(strstr(result.err, "no such queue"));
    ts_result_release(&result);
    assert_int_equal(ts_int(f.sql, "SELECT read_ct FROM pgqrs_messages"), 0);
    fixture_close(&f);
}

TEST(a_program_that_disappears_costs_no_attempt)
{
    struct fixture f;
    ts_result result;
    char *program = ts_file("program", "#!/nonexistent/interpreter\n");

    (void)state;
    fixture_open(&f);
    fixture_send(&f, "{}", NULL);
    assert_int_equal(chmod(program, 0755), 0);
    run_work(&f, "jobs", program, &result);
    assert_int_equal(result.exit_code, 69);
    assert_non_null(strstr(result.err, "could not execute"));
    assert_int_equal(ts_int(f.sql, "SELECT count(*) FROM pgqrs_messages WHERE failed_ct = 0 AND "
                                   "crash_ct = 0 AND lease_token IS NULL"),
                     1);
    ts_result_release(&result);
    free(program);
    fixture_close(&f);
}

#ifndef __SANITIZE_ADDRESS__
/* The most memory that process `pid` had at a time. */
static long
peak_kib(pid_t pid)
{
    char *path = ts_format("/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "r");
    char line[256];
    long kib = 0;

    TS_TRUE(file != NULL);
    while (fgets(line, sizeof(line), file) != NULL)
        if (sscanf(line, "VmHWM: %ld kB", &kib) == 1)
            break;
    fclose(file);
    free(path);
    return kib;
}

TEST(memory_does_not_grow_with_the_backlog)
{
    struct fixture f;
    ts_process *worker;

    (void)state;
    fixture_open(&f);
    for (int i = 0; i < 20; i++)
        fixture_send_numbers(&f, 10000);
    worker = fixture_work(&f, "16", "5", 0, "cat");
    ts_wait_until(f.sql, 60000, "SELECT count(*) > 500 FROM pgqrs_archive");
    assert_true(peak_kib(ts_process_pid(worker)) < 32 * 1024);
    ts_kill(worker, SIGTERM);
    ts_wait(worker, WORK_WAIT_MS, NULL);
    fixture_close(&f);
}
#endif

TEST_MAIN(NULL, NULL)
