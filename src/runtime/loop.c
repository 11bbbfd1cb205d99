/*
 * The worker's loop: one turn reads what has come, lets every part do what is due, and sends the next cycle.
 */
#include "runtime/runtime.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How long after the grace the last reports may take, while the server answers or does not. */
#define LAST_WORDS_MS 1500
#define FAREWELL_MS 500

/* How long a worker that stops and has no job waits for an answer: it may bring messages, to be given back.
 */
#define NOTHING_LEFT_MS 1000

/* Handlers that are run by one turn, without threads. */
#define RUN_MAX 100

void
pgqrsi_worker_tell(pgqrs_worker *worker, pgqrs_event_kind kind, pgqrs_job *job, pgqrs_status status,
                   const char *message)
{
    pgqrs_event event = { .kind = kind, .job = job, .status = status, .message = message };

    if (worker->options.on_event != NULL)
        worker->options.on_event(&event, worker->options.event_arg);
}

static pgqrsi_work_queue *
queue_of_key(pgqrs_worker *worker, int64_t key)
{
    for (size_t i = 0; i < worker->queue_count; i++)
        if (worker->queues[i]->key == key)
            return worker->queues[i];
    return NULL;
}

/* "1 wake <key> <process id> ..." wakes the named ones, "1 cancel <key> <id>" takes a message away. */
static void
take_notice(pgqrs_worker *worker, const char *payload)
{
    int is_cancel = strncmp(payload, "1 cancel ", 9) == 0;
    char *end = NULL;
    pgqrsi_work_queue *queue = NULL;
    int64_t backend = pgqrsi_pipe_backend(worker->work_link.pipe);

    if (is_cancel || strncmp(payload, "1 wake ", 7) == 0)
        queue = queue_of_key(worker, strtoll(payload + (is_cancel ? 9 : 7), &end, 10));
    if (queue == NULL)
        return;
    if (is_cancel) {
        pgqrsi_beating_cancelled_outside(queue, strtoll(end, NULL, 10));
        return;
    }
    while (*end == ' ')
        if (strtoll(end + 1, &end, 10) == backend)
            pgqrsi_sleeping_wake(queue);
}

static void
take_notices(pgqrs_worker *worker)
{
    pgqrsi_notice notice;

    while (pgqrsi_pipe_take_notice(worker->work_link.pipe, &notice))
        take_notice(worker, notice.payload);
}

static void
take_returned(pgqrs_worker *worker)
{
    struct pgqrsi_job_list jobs;
    pgqrs_job *job;

    pgqrsi_running_collect(worker, &jobs);
    while ((job = TAILQ_FIRST(&jobs)) != NULL) {
        TAILQ_REMOVE(&jobs, job, entry);
        pgqrsi_reporting_returned(job);
    }
}

/* Gives back what has not begun; in the last phase also what has: its handler is told to give up. */
static void
give_back(pgqrs_worker *worker, int all)
{
    for (size_t i = 0; i < worker->queue_count; i++) {
        pgqrs_job *job = TAILQ_FIRST(&worker->queues[i]->owned);

        while (job != NULL) {
            pgqrs_job *next = TAILQ_NEXT(job, owned);

            if (job->state == PGQRSI_LEASE_HELD) {
                int is_waiting = pgqrsi_running_withdraw(job);

                if (is_waiting)
                    job->is_over = 1;
                else if (all)
                    pgqrsi_beating_cancel(job, PGQRS_JOB_STOPPING);
                if (is_waiting || all)
                    pgqrsi_reporting_add(job, PGQRSI_VERDICT_RELEASED);
            }
            job = next;
        }
    }
}

