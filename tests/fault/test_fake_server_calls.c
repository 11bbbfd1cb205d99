/*
 * A server that lies to producers and consumers: see lying.h.
 */
#include "lying.h"

STORY_TEST(no_lie_harms_an_enqueue)
{
    tell_all_lies(*state, "enqueue", enqueue);
}

STORY_TEST(no_lie_harms_a_batch)
{
    tell_all_lies(*state, "enqueue_batch", enqueue_batch);
}

STORY_TEST(no_lie_harms_a_copy)
{
    tell_all_lies(*state, "copy", copy);
}

STORY_TEST(no_lie_harms_a_dequeue)
{
    tell_all_lies(*state, "dequeue", dequeue);
}

STORY_TEST(no_lie_harms_an_archiving)
{
    tell_all_lies(*state, "archive", archive);
}

TEST_MAIN(NULL, NULL)
