/*
 * The client: one PostgreSQL database and schema, a pool of connections to it, and what this process has
 * learned about its queues. Everything else hangs off it.
 *
 * Life cycle: open, any number of producers and consumers, close those, close the client. Open one a process
 * and share it. Connections are made when needed, at most `max_connections`, and made anew after a loss.
 * After fork() the child must touch neither the client nor anything opened from it.
 *
 * The client starts no thread, prints nothing and leaves signals alone.
 */
#ifndef PGQRS_CLIENT_H
#define PGQRS_CLIENT_H

#include <stdbool.h>

#include <pgqrs/config.h>
#include <pgqrs/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pgqrs_client pgqrs_client;

/**
 * Connects once to the database that `config` names, to report a wrong address or login at once. The DSN
 * `local:` or `local:NAME` names a private server, which must run: the command starts it (`pgqrs local start
 * NAME`), this function does not. `config` is copied. The schema need not be installed yet. The caller closes
 * *out.
 *
 * Returns PGQRS_OK, PGQRS_ECONFIG, PGQRS_EINVAL (a bad name of a private server), PGQRS_ECONNECT,
 * PGQRS_EAUTH, PGQRS_ETIMEDOUT, PGQRS_ESERVER, PGQRS_ESYSTEM or PGQRS_ENOMEM. Any thread. Blocks at most
 * `connection_timeout_seconds` (name resolution excepted).
 */
PGQRS_API pgqrs_status pgqrs_client_open(const pgqrs_config *config, pgqrs_client **out, pgqrs_error *err);

/**
 * pgqrs_client_open with the settings of the environment (PGQRS_DSN and the like) and, unless it is NULL,
 * with `dsn` in place of PGQRS_DSN. For all but the simplest programs make a configuration instead.
 * PGQRS_ECONFIG if there is no connection string at all.
 */
PGQRS_API pgqrs_status pgqrs_client_open_dsn(const char *dsn, pgqrs_client **out, pgqrs_error *err);

/** The connection string that the client uses, for a PGconn of your own to the same database
 * (PQconnectdb). It may hold a password: do not print it. Valid as long as `client`. Any thread. */
PGQRS_API const char *pgqrs_client_conninfo(const pgqrs_client *client);

/**
 * Closes every connection and frees `client`; NULL is fine. No call may be under way on it or on anything
 * opened from it. Does not wait for the network.
 */
PGQRS_API void pgqrs_client_close(pgqrs_client *client);

/** The schema's name, valid as long as `client`. Any thread. */
PGQRS_API const char *pgqrs_client_schema(const pgqrs_client *client);

/** Whether the server is reached through a pooler that gives a session away between transactions: the client
 * then uses unnamed statements and no session state. Any thread. */
PGQRS_API bool pgqrs_client_is_pooled(const pgqrs_client *client);

#ifdef __cplusplus
}
#endif
#endif
