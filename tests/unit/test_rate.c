/*
 * The token bucket, with a clock of the test's own.
 */

#include "found.h"

#include "base/rate.h"

TEST(test_without_a_limit_everything_passes)
{
    pgqrsi_rate rate;

    (void)state;
    pgqrsi_rate_init(&rate, 0, 1000);
    for (int i = 0; i < 1000; i++)
        assert_true(pgqrsi_rate_take(&rate, 1000000, 1000));
}

TEST(test_a_burst_of_one_second_passes_at_once)
{
    pgqrsi_rate rate;

    (void)state;
    pgqrsi_rate_init(&rate, 100, 5000);
    for (int i = 0; i < 100; i++)
        assert_true(pgqrsi_rate_take(&rate, 1, 5000));
    assert_false(pgqrsi_rate_take(&rate, 1, 5000));
}

TEST(test_an_empty_bucket_fills_at_its_rate)
{
    pgqrsi_rate rate;

    (void)state;
    /* Given an empty bucket of 100 a second, one each ten milliseconds */
    pgqrsi_rate_init(&rate, 100, 0);
    assert_true(pgqrsi_rate_take(&rate, 100, 0));

    /* when nine pass, then there is nothing; at ten there is exactly one. */
    assert_false(pgqrsi_rate_take(&rate, 1, 9));
    assert_true(pgqrsi_rate_take(&rate, 1, 10));
    assert_false(pgqrsi_rate_take(&rate, 1, 10));
    assert_true(pgqrsi_rate_take(&rate, 5, 60));
    assert_false(pgqrsi_rate_take(&rate, 1, 60));
}

TEST(test_looking_often_loses_no_fraction)
{
    pgqrsi_rate rate;

    (void)state;
    pgqrsi_rate_init(&rate, 1, 0);
    assert_true(pgqrsi_rate_take(&rate, 1, 0));
    for (int64_t now = 1; now < 1000; now++)
        assert_false(pgqrsi_rate_take(&rate, 1, now));
    assert_true(pgqrsi_rate_take(&rate, 1, 1000));
}

TEST(test_a_long_pause_saves_up_no_more_than_a_burst)
{
    static const int64_t pauses[] = { 1000, 1001, 3600000, INT64_MAX };

    (void)state;
    for (size_t i = 0; i < sizeof(pauses) / sizeof(pauses[0]); i++) {
        pgqrsi_rate rate;

        pgqrsi_rate_init(&rate, 50, 0);
        assert_true(pgqrsi_rate_take(&rate, 50, 0));
        assert_true(pgqrsi_rate_take(&rate, 50, pauses[i]));
        assert_false(pgqrsi_rate_take(&rate, 1, pauses[i]));
    }
}

TEST(test_a_batch_beyond_the_bucket_passes_when_it_is_full_and_is_paid_for_later)
{
    pgqrsi_rate rate;

    (void)state;
    /* Given a full bucket of 10, when 100 are taken, then they pass */
    pgqrsi_rate_init(&rate, 10, 0);
    assert_true(pgqrsi_rate_take(&rate, 100, 0));

    /* and the next one waits until the ninety that were not there have come in: nine seconds, and a
     * tenth for itself. */
    assert_false(pgqrsi_rate_take(&rate, 1, 1000));
    assert_false(pgqrsi_rate_take(&rate, 1, 9099));
    assert_true(pgqrsi_rate_take(&rate, 1, 9100));
}

TEST(test_a_batch_beyond_the_bucket_does_not_pass_when_one_is_missing)
{
    pgqrsi_rate rate;

    (void)state;
    pgqrsi_rate_init(&rate, 10, 0);
    assert_true(pgqrsi_rate_take(&rate, 1, 0));
    assert_false(pgqrsi_rate_take(&rate, 100, 0));
    assert_true(pgqrsi_rate_take(&rate, 9, 0));
}

TEST(test_a_refusal_costs_nothing)
{
    pgqrsi_rate rate;

    (void)state;
    pgqrsi_rate_init(&rate, 10, 0);
    assert_true(pgqrsi_rate_take(&rate, 6, 0));
    for (int i = 0; i < 100; i++)
        assert_false(pgqrsi_rate_take(&rate, 5, 0));
    assert_true(pgqrsi_rate_take(&rate, 4, 0));
}

TEST(test_in_the_long_run_the_rate_is_kept)
{
    pgqrsi_rate rate;
    int64_t taken = 0;

    (void)state;
    /* Given somebody who asks for three every millisecond, for a minute */
    pgqrsi_rate_init(&rate, 700, 0);
    for (int64_t now = 0; now <= 60000; now++)
        if (pgqrsi_rate_take(&rate, 3, now))
            taken += 3;

    /* then he gets what came in, and the first burst. */
    assert_in_range(taken, 700 * 60 + 700 - 3, 700 * 60 + 700);
}

TEST(test_a_time_before_the_last_gives_nothing_and_takes_nothing)
{
    pgqrsi_rate rate;

    (void)state;
    /* Given forty left of a hundred, when somebody comes with a time from before */
    pgqrsi_rate_init(&rate, 100, 10000);
    assert_true(pgqrsi_rate_take(&rate, 60, 10000));

    /* then forty are still there, and no more. */
    assert_false(pgqrsi_rate_take(&rate, 41, 9000));
    assert_true(pgqrsi_rate_take(&rate, 40, 8000));
    assert_false(pgqrsi_rate_take(&rate, 1, 7000));
}

TEST_MAIN(NULL, NULL)
