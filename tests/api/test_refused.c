/*
 * Input that a producer refuses: the error says what and where, and nothing is stored.
 */
#include "story.h"

#define SECRET "hunter2"

static void
expect_refused(struct story *s, pgqrs_slice payload, const pgqrs_enqueue_options *options,
               const char *part)
{
    pgqrs_enqueued enqueued = { -1, -1 };

    TS_IS(PGQRS_EINVAL, pgqrs_producer_enqueue(s->producer, payload, options, &enqueued, s->err),
          s->err);
    story_expect_message(s, part);
    if (strstr(pgqrs_error_message(s->err), SECRET) != NULL)
        ts_fail("the payload stands in \"%s\"", pgqrs_error_message(s->err));
    assert_int_equal(enqueued.id, -1);
    assert_int_equal(pgqrs_error_is_transient(s->err), 0);
    assert_int_equal(story_stored(s), 0);
}

STORY_TEST(what_is_not_json_is_refused_with_its_place)
{
    struct story *s = *state;

    expect_refused(s, text("{\"" SECRET "\" 1}"), NULL, "byte 12");
    expect_refused(s, text("[1, 2,]"), NULL, "byte 7");
    expect_refused(s, text(SECRET), NULL, "byte 1");
    expect_refused(s, text("{} x"), NULL, "byte 4");
    expect_refused(s, text("\"" SECRET), NULL, "byte");
    expect_refused(s, text(""), NULL, "byte 1");
    expect_refused(s, text("   "), NULL, "byte 4");
    expect_refused(s, text("'a'"), NULL, "byte 1");
    expect_refused(s, text("NaN"), NULL, "byte 1");
    expect_refused(s, text("\"\t\""), NULL, "byte 2");
    expect_refused(s, (pgqrs_slice){ NULL, 0 }, NULL, "missing payload");
    expect_refused(s, (pgqrs_slice){ "1\0002", 3 }, NULL, "byte 2");
}

STORY_TEST(what_jsonb_cannot_hold_is_refused)
{
    struct story *s = *state;

    expect_refused(s, text("\"a\\u0000\""), NULL, "byte");
    expect_refused(s, text("\"\\ud800\""), NULL, "byte");
    expect_refused(s, text("\"\xff\""), NULL, "byte 2");
    expect_refused(s, text("\"\xc0\x80\""), NULL, "byte 2");
    expect_refused(s, text("\"\xed\xa0\x80\""), NULL, "byte 2");
    expect_refused(s, text("1e999999"), NULL, "byte");
}

STORY_TEST(a_payload_is_at_most_64_levels_deep)
{
    struct story *s = *state;
    char deep[131];

    memset(deep, '[', 65);
    memset(deep + 65, ']', 65);
    expect_refused(s, (pgqrs_slice){ deep, 130 }, NULL, "byte 65");
    TS_OK(pgqrs_producer_enqueue(s->producer, (pgqrs_slice){ deep + 1, 128 }, NULL, NULL, s->err),
          s->err);
    assert_int_equal(story_stored(s), 1);
}

STORY_TEST(a_payload_is_at_most_as_long_as_the_setting_says)
{
    struct story *s = *state;
    pgqrs_client *small = ts_client(s->dsn, "max_payload_bytes", "10", NULL);
    pgqrs_producer *producer;
    size_t megabyte = 1048576;
    char *large = malloc(megabyte + 1);

    memset(large, 'x', megabyte + 1);
    large[0] = large[megabyte] = '"';
    expect_refused(s, (pgqrs_slice){ large, megabyte + 1 }, NULL, "max_payload_bytes");
    TS_OK(pgqrs_producer_open(small, text("jobs"), NULL, &producer, s->err), s->err);
    TS_IS(PGQRS_EINVAL, pgqrs_producer_enqueue(producer, text("\"123456789\""), NULL, NULL, s->err),
          s->err);
    assert_int_equal(story_stored(s), 0);
    TS_OK(pgqrs_producer_enqueue(producer, text("\"12345678\""), NULL, NULL, s->err), s->err);
    large[megabyte - 1] = '"';
    TS_OK(pgqrs_producer_enqueue(s->producer, (pgqrs_slice){ large, megabyte }, NULL, NULL, s->err),
          s->err);
    assert_int_equal(ts_int(s->sql, "SELECT max(length(payload #>> '{}')) FROM pgqrs_messages"),
                     megabyte - 2);
    pgqrs_producer_close(producer);
    pgqrs_client_close(small);
    free(large);
}

