/*
 * How soon a sleeping worker has a job: woken by NOTIFY, with one connection that listens for all of them.
 */
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plain.h"

#define PROBE_GAP_NS INT64_C(20000000)
#define SHORTEST_GAP_NS INT64_C(50000000)
#define GAP_SPREAD_NS INT64_C(80000000)
#define MOST_PATIENCE_NS INT64_C(60000000000)
#define MOST_TRIPS 4096
#define TIGHT_TRIPS 200

struct plain_pickup {
    plain_queue *plain;
    int64_t count;
    double rate;
    /* Of each job, by its number: each slot is written by one thread and read when all are handled. */
    int64_t *called, *returned, *started;
    atomic_llong next, handled;
    atomic_int stopping; /* 1: workers and listener leave */
    atomic_int enqueued; /* 1: the prober leaves */
    sem_t jobs;          /* wakes one worker */
    sem_t ready;         /* counts the threads that are connected */
    pthread_t listener, *workers;
    PGconn *prober;
    size_t trip_count;
    int64_t trips[MOST_TRIPS];
};

static void
probe(struct plain_pickup *pickup)
{
    if (pickup->trip_count < MOST_TRIPS)
        pickup->trips[pickup->trip_count++] = plain_round_trip_ns(pickup->prober);
}

static void
handle(struct plain_pickup *pickup, const char *payload)
{
    const char *number = strstr(payload, "\"n\": ");
    long long index = number != NULL ? atoll(number + 5) : -1;

    if (index < 0 || index >= pickup->count || pickup->started[index] != 0)
        plain_die("a job was handed out that is not there, or was before: %s", payload);
    pickup->started[index] = plain_now_ns();
    atomic_fetch_add(&pickup->handled, 1);
}

static void *
work(void *argument)
{
    struct plain_pickup *pickup = argument;
    PGconn *connection = plain_connect(pickup->plain);

    sem_post(&pickup->ready);
    while (sem_wait(&pickup->jobs) == 0 && !atomic_load(&pickup->stopping)) {
        for (;;) {
            PGresult *claimed = plain_claim(connection, 1);
            int found = PQntuples(claimed);

            if (found > 0) {
                handle(pickup, PQgetvalue(claimed, 0, 1) + 1);
                plain_finish(connection, claimed);
            }
            PQclear(claimed);
            if (found == 0)
                break;
        }
    }
    PQfinish(connection);
    return NULL;
}

/* More wake-ups than workers would only find what is being claimed already. */
static void
wake(struct plain_pickup *pickup)
{
    int waiting;

    if (sem_getvalue(&pickup->jobs, &waiting) == 0 && waiting < (int)pickup->plain->workers)
        sem_post(&pickup->jobs);
}

static void *
listen_for_jobs(void *argument)
{
    struct plain_pickup *pickup = argument;
    PGconn *connection = plain_connect(pickup->plain);
    PGresult *result = PQexec(connection, "LISTEN plain_jobs");

    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        plain_die("could not listen: %s", PQerrorMessage(connection));
    PQclear(result);
    sem_post(&pickup->ready);
    while (!atomic_load(&pickup->stopping)) {
        struct pollfd wanted = { .fd = PQsocket(connection), .events = POLLIN };

        if (poll(&wanted, 1, 50) > 0 && PQconsumeInput(connection) == 0)
            plain_die("could not wait for jobs: %s", PQerrorMessage(connection));
        for (PGnotify *notice = PQnotifies(connection); notice != NULL; notice = PQnotifies(connection)) {
            PQfreemem(notice);
            wake(pickup);
        }
    }
    PQfinish(connection);
    return NULL;
}

static void
enqueue_one(struct plain_pickup *pickup, size_t index, int64_t number)
{
    char payload[8192];
    size_t size;
    char *batch;

    snprintf(payload, sizeof(payload), "{\"n\":%lld,%s", (long long)number, pickup->plain->payload + 1);
    batch = plain_make_batch(payload, 1, &size);
    pickup->called[number] = plain_now_ns();
    PQclear(plain_execute(pickup->plain->connections[index], PLAIN_ENQUEUE_NOTIFY, batch, size));
    pickup->returned[number] = plain_now_ns();
    free(batch);
}

/* One after the other, with a probe in each gap, as far from both jobs. */
static void
enqueue_idle(struct plain_pickup *pickup)
{
    unsigned state = 1;

    for (int64_t i = 0; i < pickup->count; i++) {
        int64_t gap = SHORTEST_GAP_NS + (int64_t)(plain_random(&state) * (double)GAP_SPREAD_NS);
        int64_t now = plain_now_ns();

        plain_sleep_until(now + gap / 2);
        probe(pickup);
        plain_sleep_until(now + gap);
        enqueue_one(pickup, 0, i);
    }
}

