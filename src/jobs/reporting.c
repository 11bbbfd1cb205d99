#include "jobs/reporting.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "jobs/refusals.h"

/* Leases that one statement names, at most. */
#define GROUP_MAX 2000

/* A transaction that several queues share does not wait longer for a lock. */
#define LOCK_MS 500

/* How long the session itself waits for a lock, at most. */
#define SESSION_LOCK_MS 2000

/* The queue of a report that met a lock is served by itself for so long. */
#define LOCKED_MS 30000

/* What is under way is not extended, so an answer is waited for a part of the lease, but for the
 * disk so long. */
#define PATIENCE_MIN_MS 2000

/* Reports that are repeated by themselves, in one round. */
#define ALONE_MAX 3

void
pgqrsi_reporting_returned(pgqrs_job *job)
{
    pgqrsi_lease *lease = pgqrsi_lease_of_job(job);

    if (lease->state != PGQRSI_LEASE_HELD) {
        pgqrsi_lease_job_ended(lease);
        return;
    }
    pgqrsi_lease_job_ended(lease);
    switch (job->outcome) {
    case PGQRS_JOB_DONE:
        pgqrsi_lease_report(lease, PGQRSI_VERDICT_DONE);
        break;
    case PGQRS_JOB_DEAD:
        pgqrsi_lease_report(lease, PGQRSI_VERDICT_DEAD);
        break;
    case PGQRS_JOB_SNOOZED:
        pgqrsi_lease_report(lease, PGQRSI_VERDICT_SNOOZED);
        break;
    case PGQRS_JOB_RELEASED:
        pgqrsi_lease_report(lease, PGQRSI_VERDICT_RELEASED);
        break;
    case PGQRS_JOB_SETTLED:
        lease->verdict = PGQRSI_VERDICT_DONE; /* the server knows already */
        pgqrsi_lease_confirmed(lease);
        break;
    case PGQRS_JOB_FAILED:
    case PGQRS_JOB_PENDING:
        pgqrsi_lease_fail(lease);
        break;
    }
}

/* What the handler set, -1 if nothing: not while it may still be setting it. */
static int64_t
delay_set(const pgqrsi_lease *lease)
{
    return lease->is_over && !lease->timed_out && lease->refusal == NULL ? lease->job.delay_ms : -1;
}

/* The pause before the next attempt; 0: the queue's. Saturates. */
static int64_t
pause_of(const pgqrsi_lease *lease)
{
    const pgqrs_worker_queue_options *options = &lease->holding->options;
    int64_t pause_ms = options->retry_base_ms, set_ms = delay_set(lease);

    if (set_ms >= 0)
        return set_ms > 0 ? set_ms : 1;
    if (options->retry == PGQRS_RETRY_QUEUE)
        return 0;
    if (options->retry == PGQRS_RETRY_FIXED)
        return pause_ms;
    for (int32_t i = 0; i < lease->job.message->failed_ct && pause_ms < options->retry_max_ms; i++)
        pause_ms *= 2;
    if (pause_ms > options->retry_max_ms)
        pause_ms = options->retry_max_ms;
    return pause_ms / 2 + 1 + pgqrsi_random_token() % (pause_ms - pause_ms / 2);
}

static int64_t
release_delay(const pgqrsi_lease *lease)
{
    if (lease->verdict == PGQRSI_VERDICT_UNSTARTED)
        return lease->release_delay_ms;
    return lease->verdict == PGQRSI_VERDICT_SNOOZED && delay_set(lease) > 0 ? delay_set(lease) : 0;
}

/* The statement that carries out the verdict, but for failures. */
static pgqrsi_sql
statement_of(const pgqrsi_lease *lease)
{
    if (lease->verdict != PGQRSI_VERDICT_DONE)
        return PGQRSI_SQL_CONSUMER_RELEASE;
    if (lease->holding->options.done == PGQRS_DONE_DELETE)
        return PGQRSI_SQL_CONSUMER_DELETE;
    return lease->in_archive ? PGQRSI_SQL_CONSUMER_ARCHIVED : PGQRSI_SQL_CONSUMER_ARCHIVE;
}

