/*
 * Running programs: what comes back, what the program inherits, and hosts with habits of their own.
 */

#include "found.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "local/process.h"

static char *const environment[] = { (char[]){ "PATH=/usr/bin:/bin" }, (char[]){ "COLOUR=green" },
                                     NULL };

/* Runs a shell script and returns what it printed, as text that the caller frees. */
static char *
run_script(const char *script, pgqrs_slice input, pgqrs_status expected, int *out_exit_code,
           pgqrs_error *err)
{
    const char *argv[] = { "/bin/sh", "-c", script, NULL };
    pgqrsi_process process = PGQRSI_PROCESS_INIT;
    pgqrsi_process_result result;
    char *text;

    process.argv = argv;
    process.environment = environment;
    process.input = input;
    process.deadline_ms = pgqrsi_clock_ms() + 20000;
    assert_int_equal(pgqrsi_process_run(&process, &result, err), expected);
    text = strndup(result.output.data != NULL ? result.output.data : "", result.output.size);
    assert_non_null(text);
    if (out_exit_code != NULL)
        *out_exit_code = result.exit_code;
    pgqrsi_process_result_release(&result);
    return text;
}

static void
expect_output(const char *script, const char *input, const char *expected)
{
    int exit_code;
    char *text = run_script(script, pgqrs_slice_of(input), PGQRS_OK, &exit_code, NULL);

    assert_string_equal(text, expected);
    assert_int_equal(exit_code, 0);
    free(text);
}

TEST(returns_exit_code_and_output)
{
    int exit_code;
    char *text;

    (void)state;
    text = run_script("echo out; echo err >&2; exit 7", (pgqrs_slice){ NULL, 0 }, PGQRS_OK,
                      &exit_code, NULL);
    assert_string_equal(text, "out\nerr\n");
    assert_int_equal(exit_code, 7);
    free(text);
    text = run_script("kill -TERM $$", (pgqrs_slice){ NULL, 0 }, PGQRS_OK, &exit_code, NULL);
    assert_int_equal(exit_code, -1);
    free(text);
}

TEST(gives_input_environment_and_folder)
{
    (void)state;
    expect_output("cat", "one\ntwo\n", "one\ntwo\n");
    expect_output("cat", NULL, "");
    expect_output("echo $COLOUR; pwd; umask", NULL, "green\n/\n0077\n");
}

TEST(keeps_the_end_of_long_output)
{
    char *text;

    (void)state;
    text = run_script("i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i+1)); done; echo last",
                      pgqrs_slice_of(NULL), PGQRS_OK, NULL, NULL);
    assert_int_equal(strlen(text), 8192);
    assert_string_equal(text + 8192 - 5, "last\n");
    free(text);
}

TEST(reports_a_missing_program)
{
    const char *argv[] = { "/nonexistent/program", NULL };
    pgqrsi_process process = PGQRSI_PROCESS_INIT;
    pgqrsi_process_result result;
    pgqrs_error *err = pgqrs_error_new();

    (void)state;
    process.argv = argv;
    process.deadline_ms = pgqrsi_clock_ms() + 20000;
    assert_int_equal(pgqrsi_process_run(&process, &result, err), PGQRS_ESYSTEM);
    assert_string_equal(pgqrs_error_message(err),
                        "could not run \"/nonexistent/program\": No such file or directory");
    pgqrsi_process_result_release(&result);
    argv[0] = "/bin/true";
    process.folder = "/nonexistent";
    assert_int_equal(pgqrsi_process_run(&process, &result, err), PGQRS_ESYSTEM);
    assert_non_null(strstr(pgqrs_error_message(err), "in \"/nonexistent\": No such file"));
    pgqrsi_process_result_release(&result);
    pgqrs_error_free(err);
}

TEST(kills_at_the_deadline)
{
    const char *argv[] = { "/bin/sh", "-c", "trap '' TERM; sleep 1000 & echo $!; wait; sleep 1000",
                           NULL };
    pgqrsi_process process = PGQRSI_PROCESS_INIT;
    pgqrsi_process_result result;
    pgqrs_error *err = pgqrs_error_new();
    pid_t grandchild;

    (void)state;
    process.argv = argv;
    process.environment = environment;
    process.deadline_ms = pgqrsi_clock_ms() + 1000;
    assert_int_equal(pgqrsi_process_run(&process, &result, err), PGQRS_ESYSTEM);
    assert_non_null(
        strstr(pgqrs_error_message(err), "killed \"/bin/sh\": it did not end within 1 seconds"));
    assert_true(result.output.size > 0);
    pgqrsi_buffer_append(&result.output, "", 1);
    grandchild = (pid_t)atol(result.output.data);
    assert_true(grandchild > 1);
    /* Its children died with it; a zombie may wait for init, but nothing sleeps on. */
    for (int attempt = 0; attempt < 500; attempt++) {
        char path[64], text[256] = "";
        FILE *file;

        snprintf(path, sizeof(path), "/proc/%ld/cmdline", (long)grandchild);
        file = fopen(path, "r");
        if (file == NULL || fgets(text, sizeof(text), file) == NULL) {
            if (file != NULL)
                fclose(file);
            break;
        }
        fclose(file);
        assert_true(attempt < 499);
        nanosleep(&(struct timespec){ 0, 10000000 }, NULL);
    }
    pgqrsi_process_result_release(&result);
    pgqrs_error_free(err);
}

