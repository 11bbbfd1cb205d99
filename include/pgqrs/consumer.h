/*
 * The consumer: takes messages out of one queue, under a lease, and reports what became of them.
 *
 *      dequeue            delete, archive
 *   ---------> leased ---------------------> gone / archived: done
 *     ^         |  |
 *     | release |  | fail: due again after a backoff, or archived as dead when the attempts are used up
 *     +---------+--+
 *
 * A lease is a time and a token. While it lasts nobody else is handed the message; when it has run out the
 * message may be handed to another consumer, and from then on every call with the old token reports
 * PGQRS_ELEASELOST and changes nothing. Until then a late call is still accepted.
 *
 * Order: due messages of a priority above 0, the highest first; then those of the default priority by age,
 * which for most is the order of their ids, and for delayed and retried ones counts from when they became
 * due; then those below 0. Ids are not commit order, and there is no global first-in first-out among several
 * consumers.
 *
 * Calls may come from any thread. Each blocks at most `operation_timeout_ms`. In addition to the statuses
 * listed with it, each can return PGQRS_EINVAL, PGQRS_ENOQUEUE, PGQRS_ECONNECT, PGQRS_ETIMEDOUT,
 * PGQRS_EDENIED, PGQRS_ESERVER or PGQRS_ENOMEM, with nothing changed, or PGQRS_EUNKNOWN: it may be done;
 * calling again with the same lease is safe.
 */
#ifndef PGQRS_CONSUMER_H
#define PGQRS_CONSUMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pgqrs/message.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pgqrs_consumer pgqrs_consumer;

/** Chosen when a consumer is opened. Zero means the default. */
typedef struct pgqrs_consumer_options {
    size_t size;       /* sizeof this struct */
    int64_t lease_ms;  /* default: `default_lock_time_seconds` of the client; 1 ms to 7 days */
    int64_t worker_id; /* recorded as consumer_worker_id; default 0: none */
} pgqrs_consumer_options;

#define PGQRS_CONSUMER_OPTIONS_INIT                                                                          \
    {                                                                                                        \
        sizeof(pgqrs_consumer_options), 0, 0                                                                 \
    }

/** Chosen for one dequeue. Zero means the default. */
typedef struct pgqrs_dequeue_options {
    size_t size;      /* sizeof this struct */
    int64_t lease_ms; /* default: the consumer's */
    pgqrs_slice
        type; /* only messages of this type; walks over all others, so not for a hot loop; default all */
} pgqrs_dequeue_options;

#define PGQRS_DEQUEUE_OPTIONS_INIT                                                                           \
    {                                                                                                        \
        sizeof(pgqrs_dequeue_options), 0,                                                                    \
        {                                                                                                    \
            0, 0                                                                                             \
        }                                                                                                    \
    }

typedef enum pgqrs_fail_mode {
    PGQRS_FAIL_RETRY = 0,   /* due again after the queue's backoff, dead after its last attempt */
    PGQRS_FAIL_FOR_GOOD = 1 /* archived as dead at once */
} pgqrs_fail_mode;

/** "retry", "for good"; "unknown" for any other value. Static text. Any thread. */
PGQRS_API const char *pgqrs_fail_mode_name(pgqrs_fail_mode mode);

/** How a failure is reported. Zero means the default. */
typedef struct pgqrs_fail_options {
    size_t size; /* sizeof this struct */
    pgqrs_fail_mode mode;
    int64_t delay_ms; /* pause before the next attempt; default 0: the queue's backoff; at most 10 years */
    pgqrs_slice
        error; /* UTF-8 text, kept with a dead message; at most 64 KiB, the rest is cut; default none */
} pgqrs_fail_options;

#define PGQRS_FAIL_OPTIONS_INIT                                                                              \
    {                                                                                                        \
        sizeof(pgqrs_fail_options), PGQRS_FAIL_RETRY, 0,                                                     \
        {                                                                                                    \
            0, 0                                                                                             \
        }                                                                                                    \
    }

typedef enum pgqrs_lease_mode {
    PGQRS_LEASE_IF_FREE = 0,  /* refuse a message that somebody holds: PGQRS_ELEASED */
    PGQRS_LEASE_TAKE_OVER = 1 /* an administrator's override: the holder's token is void from now on */
} pgqrs_lease_mode;

/** "if free", "take over"; "unknown" for any other value. Static text. Any thread. */
PGQRS_API const char *pgqrs_lease_mode_name(pgqrs_lease_mode mode);

/** Opens `queue` for dequeueing. `options` may be NULL. The caller closes *out. */
PGQRS_API pgqrs_status pgqrs_consumer_open(pgqrs_client *client, pgqrs_slice queue,
                                           const pgqrs_consumer_options *options, pgqrs_consumer **out,
                                           pgqrs_error *err);