/* 1 if both can be ended by one statement. */
static int
go_together(const pgqrsi_lease *a, const pgqrsi_lease *b)
{
    return !pgqrsi_verdict_is_failure(a) && !pgqrsi_verdict_is_failure(b) && a->lane == b->lane &&
           statement_of(a) == statement_of(b) && release_delay(a) == release_delay(b);
}

/* Takes `first` and what goes together with it off the list. */
static pgqrsi_lease_group
take_group(pgqrsi_lease *first)
{
    size_t max = first->is_alone ? 1 : GROUP_MAX;
    pgqrsi_lease_group group = { NULL, 0, 0 };
    pgqrsi_lease *lease, *next;

    for (lease = first; lease != NULL && group.count < max; lease = next) {
        next = TAILQ_NEXT(lease, report);
        if (lease != first && (lease->is_alone || !go_together(first, lease)))
            continue;
        if (!pgqrsi_lease_group_add(&group, lease))
            break;
        pgqrsi_lease_sent(lease);
    }
    pgqrsi_lease_group_sort(&group);
    return group;
}

static void
put_back(pgqrsi_lease_group *group)
{
    for (size_t i = 0; i < group->count; i++)
        pgqrsi_lease_put_back(group->list[i]);
    pgqrsi_lease_group_release(group);
}

static pgqrsi_last_attempt
last_of(const pgqrsi_lease *lease)
{
    if (lease->verdict != PGQRSI_VERDICT_FAILED)
        return PGQRSI_LAST;
    return lease->holding->options.max_attempts > 0 ? PGQRSI_NOT_LAST : PGQRSI_LAST_BY_QUEUE;
}

/* Not in the lane where it was looked for: tried in the next place, until there is none. */
static void
not_found(pgqrsi_lease *lease)
{
    if (lease->state != PGQRSI_LEASE_SENT)
        return; /* ended meanwhile, by a cancellation */
    if (lease->lane == PGQRSI_LANE_READY && !lease->in_archive) {
        lease->lane = PGQRSI_LANE_HELD;
        pgqrsi_lease_put_back(lease);
    } else if (!lease->in_archive && statement_of(lease) == PGQRSI_SQL_CONSUMER_ARCHIVE) {
        lease->in_archive = 1;
        pgqrsi_lease_put_back(lease);
    } else {
        pgqrsi_lease_lost(lease, "its lease is lost: what became of it was not reported");
    }
}

static void
answered_failure(pgqrsi_exchange_request *request, pgqrsi_rows **rows)
{
    pgqrsi_holding *holding = request->owner;
    pgqrsi_lease_group group = { (pgqrsi_lease **)request->items, request->count, request->count };
    pgqrsi_lease *lease = group.list[0];
    pgqrsi_failure failure = { .found = 0 };

    pgqrsi_failure_read(&failure, *rows);
    if (failure.found && failure.dead && lease->verdict == PGQRSI_VERDICT_FAILED)
        lease->verdict = PGQRSI_VERDICT_DEAD;
    if (failure.found && !failure.dead)
        holding->came_back(holding, failure.pause_ms);
    if (!failure.found)
        not_found(lease);
    else if (lease->state == PGQRSI_LEASE_SENT)
        pgqrsi_lease_confirmed(lease);
    pgqrsi_lease_group_release(&group);
}

static void
answered_ends(pgqrsi_exchange_request *request, pgqrsi_rows **rows)
{
    pgqrsi_holding *holding = request->owner;
    pgqrsi_lease_group group = { (pgqrsi_lease **)request->items, request->count, request->count };
    int is_release = statement_of(group.list[0]) == PGQRSI_SQL_CONSUMER_RELEASE;
    int64_t delay_ms = release_delay(group.list[0]);

    for (int row = 0; row < pgqrsi_rows_count(*rows); row++) {
        pgqrsi_lease *lease = pgqrsi_lease_group_find(&group, pgqrsi_rows_int(*rows, row, 0));

        if (lease != NULL && lease->state == PGQRSI_LEASE_SENT)
            pgqrsi_lease_confirmed(lease);
    }
    if (is_release && pgqrsi_rows_count(*rows) > 0)
        holding->came_back(holding, delay_ms);
    for (size_t i = 0; i < group.count; i++)
        not_found(group.list[i]);
    pgqrsi_lease_group_release(&group);
}