STORY_TEST(numbers_out_of_range_are_refused)
{
    const int64_t ten_years_ms = INT64_C(315360000000);
    const int64_t delays[] = { -1, ten_years_ms + 1, INT64_MAX, INT64_MIN };
    const int32_t priorities[] = { -101, 101, INT32_MAX, INT32_MIN };
    struct story *s = *state;

    for (int i = 0; i < 4; i++) {
        pgqrs_enqueue_options options = PGQRS_ENQUEUE_OPTIONS_INIT;

        options.delay_ms = delays[i];
        expect_refused(s, text("1"), &options, "delay_ms");
        TS_IS(PGQRS_EINVAL,
              pgqrs_producer_enqueue_delayed(s->producer, text("1"), delays[i], NULL, s->err),
              s->err);
        options.delay_ms = 0;
        options.priority = priorities[i];
        expect_refused(s, text("1"), &options, "priority");
    }
    TS_OK(pgqrs_producer_enqueue_delayed(s->producer, text("1"), ten_years_ms, NULL, s->err),
          s->err);
    story_send_priority(s, -100);
    story_send_priority(s, 100);
    assert_int_equal(story_stored(s), 3);
}

STORY_TEST(texts_out_of_shape_are_refused)
{
    static char longest[256];
    const struct {
        pgqrs_slice value;
        int key, type;
    } cases[] = { { { "", 0 }, 1, 1 },         { { longest, 256 }, 1, 1 },
                  { { longest, 129 }, 0, 1 },  { { "a\nb", 3 }, 1, 1 },
                  { { "a\0b", 3 }, 1, 1 },     { { "\xff", 1 }, 1, 1 },
                  { { "\xc2\x80", 2 }, 1, 1 }, { { "\xe2\x82", 2 }, 1, 1 } };
    struct story *s = *state;

    memset(longest, 'k', sizeof(longest));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        pgqrs_enqueue_options options = PGQRS_ENQUEUE_OPTIONS_INIT;

        options.idempotency_key = cases[i].value;
        if (cases[i].key)
            expect_refused(s, text("1"), &options, "idempotency key");
        options.idempotency_key = (pgqrs_slice){ NULL, 0 };
        options.type = cases[i].value;
        expect_refused(s, text("1"), &options, "message type");
    }
    {
        pgqrs_enqueue_options options = PGQRS_ENQUEUE_OPTIONS_INIT;

        options.idempotency_key = (pgqrs_slice){ longest, 255 };
        options.type = (pgqrs_slice){ longest, 128 };
        story_send_with(s, "1", &options);
    }
    assert_int_equal(story_stored(s), 1);
}

STORY_TEST(headers_are_an_object)
{
    const char *const wrong[] = {
        "[]", "1", "null", "\"" SECRET "\"", "{\"" SECRET "\"", "", "{\"a\": \"\\u0000\"}"
    };
    struct story *s = *state;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        pgqrs_enqueue_options options = PGQRS_ENQUEUE_OPTIONS_INIT;

        options.headers = text(wrong[i]);
        expect_refused(s, text("1"), &options, "headers");
    }
}

STORY_TEST(options_that_were_not_initialised_are_refused)
{
    struct story *s = *state;
    pgqrs_enqueue_options options = PGQRS_ENQUEUE_OPTIONS_INIT;

    options.size = 0;
    expect_refused(s, text("1"), &options, "PGQRS_ENQUEUE_OPTIONS_INIT");
}

/* As a program sees its options that was built with a later header: with one member more, zero or
 * not. */
struct later {
    pgqrs_enqueue_options now;
    int64_t more;
};

STORY_TEST(options_of_other_versions_are_understood)
{
    struct story *s = *state;
    struct later later = { PGQRS_ENQUEUE_OPTIONS_INIT, 0 };
    const pgqrs_enqueue_options *batch[] = { NULL, &later.now };
    const pgqrs_slice payloads[] = { text("1"), text("2") };
    pgqrs_enqueue_options shorter = PGQRS_ENQUEUE_OPTIONS_INIT;
    pgqrs_enqueued enqueued[2];
    pgqrs_message_list *list = NULL;

    later.now.size = sizeof(later);
    later.now.priority = 3;
    TS_OK(pgqrs_producer_enqueue_batch(s->producer, payloads, batch, 2, enqueued, s->err), s->err);
    assert_int_equal(ts_int(s->sql, "SELECT priority FROM pgqrs_messages WHERE id = %lld",
                            (long long)enqueued[1].id),
                     3);
    later.more = 1;
    TS_IS(PGQRS_EINVAL,
          pgqrs_producer_enqueue_batch(s->producer, payloads, batch, 2, enqueued, s->err), s->err);
    shorter.size = offsetof(pgqrs_enqueue_options, idempotency_key);
    shorter.priority = 5;
    shorter.type = text("not read");
    TS_OK(pgqrs_producer_enqueue(s->producer, text("3"), &shorter, enqueued, s->err), s->err);
    TS_OK(pgqrs_consumer_dequeue(s->consumer, &list, s->err), s->err);
    assert_int_equal(pgqrs_message_list_at(list, 0)->priority, 5);
    assert_null(pgqrs_message_list_at(list, 0)->type.data);
    pgqrs_message_list_free(list);
}

STORY_TEST(a_refusal_needs_no_error_to_be_written_to)
{
    struct story *s = *state;

    assert_int_equal(pgqrs_producer_enqueue(s->producer, text("{"), NULL, NULL, NULL),
                     PGQRS_EINVAL);
    assert_int_equal(pgqrs_error_status(s->err), PGQRS_OK);
}

TEST_MAIN(NULL, NULL)