/* The only place where the phase changes. */
static void
enter(pgqrs_worker *worker, pgqrsi_phase phase, int64_t now_ms)
{
    worker->phase = phase;
    switch (phase) {
    case PGQRSI_PHASE_NEW:
    case PGQRSI_PHASE_WORKING:
        break;
    case PGQRSI_PHASE_DRAINING:
        worker->grace_ends_ms = now_ms + worker->options.grace_ms;
        worker->gives_up_ms = now_ms + NOTHING_LEFT_MS;
        pgqrsi_sleeping_stop(worker);
        give_back(worker, 0);
        break;
    case PGQRSI_PHASE_RELEASING:
        worker->gives_up_ms = now_ms + LAST_WORDS_MS;
        give_back(worker, 1);
        break;
    case PGQRSI_PHASE_LEAVING:
        worker->gives_up_ms = now_ms + FAREWELL_MS;
        break;
    case PGQRSI_PHASE_OVER:
        pgqrsi_pipe_close(worker->work_link.pipe);
        pgqrsi_pipe_close(worker->house_link.pipe);
        pgqrsi_cycle_take_answers(worker);
        pgqrsi_house_disconnected(worker);
        pthread_mutex_lock(&worker->mutex);
        atomic_store(&worker->is_over, 1);
        pthread_cond_broadcast(&worker->ended);
        pthread_cond_broadcast(&worker->work);
        pthread_mutex_unlock(&worker->mutex);
        break;
    }
}

static int
is_registered(const pgqrs_worker *worker)
{
    for (size_t i = 0; i < worker->queue_count; i++)
        if (worker->queues[i]->consumer->worker_id != 0)
            return 1;
    return 0;
}

static void
advance(pgqrs_worker *worker, int64_t now_ms)
{
    int is_open = pgqrsi_pipe_state_of(worker->work_link.pipe) == PGQRSI_PIPE_OPEN;
    int is_quiet = pgqrsi_pipe_pending(worker->work_link.pipe) == 0;

    if (worker->phase == PGQRSI_PHASE_NEW)
        enter(worker, PGQRSI_PHASE_WORKING, now_ms);
    if (worker->phase == PGQRSI_PHASE_WORKING && atomic_load(&worker->is_stopping))
        enter(worker, PGQRSI_PHASE_DRAINING, now_ms);
    if (worker->phase == PGQRSI_PHASE_DRAINING &&
        (now_ms >= worker->grace_ends_ms || atomic_load(&worker->is_closing)))
        enter(worker, PGQRSI_PHASE_RELEASING, now_ms);
    if ((worker->phase == PGQRSI_PHASE_DRAINING || worker->phase == PGQRSI_PHASE_RELEASING) && is_quiet &&
        worker->owned_count == 0)
        enter(worker, is_open && is_registered(worker) ? PGQRSI_PHASE_LEAVING : PGQRSI_PHASE_OVER, now_ms);
    if (worker->phase == PGQRSI_PHASE_LEAVING && worker->is_leaving_sent && is_quiet)
        enter(worker, PGQRSI_PHASE_OVER, now_ms);
    if (worker->phase == PGQRSI_PHASE_DRAINING && worker->owned_count > 0)
        worker->gives_up_ms = now_ms + NOTHING_LEFT_MS;
    if (worker->phase > PGQRSI_PHASE_WORKING && worker->phase < PGQRSI_PHASE_OVER &&
        now_ms >= worker->gives_up_ms)
        enter(worker, PGQRSI_PHASE_OVER, now_ms);
}

/* Removes our rows from the workers. */
static void
send_farewell(pgqrs_worker *worker)
{
    pgqrsi_segment *segment = pgqrsi_cycle_segment(worker);

    if (segment == NULL)
        return;
    for (size_t i = 0; i < worker->queue_count && i < PGQRSI_PIPE_STATEMENTS; i++) {
        pgqrsi_params params = PGQRSI_PARAMS_INIT;

        pgqrsi_params_add_int(&params, worker->queues[i]->consumer->worker_id);
        pgqrsi_cycle_send(worker, segment, PGQRSI_ERRAND_LEAVE, NULL,
                          &(pgqrsi_call){ .sql = PGQRSI_SQL_WORKER_UNREGISTER, .params = &params });
        pgqrsi_params_release(&params);
    }
    pgqrsi_cycle_sync(worker, segment);
    worker->is_leaving_sent = 1;
}

