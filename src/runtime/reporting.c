#include "runtime/runtime.h"

#include <stdlib.h>
#include <string.h>

#include "base/random.h"

/* Leases that one statement names, at most. */
#define GROUP_MAX 2000

/* After the server refused something. */
#define TROUBLE_PAUSE_MS 300

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
pgqrsi_reporting_add(pgqrs_job *job, pgqrsi_verdict verdict)
{
    job->verdict = verdict;
    job->state = PGQRSI_LEASE_REPORT;
    TAILQ_INSERT_TAIL(&job->queue->reports, job, report);
}

static void
free_if_over(pgqrs_job *job)
{
    if (job->state == PGQRSI_LEASE_ENDED && job->is_over && job->pins == 0)
        pgqrsi_job_free(job);
}

void
pgqrsi_reporting_end(pgqrs_job *job)
{
    if (job->state == PGQRSI_LEASE_REPORT)
        TAILQ_REMOVE(&job->queue->reports, job, report);
    TAILQ_REMOVE(&job->queue->owned, job, owned);
    job->worker->owned_count--;
    if (job->worker->suspect == job)
        job->worker->suspect = NULL;
    job->state = PGQRSI_LEASE_ENDED;
    free_if_over(job);
}

static int
is_failure(const pgqrs_job *job)
{
    return job->verdict == PGQRSI_VERDICT_FAILED || job->verdict == PGQRSI_VERDICT_DEAD ||
           job->verdict == PGQRSI_VERDICT_CRASHED;
}

/* Tells that the report has arrived, and ends the job. */
static void
confirm(pgqrs_job *job)
{
    pgqrs_worker *worker = job->worker;
    char error[PGQRSI_JOB_TEXT_BYTES] = "";

    if (is_failure(job))
        pgqrsi_job_error_line(job, error);
    if (job->verdict != PGQRSI_VERDICT_RETURNED) {
        ++*(int64_t *)((char *)&worker->counts + told[job->verdict].counter);
        pgqrsi_worker_tell(worker, told[job->verdict].event, job, PGQRS_OK, error);
    }
    pgqrsi_reporting_end(job);
}

void
pgqrsi_reporting_lost(pgqrs_job *job, const char *why)
{
    pgqrs_worker *worker = job->worker;

    worker->counts.lost++;
    pgqrsi_beating_cancel(job, PGQRS_JOB_LEASE_LOST);
    pgqrsi_worker_tell(worker, PGQRS_EVENT_LOST, job, PGQRS_ELEASELOST, why);
    pgqrsi_reporting_end(job);
}

/* 1 if the worker's own bound on attempts says that this was the last one. */
static int
is_last_attempt(const pgqrs_job *job)
{
    int32_t max_attempts = job->queue->options.max_attempts;

    return max_attempts > 0 && job->message->failed_ct + 1 >= max_attempts;
}

void
pgqrsi_reporting_fail(pgqrs_job *job)
{
    pgqrsi_reporting_add(job, is_last_attempt(job) ? PGQRSI_VERDICT_DEAD : PGQRSI_VERDICT_FAILED);
}

void
pgqrsi_reporting_returned(pgqrs_job *job)
{
    job->is_over = 1;
    if (job->state != PGQRSI_LEASE_HELD) {
        free_if_over(job);
        return;
    }
    switch (job->outcome) {
    case PGQRS_JOB_DONE:
        pgqrsi_reporting_add(job, PGQRSI_VERDICT_DONE);
        break;
    case PGQRS_JOB_DEAD:
        pgqrsi_reporting_add(job, PGQRSI_VERDICT_DEAD);
        break;
    case PGQRS_JOB_SNOOZED:
        pgqrsi_reporting_add(job, PGQRSI_VERDICT_SNOOZED);
        break;
    case PGQRS_JOB_SETTLED:
        job->verdict = PGQRSI_VERDICT_DONE; /* the server knows already */
        confirm(job);
        break;
    case PGQRS_JOB_FAILED:
    case PGQRS_JOB_PENDING:
        pgqrsi_reporting_fail(job);
        break;
    }
}

