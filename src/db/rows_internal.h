/*
 * For src/db only: a pgqrsi_rows is a PGresult under another name. The layers above need not know
 * libpq.
 */
#ifndef PGQRSI_DB_ROWS_INTERNAL_H
#define PGQRSI_DB_ROWS_INTERNAL_H

#include <libpq-fe.h>

#include "db/rows.h"

#endif