/* Random gaps of one caller's share of the rate; whoever is late enqueues at once. */
static void
enqueue_paced(void *shared, size_t index)
{
    struct plain_pickup *pickup = shared;
    double mean_ns = 1e9 * (double)pickup->plain->callers / pickup->rate;
    unsigned state = (unsigned)index * 7919u + 1u;
    int64_t due = plain_now_ns();

    for (;;) {
        int64_t number = atomic_fetch_add(&pickup->next, 1);

        if (number >= pickup->count)
            return;
        due += (int64_t)(-log(plain_random(&state)) * mean_ns);
        plain_sleep_until(due);
        enqueue_one(pickup, index, number);
    }
}

static void *
probe_until_enqueued(void *argument)
{
    struct plain_pickup *pickup = argument;

    while (!atomic_load(&pickup->enqueued)) {
        plain_sleep_until(plain_now_ns() + PROBE_GAP_NS);
        probe(pickup);
    }
    return NULL;
}

static void
start(pthread_t *thread, void *(*work_of)(void *), struct plain_pickup *pickup)
{
    int error = pthread_create(thread, NULL, work_of, pickup);

    if (error != 0)
        plain_die("could not start a thread: %s", strerror(error));
}

static void
enqueue_all(struct plain_pickup *pickup)
{
    pthread_t prober;

    if (pickup->rate == 0) {
        enqueue_idle(pickup);
    } else {
        start(&prober, probe_until_enqueued, pickup);
        plain_run(pickup->plain->callers, enqueue_paced, pickup);
        atomic_store(&pickup->enqueued, 1);
        pthread_join(prober, NULL);
    }
    for (int64_t end = plain_now_ns() + MOST_PATIENCE_NS; atomic_load(&pickup->handled) < pickup->count;) {
        if (plain_now_ns() > end)
            plain_die("%lld of %lld jobs were handled a minute after the last was enqueued",
                      atomic_load(&pickup->handled), (long long)pickup->count);
        plain_sleep_until(plain_now_ns() + 1000000);
    }
}

static void
print_times(const struct plain_pickup *pickup, const char *prefix, const int64_t *from)
{
    int64_t *times = plain_allocate((size_t)pickup->count, sizeof(int64_t));

    for (int64_t i = 0; i < pickup->count; i++)
        times[i] = pickup->started[i] - from[i];
    plain_times_print(times, (size_t)pickup->count, prefix);
    free(times);
}

void
plain_pickup_measure(struct plain_pickup *pickup, int64_t count, double rate)
{
    int64_t *times = plain_allocate((size_t)count * 3, sizeof(int64_t)), tight[TIGHT_TRIPS], started;
    double cpu, seconds;

    pickup->count = count;
    pickup->rate = rate;
    pickup->called = times;
    pickup->returned = times + count;
    pickup->started = times + 2 * count;
    pickup->trip_count = 0;
    atomic_store(&pickup->next, 0);
    atomic_store(&pickup->handled, 0);
    atomic_store(&pickup->enqueued, 0);
    for (size_t i = 0; i < TIGHT_TRIPS; i++)
        tight[i] = plain_round_trip_ns(pickup->prober);
    started = plain_now_ns();
    cpu = plain_cpu_seconds();
    enqueue_all(pickup);
    seconds = (double)(plain_now_ns() - started) / 1e9;
    cpu = plain_cpu_seconds() - cpu;
    printf("{");
    print_times(pickup, "", pickup->returned);
    print_times(pickup, "from_call_", pickup->called);
    printf(
        "\"round_trip_us\": %.1f, \"tight_round_trip_us\": %.1f, \"seconds\": %.6f, \"cpu_seconds\": %.6f}\n",
        plain_times_share_us(pickup->trips, pickup->trip_count, 0.5),
        plain_times_share_us(tight, TIGHT_TRIPS, 0.5), seconds, cpu);
    free(times);
}

struct plain_pickup *
plain_pickup_start(plain_queue *plain)
{
    struct plain_pickup *pickup = plain_allocate(1, sizeof(*pickup));

    pickup->plain = plain;
    pickup->workers = plain_allocate(plain->workers, sizeof(pthread_t));
    sem_init(&pickup->jobs, 0, 0);
    sem_init(&pickup->ready, 0, 0);
    pickup->prober = plain_connect(plain);
    start(&pickup->listener, listen_for_jobs, pickup);
    for (size_t i = 0; i < plain->workers; i++)
        start(&pickup->workers[i], work, pickup);
    for (size_t i = 0; i < plain->workers + 1; i++)
        sem_wait(&pickup->ready);
    return pickup;
}

void
plain_pickup_stop(struct plain_pickup *pickup)
{
    atomic_store(&pickup->stopping, 1);
    for (size_t i = 0; i < pickup->plain->workers; i++)
        sem_post(&pickup->jobs);
    for (size_t i = 0; i < pickup->plain->workers; i++)
        pthread_join(pickup->workers[i], NULL);
    pthread_join(pickup->listener, NULL);
    PQfinish(pickup->prober);
    sem_destroy(&pickup->jobs);
    sem_destroy(&pickup->ready);
    free(pickup->workers);
    free(pickup);
}
