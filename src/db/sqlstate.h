/*
 * Translates the server's SQLSTATEs into statuses.
 */
#ifndef PGQRSI_DB_SQLSTATE_H
#define PGQRSI_DB_SQLSTATE_H

#include <pgqrs/status.h>

/** For an error that a statement ended in: nothing of it was stored. */
pgqrs_status pgqrsi_sqlstate_of_statement(const char *sqlstate);

/** For an error that a connection attempt ended in; "" if the server did not answer. */
pgqrs_status pgqrsi_sqlstate_of_connection(const char *sqlstate);

/**
 * What a caller may do about a statement that the server refused. Each returns 1 or 0; "" is in no
 * class. A code may be in two classes: a server that is out of memory may be so because of one
 * large row, or because of everything else.
 */

/** One row of the statement may have caused it, so that the statement without that row may succeed:
 * narrow down to the row. */
int pgqrsi_sqlstate_is_row(const char *sqlstate);

/** Another session held a lock for longer than this one waits. */
int pgqrsi_sqlstate_is_lock(const char *sqlstate);

/** The same statement may succeed later: send it again, unchanged. */
int pgqrsi_sqlstate_try_later(const char *sqlstate);

#endif
