/*
 * A message whose leases expired too often is archived as dead and not handed out again, also when
 * the first attempt to archive it fails.
 */
#include "support.h"

#define WAIT_MS 20000

struct story {
    char *dsn;
    PGconn *sql;
    pgqrs_client *client;
    pgqrs_consumer *consumer;
    pgqrs_error *err;
};

/* Given three messages, whose only permitted crash has happened */
static int
story_begin(void **state)
{
    static struct story story;
    const pgqrs_slice payloads[3] = { pgqrs_slice_of("1"), pgqrs_slice_of("2"),
                                      pgqrs_slice_of("3") };
    pgqrs_queue_options options = PGQRS_QUEUE_OPTIONS_INIT;
    pgqrs_consumer_options brief = PGQRS_CONSUMER_OPTIONS_INIT;
    pgqrs_producer *producer = NULL;
    pgqrs_message_list *list = NULL;

    story.dsn = ts_database();
    story.sql = ts_connect(story.dsn);
    story.client = ts_client(story.dsn, NULL);
    story.err = pgqrs_error_new();
    options.max_crashes = 1;
    brief.lease_ms = 20;
    TS_OK(pgqrs_queue_create(story.client, pgqrs_slice_of("jobs"), &options, NULL, story.err),
          story.err);
    TS_OK(pgqrs_producer_open(story.client, pgqrs_slice_of("jobs"), NULL, &producer, story.err),
          story.err);
    TS_OK(pgqrs_producer_enqueue_batch(producer, payloads, NULL, 3, NULL, story.err), story.err);
    pgqrs_producer_close(producer);
    TS_OK(pgqrs_consumer_open(story.client, pgqrs_slice_of("jobs"), &brief, &story.consumer,
                              story.err),
          story.err);
    TS_OK(pgqrs_consumer_dequeue_batch(story.consumer, 3, NULL, &list, story.err), story.err);
    assert_int_equal(pgqrs_message_list_count(list), 3);
    pgqrs_message_list_free(list);
    ts_wait_until(story.sql, WAIT_MS,
                  "SELECT count(*) = 3 FROM pgqrs_messages WHERE vt < clock_timestamp()");
    *state = &story;
    return 0;
}

static int
story_end(void **state)
{
    struct story *story = *state;

    pgqrs_consumer_close(story->consumer);
    pgqrs_client_close(story->client);
    pgqrs_error_free(story->err);
    PQfinish(story->sql);
    free(story->dsn);
    return 0;
}

#define STORY_TEST(name) TEST_WITH(name, story_begin, story_end)

/* Asks again and again, whatever is answered, until the condition holds; nothing may be handed out
 * meanwhile.
 */
static void
ask_until(struct story *story, const char *condition)
{
    for (int i = 0; i < 1000 && ts_int(story->sql, "%s", condition) == 0; i++) {
        pgqrs_message_list *list = NULL;
        pgqrs_status status =
            pgqrs_consumer_dequeue_batch(story->consumer, 3, NULL, &list, story->err);

        if (status == PGQRS_OK && pgqrs_message_list_count(list) > 0)
            ts_fail("message %lld was handed out again after %d crashes",
                    (long long)pgqrs_message_list_at(list, 0)->id,
                    pgqrs_message_list_at(list, 0)->crash_ct);
        pgqrs_message_list_free(list);
        ts_sql(story->sql, "SELECT pg_sleep(0.01)");
    }
    assert_int_equal(ts_int(story->sql, "%s", condition), 1);
}

STORY_TEST(messages_that_crashed_too_often_are_buried)
{
    ask_until(*state, "SELECT count(*) = 3 FROM pgqrs_archive WHERE outcome = 'dead'");
}

STORY_TEST(messages_that_cannot_be_buried_now_are_not_handed_out_either)
{
    struct story *story = *state;

    /* When the archive refuses dead messages for a while, then they stay in the queue until it
     * accepts them. */
    ts_sql(story->sql, "ALTER TABLE pgqrs_archive ADD CONSTRAINT closed CHECK (outcome <> 'dead')");
    ask_until(story, "SELECT count(*) > 0 FROM pgqrs_messages WHERE crash_ct > 2");
    ts_sql(story->sql, "ALTER TABLE pgqrs_archive DROP CONSTRAINT closed");
    ask_until(story, "SELECT count(*) = 3 FROM pgqrs_archive WHERE outcome = 'dead'");
}

TEST_MAIN(NULL, NULL)
