/*
 * Claiming: which queue is asked for how many messages, and what becomes of the answer.
 */
#include "runtime/runtime.h"

#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "store/message.h"
#include "store/payload.h"

/* Workers that are woken in place of this one, or beside it. */
#define WAKE_AT_ONCE 2

/* After the server refused a claim. */
#define TROUBLE_PAUSE_MS 1000

/* The rate of jobs is smoothed over this, and claimed ahead is what will be begun within that. */
#define RATE_US 20000
#define AHEAD_MS 4.0
#define AHEAD_CYCLES 2

/* Roughly how much one claim may bring into memory. */
#define CLAIM_BYTES 8e6

/* A message that was claimed ahead is given back after this. */
#define RETURN_MS 100

static void
update_rate(pgqrs_worker *worker, int64_t completed)
{
    int64_t now_us = pgqrsi_clock_us();
    double elapsed_us = (double)(now_us - worker->rate_us);

    if (elapsed_us <= 0)
        return;
    worker->rate += (elapsed_us / (elapsed_us + RATE_US)) *
                    ((double)(completed - worker->rate_completed) * 1000 / elapsed_us - worker->rate);
    worker->rate_us = now_us;
    worker->rate_completed = completed;
}

/* How many messages may be asked for: what the handlers can begin at once, and what they will begin shortly.
 */
static int64_t
room(pgqrs_worker *worker)
{
    double ahead_ms = AHEAD_CYCLES * worker->cycle_us / 1000;
    int64_t ahead, have, target;

    pthread_mutex_lock(&worker->mutex);
    have = (int64_t)(worker->running + worker->waiting_count);
    update_rate(worker, worker->completed);
    pthread_mutex_unlock(&worker->mutex);
    ahead = (int64_t)(worker->rate * (ahead_ms > AHEAD_MS ? ahead_ms : AHEAD_MS));
    if (ahead > worker->options.prefetch_max)
        ahead = worker->options.prefetch_max;
    target = worker->options.concurrency + ahead;
    if (worker->suspect != NULL)
        return 0;
    if ((int64_t)worker->owned_count >=
        4 * ((int64_t)worker->options.concurrency + worker->options.prefetch_max))
        return 0; /* what is finished cannot be reported */
    return target > have ? target - have : 0;
}

static int
may_claim(const pgqrsi_work_queue *queue, int64_t now_ms)
{
    return (queue->appetite == PGQRSI_HUNGRY || queue->appetite == PGQRSI_SETTLING) &&
           now_ms >= queue->pause_ms;
}

/* Deals `available` out by weight. What a queue did not get this time counts next time. */
static void
deal(pgqrs_worker *worker, int64_t available, int64_t now_ms)
{
    int64_t weights = 0, left = available;

    for (size_t i = 0; i < worker->queue_count; i++) {
        pgqrsi_work_queue *queue = worker->queues[i];

        queue->claim.asked = 0;
        if (may_claim(queue, now_ms))
            weights += queue->options.weight;
        else
            queue->credit = 0;
    }
    for (size_t i = 0; i < worker->queue_count; i++) {
        pgqrsi_work_queue *queue = worker->queues[i];

        if (!may_claim(queue, now_ms))
            continue;
        queue->credit += (double)available * queue->options.weight / (double)weights;
        queue->claim.asked = queue->credit > 0 ? (int64_t)queue->credit : 0;
        if (queue->claim.asked > left)
            queue->claim.asked = left;
        left -= queue->claim.asked;
    }
    while (left > 0 && weights > 0) {
        pgqrsi_work_queue *richest = NULL;

        for (size_t i = 0; i < worker->queue_count; i++) {
            pgqrsi_work_queue *queue = worker->queues[i];

            if (may_claim(queue, now_ms) &&
                (richest == NULL ||
                 queue->credit - (double)queue->claim.asked > richest->credit - (double)richest->claim.asked))
                richest = queue;
        }
        if (richest == NULL)
            break;
        richest->claim.asked++;
        left--;
    }
    for (size_t i = 0; i < worker->queue_count; i++)
        worker->queues[i]->credit -= (double)worker->queues[i]->claim.asked;
}

