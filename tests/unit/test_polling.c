/*
 * When a worker claims, looks, and sleeps: pure decisions, so a test can choose every interleaving.
 */
#include "found.h"

#include "worker/polling.h"

#define NEVER INT64_MAX
#define START_MS 1000000

static const pgqrsi_polling_limits limits = {
    .poll_ms = 5000, .lease_ms = 30000, .can_hear = 1, .random = 512
};
static const pgqrsi_hints nothing = { .is_known = 1, .is_complete = 1, .due_ms = NEVER };

/* A queue whose worker has found nothing, got the lock at START_MS and found nothing again. */
static pgqrsi_polling
checking(void)
{
    pgqrsi_polling polling = { .hinted_ms = START_MS };

    pgqrsi_polling_claim_sent(&polling);
    pgqrsi_polling_round_ended(&polling, 1, START_MS - 1);
    assert_int_equal(polling.state, PGQRSI_POLLING_LOCKING);
    assert_int_equal(polling.wants_lock, 1);
    polling.wants_lock = 0;
    pgqrsi_polling_claim_sent(&polling);
    pgqrsi_polling_lock_answered(&polling, 1, START_MS);
    pgqrsi_polling_round_ended(&polling, 1, START_MS + 1);
    assert_int_equal(polling.state, PGQRSI_POLLING_CHECKING);
    return polling;
}

/* Asks for hints at `asked_ms`, which come at `now_ms`. */
static void
look(pgqrsi_polling *polling, const pgqrsi_hints *hints, int64_t asked_ms, int64_t now_ms)
{
    pgqrsi_polling_look_sent(polling, asked_ms);
    pgqrsi_polling_hinted(polling, hints, &limits, now_ms);
}

static pgqrsi_polling
sleeping(void)
{
    pgqrsi_polling polling = checking();

    look(&polling, &nothing, START_MS + 8, START_MS + 9);
    assert_int_equal(polling.state, PGQRSI_POLLING_SLEEPING);
    return polling;
}

TEST(the_last_look_is_asked_for_later_than_producers_leave_out_their_test)
{
    pgqrsi_polling polling = checking();

    (void)state;
    assert_int_equal(pgqrsi_polling_wants_look(&polling, 1, START_MS + 7), PGQRSI_POLLING_NO_LOOK);
    assert_int_equal(pgqrsi_polling_wants_look(&polling, 1, START_MS + 8),
                     PGQRSI_POLLING_COMPLETE_LOOK);
    look(&polling, &nothing, START_MS + 8, START_MS + 9);
    assert_int_equal(polling.state, PGQRSI_POLLING_SLEEPING);
    assert_int_equal(pgqrsi_polling_is_idle(&polling), 1);
}

TEST(hints_that_were_asked_for_before_that_are_not_the_last_look)
{
    pgqrsi_polling polling = checking();

    (void)state;
    look(&polling, &nothing, START_MS + 3, START_MS + 20);
    assert_int_equal(polling.state, PGQRSI_POLLING_CHECKING);
    assert_int_equal(pgqrsi_polling_wants_look(&polling, 1, START_MS + 20),
                     PGQRSI_POLLING_COMPLETE_LOOK);
}

/* Seen in a trace: the peek begins during the claim of a worker that was woken, and its answer
 * comes after the claim has found nothing. */
TEST(hints_that_were_asked_for_before_a_wake_up_are_not_the_last_look)
{
    pgqrsi_polling polling = sleeping();
    int64_t woken_ms = START_MS + 1000;

    (void)state;
    pgqrsi_polling_look_sent(&polling, woken_ms - 3);
    pgqrsi_polling_woken(&polling, woken_ms);
    assert_int_equal(polling.state, PGQRSI_POLLING_CLAIMING);
    pgqrsi_polling_claim_sent(&polling);
    pgqrsi_polling_round_ended(&polling, 1, woken_ms + 2);
    pgqrsi_polling_hinted(&polling, &nothing, &limits, woken_ms + 9);
    assert_int_equal(polling.state, PGQRSI_POLLING_CHECKING);
    look(&polling, &nothing, woken_ms + 9, woken_ms + 10);
    assert_int_equal(polling.state, PGQRSI_POLLING_SLEEPING);
}