static void
failed(pgqrsi_exchange_request *request, const pgqrsi_refusal *refusal)
{
    pgqrsi_holding *holding = request->owner;
    pgqrsi_lease_group group = { (pgqrsi_lease **)request->items, request->count, request->count };
    int is_known = refusal->status != PGQRS_EUNKNOWN && refusal->status != PGQRS_ENOQUEUE;
    int is_own = is_known && group.count == 1 && !refusal->is_shared;

    if (is_known && strcmp(refusal->sqlstate, "55P03") == 0)
        holding->apart_until_ms = pgqrsi_clock_boot_ms() + LOCKED_MS;
    for (size_t i = 0; i < group.count; i++) {
        pgqrsi_lease *lease = group.list[i];

        if (lease->state != PGQRSI_LEASE_SENT)
            continue;
        if (is_own)
            pgqrsi_refusals_note(lease, refusal);
        lease->is_alone |= is_known;
        pgqrsi_lease_put_back(lease);
    }
    pgqrsi_lease_group_release(&group);
    if (refusal->status == PGQRS_ENOQUEUE) {
        holding->is_gone = 1;
        pgqrsi_holding_gone(holding);
    } else if (is_known) {
        /* nothing was extended while it was under way */
        holding->heartbeat_ms = pgqrsi_clock_boot_ms();
        pgqrsi_events_trouble(holding->all->events, &holding->trouble, PGQRS_EVENT_TROUBLE,
                              refusal->status, refusal->message);
    }
}

static pgqrsi_exchange_request *
send_failure(pgqrsi_exchange *exchange, const pgqrsi_sending_as *as, pgqrsi_lease *lease)
{
    pgqrsi_failure failure = { .lease = pgqrs_message_lease(lease->job.message),
                               .last = last_of(lease),
                               .charge = lease->verdict != PGQRSI_VERDICT_CRASHED,
                               .delay_ms = pause_of(lease) };
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    char text[PGQRSI_JOB_TEXT_BYTES];
    pgqrsi_exchange_request *request;
    pgqrsi_call call;

    failure.error = pgqrsi_lease_error(lease, text);
    call = pgqrsi_failure_call(lease->holding->consumer, lease->lane, &failure, &params);
    request = pgqrsi_exchange_send(exchange, as, &call);
    pgqrsi_params_release(&params);
    if (request != NULL)
        request->answered = answered_failure;
    return request;
}

/* A result is archived with a job that was done; of others the handler may be writing it just
 * now. */
static void
name_leases(const pgqrsi_lease_group *group, pgqrs_lease *leases, pgqrs_slice *results)
{
    for (size_t i = 0; i < group->count; i++) {
        const pgqrsi_lease *lease = group->list[i];

        leases[i] = pgqrs_message_lease(lease->job.message);
        if (lease->verdict == PGQRSI_VERDICT_DONE && lease->is_over && lease->job.result.size > 0)
            results[i] = (pgqrs_slice){ lease->job.result.data, lease->job.result.size };
    }
}

static pgqrsi_exchange_request *
send_ends(pgqrsi_exchange *exchange, const pgqrsi_sending_as *as, const pgqrsi_lease_group *group)
{
    pgqrsi_lease *first = group->list[0];
    pgqrs_lease *leases = calloc(group->count, sizeof(leases[0]));
    pgqrs_slice *results = calloc(group->count, sizeof(results[0]));
    int64_t delay_ms = release_delay(first);
    pgqrsi_sql sql = statement_of(first);
    pgqrsi_leases named = { .leases = leases, .archived = results, .count = group->count };
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    pgqrsi_exchange_request *request = NULL;

    if (leases != NULL && results != NULL) {
        pgqrsi_call call;

        name_leases(group, leases, results);
        if (sql == PGQRSI_SQL_CONSUMER_RELEASE)
            named.number = &delay_ms;
        call = pgqrsi_leases_call(first->holding->consumer, sql, first->lane, &named, &params);
        request = pgqrsi_exchange_send(exchange, as, &call);
        if (request != NULL)
            request->answered = answered_ends;
    }
    pgqrsi_params_release(&params);
    free(leases);
    free(results);
    return request;
}

