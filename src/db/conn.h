/*
 * One connection to the server: open, run statements, close, each within a deadline.
 *
 *   open ---> idle <---> asking ---> broken ---> close
 *
 * A connection breaks when the network fails, the server ends the session, or a deadline passes
 * during a statement: a later answer could not be matched to its statement. Every further call on a
 * broken connection fails at once.
 *
 * A connection can be borrowed from a caller (<pgqrs/transaction.h>). Nothing is prepared, set or
 * closed on a borrowed connection.
 *
 * One thread at a time.
 */
#ifndef PGQRSI_DB_CONN_H
#define PGQRSI_DB_CONN_H

#include <stdatomic.h>
#include <stdint.h>

#include <pgqrs/error.h>

#include "db/params.h"
#include "db/rows.h"
#include "db/statement.h"

struct pg_conn;

typedef struct pgqrsi_conn pgqrsi_conn;

/** How connections are made. */
typedef struct pgqrsi_conn_settings {
    const char *conninfo; /* as libpq takes it */
    int64_t connect_timeout_ms;
    int64_t operation_timeout_ms;
    const pgqrsi_statement *probe; /* the first statement of each connection */
    atomic_int owns_sessions;      /* 1: a pooler in between is known to leave sessions alone */
} pgqrsi_conn_settings;

/** Connects before `deadline_ms`. PGQRS_ECONNECT, PGQRS_EAUTH, PGQRS_ECONFIG (no such database),
 * PGQRS_ETIMEDOUT, PGQRS_EDENIED, PGQRS_ENOMEM. */
pgqrs_status pgqrsi_conn_open(const pgqrsi_conn_settings *settings, int64_t deadline_ms,
                              pgqrsi_conn **out, pgqrs_error *err);

/** Wraps a caller's connection, which must be idle in a transaction (PGQRS_EINVAL otherwise). */
pgqrs_status pgqrsi_conn_borrow(struct pg_conn *connection, pgqrsi_conn **out, pgqrs_error *err);

/** Closes it, or gives it back if borrowed. NULL is fine. */
void pgqrsi_conn_close(pgqrsi_conn *conn);

int pgqrsi_conn_is_pooled(const pgqrsi_conn *conn);
int pgqrsi_conn_is_broken(const pgqrsi_conn *conn);

/** Why it is broken, as a clause that lives for ever; NULL if it is not or that is not known. */
const char *pgqrsi_conn_why(const pgqrsi_conn *conn);

/** For one that lay idle: 1 if the server has ended it or it is out of step meanwhile. Does not
 * block. */
int pgqrsi_conn_is_stale(pgqrsi_conn *conn);

/**
 * Runs one statement. `params` may be NULL, and `out` too if the rows are of no interest; the
 * caller frees *out. A failure of the server is mapped by its SQLSTATE; PGQRS_EUNKNOWN if the
 * answer was lost after sending.
 */
pgqrs_status pgqrsi_conn_run(pgqrsi_conn *conn, const pgqrsi_statement *statement,
                             const pgqrsi_params *params, int64_t deadline_ms, pgqrsi_rows **out,
                             pgqrs_error *err);

/** Runs several statements without parameters, as one transaction unless one is open. `name` is for
 * errors. */
pgqrs_status pgqrsi_conn_script(pgqrsi_conn *conn, const char *name, const char *text,
                                int64_t deadline_ms, pgqrs_error *err);

#endif
