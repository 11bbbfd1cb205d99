/*
 * How many messages are claimed from each queue: shares by weight, or chunks when there is a
 * backlog and room for them.
 */
#include "found.h"

#include "src/client.h" /* by its full path: the support has one of that name */

#include "worker/dealing.h"

#define NOW_MS 1000
#define QUEUES 100

static pgqrsi_work_queue all[QUEUES];
static pgqrsi_work_queue *list[QUEUES];
static const pgqrsi_dealing dealing = { .concurrency = 8, .prefetch_max = 1000 };

/* Queues of weight 1 that are being claimed from. */
static pgqrsi_queues
queues_of(size_t count, int is_full)
{
    for (size_t i = 0; i < count; i++) {
        all[i] = (pgqrsi_work_queue){ .is_full = is_full };
        all[i].held.options.weight = 1;
        list[i] = &all[i];
    }
    return (pgqrsi_queues){ .list = list, .count = count };
}

/* How many queues are asked, and for how many messages altogether. */
static size_t
deal(const pgqrsi_queues *queues, int64_t available, int64_t *out_sum)
{
    size_t asked = 0;

    *out_sum = 0;
    pgqrsi_dealing_deal(&dealing, queues, available, NOW_MS);
    for (size_t i = 0; i < queues->count; i++) {
        asked += all[i].claim.asked > 0;
        *out_sum += all[i].claim.asked;
    }
    return asked;
}

TEST(many_queues_with_a_backlog_are_asked_in_turn_for_large_chunks)
{
    const pgqrsi_queues queues = queues_of(QUEUES, 1);
    int64_t got[QUEUES] = { 0 }, sum;

    (void)state;
    for (int round = 0; round < 50; round++) {
        assert_in_range(deal(&queues, 1000, &sum), 1, 10);
        assert_int_equal(sum, 1000);
        for (size_t i = 0; i < QUEUES; i++)
            got[i] += all[i].claim.asked;
    }
    for (size_t i = 0; i < QUEUES; i++) /* 500 each, but for the chunk that is due next */
        assert_in_range(got[i], 200, 800);
}

TEST(with_little_room_each_gets_its_share_in_every_cycle)
{
    const pgqrsi_queues queues = queues_of(10, 1);
    int64_t sum;

    (void)state;
    all[0].held.options.weight = 11;
    assert_int_equal(deal(&queues, 40, &sum), 10);
    assert_int_equal(sum, 40);
    assert_int_equal(all[0].claim.asked, 22);
    assert_int_equal(all[9].claim.asked, 2);
}

TEST(a_queue_without_a_backlog_does_not_wait_for_those_with_one)
{
    const pgqrsi_queues queues = queues_of(QUEUES, 1);
    int64_t sum;

    (void)state;
    all[QUEUES - 1].is_full = 0;
    for (int round = 0; round < 20; round++) {
        deal(&queues, 1000, &sum);
        assert_in_range(all[QUEUES - 1].claim.asked, 9, 11);
    }
}

TEST_MAIN(NULL, NULL)