TEST(a_look_that_did_not_cover_everything_is_repeated)
{
    pgqrsi_polling polling = checking();
    pgqrsi_hints partial = nothing;
    int64_t now_ms = START_MS + 8;

    (void)state;
    partial.is_complete = 0;
    for (int i = 0; i < 20; i++) {
        look(&polling, &partial, now_ms, now_ms + 1);
        assert_int_equal(polling.state, PGQRSI_POLLING_CHECKING);
        assert_true(polling.next_check_ms > now_ms && polling.next_check_ms <= now_ms + 1000);
        now_ms = polling.next_check_ms;
    }
    look(&polling, &nothing, now_ms, now_ms + 1);
    assert_int_equal(polling.state, PGQRSI_POLLING_SLEEPING);
}

TEST(hints_that_could_not_be_had_do_not_say_that_nothing_is_due)
{
    const pgqrsi_hints refused = { .is_known = 0 };
    pgqrsi_polling polling = checking();

    (void)state;
    look(&polling, &refused, START_MS + 8, START_MS + 9);
    assert_int_equal(pgqrsi_polling_is_idle(&polling), 0);
    assert_int_equal(polling.is_blind, 1);
    /* It claims without them within about a second, though it polls every five. */
    assert_int_equal(pgqrsi_polling_wants_look(&polling, 1, START_MS + 1300),
                     PGQRSI_POLLING_USUAL_LOOK);
    assert_int_equal(pgqrsi_polling_may_claim(&polling, START_MS + 1300), 1);
}

TEST(a_look_that_was_lost_is_repeated_at_once)
{
    const pgqrsi_hints lost = { .is_lost = 1 };
    pgqrsi_polling polling = checking();

    (void)state;
    look(&polling, &lost, START_MS + 8, START_MS + 500);
    assert_int_equal(polling.state, PGQRSI_POLLING_CHECKING);
    assert_int_equal(pgqrsi_polling_wants_look(&polling, 1, START_MS + 500),
                     PGQRSI_POLLING_COMPLETE_LOOK);
    assert_int_equal(pgqrsi_polling_is_idle(&polling), 0);
}

TEST(a_wake_up_ends_the_pause_after_wrong_hints)
{
    pgqrsi_hints wrong = nothing;
    pgqrsi_polling polling = checking();
    int64_t now_ms = START_MS + 8;

    (void)state;
    wrong.has_head = 1;
    for (int i = 0; i < 6; i++) {
        look(&polling, &wrong, now_ms, now_ms);
        now_ms = polling.pause_ms > now_ms ? polling.pause_ms : now_ms;
        pgqrsi_polling_claim_sent(&polling);
        pgqrsi_polling_round_ended(&polling, 1, now_ms);
    }
    look(&polling, &wrong, now_ms + 10, now_ms + 10);
    assert_int_equal(pgqrsi_polling_may_claim(&polling, now_ms + 11), 0);
    pgqrsi_polling_woken(&polling, now_ms + 11);
    assert_int_equal(pgqrsi_polling_may_claim(&polling, now_ms + 11), 1);
}

TEST(a_wake_up_while_a_claim_is_under_way_makes_another_one)
{
    pgqrsi_polling polling = { .hinted_ms = START_MS };

    (void)state;
    pgqrsi_polling_claim_sent(&polling);
    pgqrsi_polling_woken(&polling, START_MS);
    pgqrsi_polling_round_ended(&polling, 1, START_MS + 1);
    assert_int_equal(polling.state, PGQRSI_POLLING_CLAIMING);
    pgqrsi_polling_claim_sent(&polling);
    pgqrsi_polling_round_ended(&polling, 1, START_MS + 2);
    assert_int_equal(polling.state, PGQRSI_POLLING_LOCKING);
}

