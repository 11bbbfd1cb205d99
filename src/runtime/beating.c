#include "runtime/runtime.h"

#include <stdlib.h>
#include <string.h>

#include "base/random.h"

/* A lease is not trusted any more this long before its end, or a quarter of it if that is shorter. */
#define MARGIN_MS 2000

/* A heartbeat that the server refused is repeated after this, or after a part of the lease. */
#define TROUBLE_PAUSE_MS 500

int64_t
pgqrsi_beating_margin_ms(int64_t lease_ms)
{
    return lease_ms / 4 < MARGIN_MS ? lease_ms / 4 : MARGIN_MS;
}

void
pgqrsi_beating_cancel(pgqrs_job *job, pgqrs_job_cancellation why)
{
    static const char *const texts[] = {
        [PGQRS_JOB_GOES_ON] = "",
        [PGQRS_JOB_LEASE_LOST] = "its lease is lost, or could not be extended in time",
        [PGQRS_JOB_CANCELLED] = "it was cancelled",
        [PGQRS_JOB_TIMED_OUT] = "it took longer than its timeout",
        [PGQRS_JOB_STOPPING] = "the worker stops",
    };

    atomic_store(&job->cancellation, why);
    if (job->is_over || job->is_told)
        return;
    job->is_told = 1;
    pgqrsi_worker_tell(job->worker, PGQRS_EVENT_CANCELLED, job, PGQRS_OK, texts[why]);
}

void
pgqrsi_beating_cancelled_outside(pgqrsi_work_queue *queue, int64_t id)
{
    pgqrs_job *job;

    TAILQ_FOREACH(job, &queue->owned, owned)
    if (job->message->id == id)
        break;
    if (job == NULL || job->state == PGQRSI_LEASE_SENT)
        return;
    if (pgqrsi_running_withdraw(job))
        job->is_over = 1;
    pgqrsi_beating_cancel(job, PGQRS_JOB_CANCELLED);
    pgqrsi_reporting_end(job);
}

/* Those whose leases have been held for a while, in one lane. NULL if there are none, or no memory. */
static pgqrs_job **
gather(pgqrsi_work_queue *queue, pgqrsi_lane lane, int64_t now_ms, size_t *out_count)
{
    int64_t fresh_ms = now_ms - queue->options.lease_ms / 6;
    size_t count = 0, capacity = 0;
    pgqrs_job **jobs = NULL;
    pgqrs_job *job;

    TAILQ_FOREACH(job, &queue->owned, owned)
    {
        if (job->state != PGQRSI_LEASE_HELD || job->lane != lane || job->renewed_ms > fresh_ms)
            continue;
        if (count == capacity) {
            pgqrs_job **grown = realloc(jobs, (capacity * 4 + 16) * sizeof(jobs[0]));

            if (grown == NULL)
                break;
            jobs = grown;
            capacity = capacity * 4 + 16;
        }
        job->pins++;
        jobs[count++] = job;
    }
    *out_count = count;
    return jobs;
}

static void
send_lane(pgqrsi_segment *segment, pgqrsi_work_queue *queue, pgqrsi_lane lane, int64_t now_ms)
{
    size_t count = 0;
    pgqrs_job **jobs = gather(queue, lane, now_ms, &count);
    pgqrs_lease *leases = count > 0 ? calloc(count, sizeof(leases[0])) : NULL;
    pgqrsi_leases group = { .leases = leases, .count = count, .number = &queue->options.lease_ms };
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    pgqrsi_errand errand = { .jobs = jobs, .count = count };
    pgqrsi_errand *sent = NULL;

    if (leases != NULL) {
        pgqrsi_call call;

        pgqrsi_reporting_sort(jobs, count);
        for (size_t i = 0; i < count; i++)
            leases[i] = pgqrs_message_lease(jobs[i]->message);
        call = pgqrsi_leases_call(queue->consumer, PGQRSI_SQL_CONSUMER_EXTEND, lane, &group, &params);
        sent = pgqrsi_cycle_send(queue->worker, segment, PGQRSI_ERRAND_EXTEND, queue, &call);
    }
    pgqrsi_params_release(&params);
    free(leases);
    if (sent != NULL) {
        sent->jobs = jobs;
        sent->count = count;
    } else {
        pgqrsi_reporting_unpin(&errand);
    }
}

void
pgqrsi_beating_send(pgqrs_worker *worker, int64_t now_ms)
{
    for (size_t i = 0; i < worker->queue_count; i++) {
        pgqrsi_work_queue *queue = worker->queues[i];
        pgqrsi_segment *segment;

        if (queue->beat_ms > now_ms)
            continue;
        queue->beat_ms = TAILQ_EMPTY(&queue->owned) ? NEVER : now_ms + queue->options.lease_ms / 3;
        if (queue->beat_ms == NEVER)
            continue;
        segment = pgqrsi_cycle_segment(worker);
        if (segment == NULL) {
            queue->beat_ms = now_ms;
            return;
        }
        send_lane(segment, queue, PGQRSI_LANE_READY, now_ms);
        send_lane(segment, queue, PGQRSI_LANE_HELD, now_ms);
        pgqrsi_cycle_sync(worker, segment);
    }
}

