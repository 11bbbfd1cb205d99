/*
 * A session locks a table or a row of one queue: leases and messages that do not need it go on.
 */
#include "running.h"

#include "holder.h"
#include "outcome.h"

#define LEASE_MS 2000
#define LOCKED_QUEUES 3
#define JOBS 4
#define DELAYED 3 /* messages in each locked queue */

struct locked {
    ts_journal *journal;
    ts_gate *gate;
    pgqrs_worker *worker;
    pgqrs_worker_options options;
    pgqrs_worker_queue_options queue;
};

static struct locked
begin(struct story *s)
{
    struct locked l = { .journal = ts_journal_new(), .gate = ts_gate_new() };

    l.options = (pgqrs_worker_options)PGQRS_WORKER_OPTIONS_INIT;
    l.queue = (pgqrs_worker_queue_options)PGQRS_WORKER_QUEUE_OPTIONS_INIT;
    l.options.on_event = ts_journal_event;
    l.options.event_arg = l.journal;
    l.queue.lease_ms = LEASE_MS;
    l.worker = running_new(s, &l.options);
    return l;
}

/* Adds a queue with one message, and some that become due soon. Returns its number. */
static int64_t
add_locked_queue(struct story *s, struct locked *l, int number)
{
    char *name = ts_format("locked %d", number);
    pgqrs_producer *producer;
    int64_t id;

    TS_OK(pgqrs_queue_create(s->client, text(name), NULL, &id, s->err), s->err);
    TS_OK(pgqrs_producer_open(s->client, text(name), NULL, &producer, s->err), s->err);
    TS_OK(pgqrs_producer_enqueue(producer, text("{}"), NULL, NULL, s->err), s->err);
    for (int i = 0; i < DELAYED; i++)
        TS_OK(pgqrs_producer_enqueue_delayed(producer, text("{}"), LEASE_MS / 2, NULL, s->err),
              s->err);
    running_add(s, l->worker, name, &l->queue, running_at_gate, l->gate);
    pgqrs_producer_close(producer);
    free(name);
    return id;
}

/* Waits until the lease of message `id`, in the table `messages`, has been extended for so long
 * that it would have run out twice, and asserts that its handler was not told to give up. */
static void
await_extended(struct story *s, const struct locked *l, const char *messages, int64_t id)
{
    char *told = ts_format("CANCELLED %lld", (long long)id);
    int64_t until = story_now_ms() + TS_OUTCOME_WAIT_MS;

    do {
        if (ts_journal_count(l->journal, told) > 0)
            ts_fail("the handler of message %lld, which is not locked, was told to give up",
                    (long long)id);
        if (story_now_ms() > until)
            ts_fail("the lease of message %lld was not extended within %d ms", (long long)id,
                    TS_OUTCOME_WAIT_MS);
        usleep(20000);
    } while (!ts_int(s->sql, "SELECT vt > dequeued_at + interval '%d ms' FROM %s WHERE id = %lld",
                     3 * LEASE_MS + 500, messages, (long long)id));
    free(told);
}

/* One table each, as VACUUM FULL and REINDEX do: with several at once one might deadlock with the
 * worker. */
RUNNING_TEST(a_locked_queue_does_not_stop_the_others)
{
    struct story *s = *state;
    struct locked l = begin(s);
    PGconn *holders[LOCKED_QUEUES];
    long long jobs = ts_int(s->sql, "SELECT id FROM pgqrs_queues WHERE queue_name = 'jobs'");
    char *messages = ts_format("pgqrs_messages_%lld", jobs);
    int64_t ids[LOCKED_QUEUES], held;

    for (int i = 0; i < LOCKED_QUEUES; i++)
        ids[i] = add_locked_queue(s, &l, i);
    running_add(s, l.worker, "jobs", &l.queue, running_at_gate, l.gate);
    TS_OK(pgqrs_worker_start(l.worker, s->err), s->err);
    held = story_send(s, "{}");
    ts_gate_await(l.gate, 1 + LOCKED_QUEUES);
    for (int i = 0; i < LOCKED_QUEUES; i++)
        holders[i] =
            ts_hold(s->dsn, "LOCK TABLE pgqrs_messages_%lld_ready IN ACCESS EXCLUSIVE MODE",
                    (long long)ids[i]);
    await_extended(s, &l, messages, held);
    ts_gate_open(l.gate);
    for (int i = 2; i <= 4; i++) {
        story_send(s, "{}");
        ts_wait_until(s->sql, TS_OUTCOME_WAIT_MS,
                      "SELECT count(*) = %d FROM pgqrs_archive_%lld WHERE read_ct = 1", i, jobs);
    }
    for (int i = 0; i < LOCKED_QUEUES; i++)
        ts_hold_end(holders[i]);
    ts_outcome_await(s->sql, 4 + LOCKED_QUEUES * (1 + DELAYED), "outcome = 'done'");
    running_end(s, l.worker);
    free(messages);
}

/* As an UPDATE whose COMMIT was forgotten does. */
RUNNING_TEST(a_locked_message_costs_no_other_lease)
{
    struct story *s = *state;
    struct locked l = begin(s);
    int64_t ids[JOBS];
    PGconn *holder;

    running_add(s, l.worker, "jobs", &l.queue, running_at_gate, l.gate);
    TS_OK(pgqrs_worker_start(l.worker, s->err), s->err);
    story_send_many(s, JOBS, ids);
    ts_gate_await(l.gate, JOBS);
    holder = ts_hold(s->dsn, "UPDATE pgqrs_messages SET priority = priority WHERE id = %lld",
                     (long long)ids[0]);
    for (int i = 1; i < JOBS; i++)
        await_extended(s, &l, "pgqrs_messages", ids[i]);
    /* Nor does it keep them from being reported, and new ones from coming. */
    ts_gate_open(l.gate);
    ts_outcome_await(s->sql, JOBS - 1, "outcome = 'done' AND read_ct = 1 AND crash_ct = 0");
    story_send(s, "{}");
    ts_outcome_await(s->sql, JOBS, "outcome = 'done' AND read_ct = 1 AND crash_ct = 0");
    ts_hold_end(holder);
    ts_outcome_await(s->sql, JOBS + 1, "outcome = 'done'");
    running_end(s, l.worker);
}

TEST_MAIN(NULL, NULL)
