#include "runtime/runtime.h"

#include <stdlib.h>
#include <unistd.h>

void
pgqrsi_running_wake_loop(pgqrs_worker *worker)
{
    static const uint64_t one = 1;

    if (write(worker->event_fd, &one, sizeof(one)) != (ssize_t)sizeof(one))
        return; /* it is full: the loop is awake */
}

/* How many more handlers may begin. Under the mutex. */
static int
has_room(const pgqrs_worker *worker)
{
    return worker->waiting_count > 0 && worker->running < (size_t)worker->options.concurrency;
}

/* Calls an idle thread if there is work for it, and none has been called already: whoever comes calls the
 * next. Work that is done before another thread could come wakes no other. Under the mutex. */
static void
call_one(pgqrs_worker *worker)
{
    if (worker->idle_threads == 0 || worker->is_waking || !has_room(worker))
        return;
    worker->is_waking = 1;
    pthread_cond_signal(&worker->work);
}

void
pgqrsi_running_add(pgqrs_worker *worker, struct pgqrsi_job_list *jobs, size_t count)
{
    pthread_mutex_lock(&worker->mutex);
    TAILQ_CONCAT(&worker->waiting, jobs, entry);
    worker->waiting_count += count;
    call_one(worker);
    pthread_mutex_unlock(&worker->mutex);
}

int
pgqrsi_running_withdraw(pgqrs_job *job)
{
    pgqrs_worker *worker = job->worker;
    int is_waiting;

    pthread_mutex_lock(&worker->mutex);
    is_waiting = job->place == PGQRSI_JOB_WAITING;
    if (is_waiting) {
        TAILQ_REMOVE(&worker->waiting, job, entry);
        worker->waiting_count--;
    }
    is_waiting |= job->place == PGQRSI_JOB_ASIDE;
    if (is_waiting)
        job->place = PGQRSI_JOB_RETURNED;
    pthread_mutex_unlock(&worker->mutex);
    return is_waiting;
}

void
pgqrsi_running_collect(pgqrs_worker *worker, struct pgqrsi_job_list *out)
{
    TAILQ_INIT(out);
    pthread_mutex_lock(&worker->mutex);
    TAILQ_CONCAT(out, &worker->returned, entry);
    pthread_mutex_unlock(&worker->mutex);
}

/* The next job, marked as running; NULL if there is none, or no room. Under the mutex. */
static pgqrs_job *
take(pgqrs_worker *worker)
{
    pgqrs_job *job = TAILQ_FIRST(&worker->waiting);

    if (!has_room(worker))
        return NULL;
    TAILQ_REMOVE(&worker->waiting, job, entry);
    worker->waiting_count--;
    worker->running++;
    job->place = PGQRSI_JOB_RUNNING;
    return job;
}

/* Hands it over to the loop. Under the mutex. */
static void
give_back(pgqrs_job *job)
{
    pgqrs_worker *worker = job->worker;

    job->place = PGQRSI_JOB_RETURNED;
    worker->running--;
    worker->completed++;
    TAILQ_INSERT_TAIL(&worker->returned, job, entry);
    call_one(worker); /* it may have had no room before */
}

static int
is_final(pgqrs_job_outcome outcome)
{
    return outcome >= PGQRS_JOB_DONE && outcome <= PGQRS_JOB_SETTLED;
}

/* The handler has returned. Under the mutex. */
static void
handler_returned(pgqrs_job *job, pgqrs_job_outcome outcome)
{
    if (outcome == PGQRS_JOB_PENDING && !job->finished) {
        job->place = PGQRSI_JOB_DETACHED;
        return;
    }
    if (outcome != PGQRS_JOB_PENDING && !job->finished)
        job->outcome = is_final(outcome) ? outcome : PGQRS_JOB_FAILED;
    give_back(job);
}