/* One statement about a queue, in a transaction of its own. 0 if there is no room for it now. */
static int
send_about(pgqrsi_work_queue *queue, pgqrsi_errand_kind kind, pgqrsi_sql sql)
{
    pgqrsi_segment *segment = pgqrsi_cycle_segment(queue->worker);
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    pgqrsi_call call = { .sql = sql, .params = &params };

    if (segment == NULL)
        return 0;
    pgqrsi_params_add_int(&params, queue->consumer->queue->id);
    if (kind == PGQRSI_ERRAND_WAKE)
        pgqrsi_params_add_int(&params, WAKE_AT_ONCE);
    pgqrsi_cycle_send(queue->worker, segment, kind, queue, &call);
    pgqrsi_cycle_sync(queue->worker, segment);
    pgqrsi_params_release(&params);
    return 1;
}

/* A lock outlives its transaction, so it has one of its own: what fails beside it must not hide that it was
 * got. */
static void
send_lock(pgqrsi_work_queue *queue)
{
    if (queue->wants_lock && send_about(queue, PGQRSI_ERRAND_LOCK, PGQRSI_SQL_WAKE_SLEEP))
        queue->wants_lock = 0;
    if (queue->wants_unlock && send_about(queue, PGQRSI_ERRAND_UNLOCK, PGQRSI_SQL_WAKE_AWAKE))
        queue->wants_unlock = queue->is_locked = 0;
}

/* The place may have changed its mind since the last claim: NONE ends the round. */
static int
choose_place(pgqrsi_work_queue *queue)
{
    queue->claim.place = pgqrsi_claim_choose(queue->consumer, queue->place);
    return queue->claim.place != PGQRSI_PLACE_NONE;
}

/* Messages are in memory until their jobs have ended. */
static void
limit_bytes(pgqrsi_work_queue *queue)
{
    int64_t most = (int64_t)(CLAIM_BYTES / (queue->message_bytes + 1));

    if (most > PGQRSI_MAX_BATCH)
        most = PGQRSI_MAX_BATCH;
    if (queue->claim.asked > most)
        queue->claim.asked = most > 1 ? most : 1;
}

static void
measure_bytes(pgqrsi_work_queue *queue, const pgqrs_message_list *list)
{
    size_t count = pgqrs_message_list_count(list), bytes = 0;

    for (size_t i = 0; i < count; i++)
        bytes += pgqrs_message_list_at(list, i)->payload.size;
    if (count > 0)
        queue->message_bytes += ((double)bytes / (double)count - queue->message_bytes) / 2;
}

static void
send_claim(pgqrs_worker *worker, pgqrsi_work_queue *queue)
{
    pgqrsi_segment *segment;

    if (!choose_place(queue)) {
        pgqrsi_sleeping_found_nothing(queue);
        return;
    }
    send_lock(queue);
    segment = pgqrsi_cycle_segment(worker);
    if (segment == NULL)
        return;
    queue->claim.consumer = queue->consumer;
    queue->claim.lease_ms = queue->options.lease_ms;
    limit_bytes(queue);
    if (pgqrsi_claim_begin(&queue->claim, NULL) == PGQRS_OK) {
        pgqrsi_cycle_send(worker, segment, PGQRSI_ERRAND_CLAIM, queue, &queue->claim.call);
        pgqrsi_claim_release(&queue->claim);
        queue->is_woken = 0;
        worker->counts.claims++;
    }
    pgqrsi_cycle_sync(worker, segment);
}

static int
is_wake_due(const pgqrsi_work_queue *queue, int64_t now_ms)
{
    return queue->wants_wake && now_ms - queue->wake_ms >= PGQRSI_WAKE_MS;
}

static void
send_wakes(pgqrs_worker *worker, int64_t now_ms)
{
    for (size_t i = 0; i < worker->queue_count; i++) {
        pgqrsi_work_queue *queue = worker->queues[i];

        if (!is_wake_due(queue, now_ms) || !send_about(queue, PGQRSI_ERRAND_WAKE, PGQRSI_SQL_WAKE_WAKE))
            continue;
        queue->wants_wake = 0;
        queue->wake_ms = now_ms;
    }
}

