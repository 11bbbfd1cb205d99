/*
 * Claims, in steps: which place is asked, what is sent, what the answer means, and what to do where
 * the server refuses one.
 */
#include "queue/consumer.h"

#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"
#include "db/sqlstate.h"
#include "queue/message.h"
#include "queue/payload.h"

/* Claims of a backlog by runs pay from so many messages on: see docs/decisions. */
#define RUNS_MIN 32

/* What took all of a call's time is asked for again in a tenth of the size, since each attempt
 * costs as much. */
#define FEWER_IF_SLOW 5

/* How long claims have more time after one that took too long. */
#define SLOW_MS 60000

static const struct priorities {
    int64_t low, high;
} band_priorities[PGQRSI_BAND_COUNT] = {
    [PGQRSI_BAND_ABOVE] = { 1, PGQRSI_MAX_PRIORITY },
    [PGQRSI_BAND_DEFAULT] = { 0, 0 },
    [PGQRSI_BAND_BELOW] = { PGQRSI_MIN_PRIORITY, -1 },
};

pgqrsi_frontier
pgqrsi_consumer_frontier(pgqrs_consumer *consumer)
{
    pgqrsi_frontier frontier;

    pgqrsi_client_lock(consumer->client);
    frontier = consumer->queue->frontier;
    pgqrsi_client_unlock(consumer->client);
    return frontier;
}

/* Each claim has a token of its own, so that nobody can hold the token of a lease that was not
 * his. */
pgqrs_status
pgqrsi_claim_token(int64_t *out, pgqrs_error *err)
{
    *out = pgqrsi_random_token();
    if (*out == 0)
        return pgqrsi_error_set(err, PGQRS_ESYSTEM,
                                "dequeueing: the operating system gave no random bytes");
    return PGQRS_OK;
}

/* The band of the held lane that a place stands for. */
static pgqrsi_band
band_of(pgqrsi_place place)
{
    return place == PGQRSI_PLACE_ABOVE
               ? PGQRSI_BAND_ABOVE
               : (place == PGQRSI_PLACE_BELOW ? PGQRSI_BAND_BELOW : PGQRSI_BAND_DEFAULT);
}

/* Above the default, then by age: the default band and the ready lane, then what is below the
 * default. */
pgqrsi_place
pgqrsi_claim_choose(pgqrs_consumer *consumer, pgqrsi_place from)
{
    pgqrsi_frontier frontier = pgqrsi_consumer_frontier(consumer);
    int64_t now_ms = pgqrsi_clock_ms();

    for (pgqrsi_place place = from; place < PGQRSI_PLACE_NONE; place++) {
        if (place == PGQRSI_PLACE_READY)
            return place;
        if (place == PGQRSI_PLACE_DEFAULT_FIRST &&
            !pgqrsi_frontier_default_goes_first(&frontier, now_ms))
            continue;
        if (pgqrsi_frontier_is_due(&frontier, band_of(place), now_ms))
            return place;
    }
    return PGQRSI_PLACE_NONE;
}

static void
begin_ready(pgqrsi_claim *claim, const pgqrsi_frontier *frontier)
{
    pgqrsi_params *params = &claim->params;

    pgqrsi_params_add_int(params, frontier->bound);
    if (claim->is_blind) {
        claim->call.sql = PGQRSI_SQL_CONSUMER_CLAIM_BLIND_READY;
    } else {
        /* Where a pooler is in between nothing bounds how long a statement waits for a lock. */
        claim->by_runs = frontier->full && claim->asked >= RUNS_MIN && claim->type.data == NULL &&
                         !claim->consumer->client->pooled;
        claim->call.sql = claim->by_runs             ? PGQRSI_SQL_CONSUMER_CLAIM_READY_RUNS
                          : claim->type.data != NULL ? PGQRSI_SQL_CONSUMER_CLAIM_READY_TYPE
                                                     : PGQRSI_SQL_CONSUMER_CLAIM_READY;
        pgqrsi_params_add_int(params, claim->asked);
    }
    pgqrsi_params_add_int(params, claim->lease_ms);
    pgqrsi_params_add_int(params, claim->token);
    pgqrsi_params_add_id(params, claim->consumer->worker_id);
    if (claim->type.data != NULL || claim->is_blind)
        pgqrsi_params_add_text(params, claim->type);
    pgqrsi_params_add_int(params, claim->consumer->queue->id);
}

