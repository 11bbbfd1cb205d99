/*
 * Enqueue: one message, many, delayed, prioritised; a refused call stores nothing.
 */
#include "story.h"

STORY_TEST(a_message_is_stored_as_it_was_given)
{
    struct story *s = *state;
    pgqrs_enqueue_options options = PGQRS_ENQUEUE_OPTIONS_INIT;
    pgqrs_message_list *list;
    const pgqrs_message *message;
    int64_t id;

    options.headers = text("{\"trace\": \"abc\"}");
    options.type = text("e-mail \xe2\x9c\x89");
    id = story_send_with(s, " {\"b\": 1, \"a\": \"\xc3\xa9\\u0001\"} ", &options);

    TS_OK(pgqrs_message_get(s->client, text("jobs"), id, &list, s->err), s->err);
    message = story_only(list);
    assert_int_equal(message->id, id);
    assert_int_equal(message->state, PGQRS_MESSAGE_READY);
    assert_true(story_slice_is(message->payload, "{\"a\": \"\xc3\xa9\\u0001\", \"b\": 1}"));
    assert_true(story_slice_is(message->headers, "{\"trace\": \"abc\"}"));
    assert_true(story_slice_is(message->type, "e-mail \xe2\x9c\x89"));
    assert_int_equal(message->priority, 0);
    assert_int_equal(message->read_ct, 0);
    assert_int_equal(message->lease_token, 0);
    assert_int_equal(message->producer_worker_id, 0);
    assert_true(message->enqueued_at_ms > INT64_C(1600000000000));
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM " READY), 1);
    pgqrs_message_list_free(list);
}

STORY_TEST(a_message_without_options_has_neither_headers_nor_type)
{
    struct story *s = *state;
    pgqrs_message_list *list;

    story_send(s, "null");
    list = story_take(s, s->consumer, 1);
    assert_true(story_slice_is(story_only(list)->payload, "null"));
    assert_null(story_only(list)->headers.data);
    assert_null(story_only(list)->type.data);
    pgqrs_message_list_free(list);
}

STORY_TEST(a_payload_need_not_end_with_a_zero_byte)
{
    struct story *s = *state;
    const char json[] = { '[', '7', ']', 'x' };
    pgqrs_message_list *list;

    TS_OK(pgqrs_producer_enqueue(s->producer, (pgqrs_slice){ json, 3 }, NULL, NULL, s->err),
          s->err);
    list = story_take(s, s->consumer, 1);
    assert_true(story_slice_is(story_only(list)->payload, "[7]"));
    pgqrs_message_list_free(list);
}

STORY_TEST(a_batch_gets_its_ids_in_the_order_of_its_payloads)
{
    enum { COUNT = 10000 };
    struct story *s = *state;
    pgqrs_slice *payloads = calloc(COUNT, sizeof(*payloads));
    pgqrs_enqueued *enqueued = calloc(COUNT, sizeof(*enqueued));
    char(*texts)[16] = calloc(COUNT, sizeof(*texts));

    for (int i = 0; i < COUNT; i++) {
        snprintf(texts[i], sizeof(texts[i]), "%d", i);
        payloads[i] = text(texts[i]);
    }
    TS_OK(pgqrs_producer_enqueue_batch(s->producer, payloads, NULL, COUNT, enqueued, s->err),
          s->err);
    for (int i = 1; i < COUNT; i++)
        assert_true(enqueued[i].id > enqueued[i - 1].id);
    assert_int_equal(story_stored(s), COUNT);
    assert_int_equal(ts_int(s->sql,
                            "SELECT count(*) FROM pgqrs_messages WHERE payload::int = id - %lld",
                            (long long)enqueued[0].id),
                     COUNT);
    free(payloads);
    free(enqueued);
    free(texts);
}

