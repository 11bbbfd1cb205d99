/*
 * The consumer: claims messages of one queue under a lease, and reports their outcome.
 *
 *      dequeue            delete, archive
 *   ---------> leased ---------------------> gone / archived: done
 *     ^         |  |
 *     | release |  | fail: due again after a backoff; archived as dead after the last attempt
 *     +---------+--+
 *
 * A lease is an end time and a token. Until the lease ends no other consumer gets the message.
 * After that another consumer may claim it; from then on every call with the old token returns
 * PGQRS_ELEASELOST and changes nothing. A late call is still accepted if no other consumer has
 * claimed the message.
 *
 * Order: due messages with a priority above 0 come first, the highest priority first. Then come
 * those of priority 0 by age: the time they were enqueued, or became due if they were delayed or
 * retried. Then come those below 0. Ids are not in commit order, and several consumers of one queue
 * do not see one global first-in first-out order.
 *
 * Any thread. Each function blocks at most `operation_timeout_ms`. In addition to the statuses
 * listed with it, each can return PGQRS_EINVAL, PGQRS_ENOQUEUE, PGQRS_ECONNECT, PGQRS_ETIMEDOUT,
 * PGQRS_EDENIED, PGQRS_ESERVER or PGQRS_ENOMEM: nothing is changed. PGQRS_EUNKNOWN means that the
 * call may have succeeded; calling again with the same lease is safe.
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

/** Options of pgqrs_consumer_open. Zero means the default. */
typedef struct pgqrs_consumer_options {
    size_t size;       /* sizeof this struct */
    int64_t lease_ms;  /* 1 ms to 7 days; default: `default_lock_time_seconds` of the client */
    int64_t worker_id; /* stored as consumer_worker_id; default 0: none */
} pgqrs_consumer_options;

#define PGQRS_CONSUMER_OPTIONS_INIT                                                                \
    {                                                                                              \
        sizeof(pgqrs_consumer_options), 0, 0                                                       \
    }

/** Options of pgqrs_consumer_dequeue_batch. Zero means the default. */
typedef struct pgqrs_dequeue_options {
    size_t size;      /* sizeof this struct */
    int64_t lease_ms; /* 1 ms to 7 days; default: the consumer's */
    pgqrs_slice type; /* only this type; reads past all others: not for a hot loop; default: all */
} pgqrs_dequeue_options;

#define PGQRS_DEQUEUE_OPTIONS_INIT                                                                 \
    {                                                                                              \
        sizeof(pgqrs_dequeue_options), 0,                                                          \
        {                                                                                          \
            0, 0                                                                                   \
        }                                                                                          \
    }

typedef enum pgqrs_fail_mode {
    PGQRS_FAIL_RETRY = 0,   /* due again after the queue's backoff; dead after the last attempt */
    PGQRS_FAIL_FOR_GOOD = 1 /* archived as dead at once */
} pgqrs_fail_mode;

/** "retry", "for good"; "unknown" for any other value. Static text. Any thread. */
PGQRS_API const char *pgqrs_fail_mode_name(pgqrs_fail_mode mode);

/** Options of pgqrs_consumer_fail. Zero means the default. */
typedef struct pgqrs_fail_options {
    size_t size; /* sizeof this struct */
    pgqrs_fail_mode mode;
    int64_t delay_ms;  /* pause before the next attempt, 1 ms to 10 years; default 0: the queue's
                          backoff */
    pgqrs_slice error; /* UTF-8 text, archived with a dead message, cut to 64 KiB; default: none */
} pgqrs_fail_options;

#define PGQRS_FAIL_OPTIONS_INIT                                                                    \
    {                                                                                              \
        sizeof(pgqrs_fail_options), PGQRS_FAIL_RETRY, 0,                                           \
        {                                                                                          \
            0, 0                                                                                   \
        }                                                                                          \
    }

typedef enum pgqrs_lease_mode {
    PGQRS_LEASE_IF_FREE = 0,  /* refuse a leased message: PGQRS_ELEASED */
    PGQRS_LEASE_TAKE_OVER = 1 /* an administrator's override: the holder's token becomes invalid */
} pgqrs_lease_mode;

/** "if free", "take over"; "unknown" for any other value. Static text. Any thread. */
PGQRS_API const char *pgqrs_lease_mode_name(pgqrs_lease_mode mode);

/** Opens `queue` for dequeueing. `options` may be NULL. The caller closes *out. */
PGQRS_API pgqrs_status pgqrs_consumer_open(pgqrs_client *client, pgqrs_slice queue,
                                           const pgqrs_consumer_options *options,
                                           pgqrs_consumer **out, pgqrs_error *err);

