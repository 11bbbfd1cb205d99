/*
 * What a worker tells its program: middleware, events, counts, and whether it is idle.
 */
#include "running.h"

/* Handlers that do what the payload says: 0 done, 1 failed, 2 dead, 3 snoozed. */
static pgqrs_job_outcome
as_told(pgqrs_job *job, void *arg)
{
    int told = pgqrs_job_message(job)->payload.data[0] - '0';

    if (arg != NULL)
        ts_journal_add(arg, "handler");
    TS_OK(pgqrs_job_set_delay(
              job, told == PGQRS_JOB_SNOOZED || told == PGQRS_JOB_FAILED ? 3600000 : 0, NULL),
          NULL);
    return (pgqrs_job_outcome)told;
}

static pgqrs_worker *
start_telling(struct story *s, ts_journal *journal, int32_t max_attempts)
{
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;
    pgqrs_worker_queue_options queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;

    options.on_event = ts_journal_event;
    options.event_arg = journal;
    options.concurrency = 1;
    queue.max_attempts = max_attempts;
    return running_start(s, &options, &queue, as_told, NULL);
}

/* Sends one message, and asserts that the events about it are just STARTED and `kind`. */
static void
expect_events(struct story *s, ts_journal *journal, const char *payload, const char *kind)
{
    int64_t id = story_send(s, payload);
    char *started = ts_format("STARTED %lld", (long long)id);
    char *ended = ts_format("%s %lld", kind, (long long)id);

    ts_journal_await(journal, ended, 1);
    assert_int_equal(ts_journal_count(journal, started), 1);
    assert_int_equal(ts_journal_count(journal, ended), 1);
    free(started);
    free(ended);
}

RUNNING_TEST(each_outcome_has_its_event)
{
    struct story *s = *state;
    ts_journal *journal = ts_journal_new();
    pgqrs_worker *worker = start_telling(s, journal, 0);

    expect_events(s, journal, "0", "DONE");
    expect_events(s, journal, "1", "FAILED");
    expect_events(s, journal, "2", "DEAD");
    expect_events(s, journal, "3", "SNOOZED");
    running_end(s, worker);
    ts_journal_expect(journal, "STARTED 1\nDONE 1\nSTARTED 2\nFAILED 2\n"
                               "STARTED 3\nDEAD 3\nSTARTED 4\nSNOOZED 4\n");
}

RUNNING_TEST(the_last_failure_is_the_death_of_a_message)
{
    struct story *s = *state;
    ts_journal *journal = ts_journal_new();
    pgqrs_worker *worker = start_telling(s, journal, 1);

    expect_events(s, journal, "1", "DEAD");
    running_end(s, worker);
    assert_int_equal(ts_journal_count(journal, "FAILED"), 0);
}

RUNNING_TEST(the_server_knows_what_an_event_reports)
{
    struct story *s = *state;
    ts_journal *journal = ts_journal_new();
    pgqrs_worker *worker = start_telling(s, journal, 0);

    for (int i = 0; i < 30; i++) {
        expect_events(s, journal, "0", "DONE");
        assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive"), i + 1);
    }
    running_end(s, worker);
}

struct outage {
    ts_journal *journal;
    atomic_int with_reason;
};

static void
note_reason(const pgqrs_event *event, void *arg)
{
    struct outage *outage = arg;

    ts_journal_event(event, outage->journal);
    TS_TRUE(event->message != NULL);
    if (event->kind == PGQRS_EVENT_DISCONNECTED) {
        TS_TRUE(event->status != PGQRS_OK && event->job == NULL);
        atomic_fetch_add(&outage->with_reason, event->message[0] != '\0');
    }
}

RUNNING_TEST(an_outage_begins_and_ends_with_an_event)
{
    struct story *s = *state;
    struct outage outage = { .journal = ts_journal_new() };
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;
    pgqrs_worker *worker;

    options.on_event = note_reason;
    options.event_arg = &outage;
    worker = running_start(s, &options, NULL, running_done, NULL);
    running_await_idle(worker);
    ts_sql(s->sql, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                   "datname = current_database() AND backend_type = 'client backend' AND "
                   "pid <> pg_backend_pid()");
    ts_journal_await(outage.journal, "DISCONNECTED", 1);
    ts_journal_await(outage.journal, "CONNECTED", 1);
    story_send(s, "1");
    running_await(s, 1);
    running_end(s, worker);
    assert_true(outage.with_reason >= 1);
}

/* Middleware that writes when it is entered and left, and changes outcomes: failed into done, and
 * done into done with a result of its own. */
static pgqrs_job_outcome
outer(pgqrs_job *job, void *arg)
{
    pgqrs_job_outcome outcome;

    ts_journal_add(arg, "outer begins");
    outcome = pgqrs_job_next(job);
    ts_journal_add(arg, "outer ends with %d", (int)outcome);
    TS_OK(pgqrs_job_set_result(job, text("\"outer\""), NULL), NULL);
    return PGQRS_JOB_DONE;
}

