/*
 * A pipe sends statements to the server without waiting for each answer, and reads the answers
 * later.
 *
 *   CLOSED ---open---> CONNECTING ---> OPEN ---+
 *     ^                                        |
 *     +------- the connection broke -----------+
 *
 * Statements are sent in segments. A segment is one transaction that pgqrsi_pipe_sync ends. The
 * server answers segments in the order of sending. The outcome of a segment is committed, rolled
 * back, or unknown (the connection broke). Several segments can be in progress.
 *
 * A pipe is used in two ways. A pipe with its own connection, opened here, never blocks: wait for
 * pgqrsi_pipe_fd, call pgqrsi_pipe_progress, then take the answers. A pipe around a pooled
 * connection does one exchange, by pgqrsi_pipe_exchange.
 *
 * One thread at a time.
 */
#ifndef PGQRSI_DB_PIPE_H
#define PGQRSI_DB_PIPE_H

#include "base/error.h"
#include "db/conn.h"

/** Statements in one segment, and segments under way, at most. */
#define PGQRSI_PIPE_STATEMENTS 32
#define PGQRSI_PIPE_SEGMENTS 16

typedef enum pgqrsi_pipe_state {
    PGQRSI_PIPE_CLOSED = 0, /* entered when new, and from anywhere when the connection breaks */
    PGQRSI_PIPE_CONNECTING = 1,
    PGQRSI_PIPE_OPEN = 2
} pgqrsi_pipe_state;

typedef struct pgqrsi_pipe pgqrsi_pipe;

/** What became of a segment. The rows belong to the taker. */
typedef struct pgqrsi_answer {
    void *arg;           /* as given to pgqrsi_pipe_sync */
    pgqrs_status status; /* PGQRS_EUNKNOWN: the connection broke under way */
    pgqrs_error error;   /* to be released, whatever the status */
    size_t count;
    pgqrsi_rows *rows
        [PGQRSI_PIPE_STATEMENTS]; /* by statement, in the order of sending; all NULL if it failed */
} pgqrsi_answer;

/** What somebody told us through NOTIFY. */
typedef struct pgqrsi_notice {
    char payload[1024]; /* zero-terminated; longer ones are not ours and are left out */
} pgqrsi_notice;

/** A closed pipe. `settings` must outlive it. */
pgqrs_status pgqrsi_pipe_new(const pgqrsi_conn_settings *settings, pgqrsi_pipe **out,
                             pgqrs_error *err);

/** Closes it and frees it and all that was not taken; NULL is fine. */
void pgqrsi_pipe_free(pgqrsi_pipe *pipe);

/** CLOSED to CONNECTING. The names in the address are looked up here, which may block. */
pgqrs_status pgqrsi_pipe_open(pgqrsi_pipe *pipe, pgqrs_error *err);

/** Reads and writes what can be without waiting. A failure means that the pipe is now CLOSED, and
 * why. */
pgqrs_status pgqrsi_pipe_progress(pgqrsi_pipe *pipe, pgqrs_error *err);

/** Closes it: what is under way is answered with PGQRS_EUNKNOWN. */
void pgqrsi_pipe_close(pgqrsi_pipe *pipe);

pgqrsi_pipe_state pgqrsi_pipe_state_of(const pgqrsi_pipe *pipe);

/** The socket, -1 if CLOSED, and what to wait for: POLLIN, POLLOUT. */
int pgqrsi_pipe_fd(const pgqrsi_pipe *pipe);
short pgqrsi_pipe_events(const pgqrsi_pipe *pipe);

/** Of the server's end, if OPEN: its process id, as notifications name it, and whether a pooler may
 * give the session to others between two transactions. */
int pgqrsi_pipe_backend(const pgqrsi_pipe *pipe);
int pgqrsi_pipe_is_pooled(const pgqrsi_pipe *pipe);

/** Adds a statement to the present segment: at most PGQRSI_PIPE_STATEMENTS. A failure, such as want
 * of memory, is remembered and closes the pipe at the next progress. */
void pgqrsi_pipe_send(pgqrsi_pipe *pipe, const pgqrsi_statement *statement,
                      const pgqrsi_params *params);

/** Ends the segment and sends it. There must be room: pgqrsi_pipe_room. */
void pgqrsi_pipe_sync(pgqrsi_pipe *pipe, void *arg);

/** How many more segments may be sent now; 0 unless OPEN. */
size_t pgqrsi_pipe_room(const pgqrsi_pipe *pipe);

/** How many are under way. */
size_t pgqrsi_pipe_pending(const pgqrsi_pipe *pipe);

/** Takes the next answer: 1, or 0 if none has come. After a break all that were under way come. */
int pgqrsi_pipe_take(pgqrsi_pipe *pipe, pgqrsi_answer *out);

/** Takes the next notification: 1, or 0. */
int pgqrsi_pipe_take_notice(pgqrsi_pipe *pipe, pgqrsi_notice *out);

/** What the server said of a statement whose rows are not wanted. */
typedef struct pgqrsi_outcome {
    pgqrs_status status;
    int row_count;
} pgqrsi_outcome;

/** One statement and its parameters. */
typedef struct pgqrsi_sending {
    const pgqrsi_statement *statement;
    const pgqrsi_params *params;
    /* not of the first one: written if the server answered it; NULL: not wanted */
    pgqrsi_outcome *out;
} pgqrsi_sending;

/**
 * Runs `count` statements on `conn`, each in a transaction of its own, in one exchange, and waits
 * for all answers until `deadline_ms`. *out and the status are the first one's; of the others only
 * the outcomes are kept.
 */
pgqrs_status pgqrsi_pipe_exchange(pgqrsi_conn *conn, const pgqrsi_sending *sendings, size_t count,
                                  int64_t deadline_ms, pgqrsi_rows **out, pgqrs_error *err);

#endif
