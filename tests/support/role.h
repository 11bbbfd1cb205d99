/*
 * Roles that are no superusers: limits and grants hold for them.
 */
#ifndef TS_ROLE_H
#define TS_ROLE_H

#include <libpq-fe.h>

/** Makes the role `name`, or takes the one that there is, with all rights on the tables, sequences
 * and functions that are in the schema public now, and no limit of connections. Returns `dsn` with
 * that role, which the caller frees. Roles belong to the whole server: choose a name that no other
 * test has. */
char *ts_role(PGconn *sql, const char *dsn, const char *name);

#endif
