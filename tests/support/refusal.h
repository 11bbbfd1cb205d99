/*
 * A server that refuses rows: a trigger of the user's own, which raises an error.
 */
#ifndef TS_REFUSAL_H
#define TS_REFUSAL_H

#include <libpq-fe.h>

/** What the server says then: "refused by a trigger". */
#define TS_REFUSAL "refused by a trigger"

/** From now on rows for which `condition`, about NEW, is true cannot be inserted into `table`, nor
 * into its partitions. One condition a table. */
void ts_refuse(PGconn *sql, const char *table, const char *condition);

/** They can again. */
void ts_refuse_end(PGconn *sql, const char *table);

#endif
