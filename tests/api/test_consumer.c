/*
 * Dequeue: the order, the number, the receiver, and messages that must not be missed.
 */
#include "story.h"

#include <pgqrs/transaction.h>

STORY_TEST(an_empty_queue_gives_no_message_and_no_failure)
{
    struct story *s = *state;
    pgqrs_message_list *list = NULL;

    TS_OK(pgqrs_consumer_dequeue(s->consumer, &list, s->err), s->err);
    assert_non_null(list);
    assert_int_equal(pgqrs_message_list_count(list), 0);
    assert_null(pgqrs_message_list_at(list, 0));
    pgqrs_message_list_free(list);
}

STORY_TEST(a_dequeued_message_is_leased)
{
    struct story *s = *state;
    pgqrs_consumer_options options = PGQRS_CONSUMER_OPTIONS_INIT;
    const pgqrs_message *message;
    pgqrs_message_list *list, *seen;
    pgqrs_consumer *consumer;
    int64_t id = story_send(s, "{\"n\": 1}");

    options.lease_ms = 30000;
    options.worker_id = 12;
    TS_OK(pgqrs_consumer_open(s->client, text("jobs"), &options, &consumer, s->err), s->err);
    list = story_take(s, consumer, 10);
    message = story_only(list);
    assert_int_equal(message->id, id);
    assert_true(message->lease_token > 0);
    assert_int_equal(message->state, PGQRS_MESSAGE_LEASED);
    assert_true(story_slice_is(message->payload, "{\"n\": 1}"));
    assert_int_equal(message->read_ct, 1);
    assert_int_equal(message->failed_ct, 0);
    assert_int_equal(message->crash_ct, 0);
    assert_int_equal(message->attempt, 1);
    assert_int_equal(message->consumer_worker_id, 12);
    assert_in_range(message->vt_ms - message->dequeued_at_ms, 29999, 30001);
    assert_true(message->dequeued_at_ms >= message->enqueued_at_ms);

    TS_OK(pgqrs_message_get(s->client, text("jobs"), id, &seen, s->err), s->err);
    assert_int_equal(story_only(seen)->state, PGQRS_MESSAGE_LEASED);
    assert_int_equal(story_only(seen)->lease_token, message->lease_token);
    pgqrs_message_list_free(seen);
    pgqrs_message_list_free(list);
    list = story_take(s, consumer, 10);
    assert_int_equal(pgqrs_message_list_count(list), 0);
    pgqrs_message_list_free(list);
    pgqrs_consumer_close(consumer);
}

STORY_TEST(the_lease_is_the_calls_or_the_consumers_or_the_settings)
{
    struct story *s = *state;
    pgqrs_client *client = ts_client(s->dsn, "default_lock_time_seconds", "7", NULL);
    pgqrs_dequeue_options own = PGQRS_DEQUEUE_OPTIONS_INIT;
    pgqrs_consumer *consumer = story_consumer(s, client, 0);
    pgqrs_message_list *list;

    own.lease_ms = 3000;
    story_send_many(s, 2, NULL);
    TS_OK(pgqrs_consumer_dequeue_batch(consumer, 1, &own, &list, s->err), s->err);
    assert_in_range(story_only(list)->vt_ms - story_only(list)->dequeued_at_ms, 2999, 3001);
    pgqrs_message_list_free(list);
    TS_OK(pgqrs_consumer_dequeue(consumer, &list, s->err), s->err);
    assert_in_range(story_only(list)->vt_ms - story_only(list)->dequeued_at_ms, 6999, 7001);
    pgqrs_message_list_free(list);
    pgqrs_consumer_close(consumer);
    pgqrs_client_close(client);
}

