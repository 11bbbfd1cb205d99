#include "jobs/leases.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/name.h"
#include "queue/message.h"

/* A lease is not trusted any more this long before its end, or a quarter of it if that is
 * shorter. */
#define MARGIN_MS 2000

/* A message that was claimed ahead is given back after this. */
#define RETURN_MS 100

/* A lease is extended so often in its time. */
#define BEATS_PER_LEASE 3

static const struct {
    pgqrs_event_kind event;
    size_t counter; /* in pgqrs_worker_counts */
} told[] = {
    [PGQRSI_VERDICT_DONE] = { PGQRS_EVENT_DONE, offsetof(pgqrs_worker_counts, done) },
    [PGQRSI_VERDICT_FAILED] = { PGQRS_EVENT_FAILED, offsetof(pgqrs_worker_counts, failed) },
    [PGQRSI_VERDICT_DEAD] = { PGQRS_EVENT_DEAD, offsetof(pgqrs_worker_counts, dead) },
    [PGQRSI_VERDICT_SNOOZED] = { PGQRS_EVENT_SNOOZED, offsetof(pgqrs_worker_counts, snoozed) },
    [PGQRSI_VERDICT_RELEASED] = { PGQRS_EVENT_RELEASED, offsetof(pgqrs_worker_counts, released) },
    [PGQRSI_VERDICT_CRASHED] = { PGQRS_EVENT_DEAD, offsetof(pgqrs_worker_counts, dead) },
};

void
pgqrsi_holdings_init(pgqrsi_holdings *all, const pgqrsi_events *events, pgqrsi_handlers *handlers)
{
    all->events = events;
    all->handlers = handlers;
    all->scan_ms = NEVER;
    TAILQ_INIT(&all->busy);
}

void
pgqrsi_holding_init(pgqrsi_holding *holding, pgqrsi_holdings *all)
{
    holding->all = all;
    holding->heartbeat_ms = NEVER;
    TAILQ_INIT(&holding->owned);
    TAILQ_INIT(&holding->reports);
}

pgqrsi_batch *
pgqrsi_batch_new(size_t count)
{
    pgqrsi_batch *batch = calloc(1, sizeof(*batch));

    if (batch == NULL)
        return NULL;
    batch->refs = 1;
    batch->leases = calloc(count > 0 ? count : 1, sizeof(batch->leases[0]));
    if (batch->leases != NULL && pgqrsi_message_list_new(count, &batch->list, NULL) == PGQRS_OK)
        return batch;
    free(batch->leases);
    free(batch);
    return NULL;
}

void
pgqrsi_batch_unref(pgqrsi_batch *batch)
{
    if (--batch->refs > 0)
        return;
    pgqrs_message_list_free(batch->list);
    free(batch->leases);
    free(batch);
}

int64_t
pgqrsi_lease_margin_ms(int64_t lease_ms)
{
    return lease_ms / 4 < MARGIN_MS ? lease_ms / 4 : MARGIN_MS;
}

static int
is_unreported(pgqrsi_lease_state state)
{
    return state == PGQRSI_LEASE_REPORT || state == PGQRSI_LEASE_SENT;
}

/* The only place where the state changes. */
static void
enter(pgqrsi_lease *lease, pgqrsi_lease_state state)
{
    pgqrsi_holding *holding = lease->holding;

    if (lease->state == PGQRSI_LEASE_REPORT)
        TAILQ_REMOVE(&holding->reports, lease, report);
    if (state == PGQRSI_LEASE_REPORT)
        TAILQ_INSERT_TAIL(&holding->reports, lease, report);
    holding->all->unsent += (size_t)(state == PGQRSI_LEASE_REPORT);
    holding->all->unsent -= (size_t)(lease->state == PGQRSI_LEASE_REPORT);
    holding->all->unreported += (size_t)is_unreported(state);
    holding->all->unreported -= (size_t)is_unreported(lease->state);
    lease->state = state;
}

