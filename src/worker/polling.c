#include "worker/polling.h"

#define NEVER INT64_MAX

/* Longer than the time within which producers leave out testing for sleepers: PGQRSI_WAKE_MS. */
#define LAST_LOOK_MS 8

/* How often one looks that cannot be woken, and at first, while a producer is just testing. */
#define UNLOCKED_POLL_MS 1000
#define REFUSED_POLL_MS 5

/* While there is work, hints are asked for so often. */
#define REFRESH_INTERVAL_MS 1000

/* Those who wait for the same moment do not come at the same moment. */
#define DUE_SPREAD_MS 50

/* The yield is smoothed over this many rounds. Below the first value the worker asks for the lock;
 * above the second it needs no wake-ups. */
#define YIELD_ROUNDS 8
#define YIELD_ENOUGH 0.25
#define YIELD_HIGH 0.5

/* The pause after a wrong hint, doubled each time: other consumers hold the messages. */
#define FUTILE_PAUSE_MS 10
#define FUTILE_PAUSE_MAX_MS 1000

/* The pause before a look that did not cover everything is repeated, doubled each time. */
#define INCOMPLETE_PAUSE_MS 5
#define INCOMPLETE_PAUSE_MAX_MS 320

static int64_t
doubled(int64_t first_ms, int times, int64_t max_ms)
{
    int64_t value_ms = first_ms << (times < 8 ? times : 8);

    return value_ms < max_ms ? value_ms : max_ms;
}

/* The only place where the state changes. */
static void
enter(pgqrsi_polling *polling, pgqrsi_polling_state state)
{
    polling->state = state;
    if (state != PGQRSI_POLLING_CHECKING)
        polling->incomplete = 0;
}

int
pgqrsi_polling_may_claim(const pgqrsi_polling *polling, int64_t now_ms)
{
    return (polling->state == PGQRSI_POLLING_CLAIMING ||
            polling->state == PGQRSI_POLLING_LOCKING) &&
           now_ms >= polling->pause_ms;
}

void
pgqrsi_polling_claim_sent(pgqrsi_polling *polling)
{
    polling->is_woken = 0;
}

static void
end_round(pgqrsi_polling *polling)
{
    polling->yield += ((polling->has_found ? 1 : 0) - polling->yield) / YIELD_ROUNDS;
    polling->has_found = 0;
}

void
pgqrsi_polling_found(pgqrsi_polling *polling, int is_full)
{
    polling->futile = 0;
    polling->has_found = 1;
    if (is_full)
        end_round(polling);
    if (is_full || polling->yield > YIELD_HIGH)
        polling->wants_unlock = polling->is_locked;
    enter(polling, PGQRSI_POLLING_CLAIMING);
}

void
pgqrsi_polling_round_ended(pgqrsi_polling *polling, int can_hear, int64_t now_ms)
{
    end_round(polling);
    if (polling->state == PGQRSI_POLLING_CLAIMING && polling->yield > YIELD_ENOUGH)
        return;
    if (polling->is_woken) {
        enter(polling, PGQRSI_POLLING_CLAIMING); /* that came after the claim was sent, perhaps */
    } else if (!polling->is_locked && can_hear && polling->state == PGQRSI_POLLING_CLAIMING) {
        polling->wants_lock = 1;
        enter(polling, PGQRSI_POLLING_LOCKING);
    } else {
        polling->wants_unlock = 0;
        polling->next_check_ms = polling->is_locked ? polling->locked_at_ms + LAST_LOOK_MS : now_ms;
        enter(polling, PGQRSI_POLLING_CHECKING);
    }
}

void
pgqrsi_polling_lock_answered(pgqrsi_polling *polling, int is_locked, int64_t now_ms)
{
    polling->is_locked = is_locked;
    polling->refusals = is_locked ? 0 : polling->refusals + 1;
    polling->locked_at_ms = now_ms;
}

void
pgqrsi_polling_woken(pgqrsi_polling *polling, int64_t now_ms)
{
    polling->is_woken = 1;
    polling->locked_at_ms = now_ms;
    polling->pause_ms = 0;
    polling->futile = 0;
    if (polling->state != PGQRSI_POLLING_LOCKING)
        enter(polling, PGQRSI_POLLING_CLAIMING);
}

void
pgqrsi_polling_disconnected(pgqrsi_polling *polling)
{
    polling->is_locked = polling->wants_lock = polling->wants_unlock = 0;
    enter(polling, PGQRSI_POLLING_CLAIMING);
}

void
pgqrsi_polling_pause(pgqrsi_polling *polling, int64_t until_ms)
{
    polling->pause_ms = until_ms;
    enter(polling, PGQRSI_POLLING_CLAIMING);
}

void
pgqrsi_polling_stop(pgqrsi_polling *polling)
{
    polling->wants_lock = 0;
    polling->wants_unlock = polling->is_locked;
}

