/*
 * A paused queue: for consumers of every kind, old and new, from the moment at which the pause is
 * committed; and what goes on meanwhile.
 */
#include "story.h"

#include <unistd.h>

#define PAUSE_MS 300

static void
pause_queue(struct story *s, const char *reason, int64_t for_ms)
{
    pgqrs_pause_options options = PGQRS_PAUSE_OPTIONS_INIT;

    options.for_ms = for_ms;
    if (reason != NULL)
        options.reason = text(reason);
    TS_OK(pgqrs_queue_pause(s->client, text("jobs"), &options, s->err), s->err);
}

static void
resume_queue(struct story *s)
{
    TS_OK(pgqrs_queue_resume(s->client, text("jobs"), s->err), s->err);
}

/* How many messages one call of `consumer` gets. */
static size_t
take(struct story *s, pgqrs_consumer *consumer, const char *type)
{
    pgqrs_dequeue_options options = PGQRS_DEQUEUE_OPTIONS_INIT;
    pgqrs_message_list *list;
    size_t count;

    if (type != NULL)
        options.type = text(type);
    TS_OK(pgqrs_consumer_dequeue_batch(consumer, 100, &options, &list, s->err), s->err);
    count = pgqrs_message_list_count(list);
    pgqrs_message_list_free(list);
    return count;
}

/* Of each kind that can be claimed: plain, of one type, prioritised, released, and with a lease
 * that has run out in either lane. */
static void
send_each_kind(struct story *s)
{
    pgqrs_consumer *brief = story_consumer(s, s->client, 1);
    pgqrs_enqueue_options typed = PGQRS_ENQUEUE_OPTIONS_INIT;

    story_send(s, "1");
    story_send_priority(s, 7);
    assert_int_equal(take(s, brief, NULL), 2);
    ts_wait_until(s->sql, STORY_WAIT_MS,
                  "SELECT bool_and(vt < clock_timestamp()) FROM pgqrs_messages");
    typed.type = text("mail");
    story_send_with(s, "2", &typed);
    story_send_priority(s, -7);
    story_send_priority(s, 100);
    story_send(s, "3");
    pgqrs_consumer_close(brief);
}

STORY_TEST(a_paused_queue_hands_out_nothing)
{
    struct story *s = *state;
    pgqrs_client *other = ts_client(s->dsn, NULL);
    pgqrs_consumer *another = story_consumer(s, other, STORY_LEASE_MS);

    assert_int_equal(take(s, another, NULL), 0);
    send_each_kind(s);
    pause_queue(s, NULL, 0);
    for (int i = 0; i < 3; i++) {
        pgqrs_client *fresh = ts_client(s->dsn, NULL);
        pgqrs_consumer *newcomer = story_consumer(s, fresh, STORY_LEASE_MS);

        assert_int_equal(take(s, newcomer, NULL), 0);
        assert_int_equal(take(s, newcomer, "mail"), 0);
        assert_int_equal(take(s, another, "mail"), 0);
        assert_int_equal(take(s, another, NULL), 0);
        pgqrs_consumer_close(newcomer);
        pgqrs_client_close(fresh);
    }
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_messages WHERE read_ct > 0"), 2);
    resume_queue(s);
    assert_int_equal(take(s, another, "mail"), 1);
    assert_int_equal(take(s, another, NULL), 5);
    pgqrs_consumer_close(another);
    pgqrs_client_close(other);
}

/* The client that claims knows of a backlog, and nobody tells it of the pause. */
STORY_TEST(the_first_claim_after_a_pause_finds_nothing)
{
    struct story *s = *state;
    pgqrs_client *other = ts_client(s->dsn, NULL);
    pgqrs_consumer *consumer = story_consumer(s, other, STORY_LEASE_MS);

    for (int i = 0; i < 20; i++) {
        pgqrs_message_list *list;

        story_send_many(s, 20, NULL);
        story_send_priority(s, 1);
        list = story_take(s, consumer, 10);
        assert_int_equal(pgqrs_message_list_count(list), 10);
        pgqrs_message_list_free(list);
        pause_queue(s, NULL, 0);
        assert_int_equal(take(s, consumer, NULL), 0);
        resume_queue(s);
        assert_int_equal(take(s, consumer, NULL), 11);
    }
    pgqrs_consumer_close(consumer);
    pgqrs_client_close(other);
}

/* Were empty claims of a paused queue taken for a sign that its lane is empty, sweeps would carry
 * the whole backlog to the other lane. */
STORY_TEST(a_backlog_stays_where_it_is)
{
    struct story *s = *state;
    pgqrs_client *other = ts_client(s->dsn, NULL);
    pgqrs_consumer *consumer = story_consumer(s, other, STORY_LEASE_MS);
    int64_t until;

    story_send_many(s, 500, NULL);
    assert_int_equal(take(s, consumer, NULL), 100);
    pause_queue(s, NULL, 0);
    story_send_many(s, 500, NULL);
    until = story_now_ms() + 2500; /* longer than hints last, and than ids settle */
    while (story_now_ms() < until) {
        assert_int_equal(take(s, consumer, NULL), 0);
        usleep(20000);
    }
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM " HELD), 0);
    resume_queue(s);
    for (int i = 0; i < 9; i++)
        assert_int_equal(take(s, consumer, NULL), 100);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM " READY " WHERE read_ct = 1"), 1000);
    pgqrs_consumer_close(consumer);
    pgqrs_client_close(other);
}

