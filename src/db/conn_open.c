#include "db/conn_internal.h"

#include <ctype.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "db/sqlstate.h"

#define LOCK_TIMEOUT_MS 2000

/* In place of a process id: the session is ours. */
#define OWN_SESSION (-1)

/* Ours first: what the DSN says overrides it, but for the encoding. */
static PGconn *
start(const pgqrsi_conn_settings *settings)
{
    char user_timeout[24];
    const char *const keywords[] = { "fallback_application_name",
                                     "keepalives_idle",
                                     "keepalives_interval",
                                     "keepalives_count",
                                     "tcp_user_timeout",
                                     "gssencmode",
                                     "dbname",
                                     "client_encoding",
                                     NULL };
    const char *const values[] = {
        "pgqrs", "10", "5", "3", user_timeout, "disable", settings->conninfo, "UTF8", NULL
    };

    snprintf(user_timeout, sizeof(user_timeout), "%lld", (long long)settings->operation_timeout_ms);
    return PQconnectStartParams(keywords, values, 1);
}

/* With verbose errors the server's SQLSTATE stands in the message as ":  28P01: ". Copies it and
 * returns where the text behind it begins; the whole message if there is none. */
static const char *
find_sqlstate(const char *message, char sqlstate[6])
{
    sqlstate[0] = '\0';
    for (const char *p = strstr(message, ":  "); p != NULL; p = strstr(p + 1, ":  ")) {
        int length = 0;

        while (length < 5 &&
               (isdigit((unsigned char)p[3 + length]) || isupper((unsigned char)p[3 + length])))
            length++;
        if (length == 5 && p[8] == ':' && p[9] == ' ') {
            memcpy(sqlstate, p + 3, 5);
            sqlstate[5] = '\0';
            return p + 10;
        }
    }
    return message;
}

static const char *
advice(pgqrs_status status)
{
    switch (status) {
    case PGQRS_EAUTH:
        return "; check the user, the password and the server's pg_hba.conf";
    case PGQRS_ECONFIG:
        return "; create the database or correct its name in the DSN";
    case PGQRS_EDENIED:
        return "; ask for the CONNECT privilege";
    default:
        return "; check the host and port in the DSN, and that the server runs";
    }
}

/* Whether libpq refused what it was told, before it tried to connect: there is nothing else to tell
 * that by. What it quotes then is no password: dsn.c has refused what would make a part of one the
 * port. */
static int
is_about_settings(const char *message)
{
    static const char *const beginnings[] = {
        "could not match ",       /* 3 port numbers to 2 hosts */
        "definition of service ", /* not found */
        "host name must be specified",
        "invalid port number",
        "nested service specifications",
        "service file ", /* not found */
        "syntax error in service file ",
    };

    for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++)
        if (strncmp(message, beginnings[i], strlen(beginnings[i])) == 0)
            return 1;
    return strncmp(message, "invalid ", 8) == 0 && strstr(message, " value") != NULL;
}

pgqrs_status
pgqrsi_conn_refused(const pgqrsi_conn *conn, pgqrs_error *err)
{
    char sqlstate[6];
    const char *message = find_sqlstate(PQerrorMessage(conn->pg), sqlstate);
    pgqrs_status status = pgqrsi_sqlstate_of_connection(sqlstate);
    size_t length = strcspn(message, "\n");

    /* Without an answer of the server libpq explains itself over several lines; the first says what
     * happened, and where a password is missing there is no SQLSTATE. */
    if (sqlstate[0] == '\0' && PQconnectionNeedsPassword(conn->pg))
        status = PGQRS_EAUTH;
    if (status == PGQRS_ECONNECT && is_about_settings(message))
        return pgqrsi_error_set(
            err, PGQRS_ECONFIG,
            "cannot connect to the server: %.*s; correct that in the DSN or the environment",
            (int)length, message);
    status = pgqrsi_error_set(err, status, "cannot connect to the server: %.*s%s", (int)length,
                              message, advice(status));
    pgqrsi_error_set_sqlstate(err, sqlstate);
    return status;
}

/* What has arrived by the deadline is read once: a server that never stops to send is ready at any
 * time. */
static pgqrs_status
await_connection(const pgqrsi_conn *conn, int64_t deadline_ms, pgqrs_error *err)
{
    PostgresPollingStatusType polling = PGRES_POLLING_WRITING;
    int is_last = 0;

    while (polling != PGRES_POLLING_OK) {
        int is_over = is_last;

        if (polling == PGRES_POLLING_FAILED)
            return pgqrsi_conn_refused(conn, err);
        is_last = pgqrsi_clock_left_ms(deadline_ms) == 0;
        if (is_over ||
            pgqrsi_conn_wait(conn->pg, polling == PGRES_POLLING_WRITING ? POLLIN | POLLOUT : POLLIN,
                             deadline_ms) == PGQRSI_WAIT_TIMEOUT)
            return pgqrsi_error_set(
                err, PGQRS_ETIMEDOUT,
                "cannot connect to the server: it did not answer in time; check the host and port "
                "in the DSN, or raise connection_timeout_seconds");
        polling = PQconnectPoll(conn->pg);
    }
    return PGQRS_OK;
}

