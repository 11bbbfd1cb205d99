/*
 * Clients for tests.
 */
#ifndef TS_CLIENT_H
#define TS_CLIENT_H

#include <pgqrs/client.h>

/** A client on `dsn`, with settings as pairs of name and value up to NULL. Close it with
 * pgqrs_client_close.
 */
pgqrs_client *ts_client(const char *dsn, ...) __attribute__((sentinel));

#endif
