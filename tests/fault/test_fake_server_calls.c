/*
 * A server that lies to producers and consumers: see lying.h.
 */
#include "lying.h"

static void
no_lie_harms_an_enqueue(void **state)
{
    tell_all_lies(*state, "enqueue", enqueue);
}

static void
no_lie_harms_a_batch(void **state)
{
    tell_all_lies(*state, "enqueue_batch", enqueue_batch);
}

static void
no_lie_harms_a_copy(void **state)
{
    tell_all_lies(*state, "copy", copy);
}

static void
no_lie_harms_a_dequeue(void **state)
{
    tell_all_lies(*state, "dequeue", dequeue);
}

static void
no_lie_harms_an_archiving(void **state)
{
    tell_all_lies(*state, "archive", archive);
}

/* With an argument: the tests whose names it fits. */
int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        STORY_TEST(no_lie_harms_an_enqueue),   STORY_TEST(no_lie_harms_a_batch),
        STORY_TEST(no_lie_harms_a_copy),       STORY_TEST(no_lie_harms_a_dequeue),
        STORY_TEST(no_lie_harms_an_archiving),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