int
pgqrsi_beating_wants(const pgqrs_worker *worker, int64_t now_ms)
{
    for (size_t i = 0; i < worker->queue_count; i++)
        if (worker->queues[i]->beat_ms <= now_ms)
            return 1;
    return 0;
}

/* What is not in the ready lane any more has been moved to the held one, and is looked for there at once. */
static void
not_found(pgqrs_job *job)
{
    if (job->state != PGQRSI_LEASE_HELD)
        return;
    if (job->lane == PGQRSI_LANE_HELD) {
        if (pgqrsi_running_withdraw(job))
            job->is_over = 1;
        pgqrsi_reporting_lost(job, "its lease ran out");
        return;
    }
    job->lane = PGQRSI_LANE_HELD;
    job->queue->beat_ms = pgqrsi_clock_boot_ms();
}

void
pgqrsi_beating_answer(pgqrsi_errand *errand, const pgqrsi_rows *rows, int64_t sent_ms)
{
    int64_t lease_ms = errand->queue->options.lease_ms;
    int64_t sure_until_ms = sent_ms + lease_ms - pgqrsi_beating_margin_ms(lease_ms);

    for (int row = 0; row < pgqrsi_rows_count(rows); row++) {
        pgqrs_job *job = pgqrsi_reporting_find(errand, pgqrsi_rows_int(rows, row, 0));

        if (job == NULL)
            continue;
        job->renewed_ms = sent_ms;
        atomic_store(&job->sure_until_ms, sure_until_ms);
    }
    for (size_t i = 0; i < errand->count; i++)
        if (errand->jobs[i]->renewed_ms != sent_ms)
            not_found(errand->jobs[i]);
    pgqrsi_reporting_unpin(errand);
}

void
pgqrsi_beating_failed(pgqrsi_errand *errand, pgqrs_status status, const char *message)
{
    pgqrsi_work_queue *queue = errand->queue;
    int64_t pause_ms = queue->options.lease_ms / 10;

    pgqrsi_reporting_unpin(errand);
    queue->beat_ms = pgqrsi_clock_boot_ms();
    if (status == PGQRS_EUNKNOWN)
        return; /* at once when there is a connection again */
    queue->beat_ms += pause_ms < TROUBLE_PAUSE_MS ? pause_ms : TROUBLE_PAUSE_MS;
    pgqrsi_worker_tell(queue->worker, PGQRS_EVENT_TROUBLE, NULL, status, message);
}

static void
time_out(pgqrs_job *job)
{
    pgqrsi_beating_cancel(job, PGQRS_JOB_TIMED_OUT);
    job->timed_out = 1;
    pgqrsi_reporting_fail(job);
}

static int64_t
earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Looks at one job whose lease is held; returns when to look again. */
static int64_t
scan_job(pgqrs_job *job, int64_t now_ms)
{
    int64_t sure_until_ms = atomic_load(&job->sure_until_ms);
    int64_t deadline_ms = atomic_load(&job->deadline_ms);
    int64_t due_ms = NEVER;

    if (now_ms >= job->return_ms) {
        if (pgqrsi_running_withdraw(job)) {
            job->is_over = 1;
            pgqrsi_reporting_add(job, PGQRSI_VERDICT_RETURNED);
            return NEVER;
        }
        job->return_ms = NEVER; /* it has begun */
    }
    if (now_ms >= deadline_ms) {
        time_out(job);
        return NEVER;
    }
    if (now_ms >= sure_until_ms)
        pgqrsi_beating_cancel(job, PGQRS_JOB_LEASE_LOST);
    else
        due_ms = sure_until_ms;
    if (job->queue->options.job_timeout_ms > 0 && deadline_ms == NEVER)
        due_ms = earlier(due_ms, now_ms + job->queue->options.job_timeout_ms);
    return earlier(due_ms, earlier(job->return_ms, deadline_ms));
}

void
pgqrsi_beating_scan(pgqrs_worker *worker, int64_t now_ms)
{
    if (worker->scan_ms > now_ms)
        return;
    worker->scan_ms = NEVER;
    for (size_t i = 0; i < worker->queue_count; i++) {
        pgqrs_job *job = TAILQ_FIRST(&worker->queues[i]->owned);

        while (job != NULL) {
            pgqrs_job *next = TAILQ_NEXT(job, owned);

            if (job->state == PGQRSI_LEASE_HELD)
                worker->scan_ms = earlier(worker->scan_ms, scan_job(job, now_ms));
            job = next;
        }
    }
}

int64_t
pgqrsi_beating_due_ms(const pgqrs_worker *worker)
{
    int64_t due_ms = worker->scan_ms;

    for (size_t i = 0; i < worker->queue_count; i++)
        due_ms = earlier(due_ms, worker->queues[i]->beat_ms);
    return due_ms;
}
