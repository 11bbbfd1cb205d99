/*
 * Worker processes are told to end, or are frozen for longer than their leases last.
 */
#include "running.h"

#include <signal.h>

#include "worker_program.h"

#define IN_FLIGHT 50
#define MORE 100

static int
term_open(void **state)
{
    int result = story_open(state);
    struct story *s = *state;

    ts_sql(s->sql, "DROP TABLE IF EXISTS ledger");
    ts_ledger_create(s->sql);
    return result;
}

#define TERM_TEST(name) TEST_WITH(name, term_open, running_close)

static void
send_jobs(struct story *s, int count, int low_ms, int high_ms)
{
    for (int i = 0; i < count; i++) {
        char payload[12];

        snprintf(payload, sizeof(payload), "%d", low_ms + i * (high_ms - low_ms) / count);
        story_send(s, payload);
    }
}

/* Waits for a process that was told to end, and asserts that it does so in order. */
static void
await_end(ts_process *process)
{
    ts_result result;

    ts_wait(process, RUNNING_WAIT_MS, &result);
    if (result.exit_code != 0 || strstr(result.out, "over\n") == NULL)
        ts_fail("the worker ended with %d (signal %d):\n%s\n%s", result.exit_code, result.signal,
                result.out, result.err);
    ts_result_release(&result);
}

static void
terminate(ts_process *process)
{
    ts_kill(process, SIGTERM);
    await_end(process);
}

/* Messages that were not done are due again at once, and were charged nothing. */
static void
expect_rest_free(struct story *s)
{
    assert_int_equal(ts_int(s->sql,
                            "SELECT count(*) FROM pgqrs_messages WHERE lease_token IS NOT NULL OR "
                            "failed_ct > 0 OR crash_ct > 0 OR vt > clock_timestamp()"),
                     0);
}

TERM_TEST(what_is_in_flight_at_the_end_is_done_once_and_the_rest_given_back)
{
    struct story *s = *state;
    ts_worker_setup setup = { .dsn = s->dsn, .concurrency = IN_FLIGHT, .lease_ms = 1000 };
    ts_process *process;
    long long left;

    /* Given fifty running jobs and more messages waiting, when the process is told to end, */
    send_jobs(s, IN_FLIGHT, 100, 1000);
    send_jobs(s, MORE, 100, 1000);
    process = ts_worker_spawn(&setup);
    ts_wait_until(s->sql, RUNNING_WAIT_MS, "SELECT count(*) >= %d FROM ledger WHERE what = 'began'",
                  IN_FLIGHT);
    terminate(process);
    /* then it has finished every job that it had started, */
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM ledger WHERE what = 'began'"),
                     ts_int(s->sql, "SELECT count(*) FROM ledger WHERE what = 'ended'"));
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive WHERE outcome = 'done'"),
                     ts_int(s->sql, "SELECT count(*) FROM ledger WHERE what = 'ended'"));
    expect_rest_free(s);
    left = story_stored(s);
    print_message("%lld were left\n", left);
    assert_true(left > 0);
    /* and its successor does only what is left. */
    process = ts_worker_spawn(&setup);
    running_await(s, IN_FLIGHT + MORE);
    terminate(process);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM ledger WHERE what = 'ended'"),
                     IN_FLIGHT + MORE);
    assert_int_equal(ts_int(s->sql, "SELECT count(DISTINCT id) FROM ledger WHERE what = 'ended'"),
                     IN_FLIGHT + MORE);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive WHERE outcome = 'done' AND "
                                    "failed_ct = 0 AND crash_ct = 0"),
                     IN_FLIGHT + MORE);
}

TERM_TEST(what_the_grace_does_not_suffice_for_is_given_back_uncharged)
{
    struct story *s = *state;
    ts_process *process;
    int64_t began_ms;

    send_jobs(s, IN_FLIGHT, 100, 10000);
    process = ts_worker_spawn(&(ts_worker_setup){
        .dsn = s->dsn, .concurrency = IN_FLIGHT, .lease_ms = 1000, .grace_ms = 1000 });
    ts_wait_until(s->sql, RUNNING_WAIT_MS, "SELECT count(*) = %d FROM ledger WHERE what = 'began'",
                  IN_FLIGHT);
    began_ms = story_now_ms();
    terminate(process);
    assert_true(story_now_ms() - began_ms < 1000 + 2000);
    expect_rest_free(s);
    assert_in_range(story_stored(s), IN_FLIGHT / 2, IN_FLIGHT - 1);
    assert_int_equal(story_stored(s) + ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive"),
                     IN_FLIGHT);
}

TERM_TEST(leases_are_kept_while_a_process_ends)
{
    struct story *s = *state;
    atomic_int stolen = 0;
    ts_process *process;
    pgqrs_worker *rival;

    /* Given jobs of twice their lease, and a rival who would take what runs out, */
    send_jobs(s, 8, 2200, 3000);
    process =
        ts_worker_spawn(&(ts_worker_setup){ .dsn = s->dsn, .concurrency = 8, .lease_ms = 1000 });
    ts_wait_until(s->sql, RUNNING_WAIT_MS, "SELECT count(*) = 8 FROM ledger WHERE what = 'began'");
    rival = running_start(s, NULL, NULL, running_count, &stolen);
    terminate(process);
    running_end(s, rival);
    assert_int_equal(stolen, 0);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive WHERE outcome = 'done' AND "
                                    "read_ct = 1 AND crash_ct = 0"),
                     8);
}

TERM_TEST(a_process_that_was_frozen_past_its_lease_changes_nothing)
{
    struct story *s = *state;
    ts_process *process;
    pgqrs_worker *successor;
    char *lost;

    story_send(s, "1500");
    process = ts_worker_spawn(&(ts_worker_setup){ .dsn = s->dsn, .lease_ms = 1000 });
    ts_wait_until(s->sql, RUNNING_WAIT_MS, "SELECT count(*) = 1 FROM ledger WHERE what = 'began'");
    lost = ts_text(s->sql, "SELECT token FROM ledger");
    /* When it is frozen and another worker has done its job, */
    ts_kill(process, SIGSTOP);
    successor = running_start(s, NULL, NULL, running_done, NULL);
    running_await(s, 1);
    running_end(s, successor);
    /* then its handler knows as soon as it looks. */
    ts_kill(process, SIGCONT);
    ts_wait_output(process, "woke and was told lease lost", RUNNING_WAIT_MS);
    ts_wait_until(s->sql, RUNNING_WAIT_MS,
                  "SELECT count(*) = 1 FROM ledger WHERE what = 'told lease lost'");
    /* The process works on, */
    story_send(s, "5");
    running_await(s, 2);
    terminate(process);
    /* and what it returned has changed nothing. */
    assert_int_equal(ts_int(s->sql,
                            "SELECT count(*) FROM pgqrs_archive WHERE payload = '1500' AND outcome "
                            "= 'done' AND read_ct = 2 AND crash_ct = 1 AND lease_token <> %s",
                            lost),
                     1);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM ledger WHERE what = 'ended'"), 1);
    free(lost);
}

int
main(int argc, char **argv)
{
    ts_worker_program(argc, argv);
    return found_run(argc, argv, NULL, NULL);
}
