/*
 * What tests with many processes share: forked children with clients of their own, memory that all
 * of them see, and a ledger that proves who held which message when.
 *
 * PGQRS_TEST_SCALE multiplies the amount of work (default 1), PGQRS_TEST_SEED repeats a run.
 */
#ifndef TESTS_CONCURRENCY_CROWD_H
#define TESTS_CONCURRENCY_CROWD_H

#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CROWD_TIMEOUT_MS 120000

static inline int64_t
crowd_now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

static inline int
crowd_scale(int count)
{
    const char *text = getenv("PGQRS_TEST_SCALE");
    double factor = text != NULL && *text != '\0' ? strtod(text, NULL) : 1.0;
    int scaled = (int)(count * factor);

    return scaled > 0 ? scaled : 1;
}

/* xorshift64*; a state of its own for each process, from the seed that is printed. */
static inline uint64_t
crowd_seed(void)
{
    const char *text = getenv("PGQRS_TEST_SEED");
    uint64_t seed = text != NULL && *text != '\0' ? strtoull(text, NULL, 10)
                                                  : (uint64_t)crowd_now_us() % 1000000007;

    print_message("PGQRS_TEST_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

static inline uint64_t
crowd_state(uint64_t seed, int number)
{
    return (seed + 1) * UINT64_C(0x9E3779B97F4A7C15) +
           (uint64_t)number * UINT64_C(0xD1B54A32D192ED03) + 1;
}

/* From `low` to `high`, both included. */
static inline int
crowd_random(uint64_t *state, int low, int high)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return low + (int)((*state * UINT64_C(0x2545F4914F6CDD1D) >> 33) % (uint64_t)(high - low + 1));
}

static inline void *
crowd_memory(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        ts_fail("could not get %zu bytes of shared memory: %s", size, strerror(errno));
    return memory;
}

#define CROWD_MAX 1024

/* Children that may still run. */
static pid_t crowd_children[CROWD_MAX];

/* Called when a test fails. Descriptors that the children inherited would keep the servers
 * alive. */
static inline void
crowd_kill(void)
{
    for (int i = 0; i < CROWD_MAX && ts_is_owner(); i++)
        if (crowd_children[i] > 0)
            kill(crowd_children[i], SIGKILL);
}

static inline void
crowd_remember(pid_t child)
{
    static int registered;
    int i = 0;

    if (!registered)
        atexit(crowd_kill);
    registered = 1;
    while (i < CROWD_MAX - 1 && crowd_children[i] != 0)
        i++;
    crowd_children[i] = child;
}

/* waitpid, for a child of ours. */
static inline pid_t
crowd_wait(pid_t child, int *status, int flags)
{
    pid_t ended = waitpid(child, status, flags);

    for (int i = 0; i < CROWD_MAX && ended == child && !WIFSTOPPED(*status); i++)
        if (crowd_children[i] == child)
            crowd_children[i] = 0;
    return ended;
}

static inline pid_t
crowd_spawn(void (*story)(void *context, int number), void *context, int number)
{
    pid_t child = fork();

    if (child < 0)
        ts_fail("could not fork: %s", strerror(errno));
    if (child > 0) {
        crowd_remember(child);
        return child;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    story(context, number);
    _exit(0);
}

/* Waits until all have ended well; ends them all if one has not. */
static inline void
crowd_join(pid_t *children, int count, int timeout_ms)
{
    int64_t deadline = crowd_now_us() + timeout_ms * INT64_C(1000);
    int left = count, bad = 0, late = 0;

    while (left > 0) {
        for (int i = 0; i < count; i++) {
            int status;

            if (children[i] <= 0 || crowd_wait(children[i], &status, WNOHANG) != children[i])
                continue;
            children[i] = 0;
            left--;
            bad |= !late && (!WIFEXITED(status) || WEXITSTATUS(status) != 0);
        }
        late |= crowd_now_us() > deadline;
        for (int i = 0; i < count && (bad || late); i++)
            if (children[i] > 0)
                kill(children[i], SIGKILL);
        usleep(2000);
    }
    if (bad || late)
        ts_fail("%s", late ? "the processes were not done in time"
                           : "a process failed; what it said is above");
}

/* One process's client, with a producer and a consumer of the queue "jobs". */
struct hands {
    pgqrs_client *client;
    pgqrs_producer *producer;
    pgqrs_consumer *consumer;
    pgqrs_error *err;
};

static inline void
hands_open(struct hands *hands, const char *dsn, int64_t lease_ms)
{
    pgqrs_consumer_options options = PGQRS_CONSUMER_OPTIONS_INIT;

    options.lease_ms = lease_ms;
    hands->client = ts_client(dsn, "operation_timeout_ms", "30000", NULL);
    hands->err = pgqrs_error_new();
    TS_OK(pgqrs_producer_open(hands->client, pgqrs_slice_of("jobs"), NULL, &hands->producer,
                              hands->err),
          hands->err);
    TS_OK(pgqrs_consumer_open(hands->client, pgqrs_slice_of("jobs"), &options, &hands->consumer,
                              hands->err),
          hands->err);
}

static inline void
hands_close(struct hands *hands)
{
    pgqrs_consumer_close(hands->consumer);
    pgqrs_producer_close(hands->producer);
    pgqrs_client_close(hands->client);
    pgqrs_error_free(hands->err);
}

/* The queue "jobs": failures and crashes are no reason to give up, retries come soon. */
static inline void
crowd_make_queue(const char *dsn)
{
    pgqrs_queue_options options = PGQRS_QUEUE_OPTIONS_INIT;
    pgqrs_client *client = ts_client(dsn, NULL);
    pgqrs_error *err = pgqrs_error_new();

    options.max_attempts = 1000;
    options.max_crashes = 1000;
    options.backoff_base_ms = 1;
    options.backoff_max_ms = 20;
    TS_OK(pgqrs_queue_create(client, pgqrs_slice_of("jobs"), &options, NULL, err), err);
    pgqrs_error_free(err);
    pgqrs_client_close(client);
}

/* `count` messages with the payloads first, first + 1 and so on, in batches of a thousand. */
static inline void
crowd_send(struct hands *hands, int first, int count)
{
    static char texts[1000][12];
    static pgqrs_slice payloads[1000];

    for (int sent = 0; sent < count;) {
        int batch = count - sent < 1000 ? count - sent : 1000;

        for (int i = 0; i < batch; i++) {
            snprintf(texts[i], sizeof(texts[i]), "%d", first + sent + i);
            payloads[i] = pgqrs_slice_of(texts[i]);
        }
        TS_OK(pgqrs_producer_enqueue_batch(hands->producer, payloads, NULL, (size_t)batch, NULL,
                                           hands->err),
              hands->err);
        sent += batch;
    }
}

/* One claim of one message and its end. Times are those of one clock for all processes. */
struct claim {
    int64_t id, token;
    int64_t asked_us, got_us; /* the dequeue was called, and had returned */
    int64_t ended_us;         /* whatever ended the lease was called */
    int32_t accepted;         /* the server agreed */
    int32_t finished;         /* and the message was done with that */
};

/* A file that all append to: one write for each record, which a kill cannot tear. */
static inline int
ledger_open(void)
{
    char *path = ts_file("ledger", "");
    int ledger = open(path, O_RDWR | O_APPEND | O_CLOEXEC);

    if (ledger < 0)
        ts_fail("could not open \"%s\": %s", path, strerror(errno));
    free(path);
    return ledger;
}

static inline void
ledger_write(int ledger, const struct claim *claims, size_t count)
{
    size_t size = count * sizeof(*claims);

    if (write(ledger, claims, size) != (ssize_t)size)
        ts_fail("could not write to the ledger: %s", strerror(errno));
}

static inline int
ledger_compare(const void *left, const void *right)
{
    const struct claim *a = left, *b = right;

    if (a->id != b->id)
        return a->id < b->id ? -1 : 1;
    return (a->got_us > b->got_us) - (a->got_us < b->got_us);
}

/* If the server accepted what `one` did, then `other` cannot have claimed the message from after
 * `one` had got it until `one` ended it. */
static inline void
ledger_check_pair(const struct claim *one, const struct claim *other)
{
    if (one->token == other->token)
        ts_fail("message %lld was handed out twice under the token %lld", (long long)one->id,
                (long long)one->token);
    if (one->accepted && other->asked_us >= one->got_us && other->got_us <= one->ended_us)
        ts_fail("message %lld was leased to two at a time, and the first was still accepted",
                (long long)one->id);
    if (one->finished && other->finished)
        ts_fail("message %lld was finished twice", (long long)one->id);
}

/* Proves that `expected` messages were each finished once and held by one at a time; closes the
 * ledger. */
static inline void
ledger_check(int ledger, long expected)
{
    struct stat about;
    struct claim *claims;
    long count, finished = 0;

    TS_TRUE(fstat(ledger, &about) == 0);
    count = about.st_size / (long)sizeof(*claims);
    claims = malloc((size_t)about.st_size + 1);
    TS_TRUE(claims != NULL && pread(ledger, claims, (size_t)about.st_size, 0) == about.st_size);
    qsort(claims, (size_t)count, sizeof(*claims), ledger_compare);
    for (long i = 0; i < count; i++) {
        finished += claims[i].finished;
        for (long j = i + 1; j < count && claims[j].id == claims[i].id; j++) {
            ledger_check_pair(&claims[i], &claims[j]);
            ledger_check_pair(&claims[j], &claims[i]);
        }
    }
    if (finished != expected)
        ts_fail("%ld of %ld messages were reported as finished", finished, expected);
    free(claims);
    close(ledger);
}

/* Asserts that the archive holds each of `expected` messages once, and the lanes nothing. */
static inline void
crowd_check_archive(PGconn *sql, long expected)
{
    TS_TRUE(ts_int(sql, "SELECT count(*) FROM pgqrs_messages") == 0);
    TS_TRUE(ts_int(sql, "SELECT count(*) FROM pgqrs_archive") == expected);
    TS_TRUE(ts_int(sql, "SELECT count(DISTINCT id) FROM pgqrs_archive") == expected);
    TS_TRUE(ts_int(sql, "SELECT count(*) FROM pgqrs_archive WHERE outcome <> 'done'") == 0);
}

#endif
