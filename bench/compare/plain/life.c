/*
 * Threads, and the two phases of a job's life.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "plain.h"

struct team {
    plain_work *work;
    void *shared;
    pthread_barrier_t start;
};

struct member {
    struct team *team;
    size_t index;
    pthread_t thread;
};

/* One phase. */
struct phase {
    plain_queue *plain;
    int64_t jobs;
    atomic_llong next; /* enqueued, or claimed, so far */
    char *batch;
    size_t batch_size;
};

double
plain_cpu_seconds(void)
{
    struct rusage usage;

    if (getrusage(RUSAGE_SELF, &usage) != 0)
        plain_die("could not read the processor time of this process");
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void *
member_main(void *argument)
{
    struct member *member = argument;

    pthread_barrier_wait(&member->team->start);
    member->team->work(member->team->shared, member->index);
    return NULL;
}

plain_usage
plain_run(size_t threads, plain_work *work, void *shared)
{
    struct team team = { .work = work, .shared = shared };
    struct member *members = plain_allocate(threads, sizeof(*members));
    int64_t started;
    double cpu;

    pthread_barrier_init(&team.start, NULL, (unsigned)threads + 1);
    for (size_t i = 0; i < threads; i++) {
        members[i].team = &team;
        members[i].index = i;
        int error = pthread_create(&members[i].thread, NULL, member_main, &members[i]);
        if (error != 0)
            plain_die("could not start %zu threads: %s", threads, strerror(error));
    }
    cpu = plain_cpu_seconds();
    started = plain_now_ns();
    pthread_barrier_wait(&team.start);
    for (size_t i = 0; i < threads; i++)
        pthread_join(members[i].thread, NULL);
    plain_usage usage = { .seconds = (double)(plain_now_ns() - started) / 1e9,
                          .cpu_seconds = plain_cpu_seconds() - cpu };
    pthread_barrier_destroy(&team.start);
    free(members);
    return usage;
}

static void
produce(void *shared, size_t index)
{
    struct phase *phase = shared;
    PGconn *connection = phase->plain->connections[index];

    while (atomic_fetch_add(&phase->next, phase->plain->batch) < phase->jobs)
        PQclear(plain_execute(connection, PLAIN_ENQUEUE, phase->batch, phase->batch_size));
}

static void
consume(void *shared, size_t index)
{
    struct phase *phase = shared;
    PGconn *connection = phase->plain->connections[index];

    while (atomic_load(&phase->next) < phase->jobs) {
        PGresult *claimed = plain_claim(connection, phase->plain->batch);

        if (PQntuples(claimed) > 0) {
            atomic_fetch_add(&phase->next, PQntuples(claimed));
            plain_finish(connection, claimed);
        }
        PQclear(claimed);
    }
}

plain_usage
plain_enqueue(plain_queue *plain, int64_t jobs)
{
    struct phase phase = { .plain = plain, .jobs = jobs };
    plain_usage usage;

    if (jobs % plain->batch != 0)
        plain_die("could not enqueue %lld jobs in batches of %d: it is no multiple", (long long)jobs,
                  plain->batch);
    phase.batch = plain_make_batch(plain->payload, plain->batch, &phase.batch_size);
    usage = plain_run(plain->callers, produce, &phase);
    free(phase.batch);
    return usage;
}

plain_usage
plain_drain(plain_queue *plain, int64_t jobs)
{
    struct phase phase = { .plain = plain, .jobs = jobs };
    plain_usage usage = plain_run(plain->workers, consume, &phase);

    if (atomic_load(&phase.next) != jobs)
        plain_die("%lld jobs were claimed where %lld were there", atomic_load(&phase.next), (long long)jobs);
    return usage;
}