STORY_TEST(what_cannot_be_asked_for_is_refused)
{
    struct story *s = *state;
    pgqrs_dequeue_options options = PGQRS_DEQUEUE_OPTIONS_INIT;
    pgqrs_consumer_options opening = PGQRS_CONSUMER_OPTIONS_INIT;
    const size_t counts[] = { 0, 10001, SIZE_MAX };
    const int64_t leases[] = { -1, INT64_C(604800001), INT64_MAX };
    pgqrs_message_list *list = NULL;
    pgqrs_consumer *consumer = NULL;

    story_send(s, "1");
    for (int i = 0; i < 3; i++) {
        TS_IS(PGQRS_EINVAL,
              pgqrs_consumer_dequeue_batch(s->consumer, counts[i], NULL, &list, s->err), s->err);
        options.lease_ms = opening.lease_ms = leases[i];
        TS_IS(PGQRS_EINVAL, pgqrs_consumer_dequeue_batch(s->consumer, 1, &options, &list, s->err),
              s->err);
        TS_IS(PGQRS_EINVAL,
              pgqrs_consumer_open(s->client, text("jobs"), &opening, &consumer, s->err), s->err);
    }
    options.lease_ms = opening.lease_ms = 0;
    options.type = text("a\nb");
    TS_IS(PGQRS_EINVAL, pgqrs_consumer_dequeue_batch(s->consumer, 1, &options, &list, s->err),
          s->err);
    options.size = opening.size = 1;
    TS_IS(PGQRS_EINVAL, pgqrs_consumer_dequeue_batch(s->consumer, 1, &options, &list, s->err),
          s->err);
    TS_IS(PGQRS_EINVAL, pgqrs_consumer_open(s->client, text("jobs"), &opening, &consumer, s->err),
          s->err);
    TS_IS(PGQRS_ENOQUEUE, pgqrs_consumer_open(s->client, text("none"), NULL, &consumer, s->err),
          s->err);
    assert_null(list);
    assert_null(consumer);
    assert_int_equal(ts_int(s->sql, "SELECT read_ct FROM pgqrs_messages"), 0);
}

STORY_TEST(a_whole_batch_comes_in_id_order)
{
    enum { COUNT = 10000 };
    struct story *s = *state;
    int64_t *ids = calloc(COUNT, sizeof(*ids));
    pgqrs_message_list *list;

    story_send_many(s, COUNT, ids);
    list = story_take(s, s->consumer, COUNT);
    assert_int_equal(pgqrs_message_list_count(list), COUNT);
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(pgqrs_message_list_at(list, i)->id, ids[i]);
    pgqrs_message_list_free(list);
    free(ids);
}

static void
send_of_all_priorities(struct story *s, int64_t *expected)
{
    expected[5] = story_send_priority(s, -1);
    expected[6] = story_send_priority(s, -100);
    expected[3] = story_send(s, "1");
    expected[1] = story_send_priority(s, 5);
    expected[0] = story_send_priority(s, 100);
    expected[4] = story_send(s, "2");
    expected[2] = story_send_priority(s, 5);
}

STORY_TEST(higher_priorities_come_first_then_ids_then_lower_ones)
{
    struct story *s = *state;
    int64_t expected[7];

    send_of_all_priorities(s, expected);
    story_expect_order(s, s->consumer, expected, 7);
}

STORY_TEST(one_batch_has_that_order_too_and_another_client_as_well)
{
    struct story *s = *state;
    pgqrs_client *other = ts_client(s->dsn, NULL);
    pgqrs_consumer *consumer = story_consumer(s, other, STORY_LEASE_MS);
    pgqrs_message_list *list;
    int64_t expected[7];

    send_of_all_priorities(s, expected);
    list = story_take(s, consumer, 100);
    assert_int_equal(pgqrs_message_list_count(list), 7);
    for (size_t i = 0; i < 7; i++)
        assert_int_equal(pgqrs_message_list_at(list, i)->id, expected[i]);
    pgqrs_message_list_free(list);
    pgqrs_consumer_close(consumer);
    pgqrs_client_close(other);
}

STORY_TEST(a_released_message_keeps_its_place)
{
    struct story *s = *state;
    int64_t ids[3];

    story_send_many(s, 3, ids);
    TS_OK(pgqrs_consumer_release(s->consumer, story_take_one(s, s->consumer), 0, s->err), s->err);
    story_expect_order(s, s->consumer, ids, 3);
}

/* Ages of different lanes are compared by what the client knows, so two neighbours may change
 * places. */
