#include "team.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

/*
 *   waiting --(all threads are there)--> open      work is done
 *   waiting --(a thread is missing)----> cancelled all leave
 */
enum gate { GATE_WAITING, GATE_OPEN, GATE_CANCELLED };

struct team {
    bench_work *work;
    void *shared;
    pthread_mutex_t mutex; /* guards everything below */
    pthread_cond_t changed;
    size_t waiting;
    enum gate gate;
    int64_t start_ns;
    int64_t end_ns;
};

struct member {
    struct team *team;
    size_t index;
    pthread_t thread;
};

static void *
member_main(void *argument)
{
    struct member *member = argument;
    struct team *team = member->team;
    enum gate gate;
    int64_t end_ns;

    pthread_mutex_lock(&team->mutex);
    team->waiting++;
    pthread_cond_broadcast(&team->changed);
    while (team->gate == GATE_WAITING)
        pthread_cond_wait(&team->changed, &team->mutex);
    gate = team->gate;
    pthread_mutex_unlock(&team->mutex);
    if (gate == GATE_CANCELLED)
        return NULL;
    team->work(team->shared, member->index, team->start_ns);
    end_ns = bench_now_ns();
    pthread_mutex_lock(&team->mutex);
    if (end_ns > team->end_ns)
        team->end_ns = end_ns;
    pthread_mutex_unlock(&team->mutex);
    return NULL;
}

static void
open_gate(struct team *team, size_t started, size_t count)
{
    pthread_mutex_lock(&team->mutex);
    while (team->waiting < started)
        pthread_cond_wait(&team->changed, &team->mutex);
    team->gate = started == count ? GATE_OPEN : GATE_CANCELLED;
    team->start_ns = bench_now_ns();
    pthread_cond_broadcast(&team->changed);
    pthread_mutex_unlock(&team->mutex);
}

int
bench_team_run(bench_run *run, size_t count, bench_work *work, void *shared, double *seconds)
{
    struct team team = { .work = work, .shared = shared };
    struct member *members = calloc(count, sizeof(*members));
    size_t started = 0;
    int error = 0;

    if (members == NULL)
        return bench_fail(run, EX_OSERR, "could not start %zu threads: out of memory", count);
    pthread_mutex_init(&team.mutex, NULL);
    pthread_cond_init(&team.changed, NULL);
    while (started < count && error == 0) {
        members[started].team = &team;
        members[started].index = started;
        error = pthread_create(&members[started].thread, NULL, member_main, &members[started]);
        if (error == 0)
            started++;
    }
    open_gate(&team, started, count);
    for (size_t i = 0; i < started; i++)
        pthread_join(members[i].thread, NULL);
    *seconds = (double)(team.end_ns - team.start_ns) / 1e9;
    pthread_cond_destroy(&team.changed);
    pthread_mutex_destroy(&team.mutex);
    free(members);
    if (error != 0)
        return bench_fail(run, EX_OSERR, "could not start %zu threads: %s", count, strerror(error));
    return bench_run_stopped(run) ? -1 : 0;
}
