/*
 * The server refuses the report of a finished job: the job is not run again while its report is
 * repeated, no message is charged a crash, and other messages go on. After repeated refusals the
 * job becomes a failure with the reason.
 */
#include "running.h"

#include "holder.h"
#include "outcome.h"
#include "refusal.h"
#include "role.h"
#include "tally.h"

#define LEASE_MS 1000
#define TESTS_MAX 8

/* Long enough for every lease to expire twice. */
#define LOCKED_SECONDS 4

struct refused {
    struct story *story;
    char *archive; /* the table of the queue "jobs" */
    ts_tally *tally;
    ts_journal *words; /* "TROUBLE why" and the like */
    pgqrs_worker_options options;
    pgqrs_worker_queue_options queue;
};

static void
note_event(const pgqrs_event *event, void *arg)
{
    struct refused *r = arg;

    ts_tally_event(event, r->tally);
    ts_journal_add(r->words, "%s %s", ts_event_name(event->kind), event->message);
}

/* A worker of a test that failed uses its struct a little longer, so each test has its own. */
static struct refused *
refused_begin(struct story *s)
{
    static struct refused all[TESTS_MAX];
    static size_t count;
    struct refused *r = &all[count];

    TS_TRUE(count++ < TESTS_MAX);
    *r = (struct refused){ .story = s, .tally = ts_tally_new(0), .words = ts_journal_new() };
    r->archive = ts_text(
        s->sql, "SELECT 'pgqrs_archive_' || id FROM pgqrs_queues WHERE queue_name = 'jobs'");
    r->options = (pgqrs_worker_options)PGQRS_WORKER_OPTIONS_INIT;
    r->queue = (pgqrs_worker_queue_options)PGQRS_WORKER_QUEUE_OPTIONS_INIT;
    r->options.on_event = note_event;
    r->options.event_arg = r;
    r->queue.lease_ms = LEASE_MS;
    return r;
}

static pgqrs_worker *
refused_start(struct refused *r)
{
    return running_start(r->story, &r->options, &r->queue, ts_tally_handler, r->tally);
}

/* Good messages come after the bad one's report was refused for longer than its lease. */
RUNNING_TEST(others_go_on_while_one_report_is_refused)
{
    struct story *s = *state;
    struct refused *r = refused_begin(s);
    int64_t bad;

    ts_refuse(s->sql, r->archive, "NEW.payload ? 'bad'");
    bad = story_send(s, "{\"bad\": 1}");
    refused_start(r);
    running_await_number(&r->tally->starts[bad], 1);
    ts_sql(s->sql, "SELECT pg_sleep(3.0 * %d / 1000)", LEASE_MS);
    story_send_many(s, 5, NULL);
    ts_outcome_await(s->sql, 5, "outcome = 'done' AND read_ct = 1 AND crash_ct = 0");
    ts_outcome_expect_no_crash(s->sql);
    ts_journal_await(r->words, "TROUBLE", 1);
    /* When the trigger is gone the report is stored as usual. */
    ts_refuse_end(s->sql, r->archive);
    ts_outcome_await(s->sql, 6, "crash_ct = 0");
    assert_int_equal(ts_tally_events(r->tally, PGQRS_EVENT_LOST), 0);
}

RUNNING_TEST(what_is_always_refused_becomes_a_failure_that_says_why)
{
    struct story *s = *state;
    struct refused *r = refused_begin(s);
    int64_t bad;

    r->queue.max_attempts = 2;
    r->queue.retry = PGQRS_RETRY_FIXED;
    r->queue.retry_base_ms = 10;
    ts_refuse(s->sql, r->archive, "NEW.payload ? 'bad' AND NEW.outcome = 'done'");
    bad = story_send(s, "{\"bad\": 1}");
    refused_start(r);
    story_send_many(s, 5, NULL);
    ts_outcome_await(s->sql, 1, "outcome = 'dead'");
    ts_outcome_await(s->sql, 5, "outcome = 'done'");
    ts_outcome_expect(
        s->sql, 1,
        "outcome = 'dead' AND crash_ct = 0 AND failed_ct = 2 AND error LIKE '%" TS_REFUSAL "%'");
    assert_int_equal(atomic_load(&r->tally->starts[bad]), 2);
    assert_int_equal(ts_tally_events(r->tally, PGQRS_EVENT_LOST), 0);
}

