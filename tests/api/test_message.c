/*
 * One message by its number: looked at, and claimed out of turn.
 */
#include "story.h"

STORY_TEST(looking_at_a_message_does_not_claim_it)
{
    struct story *s = *state;
    pgqrs_message_list *list;
    int64_t id = story_send(s, "[1]");

    for (int i = 0; i < 2; i++) {
        TS_OK(pgqrs_message_get(s->client, text("jobs"), id, &list, s->err), s->err);
        assert_int_equal(story_only(list)->state, PGQRS_MESSAGE_READY);
        assert_int_equal(story_only(list)->read_ct, 0);
        assert_true(story_slice_is(story_only(list)->payload, "[1]"));
        pgqrs_message_list_free(list);
    }
    story_expect_order(s, s->consumer, &id, 1);
}

STORY_TEST(a_message_that_is_not_there_is_not_found)
{
    const int64_t ids[] = { 4711, 0, -1, INT64_MAX };
    struct story *s = *state;
    pgqrs_message_list *list;
    int64_t elsewhere = story_send(s, "1");

    TS_OK(pgqrs_queue_create(s->client, text("other"), NULL, NULL, s->err), s->err);
    for (int i = 0; i < 4; i++) {
        TS_IS(PGQRS_ENOMESSAGE, pgqrs_message_get(s->client, text("jobs"), ids[i], &list, s->err),
              s->err);
        TS_IS(PGQRS_ENOMESSAGE,
              pgqrs_consumer_lease(s->consumer, ids[i], PGQRS_LEASE_TAKE_OVER, &list, s->err),
              s->err);
    }
    TS_IS(PGQRS_ENOMESSAGE, pgqrs_message_get(s->client, text("other"), elsewhere, &list, s->err),
          s->err);
    TS_IS(PGQRS_ENOQUEUE, pgqrs_message_get(s->client, text("none"), elsewhere, &list, s->err),
          s->err);
}

/* Leases the message; its lease. */
static pgqrs_lease
lease(struct story *s, int64_t id, pgqrs_lease_mode mode)
{
    pgqrs_message_list *list;
    pgqrs_lease leased;

    TS_OK(pgqrs_consumer_lease(s->consumer, id, mode, &list, s->err), s->err);
    assert_int_equal(story_only(list)->id, id);
    assert_int_equal(story_only(list)->state, PGQRS_MESSAGE_LEASED);
    leased = pgqrs_message_lease(story_only(list));
    pgqrs_message_list_free(list);
    return leased;
}

STORY_TEST(a_free_message_is_leased_due_or_not)
{
    struct story *s = *state;
    pgqrs_message_list *list;
    pgqrs_enqueued delayed;
    int64_t ids[2];

    story_send_many(s, 2, ids);
    TS_OK(pgqrs_producer_enqueue_delayed(s->producer, text("1"), 3600000, &delayed, s->err),
          s->err);
    TS_OK(pgqrs_consumer_delete(s->consumer, lease(s, ids[1], PGQRS_LEASE_IF_FREE), s->err),
          s->err);
    TS_OK(pgqrs_consumer_archive(s->consumer, lease(s, delayed.id, PGQRS_LEASE_IF_FREE), text("1"),
                                 s->err),
          s->err);
    story_expect_order(s, s->consumer, ids, 1);
    list = story_take(s, s->consumer, 1);
    assert_int_equal(pgqrs_message_list_count(list), 0);
    pgqrs_message_list_free(list);
}

STORY_TEST(a_message_that_somebody_holds_is_left_to_him)
{
    struct story *s = *state;
    pgqrs_message_list *list = NULL;
    pgqrs_lease held[2];

    story_send(s, "1");
    held[0] = story_take_one(s, s->consumer);
    story_send_priority(s, 1);
    held[1] = story_take_one(s, s->consumer);
    for (int i = 0; i < 2; i++) {
        TS_IS(PGQRS_ELEASED,
              pgqrs_consumer_lease(s->consumer, held[i].id, PGQRS_LEASE_IF_FREE, &list, s->err),
              s->err);
        assert_true(pgqrs_error_is_transient(s->err));
        assert_null(list);
        TS_OK(pgqrs_consumer_delete(s->consumer, held[i], s->err), s->err);
    }
}

STORY_TEST(a_message_that_is_taken_over_is_lost_to_its_holder)
{
    struct story *s = *state;
    pgqrs_lease held[2], taken[2];

    story_send(s, "1");
    held[0] = story_take_one(s, s->consumer);
    story_send_priority(s, 1);
    held[1] = story_take_one(s, s->consumer);
    for (int i = 0; i < 2; i++) {
        taken[i] = lease(s, held[i].id, PGQRS_LEASE_TAKE_OVER);
        assert_int_not_equal(taken[i].token, held[i].token);
        TS_IS(PGQRS_ELEASELOST, pgqrs_consumer_delete(s->consumer, held[i], s->err), s->err);
        TS_IS(PGQRS_ELEASELOST,
              pgqrs_consumer_extend_visibility(s->consumer, held[i], 1000, s->err), s->err);
        TS_OK(pgqrs_consumer_delete(s->consumer, taken[i], s->err), s->err);
    }
    assert_int_equal(story_stored(s), 0);
}

STORY_TEST(a_message_whose_lease_ran_out_is_free)
{
    struct story *s = *state;
    pgqrs_lease expired;

    story_send(s, "1");
    expired = story_take_one(s, s->consumer);
    story_expire(s, expired.id);
    lease(s, expired.id, PGQRS_LEASE_IF_FREE);
    TS_IS(PGQRS_ELEASELOST, pgqrs_consumer_delete(s->consumer, expired, s->err), s->err);
}

TEST_MAIN(NULL, NULL)
