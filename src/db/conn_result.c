#include "db/conn_internal.h"

#include <string.h>

#include "base/error.h"
#include "db/sqlstate.h"

/* What to do about it, where that is the same whatever the statement was. */
static const char *
advice(pgqrs_status status)
{
    switch (status) {
    case PGQRS_EDENIED:
        return "; ask the owner of the schema for that privilege";
    case PGQRS_ETIMEDOUT:
        return "; the server is busy, or another session holds a lock: try again";
    case PGQRS_ECONNECT:
        return "; name the server that can be written to";
    default:
        return "";
    }
}

/* Whether the session will fail alike with every further statement, or with this one each time: it
 * is read-only, what was prepared is gone, or what was prepared returns other columns than before.
 * A new one may be better. */
static int
is_unfit(const PGresult *result, const char *sqlstate)
{
    const char *function = PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION);

    return strcmp(sqlstate, "25006") == 0 || strcmp(sqlstate, "26000") == 0 ||
           strcmp(sqlstate, "42P05") == 0 ||
           (function != NULL && strcmp(function, "RevalidateCachedQuery") == 0);
}

/* The server's primary message only: its detail may quote a row, and so a payload. */
pgqrs_status
pgqrsi_conn_server_error(pgqrsi_conn *conn, const char *name, const PGresult *result,
                         pgqrs_error *err)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    pgqrs_status status;

    if (sqlstate == NULL)
        sqlstate = "";
    if (is_unfit(result, sqlstate))
        conn->unfit = 1;
    status = pgqrsi_sqlstate_of_statement(sqlstate);
    pgqrsi_error_set(err, status, "%s: the server reported: %s (SQLSTATE %s)%s", name,
                     message != NULL ? message : "no message", sqlstate, advice(status));
    pgqrsi_error_set_sqlstate(err, sqlstate);
    return status;
}

/* FATAL and PANIC end the session. Whether a commit was under way then is not known. */
int
pgqrsi_conn_ends_session(const PGresult *result)
{
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);

    return severity != NULL && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0);
}

/* libpq makes results up as well, when the connection is gone or there is no memory for what the
 * server sent: then that is lost, and it may have been a success. */
int
pgqrsi_conn_is_of_server(const PGresult *result)
{
    return PQresultStatus(result) == PGRES_FATAL_ERROR &&
           PQresultErrorField(result, PG_DIAG_SQLSTATE) != NULL;
}

int
pgqrsi_conn_is_success(const PGresult *result)
{
    return PQresultStatus(result) == PGRES_COMMAND_OK || PQresultStatus(result) == PGRES_TUPLES_OK;
}

pgqrs_status
pgqrsi_conn_out_of_place(pgqrsi_conn *conn, const char *name, const PGresult *result,
                         pgqrs_error *err)
{
    if (pgqrsi_conn_ends_session(result))
        return pgqrsi_conn_lost(conn, name, "the server ended the session", err);
    switch (PQresultStatus(result)) {
    case PGRES_COPY_IN:
    case PGRES_COPY_OUT:
    case PGRES_COPY_BOTH:
        return pgqrsi_conn_lost(conn, name, "the server began a COPY that was not asked for", err);
    case PGRES_FATAL_ERROR:
        if (PQstatus(conn->pg) != CONNECTION_OK)
            return pgqrsi_conn_lost(conn, name, "the connection was lost", err);
        return pgqrsi_conn_lost(conn, name,
                                "the answer could not be read, or there was no memory for it", err);
    default:
        return pgqrsi_conn_lost(conn, name, "the server answered out of order", err);
    }
}

/* One result of several. A failure of the server's is told once; what is out of place ends it
 * all. */
static pgqrs_status
judge(pgqrsi_conn *conn, const char *name, const PGresult *result, pgqrs_status status,
      pgqrs_error *err)
{
    if (pgqrsi_conn_ends_session(result) || !pgqrsi_conn_is_of_server(result))
        return pgqrsi_conn_out_of_place(conn, name, result, err);
    return status == PGQRS_OK ? pgqrsi_conn_server_error(conn, name, result, err) : status;
}

/* What returns rows neither begins nor ends a transaction. */
static int
is_transaction_right(pgqrsi_conn *conn, const PGresult *last)
{
    int is_inside = PQtransactionStatus(conn->pg) != PQTRANS_IDLE,
        was_inside = conn->in_transaction;

    conn->in_transaction = is_inside;
    return conn->borrowed || is_inside == was_inside || PQnfields(last) == 0;
}

/* All results are there, `last` is the last one: whether that is to be believed. */
static pgqrs_status
conclude(pgqrsi_conn *conn, const char *name, const PGresult *last, pgqrs_status status,
         pgqrs_error *err)
{
    if (PQstatus(conn->pg) != CONNECTION_OK)
        return pgqrsi_conn_lost(conn, name, "the connection was lost", err);
    if (last == NULL)
        return pgqrsi_conn_lost(conn, name, "the server answered nothing", err);
    if (!is_transaction_right(conn, last))
        return pgqrsi_conn_lost(conn, name, "the server began or ended a transaction unasked", err);
    if (conn->unfit)
        conn->broken = 1;
    if (status == PGQRS_OK && conn->sync_cancelled)
        return pgqrsi_error_set(
            err, PGQRS_EUNKNOWN,
            "%s: the server stopped waiting for its standby: it is stored on the primary, but "
            "perhaps nowhere else",
            name);
    return status;
}

pgqrs_status
pgqrsi_conn_collect(pgqrsi_conn *conn, const char *name, int script, int64_t deadline_ms,
                    PGresult **out, pgqrs_error *err)
{
    pgqrs_status status = PGQRS_OK;
    PGresult *kept = NULL, *result = NULL;
    int count = 0;

    for (;;) {
        pgqrs_status waited = pgqrsi_conn_await(conn, name, deadline_ms, &result, err);

        if (waited != PGQRS_OK) {
            PQclear(kept);
            return waited;
        }
        if (result == NULL)
            break;
        if (!pgqrsi_conn_is_success(result))
            status = judge(conn, name, result, status, err);
        else if (count++ > 0 && !script)
            status = pgqrsi_conn_lost(conn, name, "the server answered twice", err);
        PQclear(kept);
        kept = result;
        if (conn->broken)
            break;
    }
    if (!conn->broken)
        status = conclude(conn, name, kept, status, err);
    /* by a farewell: without the end of the answer nothing is certain */
    else if (status == PGQRS_OK)
        status = pgqrsi_conn_lost(conn, name, "the server ended the session", err);
    if (status != PGQRS_OK) {
        PQclear(kept);
        return status;
    }
    *out = kept;
    return PGQRS_OK;
}
