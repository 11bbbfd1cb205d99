/*
 * The client: one PostgreSQL database and schema, a pool of connections to it, and cached facts
 * about its queues. All other objects belong to a client.
 *
 * Life cycle: open the client, open producers and consumers, close those, close the client. Open
 * one client a process and share it between threads. The client opens connections when it needs
 * them, at most `max_connections`, and replaces lost ones. After fork() the child must use neither
 * the client nor anything opened from it.
 *
 * The client starts no thread, prints nothing and leaves signal handling alone.
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
 * Opens a client. Connects once, to report a wrong address or login at once. The DSN `local:` or
 * `local:NAME` names a private server, which must be running: the command starts it (`pgqrs local
 * start NAME`), this function does not. `config` is copied. pgqrs need not be installed yet. The
 * caller closes *out.
 *
 * Returns PGQRS_OK, PGQRS_ECONFIG, PGQRS_EINVAL (a bad name of a private server), PGQRS_ECONNECT,
 * PGQRS_EAUTH, PGQRS_ETIMEDOUT, PGQRS_ESERVER, PGQRS_ESYSTEM or PGQRS_ENOMEM. Any thread. Blocks at
 * most `connection_timeout_seconds` (name resolution excepted).
 */
PGQRS_API pgqrs_status pgqrs_client_open(const pgqrs_config *config, pgqrs_client **out,
                                         pgqrs_error *err);

/**
 * pgqrs_client_open with the settings of the environment (PGQRS_DSN and others). `dsn`, if not
 * NULL, replaces PGQRS_DSN. Programs that need other settings make a pgqrs_config. PGQRS_ECONFIG if
 * there is no connection string.
 */
PGQRS_API pgqrs_status pgqrs_client_open_dsn(const char *dsn, pgqrs_client **out, pgqrs_error *err);

/** The connection string that the client uses. Pass it to PQconnectdb to open your own connection
 * to the same database. It can contain a password: do not print it. Valid as long as `client`. Any
 * thread. */
PGQRS_API const char *pgqrs_client_conninfo(const pgqrs_client *client);

/**
 * Closes every connection and frees `client`; NULL is fine. No call on the client, or on anything
 * opened from it, may be running. Does not wait for the network.
 */
PGQRS_API void pgqrs_client_close(pgqrs_client *client);

/** The schema's name. Valid as long as `client`. Any thread. */
PGQRS_API const char *pgqrs_client_schema(const pgqrs_client *client);

/** Whether the client connects through a pooler in transaction mode. The client then uses unnamed
 * statements and no session state. Any thread. */
PGQRS_API bool pgqrs_client_is_pooled(const pgqrs_client *client);

#ifdef __cplusplus
}
#endif
#endif
