#include "worker/loop.h"

#include <unistd.h>

#include "exchange/session.h"
#include "jobs/cancellations.h"
#include "jobs/deadlines.h"
#include "jobs/heartbeat.h"
#include "jobs/reporting.h"
#include "worker/notices.h"

/* How long after the grace the last reports may take, while the server answers or does not. */
#define FINAL_REPORTS_MS 1500
#define UNREGISTER_MS 500

/* How long a worker that stops and has no job waits for an answer: it may bring messages, to be
 * given back. */
#define NOTHING_LEFT_MS 1000

/* Handlers that are run by one turn, without threads. */
#define RUN_MAX 100

static void
take_returned(pgqrs_worker *worker)
{
    struct pgqrsi_job_list jobs;
    pgqrs_job *job;

    pgqrsi_handlers_collect(&worker->handlers, &jobs);
    while ((job = TAILQ_FIRST(&jobs)) != NULL) {
        TAILQ_REMOVE(&jobs, job, entry);
        pgqrsi_reporting_returned(job);
    }
}

static void
release_held(pgqrs_worker *worker, int all)
{
    pgqrsi_holding *holding;

    TAILQ_FOREACH(holding, &worker->holdings.busy, busy)
    {
        pgqrsi_holding_release_held(holding, all);
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
        pgqrsi_claiming_stop(&worker->claiming);
        release_held(worker, 0);
        break;
    case PGQRSI_PHASE_RELEASING:
        worker->gives_up_ms = now_ms + FINAL_REPORTS_MS;
        release_held(worker, 1);
        break;
    case PGQRSI_PHASE_LEAVING:
        worker->gives_up_ms = now_ms + UNREGISTER_MS;
        break;
    case PGQRSI_PHASE_OVER:
        pgqrsi_exchange_close(&worker->exchange);
        pgqrsi_housekeeping_release(&worker->housekeeping);
        pgqrsi_handlers_end(&worker->handlers);
        pthread_mutex_lock(&worker->mutex);
        atomic_store(&worker->is_over, 1);
        pthread_cond_broadcast(&worker->ended);
        pthread_mutex_unlock(&worker->mutex);
        break;
    }
}

static int
is_registered(const pgqrs_worker *worker)
{
    for (size_t i = 0; i < worker->queues.count; i++)
        if (worker->queues.list[i]->held.consumer->worker_id != 0)
            return 1;
    return 0;
}

/* Whether all is reported, and whoever is to work on what was given back has been told. */
static int
is_done(const pgqrs_worker *worker)
{
    return worker->holdings.count == 0 && pgqrsi_exchange_is_quiet(&worker->exchange) &&
           (!pgqrsi_wakeups_wanted(&worker->queues) || !pgqrsi_exchange_is_open(&worker->exchange));
}

static void
advance(pgqrs_worker *worker, int64_t now_ms)
{
    int is_open = pgqrsi_exchange_is_open(&worker->exchange);
    int is_quiet = pgqrsi_exchange_is_quiet(&worker->exchange);

    if (worker->phase == PGQRSI_PHASE_NEW)
        enter(worker, PGQRSI_PHASE_WORKING, now_ms);
    if (worker->phase == PGQRSI_PHASE_WORKING && atomic_load(&worker->is_stopping))
        enter(worker, PGQRSI_PHASE_DRAINING, now_ms);
    if (worker->phase == PGQRSI_PHASE_DRAINING &&
        (now_ms >= worker->grace_ends_ms || atomic_load(&worker->is_closing)))
        enter(worker, PGQRSI_PHASE_RELEASING, now_ms);
    if ((worker->phase == PGQRSI_PHASE_DRAINING || worker->phase == PGQRSI_PHASE_RELEASING) &&
        is_done(worker))
        enter(worker, is_open && is_registered(worker) ? PGQRSI_PHASE_LEAVING : PGQRSI_PHASE_OVER,
              now_ms);
    if (worker->phase == PGQRSI_PHASE_LEAVING && worker->unregistered == worker->queues.count &&
        is_quiet)
        enter(worker, PGQRSI_PHASE_OVER, now_ms);
    if (worker->phase == PGQRSI_PHASE_DRAINING && worker->holdings.count > 0)
        worker->gives_up_ms = now_ms + NOTHING_LEFT_MS;
    if (worker->phase > PGQRSI_PHASE_WORKING && worker->phase < PGQRSI_PHASE_OVER &&
        now_ms >= worker->gives_up_ms)
        enter(worker, PGQRSI_PHASE_OVER, now_ms);
}

