/*
 * Tests are found in their files, in the order of their definitions.
 */
#include "found.h"

/* The last test that ran, and the fixture's calls. */
static int last, set_ups, tear_downs;

static int
set_up(void **state)
{
    *state = &set_ups;
    set_ups++;
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    tear_downs++;
    return 0;
}

#define FIXTURE_TEST(name) TEST_WITH(name, set_up, tear_down)

TEST(the_first_of_a_file_runs_first)
{
    (void)state;
    assert_int_equal(last, 0);
    last = 1;
}

/* Takes a number from the tests. */
static const int unrelated = __COUNTER__;

FIXTURE_TEST(a_fixture_is_set_up_for_its_own_tests)
{
    assert_ptr_equal(*state, &set_ups);
    assert_int_equal(set_ups, 1);
    assert_int_equal(tear_downs, 0);
    assert_int_equal(last, 1);
    last = 2;
}

TEST(the_last_of_a_file_runs_last)
{
    assert_null(*state);
    assert_int_equal(set_ups, 1);
    assert_int_equal(tear_downs, 1);
    assert_int_equal(last, 2);
    last = 3;
}

/* All have run, in their order, and no place was lost to the number that went elsewhere. */
static int
check_all(void **state)
{
    (void)state;
    return last == 3 && unrelated > 0 ? 0 : -1;
}

TEST_MAIN(NULL, check_all)
