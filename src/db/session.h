/*
 * Finding out whether a pooler leaves a session to its client until the client goes (PgBouncer in session
 * mode), or gives it away between two transactions.
 *
 * That a process id stays the same proves nothing: a lone client is given the same session again and again.
 * So two connections are compared, in turn: where sessions are given away, the second one is mostly given the
 * one that the first has just left. Only when the two look separate for a while, the proof is made: one
 * connection listens, and then says nothing, while the other one notifies. Where sessions are given away, the
 * first has none at that moment, and nothing can reach it. A notification that arrives is certain; without
 * one the pooler is taken to give sessions away, which is always safe.
 *
 * It is found out when a client is opened. A pooler that is told to work otherwise afterwards needs its
 * clients to be opened anew.
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