STORY_TEST(a_batch_with_options_keeps_each_with_its_message)
{
    struct story *s = *state;
    pgqrs_slice payloads[] = { text("0"), text("1"), text("2"), text("3") };
    pgqrs_enqueue_options late = PGQRS_ENQUEUE_OPTIONS_INIT, urgent = PGQRS_ENQUEUE_OPTIONS_INIT;
    const pgqrs_enqueue_options *options[] = { NULL, &late, NULL, &urgent };
    pgqrs_enqueued enqueued[4];

    late.delay_ms = 3600000;
    late.type = text("late");
    urgent.priority = 100;
    urgent.headers = text("{}");
    TS_OK(pgqrs_producer_enqueue_batch(s->producer, payloads, options, 4, enqueued, s->err),
          s->err);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(enqueued[i].duplicate, 0);
        assert_int_equal(ts_int(s->sql, "SELECT payload::int FROM pgqrs_messages WHERE id = %lld",
                                (long long)enqueued[i].id),
                         i);
    }
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM " READY " WHERE id IN (%lld, %lld)",
                            (long long)enqueued[0].id, (long long)enqueued[2].id),
                     2);
    assert_int_equal(ts_int(s->sql,
                            "SELECT id FROM " HELD
                            " WHERE message_type = 'late' AND vt > now() + interval '59 min'"),
                     enqueued[1].id);
    assert_int_equal(
        ts_int(s->sql, "SELECT id FROM " HELD " WHERE priority = 100 AND headers = '{}'"),
        enqueued[3].id);
}

STORY_TEST(a_batch_has_1_to_10000_messages)
{
    struct story *s = *state;
    pgqrs_slice *payloads = calloc(10001, sizeof(*payloads));

    for (int i = 0; i < 10001; i++)
        payloads[i] = text("1");
    TS_IS(PGQRS_EINVAL, pgqrs_producer_enqueue_batch(s->producer, payloads, NULL, 0, NULL, s->err),
          s->err);
    TS_IS(PGQRS_EINVAL,
          pgqrs_producer_enqueue_batch(s->producer, payloads, NULL, 10001, NULL, s->err), s->err);
    story_expect_message(s, "10000");
    TS_IS(PGQRS_EINVAL,
          pgqrs_producer_enqueue_batch(s->producer, payloads, NULL, SIZE_MAX, NULL, s->err),
          s->err);
    assert_int_equal(story_stored(s), 0);
    TS_OK(pgqrs_producer_enqueue_batch(s->producer, payloads, NULL, 1, NULL, s->err), s->err);
    assert_int_equal(story_stored(s), 1);
    free(payloads);
}

STORY_TEST(one_bad_message_keeps_its_whole_batch_out)
{
    struct story *s = *state;
    pgqrs_slice payloads[] = { text("1"), text("2"), text("{\"a\": }") };
    pgqrs_enqueued enqueued[3] = { { -1, -1 }, { -1, -1 }, { -1, -1 } };

    TS_IS(PGQRS_EINVAL,
          pgqrs_producer_enqueue_batch(s->producer, payloads, NULL, 3, enqueued, s->err), s->err);
    story_expect_message(s, "message 2 of the batch");
    story_expect_message(s, "byte 7");
    assert_int_equal(story_stored(s), 0);
    assert_int_equal(enqueued[0].id, -1);
}

/* The server fails in the middle of a batch, by a constraint that the test adds to the table. */
STORY_TEST(a_batch_that_fails_at_the_server_stores_none)
{
    struct story *s = *state;
    pgqrs_slice payloads[] = { text("1"), text("2"), text("\"secret\"") };
    pgqrs_enqueue_options delayed = PGQRS_ENQUEUE_OPTIONS_INIT;
    const pgqrs_enqueue_options *options[] = { NULL, &delayed, NULL };

    delayed.delay_ms = 1;
    ts_sql(s->sql, "ALTER TABLE " READY " ADD CHECK (payload <> '\"secret\"')");
    assert_int_not_equal(
        pgqrs_producer_enqueue_batch(s->producer, payloads, options, 3, NULL, s->err), PGQRS_OK);
    assert_null(strstr(pgqrs_error_message(s->err), "secret"));
    assert_int_equal(story_stored(s), 0);
}

STORY_TEST(a_delayed_message_comes_when_it_is_due)
{
    struct story *s = *state;
    pgqrs_enqueued enqueued;
    pgqrs_message_list *list;

    TS_OK(pgqrs_producer_enqueue_delayed(s->producer, text("1"), 200, &enqueued, s->err), s->err);
    list = story_take(s, s->consumer, 10);
    assert_int_equal(pgqrs_message_list_count(list), 0);
    pgqrs_message_list_free(list);
    TS_OK(pgqrs_message_get(s->client, text("jobs"), enqueued.id, &list, s->err), s->err);
    assert_int_equal(story_only(list)->state, PGQRS_MESSAGE_DELAYED);
    pgqrs_message_list_free(list);

    list = story_await(s, s->consumer);
    assert_int_equal(story_only(list)->id, enqueued.id);
    assert_true(story_only(list)->dequeued_at_ms - story_only(list)->enqueued_at_ms >= 199);
    assert_true(story_only(list)->dequeued_at_ms - story_only(list)->enqueued_at_ms < 2000);
    pgqrs_message_list_free(list);
}

