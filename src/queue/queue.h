/*
 * An open queue: its settings, its statements, and the client's frontier. Producers and consumers
 * of one queue share it. It lives as long as the client.
 */
#ifndef PGQRSI_QUEUE_QUEUE_H
#define PGQRSI_QUEUE_QUEUE_H

#include <pgqrs/queue.h>

#include <sys/queue.h>

#include "client.h"
#include "queue/frontier.h"

TAILQ_HEAD(pgqrsi_callers, pgqrsi_caller);

/** Callers of enqueue that wait for a common statement: see coalesce.h. */
typedef struct pgqrsi_coalescing {
    struct pgqrsi_callers callers; /* that wait or lead but have not sent yet */
    size_t count;                  /* of those */
    int batches;                   /* under way, or about to be sent */
} pgqrsi_coalescing;

/** The tests for sleeping workers that were sent: see wake.h. Zero-initialised. Times are of this
 * process's clock, 0: never. */
typedef struct pgqrsi_wakes {
    int64_t sent_ms;    /* when the last test was sent */
    int64_t alone_ms;   /* when the test was sent that is under way by itself */
    int64_t covered_ms; /* when the last test was sent that is known to have been carried out */
    int64_t owed_ms;    /* when the last commit was known that no test covers so far */
    int finds;          /* the last test that was carried out found a sleeper */
    size_t owed;        /* how many messages those commits were; 0: none */
} pgqrsi_wakes;

typedef struct pgqrsi_queue {
    struct pgqrsi_queue *next;
    int64_t id;
    /* guarded by the client's lock: looked up again with each opening */
    int32_t max_crashes;
    char *name;                   /* for errors */
    pgqrsi_scope scope;           /* guarded by the client's lock, inside pgqrsi_client_run */
    pgqrsi_frontier frontier;     /* guarded by the client's lock */
    pgqrsi_coalescing coalescing; /* guarded by the client's lock */
    pgqrsi_wakes wakes;           /* guarded by the client's lock */
} pgqrsi_queue;

/** Looks `name` up on the server. *out belongs to the client. PGQRS_ENOQUEUE. */
pgqrs_status pgqrsi_queue_open(pgqrs_client *client, pgqrs_slice name, int64_t deadline_ms,
                               pgqrsi_queue **out, pgqrs_error *err);

/** The same from the answer to PGQRSI_SQL_QUEUE_FIND, for those that wait for the server
 * themselves. NULL without memory. */
pgqrsi_queue *pgqrsi_queue_found(pgqrs_client *client, const pgqrsi_rows *rows);

/** After PGQRS_ENOQUEUE: looks up what the name of `*queue` means now. 1 if that is another queue,
 * which *queue is then; 0 if there is none (PGQRS_ENOQUEUE in `err`), or it is the same (`err` is
 * left alone). */
int pgqrsi_queue_renew(pgqrs_client *client, _Atomic(pgqrsi_queue *) *queue, int64_t deadline_ms,
                       pgqrs_error *err);

/** Looks `name` up and runs one reading statement of it, all within one call's deadline. `params`
 * may be NULL; the caller frees *out. */
pgqrs_status pgqrsi_queue_read(pgqrs_client *client, pgqrs_slice name, pgqrsi_sql sql,
                               const pgqrsi_params *params, pgqrsi_rows **out, pgqrs_error *err);

#endif
