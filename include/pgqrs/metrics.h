/*
 * Numbers of queues, in one statement for all of them.
 *
 * The messages are not counted. A look at a bounded number of rows gives exact numbers for small
 * queues; the server's own counters give the size of large ones. Each number says what it is. For
 * how the numbers are found, and when the counters are wrong, see docs/metrics.md. For an exact
 * count of one queue see pgqrs_queue_count.
 *
 * Any thread. Each function blocks at most `operation_timeout_ms`, and can return the failures
 * listed in pgqrs/queue.h. Nothing is locked for long and nothing is changed.
 */
#ifndef PGQRS_METRICS_H
#define PGQRS_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include <pgqrs/client.h>
#include <pgqrs/slice.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What a number is. */
typedef enum pgqrs_precision {
    PGQRS_PRECISION_EXACT = 0,
    PGQRS_PRECISION_AT_LEAST = 1,  /* a lower bound */
    PGQRS_PRECISION_ESTIMATED = 2, /* from the server's counters */
    PGQRS_PRECISION_UNKNOWN = 3    /* the value is 0 and means nothing */
} pgqrs_precision;

/** "exact", "at least", "estimated", "unknown"; "unknown" for any other value too. Static text. Any
 * thread. */
PGQRS_API const char *pgqrs_precision_name(pgqrs_precision precision);

typedef struct pgqrs_number {
    int64_t value;
    pgqrs_precision precision;
} pgqrs_number;

/** One queue. The list owns all text. Later versions may append members. */
typedef struct pgqrs_metrics {
    int64_t queue_id;
    pgqrs_slice queue;
    pgqrs_number total;   /* ready, delayed and leased */
    pgqrs_number ready;   /* can be claimed now; includes `expired` */
    pgqrs_number delayed; /* become due later */
    pgqrs_number leased;  /* held by a consumer */
    /* those of `ready` whose lease expired: their consumer crashed or hangs */
    pgqrs_number expired;
    pgqrs_number done;                  /* archived as done */
    pgqrs_number dead;                  /* archived as dead and not replayed */
    pgqrs_number workers;               /* registered, and seen in the last 5 minutes */
    pgqrs_number oldest_due_age_ms;     /* for how long the oldest ready message has been due; 0 if
                                       there is none */
    pgqrs_number newest_enqueued_at_ms; /* since 1970, UTC: when the newest unfinished message was
                                           enqueued; 0 if there is none */
    int32_t is_paused;                  /* 1: no message is claimed now */
    int64_t paused_at_ms;               /* 0: it was not paused */
    int64_t paused_until_ms;            /* 0: until it is resumed */
    pgqrs_slice paused_by;              /* or { NULL, 0 } */
    pgqrs_slice pause_reason;           /* or { NULL, 0 } */
    pgqrs_slice problem; /* why the queue was not looked at, in a word such as "locked" or
                            "not reached"; { NULL, 0 }: it was looked at */
} pgqrs_metrics;

typedef struct pgqrs_metrics_list pgqrs_metrics_list;

/** Zero means the default. */
typedef struct pgqrs_metrics_options {
    size_t size;     /* sizeof this struct */
    int32_t exact;   /* 1: counts. Slow: reads every message, and every row of the archive */
    int64_t look_ms; /* for how long pgqrs_metrics_all looks into queues, at most 600,000 ms;
                        default 50 ms. It looks at 16 queues in any case. A queue that is not
                        reached has estimates */
} pgqrs_metrics_options;

#define PGQRS_METRICS_OPTIONS_INIT                                                                 \
    {                                                                                              \
        sizeof(pgqrs_metrics_options), 0, 0                                                        \
    }

/** Reads the numbers of all queues that this role may read, by name. `options` may be NULL. The
 * caller frees *out. */
PGQRS_API pgqrs_status pgqrs_metrics_all(pgqrs_client *client, const pgqrs_metrics_options *options,
                                         pgqrs_metrics_list **out, pgqrs_error *err);

/** Reads the numbers of `queue`; *out then holds exactly one. `options` may be NULL.
 * PGQRS_ENOQUEUE; PGQRS_EDENIED if this role may not read it. The caller frees *out. */
PGQRS_API pgqrs_status pgqrs_metrics_get(pgqrs_client *client, pgqrs_slice queue,
                                         const pgqrs_metrics_options *options,
                                         pgqrs_metrics_list **out, pgqrs_error *err);

/** The number of queues in `list`; 0 for NULL. Any thread. */
PGQRS_API size_t pgqrs_metrics_list_count(const pgqrs_metrics_list *list);

/** The `index`-th queue, valid as long as `list`; NULL after the last. Any thread. */
PGQRS_API const pgqrs_metrics *pgqrs_metrics_list_at(const pgqrs_metrics_list *list, size_t index);

/** When the numbers were right, since 1970, UTC, by the server's clock; 0 if there is no queue. Any
 * thread. */
PGQRS_API int64_t pgqrs_metrics_list_at_ms(const pgqrs_metrics_list *list);

/** How long the server took for them. Any thread. */
PGQRS_API int64_t pgqrs_metrics_list_took_ms(const pgqrs_metrics_list *list);

/** Frees `list`; NULL is fine. */
PGQRS_API void pgqrs_metrics_list_free(pgqrs_metrics_list *list);

#ifdef __cplusplus
}
#endif
#endif
