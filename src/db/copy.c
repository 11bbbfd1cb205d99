#include "db/copy.h"

#include <endian.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "db/conn_internal.h"

/* What is handed to libpq at once: it keeps a copy. */
#define PIECE_BYTES ((size_t)65536)

/* Of the rows that are copied: id, payload, worker. */
#define COLUMNS 3

/* The OID of a built-in type never changes. */
#define OID_INT8 20

#define LOST "the connection was lost"

#define COUNT ":count"
/* How often it is read from before the end of the rows; nothing is due then. */
#define IDLE_READS 16

#define COUNT_MAX_DIGITS 20

struct copying {
    pgqrsi_conn *conn;
    const char *name; /* for errors */
    const pgqrsi_copy *copy;
    int64_t deadline_ms;
    pgqrs_error *err;
    int has_ids;
    pgqrs_status status; /* of sending rows: after a failure nothing more is sent */
    size_t size;         /* of the piece */
    char piece[PIECE_BYTES];
};

/* Where the variable stands; names and literals may hold whatever they like. */
static const char *
find_count(const char *text)
{
    char quote = '\0';

    for (; *text != '\0'; text++) {
        if (quote != '\0')
            quote = *text == quote ? '\0' : quote;
        else if (*text == '\'' || *text == '"')
            quote = *text;
        else if (strncmp(text, COUNT, strlen(COUNT)) == 0)
            break;
    }
    return text;
}

/* The statement's text with the number in it; NULL when memory is short. */
static char *
with_count(const char *text, size_t count)
{
    const char *place = find_count(text);
    const char *rest = *place != '\0' ? place + strlen(COUNT) : place;
    size_t size = strlen(text) + COUNT_MAX_DIGITS + 1;
    char *out = malloc(size);

    if (out != NULL)
        snprintf(out, size, "%.*s%zu%s", (int)(place - text), text, count, rest);
    return out;
}

/* The end of the rows has not been sent, so the server stores none of them. In the middle of a COPY
 * a connection is of no use for anything else. `why` is a clause. */
static pgqrs_status
not_stored(struct copying *copying, const char *why)
{
    copying->conn->broken = 1;
    copying->conn->why = why;
    if (pgqrsi_clock_left_ms(copying->deadline_ms) == 0)
        return pgqrsi_error_set(
            copying->err, PGQRS_ETIMEDOUT,
            "%s: the deadline passed before all was sent, so nothing was stored: try "
            "again, with fewer messages or a larger operation_timeout_ms",
            copying->name);
    return pgqrsi_error_set(copying->err, PGQRS_ECONNECT,
                            "%s: %s before all was sent, so nothing was stored", copying->name,
                            why);
}

/* One column of numbers in text: a string of several statements has no other form. */
static int
is_list_of_ids(const PGresult *result, size_t count)
{
    if (PQnfields(result) != 1 || PQfformat(result, 0) != 0 || PQftype(result, 0) != OID_INT8 ||
        (size_t)PQntuples(result) != count)
        return 0;
    for (int i = 0; i < PQntuples(result); i++)
        if (PQgetisnull(result, i, 0))
            return 0;
    return 1;
}

static pgqrs_status
take_ids(struct copying *copying, const PGresult *result)
{
    if (copying->has_ids || !is_list_of_ids(result, copying->copy->count))
        return not_stored(copying, "the server answered with other rows than it was asked for");
    for (size_t i = 0; i < copying->copy->count; i++)
        copying->copy->ids[i] = strtoll(PQgetvalue(result, (int)i, 0), NULL, 10);
    copying->has_ids = 1;
    return PGQRS_OK;
}

/* One result before the rows. A refusal is told once, and then only the end of the answer may
 * follow. */
static pgqrs_status
take_begin(struct copying *copying, const PGresult *result, pgqrs_status status)
{
    switch (PQresultStatus(result)) {
    case PGRES_TUPLES_OK:
        return take_ids(copying, result);
    case PGRES_COPY_IN:
        if (status == PGQRS_OK && copying->has_ids && PQnfields(result) == COLUMNS &&
            PQbinaryTuples(result))
            return PGQRS_OK;
        return not_stored(copying, "the server asked for other rows than it was offered");
    default:
        break;
    }
    if (pgqrsi_conn_ends_session(result) || !pgqrsi_conn_is_of_server(result)) {
        (void)pgqrsi_conn_out_of_place(copying->conn, copying->name, result, NULL);
        return not_stored(copying, copying->conn->why);
    }
    if (status == PGQRS_OK)
        status = pgqrsi_conn_server_error(copying->conn, copying->name, result, copying->err);
    return status;
}

/* Until the server waits for rows, or has refused. */
static pgqrs_status
begin(struct copying *copying)
{
    pgqrs_status status = PGQRS_OK;

    for (;;) {
        PGresult *result = NULL;
        int is_copying;

        if (pgqrsi_conn_await(copying->conn, copying->name, copying->deadline_ms, &result, NULL) !=
            PGQRS_OK)
            return not_stored(copying, copying->conn->why);
        if (result == NULL)
            break;
        status = take_begin(copying, result, status);
        is_copying = PQresultStatus(result) == PGRES_COPY_IN;
        PQclear(result);
        if (status == PGQRS_OK && copying->conn->broken) /* by a farewell */
            return not_stored(copying, copying->conn->why);
        if (is_copying || copying->conn->broken)
            return status;
    }
    if (status == PGQRS_OK)
        return not_stored(copying, "the server answered without asking for rows");
    if (copying->conn->unfit)
        copying->conn->broken = 1;
    return status;
}

/* A refusal of the server's that comes meanwhile is read at the end: until then it drops what we
 * send. */
