#include "jobs/heartbeat.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* A heartbeat that the server refused is repeated after this, or after a part of the lease. */
#define TROUBLE_PAUSE_MS 500

/* A queue whose tables somebody has locked must not take the time of others. Locked rows are
 * skipped, so what is waited for is a table, and the heartbeat comes again soon. */
#define LOCK_MS 25

/* The queue of a statement that met a lock is asked by itself for so long; one that failed together
 * with others, for a moment. */
#define LOCKED_MS 30000
#define NARROWING_MS 1000

/* The shortest time in which an answer is expected. */
#define PATIENCE_MIN_MS 500

/* What is known of a lease that could not be extended. */
enum missing {
    FOUND,
    TO_BE_ASKED,  /* in neither lane: locked by somebody, or lost */
    NOT_IN_READY, /* the ready lane was asked */
    LOCKED        /* it is there */
};

/* One statement for some leases of a queue in one lane. */
struct beat {
    pgqrsi_holding *holding;
    pgqrsi_sql sql;
    pgqrsi_lane lane;
    pgqrsi_sending_as as;
    pgqrsi_answered answered;
    pgqrsi_failed failed;
};

static pgqrsi_lease_group
group_of(const pgqrsi_exchange_request *request)
{
    return (pgqrsi_lease_group){ (pgqrsi_lease **)request->items, request->count, request->count };
}

static int64_t
soon_ms(const pgqrsi_holding *holding)
{
    int64_t pause_ms = holding->options.lease_ms / 10;

    return pgqrsi_clock_boot_ms() + (pause_ms < TROUBLE_PAUSE_MS ? pause_ms : TROUBLE_PAUSE_MS);
}

static void
beat_by(pgqrsi_holding *holding, int64_t due_ms)
{
    if (due_ms < holding->heartbeat_ms)
        holding->heartbeat_ms = due_ms;
}

/* What is not in the ready lane any more has been moved to the held one, and is looked for there at
 * once. What is in neither is perhaps only locked. A lease whose report waits moves like any
 * other. */
static void
not_extended(pgqrsi_lease *lease)
{
    if (lease->state != PGQRSI_LEASE_HELD && lease->state != PGQRSI_LEASE_REPORT)
        return;
    if (lease->lane == PGQRSI_LANE_READY)
        lease->lane = PGQRSI_LANE_HELD;
    else
        lease->is_missing = TO_BE_ASKED;
    beat_by(lease->holding, pgqrsi_clock_boot_ms());
}

static void
extended(pgqrsi_exchange_request *request, pgqrsi_rows **rows)
{
    pgqrsi_lease_group group = group_of(request);

    for (int row = 0; row < pgqrsi_rows_count(*rows); row++) {
        pgqrsi_lease *lease = pgqrsi_lease_group_find(&group, pgqrsi_rows_int(*rows, row, 0));

        if (lease != NULL)
            pgqrsi_lease_renewed(lease, request->sent_ms);
    }
    for (size_t i = 0; i < group.count; i++)
        if (group.list[i]->renewed_ms != request->sent_ms)
            not_extended(group.list[i]);
    pgqrsi_lease_group_release(&group);
}

static void
failed(pgqrsi_exchange_request *request, const pgqrsi_refusal *refusal)
{
    pgqrsi_holding *holding = request->owner;
    pgqrsi_lease_group group = group_of(request);
    int64_t now_ms = pgqrsi_clock_boot_ms();

    pgqrsi_lease_group_release(&group);
    holding->heartbeat_ms = now_ms; /* at once, or when there is a connection again */
    if (refusal->status == PGQRS_EUNKNOWN)
        return;
    if (refusal->is_shared) {
        if (holding->apart_until_ms < now_ms + NARROWING_MS)
            holding->apart_until_ms = now_ms + NARROWING_MS;
        return;
    }
    holding->heartbeat_ms = soon_ms(holding);
    if (strcmp(refusal->sqlstate, "55P03") == 0) {
        holding->apart_until_ms = now_ms + LOCKED_MS;
        holding->heartbeat_ms = now_ms + holding->options.lease_ms / 4;
    }
    if (refusal->status == PGQRS_ENOQUEUE) {
        holding->is_gone = 1;
        pgqrsi_holding_gone(holding);
        return;
    }
    pgqrsi_events_trouble(holding->all->events, &holding->trouble, PGQRS_EVENT_TROUBLE,
                          refusal->status, refusal->message);
}

