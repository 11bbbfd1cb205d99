/*
 * SQL of the test's own, past the library, to see what is really stored. The formats are printf's;
 * quote yourself.
 */
#ifndef TS_SQL_H
#define TS_SQL_H

#include <libpq-fe.h>

/** A connection; end it with PQfinish. */
PGconn *ts_connect(const char *dsn);

/** Runs statements, whatever they return. */
void ts_sql(PGconn *connection, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** The one whole number that a query returns; null counts as 0 and true as 1. */
long long ts_int(PGconn *connection, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** The one value that a query returns, which the caller frees; NULL if it is null. */
char *ts_text(PGconn *connection, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Asks again and again until the query returns true, for at most `timeout_ms`. */
void ts_wait_until(PGconn *connection, int timeout_ms, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
