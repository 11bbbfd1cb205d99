/*
 * The queue that one would write without a library, as fast as plain libpq goes: one statement to claim and
 * one to finish, prepared, in binary, on a connection that each thread has for itself. No fencing, retries,
 * delays, priorities or queues.
 *
 * Life cycle: open, then phases one after the other, close. Any failure ends the program with a line on
 * stderr: nothing that was measured before it counts.
 */
#ifndef PLAIN_H
#define PLAIN_H

#include <libpq-fe.h>
#include <stddef.h>
#include <stdint.h>

/* What each connection has prepared; one file of SQL each. */
#define PLAIN_ENQUEUE "enqueue"
#define PLAIN_ENQUEUE_NOTIFY "enqueue_notify"
#define PLAIN_CLAIM "claim"
#define PLAIN_FINISH "finish"

typedef struct plain_queue {
    const char *folder;  /* of the statements */
    const char *claim;   /* the claim's file: "claim" or "claim_unflushed" */
    const char *payload; /* JSON text of an object */
    size_t callers;
    size_t workers;
    int32_t batch;
    size_t connection_count; /* the larger of both */
    PGconn **connections;
} plain_queue;

/** What a phase took; `cpu_seconds` is this process only. */
typedef struct plain_usage {
    double seconds;
    double cpu_seconds;
} plain_usage;

/** What one thread does with its connection. */
typedef void plain_work(void *shared, size_t index);

/** Prints "plain-client: " and the message, and exits. */
void plain_die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/** `size` bytes, zeroed, for the caller to free. */
void *plain_allocate(size_t count, size_t size);

/** A connection with everything prepared, for the caller to PQfinish. */
PGconn *plain_connect(const plain_queue *plain);

void plain_open(plain_queue *plain);
void plain_close(plain_queue *plain);

/** Runs a prepared statement with one binary parameter, and answers with what came back, for the caller to
 * PQclear. */
PGresult *plain_execute(PGconn *connection, const char *name, const void *value, size_t size);

/** A batch as the server reads it: an array of jsonb in binary, for the caller to free. */
char *plain_make_batch(const char *payload, int32_t count, size_t *size);

/** Claims up to `count`. What came back has an id and a payload in each row, in binary. */
PGresult *plain_claim(PGconn *connection, int64_t count);

/** Finishes the claimed. */
void plain_finish(PGconn *connection, const PGresult *claimed);

/** Nanoseconds that a SELECT 1 takes. */
int64_t plain_round_trip_ns(PGconn *connection);

/** Runs `work` on `threads` threads, let go together. */
plain_usage plain_run(size_t threads, plain_work *work, void *shared);

/** The two phases of a life: all callers enqueue `jobs` in batches; all workers claim and finish as many. */
plain_usage plain_enqueue(plain_queue *plain, int64_t jobs);
plain_usage plain_drain(plain_queue *plain, int64_t jobs);

/** How soon a sleeping worker has a job: workers asleep on connections of their own, and one connection that
 * listens for all of them. */
struct plain_pickup *plain_pickup_start(plain_queue *plain);
void plain_pickup_stop(struct plain_pickup *pickup);

/**
 * `rate` 0: `count` jobs, one after the other, 50 to 130 ms apart. Else so many a second from all callers
 * together, at random moments. Prints one line of JSON.
 */
void plain_pickup_measure(struct plain_pickup *pickup, int64_t count, double rate);

/** Sorts, and answers with the time that `share` of them do not exceed; `count` is not 0. */
double plain_times_share_us(int64_t *times, size_t count, double share);

/** Prints the fields p50_us, p99_us and max_us, with `prefix` before their names. Sorts. */
void plain_times_print(int64_t *times, size_t count, const char *prefix);

/** Waits until the monotonic clock shows `at_ns`. */
void plain_sleep_until(int64_t at_ns);

/** A number above 0, up to 1; `*state` starts as anything. */
double plain_random(unsigned *state);

/** Nanoseconds of the monotonic clock; seconds of processor time of this process. */
int64_t plain_now_ns(void);
double plain_cpu_seconds(void);

#endif