static void
seen_in_ready(pgqrsi_exchange_request *request, pgqrsi_rows **rows)
{
    pgqrsi_lease_group group = group_of(request);

    for (size_t i = 0; i < group.count; i++)
        group.list[i]->is_missing = NOT_IN_READY;
    for (int row = 0; row < pgqrsi_rows_count(*rows); row++) {
        pgqrsi_lease *lease = pgqrsi_lease_group_find(&group, pgqrsi_rows_int(*rows, row, 0));

        if (lease == NULL)
            continue;
        lease->lane = PGQRSI_LANE_READY;
        lease->is_missing = LOCKED;
    }
    pgqrsi_lease_group_release(&group);
}

/* It is in neither lane, and not locked. */
static void
is_lost(pgqrsi_lease *lease)
{
    if (lease->state == PGQRSI_LEASE_REPORT) {
        lease->retry_ms = 0;
        lease->is_missing = FOUND;
    }
    if (lease->state != PGQRSI_LEASE_HELD)
        return;
    pgqrsi_lease_withdraw(lease);
    pgqrsi_lease_lost(lease, "its lease ran out");
}

static void
seen_in_held(pgqrsi_exchange_request *request, pgqrsi_rows **rows)
{
    pgqrsi_holding *holding = request->owner;
    pgqrsi_lease_group group = group_of(request);

    for (int row = 0; row < pgqrsi_rows_count(*rows); row++) {
        pgqrsi_lease *lease = pgqrsi_lease_group_find(&group, pgqrsi_rows_int(*rows, row, 0));

        if (lease == NULL)
            continue;
        lease->lane = PGQRSI_LANE_HELD;
        lease->is_missing = LOCKED;
    }
    for (size_t i = 0; i < group.count; i++) {
        pgqrsi_lease *lease = group.list[i];

        if (lease->is_missing == NOT_IN_READY)
            is_lost(lease);
        else if (lease->is_missing == LOCKED)
            lease->is_missing = FOUND; /* extended again, until whoever has it locked lets go */
    }
    beat_by(holding, soon_ms(holding));
    pgqrsi_lease_group_release(&group);
}

/* The leases for one statement: those that could not be extended, or those that have been held for
 * a while. */
static pgqrsi_lease_group
gather(pgqrsi_holding *holding, pgqrsi_lane lane, int is_missing, int64_t now_ms)
{
    int64_t fresh_ms = now_ms - holding->options.lease_ms / 6;
    pgqrsi_lease_group group = { NULL, 0, 0 };
    pgqrsi_lease *lease;

    TAILQ_FOREACH(lease, &holding->owned, owned)
    {
        if (lease->state != PGQRSI_LEASE_HELD && lease->state != PGQRSI_LEASE_REPORT)
            continue;
        if ((lease->is_missing == FOUND) == is_missing)
            continue;
        if (!is_missing && (lease->lane != lane || lease->renewed_ms > fresh_ms))
            continue;
        if (!pgqrsi_lease_group_add(&group, lease))
            break;
    }
    pgqrsi_lease_group_sort(&group);
    return group;
}

/* 0 if there was no room for it. */
static int
send(const struct beat *beat, pgqrsi_exchange *exchange, pgqrsi_lease_group *group)
{
    pgqrs_lease *leases = calloc(group->count, sizeof(leases[0]));
    int64_t lease_ms = beat->holding->options.lease_ms;
    pgqrsi_leases named = { .leases = leases, .count = group->count };
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    pgqrsi_exchange_request *request = NULL;

    if (beat->sql == PGQRSI_SQL_CONSUMER_EXTEND)
        named.number = &lease_ms;
    if (leases != NULL) {
        pgqrsi_call call;

        for (size_t i = 0; i < group->count; i++)
            leases[i] = pgqrs_message_lease(group->list[i]->job.message);
        call = pgqrsi_leases_call(beat->holding->consumer, beat->sql, beat->lane, &named, &params);
        request = pgqrsi_exchange_send(exchange, &beat->as, &call);
    }
    pgqrsi_params_release(&params);
    free(leases);
    if (request == NULL) {
        pgqrsi_lease_group_release(group);
        return 0;
    }
    request->answered = beat->answered;
    request->failed = beat->failed;
    request->owner = beat->holding;
    request->items = (void **)group->list;
    request->count = group->count;
    return 1;
}

