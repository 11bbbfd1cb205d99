#include "jobs/cancellations.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* Between two looks of one queue, and of the worker. */
#define QUEUE_PAUSE_MS 100
#define PAUSE_MS 20

/* A look that the server refused is repeated after this. */
#define TROUBLE_PAUSE_MS 5000

/* Leases that one look names, at most, when more was said than could be remembered. */
#define GROUP_MAX 1000

/* No lock is waited for longer. */
#define LOCK_MS 250

/* The time for an answer: a share of the lease, within these. */
#define PATIENCE_MIN_MS 500
#define PATIENCE_MAX_MS 4000

static int
compare(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;

    return (a > b) - (a < b);
}

void
pgqrsi_cancellations_heard(pgqrsi_holding *holding, int64_t id)
{
    pgqrsi_hearsay *hearsay = &holding->cancelled;

    if (holding->count == 0)
        return;
    for (size_t i = 0; i < hearsay->count; i++)
        if (hearsay->ids[i] == id)
            return;
    if (hearsay->count < PGQRSI_HEARSAY_MAX)
        hearsay->ids[hearsay->count++] = id;
    else
        hearsay->is_over_full = 1;
}

static int
has_news(const pgqrsi_holding *holding)
{
    return holding->cancelled.count > 0 && !holding->cancelled.is_looking && !holding->is_gone;
}

/* The leases that it is said of. When that was too much to remember it may be any, and those that
 * were claimed first, which are at work, are looked at. */
static pgqrsi_lease_group
gather(pgqrsi_holding *holding)
{
    pgqrsi_hearsay *hearsay = &holding->cancelled;
    pgqrsi_lease_group group = { NULL, 0, 0 };
    pgqrsi_lease *lease;

    qsort(hearsay->ids, hearsay->count, sizeof(hearsay->ids[0]), compare);
    TAILQ_FOREACH(lease, &holding->owned, owned)
    {
        if (lease->state == PGQRSI_LEASE_SENT)
            continue;
        if (!hearsay->is_over_full && bsearch(&lease->job.message->id, hearsay->ids, hearsay->count,
                                              sizeof(hearsay->ids[0]), compare) == NULL)
            continue;
        if (group.count == GROUP_MAX || !pgqrsi_lease_group_add(&group, lease))
            break;
    }
    pgqrsi_lease_group_sort(&group);
    return group;
}

static pgqrsi_lease_group
group_of(const pgqrsi_exchange_request *request)
{
    return (pgqrsi_lease_group){ (pgqrsi_lease **)request->items, request->count, request->count };
}

static void
answered(pgqrsi_exchange_request *request, pgqrsi_rows **rows)
{
    pgqrsi_holding *holding = request->owner;
    pgqrsi_lease_group group = group_of(request);

    holding->cancelled.is_looking = 0;
    for (int row = 0; row < pgqrsi_rows_count(*rows); row++) {
        pgqrsi_lease *lease = pgqrsi_lease_group_find(&group, pgqrsi_rows_int(*rows, row, 0));

        if (lease == NULL || lease->state == PGQRSI_LEASE_SENT ||
            lease->state == PGQRSI_LEASE_ENDED)
            continue;
        pgqrsi_lease_withdraw(lease);
        pgqrsi_lease_cancel(lease, PGQRS_JOB_CANCELLED);
        pgqrsi_lease_end(lease);
    }
    pgqrsi_lease_group_release(&group);
}

/* It is repeated: at once if the connection broke, so that no cancellation is overheard. */
static void
failed(pgqrsi_exchange_request *request, const pgqrsi_refusal *refusal)
{
    pgqrsi_holding *holding = request->owner;
    pgqrsi_lease_group group = group_of(request);

    holding->cancelled.is_looking = 0;
    for (size_t i = 0; i < group.count; i++)
        pgqrsi_cancellations_heard(holding, group.list[i]->job.message->id);
    pgqrsi_lease_group_release(&group);
    if (refusal->status == PGQRS_EUNKNOWN)
        return;
    holding->cancelled.look_ms = pgqrsi_clock_boot_ms() + TROUBLE_PAUSE_MS;
    pgqrsi_events_trouble(holding->all->events, &holding->trouble, PGQRS_EVENT_TROUBLE,
                          refusal->status, refusal->message);
}