STORY_TEST(a_delayed_message_stands_in_line_from_when_it_was_due)
{
    struct story *s = *state;
    pgqrs_enqueued delayed;
    pgqrs_message_list *list;
    int64_t ids[4];
    size_t place = 0;

    story_send_many(s, 2, NULL);
    TS_OK(pgqrs_producer_enqueue_delayed(s->producer, text("1"), 30, &delayed, s->err), s->err);
    ts_wait_until(s->sql, STORY_WAIT_MS, "SELECT vt < clock_timestamp() FROM " HELD);
    story_send_many(s, 3, ids);
    while (place < 6) {
        pgqrs_lease lease = story_take_one(s, s->consumer);

        if (lease.id == delayed.id)
            break;
        place++;
    }
    assert_in_range(place, 2, 3);
    list = story_take(s, s->consumer, 10);
    assert_int_equal(pgqrs_message_list_count(list), 5 - place);
    pgqrs_message_list_free(list);
}

/* The ready lane never runs dry, and yet the message that failed once comes again. */
STORY_TEST(a_retry_is_not_starved_by_newer_messages)
{
    struct story *s = *state;
    pgqrs_fail_options soon = PGQRS_FAIL_OPTIONS_INIT;
    int64_t until, failed = story_send(s, "\"fails\"");
    int found = 0;

    soon.delay_ms = 20;
    story_send_many(s, 100, NULL);
    TS_OK(pgqrs_consumer_fail(s->consumer, story_take_one(s, s->consumer), &soon, NULL, s->err),
          s->err);
    for (until = story_now_ms() + STORY_WAIT_MS; !found && story_now_ms() < until;) {
        pgqrs_message_list *list;

        story_send_many(s, 20, NULL);
        list = story_take(s, s->consumer, 20);
        assert_int_equal(pgqrs_message_list_count(list), 20);
        for (size_t i = 0; i < 20; i++)
            found |= pgqrs_message_list_at(list, i)->id == failed;
        pgqrs_message_list_free(list);
    }
    assert_true(found);
    assert_true(ts_int(s->sql, "SELECT count(*) FROM " READY " WHERE lease_token IS NULL") > 0);
}

STORY_TEST(only_messages_of_the_type_asked_for_come)
{
    struct story *s = *state;
    pgqrs_enqueue_options mail = PGQRS_ENQUEUE_OPTIONS_INIT,
                          urgent_mail = PGQRS_ENQUEUE_OPTIONS_INIT;
    pgqrs_dequeue_options mails = PGQRS_DEQUEUE_OPTIONS_INIT;
    pgqrs_message_list *list;
    int64_t expected[3], rest;

    mail.type = urgent_mail.type = mails.type = text("mail");
    urgent_mail.priority = 3;
    rest = story_send(s, "\"no type\"");
    expected[1] = story_send_with(s, "1", &mail);
    expected[2] = story_send_with(s, "2", &mail);
    expected[0] = story_send_with(s, "0", &urgent_mail);
    TS_OK(pgqrs_consumer_dequeue_batch(s->consumer, 10, &mails, &list, s->err), s->err);
    assert_int_equal(pgqrs_message_list_count(list), 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pgqrs_message_list_at(list, i)->id, expected[i]);
    pgqrs_message_list_free(list);
    story_expect_order(s, s->consumer, &rest, 1);
}

enum { CROWD = 8, CROWD_MESSAGES = 2000 };

struct eater {
    struct story *s;
    size_t max, eaten;
    int overfed;
};

static void *
eat(void *argument)
{
    struct eater *eater = argument;
    pgqrs_lease leases[64];
    pgqrs_status results[64];

    for (;;) {
        pgqrs_message_list *list = NULL;
        size_t count;

        TS_OK(pgqrs_consumer_dequeue_batch(eater->s->consumer, eater->max, NULL, &list, NULL),
              NULL);
        count = pgqrs_message_list_count(list);
        eater->overfed |= count > eater->max;
        for (size_t i = 0; i < count && i < 64; i++)
            leases[i] = pgqrs_message_lease(pgqrs_message_list_at(list, i));
        pgqrs_message_list_free(list);
        if (count == 0)
            return NULL;
        TS_OK(pgqrs_consumer_delete_batch(eater->s->consumer, leases, count, results, NULL), NULL);
        for (size_t i = 0; i < count; i++)
            eater->eaten += results[i] == PGQRS_OK;
    }
}