static int
send_lane(const struct beat *beat, pgqrsi_exchange *exchange, int is_missing, int64_t now_ms)
{
    pgqrsi_lease_group group = gather(beat->holding, beat->lane, is_missing, now_ms);

    return group.count == 0 || send(beat, exchange, &group);
}

static pgqrsi_sending_as
sending_as(const pgqrsi_holding *holding, int64_t now_ms)
{
    /* so that there is time for another connection */
    int64_t patience_ms = holding->options.lease_ms / 5;

    int is_apart = now_ms < holding->apart_until_ms;

    if (patience_ms < PATIENCE_MIN_MS)
        patience_ms = PATIENCE_MIN_MS;
    return (pgqrsi_sending_as){ .traffic = PGQRSI_TRAFFIC_HEARTBEAT,
                                .is_apart = is_apart,
                                .patience_ms = patience_ms,
                                .lock_ms = LOCK_MS };
}

/* Whether those that are missing are locked or lost: the ready lane is asked first, since the sweep
 * moves messages from there to the held one. */
static int
ask_for_missing(pgqrsi_holding *holding, pgqrsi_exchange *exchange, int64_t now_ms)
{
    struct beat beat = { .holding = holding,
                         .sql = PGQRSI_SQL_CONSUMER_LEASE_STATE,
                         .lane = PGQRSI_LANE_READY,
                         .as = sending_as(holding, now_ms),
                         .answered = seen_in_ready,
                         .failed = failed };

    beat.as.is_apart = 1;
    if (!send_lane(&beat, exchange, 1, now_ms))
        return 0;
    beat.lane = PGQRSI_LANE_HELD;
    beat.answered = seen_in_held;
    return send_lane(&beat, exchange, 1, now_ms);
}

static int
extend(pgqrsi_holding *holding, pgqrsi_exchange *exchange, int64_t now_ms)
{
    struct beat beat = { .holding = holding,
                         .sql = PGQRSI_SQL_CONSUMER_EXTEND,
                         .lane = PGQRSI_LANE_READY,
                         .as = sending_as(holding, now_ms),
                         .answered = extended,
                         .failed = failed };

    if (!send_lane(&beat, exchange, 0, now_ms))
        return 0;
    beat.lane = PGQRSI_LANE_HELD;
    return send_lane(&beat, exchange, 0, now_ms);
}

void
pgqrsi_heartbeat_send(pgqrsi_holdings *all, pgqrsi_exchange *exchange, int64_t now_ms)
{
    pgqrsi_holding *holding;

    TAILQ_FOREACH(holding, &all->busy, busy)
    {
        const pgqrsi_sending_as as = sending_as(holding, now_ms);

        if (holding->heartbeat_ms > now_ms || holding->is_gone)
            continue;
        if (!pgqrsi_exchange_has_room(exchange, &as))
            return;
        holding->heartbeat_ms = now_ms + holding->options.lease_ms / 3;
        if (!extend(holding, exchange, now_ms) || !ask_for_missing(holding, exchange, now_ms))
            holding->heartbeat_ms = now_ms;
    }
}

int64_t
pgqrsi_heartbeat_due_ms(const pgqrsi_holdings *all, pgqrsi_exchange *exchange)
{
    const pgqrsi_sending_as as = { .traffic = PGQRSI_TRAFFIC_HEARTBEAT, .is_apart = 1 };
    const pgqrsi_holding *holding;
    int64_t due_ms = NEVER;

    if (!pgqrsi_exchange_has_room(exchange, &as))
        return NEVER;
    TAILQ_FOREACH(holding, &all->busy, busy)
    if (holding->heartbeat_ms < due_ms && !holding->is_gone)
        due_ms = holding->heartbeat_ms;
    return due_ms;
}