/* Removes our rows from the workers. */
static void
send_unregister(pgqrs_worker *worker)
{
    const pgqrsi_sending_as as = { .traffic = PGQRSI_TRAFFIC_REPORT };

    for (; worker->unregistered < worker->queues.count; worker->unregistered++) {
        pgqrsi_params params = PGQRSI_PARAMS_INIT;
        pgqrsi_exchange_request *request;

        pgqrsi_params_add_int(&params,
                              worker->queues.list[worker->unregistered]->held.consumer->worker_id);
        request = pgqrsi_exchange_send(
            &worker->exchange, &as,
            &(pgqrsi_call){ .sql = PGQRSI_SQL_REGISTRATION_UNREGISTER, .params = &params });
        pgqrsi_params_release(&params);
        if (request == NULL)
            return;
    }
}

/* Whether there is, or may be after this round, a message that others can cancel. A suspect is
 * claimed in every polling state. */
static int
has_work(const pgqrs_worker *worker)
{
    if (worker->holdings.count > 0 || worker->claiming.suspects.mode != PGQRSI_SUSPECTS_ANY)
        return 1;
    for (size_t i = 0; i < worker->queues.count; i++)
        if (worker->queues.list[i]->is_claiming ||
            worker->queues.list[i]->polling.state < PGQRSI_POLLING_CHECKING)
            return 1;
    return 0;
}

/* What has a deadline goes first. */
static void
send(pgqrs_worker *worker, int64_t now_ms)
{
    pgqrsi_exchange_begin(&worker->exchange);
    worker->exchange.has_work = has_work(worker);
    pgqrsi_session_send(&worker->exchange);
    if (worker->phase == PGQRSI_PHASE_LEAVING) {
        send_unregister(worker);
    } else {
        pgqrsi_heartbeat_send(&worker->holdings, &worker->exchange, now_ms);
        pgqrsi_cancellations_send(&worker->holdings, &worker->exchange, now_ms);
        pgqrsi_reporting_send(&worker->holdings, &worker->exchange, now_ms);
        pgqrsi_claiming_send(&worker->claiming, now_ms);
        if (worker->phase == PGQRSI_PHASE_WORKING)
            pgqrsi_housekeeping_send(&worker->housekeeping, now_ms);
    }
    pgqrsi_exchange_end(&worker->exchange);
}

/* What other threads may ask for. */
static void
publish(pgqrs_worker *worker)
{
    pgqrs_worker_counts counts = worker->holdings.counts;
    int is_idle = worker->holdings.count == 0 && pgqrsi_exchange_is_open(&worker->exchange);

    for (size_t i = 0; i < worker->queues.count; i++)
        is_idle &= pgqrsi_polling_is_idle(&worker->queues.list[i]->polling);
    atomic_store(&worker->is_idle, is_idle);
    counts.claimed = worker->claiming.claimed;
    counts.claims = worker->claiming.claims;
    counts.empty_claims = worker->claiming.empty_claims;
    counts.round_trips = worker->exchange.round_trips;
    pthread_mutex_lock(&worker->mutex);
    worker->published = counts;
    pthread_mutex_unlock(&worker->mutex);
}

static void
drain_event(const pgqrs_worker *worker)
{
    uint64_t count;

    while (read(worker->handlers.event_fd, &count, sizeof(count)) == (ssize_t)sizeof(count))
        ;
}

static void
receive(pgqrs_worker *worker, int64_t now_ms)
{
    pgqrsi_exchange_progress(&worker->exchange);
    if (worker->sessions != worker->exchange.sessions)
        pgqrsi_claiming_disconnected(&worker->claiming);
    worker->sessions = worker->exchange.sessions;
    pgqrsi_notices_take(&worker->claiming, now_ms);
    take_returned(worker);
}

static void
run_handlers(pgqrs_worker *worker)
{
    for (int i = 0; i < RUN_MAX && pgqrsi_handlers_run_one(&worker->handlers); i++)
        ;
    take_returned(worker);
}

