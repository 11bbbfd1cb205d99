/*
 * Handlers that end the process, hang, fork, or take all memory. Each harms only its own message.
 */
#include "running.h"

#include <signal.h>

#include "worker_program.h"

#define OTHERS 30
#define LEASE_MS 1000

/* One queue with one kind of poison, and a process that is started again whenever it dies. */
struct ward {
    const char *poison;
    int memory_mb, concurrency, prefetch_max;
    ts_process *process;
    int deaths;
};

static void
send_one(struct story *s, const char *queue, const char *payload)
{
    pgqrs_producer *producer;

    TS_OK(pgqrs_producer_open(s->client, text(queue), NULL, &producer, s->err), s->err);
    TS_OK(pgqrs_producer_enqueue(producer, text(payload), NULL, NULL, s->err), s->err);
    pgqrs_producer_close(producer);
}

/* Starts the process of a ward, again if it has died. */
static void
tend(struct story *s, struct ward *ward)
{
    if (ward->process != NULL && ts_is_running(ts_process_pid(ward->process)))
        return;
    if (ward->process != NULL) {
        ts_wait(ward->process, 1000, NULL);
        ward->deaths++;
    }
    ward->process = ts_worker_spawn(&(ts_worker_setup){ .dsn = s->dsn,
                                                        .queue = ward->poison,
                                                        .lease_ms = LEASE_MS,
                                                        .memory_mb = ward->memory_mb,
                                                        .concurrency = ward->concurrency,
                                                        .prefetch_max = ward->prefetch_max });
}

static void
dismiss(ts_process *process)
{
    ts_result result;

    ts_kill(process, SIGTERM);
    ts_wait(process, RUNNING_WAIT_MS, &result);
    if (result.exit_code != 0)
        ts_fail("the worker ended with %d (signal %d):\n%s\n%s", result.exit_code, result.signal,
                result.out, result.err);
    ts_result_release(&result);
}

static long long
archived(struct story *s, const char *queue)
{
    return ts_int(s->sql,
                  "SELECT count(*) FROM pgqrs_archive JOIN pgqrs_queues AS q ON q.id = queue_id "
                  "WHERE queue_name = '%s'",
                  queue);
}

static void
expect_one_death(struct story *s, const struct ward *ward)
{
    /* The poison is dead after exactly three deliveries, */
    assert_int_equal(ts_int(s->sql,
                            "SELECT count(*) FROM ledger AS l JOIN pgqrs_archive AS a USING (id) "
                            "WHERE a.payload = '\"%s\"' AND what = 'began'",
                            ward->poison),
                     3);
    assert_int_equal(ts_int(s->sql,
                            "SELECT count(*) FROM pgqrs_archive WHERE payload = '\"%s\"' AND "
                            "outcome = 'dead' AND crash_ct = 3 AND failed_ct = 0",
                            ward->poison),
                     1);
    assert_int_equal(ward->deaths, 3);
}

static long long
innocent_deaths(struct story *s)
{
    return ts_int(s->sql,
                  "SELECT count(*) FROM pgqrs_archive WHERE outcome = 'dead' AND payload = '2'");
}

/* Runs each kind of poison among good messages, in a queue of its own. */
static void
poison_all(struct story *s, int concurrency, int prefetch_max)
{
    struct ward wards[] = {
        { .poison = "segv" },
        { .poison = "abort" },
        { .poison = "exit" },
#if !defined(__SANITIZE_ADDRESS__) /* which needs more memory than any limit leaves it */
        { .poison = "eat", .memory_mb = 128 },
#endif
    };
    const int count = (int)(sizeof(wards) / sizeof(wards[0]));
    int64_t until = story_now_ms() + 60000;

    for (int i = 0; i < count; i++) {
        char *poison = ts_format("\"%s\"", wards[i].poison);

        wards[i].concurrency = concurrency;
        wards[i].prefetch_max = prefetch_max;
        TS_OK(pgqrs_queue_create(s->client, text(wards[i].poison), NULL, NULL, s->err), s->err);
        for (int j = 0; j <= OTHERS; j++)
            send_one(s, wards[i].poison, j == OTHERS / 2 ? poison : "2");
        free(poison);
    }
    for (int over = 0; over < count;) {
        over = 0;
        for (int i = 0; i < count; i++) {
            tend(s, &wards[i]);
            over += archived(s, wards[i].poison) == OTHERS + 1;
        }
        if (story_now_ms() > until)
            ts_fail("after a minute %lld messages are not at their end, of them\n%s",
                    story_stored(s),
                    ts_text(s->sql, "SELECT string_agg(m::text, E'\\n') FROM pgqrs_messages AS m"));
        usleep(20000);
    }
    for (int i = 0; i < count; i++) {
        dismiss(wards[i].process);
        expect_one_death(s, &wards[i]);
    }
}

