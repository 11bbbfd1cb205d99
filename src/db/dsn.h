/*
 * Checks whether libpq accepts a connection string, before a connection is opened.
 */
#ifndef PGQRSI_DB_DSN_H
#define PGQRSI_DB_DSN_H

#include <pgqrs/error.h>

/** PGQRS_ECONFIG if `conninfo` cannot be parsed, or if a part that later messages show may hold a
 * password; nothing of it that may be one is repeated. PGQRS_ENOMEM. */
pgqrs_status pgqrsi_dsn_check(const char *conninfo, pgqrs_error *err);

#endif
