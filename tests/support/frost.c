#include "frost.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

#define SAMPLE_NS 2000000

static void
send_to(pid_t pid, int number)
{
    if (kill(pid, number) != 0 && errno != ESRCH)
        ts_fail("could not send signal %d to process %d of the server: %s", number, (int)pid,
                strerror(errno));
}

/* To all that the server's first process has started. */
static void
send_to_children(pid_t server, int number)
{
    char path[64];
    FILE *file;
    int child;

    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)server, (int)server);
    file = fopen(path, "r");
    if (file == NULL)
        ts_fail("could not read \"%s\": %s", path, strerror(errno));
    while (fscanf(file, "%d", &child) == 1)
        send_to((pid_t)child, number);
    fclose(file);
}

void
ts_cluster_freeze(const ts_cluster *cluster)
{
    pid_t server = ts_cluster_pid(cluster);

    send_to(server, SIGSTOP); /* first, so that it starts no more */
    send_to_children(server, SIGSTOP);
}

void
ts_cluster_thaw(const ts_cluster *cluster)
{
    pid_t server = ts_cluster_pid(cluster);

    send_to_children(server, SIGCONT);
    send_to(server, SIGCONT);
}

struct ts_watchdog {
    pthread_t thread;
    pid_t watched;
    atomic_long call; /* odd while inside */
    atomic_long worst_ms;
    atomic_int over;
};

static long
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int
sleeps(pid_t thread)
{
    char path[64], state = 'R';
    FILE *file;

    snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)thread);
    file = fopen(path, "r");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
        state = 'R';
    fclose(file);
    return state == 'S' || state == 'D';
}

static void *
watch(void *context)
{
    const struct timespec pause = { .tv_nsec = SAMPLE_NS };
    ts_watchdog *watchdog = context;
    long asleep_in = 0, since_ms = 0;

    while (!atomic_load(&watchdog->over)) {
        long call = atomic_load(&watchdog->call);

        if (call % 2 == 0 || !sleeps(watchdog->watched) || call != atomic_load(&watchdog->call)) {
            asleep_in = 0;
        } else if (call != asleep_in) {
            asleep_in = call;
            since_ms = now_ms();
        } else if (now_ms() - since_ms > atomic_load(&watchdog->worst_ms)) {
            atomic_store(&watchdog->worst_ms, now_ms() - since_ms);
        }
        nanosleep(&pause, NULL);
    }
    return NULL;
}

ts_watchdog *
ts_watchdog_start(void)
{
    ts_watchdog *watchdog = calloc(1, sizeof(*watchdog));

    if (watchdog == NULL)
        ts_fail("out of memory");
    watchdog->watched = gettid();
    if (pthread_create(&watchdog->thread, NULL, watch, watchdog) != 0)
        ts_fail("could not start a thread for the watchdog");
    return watchdog;
}

void
ts_watchdog_enter(ts_watchdog *watchdog)
{
    atomic_fetch_add(&watchdog->call, 1);
}

void
ts_watchdog_leave(ts_watchdog *watchdog)
{
    atomic_fetch_add(&watchdog->call, 1);
}

long
ts_watchdog_worst_ms(const ts_watchdog *watchdog)
{
    return atomic_load(&watchdog->worst_ms);
}

void
ts_watchdog_stop(ts_watchdog *watchdog)
{
    atomic_store(&watchdog->over, 1);
    pthread_join(watchdog->thread, NULL);
    free(watchdog);
}