/** Frees `consumer`; NULL is fine. Leases stay until they run out: release them first. */
PGQRS_API void pgqrs_consumer_close(pgqrs_consumer *consumer);

/** Claims the next message. *out, which the caller frees, holds one message, or none if none is due. Does
 * not wait for one. */
PGQRS_API pgqrs_status pgqrs_consumer_dequeue(pgqrs_consumer *consumer, pgqrs_message_list **out,
                                              pgqrs_error *err);

/** Claims up to `max` (1 to 10,000) messages, never more. `options` may be NULL. As pgqrs_consumer_dequeue.
 */
PGQRS_API pgqrs_status pgqrs_consumer_dequeue_batch(pgqrs_consumer *consumer, size_t max,
                                                    const pgqrs_dequeue_options *options,
                                                    pgqrs_message_list **out, pgqrs_error *err);

/** Claims the one message `id`, due or not; PGQRS_ENOMESSAGE, PGQRS_ELEASED. For tools, not for work. */
PGQRS_API pgqrs_status pgqrs_consumer_lease(pgqrs_consumer *consumer, int64_t id, pgqrs_lease_mode mode,
                                            pgqrs_message_list **out, pgqrs_error *err);

/** Removes a finished message. PGQRS_ELEASELOST. After PGQRS_EUNKNOWN a second call may return
 * PGQRS_ELEASELOST for a message that the first one removed. */
PGQRS_API pgqrs_status pgqrs_consumer_delete(pgqrs_consumer *consumer, pgqrs_lease lease, pgqrs_error *err);

/** Moves a finished message to the archive with `result` (JSON, or { NULL, 0 }). PGQRS_ELEASELOST. Repeating
 * it with the same lease is harmless. */
PGQRS_API pgqrs_status pgqrs_consumer_archive(pgqrs_consumer *consumer, pgqrs_lease lease, pgqrs_slice result,
                                              pgqrs_error *err);

/** Extends the lease to `extension_ms` (1 ms to 7 days) from now. PGQRS_ELEASELOST. */
PGQRS_API pgqrs_status pgqrs_consumer_extend_visibility(pgqrs_consumer *consumer, pgqrs_lease lease,
                                                        int64_t extension_ms, pgqrs_error *err);

/** Gives a message back, due again after `delay_ms` (0 ms to 10 years), and charges no attempt.
 * PGQRS_ELEASELOST. */
PGQRS_API pgqrs_status pgqrs_consumer_release(pgqrs_consumer *consumer, pgqrs_lease lease, int64_t delay_ms,
                                              pgqrs_error *err);

/** Reports a failed attempt. `options` may be NULL. *out_dead, which may be NULL, says whether that was the
 * last one, so that the message is now in the archive as dead. PGQRS_ELEASELOST. */
PGQRS_API pgqrs_status pgqrs_consumer_fail(pgqrs_consumer *consumer, pgqrs_lease lease,
                                           const pgqrs_fail_options *options, bool *out_dead,
                                           pgqrs_error *err);

/*
 * Batches: 1 to 10,000 leases, no message twice. PGQRS_OK says that the batch was carried out; results[i], in
 * the order of `leases`, is then PGQRS_OK or PGQRS_ELEASELOST for each message on its own. `results` must not
 * be NULL.
 */
PGQRS_API pgqrs_status pgqrs_consumer_delete_batch(pgqrs_consumer *consumer, const pgqrs_lease *leases,
                                                   size_t count, pgqrs_status *results, pgqrs_error *err);

/** `archived` is NULL or `count` results (JSON, each may be { NULL, 0 }) to keep with the messages. */
PGQRS_API pgqrs_status pgqrs_consumer_archive_batch(pgqrs_consumer *consumer, const pgqrs_lease *leases,
                                                    const pgqrs_slice *archived, size_t count,
                                                    pgqrs_status *results, pgqrs_error *err);

/** One statement for a whole heartbeat. */
PGQRS_API pgqrs_status pgqrs_consumer_extend_visibility_batch(pgqrs_consumer *consumer,
                                                              const pgqrs_lease *leases, size_t count,
                                                              int64_t extension_ms, pgqrs_status *results,
                                                              pgqrs_error *err);

/** One statement for a whole shutdown. */
PGQRS_API pgqrs_status pgqrs_consumer_release_batch(pgqrs_consumer *consumer, const pgqrs_lease *leases,
                                                    size_t count, int64_t delay_ms, pgqrs_status *results,
                                                    pgqrs_error *err);

#ifdef __cplusplus
}
#endif
#endif