void
pgqrsi_claiming_send(pgqrs_worker *worker, int64_t now_ms)
{
    if (worker->phase == PGQRSI_PHASE_WORKING) {
        int64_t available = room(worker);

        if (available > 0)
            deal(worker, available, now_ms);
        for (size_t i = 0; available > 0 && i < worker->queue_count; i++) {
            pgqrsi_work_queue *queue = worker->queues[(worker->first_queue + i) % worker->queue_count];

            if (queue->claim.asked > 0)
                send_claim(worker, queue);
        }
        worker->first_queue++;
    }
    for (size_t i = 0; i < worker->queue_count; i++)
        if (worker->queues[i]->wants_unlock)
            send_lock(worker->queues[i]);
    send_wakes(worker, now_ms);
}

int
pgqrsi_claiming_wants(pgqrs_worker *worker, int64_t now_ms)
{
    int may = 0;

    for (size_t i = 0; i < worker->queue_count; i++) {
        if (is_wake_due(worker->queues[i], now_ms) || worker->queues[i]->wants_unlock)
            return 1;
        may |= may_claim(worker->queues[i], now_ms);
    }
    return may && worker->phase == PGQRSI_PHASE_WORKING && room(worker) > 0;
}

int64_t
pgqrsi_claiming_due_ms(const pgqrs_worker *worker)
{
    int64_t due_ms = NEVER;
    /* Others are woken by the next cycle: while one is under way, or none can be, nothing is due. */
    int is_free = pgqrsi_pipe_state_of(worker->work_link.pipe) == PGQRSI_PIPE_OPEN &&
                  pgqrsi_pipe_pending(worker->work_link.pipe) == 0;

    for (size_t i = 0; i < worker->queue_count; i++) {
        const pgqrsi_work_queue *queue = worker->queues[i];
        int64_t own_ms = NEVER;

        if (queue->wants_wake && is_free)
            own_ms = queue->wake_ms + PGQRSI_WAKE_MS;
        else if (worker->phase == PGQRSI_PHASE_WORKING && queue->appetite >= PGQRSI_LOOKING &&
                 !queue->refreshing)
            own_ms = queue->look_ms;
        else if (worker->phase == PGQRSI_PHASE_WORKING && queue->pause_ms > pgqrsi_clock_boot_ms())
            own_ms = queue->pause_ms;
        if (own_ms < due_ms)
            due_ms = own_ms;
    }
    return due_ms;
}

/* One job of a claim. It is not run if its leases ran out too often, or the worker stops. */
static int
begin_job(pgqrsi_work_queue *queue, pgqrs_job *job, int64_t sent_ms)
{
    int32_t max_crashes = pgqrsi_consumer_max_crashes(queue->consumer);
    int is_stopping = queue->worker->phase != PGQRSI_PHASE_WORKING;
    char text[96];

    job->lane = queue->claim.place == PGQRSI_PLACE_READY ? PGQRSI_LANE_READY : PGQRSI_LANE_HELD;
    job->renewed_ms = sent_ms;
    job->return_ms = pgqrsi_clock_boot_ms() + RETURN_MS;
    atomic_store(&job->sure_until_ms,
                 sent_ms + queue->options.lease_ms - pgqrsi_beating_margin_ms(queue->options.lease_ms));
    TAILQ_INSERT_TAIL(&queue->owned, job, owned);
    queue->worker->owned_count++;
    if (job->message->crash_ct < max_crashes && !is_stopping && pgqrsi_suspects_is_one(job)) {
        pgqrsi_suspects_take(job);
        return 0;
    }
    if (job->message->crash_ct < max_crashes && !is_stopping)
        return 1;
    job->is_over = 1;
    job->place = PGQRSI_JOB_RETURNED;
    if (is_stopping) {
        pgqrsi_reporting_add(job, PGQRSI_VERDICT_RELEASED);
        return 0;
    }
    pgqrsi_failure_of_crashes(job->message->crash_ct, text, sizeof(text));
    pgqrsi_buffer_append_slice(&job->error, pgqrs_slice_of(text));
    pgqrsi_reporting_add(job, PGQRSI_VERDICT_CRASHED);
    return 0;
}

