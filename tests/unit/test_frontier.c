/*
 * A client's hints about both lanes: pure arithmetic, so a test can choose every moment.
 */
#include "found.h"

#include "queue/frontier.h"

#include "base/clock.h"

#define START_MS 1000000
#define LOW 100
#define SERVER_MS INT64_C(1700000000000)

static pgqrsi_frontier
fresh(void)
{
    pgqrsi_frontier frontier;

    pgqrsi_frontier_init(&frontier, LOW, START_MS);
    return frontier;
}

/* A claim at `now_ms` of `asked` messages that came back with `count`, the last of them
 * `last_id`. */
static void
claim(pgqrsi_frontier *frontier, int64_t asked, int64_t count, int64_t last_id, int64_t now_ms)
{
    const pgqrsi_claimed claimed = { .asked = asked,
                                     .count = count,
                                     .last_id = last_id,
                                     .last_ms = SERVER_MS,
                                     .began_ms = now_ms,
                                     .ended_ms = now_ms + 1 };

    pgqrsi_frontier_claimed(frontier, &claimed);
}

TEST(a_new_client_begins_at_the_low_water_mark_and_knows_nothing)
{
    pgqrsi_frontier frontier = fresh();

    (void)state;
    assert_int_equal(frontier.bound, LOW);
    assert_true(pgqrsi_frontier_is_stale(&frontier, START_MS));
    for (int band = 0; band < PGQRSI_BAND_COUNT; band++)
        assert_false(
            pgqrsi_frontier_is_due(&frontier, (pgqrsi_band)band, START_MS + INT64_C(1000000000)));
}

TEST(the_bound_follows_what_was_claimed_a_while_ago)
{
    pgqrsi_frontier frontier = fresh();

    (void)state;
    claim(&frontier, 10, 10, 110, START_MS + 1000);
    /* 110 was seen just now: a lower id may still be committed. */
    assert_int_equal(frontier.bound, LOW);
    claim(&frontier, 10, 10, 120, START_MS + 1010);
    assert_int_equal(frontier.bound, LOW);
    claim(&frontier, 10, 10, 130, START_MS + 1100);
    assert_int_equal(frontier.bound, 110);
    claim(&frontier, 10, 10, 140, START_MS + 1200);
    assert_int_equal(frontier.bound, 130);
}

/* Two threads of one client: the claim that ended last may have begun before the candidate was
 * seen. */
TEST(a_claim_that_began_too_early_moves_nothing)
{
    pgqrsi_frontier frontier = fresh();

    (void)state;
    claim(&frontier, 10, 10, 110, START_MS + 1000);
    claim(&frontier, 10, 10, 150, START_MS + 1040);
    claim(&frontier, 10, 10, 120, START_MS + 900);
    assert_int_equal(frontier.bound, LOW);
}

TEST(a_full_claim_does_not_move_the_bound_beyond_itself)
{
    pgqrsi_frontier frontier = fresh();

    (void)state;
    claim(&frontier, 10, 10, 200, START_MS + 1000);
    /* Messages that others released or skipped are below 200. */
    claim(&frontier, 10, 10, 150, START_MS + 1100);
    assert_int_equal(frontier.bound, 150);
}

TEST(the_bound_never_moves_back)
{
    pgqrsi_frontier frontier = fresh();
    int64_t before = frontier.bound;

    (void)state;
    for (int64_t i = 0; i < 200; i++) {
        int64_t count = i * 7 % 11;

        claim(&frontier, 10, count, count > 0 ? LOW + i * 13 % 97 : 0, START_MS + i * 17);
        assert_true(frontier.bound >= before);
        assert_true(frontier.bound <= frontier.claimed);
        before = frontier.bound;
    }
}

TEST(an_idle_client_passes_by_what_others_have_finished)
{
    pgqrsi_frontier frontier = fresh();
    const pgqrsi_peek peek = { .server_now_ms = SERVER_MS, .issued = 5000 };

    (void)state;
    pgqrsi_frontier_peeked(&frontier, &peek, START_MS + 1000);
    claim(&frontier, 10, 0, 0, START_MS + 1001);
    assert_true(frontier.drained);
    /* Ids below 5000 may still be committed. */
    assert_int_equal(frontier.bound, LOW);
    claim(&frontier, 10, 0, 0, START_MS + 1100);
    assert_int_equal(frontier.bound, 5000);
}

/* Where the last peek saw something to claim, an empty claim may mean that the queue is paused. */
TEST(an_empty_claim_of_a_lane_that_is_not_empty_says_nothing)
{
    pgqrsi_frontier frontier = fresh();
    pgqrsi_peek peek = { .server_now_ms = SERVER_MS, .issued = 5000, .head_ms = SERVER_MS };

    (void)state;
    pgqrsi_frontier_peeked(&frontier, &peek, START_MS + 1000);
    for (int64_t i = 0; i < 10; i++)
        claim(&frontier, 10, 0, 0, START_MS + 1100 + i * 100);
    assert_false(frontier.drained);
    assert_int_equal(frontier.bound, LOW);
    peek.head_ms = 0;
    pgqrsi_frontier_peeked(&frontier, &peek, START_MS + 3000);
    claim(&frontier, 10, 0, 0, START_MS + 3100);
    claim(&frontier, 10, 0, 0, START_MS + 3200);
    assert_int_equal(frontier.bound, 5000);
}