void
pgqrsi_loop_turn(pgqrs_worker *worker)
{
    int64_t now_ms = pgqrsi_clock_boot_ms();

    atomic_store(&worker->handlers.is_sleeping, 0);
    drain_event(worker);
    receive(worker, now_ms);
    advance(worker, now_ms);
    if (worker->phase == PGQRSI_PHASE_OVER) {
        publish(worker);
        return;
    }
    pgqrsi_deadlines_check(&worker->holdings, now_ms);
    pgqrsi_suspects_turn(&worker->claiming.suspects, &worker->holdings, now_ms);
    if (worker->phase == PGQRSI_PHASE_WORKING)
        pgqrsi_housekeeping_turn(&worker->housekeeping, now_ms);
    send(worker, now_ms);
    if (worker->handlers.thread_count == 0) {
        run_handlers(worker);
        send(worker, pgqrsi_clock_boot_ms());
    }
    publish(worker);
    pgqrsi_exchange_register(&worker->exchange);
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
        return worker->holdings.count > 0 ? worker->grace_ends_ms
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

/* When the parts want to send something that can be sent. */
static int64_t
sending_due_ms(pgqrs_worker *worker, int64_t now_ms)
{
    const pgqrsi_sending_as as_report = { .traffic = PGQRSI_TRAFFIC_REPORT };
    int64_t due_ms;

    if (worker->phase == PGQRSI_PHASE_LEAVING)
        return worker->unregistered < worker->queues.count &&
                       pgqrsi_exchange_has_room(&worker->exchange, &as_report)
                   ? now_ms
                   : NEVER;
    due_ms = earlier(pgqrsi_heartbeat_due_ms(&worker->holdings, &worker->exchange),
                     pgqrsi_reporting_due_ms(&worker->holdings, &worker->exchange));
    due_ms = earlier(due_ms, pgqrsi_cancellations_due_ms(&worker->holdings, &worker->exchange));
    if (due_ms > now_ms)
        due_ms = earlier(due_ms, pgqrsi_claiming_due_ms(&worker->claiming, now_ms));
    if (due_ms > now_ms && worker->phase == PGQRSI_PHASE_WORKING)
        due_ms = earlier(due_ms, pgqrsi_housekeeping_due_ms(&worker->housekeeping, now_ms));
    return due_ms;
}

/* Whether jobs have returned, or wait, so that there is something to do at once. While both links
 * are busy what has returned is collected when they are answered. */
static int
has_news(pgqrs_worker *worker, size_t level)
{
    pgqrsi_handlers_state state = pgqrsi_handlers_look(&worker->handlers);

    if (worker->handlers.thread_count == 0 && state.waiting > 0 &&
        state.running < worker->handlers.concurrency)
        return 1;
    return (state.has_returned && level > 0 && state.running + state.waiting <= level) ||
           (worker->phase == PGQRSI_PHASE_WORKING && atomic_load(&worker->is_stopping)) ||
           (worker->phase == PGQRSI_PHASE_DRAINING && atomic_load(&worker->is_closing));
}

/* From how few jobs on the return of one is news: always while it can be reported, else while
 * others can be claimed in its place; 0: never. */
static size_t
news_level(pgqrs_worker *worker)
{
    const pgqrsi_sending_as as_report = { .traffic = PGQRSI_TRAFFIC_REPORT };
    const pgqrsi_sending_as as_claim = { .traffic = PGQRSI_TRAFFIC_CLAIM };

    if (pgqrsi_exchange_has_room(&worker->exchange, &as_report))
        return SIZE_MAX;
    return pgqrsi_exchange_has_room(&worker->exchange, &as_claim)
               ? pgqrsi_dealing_level(&worker->claiming.dealing)
               : 0;
}

int64_t
pgqrsi_loop_timeout(pgqrs_worker *worker)
{
    int64_t now_ms = pgqrsi_clock_boot_ms(), due_ms;
    size_t level;

    if (worker->phase == PGQRSI_PHASE_OVER)
        return NEVER;
    due_ms = earlier(phase_due_ms(worker), pgqrsi_exchange_due_ms(&worker->exchange));
    due_ms = earlier(due_ms, worker->holdings.scan_ms);
    if (due_ms > now_ms)
        due_ms = earlier(due_ms, sending_due_ms(worker, now_ms));
    if (due_ms <= now_ms)
        return 0;
    level = news_level(worker);
    atomic_store(&worker->handlers.wake_level, level);
    if (level > 0)
        atomic_store(&worker->handlers.is_sleeping, 1);
    if (has_news(worker, level)) {
        atomic_store(&worker->handlers.is_sleeping, 0);
        return 0;
    }
    return due_ms == NEVER ? NEVER : due_ms - now_ms;
}
