/*
 * When a worker tells again what is wrong: at moments of the test's own.
 */
#include "found.h"

#include <stdio.h>

#include "exchange/events.h"

#define MINUTE_MS 60000
#define SECOND_MS 1000
#define HOUR_MS (60 * MINUTE_MS)

/* A server that is tried twice a second for an hour, and refuses each time for the reason that
 * `reason` gives. */
static int
count_told(const char *(*reason)(int64_t at_ms))
{
    pgqrsi_trouble trouble = { 0 };
    int told = 0;

    for (int64_t at_ms = 0; at_ms < HOUR_MS; at_ms += SECOND_MS / 2)
        told += pgqrsi_trouble_is_news(&trouble, reason(at_ms), at_ms + 123456789);
    return told;
}

static const char *
always_the_same(int64_t at_ms)
{
    (void)at_ms;
    return "connection refused";
}

static const char *
another_each_time(int64_t at_ms)
{
    return at_ms % SECOND_MS == 0 ? "connection refused" : "too many connections";
}

static const char *
another_after_half_an_hour(int64_t at_ms)
{
    return at_ms < HOUR_MS / 2 + SECOND_MS / 2 ? "connection refused" : "too many connections";
}

TEST(a_reason_that_stays_is_told_once_a_minute)
{
    (void)state;
    assert_int_equal(count_told(always_the_same), 60);
}

TEST(the_same_reason_is_news_after_a_minute_and_no_sooner)
{
    pgqrsi_trouble trouble = { 0 };

    (void)state;
    assert_true(pgqrsi_trouble_is_news(&trouble, "refused", 5));
    assert_false(pgqrsi_trouble_is_news(&trouble, "refused", 5));
    assert_false(pgqrsi_trouble_is_news(&trouble, "refused", 5 + MINUTE_MS - 1));
    assert_true(pgqrsi_trouble_is_news(&trouble, "refused", 5 + MINUTE_MS));
    assert_false(pgqrsi_trouble_is_news(&trouble, "refused", 5 + 2 * MINUTE_MS - 1));
    assert_true(pgqrsi_trouble_is_news(&trouble, "refused", 5 + 2 * MINUTE_MS));
}

TEST(another_reason_is_news_a_second_after_the_last_one)
{
    pgqrsi_trouble trouble = { 0 };

    (void)state;
    assert_true(pgqrsi_trouble_is_news(&trouble, "refused", 0));
    assert_false(pgqrsi_trouble_is_news(&trouble, "no login", SECOND_MS - 1));
    assert_true(pgqrsi_trouble_is_news(&trouble, "no login", SECOND_MS));
    /* The first one is another one again, whatever was told before. */
    assert_false(pgqrsi_trouble_is_news(&trouble, "refused", SECOND_MS + 1));
    assert_true(pgqrsi_trouble_is_news(&trouble, "refused", 2 * SECOND_MS));
}

TEST(a_new_reason_does_not_wait_for_the_minute_of_the_old_one)
{
    (void)state;
    /* 31 times the one, and 30 times the other, which begins half a second after the one was
     * told. */
    assert_int_equal(count_told(another_after_half_an_hour), 61);
}

TEST(reasons_that_take_turns_are_told_no_more_than_once_a_second)
{
    (void)state;
    assert_in_range(count_told(another_each_time), 60, HOUR_MS / SECOND_MS);
}

TEST(what_is_over_is_news_when_it_comes_again)
{
    pgqrsi_trouble trouble = { 0 };

    (void)state;
    assert_true(pgqrsi_trouble_is_news(&trouble, "refused", 0));
    pgqrsi_events_resolved(&trouble);
    assert_true(pgqrsi_trouble_is_news(&trouble, "refused", 1));
    assert_false(pgqrsi_trouble_is_news(&trouble, "refused", 2));
}

TEST_MAIN(NULL, NULL)
