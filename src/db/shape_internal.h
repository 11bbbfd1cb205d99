/*
 * For src/db only: compares an answer of the server with a shape.
 */
#ifndef PGQRSI_DB_SHAPE_INTERNAL_H
#define PGQRSI_DB_SHAPE_INTERNAL_H

#include <libpq-fe.h>

#include "db/shape.h"

/** Why `result` is not what a statement of that shape returns, as a clause about the server; NULL
 * if it is. `limit` is pgqrsi_shape_limit of the parameters that were sent. */
const char *pgqrsi_shape_mismatch(const pgqrsi_shape *shape, int64_t limit, const PGresult *result);

#endif
