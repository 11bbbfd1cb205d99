/*
 * Messages: what a queue holds and a consumer receives.
 *
 * A list owns its messages and all their text. Copy what you need before you free the list.
 */
#ifndef PGQRS_MESSAGE_H
#define PGQRS_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include <pgqrs/client.h>
#include <pgqrs/slice.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum pgqrs_message_state {
    PGQRS_MESSAGE_READY = 0,   /* can be claimed */
    PGQRS_MESSAGE_DELAYED = 1, /* becomes due at vt_ms */
    PGQRS_MESSAGE_LEASED = 2   /* held by a consumer until vt_ms */
} pgqrs_message_state;

/** "ready", "delayed", "leased"; "unknown" for any other value. Static text. Any thread. */
PGQRS_API const char *pgqrs_message_state_name(pgqrs_message_state state);

/** One message. Times are the server's, in milliseconds since 1970 (UTC); 0 means never. */
typedef struct pgqrs_message {
    int64_t id;          /* unique in the whole installation */
    int64_t lease_token; /* passed to every later call under this lease; 0 if not leased */
    pgqrs_message_state state;
    pgqrs_slice payload; /* JSON text */
    pgqrs_slice headers; /* a JSON object, or { NULL, 0 } */
    pgqrs_slice type;    /* { NULL, 0 } if none */
    int32_t priority;    /* 0 is the default; higher goes first */
    int32_t read_ct;     /* times a consumer claimed it */
    int32_t failed_ct;   /* times a consumer reported a failure */
    int32_t crash_ct;    /* times a lease on it expired */
    int32_t attempt;     /* failed_ct + crash_ct + 1: the number of the current attempt */
    int64_t enqueued_at_ms;
    int64_t vt_ms; /* visibility time: when the lease ends, or the message becomes due */
    int64_t dequeued_at_ms;
    int64_t producer_worker_id; /* 0 if not registered */
    int64_t consumer_worker_id; /* 0 if not registered */
} pgqrs_message;

/** A consumer's proof that it holds a message: the message's id and the token of the claim. */
typedef struct pgqrs_lease {
    int64_t id;
    int64_t token;
} pgqrs_lease;

typedef struct pgqrs_message_list pgqrs_message_list;

/** The number of messages in `list`; 0 for NULL. Any thread. */
PGQRS_API size_t pgqrs_message_list_count(const pgqrs_message_list *list);

/** The `index`-th message, valid as long as `list`; NULL after the last. Any thread. */
PGQRS_API const pgqrs_message *pgqrs_message_list_at(const pgqrs_message_list *list, size_t index);

/** Frees `list` and every slice taken from it; NULL is fine. */
PGQRS_API void pgqrs_message_list_free(pgqrs_message_list *list);

/** The lease of `message`, for pgqrs_consumer_delete and other calls. */
static inline pgqrs_lease
pgqrs_message_lease(const pgqrs_message *message)
{
    pgqrs_lease lease;

    lease.id = message->id;
    lease.token = message->lease_token;
    return lease;
}

/**
 * Reads message `id` of `queue` without claiming it. *out, which the caller frees, then holds
 * exactly one message. Returns PGQRS_OK, PGQRS_ENOMESSAGE, PGQRS_ENOQUEUE or a failure listed in
 * pgqrs/queue.h. Any thread. Blocks at most `operation_timeout_ms`.
 */
PGQRS_API pgqrs_status pgqrs_message_get(pgqrs_client *client, pgqrs_slice queue, int64_t id,
                                         pgqrs_message_list **out, pgqrs_error *err);

/**
 * Archives message `id` of `queue` as dead with the error "cancelled", even if it is leased. Its
 * handler is told through pgqrs_job_cancelled; its report is refused. Returns PGQRS_OK,
 * PGQRS_ENOMESSAGE (the message may be finished already), PGQRS_ENOQUEUE, a failure listed in
 * pgqrs/queue.h, or PGQRS_EUNKNOWN: calling again is safe. Any thread. Blocks at most
 * `operation_timeout_ms`.
 */
PGQRS_API pgqrs_status pgqrs_message_cancel(pgqrs_client *client, pgqrs_slice queue, int64_t id,
                                            pgqrs_error *err);

/**
 * Deletes message `id` of `queue`, even if it is leased. The message is not archived, and its
 * idempotency key can be used again. Its handler is told as by pgqrs_message_cancel. Returns the
 * same statuses as pgqrs_message_cancel; calling again is safe. Any thread. Blocks at most
 * `operation_timeout_ms`.
 */
PGQRS_API pgqrs_status pgqrs_message_remove(pgqrs_client *client, pgqrs_slice queue, int64_t id,
                                            pgqrs_error *err);

#ifdef __cplusplus
}
#endif
#endif