/* Two workers: one does not sweep the messages that the other has finished. */
RUNNING_TEST(a_locked_archive_costs_no_lease)
{
    struct story *s = *state;
    struct refused *r = refused_begin(s);
    PGconn *holder = ts_hold(s->dsn, "LOCK TABLE %s IN ACCESS EXCLUSIVE MODE", r->archive);

    story_send_many(s, 8, NULL);
    refused_start(r);
    refused_start(r);
    ts_hold_await(holder, 1);
    ts_sql(s->sql, "SELECT pg_sleep(%d)", LOCKED_SECONDS);
    ts_hold_end(holder);
    ts_outcome_await(s->sql, 8, "outcome = 'done' AND read_ct = 1 AND crash_ct = 0");
    ts_tally_expect_once(r->tally, 8);
}

RUNNING_TEST(a_locked_archive_does_not_stop_another_queue)
{
    struct story *s = *state;
    struct refused *r = refused_begin(s);
    PGconn *holder = ts_hold(s->dsn, "LOCK TABLE %s IN ACCESS EXCLUSIVE MODE", r->archive);
    pgqrs_producer *other;
    pgqrs_worker *worker;
    int64_t other_id;

    TS_OK(pgqrs_queue_create(s->client, text("other"), NULL, &other_id, s->err), s->err);
    TS_OK(pgqrs_producer_open(s->client, text("other"), NULL, &other, s->err), s->err);
    worker = running_new(s, &r->options);
    running_add(s, worker, "jobs", &r->queue, ts_tally_handler, r->tally);
    running_add(s, worker, "other", &r->queue, ts_tally_handler, r->tally);
    TS_OK(pgqrs_worker_start(worker, s->err), s->err);
    story_send_many(s, 4, NULL);
    ts_hold_await(holder, 1);
    TS_OK(pgqrs_producer_enqueue(other, text("{}"), NULL, NULL, s->err), s->err);
    ts_wait_until(s->sql, TS_OUTCOME_WAIT_MS, "SELECT count(*) = 1 FROM pgqrs_archive_%d",
                  (int)other_id);
    ts_sql(s->sql, "SELECT pg_sleep(%d)", LOCKED_SECONDS);
    TS_OK(pgqrs_producer_enqueue(other, text("{}"), NULL, NULL, s->err), s->err);
    ts_wait_until(s->sql, TS_OUTCOME_WAIT_MS, "SELECT count(*) = 2 FROM pgqrs_archive_%d",
                  (int)other_id);
    ts_hold_end(holder);
    ts_outcome_await(s->sql, 6, "outcome = 'done' AND read_ct = 1 AND crash_ct = 0");
    ts_tally_expect_once(r->tally, 6);
    pgqrs_producer_close(other);
}

RUNNING_TEST(a_missing_grant_charges_nobody)
{
    struct story *s = *state;
    struct refused *r = refused_begin(s);
    char *dsn = ts_role(s->sql, s->dsn, "ts_refused");
    pgqrs_client *client = ts_client(dsn, NULL);
    pgqrs_worker *worker;

    ts_sql(s->sql, "REVOKE INSERT ON %s FROM ts_refused", r->archive);
    worker = running_new_on(s, client, &r->options);
    running_add(s, worker, "jobs", &r->queue, ts_tally_handler, r->tally);
    TS_OK(pgqrs_worker_start(worker, s->err), s->err);
    story_send_many(s, 4, NULL);
    ts_journal_await(r->words, "TROUBLE", 1);
    ts_sql(s->sql, "SELECT pg_sleep(%d)", LOCKED_SECONDS);
    ts_outcome_expect_no_crash(s->sql);
    ts_sql(s->sql, "GRANT INSERT ON %s TO ts_refused", r->archive);
    ts_outcome_await(s->sql, 4, "outcome = 'done' AND crash_ct = 0");
    assert_int_equal(ts_tally_events(r->tally, PGQRS_EVENT_LOST), 0);
    /* It has said what is missing. */
    assert_true(ts_journal_count(r->words, "TROUBLE ") > 0);
    running_end(s, worker);
    pgqrs_client_close(client);
    free(dsn);
}

TEST_MAIN(NULL, NULL)