pgqrsi_lease *
pgqrsi_lease_begin(pgqrsi_holding *holding, pgqrsi_batch *batch, size_t i, pgqrsi_lane lane,
                   int64_t sent_ms)
{
    pgqrsi_lease *lease = &batch->leases[i];
    int64_t timeout_ms = holding->options.job_timeout_ms;
    int64_t scan_ms = pgqrsi_clock_boot_ms();

    pgqrsi_job_init(&lease->job, &holding->source, pgqrs_message_list_at(batch->list, i));
    batch->refs++;
    lease->batch = batch;
    lease->holding = holding;
    lease->lane = lane;
    lease->return_ms = scan_ms + RETURN_MS;
    pgqrsi_lease_renewed(lease, sent_ms);
    if (holding->count++ == 0) {
        TAILQ_INSERT_TAIL(&holding->all->busy, holding, busy);
        holding->heartbeat_ms = sent_ms + holding->options.lease_ms / BEATS_PER_LEASE;
    }
    TAILQ_INSERT_TAIL(&holding->owned, lease, owned);
    holding->all->count++;
    scan_ms += timeout_ms > 0 && timeout_ms < RETURN_MS ? timeout_ms : RETURN_MS;
    if (scan_ms < holding->all->scan_ms)
        holding->all->scan_ms = scan_ms;
    return lease;
}

pgqrsi_lease *
pgqrsi_lease_of_job(pgqrs_job *job)
{
    return (pgqrsi_lease *)(void *)((char *)job - offsetof(pgqrsi_lease, job));
}

static void
free_if_over(pgqrsi_lease *lease)
{
    if (lease->state != PGQRSI_LEASE_ENDED || !lease->is_over || lease->pins > 0)
        return;
    pgqrsi_job_release(&lease->job);
    free(lease->refusal);
    pgqrsi_batch_unref(lease->batch);
}

void
pgqrsi_lease_job_ended(pgqrsi_lease *lease)
{
    lease->is_over = 1;
    free_if_over(lease);
}

void
pgqrsi_lease_renewed(pgqrsi_lease *lease, int64_t sent_ms)
{
    int64_t lease_ms = lease->holding->options.lease_ms;

    lease->renewed_ms = sent_ms;
    lease->is_missing = 0;
    atomic_store(&lease->job.sure_until_ms, sent_ms + lease_ms - pgqrsi_lease_margin_ms(lease_ms));
}

int
pgqrsi_lease_withdraw(pgqrsi_lease *lease)
{
    if (!pgqrsi_handlers_withdraw(lease->holding->all->handlers, &lease->job))
        return 0;
    lease->is_over = 1;
    return 1;
}

void
pgqrsi_lease_report(pgqrsi_lease *lease, pgqrsi_verdict verdict)
{
    lease->verdict = verdict;
    enter(lease, PGQRSI_LEASE_REPORT);
}

/* The worker's own bound on attempts may say that this was the last one. */
void
pgqrsi_lease_fail(pgqrsi_lease *lease)
{
    int32_t max_attempts = lease->holding->options.max_attempts;
    int is_last = max_attempts > 0 && lease->job.message->failed_ct + 1 >= max_attempts;

    pgqrsi_lease_report(lease, is_last ? PGQRSI_VERDICT_DEAD : PGQRSI_VERDICT_FAILED);
}

void
pgqrsi_lease_sent(pgqrsi_lease *lease)
{
    enter(lease, PGQRSI_LEASE_SENT);
}

void
pgqrsi_lease_put_back(pgqrsi_lease *lease)
{
    if (lease->state == PGQRSI_LEASE_SENT)
        enter(lease, PGQRSI_LEASE_REPORT);
}

/* Its report becomes a failure with the server's reason; a failure that is to be tried again, which
 * puts the message back into a lane, the last one. Either is repeated as patiently as the report
 * before it. */
static void
give_up(pgqrsi_lease *lease, const char *why)
{
    int32_t max_attempts = lease->holding->options.max_attempts;
    int is_last = max_attempts > 0 && lease->job.message->failed_ct + 1 >= max_attempts;
    char text[PGQRSI_JOB_TEXT_BYTES];

    is_last |= pgqrsi_verdict_is_failure(lease);
    snprintf(text, sizeof(text), "the server refused what became of it: %s", why);
    free(lease->refusal);
    lease->refusal = strdup(text);
    lease->verdict = is_last ? PGQRSI_VERDICT_DEAD : PGQRSI_VERDICT_FAILED;
    lease->refusals = 1;
    lease->refused_ms = pgqrsi_clock_boot_ms();
}

