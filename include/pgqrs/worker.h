/*
 * The worker: takes messages out of queues and runs your handlers on them.
 *
 *   new --> add_queue, handle, use --> start, wait             N handler threads of the worker's own
 *                                 \--> fd, timeout_ms, process in an event loop of yours, no thread is
 * started stop --> close
 *
 *   WORKING ----stop----> DRAINING -----------------> RELEASING ----------> OVER
 *   claims and runs       claims nothing, gives back  after the grace:      nothing is left to report
 *                         what has not begun, waits   gives the rest back
 *
 * Messages are claimed for all handlers together and reported together, one round trip for both: few at a
 * time when there is little to do, many when there is much, with no timer. What was claimed ahead and cannot
 * be begun soon is given back. While there is nothing to do the worker sleeps until a producer wakes it,
 * and looks by itself every `poll_ms`.
 *
 * Leases are extended until the last handler has ended. A worker that cannot reach the server goes on trying
 * for as long as that takes; work that is finished meanwhile is reported afterwards, unless its lease is
 * lost. A handler is told when its lease cannot be trusted any more: see pgqrs_job_cancelled.
 *
 * A process that dies is charged as a crash to all messages that it held, since nobody can tell which killed
 * it. A message with one crash left is therefore run alone: for that the worker claims nothing, gives back
 * what has not begun, and waits up to 5 s for what has.
 *
 * The worker uses two connections of its own: one for claims and wake-ups, one for heartbeats, reports and
 * housekeeping. If it can have only one, all goes over that. Through a pooler that gives sessions away it
 * cannot be woken and looks every second.
 *
 * After a fork the child must not touch the worker.
 */
#ifndef PGQRS_WORKER_H
#define PGQRS_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pgqrs/event.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pgqrs_worker pgqrs_worker;

/** Chosen when a worker is made. Zero means the default, but for `concurrency`. */
typedef struct pgqrs_worker_options {
    size_t size;         /* sizeof this struct */
    int32_t concurrency; /* jobs at once, the number of handler threads: 1 to 1,024; 8 in _INIT */
    int32_t
        prefetch_max; /* messages claimed ahead of the handlers; default 1,000; at most 100,000; -1: none */
    int64_t grace_ms; /* how long pgqrs_worker_stop waits for handlers; default 25,000; at most 8 days */
    int64_t poll_ms;  /* how often an idle worker looks by itself, or each lease if that is shorter; default
                         5,000; 50 to 60,000 */
    pgqrs_event_callback on_event; /* default none */
    void *event_arg;
} pgqrs_worker_options;

#define PGQRS_WORKER_OPTIONS_INIT                                                                            \
    {                                                                                                        \
        sizeof(pgqrs_worker_options), 8, 0, 0, 0, NULL, NULL                                                 \
    }

typedef enum pgqrs_retry_policy {
    PGQRS_RETRY_QUEUE = 0,      /* as the queue says: exponential, with jitter */
    PGQRS_RETRY_FIXED = 1,      /* `retry_base_ms` */
    PGQRS_RETRY_EXPONENTIAL = 2 /* `retry_base_ms`, doubled by each failure up to `retry_max_ms`, of which a
                                   random part between half and all is taken */
} pgqrs_retry_policy;

/** "queue", "fixed", "exponential"; "unknown" for any other value. Static text. Any thread. */
PGQRS_API const char *pgqrs_retry_policy_name(pgqrs_retry_policy policy);

typedef enum pgqrs_done_policy {
    PGQRS_DONE_ARCHIVE = 0, /* finished messages are kept, with their results */
    PGQRS_DONE_DELETE = 1   /* finished messages are removed */
} pgqrs_done_policy;

/** "archive", "delete"; "unknown" for any other value. Static text. Any thread. */
PGQRS_API const char *pgqrs_done_policy_name(pgqrs_done_policy policy);

/** Chosen for one queue. Zero means the default. */
typedef struct pgqrs_worker_queue_options {
    size_t size;    /* sizeof this struct */
    int32_t weight; /* its share of the claims while several queues are full; default 1, at most 1,000 */
    int32_t max_attempts;   /* failures after which a message is dead; default: the queue's; at most 1,000 */
    int64_t lease_ms;       /* default 30,000; 100 ms to 7 days */
    int64_t job_timeout_ms; /* how long one attempt may take; default 0: for ever; at most 7 days */
    pgqrs_retry_policy retry;
    pgqrs_done_policy done;
    int64_t retry_base_ms; /* default 1,000; at most 30 days */
    int64_t retry_max_ms;  /* default 3,600,000; at most 30 days */
} pgqrs_worker_queue_options;

#define PGQRS_WORKER_QUEUE_OPTIONS_INIT                                                                      \
    {                                                                                                        \
        sizeof(pgqrs_worker_queue_options), 0, 0, 0, 0, PGQRS_RETRY_QUEUE, PGQRS_DONE_ARCHIVE, 0, 0          \
    }