/* Sends the statement for `first` and what goes together with it. 0 if that could not be. */
static int
send_group(pgqrsi_exchange *exchange, const pgqrsi_sending_as *as, pgqrsi_lease *first)
{
    pgqrsi_lease_group group;
    pgqrsi_exchange_request *request;

    if (!pgqrsi_exchange_has_room(exchange, as))
        return 0;
    group = take_group(first);
    if (group.count == 0)
        return 0;
    request = pgqrsi_verdict_is_failure(first) ? send_failure(exchange, as, first)
                                               : send_ends(exchange, as, &group);
    if (request == NULL) {
        put_back(&group);
        return 0;
    }
    request->failed = failed;
    request->owner = first->holding;
    request->items = (void **)group.list;
    request->count = group.count;
    return 1;
}

static pgqrsi_sending_as
sending_as(const pgqrsi_holding *holding, int is_alone, int64_t now_ms)
{
    int is_locked = now_ms < holding->apart_until_ms;
    int64_t lease_ms = holding->options.lease_ms;
    int64_t lock_ms = lease_ms / 4 < LOCK_MS ? lease_ms / 4 : LOCK_MS;
    /* Rows that are being finished cannot be extended, so the wait is a part of the lease. */
    int is_bounded =
        holding->all->is_shared || is_alone || is_locked || lease_ms / 4 < SESSION_LOCK_MS;

    return (pgqrsi_sending_as){ .traffic = PGQRSI_TRAFFIC_REPORT,
                                .is_apart = is_alone || is_locked,
                                .is_slow = is_locked,
                                .patience_ms =
                                    lease_ms / 3 > PATIENCE_MIN_MS ? lease_ms / 3 : PATIENCE_MIN_MS,
                                .lock_ms = is_bounded ? lock_ms : 0 };
}

/* Takes what was put back while the list is walked over for sent again: so no further than the last
 * one. */
static void
send_holding(pgqrsi_holding *holding, pgqrsi_exchange *exchange, int64_t now_ms)
{
    pgqrsi_lease *lease = TAILQ_FIRST(&holding->reports);
    int alone = 0;

    while (lease != NULL) {
        const pgqrsi_sending_as as = sending_as(holding, lease->is_alone, now_ms);
        int is_due = lease->retry_ms <= now_ms && (!lease->is_alone || alone < ALONE_MAX);

        if (!is_due) {
            lease = TAILQ_NEXT(lease, report);
            continue;
        }
        alone += lease->is_alone;
        if (!send_group(exchange, &as, lease))
            return;
        lease = TAILQ_FIRST(&holding->reports);
    }
}

void
pgqrsi_reporting_send(pgqrsi_holdings *all, pgqrsi_exchange *exchange, int64_t now_ms)
{
    pgqrsi_holding *holding;

    if (all->unreported == 0)
        return;
    TAILQ_FOREACH(holding, &all->busy, busy)
    if (!TAILQ_EMPTY(&holding->reports) && !holding->is_gone)
        send_holding(holding, exchange, now_ms);
}

static int64_t
due_ms_of(const pgqrsi_holding *holding, pgqrsi_exchange *exchange, int64_t now_ms)
{
    int64_t due_ms = NEVER;
    const pgqrsi_lease *lease;

    TAILQ_FOREACH(lease, &holding->reports, report)
    {
        const pgqrsi_sending_as as = sending_as(holding, lease->is_alone, now_ms);

        if (lease->retry_ms < due_ms &&
            (lease->retry_ms > now_ms || pgqrsi_exchange_has_room(exchange, &as)))
            due_ms = lease->retry_ms;
        if (due_ms <= now_ms)
            break;
    }
    return due_ms;
}

int64_t
pgqrsi_reporting_due_ms(const pgqrsi_holdings *all, pgqrsi_exchange *exchange)
{
    int64_t now_ms = pgqrsi_clock_boot_ms(), due_ms = NEVER;
    const pgqrsi_holding *holding;

    if (all->unreported == 0 || !pgqrsi_exchange_is_open(exchange))
        return NEVER;
    TAILQ_FOREACH(holding, &all->busy, busy)
    {
        int64_t own_ms = holding->is_gone ? NEVER : due_ms_of(holding, exchange, now_ms);

        if (own_ms < due_ms)
            due_ms = own_ms;
        if (due_ms <= now_ms)
            break;
    }
    return due_ms;
}
