#include "jobs/handlers.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/waiter.h"

void
pgqrsi_handlers_init(pgqrsi_handlers *handlers, const pgqrsi_events *events, size_t concurrency)
{
    handlers->events = events;
    handlers->concurrency = concurrency;
    handlers->pid = getpid();
    handlers->event_fd = -1;
    TAILQ_INIT(&handlers->waiting);
    TAILQ_INIT(&handlers->returned);
    pthread_mutex_init(&handlers->mutex, NULL);
    pgqrsi_condition_init(&handlers->work);
}

void
pgqrsi_handlers_release(pgqrsi_handlers *handlers)
{
    if (handlers->event_fd >= 0)
        close(handlers->event_fd);
    pthread_cond_destroy(&handlers->work);
    pthread_mutex_destroy(&handlers->mutex);
}

void
pgqrsi_handlers_wake_loop(pgqrsi_handlers *handlers)
{
    static const uint64_t one = 1;

    if (write(handlers->event_fd, &one, sizeof(one)) != (ssize_t)sizeof(one))
        return; /* it is full: the loop is awake */
}

/* How many more handlers may begin. Under the mutex. */
static int
has_room(const pgqrsi_handlers *handlers)
{
    return handlers->waiting_count > 0 && handlers->running < handlers->concurrency;
}

/* Calls an idle thread if there is work for it, and none has been called already: whoever comes
 * calls the next. Work that is done before another thread could come wakes no other. Under the
 * mutex. */
static void
call_one(pgqrsi_handlers *handlers)
{
    if (handlers->idle_threads == 0 || handlers->is_waking || !has_room(handlers))
        return;
    handlers->is_waking = 1;
    pthread_cond_signal(&handlers->work);
}

void
pgqrsi_handlers_add(pgqrsi_handlers *handlers, struct pgqrsi_job_list *jobs, size_t count)
{
    pthread_mutex_lock(&handlers->mutex);
    TAILQ_CONCAT(&handlers->waiting, jobs, entry);
    handlers->waiting_count += count;
    call_one(handlers);
    pthread_mutex_unlock(&handlers->mutex);
}

int
pgqrsi_handlers_withdraw(pgqrsi_handlers *handlers, pgqrs_job *job)
{
    int is_waiting;

    pthread_mutex_lock(&handlers->mutex);
    is_waiting = job->stage == PGQRSI_JOB_WAITING;
    if (is_waiting) {
        TAILQ_REMOVE(&handlers->waiting, job, entry);
        handlers->waiting_count--;
        job->stage = PGQRSI_JOB_RETURNED;
    }
    pthread_mutex_unlock(&handlers->mutex);
    return is_waiting;
}

void
pgqrsi_handlers_collect(pgqrsi_handlers *handlers, struct pgqrsi_job_list *out)
{
    TAILQ_INIT(out);
    pthread_mutex_lock(&handlers->mutex);
    TAILQ_CONCAT(out, &handlers->returned, entry);
    pthread_mutex_unlock(&handlers->mutex);
}

/* The next job, marked as running; NULL if there is none, or no room. Under the mutex. */
static pgqrs_job *
take(pgqrsi_handlers *handlers)
{
    pgqrs_job *job = TAILQ_FIRST(&handlers->waiting);

    if (!has_room(handlers))
        return NULL;
    TAILQ_REMOVE(&handlers->waiting, job, entry);
    handlers->waiting_count--;
    handlers->running++;
    job->stage = PGQRSI_JOB_RUNNING;
    return job;
}

/* Hands it over to the loop. Under the mutex. */
static void
give_back(pgqrs_job *job)
{
    pgqrsi_handlers *handlers = job->source->handlers;

    job->stage = PGQRSI_JOB_RETURNED;
    handlers->running--;
    handlers->completed++;
    TAILQ_INSERT_TAIL(&handlers->returned, job, entry);
    call_one(handlers); /* it may have had no room before */
}

static int
is_final(pgqrs_job_outcome outcome)
{
    return outcome >= PGQRS_JOB_DONE && outcome <= PGQRS_JOB_RELEASED &&
           outcome != PGQRS_JOB_PENDING;
}

/* The handler has returned. Under the mutex. */
static void
handler_returned(pgqrs_job *job, pgqrs_job_outcome outcome)
{
    if (outcome == PGQRS_JOB_PENDING && !job->finished) {
        job->stage = PGQRSI_JOB_DETACHED;
        return;
    }
    if (outcome != PGQRS_JOB_PENDING && !job->finished)
        job->outcome = is_final(outcome) ? outcome : PGQRS_JOB_FAILED;
    give_back(job);
}

/* Runs the handler of a job that was taken. Called and left without the mutex; the return is noted
 * later. */
static pgqrs_job_outcome
run(pgqrs_job *job)
{
    pgqrsi_handlers *handlers = job->source->handlers;
    int64_t timeout_ms = job->source->timeout_ms;
    pgqrs_job_outcome outcome;

    if (timeout_ms > 0)
        atomic_store(&job->deadline_ms, pgqrsi_clock_boot_ms() + timeout_ms);
    pgqrsi_events_tell(handlers->events, PGQRS_EVENT_STARTED, job, PGQRS_OK, "");
    outcome = pgqrs_job_next(job);
    if (getpid() != handlers->pid)
        _exit(0); /* a child that the handler forked: nothing here is its business */
    return outcome;
}

