/*
 * Workers of the plain queue that sleep until NOTIFY wakes them, with one connection that listens
 * for all of them.
 */
#include <poll.h>
#include <semaphore.h>
#include <stdlib.h>

#include "driver.h"

#define LISTEN_MS 50

struct driver_sleepers {
    bench_side *side;
    PGconn *(*connect)(bench_side *side);
    int64_t (*take)(bench_side *side, PGconn *connection, int64_t *started_ns);
    sem_t jobs;  /* wakes one worker */
    sem_t ready; /* counts the threads that are connected */
    atomic_bool stopping;
    size_t count; /* of workers */
    pthread_t team;
};

static void
work(struct driver_sleepers *sleepers, PGconn *connection)
{
    int64_t number, started_ns;

    while (sem_wait(&sleepers->jobs) == 0 && !atomic_load(&sleepers->stopping)) {
        while ((number = sleepers->take(sleepers->side, connection, &started_ns)) >= 0) {
            bench_record *record = bench_side_claimed(sleepers->side, 1);

            if (record != NULL)
                *record = (bench_record){ number, started_ns, started_ns };
            bench_side_finished(sleepers->side, 1);
        }
    }
}

/* More wake-ups than workers would only find what is being claimed already. */
static void
wake(struct driver_sleepers *sleepers)
{
    int waiting;

    if (sem_getvalue(&sleepers->jobs, &waiting) == 0 && waiting < (int)sleepers->count)
        sem_post(&sleepers->jobs);
}

static void
listen_for_jobs(struct driver_sleepers *sleepers, PGconn *connection)
{
    while (!atomic_load(&sleepers->stopping)) {
        struct pollfd wanted = { .fd = PQsocket(connection), .events = POLLIN };

        if (poll(&wanted, 1, LISTEN_MS) > 0 && PQconsumeInput(connection) == 0)
            bench_fail(sleepers->side->run, EXIT_FAILURE, "could not wait for jobs: %s",
                       PQerrorMessage(connection));
        for (PGnotify *notice = PQnotifies(connection); notice != NULL;
             notice = PQnotifies(connection)) {
            PQfreemem(notice);
            wake(sleepers);
        }
    }
}

static void
sleep_and_work(void *shared, size_t index, int64_t start_ns)
{
    struct driver_sleepers *sleepers = shared;
    bench_run *run = sleepers->side->run;
    PGconn *connection = sleepers->connect(sleepers->side);
    PGresult *result = NULL;

    (void)start_ns;
    if (index == sleepers->count)
        result = bench_query(run, connection, PERF_SQL(PLAIN_LISTEN), "listen for jobs");
    sem_post(&sleepers->ready);
    if (result != NULL)
        listen_for_jobs(sleepers, connection);
    else if (!bench_stopped(run))
        work(sleepers, connection);
    PQclear(result);
    PQfinish(connection);
}

static void *
run_team(void *argument)
{
    struct driver_sleepers *sleepers = argument;

    bench_team_run(sleepers->side->run, sleepers->count + 1, sleep_and_work, sleepers);
    return NULL;
}

driver_sleepers *
driver_sleepers_start(bench_side *side, PGconn *(*connect)(bench_side *side),
                      int64_t (*take)(bench_side *side, PGconn *connection, int64_t *started_ns))
{
    driver_sleepers *sleepers = bench_allocate(side->run, 1, sizeof(*sleepers));

    if (sleepers == NULL)
        return NULL;
    sleepers->side = side;
    sleepers->connect = connect;
    sleepers->take = take;
    sleepers->count = (size_t)side->run->options.workers;
    sem_init(&sleepers->jobs, 0, 0);
    sem_init(&sleepers->ready, 0, 0);
    if (pthread_create(&sleepers->team, NULL, run_team, sleepers) != 0) {
        bench_check(side->run, PGQRS_ESYSTEM, NULL);
        return NULL;
    }
    for (size_t i = 0; i <= sleepers->count && !bench_stopped(side->run); i++)
        sem_wait(&sleepers->ready);
    return sleepers;
}

void
driver_sleepers_stop(driver_sleepers *sleepers)
{
    if (sleepers == NULL)
        return;
    atomic_store(&sleepers->stopping, true);
    for (size_t i = 0; i < sleepers->count; i++)
        sem_post(&sleepers->jobs);
    pthread_join(sleepers->team, NULL);
    sem_destroy(&sleepers->jobs);
    sem_destroy(&sleepers->ready);
}
