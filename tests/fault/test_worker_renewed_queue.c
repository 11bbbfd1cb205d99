/*
 * A queue that is deleted and created again under the same name is another queue; open producers
 * and workers switch to it.
 */
#include "running.h"

#include "outcome.h"
#include "tally.h"

static void
renew(struct story *s)
{
    TS_OK(pgqrs_queue_delete(s->client, text("jobs"), s->err), s->err);
    TS_OK(pgqrs_queue_create(s->client, text("jobs"), NULL, NULL, s->err), s->err);
}

/* A producer of a client that knows nothing of the queue that was. */
static void
send_anew(struct story *s)
{
    pgqrs_client *client = ts_client(s->dsn, NULL);
    pgqrs_producer *producer;

    TS_OK(pgqrs_producer_open(client, text("jobs"), NULL, &producer, s->err), s->err);
    TS_OK(pgqrs_producer_enqueue(producer, text("{}"), NULL, NULL, s->err), s->err);
    pgqrs_producer_close(producer);
    pgqrs_client_close(client);
}

RUNNING_TEST(a_worker_that_is_idle_serves_the_new_queue)
{
    struct story *s = *state;
    pgqrs_worker *worker = running_start(s, NULL, NULL, running_done, NULL);

    story_send(s, "{}");
    ts_outcome_await(s->sql, 1, "outcome = 'done'");
    running_await_idle(worker);
    for (int i = 0; i < 2; i++) {
        renew(s);
        send_anew(s);
        ts_outcome_await(s->sql, 1, "outcome = 'done' AND read_ct = 1");
    }
    running_end(s, worker);
}

/* The message that the worker holds went away with the old queue. */
RUNNING_TEST(a_worker_that_is_busy_serves_the_new_queue)
{
    struct story *s = *state;
    ts_gate *gate = ts_gate_new();
    pgqrs_worker *worker = running_start(s, NULL, NULL, running_at_gate, gate);

    story_send_many(s, 20, NULL);
    ts_gate_await(gate, 8);
    renew(s);
    ts_gate_open(gate);
    send_anew(s);
    ts_outcome_await(s->sql, 1, "outcome = 'done' AND read_ct = 1");
    running_end(s, worker);
}

RUNNING_TEST(another_queue_goes_on_while_one_is_away)
{
    struct story *s = *state;
    pgqrs_worker *worker = running_new(s, NULL);
    pgqrs_producer *other;

    TS_OK(pgqrs_queue_create(s->client, text("other"), NULL, NULL, s->err), s->err);
    TS_OK(pgqrs_producer_open(s->client, text("other"), NULL, &other, s->err), s->err);
    running_add(s, worker, "jobs", NULL, running_done, NULL);
    running_add(s, worker, "other", NULL, running_done, NULL);
    TS_OK(pgqrs_worker_start(worker, s->err), s->err);
    TS_OK(pgqrs_queue_delete(s->client, text("jobs"), s->err), s->err);
    for (int i = 1; i <= 5; i++) {
        TS_OK(pgqrs_producer_enqueue(other, text("{}"), NULL, NULL, s->err), s->err);
        ts_outcome_await(s->sql, i, "outcome = 'done' AND read_ct = 1");
    }
    TS_OK(pgqrs_queue_create(s->client, text("jobs"), NULL, NULL, s->err), s->err);
    send_anew(s);
    ts_outcome_await(s->sql, 6, "outcome = 'done' AND read_ct = 1");
    running_end(s, worker);
    pgqrs_producer_close(other);
}

RUNNING_TEST(a_producer_that_is_open_stores_in_the_new_queue)
{
    struct story *s = *state;
    const pgqrs_slice payloads[2] = { text("{}"), text("{}") };
    pgqrs_enqueue_options high = PGQRS_ENQUEUE_OPTIONS_INIT;

    high.priority = 7;
    story_send(s, "{}");
    renew(s);
    story_send(s, "{}");
    assert_int_equal(story_stored(s), 1);
    renew(s);
    story_send_with(s, "{}", &high);
    assert_int_equal(story_stored(s), 1);
    renew(s);
    TS_OK(pgqrs_producer_enqueue_batch(s->producer, payloads, NULL, 2, NULL, s->err), s->err);
    assert_int_equal(story_stored(s), 2);
    renew(s);
    story_send_many(s, 200, NULL); /* so many are copied */
    assert_int_equal(story_stored(s), 200);
}

RUNNING_TEST(a_producer_of_a_deleted_queue_says_that_there_is_none)
{
    struct story *s = *state;

    story_send(s, "{}");
    TS_OK(pgqrs_queue_delete(s->client, text("jobs"), s->err), s->err);
    for (int i = 0; i < 3; i++)
        TS_IS(PGQRS_ENOQUEUE, pgqrs_producer_enqueue(s->producer, text("{}"), NULL, NULL, s->err),
              s->err);
    TS_OK(pgqrs_queue_create(s->client, text("jobs"), NULL, NULL, s->err), s->err);
    story_send(s, "{}");
    assert_int_equal(story_stored(s), 1);
}

TEST_MAIN(NULL, NULL)
