/*
 * The producer: enqueues messages into one queue.
 *
 * Life cycle: open, enqueue any number of times from any thread, close. Opening looks up the queue
 * once. Each enqueue is one round trip; when it returns PGQRS_OK the messages are durable. Single
 * enqueues from several threads on one client share statements; each gets its own outcome.
 *
 * A payload is JSON text that the server's jsonb type accepts: at most `max_payload_bytes` of the
 * client, at most 64 levels deep. The producer checks it before sending. The server stores the
 * value, not its spelling: white space, the order of keys, and all but the last of duplicate keys
 * are dropped.
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

/** Options of pgqrs_producer_open. Zero means the default. */
typedef struct pgqrs_producer_options {
    size_t size;                     /* sizeof this struct */
    int64_t max_messages_per_second; /* above it enqueues return PGQRS_ERATE; default 0: no limit */
    int64_t key_retention_ms;        /* time an idempotency key is kept, at most 365 days; default
                                        24 hours */
    int64_t worker_id;               /* stored as producer_worker_id; default 0: none */
} pgqrs_producer_options;

#define PGQRS_PRODUCER_OPTIONS_INIT                                                                \
    {                                                                                              \
        sizeof(pgqrs_producer_options), 0, 0, 0                                                    \
    }

/** Options of one message. Zero means the default. The call copies the slices. */
typedef struct pgqrs_enqueue_options {
    size_t size;                 /* sizeof this struct */
    int64_t delay_ms;            /* time until the message is due, 0 ms to 10 years; default 0 ms */
    int32_t priority;            /* -100 to 100; higher goes first; default 0, the fastest */
    pgqrs_slice idempotency_key; /* 1 to 255 bytes; a key enqueues one message; default: none */
    pgqrs_slice headers;         /* a JSON object for the consumer; default: none */
    pgqrs_slice type;            /* 1 to 128 bytes, names the kind of work; default: none */
} pgqrs_enqueue_options;

#define PGQRS_ENQUEUE_OPTIONS_INIT                                                                 \
    {                                                                                              \
        sizeof(pgqrs_enqueue_options), 0, 0, { 0, 0 }, { 0, 0 },                                   \
        {                                                                                          \
            0, 0                                                                                   \
        }                                                                                          \
    }

/** The result of enqueueing one message. This struct does not grow: later versions use
 * `reserved`. */
typedef struct pgqrs_enqueued {
    int64_t id;
    bool duplicate; /* the key was used before: `id` is the first message, and this one was
                       dropped */
    bool differs;   /* the first message has a different payload */
    uint8_t reserved[6];
} pgqrs_enqueued;

/**
 * Opens `queue` for enqueueing. `options` may be NULL. The caller closes *out. Returns PGQRS_OK,
 * PGQRS_ENOQUEUE or a failure listed in pgqrs/queue.h. Any thread. Blocks at most
 * `operation_timeout_ms`.
 */
PGQRS_API pgqrs_status pgqrs_producer_open(pgqrs_client *client, pgqrs_slice queue,
                                           const pgqrs_producer_options *options,
                                           pgqrs_producer **out, pgqrs_error *err);

/** Frees `producer`; NULL is fine. No call on it may be running. */
PGQRS_API void pgqrs_producer_close(pgqrs_producer *producer);

/**
 * Enqueues one message durably, in its own transaction.
 *
 * payload  JSON text; copied before returning.
 * options  NULL for the defaults.
 * out      written on PGQRS_OK only; may be NULL.
 * err      may be NULL; written on failure only.
 *
 * Returns PGQRS_OK; PGQRS_EINVAL, PGQRS_ENOQUEUE, PGQRS_ERATE, PGQRS_ECONNECT, PGQRS_ETIMEDOUT,
 * PGQRS_EDENIED, PGQRS_ESERVER or PGQRS_ENOMEM (nothing was stored); or PGQRS_EUNKNOWN (the
 * connection was lost or the deadline passed after sending: the message may be stored; retry with
 * the same idempotency key). Any thread. Blocks at most `operation_timeout_ms`.
 */
PGQRS_API pgqrs_status pgqrs_producer_enqueue(pgqrs_producer *producer, pgqrs_slice payload,
                                              const pgqrs_enqueue_options *options,
                                              pgqrs_enqueued *out, pgqrs_error *err);

/** pgqrs_producer_enqueue with `delay_ms` and otherwise default options. */
PGQRS_API pgqrs_status pgqrs_producer_enqueue_delayed(pgqrs_producer *producer, pgqrs_slice payload,
                                                      int64_t delay_ms, pgqrs_enqueued *out,
                                                      pgqrs_error *err);

/**
 * Enqueues `count` messages (1 to 10,000) durably in one transaction: all or none.
 *
 * payloads  `count` slices.
 * options   NULL for the defaults, or `count` pointers, of which each may be NULL.
 * out       NULL, or `count` results in the order of `payloads`; written on PGQRS_OK only.
 *
 * Returns and blocks as pgqrs_producer_enqueue. On PGQRS_EINVAL the error names the first bad
 * message.
 */
PGQRS_API pgqrs_status pgqrs_producer_enqueue_batch(pgqrs_producer *producer,
                                                    const pgqrs_slice *payloads,
                                                    const pgqrs_enqueue_options *const *options,
                                                    size_t count, pgqrs_enqueued *out,
                                                    pgqrs_error *err);

#ifdef __cplusplus
}
#endif
#endif
