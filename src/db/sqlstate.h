/*
 * What the server's SQLSTATEs mean to a caller of this library.
 */
#ifndef PGQRSI_DB_SQLSTATE_H
#define PGQRSI_DB_SQLSTATE_H

#include <pgqrs/status.h>

/** For an error that a statement ended in: nothing of it was stored. */
pgqrs_status pgqrsi_sqlstate_of_statement(const char *sqlstate);

/** For an error that a connection attempt ended in; "" if the server did not answer. */
pgqrs_status pgqrsi_sqlstate_of_connection(const char *sqlstate);

#endif
