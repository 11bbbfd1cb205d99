/*
 * Connections and the statements they run.
 */
#include <endian.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plain.h"

#define OID_INT8_ARRAY 1016
#define OID_INT8 20
#define OID_JSONB 3802
#define OID_JSONB_ARRAY 3807
#define JSONB_VERSION 1

void
plain_die(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fputs("plain-client: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

void *
plain_allocate(size_t count, size_t size)
{
    void *memory = calloc(count > 0 ? count : 1, size);

    if (memory == NULL)
        plain_die("could not reserve %zu times %zu bytes: out of memory", count, size);
    return memory;
}

static void
read_file(const char *folder, const char *name, char *text, size_t size)
{
    char path[4096];
    size_t length;
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s.sql", folder, name);
    file = fopen(path, "r");
    if (file == NULL)
        plain_die("could not read \"%s\"; the first argument is the folder of the statements", path);
    length = fread(text, 1, size - 1, file);
    fclose(file);
    if (length == 0 || length == size - 1)
        plain_die("could not read \"%s\": it is empty or longer than %zu bytes", path, size - 2);
    text[length] = '\0';
}

static void
prepare(const plain_queue *plain, PGconn *connection, const char *name, const char *file, Oid type)
{
    char text[4096];
    PGresult *result;

    read_file(plain->folder, file, text, sizeof(text));
    result = PQprepare(connection, name, text, 1, &type);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        plain_die("could not prepare %s.sql: %s", file, PQerrorMessage(connection));
    PQclear(result);
}

PGconn *
plain_connect(const plain_queue *plain)
{
    PGconn *connection = PQconnectdb("");
    PGresult *result;

    if (PQstatus(connection) != CONNECTION_OK)
        plain_die("could not connect; the environment says where the server is: %s",
                  PQerrorMessage(connection));
    /* Planned once and for all, as pgqrs does: the cheapest there is. */
    result = PQexec(connection, "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; "
                                "SET enable_bitmapscan = off; SET enable_sort = off");
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        plain_die("could not set the planner: %s", PQerrorMessage(connection));
    PQclear(result);
    prepare(plain, connection, PLAIN_ENQUEUE, "enqueue", OID_JSONB_ARRAY);
    prepare(plain, connection, PLAIN_ENQUEUE_NOTIFY, "enqueue_notify", OID_JSONB_ARRAY);
    prepare(plain, connection, PLAIN_CLAIM, plain->claim, OID_INT8);
    prepare(plain, connection, PLAIN_FINISH, "finish", OID_INT8_ARRAY);
    return connection;
}

void
plain_open(plain_queue *plain)
{
    plain->connection_count = plain->callers > plain->workers ? plain->callers : plain->workers;
    plain->connections = plain_allocate(plain->connection_count, sizeof(PGconn *));
    for (size_t i = 0; i < plain->connection_count; i++)
        plain->connections[i] = plain_connect(plain);
}

void
plain_close(plain_queue *plain)
{
    for (size_t i = 0; i < plain->connection_count; i++)
        PQfinish(plain->connections[i]);
    free(plain->connections);
}

PGresult *
plain_execute(PGconn *connection, const char *name, const void *value, size_t size)
{
    const char *const values[] = { value };
    const int lengths[] = { (int)size }, binary[] = { 1 };
    PGresult *result = PQexecPrepared(connection, name, 1, values, lengths, binary, 1);
    ExecStatusType status = PQresultStatus(result);

    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        plain_die("could not run %s.sql: %s", name, PQerrorMessage(connection));
    return result;
}

static char *
append_int32(char *at, int32_t value)
{
    uint32_t wire = htobe32((uint32_t)value);

    memcpy(at, &wire, sizeof(wire));
    return at + sizeof(wire);
}

/* The head of an array with one dimension and no nulls. */
static char *
append_array(char *at, int32_t type, int32_t count)
{
    at = append_int32(at, 1);
    at = append_int32(at, 0);
    at = append_int32(at, type);
    at = append_int32(at, count);
    return append_int32(at, 1);
}

char *
plain_make_batch(const char *payload, int32_t count, size_t *size)
{
    size_t length = strlen(payload);
    char *bytes = plain_allocate(1, 20 + (size_t)count * (length + 5));
    char *at = append_array(bytes, OID_JSONB, count);

    for (int32_t i = 0; i < count; i++) {
        at = append_int32(at, (int32_t)(length + 1));
        *at++ = JSONB_VERSION;
        memcpy(at, payload, length);
        at += length;
    }
    *size = (size_t)(at - bytes);
    return bytes;
}

PGresult *
plain_claim(PGconn *connection, int64_t count)
{
    uint64_t wire = htobe64((uint64_t)count);

    return plain_execute(connection, PLAIN_CLAIM, &wire, sizeof(wire));
}

void
plain_finish(PGconn *connection, const PGresult *claimed)
{
    int count = PQntuples(claimed);
    char few[64], *bytes = count <= 1 ? few : plain_allocate(1, 20 + (size_t)count * 12);
    char *at = append_array(bytes, OID_INT8, count);
    PGresult *result;

    for (int i = 0; i < count; i++) {
        at = append_int32(at, 8);
        memcpy(at, PQgetvalue(claimed, i, 0), 8);
        at += 8;
    }
    result = plain_execute(connection, PLAIN_FINISH, bytes, (size_t)(at - bytes));
    if (atoi(PQcmdTuples(result)) != count)
        plain_die("could not finish %d claimed jobs: %s were there", count, PQcmdTuples(result));
    PQclear(result);
    if (bytes != few)
        free(bytes);
}

int64_t
plain_round_trip_ns(PGconn *connection)
{
    int64_t started = plain_now_ns();
    PGresult *result = PQexec(connection, "SELECT 1");

    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        plain_die("could not run SELECT 1: %s", PQerrorMessage(connection));
    PQclear(result);
    return plain_now_ns() - started;
}
