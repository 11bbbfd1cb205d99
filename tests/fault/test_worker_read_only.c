/*
 * A database that is read-only for a while, as managed services make it when the disk is nearly
 * full: sessions that began in that time stay read-only when it is over, so they are not kept.
 */
#include "running.h"

#include "outcome.h"

/* Ends all sessions but ours once, so that those that come next are read-only. */
static void
make_read_only(struct story *s)
{
    ts_sql(s->sql, "DO $$ BEGIN EXECUTE format('ALTER DATABASE %%I SET "
                   "default_transaction_read_only = on', current_database()); END $$");
    ts_sql(s->sql,
           "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = "
           "current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()");
}

static void
make_writable(struct story *s)
{
    ts_sql(s->sql, "DO $$ BEGIN EXECUTE format('ALTER DATABASE %%I RESET "
                   "default_transaction_read_only', current_database()); END $$");
}

static int
close_writable(void **state)
{
    make_writable(*state);
    return running_close(state);
}

#define READ_ONLY_TEST(name) TEST_WITH(name, story_open, close_writable)

/* Tries until it works. */
static void
await_enqueued(struct story *s, pgqrs_producer *producer)
{
    int64_t until = story_now_ms() + TS_OUTCOME_WAIT_MS;

    while (pgqrs_producer_enqueue(producer, text("{}"), NULL, NULL, s->err) != PGQRS_OK) {
        if (story_now_ms() > until)
            ts_fail("nothing could be enqueued %d ms after the database was writable again: %s",
                    TS_OUTCOME_WAIT_MS, pgqrs_error_message(s->err));
        usleep(50000);
    }
}

static void
note_event(const pgqrs_event *event, void *journal)
{
    ts_journal_event(event, journal);
    if (strstr(event->message, "read-only") != NULL)
        ts_journal_add(journal, "told why");
}

READ_ONLY_TEST(a_worker_works_again_when_it_is_over)
{
    struct story *s = *state;
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;
    ts_journal *journal = ts_journal_new();
    pgqrs_worker *worker;

    options.on_event = note_event;
    options.event_arg = journal;
    story_send(s, "{}");
    worker = running_start(s, &options, NULL, running_done, NULL);
    ts_outcome_await(s->sql, 1, "outcome = 'done'");
    make_read_only(s);
    ts_sql(s->sql, "INSERT INTO pgqrs_messages (queue_id, lane, payload) SELECT id, 'r', '{}' FROM "
                   "pgqrs_queues");
    ts_journal_await(journal, "told why", 1);
    make_writable(s);
    ts_outcome_await(s->sql, 2, "outcome = 'done'");
    await_enqueued(s, s->producer);
    ts_outcome_await(s->sql, 3, "outcome = 'done'");
    ts_outcome_expect_no_crash(s->sql);
    running_end(s, worker);
}

READ_ONLY_TEST(a_producer_stores_again_when_it_is_over)
{
    struct story *s = *state;
    const pgqrs_slice payloads[2] = { text("{}"), text("{}") };

    make_read_only(s);
    for (int i = 0; i < 3; i++) {
        assert_int_not_equal(pgqrs_producer_enqueue(s->producer, text("{}"), NULL, NULL, s->err),
                             PGQRS_OK);
        story_expect_message(s, "read-only");
    }
    make_writable(s);
    await_enqueued(s, s->producer);
    TS_OK(pgqrs_producer_enqueue_batch(s->producer, payloads, NULL, 2, NULL, s->err), s->err);
    assert_int_equal(story_stored(s), 3);
}

/* A batch that is large is copied. */
READ_ONLY_TEST(a_producer_copies_again_when_it_is_over)
{
    struct story *s = *state;
    pgqrs_slice payloads[200];
    int64_t until;

    for (size_t i = 0; i < 200; i++)
        payloads[i] = text("{}");
    make_read_only(s);
    for (int i = 0; i < 3; i++)
        assert_int_not_equal(
            pgqrs_producer_enqueue_batch(s->producer, payloads, NULL, 200, NULL, s->err), PGQRS_OK);
    make_writable(s);
    until = story_now_ms() + TS_OUTCOME_WAIT_MS;
    while (pgqrs_producer_enqueue_batch(s->producer, payloads, NULL, 200, NULL, s->err) !=
           PGQRS_OK) {
        if (story_now_ms() > until)
            ts_fail("a batch was still refused: %s", pgqrs_error_message(s->err));
        usleep(50000);
    }
    assert_int_equal(story_stored(s), 200);
}

READ_ONLY_TEST(a_consumer_takes_again_when_it_is_over)
{
    struct story *s = *state;
    pgqrs_message_list *list = NULL;
    int64_t until;

    story_send(s, "{}");
    make_read_only(s);
    for (int i = 0; i < 3; i++)
        assert_int_not_equal(pgqrs_consumer_dequeue_batch(s->consumer, 1, NULL, &list, s->err),
                             PGQRS_OK);
    make_writable(s);
    until = story_now_ms() + TS_OUTCOME_WAIT_MS;
    while (pgqrs_consumer_dequeue_batch(s->consumer, 1, NULL, &list, s->err) != PGQRS_OK) {
        if (story_now_ms() > until)
            ts_fail("nothing could be dequeued: %s", pgqrs_error_message(s->err));
        usleep(50000);
    }
    assert_int_equal(pgqrs_message_list_count(list), 1);
    pgqrs_message_list_free(list);
}

TEST_MAIN(NULL, NULL)
