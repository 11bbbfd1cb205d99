/*
 * For src/db only: the struct of a connection, and waits on its socket.
 */
#ifndef PGQRSI_DB_CONN_INTERNAL_H
#define PGQRSI_DB_CONN_INTERNAL_H

#include <libpq-fe.h>

#include "db/conn.h"
#include "db/prepared.h"

struct pgqrsi_conn {
    PGconn *pg;
    int borrowed;
    int pooled;  /* a pooler is in between: no prepared statements, no session state */
    int backend; /* the server's process id, which notifications name */
    int broken;  /* see the diagram in conn.h; never reset */
    /* a clause about why it is broken; NULL: it is not, or the server said it in words */
    const char *why;
    int in_transaction; /* what the server said last */
    /* the server said what makes this session useless: it breaks when that is answered */
    int unfit;
    /* the server said that it stopped waiting for a standby; reset before each statement */
    int sync_cancelled;
    pgqrsi_prepared *prepared; /* NULL until a statement is run that can be prepared */
};

typedef enum pgqrsi_wait { PGQRSI_WAIT_READY, PGQRSI_WAIT_TIMEOUT, PGQRSI_WAIT_FAILED } pgqrsi_wait;

/** Waits for `events` of poll(2) on the connection's socket. */
pgqrsi_wait pgqrsi_conn_wait(const PGconn *pg, short events, int64_t deadline_ms);

/** libpq's notice receiver: nothing is printed, and the one notice that matters is remembered. A
 * borrowed connection keeps its owner's. */
void pgqrsi_conn_on_notice(void *conn, const PGresult *result);

/** Begins to connect, without waiting: go on with PQconnectPoll. */
pgqrs_status pgqrsi_conn_begin(const pgqrsi_conn_settings *settings, pgqrsi_conn **out,
                               pgqrs_error *err);

/** Reports that connecting failed, from what libpq says. */
pgqrs_status pgqrsi_conn_refused(const pgqrsi_conn *conn, pgqrs_error *err);

/** Parameters of the probe, and what it said. */
void pgqrsi_conn_probe_params(const pgqrsi_conn *conn, const pgqrsi_conn_settings *settings,
                              pgqrsi_params *params);
pgqrs_status pgqrsi_conn_probed(pgqrsi_conn *conn, const pgqrsi_rows *rows, pgqrs_error *err);

/** How to run `statement` here: unprepared on a borrowed connection, through a pooler, and out of
 * memory. */
pgqrsi_run_as pgqrsi_conn_plan(pgqrsi_conn *conn, const pgqrsi_statement *statement,
                               uint64_t *victim);

/** Hands libpq the preparation of a statement, the end of one, a statement; 0 on failure. */
int pgqrsi_conn_send_prepare(pgqrsi_conn *conn, const pgqrsi_statement *statement,
                             const pgqrsi_params *params);
int pgqrsi_conn_send_drop(pgqrsi_conn *conn, uint64_t serial);
int pgqrsi_conn_send_statement(pgqrsi_conn *conn, const pgqrsi_statement *statement,
                               const pgqrsi_params *params, int by_name);

/** Sends what libpq has buffered, reading meanwhile so that both sides cannot wait for each other.
 * PGQRS_EUNKNOWN, and the connection is broken. */
pgqrs_status pgqrsi_conn_flush(pgqrsi_conn *conn, const char *name, int64_t deadline_ms,
                               pgqrs_error *err);

/** The next result of what was sent; NULL behind the last one. PGQRS_EUNKNOWN, and the connection
 * is broken. */
pgqrs_status pgqrsi_conn_await(pgqrsi_conn *conn, const char *name, int64_t deadline_ms,
                               PGresult **out, pgqrs_error *err);

/** Reads every result of what was sent, so that the connection is idle again: one, or any number if
 * `script` is 1. Keeps the last one. A result that is out of place breaks the connection. */
pgqrs_status pgqrsi_conn_collect(pgqrsi_conn *conn, const char *name, int script,
                                 int64_t deadline_ms, PGresult **out, pgqrs_error *err);

/** Reports a failure that the server told. Some say that the session is of no use any more: it is
 * read-only, or has lost what was prepared. */
pgqrs_status pgqrsi_conn_server_error(pgqrsi_conn *conn, const char *name, const PGresult *result,
                                      pgqrs_error *err);

/** A result that is neither success nor an error of the server's own: reports it and breaks the
 * connection. PGQRS_EUNKNOWN. */
pgqrs_status pgqrsi_conn_out_of_place(pgqrsi_conn *conn, const char *name, const PGresult *result,
                                      pgqrs_error *err);

/** Success, with rows or without. */
int pgqrsi_conn_is_success(const PGresult *result);

/** Frees notifications that have arrived on a connection that does not listen; a borrowed one keeps
 * them. */
void pgqrsi_conn_drop_notifications(pgqrsi_conn *conn);

/** Reads what has arrived; 0 if the connection is lost. Drops notifications. */
int pgqrsi_conn_consume(pgqrsi_conn *conn);

/** Reports that an answer is lost, and breaks the connection. `why` is a clause that outlives the
 * connection. Returns PGQRS_EUNKNOWN. */
pgqrs_status pgqrsi_conn_lost(pgqrsi_conn *conn, const char *name, const char *why,
                              pgqrs_error *err);

/** FATAL and PANIC end the session. Whether a commit was under way then is not known. */
int pgqrsi_conn_ends_session(const PGresult *result);

/** libpq makes results up as well, when the connection is gone or there is no memory for what the
 * server sent: then that is lost, and it may have been a success. */
int pgqrsi_conn_is_of_server(const PGresult *result);

#endif
