/*
 * Lease tokens and jitter.
 */
#include "found.h"

#include <stdlib.h>

#include "base/random.h"

#define DRAWS 10000

static int
compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

    return (left > right) - (left < right);
}

TEST(test_tokens_are_positive_and_never_alike)
{
    static int64_t tokens[DRAWS];

    (void)state;
    for (size_t i = 0; i < DRAWS; i++) {
        tokens[i] = pgqrsi_random_token();
        assert_true(tokens[i] > 0);
    }
    qsort(tokens, DRAWS, sizeof(tokens[0]), compare);
    for (size_t i = 1; i < DRAWS; i++)
        assert_true(tokens[i - 1] < tokens[i]);
}

/* A bit that is set in fewer than 4,600 or more than 5,400 of 10,000 draws is eight standard
 * deviations off.
 */
TEST(test_each_of_the_63_bits_is_a_coin)
{
    int set[64] = { 0 };

    (void)state;
    for (int i = 0; i < DRAWS; i++) {
        int64_t token = pgqrsi_random_token();

        for (int bit = 0; bit < 64; bit++)
            set[bit] += (int)((uint64_t)token >> bit & 1);
    }
    for (int bit = 0; bit < 63; bit++)
        assert_in_range(set[bit], 4600, 5400);
    assert_int_equal(set[63], 0);
}

TEST(test_jitter_stays_within_a_fifth_and_reaches_both_ends)
{
    int seen[5] = { 0 };

    (void)state;
    for (int i = 0; i < DRAWS; i++) {
        int64_t value = pgqrsi_random_jitter(10);

        assert_in_range(value, 8, 12);
        seen[value - 8]++;
    }
    for (int i = 0; i < 5; i++)
        assert_in_range(seen[i], DRAWS / 5 - 400, DRAWS / 5 + 400);
}

TEST(test_jitter_of_large_values_stays_within_a_fifth)
{
    static const int64_t values[] = { 100, 999, 604800000, INT64_C(1000000000000000000) };

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        int64_t spread = values[i] / 5, lowest = INT64_MAX, highest = INT64_MIN;

        for (int j = 0; j < 1000; j++) {
            int64_t value = pgqrsi_random_jitter(values[i]);

            assert_true(value >= values[i] - spread && value <= values[i] + spread);
            lowest = value < lowest ? value : lowest;
            highest = value > highest ? value : highest;
        }
        assert_true(lowest < values[i] - spread / 2);
        assert_true(highest > values[i] + spread / 2);
    }
}

TEST(test_what_is_too_small_for_a_fifth_stays)
{
    (void)state;
    for (int64_t value = -10; value < 5; value++)
        for (int i = 0; i < 100; i++)
            assert_int_equal(pgqrsi_random_jitter(value), value);
}

TEST_MAIN(NULL, NULL)
