/*
 * Queues: create, look up, list, purge and delete them. For messages see pgqrs/producer.h and
 * pgqrs/consumer.h.
 *
 * A queue name is 1 to 128 bytes of UTF-8 without control characters. It is data, not an
 * identifier: quotes, spaces and emoji are allowed. Creating or deleting a queue creates or drops
 * tables in one transaction.
 *
 * Any thread. Each function blocks at most `operation_timeout_ms` of the client. Each can return
 * PGQRS_EINVAL (bad name or option), PGQRS_ECONNECT, PGQRS_ETIMEDOUT, PGQRS_EDENIED,
 * PGQRS_ENOTINSTALLED, PGQRS_EOLDSCHEMA, PGQRS_ENEWSCHEMA, PGQRS_ESERVER or PGQRS_ENOMEM; nothing
 * is changed then. Functions that write can also return PGQRS_EUNKNOWN. Other statuses are listed
 * with each function.
 */
#ifndef PGQRS_QUEUE_H
#define PGQRS_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include <pgqrs/client.h>
#include <pgqrs/slice.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Options of pgqrs_queue_create. Zero means the default. */
typedef struct pgqrs_queue_options {
    size_t size;             /* sizeof this struct */
    int32_t max_attempts;    /* failures after which a message is dead, at most 1,000; default 20 */
    int32_t max_crashes;     /* expired leases after which a message is dead, at most 1,000; default
                                3 */
    int64_t backoff_base_ms; /* pause after the first failure, doubled by each further failure;
                                default 1,000 ms */
    int64_t backoff_max_ms;  /* longest pause, at most 30 days; default 3,600,000 ms */
} pgqrs_queue_options;

#define PGQRS_QUEUE_OPTIONS_INIT                                                                   \
    {                                                                                              \
        sizeof(pgqrs_queue_options), 0, 0, 0, 0                                                    \
    }

/** A queue as it is stored. The list owns the name. */
typedef struct pgqrs_queue_info {
    int64_t id;
    pgqrs_slice name;
    int32_t max_attempts;
    int32_t max_crashes;
    int64_t backoff_base_ms;
    int64_t backoff_max_ms;
    int64_t created_at_ms;    /* since 1970, UTC, by the server's clock */
    int64_t paused_at_ms;     /* likewise; 0: the queue is not paused */
    int64_t paused_until_ms;  /* when the pause ends by itself; 0: when the queue is resumed */
    pgqrs_slice paused_by;    /* the database role; { NULL, 0 }: the queue is not paused */
    pgqrs_slice pause_reason; /* { NULL, 0 } if none was given */
} pgqrs_queue_info;

/** The number of messages in a queue, each counted once. For the archive see
 * pgqrs_archive_count. */
typedef struct pgqrs_queue_counts {
    size_t size;                 /* sizeof this struct; begin with PGQRS_QUEUE_COUNTS_INIT */
    int64_t ready;               /* can be claimed now */
    int64_t delayed;             /* become due later */
    int64_t leased;              /* held by a consumer */
    int64_t oldest_ready_age_ms; /* time since the oldest ready message was enqueued; 0 if there is
                                    none */
} pgqrs_queue_counts;

#define PGQRS_QUEUE_COUNTS_INIT                                                                    \
    {                                                                                              \
        sizeof(pgqrs_queue_counts), 0, 0, 0, 0                                                     \
    }

/** Options of pgqrs_queue_pause. Zero means the default. */
typedef struct pgqrs_pause_options {
    size_t size;        /* sizeof this struct */
    int64_t for_ms;     /* ends the pause after that, at most 365 days; default: no end */
    pgqrs_slice reason; /* for people, at most 1,024 bytes of UTF-8 on one line */
} pgqrs_pause_options;

#define PGQRS_PAUSE_OPTIONS_INIT                                                                   \
    {                                                                                              \
        sizeof(pgqrs_pause_options), 0,                                                            \
        {                                                                                          \
            NULL, 0                                                                                \
        }                                                                                          \
    }

typedef struct pgqrs_queue_list pgqrs_queue_list;

/** Creates the queue `name`. `options` and `out_id` may be NULL. PGQRS_EEXISTS if the queue
 * exists. */
PGQRS_API pgqrs_status pgqrs_queue_create(pgqrs_client *client, pgqrs_slice name,
                                          const pgqrs_queue_options *options, int64_t *out_id,
                                          pgqrs_error *err);

/** Looks up one queue; *out, which the caller frees, then holds exactly one. PGQRS_ENOQUEUE if it
 * does not exist. */
PGQRS_API pgqrs_status pgqrs_queue_get(pgqrs_client *client, pgqrs_slice name,
                                       pgqrs_queue_list **out, pgqrs_error *err);

/** Lists all queues by name. The caller frees *out. */
PGQRS_API pgqrs_status pgqrs_queue_list_all(pgqrs_client *client, pgqrs_queue_list **out,
                                            pgqrs_error *err);

/** Counts the messages of `name`. Reads every message: takes seconds for millions.
 * PGQRS_ENOQUEUE. */
PGQRS_API pgqrs_status pgqrs_queue_count(pgqrs_client *client, pgqrs_slice name,
                                         pgqrs_queue_counts *out, pgqrs_error *err);

/** Deletes queue `name`, all its messages, even leased ones, and its archive. PGQRS_ENOQUEUE. */
PGQRS_API pgqrs_status pgqrs_queue_delete(pgqrs_client *client, pgqrs_slice name, pgqrs_error *err);

/** Deletes every message of `name`, even leased ones. Keeps the archive. PGQRS_ENOQUEUE. */
PGQRS_API pgqrs_status pgqrs_queue_purge(pgqrs_client *client, pgqrs_slice name, pgqrs_error *err);

/** Pauses `name` for all its consumers and workers, until pgqrs_queue_resume or the end in
 * `options`, which may be NULL. From the commit on no message is claimed: a dequeue returns an
 * empty list, as from an empty queue. Messages can be enqueued, and leased ones finished; a worker
 * releases those that it has not begun, at latest after a third of its lease, and sends
 * PGQRS_EVENT_PAUSED. pgqrs_consumer_lease leases
 * even from a paused queue. Pausing a paused queue succeeds: it changes the end, and leaves the
 * time, the role and the reason. PGQRS_ENOQUEUE. */
PGQRS_API pgqrs_status pgqrs_queue_pause(pgqrs_client *client, pgqrs_slice name,
                                         const pgqrs_pause_options *options, pgqrs_error *err);

/** Ends the pause of `name` and wakes sleeping workers. Succeeds if it is not paused.
 * PGQRS_ENOQUEUE. */
PGQRS_API pgqrs_status pgqrs_queue_resume(pgqrs_client *client, pgqrs_slice name, pgqrs_error *err);

/** The number of queues in `list`. Any thread. */
PGQRS_API size_t pgqrs_queue_list_count(const pgqrs_queue_list *list);

/** The `index`-th queue, valid as long as `list`; NULL after the last. Any thread. */
PGQRS_API const pgqrs_queue_info *pgqrs_queue_list_at(const pgqrs_queue_list *list, size_t index);

/** Frees `list`; NULL is fine. */
PGQRS_API void pgqrs_queue_list_free(pgqrs_queue_list *list);

#ifdef __cplusplus
}
#endif
#endif
