/*
 * For src/db only: the struct of a pipe.
 */
#ifndef PGQRSI_DB_PIPE_INTERNAL_H
#define PGQRSI_DB_PIPE_INTERNAL_H

#include "db/conn_internal.h"
#include "db/pipe.h"

/* What libpq owes us a result for. */
struct pgqrsi_pipe_item {
    const char *name; /* of the statement, for errors; belongs to its scope */
    enum { PGQRSI_ITEM_STATEMENT, PGQRSI_ITEM_PREPARE, PGQRSI_ITEM_DROP } kind;
    uint64_t serial;           /* of what is prepared or dropped */
    const pgqrsi_shape *shape; /* of what the statement returns; belongs to its scope */
    int64_t limit;             /* of its rows */
};

struct pgqrsi_pipe_segment {
    void *arg;
    size_t item_count; /* each statement is one to three items */
    size_t answered;   /* items with a result */
    struct pgqrsi_pipe_item items[3 * PGQRSI_PIPE_STATEMENTS];
    pgqrsi_answer answer;
};

struct pgqrsi_pipe {
    const pgqrsi_conn_settings *settings;
    pgqrsi_pipe_state state;
    pgqrsi_conn *conn; /* NULL if CLOSED */
    PostgresPollingStatusType polling;
    int64_t connect_by_ms;
    int failed; /* something could not be sent: see pgqrsi_pipe_progress */
    int probing;
    /* Segments in the order of sending, in a ring: `taken` up to `sent` are under way or not taken
     * yet, those below `complete` have their answers, and the one at `sent` is being made. */
    uint64_t taken, complete, sent;
    struct pgqrsi_pipe_segment segments[PGQRSI_PIPE_SEGMENTS];
};

/** The segment of that number. */
struct pgqrsi_pipe_segment *pgqrsi_pipe_at(pgqrsi_pipe *pipe, uint64_t number);

/** Frees the rows of an answer, and those of all that were not taken with their errors. */
void pgqrsi_pipe_clear_rows(pgqrsi_answer *answer);
void pgqrsi_pipe_drop_answers(pgqrsi_pipe *pipe);

/** Writes and reads what can be without waiting, and takes what has arrived. PGQRS_ECONNECT. */
pgqrs_status pgqrsi_pipe_transfer(pgqrsi_pipe *pipe, pgqrs_error *err);

#endif