static pgqrsi_sending_as
sending_as(const pgqrsi_holding *holding)
{
    int64_t patience_ms = holding->options.lease_ms / 3;

    if (patience_ms > PATIENCE_MAX_MS)
        patience_ms = PATIENCE_MAX_MS;
    return (pgqrsi_sending_as){ .traffic = PGQRSI_TRAFFIC_HEARTBEAT,
                                .is_apart = 1,
                                .patience_ms =
                                    patience_ms > PATIENCE_MIN_MS ? patience_ms : PATIENCE_MIN_MS,
                                .lock_ms = LOCK_MS };
}

/* 0 if there was no room for it. */
static int
send(pgqrsi_holding *holding, pgqrsi_exchange *exchange, pgqrsi_lease_group *group)
{
    const pgqrsi_sending_as as = sending_as(holding);
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    pgqrsi_exchange_request *request;

    pgqrsi_params_start_ints(&params, group->count);
    for (size_t i = 0; i < group->count; i++)
        pgqrsi_params_element_int(&params, group->list[i]->job.message->id);
    pgqrsi_params_end_array(&params);
    request = pgqrsi_exchange_send(exchange, &as,
                                   &(pgqrsi_call){ .scope = &holding->consumer->queue->scope,
                                                   .sql = PGQRSI_SQL_CONSUMER_GONE,
                                                   .params = &params });
    pgqrsi_params_release(&params);
    if (request == NULL)
        return 0;
    request->answered = answered;
    request->failed = failed;
    request->owner = holding;
    request->items = (void **)group->list;
    request->count = group->count;
    return 1;
}

/* 0 if there was no room for it. */
static int
look(pgqrsi_holding *holding, pgqrsi_exchange *exchange, int64_t now_ms)
{
    pgqrsi_hearsay *hearsay = &holding->cancelled;
    pgqrsi_lease_group group = gather(holding);

    if (group.count > 0 && !send(holding, exchange, &group)) {
        pgqrsi_lease_group_release(&group);
        return 0;
    }
    hearsay->is_looking = group.count > 0;
    hearsay->count = 0;
    hearsay->is_over_full = 0;
    hearsay->look_ms = now_ms + QUEUE_PAUSE_MS;
    holding->all->cancelled_ms = now_ms + PAUSE_MS;
    return 1;
}

/* The queue that has waited longest. */
static pgqrsi_holding *
choose(const pgqrsi_holdings *all)
{
    pgqrsi_holding *holding, *first = NULL;

    TAILQ_FOREACH(holding, &all->busy, busy)
    if (has_news(holding) &&
        (first == NULL || holding->cancelled.look_ms < first->cancelled.look_ms))
        first = holding;
    return first;
}

void
pgqrsi_cancellations_send(pgqrsi_holdings *all, pgqrsi_exchange *exchange, int64_t now_ms)
{
    pgqrsi_holding *holding = choose(all);

    if (holding != NULL && holding->cancelled.look_ms <= now_ms && all->cancelled_ms <= now_ms)
        look(holding, exchange, now_ms);
}

int64_t
pgqrsi_cancellations_due_ms(const pgqrsi_holdings *all, pgqrsi_exchange *exchange)
{
    const pgqrsi_holding *holding = choose(all);
    pgqrsi_sending_as as;

    if (holding == NULL)
        return NEVER;
    as = sending_as(holding);
    if (!pgqrsi_exchange_has_room(exchange, &as))
        return NEVER;
    return holding->cancelled.look_ms > all->cancelled_ms ? holding->cancelled.look_ms
                                                          : all->cancelled_ms;
}