void
pgqrsi_lease_refused(pgqrsi_lease *lease, const char *why, int is_failure)
{
    if (lease->refusals++ == 0) {
        lease->refused_ms = pgqrsi_clock_boot_ms();
        lease->holding->refused++;
        lease->holding->all->refused++;
    }
    if (is_failure && lease->verdict != PGQRSI_VERDICT_DEAD &&
        lease->verdict != PGQRSI_VERDICT_CRASHED)
        give_up(lease, why);
}

void
pgqrsi_lease_end(pgqrsi_lease *lease)
{
    pgqrsi_holding *holding = lease->holding;

    TAILQ_REMOVE(&holding->owned, lease, owned);
    enter(lease, PGQRSI_LEASE_ENDED);
    if (lease->refusals > 0) {
        holding->refused--;
        holding->all->refused--;
    }
    holding->all->suspects -= (size_t)lease->is_suspect;
    if (--holding->count == 0)
        TAILQ_REMOVE(&holding->all->busy, holding, busy);
    holding->all->count--;
    free_if_over(lease);
}

int
pgqrsi_verdict_is_failure(const pgqrsi_lease *lease)
{
    return lease->verdict == PGQRSI_VERDICT_FAILED || lease->verdict == PGQRSI_VERDICT_DEAD ||
           lease->verdict == PGQRSI_VERDICT_CRASHED;
}

pgqrs_slice
pgqrsi_lease_error(const pgqrsi_lease *lease, char text[PGQRSI_JOB_TEXT_BYTES])
{
    if (lease->refusal != NULL)
        return pgqrs_slice_of(lease->refusal);
    if (!lease->timed_out)
        return (pgqrs_slice){ lease->job.error.data, lease->job.error.size };
    /* Its handler may be setting an error of its own just now. */
    snprintf(text, PGQRSI_JOB_TEXT_BYTES, "it took longer than its timeout of %lld ms",
             (long long)lease->holding->options.job_timeout_ms);
    return pgqrs_slice_of(text);
}

/* The beginning of the error, as one line. */
static void
error_line(const pgqrsi_lease *lease, char line[PGQRSI_JOB_TEXT_BYTES])
{
    char text[PGQRSI_JOB_TEXT_BYTES];
    pgqrs_slice error = pgqrsi_lease_error(lease, text);

    snprintf(line, PGQRSI_JOB_TEXT_BYTES, "%.*s", (int)error.size,
             error.size > 0 ? error.data : "");
    /* the cut may be within a character */
    line[pgqrsi_utf8_valid_prefix(pgqrs_slice_of(line))] = '\0';
    for (char *end = line; *end != '\0'; end++)
        if (*end == '\n' || *end == '\r')
            *end = ' ';
}

void
pgqrsi_lease_confirmed(pgqrsi_lease *lease)
{
    pgqrsi_holdings *all = lease->holding->all;
    char error[PGQRSI_JOB_TEXT_BYTES] = "";

    if (pgqrsi_verdict_is_failure(lease))
        error_line(lease, error);
    if (lease->verdict != PGQRSI_VERDICT_UNSTARTED) {
        ++*(int64_t *)(void *)((char *)&all->counts + told[lease->verdict].counter);
        pgqrsi_events_tell(all->events, told[lease->verdict].event, &lease->job, PGQRS_OK, error);
    }
    pgqrsi_lease_end(lease);
}