/* The pause before the next attempt; 0: the queue's. Saturates. */
static int64_t
pause_of(const pgqrs_job *job)
{
    const pgqrs_worker_queue_options *options = &job->queue->options;
    int64_t pause_ms = options->retry_base_ms;

    if (job->delay_ms >= 0 && !job->timed_out)
        return job->delay_ms > 0 ? job->delay_ms : 1;
    if (options->retry == PGQRS_RETRY_QUEUE)
        return 0;
    if (options->retry == PGQRS_RETRY_FIXED)
        return pause_ms;
    for (int32_t i = 0; i < job->message->failed_ct && pause_ms < options->retry_max_ms; i++)
        pause_ms *= 2;
    if (pause_ms > options->retry_max_ms)
        pause_ms = options->retry_max_ms;
    return pause_ms / 2 + 1 + pgqrsi_random_token() % (pause_ms - pause_ms / 2);
}

static int
compare(const void *left, const void *right)
{
    const pgqrs_job *a = *(pgqrs_job *const *)left, *b = *(pgqrs_job *const *)right;

    return (a->message->id > b->message->id) - (a->message->id < b->message->id);
}

void
pgqrsi_reporting_sort(pgqrs_job **jobs, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (compare(&jobs[i - 1], &jobs[i]) > 0) {
            qsort(jobs, count, sizeof(jobs[0]), compare);
            return;
        }
    }
}

