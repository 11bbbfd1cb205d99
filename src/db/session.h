/*
 * Detects whether a pooler keeps a session for its client until the client disconnects (PgBouncer
 * in session mode) or lends it to others between two transactions (transaction mode).
 *
 * An unchanged process id proves nothing: a lone client gets the same session again and again. The
 * test compares two connections in turn: in transaction mode the second one mostly gets the session
 * that the first has just left. If the two look separate for a while, the test makes sure: one
 * connection listens and goes idle, the other one notifies. In transaction mode the first has no
 * session at that moment, and no notification can reach it. A notification that arrives proves
 * session mode. Without one the client assumes transaction mode, which is always safe.
 *
 * The client runs the test when it is opened. After a change of the pooler's mode, open the client
 * again.
 */
#ifndef PGQRSI_DB_SESSION_H
#define PGQRSI_DB_SESSION_H

#include "db/conn.h"

/** What is asked: statements of that name in sql/queries/connection. */
typedef struct pgqrsi_session_statements {
    const pgqrsi_statement *backend, *hear, *tell, *forget;
} pgqrsi_session_statements;

/** Whether `conn`, which is pooled and idle, keeps its session: 1 if that is certain. Opens another
 * connection meanwhile. Afterwards `conn` is to be closed. Blocks until `deadline_ms` at most. */
int pgqrsi_session_is_kept(pgqrsi_conn *conn, const pgqrsi_conn_settings *settings,
                           const pgqrsi_session_statements *statements, int64_t deadline_ms);

#endif
