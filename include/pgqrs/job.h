/*
 * Jobs: what a handler of a pgqrs_worker is handed, and how it says what became of one.
 *
 *                          +--> DONE      archived with its result, or deleted
 *   handler(job) --------> +--> FAILED    tried again after a pause; dead after its last attempt
 *        |                 +--> DEAD      archived as dead at once
 *        |                 +--> SNOOZED   given back, due again after a delay, no attempt charged
 *        |                 +--> RELEASED  given back, due again at once, no attempt charged: for a job that
 * did not |                 |              begin because the worker stops (PGQRS_JOB_STOPPING) v +--> SETTLED
 * the handler ended the lease itself, in a transaction of its own PENDING --> pgqrs_job_finish, later, from
 * any thread
 *
 * A job is a message under a lease, which the worker extends for as long as the handler works. A handler may
 * be told to give up, and should look now and then whether it was: pgqrs_job_cancelled. What it returns after
 * PGQRS_JOB_TIMED_OUT or PGQRS_JOB_CANCELLED changes nothing any more. After PGQRS_JOB_LEASE_LOST it is still
 * offered to the server, which takes it only if nobody else was handed the message; after PGQRS_JOB_STOPPING,
 * until the worker's grace ends.
 *
 * A handler's side effects may happen more than once: a job is carried out at least once. To make an effect
 * happen exactly once write it, and end the lease with pgqrs_consumer_delete_on or pgqrs_consumer_archive_on,
 * in one transaction of your own, and return PGQRS_JOB_SETTLED. For effects elsewhere the lease token of the
 * message serves as a fencing token.
 *
 * A job is valid from the handler's start to its return, or, after PGQRS_JOB_PENDING, to pgqrs_job_finish.
 * Its functions may be called from any thread, those that set something from one thread at a time, and none
 * blocks.
 */
#ifndef PGQRS_JOB_H
#define PGQRS_JOB_H

#include <stdint.h>

#include <pgqrs/message.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pgqrs_job pgqrs_job;

/** What became of a job. */
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
    PGQRS_JOB_NOT_CANCELLED = 0, /* it should not */
    PGQRS_JOB_LEASE_LOST = 1, /* the lease ran out, or could not be extended in time: somebody else may work
                                 on it */
    PGQRS_JOB_CANCELLED = 2,  /* pgqrs_message_cancel */
    PGQRS_JOB_TIMED_OUT = 3,  /* it took longer than `job_timeout_ms`, and is reported as failed */
    PGQRS_JOB_STOPPING = 4    /* the worker stops: what is not finished when the grace ends is given back */
} pgqrs_job_cancellation;

/** "not cancelled", "lease lost" and so on; "unknown" for any other value. Static text. Any thread. */
PGQRS_API const char *pgqrs_job_cancellation_name(pgqrs_job_cancellation cancellation);

/** Does the work of one job. An outcome that is none of the above counts as PGQRS_JOB_FAILED. A child
 * process that a handler forks must not return from it: it is ended there. */
typedef pgqrs_job_outcome (*pgqrs_job_handler)(pgqrs_job *job, void *arg);

/** The message: id, payload, headers, type, attempt, lease token. Valid as long as `job`. */
PGQRS_API const pgqrs_message *pgqrs_job_message(const pgqrs_job *job);

/** The name of its queue. Valid as long as the worker. */
PGQRS_API pgqrs_slice pgqrs_job_queue(const pgqrs_job *job);

/** Milliseconds left of `job_timeout_ms`, 0 if it is over; INT64_MAX without one. */
PGQRS_API int64_t pgqrs_job_left_ms(const pgqrs_job *job);

/** Whether the handler should give up, and why. Also true at once, without any help of the worker's, in a
 * process that slept past its lease. */
PGQRS_API pgqrs_job_cancellation pgqrs_job_cancelled(const pgqrs_job *job);

/** Sets the result to archive (JSON, copied). PGQRS_EINVAL if it cannot be stored, PGQRS_ENOMEM. */
PGQRS_API pgqrs_status pgqrs_job_set_result(pgqrs_job *job, pgqrs_slice result, pgqrs_error *err);

/** Sets the error text that a dead message keeps (UTF-8, copied, cut to 64 KiB). PGQRS_EINVAL if it is not
 * UTF-8, PGQRS_ENOMEM. */
PGQRS_API pgqrs_status pgqrs_job_set_error(pgqrs_job *job, pgqrs_slice text, pgqrs_error *err);

/** Sets after how long a job that is failed or snoozed is due again: 0 to 10 years. For a failed one this
 * overrides the retry policy. PGQRS_EINVAL. */
PGQRS_API pgqrs_status pgqrs_job_set_delay(pgqrs_job *job, int64_t delay_ms, pgqrs_error *err);

/** A pointer of yours, NULL at first, that travels with the job. */
PGQRS_API void pgqrs_job_set_data(pgqrs_job *job, void *data);
PGQRS_API void *pgqrs_job_data(const pgqrs_job *job);

/** In middleware: runs the next middleware, or the handler, and returns its outcome. Once. */
PGQRS_API pgqrs_job_outcome pgqrs_job_next(pgqrs_job *job);

/** Ends a job whose handler returned PGQRS_JOB_PENDING; `outcome` is any other. May come before the handler
 * has returned. The job is not to be used any more. */
PGQRS_API void pgqrs_job_finish(pgqrs_job *job, pgqrs_job_outcome outcome);

#ifdef __cplusplus
}
#endif
#endif
