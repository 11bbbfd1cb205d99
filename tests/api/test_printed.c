/*
 * JSON that is short when it is sent and long when the server prints it, since jsonb writes
 * 1e131071 as 131,072 digits: a payload that could never be read again is not stored.
 */
#include "story.h"

#define MEGABYTE 1048576

/* `before`, `unit` `count` times with commas between, `after`; the caller frees it. */
static char *
repeated(const char *before, const char *unit, size_t count, const char *after)
{
    char *all = malloc(strlen(before) + count * (strlen(unit) + 1) + strlen(after) + 1);
    char *end = all;

    if (all == NULL)
        ts_fail("out of memory");
    end = stpcpy(end, before);
    for (size_t i = 0; i < count; i++)
        end = stpcpy(stpcpy(end, i > 0 ? "," : ""), unit);
    stpcpy(end, after);
    return all;
}

STORY_TEST(numbers_that_grow_when_they_are_printed_are_refused)
{
    static const struct {
        const char *number;
        size_t count;
    } cases[] = { { "1e131071", 8300 }, { "1e131071", 300 }, { "-1e131071", 16 },
                  { "1e-16383", 128 },  { "0e-16383", 128 }, { "{\"a\":[1e131071]}", 16 } };
    struct story *s = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *payload = repeated("[", cases[i].number, cases[i].count, "]");

        TS_IS(PGQRS_EINVAL, pgqrs_producer_enqueue(s->producer, text(payload), NULL, NULL, s->err),
              s->err);
        story_expect_message(s, "without exponents");
        free(payload);
    }
    assert_int_equal(story_stored(s), 0);
}

STORY_TEST(headers_and_results_are_bound_as_payloads_are)
{
    pgqrs_enqueue_options options = PGQRS_ENQUEUE_OPTIONS_INIT;
    const pgqrs_enqueue_options *each[] = { NULL, &options };
    pgqrs_slice payloads[] = { text("1"), text("2") }, result;
    struct story *s = *state;
    char *headers = repeated("{\"a\":[", "1e131071", 50, "]}");
    pgqrs_status status = PGQRS_OK;
    pgqrs_lease lease;

    options.headers = text(headers);
    TS_IS(PGQRS_EINVAL, pgqrs_producer_enqueue(s->producer, text("1"), &options, NULL, s->err),
          s->err);
    TS_IS(PGQRS_EINVAL, pgqrs_producer_enqueue_batch(s->producer, payloads, each, 2, NULL, s->err),
          s->err);
    story_expect_message(s, "headers of message 1 of the batch");
    assert_int_equal(story_stored(s), 0);
    story_send(s, "1");
    lease = story_take_one(s, s->consumer);
    result = text(headers);
    TS_IS(PGQRS_EINVAL, pgqrs_consumer_archive(s->consumer, lease, result, s->err), s->err);
    TS_IS(PGQRS_EINVAL,
          pgqrs_consumer_archive_batch(s->consumer, &lease, &result, 1, &status, s->err), s->err);
    TS_OK(pgqrs_consumer_archive(s->consumer, lease, text("1e300"), s->err), s->err);
    free(headers);
}

/* Up to the limit a payload can be read back, also a whole batch of such. */
STORY_TEST(what_is_accepted_can_be_read)
{
    struct story *s = *state;
    char *numbers = repeated("[", "1e131071", 7, "]");
    char *dense = repeated("[", "1", MEGABYTE / 2 - 1, "]");
    pgqrs_message_list *list;

    for (int i = 0; i < 10; i++)
        story_send(s, numbers);
    story_send(s, dense);
    list = story_take(s, s->consumer, 11);
    assert_int_equal(pgqrs_message_list_count(list), 11);
    assert_int_equal(pgqrs_message_list_at(list, 0)->payload.size, 7 * 131072 + 2 + 6 * 2);
    assert_int_equal(pgqrs_message_list_at(list, 10)->payload.size, (MEGABYTE / 2 - 1) * 3);
    pgqrs_message_list_free(list);
    free(numbers);
    free(dense);
}

STORY_TEST(the_limit_is_twice_the_setting_and_at_least_a_mebibyte)
{
    struct story *s = *state;
    pgqrs_client *small = ts_client(s->dsn, "max_payload_bytes", "100", NULL);
    pgqrs_client *large = ts_client(s->dsn, "max_payload_bytes", "2097152", NULL);
    char *seven = repeated("[", "1e131071", 7, "]"), *eight = repeated("[", "1e131071", 8, "]");
    pgqrs_producer *producer;

    TS_OK(pgqrs_producer_open(small, text("jobs"), NULL, &producer, s->err), s->err);
    TS_OK(pgqrs_producer_enqueue(producer, text(seven), NULL, NULL, s->err), s->err);
    TS_IS(PGQRS_EINVAL, pgqrs_producer_enqueue(producer, text(eight), NULL, NULL, s->err), s->err);
    pgqrs_producer_close(producer);
    TS_OK(pgqrs_producer_open(large, text("jobs"), NULL, &producer, s->err), s->err);
    TS_OK(pgqrs_producer_enqueue(producer, text(eight), NULL, NULL, s->err), s->err);
    pgqrs_producer_close(producer);
    pgqrs_client_close(small);
    pgqrs_client_close(large);
    free(seven);
    free(eight);
}

TEST_MAIN(NULL, NULL)
