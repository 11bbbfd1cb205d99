/*
 * Messages move from the ready lane to the held lane while others work on them.
 */
#include "fixture.h"

static pgqrs_status
end_one(struct story *story, int way, pgqrs_lease lease)
{
    struct hands *hands = &story->hands;

    switch (way) {
    case 0:
        return pgqrs_consumer_archive(hands->consumer, lease, (pgqrs_slice){ NULL, 0 }, hands->err);
    case 1:
        return pgqrs_consumer_delete(hands->consumer, lease, hands->err);
    case 2:
        return pgqrs_consumer_extend_visibility(hands->consumer, lease, 60000, hands->err);
    case 3:
        return pgqrs_consumer_release(hands->consumer, lease, 0, hands->err);
    default:
        return pgqrs_consumer_fail(hands->consumer, lease, NULL, NULL, hands->err);
    }
}

STORY_TEST(a_message_that_was_moved_is_still_its_holders)
{
    struct story *story = *state;

    take_many(story, 5);
    assert_int_equal(sweep(story, story->sql), 5);
    for (int way = 0; way < 5; way++)
        TS_OK(end_one(story, way, story->leases[way]), story->hands.err);
    assert_int_equal(ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages WHERE lane = 'h'"), 3);
}

static void
end_a_locked_one(void *context, int way)
{
    struct story *story = context;

    hands_open(&story->hands, story->dsn, LEASE_MS);
    TS_OK(end_one(story, way, story->leases[way]), story->hands.err);
    hands_close(&story->hands);
}

/* The holder's first statement saw the row before the move, and waits for the mover's commit. */
STORY_TEST(a_message_that_is_moved_meanwhile_is_still_its_holders)
{
    struct story *story = *state;
    PGconn *mover = ts_connect(story->dsn);
    pid_t children[5];

    take_many(story, 5);
    ts_sql(mover, "BEGIN");
    assert_int_equal(sweep(story, mover), 5);
    for (int way = 0; way < 5; way++)
        children[way] = crowd_spawn(end_a_locked_one, story, way);
    ts_wait_until(story->sql, WAIT_MS,
                  "SELECT count(*) = 5 FROM pg_stat_activity WHERE datname = current_database() "
                  "AND wait_event_type = 'Lock'");
    ts_sql(mover, "COMMIT");
    crowd_join(children, 5, WAIT_MS);
    assert_int_equal(ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages WHERE lane = 'h'"), 3);
    assert_int_equal(ts_int(story->sql, "SELECT count(*) FROM pgqrs_archive"), 1);
    PQfinish(mover);
}

static void
move_on_and_on(void *context, int number)
{
    struct story *story = context;
    PGconn *mover = ts_connect(story->dsn);

    (void)number;
    while (!atomic_load(&story->shared->stop))
        atomic_fetch_add(&story->shared->moved, sweep(story, mover));
    PQfinish(mover);
}

/* Extends and then finishes what it holds, in small batches. */
static void
finish_own(void *context, int number)
{
    struct story *story = context;
    struct hands hands;

    (void)number;
    hands_open(&hands, story->dsn, LEASE_MS);
    for (int round = 0; round < story->rounds; round++) {
        pgqrs_message_list *list = NULL;
        pgqrs_status results[8];
        pgqrs_lease leases[8];
        size_t count;

        crowd_send(&hands, 1, 8);
        TS_OK(pgqrs_consumer_dequeue_batch(hands.consumer, 8, NULL, &list, hands.err), hands.err);
        count = pgqrs_message_list_count(list);
        for (size_t i = 0; i < count; i++)
            leases[i] = pgqrs_message_lease(pgqrs_message_list_at(list, i));
        pgqrs_message_list_free(list);
        if (count == 0)
            continue;
        TS_OK(pgqrs_consumer_extend_visibility_batch(hands.consumer, leases, count, LEASE_MS,
                                                     results, hands.err),
              hands.err);
        for (size_t i = 0; i < count; i++)
            atomic_fetch_add(&story->shared->refused, results[i] != PGQRS_OK);
        TS_OK(pgqrs_consumer_delete_batch(hands.consumer, leases, count, results, hands.err),
              hands.err);
        for (size_t i = 0; i < count; i++) {
            atomic_fetch_add(&story->shared->refused, results[i] != PGQRS_OK);
            atomic_fetch_add(&story->shared->accepted, results[i] == PGQRS_OK);
        }
    }
    hands_close(&hands);
}

STORY_TEST(no_lease_seems_lost_while_rows_are_moved_on_and_on)
{
    struct story *story = *state;
    pid_t children[3];

    story->rounds = crowd_scale(500);
    children[0] = crowd_spawn(move_on_and_on, story, 0);
    children[1] = crowd_spawn(finish_own, story, 1);
    children[2] = crowd_spawn(finish_own, story, 2);
    crowd_join(children + 1, 2, CROWD_TIMEOUT_MS);
    atomic_store(&story->shared->stop, 1);
    crowd_join(children, 1, CROWD_TIMEOUT_MS);
    print_message("%ld rows were moved, %ld messages finished\n",
                  atomic_load(&story->shared->moved), atomic_load(&story->shared->accepted));
    assert_int_equal(atomic_load(&story->shared->refused), 0);
    assert_true(atomic_load(&story->shared->moved) > 0);
    assert_int_equal(ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages"),
                     2 * story->rounds * 8 - atomic_load(&story->shared->accepted));
}

/* Ids are given out before the commit, so a claim may have gone past one that nobody could see
 * yet. */
STORY_TEST(a_message_committed_late_is_found)
{
    struct story *story = *state;
    int64_t deadline = crowd_now_us() + WAIT_MS * 1000;
    PGconn *late = ts_connect(story->dsn);
    pgqrs_enqueued enqueued;
    int64_t found = 0;

    ts_sql(late, "BEGIN");
    TS_OK(pgqrs_producer_enqueue_on(story->hands.producer, late, pgqrs_slice_of("\"late\""), NULL,
                                    &enqueued, story->hands.err),
          story->hands.err);
    for (int i = 0; i < 20; i++) {
        take_many(story, 10);
        usleep(10000); /* so that the bound moves on */
    }
    ts_sql(late, "COMMIT");
    while (found == 0) {
        pgqrs_message_list *list = NULL;

        TS_OK(pgqrs_consumer_dequeue(story->hands.consumer, &list, story->hands.err),
              story->hands.err);
        if (pgqrs_message_list_count(list) > 0)
            found = pgqrs_message_list_at(list, 0)->id;
        pgqrs_message_list_free(list);
        TS_TRUE(crowd_now_us() < deadline);
    }
    assert_int_equal(found, enqueued.id);
    PQfinish(late);
}

TEST_MAIN(NULL, NULL)
