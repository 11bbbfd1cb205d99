/*
 * This process's own clock.
 */
#include "found.h"

#include <limits.h>
#include <time.h>

#include "base/clock.h"

static int64_t
monotonic_ms(void)
{
    struct timespec now;

    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

TEST(test_the_clock_is_the_monotonic_one_in_milliseconds)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        int64_t before = monotonic_ms(), now = pgqrsi_clock_ms(), after = monotonic_ms();

        assert_true(before <= now && now <= after);
    }
}

TEST(test_the_clock_goes_on)
{
    int64_t start = pgqrsi_clock_ms(), last = start;

    (void)state;
    /* Given a start, when one looks until twenty milliseconds have passed, then it never went
     * back. */
    while (last < start + 20) {
        int64_t now = pgqrsi_clock_ms();

        assert_true(now >= last);
        last = now;
    }
}

TEST(test_nothing_is_left_of_a_deadline_that_passed)
{
    int64_t now = pgqrsi_clock_ms();

    (void)state;
    assert_int_equal(pgqrsi_clock_left_ms(now), 0);
    assert_int_equal(pgqrsi_clock_left_ms(now - 1), 0);
    assert_int_equal(pgqrsi_clock_left_ms(now - 100000), 0);
    assert_int_equal(pgqrsi_clock_left_ms(0), 0);
    assert_int_equal(pgqrsi_clock_left_ms(INT64_MIN), 0);
}

TEST(test_what_is_left_shrinks_as_time_passes)
{
    int64_t before = pgqrsi_clock_ms();
    int left = pgqrsi_clock_left_ms(before + 60000);
    int64_t after = pgqrsi_clock_ms();

    (void)state;
    assert_true(left <= 60000);
    assert_true(left >= 60000 - (after - before));
}

/* poll(2) takes an int, and takes a negative one for "for ever". */
TEST(test_what_is_left_fits_an_int)
{
    (void)state;
    assert_int_equal(pgqrsi_clock_left_ms(PGQRSI_CLOCK_NEVER), INT_MAX);
    assert_int_equal(pgqrsi_clock_left_ms(pgqrsi_clock_ms() + (int64_t)INT_MAX + 60000), INT_MAX);
    assert_in_range(pgqrsi_clock_left_ms(pgqrsi_clock_ms() + INT_MAX), INT_MAX - 60000, INT_MAX);
}

TEST_MAIN(NULL, NULL)