STORY_TEST(what_is_leased_goes_on)
{
    struct story *s = *state;
    pgqrs_lease leases[5];

    for (int i = 0; i < 5; i++) {
        story_send(s, "1");
        leases[i] = story_take_one(s, s->consumer);
    }
    pause_queue(s, NULL, 0);
    TS_OK(pgqrs_consumer_extend_visibility(s->consumer, leases[0], 60000, s->err), s->err);
    TS_OK(pgqrs_consumer_archive(s->consumer, leases[0], text("1"), s->err), s->err);
    TS_OK(pgqrs_consumer_delete(s->consumer, leases[1], s->err), s->err);
    TS_OK(pgqrs_consumer_release(s->consumer, leases[2], 0, s->err), s->err);
    TS_OK(pgqrs_consumer_fail(s->consumer, leases[3], NULL, NULL, s->err), s->err);
    story_send(s, "2");
    assert_int_equal(take(s, s->consumer, NULL), 0);
    assert_int_equal(story_stored(s), 4);
    resume_queue(s);
    assert_int_equal(take(s, s->consumer, NULL), 2);
}

static void
expect_pause(struct story *s, const char *reason, int has_end)
{
    pgqrs_queue_list *lists[2] = { NULL, NULL };

    TS_OK(pgqrs_queue_get(s->client, text("jobs"), &lists[0], s->err), s->err);
    TS_OK(pgqrs_queue_list_all(s->client, &lists[1], s->err), s->err);
    for (int i = 0; i < 2; i++) {
        const pgqrs_queue_info *queue = pgqrs_queue_list_at(lists[i], 0);

        TS_TRUE(queue->paused_at_ms > 0);
        TS_TRUE((queue->paused_until_ms > queue->paused_at_ms) == has_end);
        TS_TRUE(queue->paused_by.size == strlen("postgres"));
        TS_TRUE(queue->pause_reason.size == strlen(reason) &&
                memcmp(queue->pause_reason.data, reason, strlen(reason)) == 0);
        pgqrs_queue_list_free(lists[i]);
    }
}

STORY_TEST(a_second_pause_changes_only_the_end)
{
    struct story *s = *state;
    long long at;

    pause_queue(s, "disk full", 3600000);
    expect_pause(s, "disk full", 1);
    at = ts_int(s->sql,
                "SELECT (extract(epoch FROM paused_at) * 1000000)::bigint FROM pgqrs_queues");
    pause_queue(s, "another", 0);
    expect_pause(s, "disk full", 0);
    assert_int_equal(
        ts_int(s->sql,
               "SELECT (extract(epoch FROM paused_at) * 1000000)::bigint FROM pgqrs_queues"),
        at);
    resume_queue(s);
    resume_queue(s);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_queues WHERE paused_at IS NULL AND "
                                    "paused_until IS NULL AND paused_by IS NULL AND "
                                    "pause_reason IS NULL"),
                     1);
}

STORY_TEST(a_pause_ends_by_itself)
{
    struct story *s = *state;
    pgqrs_queue_list *list;

    story_send(s, "1");
    pause_queue(s, "soon over", PAUSE_MS);
    pgqrs_message_list_free(story_await(s, s->consumer));
    TS_OK(pgqrs_queue_get(s->client, text("jobs"), &list, s->err), s->err);
    TS_TRUE(pgqrs_queue_list_at(list, 0)->paused_at_ms == 0);
    TS_TRUE(pgqrs_queue_list_at(list, 0)->pause_reason.data == NULL);
    pgqrs_queue_list_free(list);
    pause_queue(s, "again", 0);
    expect_pause(s, "again", 0);
}

STORY_TEST(what_cannot_be_a_pause_is_refused)
{
    struct story *s = *state;
    pgqrs_pause_options options = PGQRS_PAUSE_OPTIONS_INIT;
    char reason[1026];

    TS_IS(PGQRS_ENOQUEUE, pgqrs_queue_pause(s->client, text("nobody"), NULL, s->err), s->err);
    TS_IS(PGQRS_ENOQUEUE, pgqrs_queue_resume(s->client, text("nobody"), s->err), s->err);
    TS_IS(PGQRS_EINVAL, pgqrs_queue_pause(s->client, text(""), NULL, s->err), s->err);
    options.for_ms = -1;
    TS_IS(PGQRS_EINVAL, pgqrs_queue_pause(s->client, text("jobs"), &options, s->err), s->err);
    options.for_ms = INT64_C(31536000001);
    TS_IS(PGQRS_EINVAL, pgqrs_queue_pause(s->client, text("jobs"), &options, s->err), s->err);
    options.for_ms = 0;
    memset(reason, 'x', sizeof(reason));
    options.reason = (pgqrs_slice){ reason, 1025 };
    TS_IS(PGQRS_EINVAL, pgqrs_queue_pause(s->client, text("jobs"), &options, s->err), s->err);
    options.reason = text("two\nlines");
    TS_IS(PGQRS_EINVAL, pgqrs_queue_pause(s->client, text("jobs"), &options, s->err), s->err);
    options.reason = text("\xff");
    TS_IS(PGQRS_EINVAL, pgqrs_queue_pause(s->client, text("jobs"), &options, s->err), s->err);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_queues WHERE paused_at IS NULL"),
                     1);
    options.reason = (pgqrs_slice){ reason, 1024 };
    options.for_ms = INT64_C(31536000000);
    TS_OK(pgqrs_queue_pause(s->client, text("jobs"), &options, s->err), s->err);
}

TEST_MAIN(NULL, NULL)