static void
begin_band(pgqrsi_claim *claim, const pgqrsi_frontier *frontier)
{
    const struct priorities *priorities = &band_priorities[band_of(claim->place)];
    pgqrsi_params *params = &claim->params;

    claim->call.sql =
        claim->is_blind ? PGQRSI_SQL_CONSUMER_CLAIM_BLIND_HELD : PGQRSI_SQL_CONSUMER_CLAIM_HELD;
    pgqrsi_params_add_int(params, priorities->low);
    pgqrsi_params_add_int(params, priorities->high);
    if (!claim->is_blind)
        pgqrsi_params_add_int(params, claim->asked);
    pgqrsi_params_add_int(params, claim->lease_ms);
    pgqrsi_params_add_int(params, claim->token);
    pgqrsi_params_add_id(params, claim->consumer->worker_id);
    pgqrsi_params_add_text(params, claim->type);
    pgqrsi_params_add_id(params, frontier->held_from_ms[band_of(claim->place)]);
    pgqrsi_params_add_int(params, claim->spares_leases);
    pgqrsi_params_add_int(params, claim->consumer->queue->id);
}

pgqrs_status
pgqrsi_claim_begin(pgqrsi_claim *claim, pgqrs_error *err)
{
    pgqrsi_frontier frontier = pgqrsi_consumer_frontier(claim->consumer);
    pgqrs_status status = pgqrsi_claim_token(&claim->token, err);

    if (status != PGQRS_OK)
        return status;
    if (claim->is_blind)
        claim->asked = 1;
    else if (frontier.ask_max > 0 && claim->asked > frontier.ask_max)
        claim->asked = frontier.ask_max;
    memset(&claim->params, 0, sizeof(claim->params));
    claim->by_runs = 0;
    claim->began_ms = pgqrsi_clock_ms();
    claim->call = (pgqrsi_call){ .scope = &claim->consumer->queue->scope,
                                 .effect = PGQRSI_WRITES,
                                 .params = &claim->params };
    if (claim->place == PGQRSI_PLACE_READY)
        begin_ready(claim, &frontier);
    else
        begin_band(claim, &frontier);
    return PGQRS_OK;
}

void
pgqrsi_claim_release(pgqrsi_claim *claim)
{
    pgqrsi_params_release(&claim->params);
}

static void
end_ready(pgqrsi_claim *claim, pgqrsi_rows *rows, pgqrs_message_list *list)
{
    pgqrs_consumer *consumer = claim->consumer;
    pgqrsi_claimed claimed = { .asked = claim->asked,
                               .count = pgqrsi_rows_count(rows),
                               .began_ms = claim->began_ms,
                               .by_runs = claim->by_runs,
                               .by_type = claim->type.data != NULL };

    pgqrsi_message_list_add_ready(
        list, rows, &(pgqrsi_claim_facts){ claim->token, consumer->worker_id, claim->lease_ms });
    if (claimed.count > 0) {
        const pgqrs_message *last = pgqrs_message_list_at(list, pgqrs_message_list_count(list) - 1);

        claimed.last_id = last->id;
        claimed.last_ms = last->enqueued_at_ms;
    }
    claimed.ended_ms = pgqrsi_clock_ms();
    pgqrsi_client_lock(consumer->client);
    pgqrsi_frontier_claimed(&consumer->queue->frontier, &claimed);
    pgqrsi_client_unlock(consumer->client);
}