static int
ward_open(void **state)
{
    int result = story_open(state);
    struct story *s = *state;

    ts_sql(s->sql, "DROP TABLE IF EXISTS ledger");
    ts_ledger_create(s->sql);
    return result;
}

#define WARD_TEST(name) TEST_WITH(name, ward_open, running_close)

WARD_TEST(a_handler_that_ends_the_process_harms_only_its_own_message)
{
    struct story *s = *state;

    poison_all(s, 1, -1);
    assert_int_equal(innocent_deaths(s), 0);
    assert_int_equal(
        ts_int(s->sql, "SELECT sum(crash_ct) FROM pgqrs_archive WHERE outcome = 'done'"), 0);
}

WARD_TEST(what_was_in_flight_beside_it_does_not_die_with_it)
{
    struct story *s = *state;

    /* Messages that ran at the same time are charged the crash as well, since the worker cannot
     * tell which one caused it. But with one crash left a message runs alone. */
    poison_all(s, 4, 0);
    assert_int_equal(innocent_deaths(s), 0);
    assert_in_range(
        ts_int(s->sql, "SELECT max(crash_ct) FROM pgqrs_archive WHERE outcome = 'done'"), 1, 2);
}

WARD_TEST(a_handler_that_hangs_costs_its_thread_and_nothing_else)
{
    struct story *s = *state;
    ts_process *process;
    int64_t began_ms;

    story_send(s, "\"hang\"");
    for (int i = 0; i < OTHERS; i++)
        story_send(s, "5");
    process = ts_worker_spawn(
        &(ts_worker_setup){ .dsn = s->dsn, .timeout_ms = 500, .max_attempts = 2, .grace_ms = 300 });
    running_await(s, OTHERS + 1);
    assert_int_equal(ts_int(s->sql, "SELECT failed_ct FROM pgqrs_archive WHERE outcome = 'dead' "
                                    "AND payload = '\"hang\"' AND crash_ct = 0"),
                     2);
    /* Two of the four threads are left. */
    story_send(s, "5");
    running_await(s, OTHERS + 2);
    began_ms = story_now_ms();
    dismiss(process);
    assert_true(story_now_ms() - began_ms < 300 + 2000);
}

WARD_TEST(a_handler_may_fork_and_its_child_never_becomes_a_second_worker)
{
    struct story *s = *state;
    ts_process *process;

    story_send(s, "\"fork return\"");
    story_send(s, "\"fork exit\"");
    story_send(s, "\"fork exec\"");
    story_send(s, "\"fork return\"");
    for (int i = 0; i < OTHERS; i++)
        story_send(s, "5");
    process = ts_worker_spawn(&(ts_worker_setup){ .dsn = s->dsn });
    running_await(s, OTHERS + 4);
    /* The worker still does other messages afterwards. */
    for (int i = 0; i < OTHERS; i++)
        story_send(s, "5");
    running_await(s, OTHERS * 2 + 4);
    dismiss(process);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive WHERE outcome = 'done' AND "
                                    "read_ct = 1"),
                     OTHERS * 2 + 4);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM ledger WHERE what = 'child exited'"), 4);
    assert_int_equal(ts_int(s->sql, "SELECT count(DISTINCT pid) FROM ledger"), 1);
}

#if !defined(__SANITIZE_ADDRESS__)
WARD_TEST(a_handler_that_takes_all_memory_for_a_while_ends_nothing)
{
    struct story *s = *state;
    ts_process *process;

    story_send(s, "\"hoard\"");
    for (int i = 0; i < OTHERS; i++)
        story_send(s, "50");
    process = ts_worker_spawn(
        &(ts_worker_setup){ .dsn = s->dsn, .lease_ms = 5000, .concurrency = 2, .memory_mb = 64 });
    running_await(s, OTHERS + 1);
    dismiss(process);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive WHERE outcome = 'done'"),
                     OTHERS + 1);
}
#endif

int
main(int argc, char **argv)
{
    ts_worker_program(argc, argv);
    return found_run(argc, argv, NULL, NULL);
}