TEST(does_not_wait_for_who_holds_the_output)
{
    int64_t begun_ms = pgqrsi_clock_ms();

    (void)state;
    expect_output("setsid sleep 15 & echo started", NULL, "started\n");
    assert_true(pgqrsi_clock_ms() - begun_ms < 10000);
}

TEST(hands_down_no_descriptor_and_no_signal_state)
{
    struct sigaction before, after;
    sigset_t blocked, mask_before, mask_after;
    int pipe_ends[2];

    (void)state;
    assert_int_equal(pipe(pipe_ends), 0); /* without close-on-exec, like a careless host's */
    assert_true(dup2(pipe_ends[1], 200) == 200);
    signal(SIGUSR1, SIG_IGN);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigprocmask(SIG_BLOCK, &blocked, &mask_before);
    sigaction(SIGCHLD, NULL, &before);
    /* The shell itself holds the folder open while it reads it, so look again afterwards. */
    expect_output(
        "for f in /proc/$$/fd/*; do case $f in */[012]) ;; *) test -e $f && echo $f;; esac; "
        "done;grep -E '^Sig(Blk|Ign)' /proc/$$/status | grep -v 0000000000000000; exit 0",
        NULL, "");
    sigaction(SIGCHLD, NULL, &after);
    sigprocmask(SIG_SETMASK, &mask_before, &mask_after);
    assert_true(sigismember(&mask_after, SIGTERM) == 1 && sigismember(&mask_after, SIGINT) == 0);
    assert_true(before.sa_handler == after.sa_handler);
    signal(SIGUSR1, SIG_DFL);
    close(200);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

static void
reap_all(int number)
{
    int error = errno;

    (void)number;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    errno = error;
}

TEST(works_in_hosts_that_take_the_childs_status_away)
{
    struct sigaction reaping = { .sa_handler = reap_all };
    int exit_code;

    (void)state;
    signal(SIGCHLD, SIG_IGN);
    free(run_script("exit 3", pgqrs_slice_of(NULL), PGQRS_OK, &exit_code, NULL));
    assert_int_equal(exit_code, 3);
    sigaction(SIGCHLD, &reaping, NULL);
    free(run_script("sleep 0.1; exit 4", pgqrs_slice_of(NULL), PGQRS_OK, &exit_code, NULL));
    assert_int_equal(exit_code, 4);
    signal(SIGCHLD, SIG_DFL);
}

TEST(works_in_hosts_with_closed_standard_descriptors)
{
    pid_t pid = fork();
    int wait_status;

    (void)state;
    if (pid == 0) {
        const char *argv[] = { "/bin/sh", "-c", "read line; echo got $line", NULL };
        pgqrsi_process process = PGQRSI_PROCESS_INIT;
        pgqrsi_process_result result;

        close(0);
        close(1);
        close(2);
        process.argv = argv;
        process.environment = environment;
        process.input = pgqrs_slice_of("text\n");
        process.deadline_ms = pgqrsi_clock_ms() + 20000;
        if (pgqrsi_process_run(&process, &result, NULL) != PGQRS_OK)
            _exit(1);
        _exit(result.output.size == 9 && memcmp(result.output.data, "got text\n", 9) == 0 ? 0 : 2);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &wait_status, 0), pid);
    assert_int_equal(wait_status, 0);
}

static void
expect_reason(const char *output, const char *expected)
{
    pgqrs_slice reason = pgqrsi_process_reason(pgqrs_slice_of(output));

    assert_int_equal(reason.size, strlen(expected));
    assert_memory_equal(reason.data, expected, reason.size);
}

TEST(finds_the_reason_in_output)
{
    (void)state;
    expect_reason("", "no output");
    expect_reason(" \n\n", "no output");
    expect_reason("one\n", "one");
    expect_reason("one\ntwo\nthree\nfour\n", "two\nthree\nfour");
    expect_reason("fine\nx: error: disk full\ncleaning up\nmore\nlast\n",
                  "x: error: disk full\ncleaning up\nmore\nlast");
    expect_reason("FATAL:  first\nerror: second\n", "FATAL:  first\nerror: second");
}

TEST_MAIN(NULL, NULL)