void
pgqrsi_conn_probe_params(const pgqrsi_conn *conn, const pgqrsi_conn_settings *settings,
                         pgqrsi_params *params)
{
    pgqrsi_params_add_int(params, settings->owns_sessions ? OWN_SESSION : PQbackendPID(conn->pg));
    pgqrsi_params_add_int(params,
                          settings->operation_timeout_ms - settings->operation_timeout_ms / 10);
    pgqrsi_params_add_int(params, settings->operation_timeout_ms / 2 < LOCK_TIMEOUT_MS
                                      ? settings->operation_timeout_ms / 2
                                      : LOCK_TIMEOUT_MS);
}

pgqrs_status
pgqrsi_conn_probed(pgqrsi_conn *conn, const pgqrsi_rows *rows, pgqrs_error *err)
{
    const char *encoding = pg_encoding_to_char(PQclientEncoding(conn->pg));

    conn->pooled = pgqrsi_rows_int(rows, 0, 0) == 0;
    conn->backend = (int)pgqrsi_rows_int(rows, 0, 3);
    if (pgqrsi_rows_int(rows, 0, 1) != 0)
        return pgqrsi_error_set(
            err, PGQRS_ECONNECT,
            "cannot use this server: it is a standby, which cannot be written to; name the "
            "primary in the DSN, or all hosts with target_session_attrs=read-write");
    if (pgqrsi_rows_int(rows, 0, 2) != 0)
        return pgqrsi_error_set(err, PGQRS_ECONNECT,
                                "cannot use this session: it is read-only, since "
                                "default_transaction_read_only is on for the "
                                "server, the database, the role or in the DSN; set it to off "
                                "there, and look whether the "
                                "server's disk is full");
    if (strcmp(encoding, "UTF8") != 0)
        return pgqrsi_error_set(
            err, PGQRS_ECONNECT,
            "cannot use this session: its client_encoding is \"%s\" though UTF8 was "
            "asked for; connect to the server itself, or correct the pooler",
            encoding);
    if (pgqrsi_rows_int(rows, 0, 5) == 0)
        return pgqrsi_error_set(
            err, PGQRS_ECONFIG,
            "cannot use this session: its search_path names other schemas before pg_catalog, where "
            "others may have put functions and operators; leave pg_catalog out of the search_path "
            "of "
            "the role and the database, or name it first");
    return PGQRS_OK;
}

/* The first statement: see connection/probe.sql. */
static pgqrs_status
probe(pgqrsi_conn *conn, const pgqrsi_conn_settings *settings, int64_t deadline_ms,
      pgqrs_error *err)
{
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    pgqrsi_rows *rows = NULL;
    pgqrs_status status;

    pgqrsi_conn_probe_params(conn, settings, &params);
    status = pgqrsi_conn_run(conn, settings->probe, &params, deadline_ms, &rows, err);
    pgqrsi_params_release(&params);
    if (status == PGQRS_EUNKNOWN)
        status = pgqrsi_error_set(err, PGQRS_ECONNECT,
                                  "cannot connect to the server: it ended the session at once");
    if (status != PGQRS_OK)
        return status;
    status = pgqrsi_conn_probed(conn, rows, err);
    pgqrsi_rows_free(rows);
    return status;
}

pgqrs_status
pgqrsi_conn_begin(const pgqrsi_conn_settings *settings, pgqrsi_conn **out, pgqrs_error *err)
{
    pgqrsi_conn *conn = calloc(1, sizeof(*conn));
    pgqrs_status status;

    if (conn == NULL)
        return pgqrsi_error_memory(err);
    conn->pooled = 1; /* until the probe proves otherwise: prepares nothing */
    conn->pg = start(settings);
    if (conn->pg == NULL) {
        free(conn);
        return pgqrsi_error_memory(err);
    }
    if (PQstatus(conn->pg) == CONNECTION_BAD) {
        status = pgqrsi_conn_refused(conn, err);
        pgqrsi_conn_close(conn);
        return status;
    }
    PQsetNoticeReceiver(conn->pg, pgqrsi_conn_on_notice, conn);
    PQsetErrorVerbosity(conn->pg, PQERRORS_VERBOSE);
    *out = conn;
    return PGQRS_OK;
}

pgqrs_status
pgqrsi_conn_open(const pgqrsi_conn_settings *settings, int64_t deadline_ms, pgqrsi_conn **out,
                 pgqrs_error *err)
{
    pgqrsi_conn *conn = NULL;
    pgqrs_status status = pgqrsi_conn_begin(settings, &conn, err);

    if (status != PGQRS_OK)
        return status;
    status = await_connection(conn, deadline_ms, err);
    if (status == PGQRS_OK) {
        PQsetErrorVerbosity(conn->pg, PQERRORS_DEFAULT);
        status = probe(conn, settings, deadline_ms, err);
    }
    if (status != PGQRS_OK) {
        pgqrsi_conn_close(conn);
        return status;
    }
    *out = conn;
    return PGQRS_OK;
}
