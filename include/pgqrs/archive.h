/*
 * The archive: messages that were archived as done or as dead.
 *
 * Rows are listed newest id first, one page at a time. Any thread. Each function blocks at most
 * `operation_timeout_ms` and can return the failures listed in pgqrs/queue.h, and PGQRS_ENOQUEUE.
 */
#ifndef PGQRS_ARCHIVE_H
#define PGQRS_ARCHIVE_H

#include <pgqrs/message.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum pgqrs_outcome {
    PGQRS_OUTCOME_ANY = 0, /* for filters only */
    PGQRS_OUTCOME_DONE = 1,
    PGQRS_OUTCOME_DEAD = 2
} pgqrs_outcome;

/** "done", "dead", "any"; "unknown" for any other value. Static text. Any thread. */
PGQRS_API const char *pgqrs_outcome_name(pgqrs_outcome outcome);

/** One row of the archive. The list owns the message and all text. */
typedef struct pgqrs_archived {
    const pgqrs_message *message; /* its state is unused, its lease_token is that of the last
                                     lease */
    pgqrs_outcome outcome;
    int64_t archived_at_ms;
    int64_t processing_duration_ms; /* from the last dequeue to the archiving */
    pgqrs_slice result;             /* JSON, or { NULL, 0 } */
    pgqrs_slice error;              /* text, or { NULL, 0 } */
} pgqrs_archived;

typedef struct pgqrs_archive_list pgqrs_archive_list;

/** The number of rows in a queue's archive, by outcome. */
typedef struct pgqrs_archive_counts {
    size_t size; /* sizeof this struct; begin with PGQRS_ARCHIVE_COUNTS_INIT */
    int64_t done;
    int64_t dead;
} pgqrs_archive_counts;

#define PGQRS_ARCHIVE_COUNTS_INIT                                                                  \
    {                                                                                              \
        sizeof(pgqrs_archive_counts), 0, 0                                                         \
    }

/** Which rows to list. Zero means the default. */
typedef struct pgqrs_archive_options {
    size_t size; /* sizeof this struct */
    pgqrs_outcome outcome;
    int64_t before_id; /* only smaller ids: pass the last id of the previous page; default 0: from
                          the newest */
    int64_t limit;     /* rows in a page, 1 to 10,000; default 100 */
} pgqrs_archive_options;

#define PGQRS_ARCHIVE_OPTIONS_INIT                                                                 \
    {                                                                                              \
        sizeof(pgqrs_archive_options), PGQRS_OUTCOME_ANY, 0, 0                                     \
    }

/** Reads one page of `queue`'s archive. `options` may be NULL. The caller frees *out. */
PGQRS_API pgqrs_status pgqrs_archive_page(pgqrs_client *client, pgqrs_slice queue,
                                          const pgqrs_archive_options *options,
                                          pgqrs_archive_list **out, pgqrs_error *err);

/** Reads the archived message `id`; *out then holds exactly one row. PGQRS_ENOMESSAGE. The caller
 * frees *out. */
PGQRS_API pgqrs_status pgqrs_archive_get(pgqrs_client *client, pgqrs_slice queue, int64_t id,
                                         pgqrs_archive_list **out, pgqrs_error *err);

/** Counts the rows of `queue`'s archive. Reads every row: takes seconds for tens of millions. */
PGQRS_API pgqrs_status pgqrs_archive_count(pgqrs_client *client, pgqrs_slice queue,
                                           pgqrs_archive_counts *out, pgqrs_error *err);

/** The number of rows in `list`; 0 for NULL. Any thread. */
PGQRS_API size_t pgqrs_archive_list_count(const pgqrs_archive_list *list);

/** The `index`-th row, valid as long as `list`; NULL after the last. Any thread. */
PGQRS_API const pgqrs_archived *pgqrs_archive_list_at(const pgqrs_archive_list *list, size_t index);

/** Frees `list`; NULL is fine. */
PGQRS_API void pgqrs_archive_list_free(pgqrs_archive_list *list);

#ifdef __cplusplus
}
#endif
#endif
