#include "crew.h"

#include <stdlib.h>
#include <sysexits.h>

#define POLL_NS 500000

/* Longer than a lease: if nothing was finished for so long, nothing will be. */
#define STUCK_NS ((BENCH_LEASE_MS + 30000) * INT64_C(1000000))

#define STOP_MS 30000

/* A handler thread belongs to one crew for all of its life, and has a list of its own, so that the threads
 * share nothing that they write to. */
static pgqrs_job_outcome
handle(pgqrs_job *job, void *arg)
{
    static _Thread_local bench_moments *own;
    bench_crew *crew = arg;
    int64_t now_ns = crew->notes == BENCH_CREW_MOMENTS ? bench_now_ns() : 0;

    if (own == NULL)
        own = &crew->lists[atomic_fetch_add(&crew->joined, 1)];
    if (bench_moments_add(own, pgqrs_job_message(job)->id, now_ns, 0) != 0)
        bench_fail(crew->run, EX_OSERR, "could not keep the moments: out of memory");
    return PGQRS_JOB_DONE;
}

/* Nothing of this may happen in a benchmark. */
static void
watch(const pgqrs_event *event, void *arg)
{
    bench_crew *crew = arg;

    switch (event->kind) {
    case PGQRS_EVENT_FAILED:
    case PGQRS_EVENT_DEAD:
    case PGQRS_EVENT_LOST:
    case PGQRS_EVENT_DISCONNECTED:
    case PGQRS_EVENT_TROUBLE:
        bench_fail(crew->run, EX_SOFTWARE, "the worker could not do its work: %s",
                   *event->message != '\0' ? event->message : pgqrs_status_text(event->status));
        break;
    default:
        break;
    }
}

static pgqrs_status
start(bench_crew *crew, bench_queue *queue, pgqrs_error *err)
{
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;
    pgqrs_worker_queue_options queue_options = PGQRS_WORKER_QUEUE_OPTIONS_INIT;
    pgqrs_slice name = pgqrs_slice_of(queue->name);
    pgqrs_status status;

    options.concurrency = (int32_t)crew->threads;
    options.on_event = watch;
    options.event_arg = crew;
    queue_options.lease_ms = BENCH_LEASE_MS;
    if (crew->run->options.finish == BENCH_FINISH_DELETE)
        queue_options.done = PGQRS_DONE_DELETE;
    status = pgqrs_worker_new(queue->client, &options, &crew->worker, err);
    if (status == PGQRS_OK)
        status = pgqrs_worker_add_queue(crew->worker, name, &queue_options, err);
    if (status == PGQRS_OK)
        status = pgqrs_worker_handle(crew->worker, name, (pgqrs_slice){ NULL, 0 }, handle, crew, err);
    if (status == PGQRS_OK)
        status = pgqrs_worker_start(crew->worker, err);
    return status;
}

int
bench_crew_start(bench_crew *crew, bench_queue *queue, bench_crew_notes notes)
{
    bench_run *run = queue->run;
    pgqrs_error *err;
    pgqrs_status status;

    *crew = (bench_crew){ .run = run, .threads = (size_t)run->options.threads, .notes = notes };
    crew->lists = calloc(crew->threads, sizeof(*crew->lists));
    if (crew->lists == NULL)
        return bench_fail(run, EX_OSERR, "could not start a worker: out of memory");
    err = pgqrs_error_new();
    status = start(crew, queue, err);
    if (status != PGQRS_OK)
        bench_fail_library(run, status, err);
    pgqrs_error_free(err);
    return status == PGQRS_OK ? 0 : -1;
}

int
bench_crew_wait(bench_crew *crew, int64_t jobs)
{
    int64_t done = -1, progress_ns = bench_now_ns();

    for (;;) {
        crew->counts.size = sizeof(crew->counts);
        pgqrs_worker_count(crew->worker, &crew->counts);
        if (crew->counts.done >= jobs)
            return 0;
        if (bench_run_stopped(crew->run))
            return -1;
        if (crew->counts.done != done)
            progress_ns = bench_now_ns();
        else if (bench_now_ns() - progress_ns > STUCK_NS)
            return bench_fail(crew->run, EXIT_FAILURE,
                              "the worker has finished %lld of %lld messages, and nothing for a while",
                              (long long)done, (long long)jobs);
        done = crew->counts.done;
        bench_wait_until(bench_now_ns() + POLL_NS);
    }
}

int
bench_crew_wait_idle(bench_crew *crew)
{
    int64_t deadline_ns = bench_now_ns() + STUCK_NS;

    while (!pgqrs_worker_is_idle(crew->worker)) {
        if (bench_run_stopped(crew->run))
            return -1;
        if (bench_now_ns() > deadline_ns)
            return bench_fail(crew->run, EXIT_FAILURE, "the worker finds work in an empty queue");
        bench_wait_until(bench_now_ns() + POLL_NS);
    }
    return 0;
}

int
bench_crew_stop(bench_crew *crew)
{
    pgqrs_error *err = pgqrs_error_new();
    pgqrs_status status;

    pgqrs_worker_stop(crew->worker);
    status = pgqrs_worker_wait(crew->worker, STOP_MS, err);
    crew->counts.size = sizeof(crew->counts);
    pgqrs_worker_count(crew->worker, &crew->counts);
    pgqrs_worker_close(crew->worker);
    crew->worker = NULL;
    if (status != PGQRS_OK)
        bench_fail_library(crew->run, status, err);
    pgqrs_error_free(err);
    return status == PGQRS_OK ? 0 : -1;
}

int
bench_crew_moments(const bench_crew *crew, bench_moments *out)
{
    if (bench_moments_join(crew->lists, crew->threads, out) == 0)
        return 0;
    return bench_fail(crew->run, EX_OSERR, "could not keep the moments: out of memory");
}

void
bench_crew_release(bench_crew *crew)
{
    pgqrs_worker_close(crew->worker);
    for (size_t i = 0; crew->lists != NULL && i < crew->threads; i++)
        bench_moments_release(&crew->lists[i]);
    free(crew->lists);
    *crew = (bench_crew){ 0 };
}