static void
hand_over(struct copying *copying)
{
    pgqrsi_conn *conn = copying->conn;
    size_t size = copying->size;

    copying->size = 0;
    if (size == 0 || copying->status != PGQRS_OK)
        return;
    if (pgqrsi_clock_left_ms(copying->deadline_ms) == 0) {
        copying->status = not_stored(copying, LOST);
    } else if (PQputCopyData(conn->pg, copying->piece, (int)size) != 1) {
        copying->status = PQstatus(conn->pg) == CONNECTION_OK ? pgqrsi_error_memory(copying->err)
                                                              : not_stored(copying, LOST);
        conn->broken = 1;
    } else if (pgqrsi_conn_flush(conn, copying->name, copying->deadline_ms, NULL) != PGQRS_OK) {
        copying->status = not_stored(copying, LOST);
    }
}

static void
put(struct copying *copying, const void *bytes, size_t size)
{
    const char *from = bytes;

    while (size > 0 && copying->status == PGQRS_OK) {
        size_t room = PIECE_BYTES - copying->size;
        size_t some = size < room ? size : room;

        memcpy(copying->piece + copying->size, from, some);
        copying->size += some;
        from += some;
        size -= some;
        if (copying->size == PIECE_BYTES)
            hand_over(copying);
    }
}

static void
put_int16(struct copying *copying, int16_t value)
{
    uint16_t wire = htobe16((uint16_t)value);

    put(copying, &wire, sizeof(wire));
}

static void
put_int32(struct copying *copying, int32_t value)
{
    uint32_t wire = htobe32((uint32_t)value);

    put(copying, &wire, sizeof(wire));
}

static void
put_int64(struct copying *copying, int64_t value)
{
    uint64_t wire = htobe64((uint64_t)value);

    put(copying, &wire, sizeof(wire));
}

static void
put_row(struct copying *copying, size_t i)
{
    static const char jsonb_version = 1;
    const pgqrsi_copy *copy = copying->copy;
    pgqrs_slice payload = copy->payloads[i];

    put_int16(copying, COLUMNS);
    put_int32(copying, sizeof(int64_t));
    put_int64(copying, copy->ids[i]);
    put_int32(copying, (int32_t)(payload.size + sizeof(jsonb_version)));
    put(copying, &jsonb_version, sizeof(jsonb_version));
    put(copying, payload.data, payload.size);
    if (copy->worker_id == 0) {
        put_int32(copying, -1);
        return;
    }
    put_int32(copying, sizeof(int64_t));
    put_int64(copying, copy->worker_id);
}

/* A session that the server has ended meanwhile is noticed before the end is sent: then nothing is
 * unknown. */
static int
is_gone(pgqrsi_conn *conn)
{
    for (int reads = 0; pgqrsi_conn_wait(conn->pg, POLLIN, 0) != PGQRSI_WAIT_TIMEOUT; reads++)
        if (!pgqrsi_conn_consume(conn) || reads == IDLE_READS)
            return 1;
    return 0;
}

/* All but the word that this was all. */
static pgqrs_status
send_rows(struct copying *copying)
{
    static const char header[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0"; /* and the zero at its end */

    put(copying, header, sizeof(header));
    for (size_t i = 0; i < copying->copy->count && copying->status == PGQRS_OK; i++)
        put_row(copying, i);
    put_int16(copying, -1);
    hand_over(copying);
    if (copying->status == PGQRS_OK && is_gone(copying->conn))
        copying->status = not_stored(copying, LOST);
    return copying->status;
}

static pgqrs_status
end(struct copying *copying)
{
    pgqrsi_conn *conn = copying->conn;
    PGresult *result = NULL;
    pgqrs_status status;

    if (PQputCopyEnd(conn->pg, NULL) != 1)
        return pgqrsi_conn_lost(conn, copying->name, "the connection was lost", copying->err);
    status = pgqrsi_conn_flush(conn, copying->name, copying->deadline_ms, copying->err);
    if (status == PGQRS_OK)
        status = pgqrsi_conn_collect(conn, copying->name, 0, copying->deadline_ms, &result,
                                     copying->err);
    PQclear(result);
    return status;
}

static pgqrs_status
run(struct copying *copying, const char *text)
{
    pgqrsi_conn *conn = copying->conn;
    pgqrs_status status;

    PQsetnonblocking(conn->pg, 1);
    conn->sync_cancelled = 0;
    if (!PQsendQuery(conn->pg, text) ||
        pgqrsi_conn_flush(conn, copying->name, copying->deadline_ms, NULL) != PGQRS_OK)
        return not_stored(copying, LOST);
    status = begin(copying);
    if (status == PGQRS_OK)
        status = send_rows(copying);
    if (status == PGQRS_OK)
        status = end(copying);
    return status;
}

pgqrs_status
pgqrsi_conn_copy(pgqrsi_conn *conn, const pgqrsi_statement *statement, const pgqrsi_copy *copy,
                 int64_t deadline_ms, pgqrs_error *err)
{
    struct copying *copying;
    pgqrs_status status;
    char *text;

    if (conn->broken)
        return pgqrsi_error_set(err, PGQRS_ECONNECT, "%s: the connection is lost", statement->name);
    text = with_count(statement->text, copy->count);
    copying = malloc(sizeof(*copying));
    if (text == NULL || copying == NULL) {
        free(text);
        free(copying);
        return pgqrsi_error_memory(err);
    }
    /* Not the piece: it need not be zeroed. */
    copying->conn = conn;
    copying->name = statement->name;
    copying->copy = copy;
    copying->deadline_ms = deadline_ms;
    copying->err = err;
    copying->has_ids = 0;
    copying->status = PGQRS_OK;
    copying->size = 0;
    status = run(copying, text);
    free(text);
    free(copying);
    return status;
}