/* One round: a claim that brings something, but not all that was asked for, or nothing. */
static void
end_round(pgqrsi_polling *polling, int has_found)
{
    pgqrsi_polling_claim_sent(polling);
    if (has_found)
        pgqrsi_polling_found(polling, 0);
    pgqrsi_polling_round_ended(polling, 1, START_MS);
}

TEST(while_messages_arrive_one_at_a_time_it_goes_on_claiming)
{
    pgqrsi_polling polling = { .hinted_ms = START_MS };
    int vain = 0;

    (void)state;
    for (int i = 0; i < 8; i++)
        pgqrsi_polling_found(&polling, 1);
    for (int i = 0; i < 100; i++) {
        end_round(&polling, i % 3 == 0);
        assert_int_equal(polling.state, PGQRSI_POLLING_CLAIMING);
    }
    for (; polling.state == PGQRSI_POLLING_CLAIMING && vain < 100; vain++)
        end_round(&polling, 0);
    assert_int_equal(polling.state, PGQRSI_POLLING_LOCKING);
    assert_in_range(vain, 1, 12);
}

TEST(a_message_now_and_then_does_not_keep_it_claiming)
{
    pgqrsi_polling polling = { .hinted_ms = START_MS };

    (void)state;
    end_round(&polling, 1);
    assert_int_equal(polling.state, PGQRSI_POLLING_LOCKING);
}

TEST(it_gives_the_lock_up_when_most_rounds_find_something)
{
    pgqrsi_polling polling = sleeping();
    int rounds = 0;

    (void)state;
    pgqrsi_polling_woken(&polling, START_MS + 10);
    for (; !polling.wants_unlock && rounds < 100; rounds++)
        end_round(&polling, 1);
    assert_in_range(rounds, 2, 12);
}

TEST(it_sleeps_until_what_it_knows_of_is_due)
{
    pgqrsi_hints later = nothing;
    pgqrsi_polling polling = checking();

    (void)state;
    later.due_ms = START_MS + 2000;
    look(&polling, &later, START_MS + 8, START_MS + 9);
    assert_int_equal(polling.state, PGQRSI_POLLING_SLEEPING);
    assert_true(polling.next_check_ms >= START_MS + 2000 &&
                polling.next_check_ms < START_MS + 2050);
    pgqrsi_polling_due(&polling, START_MS + 500);
    assert_int_equal(pgqrsi_polling_due_ms(&polling, START_MS + 9), START_MS + 500);
}

TEST(without_the_lock_it_looks_again_soon)
{
    pgqrsi_polling polling = { .hinted_ms = START_MS };
    int64_t now_ms = START_MS;

    (void)state;
    for (int i = 0; i < 12; i++) {
        pgqrsi_polling_claim_sent(&polling);
        pgqrsi_polling_round_ended(&polling, 1, now_ms);
        pgqrsi_polling_lock_answered(&polling, 0, now_ms);
        pgqrsi_polling_claim_sent(&polling);
        pgqrsi_polling_round_ended(&polling, 1, now_ms);
        look(&polling, &nothing, now_ms, now_ms);
        assert_int_equal(polling.state, PGQRSI_POLLING_SLEEPING);
        assert_true(polling.next_check_ms - now_ms <= 1200);
        now_ms = polling.next_check_ms;
        (void)pgqrsi_polling_wants_look(&polling, 1, now_ms);
        assert_int_equal(polling.state, PGQRSI_POLLING_CLAIMING);
    }
}

TEST(the_end_of_the_session_makes_it_claim_again)
{
    pgqrsi_polling polling = sleeping();

    (void)state;
    pgqrsi_polling_disconnected(&polling);
    assert_int_equal(polling.is_locked, 0);
    assert_int_equal(pgqrsi_polling_may_claim(&polling, START_MS + 10), 1);
    assert_int_equal(pgqrsi_polling_is_idle(&polling), 0);
}

TEST_MAIN(NULL, NULL)