TEST(a_pause_is_known_until_its_end_by_our_clock)
{
    pgqrsi_frontier frontier = fresh();
    pgqrsi_peek peek = { .server_now_ms = SERVER_MS,
                         .issued = 5000,
                         .head_ms = SERVER_MS,
                         .paused_ms = SERVER_MS + 700 };

    (void)state;
    pgqrsi_frontier_peeked(&frontier, &peek, START_MS);
    assert_true(pgqrsi_frontier_is_paused(&frontier, START_MS + 699));
    assert_false(pgqrsi_frontier_has_hope(&frontier, START_MS + 699));
    assert_false(pgqrsi_frontier_is_paused(&frontier, START_MS + 700));
    assert_true(pgqrsi_frontier_has_hope(&frontier, START_MS + 700));
    peek.paused_ms = INT64_MAX;
    pgqrsi_frontier_peeked(&frontier, &peek, START_MS);
    assert_true(pgqrsi_frontier_is_paused(&frontier, START_MS + INT64_C(1000000000000)));
    peek.paused_ms = 0;
    pgqrsi_frontier_peeked(&frontier, &peek, START_MS);
    assert_false(pgqrsi_frontier_is_paused(&frontier, START_MS));
}

/* While there is something to claim, ids that were given out but not seen yet are no reason to look
 * further.
 */
TEST(a_busy_client_does_not_run_ahead_of_its_claims)
{
    pgqrsi_frontier frontier = fresh();
    const pgqrsi_peek peek = { .server_now_ms = SERVER_MS, .issued = 5000 };

    (void)state;
    pgqrsi_frontier_peeked(&frontier, &peek, START_MS + 1000);
    for (int64_t i = 1; i <= 5; i++)
        claim(&frontier, 10, 10, LOW + 10 * i, START_MS + 1000 + 100 * i);
    assert_false(frontier.drained);
    assert_int_equal(frontier.bound, LOW + 40);
}

TEST(hints_are_asked_for_once_a_second)
{
    pgqrsi_frontier frontier = fresh();
    const pgqrsi_peek peek = { .server_now_ms = SERVER_MS };

    (void)state;
    pgqrsi_frontier_peeked(&frontier, &peek, START_MS);
    assert_false(pgqrsi_frontier_is_stale(&frontier, START_MS + 999));
    assert_true(pgqrsi_frontier_is_stale(&frontier, START_MS + 1000));
}

TEST(a_band_is_due_when_the_server_said_so_by_our_clock)
{
    pgqrsi_frontier frontier = fresh();
    const pgqrsi_peek peek = { .vt_ms = { SERVER_MS - 5000, SERVER_MS + 300, 0 },
                               .server_now_ms = SERVER_MS };

    (void)state;
    pgqrsi_frontier_peeked(&frontier, &peek, START_MS);
    assert_true(pgqrsi_frontier_is_due(&frontier, PGQRSI_BAND_ABOVE, START_MS));
    assert_false(pgqrsi_frontier_is_due(&frontier, PGQRSI_BAND_DEFAULT, START_MS + 299));
    assert_true(pgqrsi_frontier_is_due(&frontier, PGQRSI_BAND_DEFAULT, START_MS + 300));
    assert_false(pgqrsi_frontier_is_due(&frontier, PGQRSI_BAND_BELOW, PGQRSI_CLOCK_NEVER - 1));
}

TEST(a_band_that_came_back_short_is_left_alone_for_a_moment)
{
    pgqrsi_frontier frontier = fresh();
    const pgqrsi_peek peek = { .vt_ms = { SERVER_MS, SERVER_MS, SERVER_MS },
                               .server_now_ms = SERVER_MS };

    (void)state;
    pgqrsi_frontier_peeked(&frontier, &peek, START_MS);
    pgqrsi_frontier_exhausted(&frontier, PGQRSI_BAND_ABOVE, START_MS);
    assert_false(pgqrsi_frontier_is_due(&frontier, PGQRSI_BAND_ABOVE, START_MS + 1));
    assert_true(pgqrsi_frontier_is_due(&frontier, PGQRSI_BAND_DEFAULT, START_MS + 1));
    assert_true(pgqrsi_frontier_is_due(&frontier, PGQRSI_BAND_ABOVE, START_MS + 1000));
    pgqrsi_frontier_exhausted(&frontier, PGQRSI_BAND_ABOVE, START_MS);
    pgqrsi_frontier_peeked(&frontier, &peek, START_MS + 1); /* but the server knows better */
    assert_true(pgqrsi_frontier_is_due(&frontier, PGQRSI_BAND_ABOVE, START_MS + 1));
}

