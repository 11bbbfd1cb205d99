#include "db/conn_internal.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "db/rows_internal.h"
#include "db/shape_internal.h"

/* How often an idle connection is read from before it is given up: nothing is due on it. */
#define IDLE_READS 16

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

/* When a commit waits for a synchronous standby and is told not to, the server reports success and
 * this warning: committed here, perhaps nowhere else. Its text is translated; the function that
 * raises it is not. */
void
pgqrsi_conn_on_notice(void *arg, const PGresult *result)
{
    pgqrsi_conn *conn = arg;
    const char *function = PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION);

    if (function != NULL && strcmp(function, "SyncRepWaitForLSN") == 0)
        conn->sync_cancelled = 1;
    /* An error that answers nothing: the server ends an idle session. */
    if (PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED) != NULL &&
        strcmp(PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED), "FATAL") == 0) {
        conn->broken = 1;
        conn->why = "the server ended the session";
    }
}

/*
 * What the session of a borrowed connection may be set to, and why nothing else of it is looked at.
 *
 * Parameters are sent in binary form with their types named, and rows come back in binary form:
 * DateStyle, TimeZone, IntervalStyle, bytea_output, extra_float_digits, lc_*, array_nulls and
 * xmlbinary say how values are written as text, which happens nowhere. standard_conforming_strings
 * and backslash_quote matter for literals: the only ones are names that we write ourselves, in a
 * form that both settings read alike. Tables are named with their schema, functions and operators
 * are found by exact types. The encoding does matter: text and JSON are converted from it, in
 * binary form as well, so what is UTF-8 here would be stored as something else. Read-only
 * transactions, timeouts, isolation, row security and synchronous_commit are the owner's choice,
 * and what they refuse is told as the server says it.
 */
static pgqrs_status
check_borrowed(const PGconn *connection, pgqrs_error *err)
{
    const char *encoding;

    if (connection == NULL || PQstatus(connection) != CONNECTION_OK)
        return pgqrsi_error_set(err, PGQRS_EINVAL,
                                "refused a PGconn that is not connected: connect it first");
    if (PQtransactionStatus(connection) != PQTRANS_INTRANS ||
        PQpipelineStatus(connection) != PQ_PIPELINE_OFF)
        return pgqrsi_error_set(
            err, PGQRS_EINVAL,
            "refused a PGconn that is not idle in a transaction: BEGIN one on it first, "
            "and roll back one that failed");
    encoding = pg_encoding_to_char(PQclientEncoding(connection));
    if (strcmp(encoding, "UTF8") != 0)
        return pgqrsi_error_set(
            err, PGQRS_EINVAL,
            "refused a PGconn whose client encoding is \"%s\", since payloads are UTF-8: call "
            "PQsetClientEncoding(connection, \"UTF8\") before the transaction",
            encoding);
    return PGQRS_OK;
}

pgqrs_status
pgqrsi_conn_borrow(PGconn *connection, pgqrsi_conn **out, pgqrs_error *err)
{
    pgqrs_status status = check_borrowed(connection, err);
    pgqrsi_conn *conn;

    if (status != PGQRS_OK)
        return status;
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
    /* Until there is nothing more to read: after a farewell comes the end of file. */
    for (int reads = 0; pgqrsi_conn_wait(conn->pg, POLLIN, 0) != PGQRSI_WAIT_TIMEOUT; reads++) {
        if (!pgqrsi_conn_consume(conn) || PQstatus(conn->pg) != CONNECTION_OK)
            return 1;
        PQisBusy(conn->pg); /* hands a farewell to pgqrsi_conn_on_notice */
        if (conn->broken || reads == IDLE_READS)
            return 1;
    }
    /* Notices and parameter changes may arrive on an idle connection; a pending result may not. */
    return PQtransactionStatus(conn->pg) != PQTRANS_IDLE;
}

const char *
pgqrsi_conn_why(const pgqrsi_conn *conn)
{
    return conn->why;
}

/* The answer is lost: whether the statement was carried out is not known. */
pgqrs_status
pgqrsi_conn_lost(pgqrsi_conn *conn, const char *name, const char *why, pgqrs_error *err)
{
    conn->broken = 1;
    conn->why = why;
    return pgqrsi_error_set(err, PGQRS_EUNKNOWN,
                            "%s: %s after it was sent, so it may or may not have been carried out",
                            name, why);
}

void
pgqrsi_conn_drop_notifications(pgqrsi_conn *conn)
{
    PGnotify *notify;

    while (!conn->borrowed && (notify = PQnotifies(conn->pg)) != NULL)
        PQfreemem(notify);
}

int
pgqrsi_conn_consume(pgqrsi_conn *conn)
{
    if (!PQconsumeInput(conn->pg))
        return 0;
    pgqrsi_conn_drop_notifications(conn);
    return 1;
}

/* Waits for `events` and reads what has come. A server that never stops to send is ready at any
 * time, so the clock is looked at as well; what has arrived by the deadline is read once. NULL, or
 * why it is over. */