/** Frees `consumer`; NULL is fine. Leases stay until they expire: release them first. */
PGQRS_API void pgqrs_consumer_close(pgqrs_consumer *consumer);

/** Claims the next message. *out, which the caller frees, holds one message, or none if none is
 * due. Does not wait for a message. */
PGQRS_API pgqrs_status pgqrs_consumer_dequeue(pgqrs_consumer *consumer, pgqrs_message_list **out,
                                              pgqrs_error *err);

/** Claims at most `max` (1 to 10,000) messages. `options` may be NULL. Otherwise as
 * pgqrs_consumer_dequeue. */
PGQRS_API pgqrs_status pgqrs_consumer_dequeue_batch(pgqrs_consumer *consumer, size_t max,
                                                    const pgqrs_dequeue_options *options,
                                                    pgqrs_message_list **out, pgqrs_error *err);

/** Claims message `id`, due or not. PGQRS_ENOMESSAGE, PGQRS_ELEASED. For administration tools. */
PGQRS_API pgqrs_status pgqrs_consumer_lease(pgqrs_consumer *consumer, int64_t id,
                                            pgqrs_lease_mode mode, pgqrs_message_list **out,
                                            pgqrs_error *err);

/** Deletes a finished message. PGQRS_ELEASELOST. After PGQRS_EUNKNOWN a second call may return
 * PGQRS_ELEASELOST because the first call deleted the message. */
PGQRS_API pgqrs_status pgqrs_consumer_delete(pgqrs_consumer *consumer, pgqrs_lease lease,
                                             pgqrs_error *err);

/** Moves a finished message to the archive with `result` (JSON, or { NULL, 0 }). PGQRS_ELEASELOST.
 * A second call with the same lease is harmless. */
PGQRS_API pgqrs_status pgqrs_consumer_archive(pgqrs_consumer *consumer, pgqrs_lease lease,
                                              pgqrs_slice result, pgqrs_error *err);

/** Extends the lease to `extension_ms` (1 ms to 7 days) from now. PGQRS_ELEASELOST. */
PGQRS_API pgqrs_status pgqrs_consumer_extend_visibility(pgqrs_consumer *consumer, pgqrs_lease lease,
                                                        int64_t extension_ms, pgqrs_error *err);

/** Releases a message: it is due again after `delay_ms` (0 ms to 10 years), and no attempt is
 * charged. PGQRS_ELEASELOST. */
PGQRS_API pgqrs_status pgqrs_consumer_release(pgqrs_consumer *consumer, pgqrs_lease lease,
                                              int64_t delay_ms, pgqrs_error *err);

/** Reports a failed attempt. `options` may be NULL. *out_dead says whether the message was archived
 * as dead; `out_dead` may be NULL. PGQRS_ELEASELOST. */
PGQRS_API pgqrs_status pgqrs_consumer_fail(pgqrs_consumer *consumer, pgqrs_lease lease,
                                           const pgqrs_fail_options *options, bool *out_dead,
                                           pgqrs_error *err);

/*
 * Batches: 1 to 10,000 leases, each message once. On PGQRS_OK results[i] is PGQRS_OK or
 * PGQRS_ELEASELOST for leases[i]. `results` must not be NULL.
 */
PGQRS_API pgqrs_status pgqrs_consumer_delete_batch(pgqrs_consumer *consumer,
                                                   const pgqrs_lease *leases, size_t count,
                                                   pgqrs_status *results, pgqrs_error *err);

/** `archived` is NULL, or holds `count` results to archive with the messages (JSON; each may be {
 * NULL, 0 }). */
PGQRS_API pgqrs_status pgqrs_consumer_archive_batch(pgqrs_consumer *consumer,
                                                    const pgqrs_lease *leases,
                                                    const pgqrs_slice *archived, size_t count,
                                                    pgqrs_status *results, pgqrs_error *err);

/** Extends `count` leases to `extension_ms` (1 ms to 7 days) from now with one statement. */
PGQRS_API pgqrs_status pgqrs_consumer_extend_visibility_batch(pgqrs_consumer *consumer,
                                                              const pgqrs_lease *leases,
                                                              size_t count, int64_t extension_ms,
                                                              pgqrs_status *results,
                                                              pgqrs_error *err);

/** Releases `count` messages with one statement; each is due again after `delay_ms` (0 ms to 10
 * years). */
PGQRS_API pgqrs_status pgqrs_consumer_release_batch(pgqrs_consumer *consumer,
                                                    const pgqrs_lease *leases, size_t count,
                                                    int64_t delay_ms, pgqrs_status *results,
                                                    pgqrs_error *err);

#ifdef __cplusplus
}
#endif
#endif