TEST(the_older_of_two_lanes_goes_first)
{
    pgqrsi_frontier frontier = fresh();
    pgqrsi_peek peek = { .vt_ms = { 0, SERVER_MS - 100, 0 },
                         .head_ms = SERVER_MS - 50,
                         .server_now_ms = SERVER_MS };

    (void)state;
    pgqrsi_frontier_peeked(&frontier, &peek, START_MS);
    assert_true(pgqrsi_frontier_default_goes_first(&frontier, START_MS));
    peek.vt_ms[PGQRSI_BAND_DEFAULT] = SERVER_MS - 49;
    pgqrsi_frontier_peeked(&frontier, &peek, START_MS);
    assert_false(pgqrsi_frontier_default_goes_first(&frontier, START_MS));
    claim(&frontier, 1, 1, LOW + 1, START_MS); /* enqueued at SERVER_MS: the head is younger now */
    assert_true(pgqrsi_frontier_default_goes_first(&frontier, START_MS));
    peek.vt_ms[PGQRSI_BAND_DEFAULT] = SERVER_MS + 10;
    pgqrsi_frontier_peeked(&frontier, &peek, START_MS);
    assert_false(pgqrsi_frontier_default_goes_first(&frontier, START_MS)); /* not due at all */
}

TEST(what_this_client_held_back_itself_is_due_in_time)
{
    static const struct {
        int32_t priority;
        pgqrsi_band band;
    } cases[] = { { 1, PGQRSI_BAND_ABOVE },
                  { 32767, PGQRSI_BAND_ABOVE },
                  { 0, PGQRSI_BAND_DEFAULT },
                  { -1, PGQRSI_BAND_BELOW },
                  { -32768, PGQRSI_BAND_BELOW } };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        pgqrsi_frontier frontier = fresh();

        pgqrsi_frontier_held(&frontier, cases[i].priority, 500, START_MS);
        /* A later due time changes nothing. */
        pgqrsi_frontier_held(&frontier, cases[i].priority, 9000, START_MS);
        for (int band = 0; band < PGQRSI_BAND_COUNT; band++) {
            assert_false(pgqrsi_frontier_is_due(&frontier, (pgqrsi_band)band, START_MS + 499));
            assert_int_equal(pgqrsi_frontier_is_due(&frontier, (pgqrsi_band)band, START_MS + 500),
                             band == (int)cases[i].band);
        }
    }
}

TEST(of_an_unknown_priority_every_band_is_due)
{
    pgqrsi_frontier frontier = fresh();

    (void)state;
    pgqrsi_frontier_held_any(&frontier, 20, START_MS);
    for (int band = 0; band < PGQRSI_BAND_COUNT; band++) {
        assert_false(pgqrsi_frontier_is_due(&frontier, (pgqrsi_band)band, START_MS + 19));
        assert_true(pgqrsi_frontier_is_due(&frontier, (pgqrsi_band)band, START_MS + 20));
    }
    pgqrsi_frontier_held_any(&frontier, 0, START_MS);
    /* It keeps its turn. */
    assert_true(pgqrsi_frontier_default_goes_first(&frontier, START_MS));
}

TEST(ten_years_do_not_overflow)
{
    pgqrsi_frontier frontier = fresh();
    const int64_t ten_years_ms = INT64_C(315360000000);

    (void)state;
    pgqrsi_frontier_held_any(&frontier, ten_years_ms, START_MS);
    assert_false(pgqrsi_frontier_is_due(&frontier, PGQRSI_BAND_ABOVE, START_MS + ten_years_ms - 1));
    assert_true(pgqrsi_frontier_is_due(&frontier, PGQRSI_BAND_ABOVE, START_MS + ten_years_ms));
}

/* The worker's looks and reports use two connections: a look that was sent first may be answered
 * last. */
TEST(a_peek_that_was_asked_for_earlier_does_not_hide_what_came_back_since)
{
    pgqrsi_frontier frontier;
    pgqrsi_peek peek = { .server_now_ms = SERVER_MS, .issued = 5000, .asked_ms = START_MS + 10 };

    (void)state;
    pgqrsi_frontier_init(&frontier, 0, START_MS);
    pgqrsi_frontier_held(&frontier, 0, 300, START_MS + 20);
    pgqrsi_frontier_peeked(&frontier, &peek, START_MS + 30);
    assert_int_equal(pgqrsi_frontier_next_ms(&frontier), START_MS + 320);
    pgqrsi_frontier_held(&frontier, 0, 0, START_MS + 40);
    pgqrsi_frontier_peeked(&frontier, &peek, START_MS + 50);
    assert_int_equal(frontier.held_from_ms[PGQRSI_BAND_DEFAULT], 0);
    assert_int_equal(frontier.default_vt_ms, 0);
    /* The answer to a later request is newer. */
    peek.asked_ms = START_MS + 60;
    pgqrsi_frontier_peeked(&frontier, &peek, START_MS + 70);
    assert_int_equal(pgqrsi_frontier_next_ms(&frontier), PGQRSI_CLOCK_NEVER);
    assert_true(frontier.held_from_ms[PGQRSI_BAND_DEFAULT] > 0);
}

TEST_MAIN(NULL, NULL)
