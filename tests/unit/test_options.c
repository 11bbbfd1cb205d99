/*
 * Structs that callers and the library share begin with their size, so that either may be the newer
 * one.
 */
#include "found.h"

#include "base/options.h"

#include <string.h>

#include <pgqrs.h>

/* One struct as three versions know it. */
struct first {
    size_t size;
    int64_t a;
};
struct second {
    size_t size;
    int64_t a, b;
};
struct third {
    size_t size;
    int64_t a, b, c;
};

static pgqrs_status
read_options(const void *given, struct second *own)
{
    *own = (struct second){ sizeof(*own), 10, 20 };
    return pgqrsi_options_read("some", "SOME_INIT", given, own, NULL);
}

TEST(a_shorter_struct_leaves_the_rest_at_its_defaults)
{
    const struct first given = { sizeof(given), 1 };
    struct second own;

    (void)state;
    assert_int_equal(read_options(&given, &own), PGQRS_OK);
    assert_int_equal(own.a, 1);
    assert_int_equal(own.b, 20);
    assert_int_equal(own.size, sizeof(own));
}

TEST(a_longer_struct_is_accepted_if_its_rest_is_zero)
{
    struct third given = { sizeof(given), 1, 2, 0 };
    struct second own;

    (void)state;
    assert_int_equal(read_options(&given, &own), PGQRS_OK);
    assert_int_equal(own.a, 1);
    assert_int_equal(own.b, 2);
    given.c = 1;
    assert_int_equal(read_options(&given, &own), PGQRS_EINVAL);
    assert_int_equal(own.a, 10); /* nothing was copied */
}

TEST(no_struct_means_the_defaults_and_one_without_a_size_is_refused)
{
    static const size_t wrong[] = { 0, 1, sizeof(size_t), SIZE_MAX, 1 << 20 };
    struct second given = { 0, 1, 2 }, own;

    (void)state;
    assert_int_equal(read_options(NULL, &own), PGQRS_OK);
    assert_int_equal(own.a, 10);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        given.size = wrong[i];
        assert_int_equal(read_options(&given, &own), PGQRS_EINVAL);
        assert_int_equal(own.a, 10);
        assert_int_equal(pgqrsi_results_check("some", "SOME_INIT", &given, NULL), PGQRS_EINVAL);
    }
}

TEST(results_reach_as_far_as_both_structs)
{
    const struct second own = { sizeof(own), 1, 2 };
    struct {
        struct first out;
        int64_t behind;
    } shorter = { { sizeof(struct first), 0 }, 77 };
    struct third longer = { sizeof(longer), 5, 5, 5 };

    (void)state;
    pgqrsi_results_write(&shorter, &own);
    assert_int_equal(shorter.out.a, 1);
    assert_int_equal(shorter.behind, 77);
    pgqrsi_results_write(&longer, &own);
    assert_int_equal(longer.size, sizeof(longer));
    assert_int_equal(longer.b, 2);
    assert_int_equal(longer.c, 0);
}

TEST(every_value_of_an_enumeration_has_a_name)
{
    (void)state;
    for (int i = 0; i <= (int)PGQRS_JOB_RELEASED; i++)
        assert_string_not_equal(pgqrs_job_outcome_name((pgqrs_job_outcome)i), "unknown");
    for (int i = 0; i <= (int)PGQRS_EVENT_UNPAUSED; i++)
        assert_string_not_equal(pgqrs_event_kind_name((pgqrs_event_kind)i), "unknown");
    for (int i = 0; i <= (int)PGQRS_JOB_STOPPING; i++)
        assert_string_not_equal(pgqrs_job_cancellation_name((pgqrs_job_cancellation)i), "unknown");
    assert_string_equal(pgqrs_message_state_name(PGQRS_MESSAGE_LEASED), "leased");
    assert_string_equal(pgqrs_outcome_name(PGQRS_OUTCOME_DEAD), "dead");
    assert_string_equal(pgqrs_severity_name(PGQRS_SEVERITY_WARNING), "warning");
    assert_string_equal(pgqrs_retry_policy_name(PGQRS_RETRY_EXPONENTIAL), "exponential");
    assert_string_equal(pgqrs_done_policy_name(PGQRS_DONE_DELETE), "delete");
    assert_string_equal(pgqrs_fail_mode_name(PGQRS_FAIL_FOR_GOOD), "for good");
    assert_string_equal(pgqrs_lease_mode_name(PGQRS_LEASE_TAKE_OVER), "take over");
    assert_string_equal(pgqrs_outcome_name((pgqrs_outcome)3), "unknown");
    assert_string_equal(pgqrs_outcome_name((pgqrs_outcome)-1), "unknown");
}

TEST_MAIN(NULL, NULL)