/* Takes the claimed messages over. Without memory they stay leased until that runs out. */
static size_t
take_messages(pgqrsi_work_queue *queue, pgqrsi_rows *rows, int64_t sent_ms)
{
    size_t count = (size_t)pgqrsi_rows_count(rows), run_count = 0;
    pgqrsi_batch *batch = calloc(1, sizeof(*batch));
    struct pgqrsi_job_list jobs = TAILQ_HEAD_INITIALIZER(jobs);

    if (batch != NULL)
        batch->jobs = calloc(count > 0 ? count : 1, sizeof(batch->jobs[0]));
    if (batch == NULL || batch->jobs == NULL ||
        pgqrsi_message_list_new(count, &batch->list, NULL) != PGQRS_OK) {
        if (batch != NULL)
            free(batch->jobs);
        free(batch);
        pgqrsi_rows_free(rows);
        pgqrsi_worker_tell(queue->worker, PGQRS_EVENT_TROUBLE, NULL, PGQRS_ENOMEM,
                           "memory is short: claimed messages are due again when their leases have run out");
        return count;
    }
    pgqrsi_claim_end(&queue->claim, rows, batch->list);
    measure_bytes(queue, batch->list);
    batch->refs = 1;
    for (size_t i = 0; i < count; i++) {
        pgqrs_job *job = &batch->jobs[i];

        pgqrsi_job_init(job, queue, batch, pgqrs_message_list_at(batch->list, i));
        if (!begin_job(queue, job, sent_ms))
            continue;
        TAILQ_INSERT_TAIL(&jobs, job, entry);
        run_count++;
    }
    queue->worker->counts.claimed += (int64_t)count;
    if (run_count > 0)
        pgqrsi_running_add(queue->worker, &jobs, run_count);
    if (--batch->refs == 0) {
        pgqrs_message_list_free(batch->list);
        free(batch->jobs);
        free(batch);
    }
    return count;
}

/* When the new jobs may first be late. */
static void
plan_scan(pgqrsi_work_queue *queue)
{
    int64_t timeout_ms = queue->options.job_timeout_ms;
    int64_t due_ms =
        pgqrsi_clock_boot_ms() + (timeout_ms > 0 && timeout_ms < RETURN_MS ? timeout_ms : RETURN_MS);

    if (due_ms < queue->worker->scan_ms)
        queue->worker->scan_ms = due_ms;
}

void
pgqrsi_claiming_answer(pgqrsi_work_queue *queue, pgqrsi_rows *rows, int64_t sent_ms)
{
    pgqrs_worker *worker = queue->worker;
    int64_t lease_ms = queue->options.lease_ms;
    int64_t asked = queue->claim.asked, got;

    got = (int64_t)take_messages(queue, rows, sent_ms);
    if (got == 0)
        worker->counts.empty_claims++;
    else
        queue->futile = 0;
    if (got > 0 && queue->beat_ms == NEVER)
        queue->beat_ms = sent_ms + lease_ms / 3;
    if (got > 0)
        plan_scan(queue);
    if (got == asked) {
        queue->wants_unlock = queue->is_locked;
        queue->wants_wake = 1; /* there may be more than this worker can take */
        pgqrsi_sleeping_enter(queue, PGQRSI_HUNGRY);
        return;
    }
    if (queue->appetite == PGQRSI_HUNGRY) {
        queue->place = queue->claim.by_runs ? queue->claim.place : queue->claim.place + 1;
        if (choose_place(queue))
            return;
    } else if (got > 0) {
        pgqrsi_sleeping_enter(queue, PGQRSI_HUNGRY);
        return;
    }
    pgqrsi_sleeping_found_nothing(queue);
}

void
pgqrsi_claiming_failed(pgqrsi_work_queue *queue, pgqrs_status status, const char *message)
{
    pgqrsi_sleeping_enter(queue, PGQRSI_HUNGRY);
    if (status == PGQRS_EUNKNOWN)
        return; /* the connection broke: that is told by itself */
    queue->pause_ms = pgqrsi_clock_boot_ms() + pgqrsi_random_jitter(TROUBLE_PAUSE_MS);
    pgqrsi_worker_tell(queue->worker, PGQRS_EVENT_TROUBLE, NULL, status, message);
}