static pgqrs_job_outcome
inner(pgqrs_job *job, void *arg)
{
    pgqrs_job_outcome outcome;

    ts_journal_add(arg, "inner begins");
    if (pgqrs_job_message(job)->payload.data[0] == '2') {
        ts_journal_add(arg, "inner refuses");
        return PGQRS_JOB_DEAD;
    }
    outcome = pgqrs_job_next(job);
    ts_journal_add(arg, "inner ends with %d", (int)outcome);
    return PGQRS_JOB_FAILED;
}

RUNNING_TEST(middleware_wraps_the_handler_from_outside_in)
{
    struct story *s = *state;
    ts_journal *journal = ts_journal_new();
    pgqrs_worker *worker = running_new(s, NULL);

    TS_OK(pgqrs_worker_use(worker, outer, journal, s->err), s->err);
    running_add(s, worker, "jobs", NULL, as_told, journal);
    TS_OK(pgqrs_worker_use(worker, inner, journal, s->err), s->err);
    story_send(s, "0");
    TS_OK(pgqrs_worker_start(worker, s->err), s->err);
    running_await(s, 1);
    story_send(s, "2");
    running_await(s, 2);
    running_end(s, worker);
    ts_journal_expect(journal, "outer begins\ninner begins\nhandler\n"
                               "inner ends with 0\nouter ends with 1\n"
                               "outer begins\ninner begins\ninner refuses\nouter ends with 2\n");
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive WHERE outcome = 'done' AND "
                                    "result = '\"outer\"'"),
                     2);
}

RUNNING_TEST(all_is_counted)
{
    struct story *s = *state;
    ts_journal *journal = ts_journal_new();
    pgqrs_worker *worker = start_telling(s, journal, 0);
    pgqrs_worker_counts counts = PGQRS_WORKER_COUNTS_INIT;

    for (int i = 0; i < 12; i++)
        story_send(s, (const char *[]){ "0", "1", "2", "3" }[i % 4]);
    ts_journal_await(journal, "SNOOZED", 3);
    running_await_idle(worker);
    pgqrs_worker_count(worker, &counts);
    assert_int_equal(counts.claimed, 12);
    assert_int_equal(counts.done, 3);
    assert_int_equal(counts.failed, 3);
    assert_int_equal(counts.dead, 3);
    assert_int_equal(counts.snoozed, 3);
    assert_int_equal(counts.released, 0);
    assert_int_equal(counts.lost, 0);
    assert_int_equal(counts.running, 0);
    assert_int_equal(counts.prefetched, 0);
    assert_true(counts.claims > counts.empty_claims && counts.empty_claims > 0);
    assert_true(counts.round_trips > 0);
    running_end(s, worker);
}

/* The counts may be a moment behind. */
static void
await_claimed(pgqrs_worker *worker, int64_t count)
{
    pgqrs_worker_counts counts = PGQRS_WORKER_COUNTS_INIT;
    int64_t until = story_now_ms() + RUNNING_WAIT_MS;

    for (; counts.claimed < count; pgqrs_worker_count(worker, &counts))
        TS_TRUE(story_now_ms() < until);
}

RUNNING_TEST(what_runs_and_what_waits_is_counted_too)
{
    struct story *s = *state;
    ts_gate *gate = ts_gate_new();
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;
    pgqrs_worker_counts counts = PGQRS_WORKER_COUNTS_INIT;
    pgqrs_worker *worker;

    options.concurrency = 3;
    options.prefetch_max = -1;
    story_send_many(s, 5, NULL);
    worker = running_start(s, &options, NULL, running_at_gate, gate);
    ts_gate_await(gate, 3);
    await_claimed(worker, 3);
    pgqrs_worker_count(worker, &counts);
    assert_int_equal(counts.running, 3);
    assert_int_equal(counts.prefetched, 0);
    assert_int_equal(counts.claimed, 3);
    assert_int_equal(
        ts_int(s->sql, "SELECT count(*) FROM pgqrs_messages WHERE lease_token IS NOT NULL"), 3);
    assert_int_equal(pgqrs_worker_is_idle(worker), 0);
    ts_gate_open(gate);
    running_await(s, 5);
    running_end(s, worker);
    assert_int_equal(ts_gate_arrived(gate), 5);
}

RUNNING_TEST(a_worker_is_idle_when_nothing_is_due)
{
    struct story *s = *state;
    pgqrs_enqueue_options later = PGQRS_ENQUEUE_OPTIONS_INIT;
    ts_gate *gate = ts_gate_new();
    pgqrs_worker *worker = running_new(s, NULL);

    /* not before it has asked the server, */
    running_add(s, worker, "jobs", NULL, running_at_gate, gate);
    assert_int_equal(pgqrs_worker_is_idle(worker), 0);
    later.delay_ms = 3600000;
    story_send_with(s, "1", &later);
    TS_OK(pgqrs_worker_start(worker, s->err), s->err);
    running_await_idle(worker);
    /* not while a handler runs, and again when it has ended. */
    story_send(s, "2");
    ts_gate_await(gate, 1);
    assert_int_equal(pgqrs_worker_is_idle(worker), 0);
    ts_gate_open(gate);
    running_await_idle(worker);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive"), 1);
    running_end(s, worker);
}

TEST_MAIN(NULL, NULL)
