/*
 * The connection ends in the middle of a COPY: nothing was stored before the end of the rows was
 * sent, and after it all or nothing was, as the status says.
 */
#include "cutting.h"

#define MANY 200

/* So many at once are copied. There is no key, so it is not repeated. */
static pgqrs_status
enqueue_many(struct story *story, struct hands *hands)
{
    pgqrs_slice payloads[MANY];

    for (size_t i = 0; i < MANY; i++)
        payloads[i] = pgqrs_slice_of(story->payload);
    return pgqrs_producer_enqueue_batch(hands->producer, payloads, NULL, MANY, NULL, hands->err);
}

static void
check_enqueue_many(struct story *story, pgqrs_status status)
{
    int stored = (int)ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages WHERE payload = '%s'",
                             story->payload);

    if (stored != 0 && stored != MANY)
        ts_fail("case %d: %d of %d messages were stored", story->number, stored, MANY);
    check_agreement(story, status, stored != 0);
}

static const struct operation copying = { "enqueue of many", LONG_LEASE_MS, nothing, enqueue_many,
                                          check_enqueue_many };

STORY_TEST(a_batch_that_is_cut_anywhere_is_stored_whole_or_not_at_all)
{
    cut(*state, &copying);
}

STORY_TEST(a_batch_does_not_outlast_its_deadline_on_a_silent_connection)
{
    for (int direction = 0; direction < 2; direction++) {
        for (int late = 0; late < 2; late++) {
            struct fault fault = { (ts_proxy_direction)direction, TS_PROXY_MUTE, late ? 60 : 0 };

            assert_true(run_case(*state, &copying, late, &fault, "300", NULL));
        }
    }
}

/* Longer than what the kernel takes on its own, so that the connection fails while rows are being
 * sent. */
static pgqrs_status
copy_large(struct story *story, ts_proxy_fault fault, long bytes)
{
    size_t size = 100000;
    char *payload = malloc(size);
    pgqrs_slice payloads[MANY];
    pgqrs_status status;
    int64_t began;

    assert_non_null(payload);
    /* Spaces: what the server says of a part of them is short. */
    memset(payload, ' ', size);
    payload[0] = '7';
    for (size_t i = 0; i < MANY; i++)
        payloads[i] = (pgqrs_slice){ payload, size };
    open_through_proxy(story, &copying, fault == TS_PROXY_STALL ? "2000" : "20000");
    ts_proxy_arm(story->proxy, TS_PROXY_TO_SERVER, bytes, fault);
    began = crowd_now_us();
    status = pgqrs_producer_enqueue_batch(story->cut.producer, payloads, NULL, MANY, NULL,
                                          story->cut.err);
    TS_TRUE(fault != TS_PROXY_STALL || crowd_now_us() - began < (2000 + GRACE_MS) * 1000);
    TS_TRUE(ts_proxy_has_failed(story->proxy));
    close_through_proxy(story);
    pgqrs_error_free(story->cut.err);
    free(payload);
    return status;
}

STORY_TEST(rows_that_nobody_reads_are_certainly_not_stored)
{
    struct story *story = *state;

    TS_IS(PGQRS_ETIMEDOUT, copy_large(story, TS_PROXY_STALL, 1000000), NULL);
    assert_int_equal(ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages"), 0);
}

STORY_TEST(a_copy_that_is_cut_among_its_rows_is_repeated)
{
    struct story *story = *state;

    TS_OK(copy_large(story, TS_PROXY_CLOSE, 1000000), NULL);
    TS_OK(copy_large(story, TS_PROXY_RESET, 3000000), NULL);
    assert_int_equal(ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages"), 2 * MANY);
}

TEST_MAIN(NULL, NULL)
