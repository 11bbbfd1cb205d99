#include "sql.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check.h"

#define POLL_INTERVAL_NS 10000000

static void
ignore_notice(void *context, const char *message)
{
    (void)context;
    (void)message;
}

PGconn *
ts_connect(const char *dsn)
{
    PGconn *connection = PQconnectdb(dsn);

    if (PQstatus(connection) != CONNECTION_OK)
        ts_fail("could not connect to \"%s\": %s", dsn, PQerrorMessage(connection));
    PQsetNoticeProcessor(connection, ignore_notice, NULL);
    return connection;
}

static PGresult *
query(PGconn *connection, const char *format, va_list arguments)
{
    PGresult *result;
    char *sql;

    if (vasprintf(&sql, format, arguments) < 0)
        ts_fail("out of memory");
    result = PQexec(connection, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK && PQresultStatus(result) != PGRES_COMMAND_OK)
        ts_fail("%s\nfailed: %s", sql, PQerrorMessage(connection));
    free(sql);
    return result;
}

/* The result must be one value: a query that finds nothing is a mistake in the test, not a 0. */
static char *
single_value(PGconn *connection, const char *format, va_list arguments)
{
    PGresult *result = query(connection, format, arguments);
    char *value = NULL;

    if (PQntuples(result) != 1 || PQnfields(result) != 1)
        ts_fail("%s\nreturned %d rows of %d columns instead of one value", format,
                PQntuples(result), PQnfields(result));
    if (!PQgetisnull(result, 0, 0))
        value = strdup(PQgetvalue(result, 0, 0));
    PQclear(result);
    return value;
}

static long long
to_int(char *value, const char *format)
{
    char *end;
    long long number;

    if (value == NULL || strcmp(value, "f") == 0 || strcmp(value, "t") == 0) {
        number = value != NULL && *value == 't';
    } else {
        number = strtoll(value, &end, 10);
        if (end == value || *end != '\0')
            ts_fail("%s\nreturned \"%s\", which is not a whole number", format, value);
    }
    free(value);
    return number;
}

void
ts_sql(PGconn *connection, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    PQclear(query(connection, format, arguments));
    va_end(arguments);
}

long long
ts_int(PGconn *connection, const char *format, ...)
{
    va_list arguments;
    char *value;

    va_start(arguments, format);
    value = single_value(connection, format, arguments);
    va_end(arguments);
    return to_int(value, format);
}

char *
ts_text(PGconn *connection, const char *format, ...)
{
    va_list arguments;
    char *value;

    va_start(arguments, format);
    value = single_value(connection, format, arguments);
    va_end(arguments);
    return value;
}

void
ts_wait_until(PGconn *connection, int timeout_ms, const char *format, ...)
{
    const struct timespec pause = { .tv_nsec = POLL_INTERVAL_NS };
    struct timespec start, now;

    clock_gettime(CLOCK_MONOTONIC, &start);
    for (;;) {
        va_list arguments;
        char *value;

        va_start(arguments, format);
        value = single_value(connection, format, arguments);
        va_end(arguments);
        if (to_int(value, format) != 0)
            return;
        clock_gettime(CLOCK_MONOTONIC, &now);
        if ((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000 >
            timeout_ms)
            ts_fail("%s\nhad not become true after %d ms", format, timeout_ms);
        nanosleep(&pause, NULL);
    }
}
