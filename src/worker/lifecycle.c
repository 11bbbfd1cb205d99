#include "worker/worker.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "jobs/reporting.h"
#include "base/waiter.h"
#include "base/options.h"
#include "queue/payload.h"
#include "worker/loop.h"
#include "worker/setup.h"

#define DEFAULT_PREFETCH 1000
#define DEFAULT_GRACE_MS 25000
#define DEFAULT_POLL_MS 5000
#define MAX_GRACE_MS INT64_C(691200000) /* 8 days */

static pgqrs_status
check_options(const pgqrs_worker_options *options, pgqrs_error *err)
{
    pgqrs_status status = pgqrsi_range_check("concurrency", options->concurrency, 1, 1024, err);

    if (status == PGQRS_OK)
        status = pgqrsi_range_check("prefetch_max", options->prefetch_max, -1, 100000, err);
    if (status == PGQRS_OK)
        status = pgqrsi_range_check("grace_ms", options->grace_ms, 0, MAX_GRACE_MS, err);
    if (status == PGQRS_OK && options->poll_ms != 0)
        status = pgqrsi_range_check("poll_ms", options->poll_ms, 50, 60000, err);
    return status;
}

static void
fill_in(pgqrs_worker_options *options)
{
    if (options->prefetch_max == 0)
        options->prefetch_max = DEFAULT_PREFETCH;
    else if (options->prefetch_max < 0)
        options->prefetch_max = 0;
    if (options->grace_ms == 0)
        options->grace_ms = DEFAULT_GRACE_MS;
    if (options->poll_ms == 0)
        options->poll_ms = DEFAULT_POLL_MS;
}

static void
init_locks(pgqrs_worker *worker)
{
    pthread_mutex_init(&worker->mutex, NULL);
    pgqrsi_condition_init(&worker->ended);
}

static pgqrs_status
open_fds(pgqrs_worker *worker, pgqrs_error *err)
{
    struct epoll_event event = { .events = EPOLLIN };

    worker->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    worker->handlers.event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (worker->epoll_fd < 0 || worker->handlers.event_fd < 0 ||
        epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, worker->handlers.event_fd, &event) != 0)
        return pgqrsi_error_set(err, PGQRS_ESYSTEM,
                                "making a worker: no descriptor could be opened: %s",
                                strerror(errno));
    return PGQRS_OK;
}

static void
free_worker(pgqrs_worker *worker)
{
    pgqrsi_exchange_release(&worker->exchange);
    pgqrsi_queues_release(&worker->queues);
    free(worker->layers.list);
    if (worker->epoll_fd >= 0)
        close(worker->epoll_fd);
    pgqrsi_handlers_release(&worker->handlers);
    pthread_cond_destroy(&worker->ended);
    pthread_mutex_destroy(&worker->mutex);
    free(worker);
}

/* Puts the parts together. Until the links are made there is nothing to release but memory. */
static void
join_parts(pgqrs_worker *worker)
{
    pgqrsi_claiming *claiming = &worker->claiming;
    pgqrsi_housekeeping *housekeeping = &worker->housekeeping;

    worker->events = (pgqrsi_events){ worker->options.on_event, worker->options.event_arg };
    pgqrsi_handlers_init(&worker->handlers, &worker->events, (size_t)worker->options.concurrency);
    pgqrsi_holdings_init(&worker->holdings, &worker->events, &worker->handlers);
    claiming->queues = housekeeping->queues = &worker->queues;
    claiming->exchange = housekeeping->exchange = &worker->exchange;
    claiming->holdings = &worker->holdings;
    claiming->dealing.concurrency = worker->options.concurrency;
    claiming->dealing.prefetch_max = worker->options.prefetch_max;
    housekeeping->events = &worker->events;
    housekeeping->poll_ms = worker->options.poll_ms;
    pgqrsi_housekeeping_init(housekeeping);
}

pgqrs_status
pgqrs_worker_new(pgqrs_client *client, const pgqrs_worker_options *options, pgqrs_worker **out,
                 pgqrs_error *err)
{
    pgqrs_worker_options own = PGQRS_WORKER_OPTIONS_INIT;
    pgqrs_status status =
        pgqrsi_options_read("worker", "PGQRS_WORKER_OPTIONS_INIT", options, &own, err);
    pgqrs_worker *worker;

    if (status == PGQRS_OK)
        status = check_options(&own, err);
    if (status != PGQRS_OK)
        return status;
    worker = calloc(1, sizeof(*worker));
    if (worker == NULL)
        return pgqrsi_error_memory(err);
    worker->client = client;
    worker->options = own;
    fill_in(&worker->options);
    worker->epoll_fd = -1;
    join_parts(worker);
    init_locks(worker);
    status = open_fds(worker, err);
    if (status == PGQRS_OK)
        status =
            pgqrsi_exchange_init(&worker->exchange, client, &worker->events, worker->epoll_fd, err);
    if (status != PGQRS_OK) {
        free_worker(worker);
        return status;
    }
    *out = worker;
    return PGQRS_OK;
}

static void
wait_for_events(const pgqrs_worker *worker, int64_t timeout_ms)
{
    struct pollfd entry = { .fd = worker->epoll_fd, .events = POLLIN };

    (void)poll(&entry, 1, timeout_ms > INT_MAX ? INT_MAX : (int)timeout_ms);
}

