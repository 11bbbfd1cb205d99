/*
 * The worker: claims messages from queues and runs your handlers on them.
 *
 *   new --> add_queue, handle, use --> start, wait              in handler threads of the worker
 *                                 \--> fd, timeout_ms, process  in your event loop, without threads
 *   stop --> close
 *
 *   WORKING ----stop----> DRAINING ----------------> RELEASING ----------> OVER
 *   claims and runs       claims nothing, releases   the grace is over:    nothing is left
 *                         prefetched messages,       releases the rest
 *                         waits for handlers
 *
 * The worker claims for all handlers in one round trip, and reports for all handlers in one. A
 * batch is small when there is little to do and large when there is much; no timer is involved. The
 * worker prefetches: it claims messages before a handler is free, and releases those that cannot
 * start soon. With nothing to do it sleeps until a producer wakes it, and polls every `poll_ms`.
 *
 * The worker extends each lease (see pgqrs/consumer.h) until its job has ended. While the server is
 * unreachable the worker retries forever. It reports jobs that finished during the outage
 * afterwards, unless their leases are lost. A handler learns from pgqrs_job_cancelled when its
 * lease is no longer safe.
 *
 * When a process dies, its leases expire, and each of its messages is charged a crash: the server
 * cannot know which one caused it. A message is dead after the `max_crashes` of its queue. A
 * message with one crash left runs alone: the worker claims nothing else, releases prefetched
 * messages, and waits up to 5 s for running handlers.
 *
 * The worker opens two connections: one for claims and wake-ups, one for heartbeats, reports and
 * housekeeping. It can work with one. Through a pooler in transaction mode it cannot be woken and
 * polls every second.
 *
 * After a fork the child must not use the worker.
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

/** Options of pgqrs_worker_new. Zero means the default, except for `concurrency`. */
typedef struct pgqrs_worker_options {
    size_t size;                   /* sizeof this struct */
    int32_t concurrency;           /* jobs at once and number of handler threads, 1 to 1,024; 8 in
                                      _INIT */
    int32_t prefetch_max;          /* most prefetched messages, up to 100,000; default 1,000; -1:
                                      none */
    int64_t grace_ms;              /* time for handlers to finish after pgqrs_worker_stop, at most 8
                                      days; default 25,000 ms */
    int64_t poll_ms;               /* time between polls of an idle worker, or the lease if that is
                                      shorter; 50 ms to 60,000 ms; default 5,000 ms */
    pgqrs_event_callback on_event; /* default: none */
    void *event_arg;
} pgqrs_worker_options;

#define PGQRS_WORKER_OPTIONS_INIT                                                                  \
    {                                                                                              \
        sizeof(pgqrs_worker_options), 8, 0, 0, 0, NULL, NULL                                       \
    }

typedef enum pgqrs_retry_policy {
    PGQRS_RETRY_QUEUE = 0,      /* the queue's backoff: exponential, with jitter */
    PGQRS_RETRY_FIXED = 1,      /* `retry_base_ms` after each failure */
    PGQRS_RETRY_EXPONENTIAL = 2 /* `retry_base_ms`, doubled by each failure up to `retry_max_ms`,
                                   times a random factor of 0.5 to 1 */
} pgqrs_retry_policy;

/** "queue", "fixed", "exponential"; "unknown" for any other value. Static text. Any thread. */
PGQRS_API const char *pgqrs_retry_policy_name(pgqrs_retry_policy policy);

typedef enum pgqrs_done_policy {
    PGQRS_DONE_ARCHIVE = 0, /* archive finished messages with their results */
    PGQRS_DONE_DELETE = 1   /* delete finished messages */
} pgqrs_done_policy;

/** "archive", "delete"; "unknown" for any other value. Static text. Any thread. */
PGQRS_API const char *pgqrs_done_policy_name(pgqrs_done_policy policy);

/** Options of pgqrs_worker_add_queue. Zero means the default. */
typedef struct pgqrs_worker_queue_options {
    size_t size;            /* sizeof this struct */
    int32_t weight;         /* share of the claims while several queues have a backlog, at most
                               1,000; default 1 */
    int32_t max_attempts;   /* failures after which a message is dead, at most 1,000; default: the
                               queue's */
    int64_t lease_ms;       /* 100 ms to 7 days; default 30,000 ms */
    int64_t job_timeout_ms; /* longest time of one attempt, at most 7 days; default 0: no limit */
    pgqrs_retry_policy retry;
    pgqrs_done_policy done;
    int64_t retry_base_ms; /* at most 30 days; default 1,000 ms */
    int64_t retry_max_ms;  /* at most 30 days; default 3,600,000 ms */
} pgqrs_worker_queue_options;

#define PGQRS_WORKER_QUEUE_OPTIONS_INIT                                                            \
    {                                                                                              \
        sizeof(pgqrs_worker_queue_options), 0, 0, 0, 0, PGQRS_RETRY_QUEUE, PGQRS_DONE_ARCHIVE, 0,  \
            0                                                                                      \
    }