void
pgqrsi_lease_cancel(pgqrsi_lease *lease, pgqrs_job_cancellation why)
{
    static const char *const texts[] = {
        [PGQRS_JOB_NOT_CANCELLED] = "",
        [PGQRS_JOB_LEASE_LOST] = "its lease is lost, or could not be extended in time",
        [PGQRS_JOB_CANCELLED] = "it was cancelled",
        [PGQRS_JOB_TIMED_OUT] = "it took longer than its timeout",
        [PGQRS_JOB_STOPPING] = "the worker stops",
    };

    atomic_store(&lease->job.cancellation, why);
    if (lease->is_over || lease->is_told)
        return;
    lease->is_told = 1;
    pgqrsi_events_tell(lease->holding->all->events, PGQRS_EVENT_CANCELLED, &lease->job, PGQRS_OK,
                       texts[why]);
}

void
pgqrsi_lease_lost(pgqrsi_lease *lease, const char *why)
{
    pgqrsi_holdings *all = lease->holding->all;

    all->counts.lost++;
    pgqrsi_lease_cancel(lease, PGQRS_JOB_LEASE_LOST);
    pgqrsi_events_tell(all->events, PGQRS_EVENT_LOST, &lease->job, PGQRS_ELEASELOST, why);
    pgqrsi_lease_end(lease);
}

static void
release(pgqrsi_lease *lease, int all)
{
    int is_waiting;

    if (lease->state != PGQRSI_LEASE_HELD)
        return;
    is_waiting = pgqrsi_lease_withdraw(lease);
    if (!is_waiting && all)
        pgqrsi_lease_cancel(lease, PGQRS_JOB_STOPPING);
    if (is_waiting || all)
        pgqrsi_lease_report(lease, PGQRSI_VERDICT_RELEASED);
}

void
pgqrsi_holding_release_held(pgqrsi_holding *holding, int all)
{
    pgqrsi_lease *lease = TAILQ_FIRST(&holding->owned);

    while (lease != NULL) {
        pgqrsi_lease *next = TAILQ_NEXT(lease, owned);

        release(lease, all);
        lease = next;
    }
}

void
pgqrsi_holding_gone(pgqrsi_holding *holding)
{
    pgqrsi_lease *lease = TAILQ_FIRST(&holding->owned);

    pgqrsi_events_trouble(holding->all->events, &holding->trouble, PGQRS_EVENT_TROUBLE,
                          PGQRS_ENOQUEUE,
                          "a queue was deleted: it is served again when there is one of its name");
    while (lease != NULL) {
        pgqrsi_lease *next = TAILQ_NEXT(lease, owned);

        if (lease->state != PGQRSI_LEASE_SENT) {
            pgqrsi_lease_withdraw(lease);
            pgqrsi_lease_lost(lease, "its queue was deleted");
        }
        lease = next;
    }
}

int
pgqrsi_lease_group_add(pgqrsi_lease_group *group, pgqrsi_lease *lease)
{
    if (group->count == group->capacity) {
        size_t capacity = group->capacity * 4 + 16;
        pgqrsi_lease **grown = realloc(group->list, capacity * sizeof(grown[0]));

        if (grown == NULL)
            return 0;
        group->list = grown;
        group->capacity = capacity;
    }
    lease->pins++;
    group->list[group->count++] = lease;
    return 1;
}

static int
compare(const void *left, const void *right)
{
    const pgqrsi_lease *a = *(pgqrsi_lease *const *)left, *b = *(pgqrsi_lease *const *)right;

    return (a->job.message->id > b->job.message->id) - (a->job.message->id < b->job.message->id);
}

void
pgqrsi_lease_group_sort(pgqrsi_lease_group *group)
{
    for (size_t i = 1; i < group->count; i++) {
        if (compare(&group->list[i - 1], &group->list[i]) > 0) {
            qsort(group->list, group->count, sizeof(group->list[0]), compare);
            return;
        }
    }
}

pgqrsi_lease *
pgqrsi_lease_group_find(const pgqrsi_lease_group *group, int64_t id)
{
    size_t low = 0, high = group->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (group->list[middle]->job.message->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < group->count && group->list[low]->job.message->id == id ? group->list[low] : NULL;
}

void
pgqrsi_lease_group_release(pgqrsi_lease_group *group)
{
    for (size_t i = 0; i < group->count; i++) {
        group->list[i]->pins--;
        free_if_over(group->list[i]);
    }
    free(group->list);
    *group = (pgqrsi_lease_group){ NULL, 0, 0 };
}