/* Runs the handler of a job that was taken. Called and left without the mutex; the return is noted later. */
static pgqrs_job_outcome
run(pgqrs_job *job)
{
    pgqrs_worker *worker = job->worker;
    int64_t timeout_ms = job->queue->options.job_timeout_ms;
    pgqrs_job_outcome outcome;

    if (timeout_ms > 0)
        atomic_store(&job->deadline_ms, pgqrsi_clock_boot_ms() + timeout_ms);
    pgqrsi_worker_tell(worker, PGQRS_EVENT_STARTED, job, PGQRS_OK, "");
    outcome = pgqrs_job_next(job);
    if (getpid() != worker->pid)
        _exit(0); /* a child that the handler forked: nothing here is its business */
    return outcome;
}

void
pgqrs_job_finish(pgqrs_job *job, pgqrs_job_outcome outcome)
{
    pgqrs_worker *worker = job->worker;

    pthread_mutex_lock(&worker->mutex);
    job->outcome = is_final(outcome) ? outcome : PGQRS_JOB_FAILED;
    job->finished = 1;
    if (job->place == PGQRSI_JOB_DETACHED)
        give_back(job);
    /* Under the mutex: as soon as the loop has the job the worker may be over, and closed by another thread.
     */
    if (atomic_exchange(&worker->is_sleeping, 0))
        pgqrsi_running_wake_loop(worker);
    pthread_mutex_unlock(&worker->mutex);
}

int
pgqrsi_running_run_one(pgqrs_worker *worker)
{
    pgqrs_job *job;
    pgqrs_job_outcome outcome;

    pthread_mutex_lock(&worker->mutex);
    job = take(worker);
    pthread_mutex_unlock(&worker->mutex);
    if (job == NULL)
        return 0;
    outcome = run(job);
    pthread_mutex_lock(&worker->mutex);
    handler_returned(job, outcome);
    pthread_mutex_unlock(&worker->mutex);
    return 1;
}

/* Takes, runs, gives back, until it is over. */
static void *
handle(void *arg)
{
    pgqrs_worker *worker = arg;

    pthread_mutex_lock(&worker->mutex);
    while (!atomic_load(&worker->is_over)) {
        pgqrs_job *job = take(worker);
        pgqrs_job_outcome outcome;

        if (job == NULL) {
            worker->idle_threads++;
            pthread_cond_wait(&worker->work, &worker->mutex);
            worker->idle_threads--;
            worker->is_waking = 0;
            continue;
        }
        call_one(worker);
        pthread_mutex_unlock(&worker->mutex);
        outcome = run(job);
        pthread_mutex_lock(&worker->mutex);
        handler_returned(job, outcome);
        if (atomic_load_explicit(&worker->is_sleeping, memory_order_relaxed) &&
            atomic_exchange(&worker->is_sleeping, 0)) {
            pthread_mutex_unlock(&worker->mutex);
            pgqrsi_running_wake_loop(worker);
            pthread_mutex_lock(&worker->mutex);
        }
    }
    pthread_mutex_unlock(&worker->mutex);
    return NULL;
}

pgqrs_status
pgqrsi_running_start(pgqrs_worker *worker, pgqrs_error *err)
{
    size_t count = (size_t)worker->options.concurrency;
    pthread_attr_t attributes;

    worker->threads = calloc(count, sizeof(worker->threads[0]));
    if (worker->threads == NULL)
        return pgqrsi_error_memory(err);
    pthread_attr_init(&attributes);
    while (worker->thread_count < count &&
           pthread_create(&worker->threads[worker->thread_count], &attributes, handle, worker) == 0)
        worker->thread_count++;
    pthread_attr_destroy(&attributes);
    if (worker->thread_count == count)
        return PGQRS_OK;
    return pgqrsi_error_set(err, PGQRS_ESYSTEM,
                            "starting a worker: the operating system gave only %zu of %zu threads: lower "
                            "concurrency, or raise the limit on processes",
                            worker->thread_count, count);
}

void
pgqrsi_running_join(pgqrs_worker *worker)
{
    pthread_mutex_lock(&worker->mutex);
    pthread_cond_broadcast(&worker->work);
    pthread_mutex_unlock(&worker->mutex);
    for (size_t i = 0; i < worker->thread_count; i++)
        pthread_join(worker->threads[i], NULL);
    worker->thread_count = 0;
    free(worker->threads);
    worker->threads = NULL;
}