/** What a worker has done so far. */
typedef struct pgqrs_worker_counts {
    size_t size;     /* sizeof this struct; begin with PGQRS_WORKER_COUNTS_INIT */
    int64_t claimed; /* messages, also those that were not given to a handler */
    int64_t done, failed, dead, snoozed, released, lost;
    int64_t claims;       /* claiming statements */
    int64_t empty_claims; /* of these, those that found nothing */
    int64_t round_trips;
    int64_t running;    /* jobs whose handlers have not ended */
    int64_t prefetched; /* messages that wait for a handler */
} pgqrs_worker_counts;

#define PGQRS_WORKER_COUNTS_INIT                                                                             \
    {                                                                                                        \
        sizeof(pgqrs_worker_counts), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0                                      \
    }

/** Makes a worker that uses `client`, which must outlive it. `options` may be NULL. The caller closes *out.
 * Returns PGQRS_OK, PGQRS_EINVAL (an option is out of its range), PGQRS_ENOMEM or PGQRS_ESYSTEM. Does not
 * block. */
PGQRS_API pgqrs_status pgqrs_worker_new(pgqrs_client *client, const pgqrs_worker_options *options,
                                        pgqrs_worker **out, pgqrs_error *err);

/** Adds a queue; before the start. `options` may be NULL. PGQRS_ENOQUEUE; PGQRS_EINVAL if it was added
 * before, or an option is out of its range. Blocks and fails as pgqrs_consumer_open. */
PGQRS_API pgqrs_status pgqrs_worker_add_queue(pgqrs_worker *worker, pgqrs_slice queue,
                                              const pgqrs_worker_queue_options *options, pgqrs_error *err);

/** Sets the handler of one type of messages of an added queue, or, where `type` is { NULL, 0 }, of all that
 * have no handler of their own; before the start. `arg` is handed to it. A message of a type without a
 * handler counts as a failed attempt. PGQRS_EINVAL if there is one already, or no such queue was added. */
PGQRS_API pgqrs_status pgqrs_worker_handle(pgqrs_worker *worker, pgqrs_slice queue, pgqrs_slice type,
                                           pgqrs_job_handler handler, void *arg, pgqrs_error *err);

/** Wraps every handler: what is added first is called first, and calls pgqrs_job_next. Before the start. */
PGQRS_API pgqrs_status pgqrs_worker_use(pgqrs_worker *worker, pgqrs_job_handler middleware, void *arg,
                                        pgqrs_error *err);

/** Starts the threads. Does not wait for the server. PGQRS_EINVAL if no queue was added, one has no handler,
 * or it was started before; PGQRS_ESYSTEM. */
PGQRS_API pgqrs_status pgqrs_worker_start(pgqrs_worker *worker, pgqrs_error *err);

/** Begins to stop. Any thread, at any time, also before the start, and from a signal handler. Does not block.
 */
PGQRS_API void pgqrs_worker_stop(pgqrs_worker *worker);

/** Waits until the worker is over, at most `timeout_ms` (-1: for ever). PGQRS_OK, or PGQRS_ETIMEDOUT. It is
 * over some grace after pgqrs_worker_stop even if a handler has not returned, and even if the server is away:
 * then what was not reported is due again when its lease has run out. */
PGQRS_API pgqrs_status pgqrs_worker_wait(pgqrs_worker *worker, int64_t timeout_ms, pgqrs_error *err);

/** Stops, without any grace, what still runs, waits for all handlers to return, and frees; NULL is fine. Not
 * from a handler, and not before pgqrs_job_finish for what is pending. */
PGQRS_API void pgqrs_worker_close(pgqrs_worker *worker);

/*
 * Without threads: in place of start and wait, from one thread. Wait until the descriptor is readable or the
 * time has passed, then process, until that says that the worker is over. Handlers are run by process, which
 * otherwise does not block; those that take long should return PGQRS_JOB_PENDING.
 */

/** One descriptor to wait for, until it is readable. Valid from pgqrs_worker_new to pgqrs_worker_close. */
PGQRS_API int pgqrs_worker_fd(const pgqrs_worker *worker);

/** How long to wait at most, from now; 0: not at all. Never negative. */
PGQRS_API int64_t pgqrs_worker_timeout_ms(const pgqrs_worker *worker);

/** Does what there is to do. *out_over says whether the worker is over. PGQRS_EINVAL as
 * pgqrs_worker_start; trouble with the server is an event, not a failure. */
PGQRS_API pgqrs_status pgqrs_worker_process(pgqrs_worker *worker, bool *out_over, pgqrs_error *err);

/** What it has done. `out` must begin with its size: PGQRS_WORKER_COUNTS_INIT. Any thread. */
PGQRS_API void pgqrs_worker_count(pgqrs_worker *worker, pgqrs_worker_counts *out);

/** Whether the server told the worker that nothing is due in any queue, and it has no job. Any thread. */
PGQRS_API bool pgqrs_worker_is_idle(pgqrs_worker *worker);

#ifdef __cplusplus
}
#endif
#endif
