#include "db/conn_internal.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "db/rows_internal.h"
#include "db/sqlstate.h"

pgqrsi_wait
pgqrsi_conn_wait(const PGconn *pg, short events, int64_t deadline_ms)
{
    struct pollfd entry = { .fd = PQsocket(pg), .events = events };

    if (entry.fd < 0)
        return PGQRSI_WAIT_FAILED;
    for (;;) {
        int ready = poll(&entry, 1, pgqrsi_clock_left_ms(deadline_ms));

        if (ready > 0)
            return PGQRSI_WAIT_READY;
        if (ready == 0)
            return PGQRSI_WAIT_TIMEOUT;
        if (errno != EINTR)
            return PGQRSI_WAIT_FAILED;
    }
}

/* When a commit waits for a synchronous standby and is told not to, the server reports success and this
 * warning: committed here, perhaps nowhere else. Its text is translated; the function that raises it is not.
 */
void
pgqrsi_conn_on_notice(void *arg, const PGresult *result)
{
    pgqrsi_conn *conn = arg;
    const char *function = PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION);

    if (function != NULL && strcmp(function, "SyncRepWaitForLSN") == 0)
        conn->sync_cancelled = 1;
    /* An error that answers nothing: the server ends an idle session. */
    if (PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED) != NULL &&
        strcmp(PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED), "FATAL") == 0)
        conn->broken = 1;
}

pgqrs_status
pgqrsi_conn_borrow(PGconn *connection, pgqrsi_conn **out, pgqrs_error *err)
{
    pgqrsi_conn *conn;

    if (connection == NULL || PQstatus(connection) != CONNECTION_OK)
        return pgqrsi_error_set(err, PGQRS_EINVAL,
                                "refused a PGconn that is not connected: connect it first");
    if (PQtransactionStatus(connection) != PQTRANS_INTRANS || PQpipelineStatus(connection) != PQ_PIPELINE_OFF)
        return pgqrsi_error_set(err, PGQRS_EINVAL,
                                "refused a PGconn that is not idle in a transaction: BEGIN one on it first, "
                                "and roll back one that failed");
    conn = calloc(1, sizeof(*conn));
    if (conn == NULL)
        return pgqrsi_error_memory(err);
    conn->pg = connection;
    conn->borrowed = 1;
    *out = conn;
    return PGQRS_OK;
}

void
pgqrsi_conn_close(pgqrsi_conn *conn)
{
    if (conn == NULL)
        return;
    if (!conn->borrowed)
        PQfinish(conn->pg);
    free(conn->prepared);
    free(conn);
}

int
pgqrsi_conn_is_pooled(const pgqrsi_conn *conn)
{
    return conn->pooled;
}

int
pgqrsi_conn_is_broken(const pgqrsi_conn *conn)
{
    return conn->broken;
}

int
pgqrsi_conn_is_stale(pgqrsi_conn *conn)
{
    if (conn->broken)
        return 1;
    /* Until there is nothing more to read: behind a farewell comes the end of file. */
    while (pgqrsi_conn_wait(conn->pg, POLLIN, 0) != PGQRSI_WAIT_TIMEOUT) {
        if (!PQconsumeInput(conn->pg) || PQstatus(conn->pg) != CONNECTION_OK)
            return 1;
        PQisBusy(conn->pg); /* hands a farewell to pgqrsi_conn_on_notice */
        if (conn->broken)
            return 1;
    }
    /* Notices and parameter changes may arrive on an idle connection; a pending result may not. */
    return PQtransactionStatus(conn->pg) != PQTRANS_IDLE;
}

/* The answer is lost: whether the statement was carried out is not known. */
pgqrs_status
pgqrsi_conn_lost(pgqrsi_conn *conn, const char *name, const char *why, pgqrs_error *err)
{
    conn->broken = 1;
    return pgqrsi_error_set(err, PGQRS_EUNKNOWN,
                            "%s: %s after it was sent, so it may or may not have been carried out", name,
                            why);
}