STORY_TEST(of_many_at_once_each_gets_his_own_and_never_too_many)
{
    struct story *s = *state;
    struct eater eaters[CROWD];
    pthread_t threads[CROWD];
    size_t eaten = 0;

    story_send_many(s, CROWD_MESSAGES, NULL);
    for (int i = 0; i < 20; i++)
        story_send_priority(s, i - 10);
    for (size_t i = 0; i < CROWD; i++) {
        eaters[i] = (struct eater){ .s = s, .max = i + 1 };
        pthread_create(&threads[i], NULL, eat, &eaters[i]);
    }
    for (int i = 0; i < CROWD; i++) {
        pthread_join(threads[i], NULL);
        assert_false(eaters[i].overfed);
        eaten += eaters[i].eaten;
    }
    assert_int_equal(eaten, CROWD_MESSAGES + 20);
    assert_int_equal(story_stored(s), 0);
}

STORY_TEST(a_claim_passes_by_what_others_have_locked)
{
    struct story *s = *state;
    PGconn *other = ts_connect(s->dsn);
    int64_t plain[2] = { story_send(s, "1"), story_send(s, "2") };
    int64_t urgent[2] = { story_send_priority(s, 1), story_send_priority(s, 1) };
    int64_t began_ms = story_now_ms();

    ts_sql(other, "BEGIN; SELECT FROM pgqrs_messages WHERE id IN (%lld, %lld) FOR UPDATE",
           (long long)plain[0], (long long)urgent[0]);
    story_expect_order(s, s->consumer, &urgent[1], 1);
    story_expect_order(s, s->consumer, &plain[1], 1);
    assert_true(story_now_ms() - began_ms < 1500);
    ts_sql(other, "ROLLBACK");
    PQfinish(other);
}

/* A transaction gets an id, others commit higher ids, which are finished, and then it commits. */
STORY_TEST(a_message_that_is_committed_late_is_delivered)
{
    struct story *s = *state;
    PGconn *slow = ts_connect(s->dsn);
    pgqrs_enqueued late;
    pgqrs_message_list *list;

    ts_sql(slow, "BEGIN");
    TS_OK(pgqrs_producer_enqueue_on(s->producer, slow, text("\"late\""), NULL, &late, s->err),
          s->err);
    for (int64_t until = story_now_ms() + 250; story_now_ms() < until;) {
        assert_true(story_send(s, "1") > late.id);
        TS_OK(pgqrs_consumer_delete(s->consumer, story_take_one(s, s->consumer), s->err), s->err);
    }
    ts_sql(slow, "COMMIT");
    PQfinish(slow);
    list = story_await(s, s->consumer);
    assert_int_equal(story_only(list)->id, late.id);
    assert_int_equal(story_only(list)->crash_ct, 0);
    pgqrs_message_list_free(list);
    /* The sweep must have found it: the claims were past its id. */
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM " HELD), 1);
}

STORY_TEST(an_expired_lease_is_handed_to_the_next)
{
    struct story *s = *state;
    pgqrs_consumer *hasty = story_consumer(s, s->client, 30);
    pgqrs_message_list *first, *second;

    story_send(s, "1");
    first = story_take(s, hasty, 1);
    second = story_await(s, s->consumer);
    assert_int_equal(story_only(second)->id, story_only(first)->id);
    assert_int_not_equal(story_only(second)->lease_token, story_only(first)->lease_token);
    assert_int_equal(story_only(second)->crash_ct, 1);
    assert_int_equal(story_only(second)->failed_ct, 0);
    assert_int_equal(story_only(second)->read_ct, 2);
    assert_int_equal(story_only(second)->attempt, 2);
    assert_true(story_only(second)->dequeued_at_ms >= story_only(first)->vt_ms);
    pgqrs_message_list_free(first);
    pgqrs_message_list_free(second);
    pgqrs_consumer_close(hasty);
}

/* The same in the held lane, where no sweep is needed. */
STORY_TEST(an_expired_lease_on_a_prioritised_message_too)
{
    struct story *s = *state;
    pgqrs_lease first;
    pgqrs_message_list *second;

    story_send_priority(s, 1);
    first = story_take_one(s, s->consumer);
    story_expire(s, first.id);
    second = story_await(s, s->consumer);
    assert_int_equal(story_only(second)->id, first.id);
    assert_int_equal(story_only(second)->crash_ct, 1);
    assert_int_not_equal(story_only(second)->lease_token, first.token);
    pgqrs_message_list_free(second);
}

TEST_MAIN(NULL, NULL)