/** What a worker has done since it was made. */
typedef struct pgqrs_worker_counts {
    size_t size;     /* sizeof this struct; begin with PGQRS_WORKER_COUNTS_INIT */
    int64_t claimed; /* messages, including those that no handler got */
    int64_t done, failed, dead, snoozed, released, lost;
    int64_t claims;       /* claiming statements */
    int64_t empty_claims; /* claiming statements that found nothing */
    int64_t round_trips;
    int64_t running;    /* jobs whose handlers have not returned */
    int64_t prefetched; /* messages waiting for a handler */
} pgqrs_worker_counts;

#define PGQRS_WORKER_COUNTS_INIT                                                                   \
    {                                                                                              \
        sizeof(pgqrs_worker_counts), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0                            \
    }

/** Makes a worker that uses `client`, which must outlive it. `options` may be NULL. The caller
 * closes *out. Returns PGQRS_OK, PGQRS_EINVAL (an option is out of range), PGQRS_ENOMEM or
 * PGQRS_ESYSTEM. Does not block. */
PGQRS_API pgqrs_status pgqrs_worker_new(pgqrs_client *client, const pgqrs_worker_options *options,
                                        pgqrs_worker **out, pgqrs_error *err);

/** Adds a queue. Call it before the start. `options` may be NULL. PGQRS_ENOQUEUE; PGQRS_EINVAL if
 * the queue was added before or an option is out of range. Blocks and fails as
 * pgqrs_consumer_open. */
PGQRS_API pgqrs_status pgqrs_worker_add_queue(pgqrs_worker *worker, pgqrs_slice queue,
                                              const pgqrs_worker_queue_options *options,
                                              pgqrs_error *err);

/** Sets the handler for one message type of an added queue. With `type` { NULL, 0 } it handles all
 * messages that no other handler matches. Call it before the start. The handler receives `arg`. A
 * message without a handler counts as a failed attempt. PGQRS_EINVAL if the type has a handler, or
 * the queue was not added. */
PGQRS_API pgqrs_status pgqrs_worker_handle(pgqrs_worker *worker, pgqrs_slice queue,
                                           pgqrs_slice type, pgqrs_job_handler handler, void *arg,
                                           pgqrs_error *err);

/** Adds middleware that wraps every handler. The first one added is called first; each calls
 * pgqrs_job_next. Call it before the start. */
PGQRS_API pgqrs_status pgqrs_worker_use(pgqrs_worker *worker, pgqrs_job_handler middleware,
                                        void *arg, pgqrs_error *err);

/** Starts the threads. Does not wait for the server. PGQRS_EINVAL if no queue was added, a queue
 * has no handler, or the worker was started before; PGQRS_ESYSTEM. */
PGQRS_API pgqrs_status pgqrs_worker_start(pgqrs_worker *worker, pgqrs_error *err);

/** Begins to stop the worker. Any thread, at any time, even before the start, and from a signal
 * handler. Does not block. */
PGQRS_API void pgqrs_worker_stop(pgqrs_worker *worker);

/** Waits until the worker has ended, at most `timeout_ms` (-1: no limit). Returns PGQRS_OK or
 * PGQRS_ETIMEDOUT. A worker ends soon after its grace, even if a handler has not returned or the
 * server is unreachable. Unreported messages are then due again when their leases expire. */
PGQRS_API pgqrs_status pgqrs_worker_wait(pgqrs_worker *worker, int64_t timeout_ms,
                                         pgqrs_error *err);

/** Stops the worker without grace, waits for all handlers to return, and frees it; NULL is fine. Do
 * not call it from a handler, or before pgqrs_job_finish for every pending job. */
PGQRS_API void pgqrs_worker_close(pgqrs_worker *worker);

/*
 * Without threads: use these three calls in place of start and wait, from one thread. Wait until
 * the descriptor is readable or the timeout has passed, then call pgqrs_worker_process; repeat
 * until the worker has ended. pgqrs_worker_process runs the handlers and otherwise does not block.
 * A slow handler should return PGQRS_JOB_PENDING.
 */

/** The descriptor to poll for reading. Valid from pgqrs_worker_new to pgqrs_worker_close. */
PGQRS_API int pgqrs_worker_fd(const pgqrs_worker *worker);

/** The longest time to wait from now, in ms; 0: do not wait. Never negative. Call it after each
 * pgqrs_worker_process; it also arms the descriptor. */
PGQRS_API int64_t pgqrs_worker_timeout_ms(const pgqrs_worker *worker);

/** Does the work that is due. *out_over says whether the worker has ended. PGQRS_EINVAL as
 * pgqrs_worker_start. Trouble with the server is an event, not a failure. */
PGQRS_API pgqrs_status pgqrs_worker_process(pgqrs_worker *worker, bool *out_over, pgqrs_error *err);

/** Copies the counts to `out`, initialized with PGQRS_WORKER_COUNTS_INIT. Any thread. */
PGQRS_API void pgqrs_worker_count(pgqrs_worker *worker, pgqrs_worker_counts *out);

/** Whether the worker has no job and knows from the server that no queue has a due message. Any
 * thread. */
PGQRS_API bool pgqrs_worker_is_idle(pgqrs_worker *worker);

#ifdef __cplusplus
}
#endif
#endif