pgqrs_job *
pgqrsi_reporting_find(const pgqrsi_errand *errand, int64_t id)
{
    size_t low = 0, high = errand->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (errand->jobs[middle]->message->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < errand->count && errand->jobs[low]->message->id == id ? errand->jobs[low] : NULL;
}

void
pgqrsi_reporting_unpin(pgqrsi_errand *errand)
{
    for (size_t i = 0; i < errand->count; i++) {
        errand->jobs[i]->pins--;
        free_if_over(errand->jobs[i]);
    }
    free(errand->jobs);
    errand->jobs = NULL;
    errand->count = 0;
}

static int64_t
release_delay(const pgqrs_job *job)
{
    if (job->verdict == PGQRSI_VERDICT_RETURNED)
        return job->away_ms;
    return job->verdict == PGQRSI_VERDICT_SNOOZED && job->delay_ms > 0 ? job->delay_ms : 0;
}

/* The statement that carries out the verdict, but for failures. */
static pgqrsi_sql
statement_of(const pgqrs_job *job)
{
    if (job->verdict != PGQRSI_VERDICT_DONE)
        return PGQRSI_SQL_CONSUMER_RELEASE;
    if (job->queue->options.done == PGQRS_DONE_DELETE)
        return PGQRSI_SQL_CONSUMER_DELETE;
    return job->in_archive ? PGQRSI_SQL_CONSUMER_ARCHIVED : PGQRSI_SQL_CONSUMER_ARCHIVE;
}

/* 1 if both can be ended by one statement. */
static int
go_together(const pgqrs_job *a, const pgqrs_job *b)
{
    return !is_failure(a) && !is_failure(b) && a->lane == b->lane && statement_of(a) == statement_of(b) &&
           release_delay(a) == release_delay(b);
}

/* Takes `first` and what goes together with it off the list. NULL without memory: it stays. */
static pgqrs_job **
take_group(pgqrs_job *first, size_t *out_count)
{
    pgqrsi_work_queue *queue = first->queue;
    size_t max = first->alone ? 1 : GROUP_MAX;
    size_t count = 0, capacity = 0;
    pgqrs_job *job, *next;
    pgqrs_job **jobs = NULL;

    for (job = first; job != NULL && count < max; job = next) {
        next = TAILQ_NEXT(job, report);
        if (job != first && (job->alone || !go_together(first, job)))
            continue;
        if (count == capacity) {
            pgqrs_job **grown = realloc(jobs, (capacity * 4 + 16) * sizeof(jobs[0]));

            if (grown == NULL)
                break;
            jobs = grown;
            capacity = capacity * 4 + 16;
        }
        TAILQ_REMOVE(&queue->reports, job, report);
        job->state = PGQRSI_LEASE_SENT;
        job->pins++;
        jobs[count++] = job;
    }
    *out_count = count;
    return jobs;
}

/* Puts it back, to be sent again. */
static void
put_back(pgqrs_job *job)
{
    if (job->state != PGQRSI_LEASE_SENT)
        return;
    job->state = PGQRSI_LEASE_REPORT;
    TAILQ_INSERT_TAIL(&job->queue->reports, job, report);
}

static pgqrsi_last_attempt
last_of(const pgqrs_job *job)
{
    if (job->verdict != PGQRSI_VERDICT_FAILED)
        return PGQRSI_LAST;
    return job->queue->options.max_attempts > 0 ? PGQRSI_NOT_LAST : PGQRSI_LAST_BY_QUEUE;
}

static pgqrsi_errand *
send_failure(pgqrsi_segment *segment, pgqrs_job *job)
{
    pgqrsi_failure failure = { .lease = pgqrs_message_lease(job->message),
                               .last = last_of(job),
                               .charge = job->verdict != PGQRSI_VERDICT_CRASHED,
                               .delay_ms = pause_of(job) };
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    char text[PGQRSI_JOB_TEXT_BYTES];
    pgqrsi_errand *errand;
    pgqrsi_call call;

    failure.error = pgqrsi_job_error(job, text);
    call = pgqrsi_failure_call(job->queue->consumer, job->lane, &failure, &params);
    errand = pgqrsi_cycle_send(job->worker, segment, PGQRSI_ERRAND_FAIL, job->queue, &call);
    pgqrsi_params_release(&params);
    return errand;
}

static pgqrsi_errand *
send_ends(pgqrsi_segment *segment, pgqrs_job **jobs, size_t count)
{
    pgqrs_lease *leases = calloc(count, sizeof(leases[0]));
    pgqrs_slice *results = calloc(count, sizeof(results[0]));
    int64_t delay_ms = release_delay(jobs[0]);
    pgqrsi_sql sql = statement_of(jobs[0]);
    pgqrsi_leases group = { .leases = leases, .archived = results, .count = count };
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    pgqrsi_errand *errand = NULL;
    pgqrsi_call call;

    pgqrsi_reporting_sort(jobs, count);
    if (leases != NULL && results != NULL) {
        for (size_t i = 0; i < count; i++) {
            leases[i] = pgqrs_message_lease(jobs[i]->message);
            if (jobs[i]->result.size > 0)
                results[i] = (pgqrs_slice){ jobs[i]->result.data, jobs[i]->result.size };
        }
        if (sql == PGQRSI_SQL_CONSUMER_RELEASE)
            group.number = &delay_ms;
        call = pgqrsi_leases_call(jobs[0]->queue->consumer, sql, jobs[0]->lane, &group, &params);
        errand = pgqrsi_cycle_send(jobs[0]->worker, segment, PGQRSI_ERRAND_END, jobs[0]->queue, &call);
    }
    pgqrsi_params_release(&params);
    free(leases);
    free(results);
    return errand;
}

/* Adds the statement for `first` and what goes together with it. 0 if that could not be. */
static int
send_group(pgqrsi_segment *segment, pgqrs_job *first)
{
    pgqrsi_errand *errand;
    size_t count = 0;
    pgqrs_job **jobs = take_group(first, &count);

    if (count == 0)
        return 0;
    errand = is_failure(first) ? send_failure(segment, first) : send_ends(segment, jobs, count);
    if (errand != NULL) {
        errand->jobs = jobs;
        errand->count = count;
        return 1;
    }
    for (size_t i = 0; i < count; i++) {
        jobs[i]->pins--;
        put_back(jobs[i]);
    }
    free(jobs);
    return 0;
}

/* What the server refused goes by itself, a transaction each; all else in one. */
static void
send_queue(pgqrs_worker *worker, pgqrsi_work_queue *queue)
{
    int is_going = 1;

    while (is_going && !TAILQ_EMPTY(&queue->reports)) {
        pgqrsi_segment *segment = pgqrsi_cycle_segment(worker);
        pgqrs_job *first = TAILQ_FIRST(&queue->reports);
        int is_alone = first->alone;

        if (segment == NULL)
            return;
        do
            is_going = send_group(segment, first);
        while (is_going && !is_alone && segment->count < PGQRSI_PIPE_STATEMENTS &&
               (first = TAILQ_FIRST(&queue->reports)) != NULL && !first->alone);
        pgqrsi_cycle_sync(worker, segment);
        if (!is_alone)
            return;
    }
}

void
pgqrsi_reporting_send(pgqrs_worker *worker)
{
    int64_t now_ms = pgqrsi_clock_boot_ms();

    for (size_t i = 0; i < worker->queue_count; i++)
        if (worker->queues[i]->report_ms <= now_ms)
            send_queue(worker, worker->queues[i]);
}

int
pgqrsi_reporting_wants(const pgqrs_worker *worker)
{
    int64_t now_ms = pgqrsi_clock_boot_ms();

    for (size_t i = 0; i < worker->queue_count; i++)
        if (!TAILQ_EMPTY(&worker->queues[i]->reports) && worker->queues[i]->report_ms <= now_ms)
            return 1;
    return 0;
}

int64_t
pgqrsi_reporting_due_ms(const pgqrs_worker *worker)
{
    int64_t due_ms = NEVER;

    for (size_t i = 0; i < worker->queue_count; i++)
        if (!TAILQ_EMPTY(&worker->queues[i]->reports) && worker->queues[i]->report_ms < due_ms)
            due_ms = worker->queues[i]->report_ms;
    return due_ms;
}

/* Not in the lane where it was looked for: tried in the next place, until there is none. */
static void
not_found(pgqrs_job *job)
{
    if (job->state != PGQRSI_LEASE_SENT)
        return; /* ended meanwhile, by a cancellation */
    if (job->lane == PGQRSI_LANE_READY && !job->in_archive) {
        job->lane = PGQRSI_LANE_HELD;
        put_back(job);
    } else if (!job->in_archive && statement_of(job) == PGQRSI_SQL_CONSUMER_ARCHIVE) {
        job->in_archive = 1;
        put_back(job);
    } else {
        pgqrsi_reporting_lost(job, "its lease is lost: what became of it was not reported");
    }
}

/* A message is back in the held lane: this worker looks there then, and so do others. */
static void
came_back(pgqrsi_work_queue *queue, int64_t delay_ms)
{
    int64_t due_ms = pgqrsi_clock_boot_ms() + delay_ms;

    pgqrsi_consumer_remember_held(queue->consumer, delay_ms);
    queue->wants_wake = 1;
    if (queue->appetite == PGQRSI_ASLEEP && due_ms < queue->look_ms)
        queue->look_ms = due_ms;
}

static void
answer_failure(pgqrs_job *job, const pgqrsi_rows *rows)
{
    pgqrsi_failure failure = { .found = 0 };

    pgqrsi_failure_read(&failure, rows);
    if (!failure.found) {
        not_found(job);
        return;
    }
    if (failure.dead && job->verdict == PGQRSI_VERDICT_FAILED)
        job->verdict = PGQRSI_VERDICT_DEAD;
    if (!failure.dead)
        came_back(job->queue, failure.pause_ms);
    if (job->state == PGQRSI_LEASE_SENT)
        confirm(job);
}

static void
answer_ends(pgqrsi_errand *errand, const pgqrsi_rows *rows)
{
    int is_release = statement_of(errand->jobs[0]) == PGQRSI_SQL_CONSUMER_RELEASE;
    int64_t delay_ms = release_delay(errand->jobs[0]);

    for (int row = 0; row < pgqrsi_rows_count(rows); row++) {
        pgqrs_job *job = pgqrsi_reporting_find(errand, pgqrsi_rows_int(rows, row, 0));

        if (job != NULL && job->state == PGQRSI_LEASE_SENT)
            confirm(job);
    }
    if (is_release && pgqrsi_rows_count(rows) > 0)
        came_back(errand->queue, delay_ms);
    for (size_t i = 0; i < errand->count; i++)
        not_found(errand->jobs[i]);
}

void
pgqrsi_reporting_answer(pgqrsi_errand *errand, const pgqrsi_rows *rows)
{
    if (errand->kind == PGQRSI_ERRAND_FAIL)
        answer_failure(errand->jobs[0], rows);
    else
        answer_ends(errand, rows);
    pgqrsi_reporting_unpin(errand);
}

void
pgqrsi_reporting_failed(pgqrsi_errand *errand, pgqrs_status status)
{
    for (size_t i = 0; i < errand->count; i++) {
        pgqrs_job *job = errand->jobs[i];

        if (job->state != PGQRSI_LEASE_SENT)
            continue;
        if (status == PGQRS_ENOQUEUE) {
            pgqrsi_reporting_lost(job, "its queue was deleted");
            continue;
        }
        job->alone = status != PGQRS_EUNKNOWN;
        put_back(job);
    }
    if (status != PGQRS_EUNKNOWN)
        errand->queue->report_ms = pgqrsi_clock_boot_ms() + pgqrsi_random_jitter(TROUBLE_PAUSE_MS);
    pgqrsi_reporting_unpin(errand);
}