pgqrs_status
pgqrsi_conn_flush(pgqrsi_conn *conn, const char *name, int64_t deadline_ms, pgqrs_error *err)
{
    for (;;) {
        int pending = PQflush(conn->pg);

        if (pending == 0)
            return PGQRS_OK;
        if (pending < 0)
            return pgqrsi_conn_lost(conn, name, "the connection was lost", err);
        switch (pgqrsi_conn_wait(conn->pg, POLLIN | POLLOUT, deadline_ms)) {
        case PGQRSI_WAIT_READY:
            if (!PQconsumeInput(conn->pg))
                return pgqrsi_conn_lost(conn, name, "the connection was lost", err);
            break;
        case PGQRSI_WAIT_TIMEOUT:
            return pgqrsi_conn_lost(conn, name, "the deadline passed", err);
        case PGQRSI_WAIT_FAILED:
            return pgqrsi_conn_lost(conn, name, "the connection was lost", err);
        }
    }
}

pgqrs_status
pgqrsi_conn_await(pgqrsi_conn *conn, const char *name, int64_t deadline_ms, PGresult **out, pgqrs_error *err)
{
    while (PQisBusy(conn->pg)) {
        pgqrsi_wait wait = pgqrsi_conn_wait(conn->pg, POLLIN, deadline_ms);

        if (wait == PGQRSI_WAIT_TIMEOUT)
            return pgqrsi_conn_lost(conn, name, "the deadline passed", err);
        if (wait == PGQRSI_WAIT_FAILED || !PQconsumeInput(conn->pg))
            return pgqrsi_conn_lost(conn, name, "the connection was lost", err);
    }
    *out = PQgetResult(conn->pg);
    return PGQRS_OK;
}

/* What to do about it, where that is the same whatever the statement was. */
static const char *
advice(pgqrs_status status)
{
    switch (status) {
    case PGQRS_EDENIED:
        return "; ask the owner of the schema for that privilege";
    case PGQRS_ETIMEDOUT:
        return "; the server is busy or somebody holds a lock: try again";
    case PGQRS_ECONNECT:
        return "; name the server that can be written to";
    default:
        return "";
    }
}

/* The server's primary message only: its detail may quote a row, and so a payload. */
pgqrs_status
pgqrsi_conn_server_error(const char *name, const PGresult *result, pgqrs_error *err)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    pgqrs_status status;

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

/* libpq makes results up as well, when the connection is gone or there is no memory for what the server
 * sent: then that is lost, and it may have been a success. */
int
pgqrsi_conn_is_of_server(const PGresult *result)
{
    return PQresultErrorField(result, PG_DIAG_SQLSTATE) != NULL;
}

pgqrs_status
pgqrsi_conn_collect(pgqrsi_conn *conn, const char *name, int64_t deadline_ms, PGresult **out,
                    pgqrs_error *err)
{
    pgqrs_status status = PGQRS_OK;
    PGresult *kept = NULL;

    for (;;) {
        PGresult *result = NULL;
        pgqrs_status waited = pgqrsi_conn_await(conn, name, deadline_ms, &result, err);

        if (waited != PGQRS_OK) {
            PQclear(kept);
            return waited;
        }
        if (result == NULL)
            break;
        switch (PQresultStatus(result)) {
        case PGRES_COMMAND_OK:
        case PGRES_TUPLES_OK:
            PQclear(kept);
            kept = result;
            continue;
        default:
            if (pgqrsi_conn_ends_session(result))
                status = pgqrsi_conn_lost(conn, name, "the server ended the session", err);
            else if (!pgqrsi_conn_is_of_server(result))
                status = pgqrsi_conn_lost(conn, name,
                                          PQstatus(conn->pg) != CONNECTION_OK
                                              ? "the connection was lost"
                                              : "the answer was lost for want of memory",
                                          err);
            else if (status == PGQRS_OK)
                status = pgqrsi_conn_server_error(name, result, err);
            PQclear(result);
        }
    }
    if (PQstatus(conn->pg) != CONNECTION_OK && !conn->broken)
        status = pgqrsi_conn_lost(conn, name, "the connection was lost", err);
    if (status == PGQRS_OK && conn->sync_cancelled)
        status = pgqrsi_error_set(
            err, PGQRS_EUNKNOWN,
            "%s: the server stopped waiting for its standby: it is stored on the primary, but "
            "perhaps nowhere else",
            name);
    if (status != PGQRS_OK) {
        PQclear(kept);
        return status;
    }
    *out = kept;
    return PGQRS_OK;
}

