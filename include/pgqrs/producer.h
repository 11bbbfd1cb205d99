/*
 * The producer: puts messages into one queue.
 *
 * Life cycle: open, any number of enqueues from any thread, close. Opening looks the queue up once; after
 * that an enqueue is one round trip, and when it returns PGQRS_OK the messages are durable. Single enqueues
 * of many threads on one client share statements; each gets its own outcome.
 *
 * A payload is JSON text that the server's jsonb type accepts, at most `max_payload_bytes` of the client and
 * 64 levels deep. It is checked before anything is sent. The server stores the value, not the spelling: white
 * space, the order of keys and all but the last of duplicate keys are not kept.
 */
#ifndef PGQRS_PRODUCER_H
#define PGQRS_PRODUCER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pgqrs/client.h>
#include <pgqrs/slice.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pgqrs_producer pgqrs_producer;

/** Chosen when a producer is opened. Zero means the default. */
typedef struct pgqrs_producer_options {
    size_t size;                     /* sizeof this struct */
    int64_t max_messages_per_second; /* beyond it enqueues return PGQRS_ERATE; default 0: no limit */
    int64_t
        key_retention_ms; /* how long an idempotency key is remembered; default 24 hours, at most 365 days */
    int64_t worker_id;    /* recorded as producer_worker_id; default 0: none */
} pgqrs_producer_options;

#define PGQRS_PRODUCER_OPTIONS_INIT                                                                          \
    {                                                                                                        \
        sizeof(pgqrs_producer_options), 0, 0, 0                                                              \
    }

/** Chosen for one message. Zero means the default. The slices are copied before the call returns. */
typedef struct pgqrs_enqueue_options {
    size_t size;                 /* sizeof this struct */
    int64_t delay_ms;            /* due only after this time; default 0, at most 10 years */
    int32_t priority;            /* -100 to 100; higher goes first; default 0, the fast lane */
    pgqrs_slice idempotency_key; /* 1 to 255 bytes: the same key enqueues once; default none */
    pgqrs_slice headers;         /* a JSON object for the consumer; default none */
    pgqrs_slice type;            /* 1 to 128 bytes, names the kind of work; default none */
} pgqrs_enqueue_options;

#define PGQRS_ENQUEUE_OPTIONS_INIT                                                                           \
    {                                                                                                        \
        sizeof(pgqrs_enqueue_options), 0, 0, { 0, 0 }, { 0, 0 },                                             \
        {                                                                                                    \
            0, 0                                                                                             \
        }                                                                                                    \
    }

/** What became of one message. This struct does not grow: later versions use what is reserved. */
typedef struct pgqrs_enqueued {
    int64_t id;
    bool duplicate; /* the key was known: `id` is the message enqueued with it first, and this one was dropped
                     */
    bool differs;   /* that message has another payload: the key was given to two messages */
    uint8_t reserved[6];
} pgqrs_enqueued;

/**
 * Opens `queue` for enqueueing. `options` may be NULL. The caller closes *out.
 * Returns PGQRS_OK, PGQRS_ENOQUEUE or a failure of the kinds listed in pgqrs/queue.h. Any thread. Blocks at
 * most `operation_timeout_ms`.
 */
PGQRS_API pgqrs_status pgqrs_producer_open(pgqrs_client *client, pgqrs_slice queue,
                                           const pgqrs_producer_options *options, pgqrs_producer **out,
                                           pgqrs_error *err);

/** Frees `producer`; NULL is fine. No call may be under way on it. */
PGQRS_API void pgqrs_producer_close(pgqrs_producer *producer);

/**
 * Durably appends one message, in a transaction of its own.
 *
 * payload  JSON text; copied before returning.
 * options  NULL for the defaults.
 * out      written on PGQRS_OK only; may be NULL.
 * err      may be NULL; written on failure only.
 *
 * Returns PGQRS_OK; PGQRS_EINVAL, PGQRS_ENOQUEUE, PGQRS_ERATE, PGQRS_ECONNECT, PGQRS_ETIMEDOUT,
 * PGQRS_EDENIED, PGQRS_ESERVER or PGQRS_ENOMEM (nothing was stored); or PGQRS_EUNKNOWN (connection lost or
 * deadline passed after sending: it may be stored; retry with the same idempotency key). Any thread. Blocks
 * at most `operation_timeout_ms`.
 */
PGQRS_API pgqrs_status pgqrs_producer_enqueue(pgqrs_producer *producer, pgqrs_slice payload,
                                              const pgqrs_enqueue_options *options, pgqrs_enqueued *out,
                                              pgqrs_error *err);

/** As pgqrs_producer_enqueue, due after `delay_ms` and otherwise by default. */
PGQRS_API pgqrs_status pgqrs_producer_enqueue_delayed(pgqrs_producer *producer, pgqrs_slice payload,
                                                      int64_t delay_ms, pgqrs_enqueued *out,
                                                      pgqrs_error *err);

/**
 * Durably appends `count` messages (1 to 10,000) in one transaction: all or none.
 *
 * payloads  `count` slices.
 * options   NULL for the defaults, or `count` pointers, of which each may be NULL.
 * out       NULL, or `count` results in the order of `payloads`; written on PGQRS_OK only.
 *
 * Returns and blocks as pgqrs_producer_enqueue; PGQRS_EINVAL names the first message at fault.
 */
PGQRS_API pgqrs_status pgqrs_producer_enqueue_batch(pgqrs_producer *producer, const pgqrs_slice *payloads,
                                                    const pgqrs_enqueue_options *const *options, size_t count,
                                                    pgqrs_enqueued *out, pgqrs_error *err);

#ifdef __cplusplus
}
#endif
#endif