void
pgqrsi_claim_end(pgqrsi_claim *claim, pgqrsi_rows *rows, pgqrs_message_list *list)
{
    pgqrs_consumer *consumer = claim->consumer;

    pgqrsi_client_lock(consumer->client);
    if (consumer->queue->frontier.ask_max > 0)
        pgqrsi_frontier_granted(&consumer->queue->frontier);
    pgqrsi_client_unlock(consumer->client);
    if (claim->place == PGQRSI_PLACE_READY) {
        end_ready(claim, rows, list);
        return;
    }
    if (pgqrsi_rows_count(rows) < claim->asked && claim->type.data == NULL) {
        pgqrsi_client_lock(consumer->client);
        pgqrsi_frontier_exhausted(&consumer->queue->frontier, band_of(claim->place),
                                  pgqrsi_clock_ms());
        pgqrsi_client_unlock(consumer->client);
    }
    pgqrsi_message_list_add(list, rows);
}

/* The server took too long, or the answer was too large for one of the two sides. */
static int
is_too_much(pgqrs_status status, const char *sqlstate)
{
    return status == PGQRS_EUNKNOWN || status == PGQRS_ENOMEM || strcmp(sqlstate, "57014") == 0 ||
           strcmp(sqlstate, "53200") == 0;
}

pgqrsi_claim_next
pgqrsi_claim_refused(pgqrsi_claim *claim, pgqrs_status status, const char *sqlstate)
{
    int is_row = pgqrsi_sqlstate_is_row(sqlstate);

    if (claim->is_blind || (!is_row && !is_too_much(status, sqlstate)))
        return PGQRSI_CLAIM_FAILED;
    pgqrsi_client_lock(claim->consumer->client);
    pgqrsi_frontier_refused(&claim->consumer->queue->frontier,
                            is_row ? claim->asked : claim->asked / FEWER_IF_SLOW);
    if (!is_row)
        claim->consumer->queue->frontier.slow_until_ms = pgqrsi_clock_ms() + SLOW_MS;
    pgqrsi_client_unlock(claim->consumer->client);
    if (sqlstate[0] == '\0')
        return PGQRSI_CLAIM_FAILED; /* the connection is lost as well, or time is up */
    return claim->asked > 1 ? PGQRSI_CLAIM_ASK_FEWER : PGQRSI_CLAIM_BLINDLY;
}

int
pgqrsi_claim_blind_lease(const pgqrsi_claim *claim, const pgqrsi_rows *rows, pgqrs_lease *out)
{
    if (pgqrsi_rows_count(rows) == 0)
        return 0;
    *out = (pgqrs_lease){ .id = pgqrsi_rows_int(rows, 0, 0), .token = claim->token };
    return 1;
}

pgqrsi_call
pgqrsi_claim_again_call(pgqrs_consumer *consumer, pgqrsi_lane lane, pgqrs_lease lease,
                        int64_t lease_ms, pgqrsi_params *params)
{
    pgqrsi_params_add_int(params, lease.id);
    pgqrsi_params_add_int(params, lease.token);
    pgqrsi_params_add_int(params, lease_ms);
    return (pgqrsi_call){ .scope = &consumer->queue->scope,
                          .sql = PGQRSI_SQL_CONSUMER_CLAIM_AGAIN,
                          .lane = lane,
                          .effect = PGQRSI_WRITES,
                          .params = params };
}

int
pgqrsi_claim_burial(pgqrs_lease lease, const char *sqlstate, const char *reason,
                    pgqrsi_failure *out)
{
    int is_too_large = is_too_much(PGQRS_OK, sqlstate);

    if (!is_too_large && !pgqrsi_sqlstate_is_row(sqlstate))
        return 0;
    /* What takes too long or too much memory now may be read later: it is charged an attempt. */
    *out = (pgqrsi_failure){ .lease = lease,
                             .last = is_too_large ? PGQRSI_LAST_BY_QUEUE : PGQRSI_LAST,
                             .error = pgqrs_slice_of(reason),
                             .charge = 1 };
    return 1;
}