/* After PQsend...: flush and read. `sent` is what that returned. */
static pgqrs_status
finish(pgqrsi_conn *conn, const char *name, int sent, int64_t deadline_ms, PGresult **out, pgqrs_error *err)
{
    pgqrs_status status;

    if (!sent) {
        conn->broken = 1;
        return pgqrsi_error_set(err, PGQRS_ECONNECT, "%s: could not be sent: the connection is lost", name);
    }
    conn->sync_cancelled = 0;
    status = pgqrsi_conn_flush(conn, name, deadline_ms, err);
    if (status != PGQRS_OK)
        return status;
    return pgqrsi_conn_collect(conn, name, deadline_ms, out, err);
}

/* Prepares the statement first, if it has been run before; see prepared.h. *by_name is 1 if it is to be run
 * by name. Nothing of the statement itself has been sent when this fails. */
static pgqrs_status
prepare(pgqrsi_conn *conn, const pgqrsi_statement *statement, const pgqrsi_params *params,
        int64_t deadline_ms, int *by_name, pgqrs_error *err)
{
    uint64_t victim = 0;
    pgqrsi_run_as run_as = pgqrsi_conn_plan(conn, statement, &victim);
    PGresult *result = NULL;
    pgqrs_status status = PGQRS_OK;

    *by_name = run_as != PGQRSI_RUN_UNNAMED;
    if (run_as == PGQRSI_RUN_DROP_PREPARE) {
        status =
            finish(conn, statement->name, pgqrsi_conn_send_drop(conn, victim), deadline_ms, &result, err);
        pgqrsi_prepared_settle(conn->prepared, victim, status == PGQRS_OK);
        PQclear(result);
        result = NULL;
    }
    if (run_as >= PGQRSI_RUN_PREPARE) {
        if (status == PGQRS_OK)
            status = finish(conn, statement->name, pgqrsi_conn_send_prepare(conn, statement, params),
                            deadline_ms, &result, err);
        pgqrsi_prepared_settle(conn->prepared, statement->serial, status == PGQRS_OK);
        PQclear(result);
    }
    if (status == PGQRS_EUNKNOWN)
        return pgqrsi_error_set(err, PGQRS_ECONNECT, "%s: the connection was lost before it was sent",
                                statement->name);
    return status;
}

pgqrs_status
pgqrsi_conn_run(pgqrsi_conn *conn, const pgqrsi_statement *statement, const pgqrsi_params *params,
                int64_t deadline_ms, pgqrsi_rows **out, pgqrs_error *err)
{
    PGresult *result = NULL;
    pgqrs_status status;
    int was_nonblocking = PQisnonblocking(conn->pg);
    int by_name = 0;

    if (params != NULL && (params->bytes.failed || params->failed))
        return pgqrsi_error_memory(err);
    if (conn->broken)
        return pgqrsi_error_set(err, PGQRS_ECONNECT, "%s: the connection is lost", statement->name);
    PQsetnonblocking(conn->pg, 1);
    status = prepare(conn, statement, params, deadline_ms, &by_name, err);
    if (status == PGQRS_OK)
        status = finish(conn, statement->name, pgqrsi_conn_send_statement(conn, statement, params, by_name),
                        deadline_ms, &result, err);
    if (conn->borrowed && PQtransactionStatus(conn->pg) != PQTRANS_ACTIVE)
        PQsetnonblocking(conn->pg, was_nonblocking);
    if (status != PGQRS_OK)
        return status;
    if (out != NULL)
        *out = (pgqrsi_rows *)result;
    else
        PQclear(result);
    return PGQRS_OK;
}

pgqrs_status
pgqrsi_conn_script(pgqrsi_conn *conn, const char *name, const char *text, int64_t deadline_ms,
                   pgqrs_error *err)
{
    PGresult *result = NULL;
    pgqrs_status status;

    if (conn->broken)
        return pgqrsi_error_set(err, PGQRS_ECONNECT, "%s: the connection is lost", name);
    status = finish(conn, name, PQsendQuery(conn->pg, text), deadline_ms, &result, err);
    PQclear(result);
    return status;
}
