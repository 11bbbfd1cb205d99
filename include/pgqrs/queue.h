/*
 * Queues: made, looked up, emptied and dropped. To put messages in or take them out see pgqrs/producer.h and
 * pgqrs/consumer.h.
 *
 * A name is 1 to 128 bytes of UTF-8 without control characters; it is data, so quotes, spaces and emoji are
 * fine. Making and dropping a queue creates and drops tables, in one transaction.
 *
 * Every function here may be called from any thread and blocks at most `operation_timeout_ms` of the client.
 * All can return PGQRS_EINVAL (bad name or option), PGQRS_ECONNECT, PGQRS_ETIMEDOUT, PGQRS_EDENIED,
 * PGQRS_ENOTINSTALLED, PGQRS_EOLDSCHEMA, PGQRS_ENEWSCHEMA, PGQRS_ESERVER and PGQRS_ENOMEM, with nothing
 * changed, and those that write PGQRS_EUNKNOWN; what else they return stands with each.
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

/** What can be chosen when a queue is made. Zero means the default. */
typedef struct pgqrs_queue_options {
    size_t size;             /* sizeof this struct */
    int32_t max_attempts;    /* failures after which a message is dead; default 20, at most 1000 */
    int32_t max_crashes;     /* leases lost after which a message is dead; default 3, at most 1000 */
    int64_t backoff_base_ms; /* pause after the first failure, doubled by each further one; default 1,000 */
    int64_t backoff_max_ms;  /* upper bound of that pause; default 3,600,000; at most 30 days */
} pgqrs_queue_options;

#define PGQRS_QUEUE_OPTIONS_INIT                                                                             \
    {                                                                                                        \
        sizeof(pgqrs_queue_options), 0, 0, 0, 0                                                              \
    }

/** A queue as it is stored. The name belongs to the list that holds this. */
typedef struct pgqrs_queue_info {
    int64_t id;
    pgqrs_slice name;
    int32_t max_attempts;
    int32_t max_crashes;
    int64_t backoff_base_ms;
    int64_t backoff_max_ms;
    int64_t created_at_ms; /* since 1970, UTC, by the server's clock */
} pgqrs_queue_info;

/** How many messages a queue holds, each counted once. For its archive see pgqrs_archive_count. */
typedef struct pgqrs_queue_counts {
    size_t size;                 /* sizeof this struct; begin with PGQRS_QUEUE_COUNTS_INIT */
    int64_t ready;               /* can be claimed now */
    int64_t delayed;             /* become due later */
    int64_t leased;              /* held by a consumer */
    int64_t oldest_ready_age_ms; /* since the oldest claimable message was enqueued; 0 if there is none */
} pgqrs_queue_counts;

#define PGQRS_QUEUE_COUNTS_INIT                                                                              \
    {                                                                                                        \
        sizeof(pgqrs_queue_counts), 0, 0, 0, 0                                                               \
    }

typedef struct pgqrs_queue_list pgqrs_queue_list;

/** Creates the queue `name`. `options` may be NULL. PGQRS_EEXISTS if there is one. `out_id` may be NULL. */
PGQRS_API pgqrs_status pgqrs_queue_create(pgqrs_client *client, pgqrs_slice name,
                                          const pgqrs_queue_options *options, int64_t *out_id,
                                          pgqrs_error *err);

/** Looks up one queue; *out, which the caller frees, then holds exactly one. PGQRS_ENOQUEUE if there is none.
 */
PGQRS_API pgqrs_status pgqrs_queue_get(pgqrs_client *client, pgqrs_slice name, pgqrs_queue_list **out,
                                       pgqrs_error *err);

/** All queues by name. The caller frees *out. */
PGQRS_API pgqrs_status pgqrs_queue_list_all(pgqrs_client *client, pgqrs_queue_list **out, pgqrs_error *err);

/** Counts what `name` holds. Reads every message of the queue: seconds for millions. PGQRS_ENOQUEUE. */
PGQRS_API pgqrs_status pgqrs_queue_count(pgqrs_client *client, pgqrs_slice name, pgqrs_queue_counts *out,
                                         pgqrs_error *err);

/** Drops `name` with its messages, leased ones too, and its archive. PGQRS_ENOQUEUE. */
PGQRS_API pgqrs_status pgqrs_queue_delete(pgqrs_client *client, pgqrs_slice name, pgqrs_error *err);

/** Removes every message, leased ones too, but not the archive. PGQRS_ENOQUEUE. */
PGQRS_API pgqrs_status pgqrs_queue_purge(pgqrs_client *client, pgqrs_slice name, pgqrs_error *err);

/** How many queues `list` holds. Any thread. */
PGQRS_API size_t pgqrs_queue_list_count(const pgqrs_queue_list *list);

/** The `index`-th queue, valid as long as `list`; NULL behind the last. Any thread. */
PGQRS_API const pgqrs_queue_info *pgqrs_queue_list_at(const pgqrs_queue_list *list, size_t index);

/** Frees `list`; NULL is fine. */
PGQRS_API void pgqrs_queue_list_free(pgqrs_queue_list *list);

#ifdef __cplusplus
}
#endif
#endif