pgqrsi_polling_look
pgqrsi_polling_wants_look(pgqrsi_polling *polling, int can_hear, int64_t now_ms)
{
    if (polling->state == PGQRSI_POLLING_SLEEPING && now_ms >= polling->next_check_ms) {
        polling->next_check_ms = now_ms;
        enter(polling, !polling->is_blind && (polling->is_locked || !can_hear)
                           ? PGQRSI_POLLING_CHECKING
                           : PGQRSI_POLLING_CLAIMING);
    }
    if (polling->is_looking)
        return PGQRSI_POLLING_NO_LOOK;
    if (polling->state == PGQRSI_POLLING_CHECKING && now_ms >= polling->next_check_ms)
        return PGQRSI_POLLING_COMPLETE_LOOK;
    if (polling->state == PGQRSI_POLLING_CLAIMING &&
        now_ms - polling->hinted_ms >= REFRESH_INTERVAL_MS)
        return PGQRSI_POLLING_USUAL_LOOK;
    return PGQRSI_POLLING_NO_LOOK;
}

void
pgqrsi_polling_look_sent(pgqrsi_polling *polling, int64_t now_ms)
{
    polling->is_looking = 1;
    polling->asked_ms = now_ms;
}

/* How often one looks that cannot be woken. A producer that is just testing is gone in a moment. */
static int64_t
sleep_ms(const pgqrsi_polling *polling, const pgqrsi_polling_limits *limits)
{
    int64_t unlocked_ms = limits->can_hear
                              ? doubled(REFUSED_POLL_MS, polling->refusals, UNLOCKED_POLL_MS)
                              : UNLOCKED_POLL_MS;
    int64_t poll_ms = limits->poll_ms;

    if (!polling->is_locked && unlocked_ms < poll_ms)
        poll_ms = unlocked_ms;
    if (polling->is_blind && poll_ms > UNLOCKED_POLL_MS)
        poll_ms = UNLOCKED_POLL_MS;
    if (limits->lease_ms < poll_ms)
        poll_ms = limits->lease_ms; /* a short lease is meant to be noticed soon */
    /* Changed by up to a fifth, either way. */
    return poll_ms - poll_ms / 5 + (int64_t)(limits->random % 1024) * (poll_ms * 2 / 5) / 1024;
}

static void
fall_asleep(pgqrsi_polling *polling, const pgqrsi_hints *hints, const pgqrsi_polling_limits *limits,
            int64_t now_ms)
{
    polling->next_check_ms = now_ms + sleep_ms(polling, limits);
    if (hints->is_known && hints->due_ms != NEVER &&
        hints->due_ms + DUE_SPREAD_MS < polling->next_check_ms)
        polling->next_check_ms = hints->due_ms + limits->random % DUE_SPREAD_MS;
    polling->is_known = hints->is_known;
    enter(polling, PGQRSI_POLLING_SLEEPING);
}

void
pgqrsi_polling_hinted(pgqrsi_polling *polling, const pgqrsi_hints *hints,
                      const pgqrsi_polling_limits *limits, int64_t now_ms)
{
    int is_last = polling->asked_ms >= polling->next_check_ms;

    polling->is_looking = 0;
    if (!hints->is_lost) {
        polling->hinted_ms = now_ms;
        polling->is_blind = !hints->is_known;
    }
    if (polling->state != PGQRSI_POLLING_CHECKING || hints->is_lost)
        return;
    if (hints->is_known && (hints->has_head || hints->due_ms <= now_ms)) {
        polling->pause_ms = polling->futile > 0 ? now_ms + doubled(FUTILE_PAUSE_MS, polling->futile,
                                                                   FUTILE_PAUSE_MAX_MS)
                                                : now_ms;
        polling->futile++;
        enter(polling, PGQRSI_POLLING_CLAIMING);
    } else if (!is_last) {
        return; /* asked for too soon: once more, when it is time */
    } else if (hints->is_known && !hints->is_complete) {
        polling->next_check_ms =
            now_ms + doubled(INCOMPLETE_PAUSE_MS, polling->incomplete++, INCOMPLETE_PAUSE_MAX_MS);
    } else {
        fall_asleep(polling, hints, limits, now_ms);
    }
}

void
pgqrsi_polling_due(pgqrsi_polling *polling, int64_t due_ms)
{
    if (polling->state == PGQRSI_POLLING_SLEEPING && due_ms < polling->next_check_ms)
        polling->next_check_ms = due_ms;
}

int64_t
pgqrsi_polling_due_ms(const pgqrsi_polling *polling, int64_t now_ms)
{
    if (polling->state == PGQRSI_POLLING_SLEEPING)
        return polling->next_check_ms;
    if (polling->state == PGQRSI_POLLING_CHECKING)
        return polling->is_looking ? NEVER : polling->next_check_ms;
    return polling->pause_ms > now_ms ? polling->pause_ms : now_ms;
}

int
pgqrsi_polling_is_idle(const pgqrsi_polling *polling)
{
    return polling->state == PGQRSI_POLLING_SLEEPING && polling->is_known;
}
