/*
 * Jobs: what a worker passes to a handler, and the outcomes a handler can return.
 *
 *                          +--> DONE      archived with its result, or deleted
 *   handler(job) --------> +--> FAILED    retried after a pause; dead after the last attempt
 *        |                 +--> DEAD      archived as dead at once
 *        |                 +--> SNOOZED   released, due after a delay, no attempt charged
 *        |                 +--> RELEASED  released, due at once, no attempt charged: for a job
 *        |                 |              not started when the worker stops (PGQRS_JOB_STOPPING)
 *        v                 +--> SETTLED   the handler ended the lease in its own transaction
 *     PENDING --> pgqrs_job_finish, later, from any thread
 *
 * A job is a message under a lease. The worker extends the lease until the job has ended. A handler
 * should call pgqrs_job_cancelled from time to time. An outcome returned after PGQRS_JOB_TIMED_OUT
 * or PGQRS_JOB_CANCELLED changes nothing. After PGQRS_JOB_LEASE_LOST the worker still reports the
 * outcome; the server accepts it only if no other consumer has claimed the message. After
 * PGQRS_JOB_STOPPING the outcome counts until the worker's grace ends.
 *
 * A job runs at least once, and a handler's side effects may happen more than once. To make an
 * effect happen exactly once, write it and call pgqrs_consumer_delete_on or
 * pgqrs_consumer_archive_on in one transaction of your own, then return PGQRS_JOB_SETTLED. For
 * effects outside the database, use the message's lease token as a fencing token.
 *
 * A job is valid from the handler's start to its return, or, after PGQRS_JOB_PENDING, to
 * pgqrs_job_finish. Its functions can be called from any thread, setters from one thread at a time.
 * None of them blocks.
 */
#ifndef PGQRS_JOB_H
#define PGQRS_JOB_H

#include <stdint.h>

#include <pgqrs/message.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pgqrs_job pgqrs_job;

/** The outcome of a job. */
typedef enum pgqrs_job_outcome {
    PGQRS_JOB_DONE = 0,
    PGQRS_JOB_FAILED = 1,
    PGQRS_JOB_DEAD = 2,
    PGQRS_JOB_SNOOZED = 3,
    PGQRS_JOB_SETTLED = 4,
    PGQRS_JOB_PENDING = 5,
    PGQRS_JOB_RELEASED = 6
} pgqrs_job_outcome;

/** "done", "failed" and so on; "unknown" for any other value. Static text. Any thread. */
PGQRS_API const char *pgqrs_job_outcome_name(pgqrs_job_outcome outcome);

/** Why a handler should give up. */
typedef enum pgqrs_job_cancellation {
    PGQRS_JOB_NOT_CANCELLED = 0, /* the handler should continue */
    PGQRS_JOB_LEASE_LOST = 1,    /* the lease expired or could not be extended in time: another
                                    consumer may hold the message */
    PGQRS_JOB_CANCELLED = 2,     /* pgqrs_message_cancel or pgqrs_message_remove took the message */
    PGQRS_JOB_TIMED_OUT = 3,     /* the job ran longer than `job_timeout_ms` and is reported as
                                    failed */
    PGQRS_JOB_STOPPING = 4       /* the worker stops: jobs unfinished at the end of the grace are
                                    released */
} pgqrs_job_cancellation;

/** "not cancelled", "lease lost" and so on; "unknown" for other values. Static text. Any thread. */
PGQRS_API const char *pgqrs_job_cancellation_name(pgqrs_job_cancellation cancellation);

/** Runs one job. An unknown outcome counts as PGQRS_JOB_FAILED. A child process that a handler
 * forks must not return from the handler; the worker ends it if it does. */
typedef pgqrs_job_outcome (*pgqrs_job_handler)(pgqrs_job *job, void *arg);

/** The message: id, payload, headers, type, attempt, lease token. Valid as long as `job`. */
PGQRS_API const pgqrs_message *pgqrs_job_message(const pgqrs_job *job);

/** The name of the job's queue. Valid as long as the worker. */
PGQRS_API pgqrs_slice pgqrs_job_queue(const pgqrs_job *job);

/** Milliseconds left of `job_timeout_ms`; 0 after the timeout; INT64_MAX without a timeout. */
PGQRS_API int64_t pgqrs_job_left_ms(const pgqrs_job *job);

/** Whether the handler should give up, and why. After a suspended process wakes up past the end of
 * its lease, returns PGQRS_JOB_LEASE_LOST at once. */
PGQRS_API pgqrs_job_cancellation pgqrs_job_cancelled(const pgqrs_job *job);

/** Sets the result to archive (JSON, copied). PGQRS_EINVAL if the server cannot store it,
 * PGQRS_ENOMEM. */
PGQRS_API pgqrs_status pgqrs_job_set_result(pgqrs_job *job, pgqrs_slice result, pgqrs_error *err);

/** Sets the error text to archive with a dead message (UTF-8, copied, cut to 64 KiB). PGQRS_EINVAL
 * if the text is not UTF-8, PGQRS_ENOMEM. */
PGQRS_API pgqrs_status pgqrs_job_set_error(pgqrs_job *job, pgqrs_slice text, pgqrs_error *err);

/** Sets the delay after which a failed or snoozed job is due again, 0 ms to 10 years. Overrides the
 * retry policy of a failed job. PGQRS_EINVAL. */
PGQRS_API pgqrs_status pgqrs_job_set_delay(pgqrs_job *job, int64_t delay_ms, pgqrs_error *err);

/** Sets and gets a pointer of yours that stays with the job; NULL at first. */
PGQRS_API void pgqrs_job_set_data(pgqrs_job *job, void *data);
PGQRS_API void *pgqrs_job_data(const pgqrs_job *job);

/** For middleware: runs the next middleware or the handler, and returns its outcome. Call it
 * once. */
PGQRS_API pgqrs_job_outcome pgqrs_job_next(pgqrs_job *job);

/** Ends a job whose handler returned PGQRS_JOB_PENDING, with any other `outcome`. Can be called
 * before the handler returns. Do not use the job afterwards. */
PGQRS_API void pgqrs_job_finish(pgqrs_job *job, pgqrs_job_outcome outcome);

#ifdef __cplusplus
}
#endif
#endif