/* Whether the loop is to be woken for what has just returned. Under the mutex. */
static int
is_news(pgqrsi_handlers *handlers)
{
    return atomic_load_explicit(&handlers->is_sleeping, memory_order_relaxed) &&
           handlers->running + handlers->waiting_count <=
               atomic_load_explicit(&handlers->wake_level, memory_order_relaxed) &&
           atomic_exchange(&handlers->is_sleeping, 0);
}

void
pgqrs_job_finish(pgqrs_job *job, pgqrs_job_outcome outcome)
{
    pgqrsi_handlers *handlers = job->source->handlers;

    pthread_mutex_lock(&handlers->mutex);
    job->outcome = is_final(outcome) ? outcome : PGQRS_JOB_FAILED;
    job->finished = 1;
    if (job->stage == PGQRSI_JOB_DETACHED)
        give_back(job);
    /* Under the mutex: as soon as the loop has the job the worker may be over, and closed by
     * another thread. */
    if (is_news(handlers))
        pgqrsi_handlers_wake_loop(handlers);
    pthread_mutex_unlock(&handlers->mutex);
}

int
pgqrsi_handlers_run_one(pgqrsi_handlers *handlers)
{
    pgqrs_job *job;
    pgqrs_job_outcome outcome;

    pthread_mutex_lock(&handlers->mutex);
    job = take(handlers);
    pthread_mutex_unlock(&handlers->mutex);
    if (job == NULL)
        return 0;
    outcome = run(job);
    pthread_mutex_lock(&handlers->mutex);
    handler_returned(job, outcome);
    pthread_mutex_unlock(&handlers->mutex);
    return 1;
}

/* Takes, runs, gives back, until it is over. */
static void *
handle(void *arg)
{
    pgqrsi_handlers *handlers = arg;

    pthread_mutex_lock(&handlers->mutex);
    while (!atomic_load(&handlers->is_over)) {
        pgqrs_job *job = take(handlers);
        pgqrs_job_outcome outcome;

        if (job == NULL) {
            handlers->idle_threads++;
            pthread_cond_wait(&handlers->work, &handlers->mutex);
            handlers->idle_threads--;
            handlers->is_waking = 0;
            continue;
        }
        call_one(handlers);
        pthread_mutex_unlock(&handlers->mutex);
        outcome = run(job);
        pthread_mutex_lock(&handlers->mutex);
        handler_returned(job, outcome);
        if (is_news(handlers)) {
            pthread_mutex_unlock(&handlers->mutex);
            pgqrsi_handlers_wake_loop(handlers);
            pthread_mutex_lock(&handlers->mutex);
        }
    }
    pthread_mutex_unlock(&handlers->mutex);
    return NULL;
}

pgqrsi_handlers_state
pgqrsi_handlers_look(pgqrsi_handlers *handlers)
{
    pgqrsi_handlers_state state;

    pthread_mutex_lock(&handlers->mutex);
    state = (pgqrsi_handlers_state){ .waiting = handlers->waiting_count,
                                     .running = handlers->running,
                                     .completed = handlers->completed,
                                     .has_returned = !TAILQ_EMPTY(&handlers->returned) };
    pthread_mutex_unlock(&handlers->mutex);
    return state;
}

void
pgqrsi_handlers_end(pgqrsi_handlers *handlers)
{
    pthread_mutex_lock(&handlers->mutex);
    atomic_store(&handlers->is_over, 1);
    pthread_cond_broadcast(&handlers->work);
    pthread_mutex_unlock(&handlers->mutex);
}

pgqrs_status
pgqrsi_handlers_start(pgqrsi_handlers *handlers, pgqrs_error *err)
{
    size_t count = handlers->concurrency;
    pthread_attr_t attributes;

    handlers->threads = calloc(count, sizeof(handlers->threads[0]));
    if (handlers->threads == NULL)
        return pgqrsi_error_memory(err);
    pthread_attr_init(&attributes);
    while (handlers->thread_count < count &&
           pthread_create(&handlers->threads[handlers->thread_count], &attributes, handle,
                          handlers) == 0)
        handlers->thread_count++;
    pthread_attr_destroy(&attributes);
    if (handlers->thread_count == count)
        return PGQRS_OK;
    return pgqrsi_error_set(
        err, PGQRS_ESYSTEM,
        "starting a worker: the operating system gave only %zu of %zu threads: lower "
        "concurrency, or raise the limit on processes",
        handlers->thread_count, count);
}

void
pgqrsi_handlers_join(pgqrsi_handlers *handlers)
{
    pthread_mutex_lock(&handlers->mutex);
    pthread_cond_broadcast(&handlers->work);
    pthread_mutex_unlock(&handlers->mutex);
    for (size_t i = 0; i < handlers->thread_count; i++)
        pthread_join(handlers->threads[i], NULL);
    handlers->thread_count = 0;
    free(handlers->threads);
    handlers->threads = NULL;
}
