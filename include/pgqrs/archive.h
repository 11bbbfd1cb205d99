/*
 * The archive: messages that were archived as done or as dead.
 *
 * Rows are listed newest id first, one page at a time. A dead message can be replayed: a copy goes
 * into a queue, and the dead message stays in the archive, marked. See pgqrs/replay.h. Any thread.
 * Each function blocks at most `operation_timeout_ms` and can return the failures listed in
 * pgqrs/queue.h, and PGQRS_ENOQUEUE.
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

/** Which of the dead messages that were replayed. */
typedef enum pgqrs_replayed_filter {
    PGQRS_REPLAYED_LEFT_OUT = 0, /* none of them */
    PGQRS_REPLAYED_ONLY = 1,     /* nothing else */
    PGQRS_REPLAYED_TOO = 2
} pgqrs_replayed_filter;

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
    int64_t replayed_as;            /* the id of the copy of a dead message; 0: not replayed */
    int64_t replayed_at_ms;
} pgqrs_archived;

typedef struct pgqrs_archive_list pgqrs_archive_list;

/** The number of rows in a queue's archive, by outcome. A dead message that was replayed is not
 * counted as dead. */
typedef struct pgqrs_archive_counts {
    size_t size; /* sizeof this struct; begin with PGQRS_ARCHIVE_COUNTS_INIT */
    int64_t done;
    int64_t dead;     /* and not replayed */
    int64_t replayed; /* dead, and replayed */
} pgqrs_archive_counts;

#define PGQRS_ARCHIVE_COUNTS_INIT                                                                  \
    {                                                                                              \
        sizeof(pgqrs_archive_counts), 0, 0, 0                                                      \
    }

/** Which rows to list. Zero means the default. */
typedef struct pgqrs_archive_options {
    size_t size; /* sizeof this struct */
    pgqrs_outcome outcome;
    int64_t before_id; /* only smaller ids: pass the last id of the previous page; default 0: from
                          the newest */
    int64_t limit;     /* rows in a page, 1 to 10,000; default 100 */
    pgqrs_replayed_filter replayed; /* default: dead messages that were replayed are left out */
} pgqrs_archive_options;

#define PGQRS_ARCHIVE_OPTIONS_INIT                                                                 \
    {                                                                                              \
        sizeof(pgqrs_archive_options), PGQRS_OUTCOME_ANY, 0, 0, PGQRS_REPLAYED_LEFT_OUT            \
    }

/** Reads one page of `queue`'s archive. `options` may be NULL. The caller frees *out. */
PGQRS_API pgqrs_status pgqrs_archive_page(pgqrs_client *client, pgqrs_slice queue,
                                          const pgqrs_archive_options *options,
                                          pgqrs_archive_list **out, pgqrs_error *err);

/** Reads the archived message `id`; *out then holds exactly one row. PGQRS_ENOMESSAGE. The caller
 * frees *out. */
PGQRS_API pgqrs_status pgqrs_archive_get(pgqrs_client *client, pgqrs_slice queue, int64_t id,
                                         pgqrs_archive_list **out, pgqrs_error *err);

/** Counts the rows of `queue`'s archive; dead messages that were replayed apart. Reads every row:
 * takes seconds for tens of millions. */
PGQRS_API pgqrs_status pgqrs_archive_count(pgqrs_client *client, pgqrs_slice queue,
                                           pgqrs_archive_counts *out, pgqrs_error *err);

/** The number of rows in `list`; 0 for NULL. Any thread. */
PGQRS_API size_t pgqrs_archive_list_count(const pgqrs_archive_list *list);

/** The `index`-th row, valid as long as `list`; NULL after the last. Any thread. */
PGQRS_API const pgqrs_archived *pgqrs_archive_list_at(const pgqrs_archive_list *list, size_t index);

/** Frees `list`; NULL is fine. */
PGQRS_API void pgqrs_archive_list_free(pgqrs_archive_list *list);

/** Which dead messages to group by their errors. Zero means the default. */
typedef struct pgqrs_dead_group_options {
    size_t size;      /* sizeof this struct */
    pgqrs_slice type; /* only messages of this type; default: all */
    int64_t limit;    /* groups, the largest first, 1 to 10,000; default 100 */
} pgqrs_dead_group_options;

#define PGQRS_DEAD_GROUP_OPTIONS_INIT                                                              \
    {                                                                                              \
        sizeof(pgqrs_dead_group_options), { 0, 0 }, 0                                              \
    }

/** Dead messages of one type with errors of one shape. The list owns all text. */
typedef struct pgqrs_dead_group {
    int64_t count;
    pgqrs_slice type;  /* or { NULL, 0 } */
    pgqrs_slice shape; /* the first line of the error, up to 300 characters, in which a # stands for
                          each UUID, hexadecimal number and run of digits; { NULL, 0 }: no error */
    int64_t oldest_at_ms; /* when the first of them was archived */
    int64_t newest_at_ms;
    int64_t id; /* the highest id among them, to look at */
} pgqrs_dead_group;

typedef struct pgqrs_dead_group_list pgqrs_dead_group_list;

/** Groups the newest 10,000 dead messages of `queue` that were not replayed. `options` may be NULL.
 * The caller frees *out. */
PGQRS_API pgqrs_status pgqrs_archive_errors(pgqrs_client *client, pgqrs_slice queue,
                                            const pgqrs_dead_group_options *options,
                                            pgqrs_dead_group_list **out, pgqrs_error *err);

/** The number of groups in `list`; 0 for NULL. Any thread. */
PGQRS_API size_t pgqrs_dead_group_list_count(const pgqrs_dead_group_list *list);

/** The `index`-th group, valid as long as `list`; NULL after the last. Any thread. */
PGQRS_API const pgqrs_dead_group *pgqrs_dead_group_list_at(const pgqrs_dead_group_list *list,
                                                           size_t index);

/** Frees `list`; NULL is fine. */
PGQRS_API void pgqrs_dead_group_list_free(pgqrs_dead_group_list *list);

#ifdef __cplusplus
}
#endif
#endif
