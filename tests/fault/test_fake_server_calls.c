/*
 * A server that lies to producers and consumers: see lying.h.
 */
#include "lying.h"

CALL_TEST(no_lie_harms_an_enqueue, enqueue)
CALL_TEST(no_lie_harms_a_batch, enqueue_batch)
CALL_TEST(no_lie_harms_a_copy, copy)
CALL_TEST(no_lie_harms_a_dequeue, dequeue)
CALL_TEST(no_lie_harms_an_archiving, archive)

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