STORY_TEST(another_client_finds_a_delayed_message_as_well)
{
    struct story *s = *state;
    pgqrs_client *other = ts_client(s->dsn, NULL);
    pgqrs_consumer *consumer = story_consumer(s, other, STORY_LEASE_MS);
    pgqrs_message_list *list = story_take(s, consumer, 1);

    assert_int_equal(pgqrs_message_list_count(list), 0);
    pgqrs_message_list_free(list);
    TS_OK(pgqrs_producer_enqueue_delayed(s->producer, text("1"), 100, NULL, s->err), s->err);
    list = story_await(s, consumer);
    assert_true(story_only(list)->dequeued_at_ms - story_only(list)->enqueued_at_ms < 2000);
    pgqrs_message_list_free(list);
    pgqrs_consumer_close(consumer);
    pgqrs_client_close(other);
}

STORY_TEST(a_rate_limit_refuses_what_is_too_much)
{
    struct story *s = *state;
    pgqrs_producer_options options = PGQRS_PRODUCER_OPTIONS_INIT;
    const struct timespec pause = { .tv_nsec = 5000000 };
    int64_t until = story_now_ms() + STORY_WAIT_MS;
    pgqrs_producer *limited;
    pgqrs_status status;
    int stored = 0;

    options.max_messages_per_second = 10;
    TS_OK(pgqrs_producer_open(s->client, text("jobs"), &options, &limited, s->err), s->err);
    while ((status = pgqrs_producer_enqueue(limited, text("1"), NULL, NULL, s->err)) == PGQRS_OK &&
           stored < 50)
        stored++;
    TS_IS(PGQRS_ERATE, status, s->err);
    assert_true(stored >= 10);
    assert_true(pgqrs_error_is_transient(s->err));
    assert_int_equal(story_stored(s), stored);

    while (pgqrs_producer_enqueue(limited, text("1"), NULL, NULL, s->err) == PGQRS_ERATE) {
        TS_TRUE(story_now_ms() < until);
        nanosleep(&pause, NULL);
    }
    assert_int_equal(story_stored(s), stored + 1);
    pgqrs_producer_close(limited);
}

STORY_TEST(a_producer_has_its_options_checked)
{
    struct story *s = *state;
    pgqrs_producer *producer;
    pgqrs_producer_options options[] = { PGQRS_PRODUCER_OPTIONS_INIT, PGQRS_PRODUCER_OPTIONS_INIT,
                                         PGQRS_PRODUCER_OPTIONS_INIT, PGQRS_PRODUCER_OPTIONS_INIT };

    options[0].size = 4;
    options[1].max_messages_per_second = -1;
    options[2].key_retention_ms = -1;
    options[3].key_retention_ms = INT64_C(366) * 86400000;
    for (int i = 0; i < 4; i++)
        TS_IS(PGQRS_EINVAL,
              pgqrs_producer_open(s->client, text("jobs"), &options[i], &producer, s->err), s->err);
    TS_IS(PGQRS_ENOQUEUE, pgqrs_producer_open(s->client, text("none"), NULL, &producer, s->err),
          s->err);
    story_expect_message(s, "\"none\"");
}

STORY_TEST(who_enqueued_it_is_recorded)
{
    struct story *s = *state;
    pgqrs_producer_options options = PGQRS_PRODUCER_OPTIONS_INIT;
    pgqrs_producer *producer;
    pgqrs_message_list *list;

    options.worker_id = 77;
    TS_OK(pgqrs_producer_open(s->client, text("jobs"), &options, &producer, s->err), s->err);
    TS_OK(pgqrs_producer_enqueue(producer, text("1"), NULL, NULL, s->err), s->err);
    TS_OK(pgqrs_producer_enqueue_delayed(producer, text("1"), 1, NULL, s->err), s->err);
    for (int i = 0; i < 2; i++) {
        list = story_await(s, s->consumer);
        assert_int_equal(story_only(list)->producer_worker_id, 77);
        pgqrs_message_list_free(list);
    }
    pgqrs_producer_close(producer);
}

TEST_MAIN(NULL, NULL)