static const char *
wait_and_consume(pgqrsi_conn *conn, short events, int64_t deadline_ms, int *is_last)
{
    *is_last = pgqrsi_clock_left_ms(deadline_ms) == 0;
    switch (pgqrsi_conn_wait(conn->pg, events, deadline_ms)) {
    case PGQRSI_WAIT_READY:
        return pgqrsi_conn_consume(conn) ? NULL : "the connection was lost";
    case PGQRSI_WAIT_TIMEOUT:
        return "the deadline passed";
    default:
        return "the connection was lost";
    }
}

pgqrs_status
pgqrsi_conn_flush(pgqrsi_conn *conn, const char *name, int64_t deadline_ms, pgqrs_error *err)
{
    int is_last = 0;

    for (;;) {
        int pending = PQflush(conn->pg);
        const char *why = NULL;

        if (pending == 0)
            return PGQRS_OK;
        if (pending < 0)
            why = "the connection was lost";
        else if (is_last)
            why = "the deadline passed";
        else
            why = wait_and_consume(conn, POLLIN | POLLOUT, deadline_ms, &is_last);
        if (why != NULL)
            return pgqrsi_conn_lost(conn, name, why, err);
    }
}

pgqrs_status
pgqrsi_conn_await(pgqrsi_conn *conn, const char *name, int64_t deadline_ms, PGresult **out,
                  pgqrs_error *err)
{
    int is_last = 0;

    while (PQisBusy(conn->pg)) {
        const char *why =
            is_last ? "the deadline passed" : wait_and_consume(conn, POLLIN, deadline_ms, &is_last);

        if (why != NULL)
            return pgqrsi_conn_lost(conn, name, why, err);
    }
    *out = PQgetResult(conn->pg);
    return PGQRS_OK;
}

/* After PQsend...: flush and read. `sent` is what that returned. */
static pgqrs_status
finish(pgqrsi_conn *conn, const char *name, int sent, int64_t deadline_ms, PGresult **out,
       pgqrs_error *err)
{
    pgqrs_status status;

    *out = NULL;
    if (!sent) {
        conn->broken = 1;
        return pgqrsi_error_set(err, PGQRS_ECONNECT,
                                "%s: could not be sent: the connection is lost", name);
    }
    conn->sync_cancelled = 0;
    status = pgqrsi_conn_flush(conn, name, deadline_ms, err);
    if (status != PGQRS_OK)
        return status;
    return pgqrsi_conn_collect(conn, name, 0, deadline_ms, out, err);
}

/* Success, but not what the statement returns: see shape.h. */
static pgqrs_status
check_shape(pgqrsi_conn *conn, const pgqrsi_statement *statement, const pgqrsi_params *params,
            const PGresult *result, pgqrs_error *err)
{
    const char *why = pgqrsi_shape_mismatch(statement->shape,
                                            pgqrsi_shape_limit(statement->shape, params), result);

    return why == NULL ? PGQRS_OK : pgqrsi_conn_lost(conn, statement->name, why, err);
}

/* Prepares the statement first, if it has been run before; see prepared.h. *by_name is 1 if it is
 * to be run by name. Nothing of the statement itself has been sent when this fails. */
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
        status = finish(conn, statement->name, pgqrsi_conn_send_drop(conn, victim), deadline_ms,
                        &result, err);
        pgqrsi_prepared_settle(conn->prepared, victim, status == PGQRS_OK);
        PQclear(result);
        result = NULL;
    }
    if (run_as >= PGQRSI_RUN_PREPARE) {
        if (status == PGQRS_OK)
            status =
                finish(conn, statement->name, pgqrsi_conn_send_prepare(conn, statement, params),
                       deadline_ms, &result, err);
        pgqrsi_prepared_settle(conn->prepared, statement->serial, status == PGQRS_OK);
        PQclear(result);
    }
    if (status == PGQRS_EUNKNOWN)
        return pgqrsi_error_set(err, PGQRS_ECONNECT,
                                "%s: the connection was lost before it was sent", statement->name);
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
        status = finish(conn, statement->name,
                        pgqrsi_conn_send_statement(conn, statement, params, by_name), deadline_ms,
                        &result, err);
    if (status == PGQRS_OK)
        status = check_shape(conn, statement, params, result, err);
    if (conn->borrowed && PQtransactionStatus(conn->pg) != PQTRANS_ACTIVE)
        PQsetnonblocking(conn->pg, was_nonblocking);
    if (status == PGQRS_OK && out != NULL)
        *out = (pgqrsi_rows *)result;
    else
        PQclear(result);
    return status;
}

pgqrs_status
pgqrsi_conn_script(pgqrsi_conn *conn, const char *name, const char *text, int64_t deadline_ms,
                   pgqrs_error *err)
{
    PGresult *result = NULL;
    pgqrs_status status;

    if (conn->broken)
        return pgqrsi_error_set(err, PGQRS_ECONNECT, "%s: the connection is lost", name);
    PQsetnonblocking(conn->pg, 1);
    conn->sync_cancelled = 0;
    if (!PQsendQuery(conn->pg, text))
        return pgqrsi_conn_lost(conn, name, "the connection was lost", err);
    status = pgqrsi_conn_flush(conn, name, deadline_ms, err);
    if (status == PGQRS_OK)
        status = pgqrsi_conn_collect(conn, name, 1, deadline_ms, &result, err);
    PQclear(result);
    return status;
}