static void
send_listen(pgqrs_worker *worker)
{
    static const pgqrsi_params none = PGQRSI_PARAMS_INIT;
    pgqrsi_segment *segment = pgqrsi_cycle_segment(worker);

    if (segment == NULL)
        return;
    pgqrsi_cycle_send(worker, segment, PGQRSI_ERRAND_LISTEN, NULL,
                      &(pgqrsi_call){ .sql = PGQRSI_SQL_WAKE_LISTEN, .params = &none });
    pgqrsi_cycle_sync(worker, segment);
}

static int
wants_cycle(pgqrs_worker *worker, int64_t now_ms)
{
    if (worker->phase == PGQRSI_PHASE_LEAVING)
        return !worker->is_leaving_sent;
    return (!worker->is_listening && !pgqrsi_pipe_is_pooled(worker->work_link.pipe)) ||
           pgqrsi_reporting_wants(worker) || pgqrsi_beating_wants(worker, now_ms) ||
           pgqrsi_claiming_wants(worker, now_ms);
}

static void
send_cycle(pgqrs_worker *worker, int64_t now_ms)
{
    if (pgqrsi_pipe_state_of(worker->work_link.pipe) != PGQRSI_PIPE_OPEN ||
        pgqrsi_pipe_pending(worker->work_link.pipe) > 0 || !wants_cycle(worker, now_ms))
        return;
    worker->cycle_began_us = pgqrsi_clock_us();
    if (worker->phase == PGQRSI_PHASE_LEAVING) {
        send_farewell(worker);
    } else {
        if (!worker->is_listening && !pgqrsi_pipe_is_pooled(worker->work_link.pipe))
            send_listen(worker);
        /* Claims first: they do not wait for the disk, and the handlers begin while what follows does. */
        pgqrsi_claiming_send(worker, now_ms);
        pgqrsi_beating_send(worker, now_ms);
        pgqrsi_reporting_send(worker);
    }
    if (pgqrsi_pipe_pending(worker->work_link.pipe) > 0)
        worker->counts.round_trips++;
}

static void
progress_work(pgqrs_worker *worker)
{
    pgqrsi_link *link = &worker->work_link;
    pgqrsi_pipe_state before = pgqrsi_pipe_state_of(link->pipe);

    pgqrsi_link_progress(worker, link);
    pgqrsi_cycle_take_answers(worker);
    if (before == PGQRSI_PIPE_OPEN && pgqrsi_pipe_state_of(link->pipe) != PGQRSI_PIPE_OPEN) {
        worker->is_listening = 0;
        for (size_t i = 0; i < worker->queue_count; i++)
            pgqrsi_sleeping_disconnected(worker->queues[i]);
    }
    take_notices(worker);
}

/* What other threads may ask for. */
static void
publish(pgqrs_worker *worker)
{
    int is_idle =
        worker->owned_count == 0 && pgqrsi_pipe_state_of(worker->work_link.pipe) == PGQRSI_PIPE_OPEN;

    for (size_t i = 0; i < worker->queue_count; i++)
        is_idle &= worker->queues[i]->appetite == PGQRSI_ASLEEP;
    atomic_store(&worker->is_idle, is_idle);
    pthread_mutex_lock(&worker->mutex);
    worker->published = worker->counts;
    pthread_mutex_unlock(&worker->mutex);
}

static void
drain_event(const pgqrs_worker *worker)
{
    uint64_t count;

    while (read(worker->event_fd, &count, sizeof(count)) == (ssize_t)sizeof(count))
        ;
}