static void
run_until_over(pgqrs_worker *worker)
{
    for (;;) {
        pgqrsi_loop_turn(worker);
        if (atomic_load(&worker->is_over))
            return;
        wait_for_events(worker, pgqrsi_loop_timeout(worker));
    }
}

static void *
loop(void *arg)
{
    run_until_over(arg);
    return NULL;
}

pgqrs_status
pgqrs_worker_start(pgqrs_worker *worker, pgqrs_error *err)
{
    pgqrs_status status = pgqrsi_setup_check_not_started(worker, err);

    if (status == PGQRS_OK)
        status = pgqrsi_setup_check_complete(worker, err);
    if (status != PGQRS_OK)
        return status;
    worker->is_started = 1;
    status = pgqrsi_handlers_start(&worker->handlers, err);
    if (status == PGQRS_OK && pthread_create(&worker->loop_thread, NULL, loop, worker) != 0)
        status =
            pgqrsi_error_set(err, PGQRS_ESYSTEM,
                             "starting a worker: the operating system gave no thread for its loop");
    if (status == PGQRS_OK) {
        worker->has_loop_thread = 1;
        return PGQRS_OK;
    }
    atomic_store(&worker->is_over, 1);
    pgqrsi_handlers_end(&worker->handlers);
    pgqrsi_handlers_join(&worker->handlers);
    return status;
}

/* Nothing here but what a signal handler may do. */
void
pgqrs_worker_stop(pgqrs_worker *worker)
{
    int saved = errno;

    atomic_store(&worker->is_stopping, 1);
    pgqrsi_handlers_wake_loop(&worker->handlers);
    errno = saved;
}

pgqrs_status
pgqrs_worker_wait(pgqrs_worker *worker, int64_t timeout_ms, pgqrs_error *err)
{
    int64_t deadline_ms = timeout_ms < 0 ? NEVER : pgqrsi_clock_ms() + timeout_ms;

    pthread_mutex_lock(&worker->mutex);
    while (worker->has_loop_thread && !atomic_load(&worker->is_over) &&
           pgqrsi_condition_wait(&worker->ended, &worker->mutex, deadline_ms))
        ;
    pthread_mutex_unlock(&worker->mutex);
    if (!worker->has_loop_thread || atomic_load(&worker->is_over))
        return PGQRS_OK;
    return pgqrsi_error_set(err, PGQRS_ETIMEDOUT,
                            "the worker was not over after %lld ms: wait on, or close it",
                            (long long)timeout_ms);
}

/* Frees the leases that are left: handlers have returned, and nothing can be reported any more. */
static void
free_leases(pgqrs_worker *worker)
{
    struct pgqrsi_job_list jobs;
    pgqrsi_holding *holding;
    pgqrs_job *job;

    pgqrsi_handlers_collect(&worker->handlers, &jobs);
    while ((job = TAILQ_FIRST(&jobs)) != NULL) {
        TAILQ_REMOVE(&jobs, job, entry);
        pgqrsi_reporting_returned(job);
    }
    while ((holding = TAILQ_FIRST(&worker->holdings.busy)) != NULL) {
        pgqrsi_lease *lease = TAILQ_FIRST(&holding->owned);

        lease->is_over = 1;
        pgqrsi_lease_end(lease);
    }
}

void
pgqrs_worker_close(pgqrs_worker *worker)
{
    if (worker == NULL)
        return;
    atomic_store(&worker->is_closing, 1);
    pgqrs_worker_stop(worker);
    if (worker->has_loop_thread)
        pthread_join(worker->loop_thread, NULL);
    else if (worker->is_started && !atomic_load(&worker->is_over))
        run_until_over(worker);
    pgqrsi_handlers_join(&worker->handlers);
    free_leases(worker);
    free_worker(worker);
}

int
pgqrs_worker_fd(const pgqrs_worker *worker)
{
    return worker->epoll_fd;
}

int64_t
pgqrs_worker_timeout_ms(const pgqrs_worker *worker)
{
    return pgqrsi_loop_timeout((pgqrs_worker *)(uintptr_t)worker);
}

pgqrs_status
pgqrs_worker_process(pgqrs_worker *worker, bool *out_over, pgqrs_error *err)
{
    pgqrs_status status = PGQRS_OK;

    if (!worker->is_started)
        status = pgqrsi_setup_check_complete(worker, err);
    else if (worker->has_loop_thread)
        status = pgqrsi_error_set(err, PGQRS_EINVAL,
                                  "refused to process a worker that has threads of its own");
    if (status != PGQRS_OK)
        return status;
    worker->is_started = 1;
    if (!atomic_load(&worker->is_over))
        pgqrsi_loop_turn(worker);
    (void)pgqrsi_loop_timeout(
        worker); /* from here on the descriptor tells what other threads have finished */
    *out_over = atomic_load(&worker->is_over);
    return PGQRS_OK;
}

void
pgqrs_worker_count(pgqrs_worker *worker, pgqrs_worker_counts *out)
{
    pgqrsi_handlers_state state = pgqrsi_handlers_look(&worker->handlers);
    pgqrs_worker_counts counts;

    pthread_mutex_lock(&worker->mutex);
    counts = worker->published;
    pthread_mutex_unlock(&worker->mutex);
    counts.size = sizeof(counts);
    counts.running = (int64_t)state.running;
    counts.prefetched = (int64_t)state.waiting;
    pgqrsi_results_write(out, &counts);
}

bool
pgqrs_worker_is_idle(pgqrs_worker *worker)
{
    return atomic_load(&worker->is_idle);
}