void
pgqrsi_worker_turn(pgqrs_worker *worker)
{
    int64_t now_ms = pgqrsi_clock_boot_ms();

    atomic_store(&worker->is_sleeping, 0);
    drain_event(worker);
    progress_work(worker);
    take_returned(worker);
    advance(worker, now_ms);
    if (worker->phase == PGQRSI_PHASE_OVER) {
        publish(worker);
        return;
    }
    pgqrsi_beating_scan(worker, now_ms);
    pgqrsi_suspects_turn(worker, now_ms);
    if (worker->phase == PGQRSI_PHASE_WORKING)
        pgqrsi_sleeping_look(worker, now_ms);
    pgqrsi_house_turn(worker, now_ms);
    send_cycle(worker, now_ms);
    if (worker->thread_count == 0) {
        for (int i = 0; i < RUN_MAX && pgqrsi_running_run_one(worker); i++)
            ;
        take_returned(worker);
        send_cycle(worker, pgqrsi_clock_boot_ms());
    }
    publish(worker);
    pgqrsi_link_register(worker, &worker->work_link);
    pgqrsi_link_register(worker, &worker->house_link);
}

static int64_t
earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t
phase_due_ms(const pgqrs_worker *worker)
{
    switch (worker->phase) {
    case PGQRSI_PHASE_NEW:
        return 0;
    case PGQRSI_PHASE_DRAINING:
        return worker->owned_count > 0 ? worker->grace_ends_ms
                                       : earlier(worker->grace_ends_ms, worker->gives_up_ms);
    case PGQRSI_PHASE_RELEASING:
    case PGQRSI_PHASE_LEAVING:
        return worker->gives_up_ms;
    case PGQRSI_PHASE_WORKING:
    case PGQRSI_PHASE_OVER:
        break;
    }
    return NEVER;
}

/* 1 if there is something to do at once. */
static int
has_news(pgqrs_worker *worker)
{
    int has;

    pthread_mutex_lock(&worker->mutex);
    has = !TAILQ_EMPTY(&worker->returned) || (worker->thread_count == 0 && worker->waiting_count > 0 &&
                                              worker->running < (size_t)worker->options.concurrency);
    pthread_mutex_unlock(&worker->mutex);
    return has || (worker->phase == PGQRSI_PHASE_WORKING && atomic_load(&worker->is_stopping)) ||
           (worker->phase == PGQRSI_PHASE_DRAINING && atomic_load(&worker->is_closing));
}

int64_t
pgqrsi_worker_timeout(pgqrs_worker *worker)
{
    int64_t now_ms = pgqrsi_clock_boot_ms();
    int64_t due_ms = earlier(phase_due_ms(worker), pgqrsi_link_due_ms(&worker->work_link));
    int is_open = pgqrsi_pipe_state_of(worker->work_link.pipe) == PGQRSI_PIPE_OPEN;
    int is_quiet = pgqrsi_pipe_pending(worker->work_link.pipe) == 0;

    if (worker->phase == PGQRSI_PHASE_OVER)
        return NEVER;
    due_ms = earlier(due_ms, worker->scan_ms);
    due_ms = earlier(due_ms, pgqrsi_suspects_due_ms(worker));
    due_ms = earlier(due_ms, pgqrsi_house_due_ms(worker));
    due_ms = earlier(due_ms, pgqrsi_claiming_due_ms(worker));
    if (is_open && is_quiet) {
        due_ms = earlier(due_ms, pgqrsi_beating_due_ms(worker));
        due_ms = earlier(due_ms, pgqrsi_reporting_due_ms(worker));
        if (wants_cycle(worker, now_ms))
            return 0;
    }
    /* While a cycle is under way what has returned is collected when it is answered. */
    if (is_open && is_quiet)
        atomic_store(&worker->is_sleeping, 1);
    if ((is_quiet && has_news(worker)) || due_ms <= now_ms) {
        atomic_store(&worker->is_sleeping, 0);
        return 0;
    }
    return due_ms == NEVER ? NEVER : due_ms - now_ms;
}
