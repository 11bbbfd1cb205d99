/*
 * The result of a statement, as the head of its .sql file declares it, and the check of each
 * answer: number, types and format of columns, length of each value, and number of rows. A checked
 * answer can be read by position without further checks.
 *
 *     -- Columns: int8 jsonb text timestamptz       or: none
 *     -- Rows: none, one, optional (0 or 1), many, $2 (at most parameter $2) or =$2 (exactly $2)
 */
#ifndef PGQRSI_DB_SHAPE_H
#define PGQRSI_DB_SHAPE_H

#include <stdint.h>

#include "db/params.h"

#define PGQRSI_SHAPE_COLUMNS 24

enum {
    PGQRSI_ROWS_UNDECLARED = 0, /* nothing is known: of no statement of this library */
    PGQRSI_ROWS_NONE = -1,
    PGQRSI_ROWS_ONE = -2,
    PGQRSI_ROWS_OPTIONAL = -3,
    PGQRSI_ROWS_MANY = -4
};

typedef struct pgqrsi_shape {
    int rows;     /* one of the above, or n: at most as many as $n says */
    int is_exact; /* no fewer either */
    int column_count;
    uint32_t columns[PGQRSI_SHAPE_COLUMNS]; /* OIDs of types */
} pgqrsi_shape;

/** How many rows there may be at most: the number, or the count of elements, that $n holds. */
int64_t pgqrsi_shape_limit(const pgqrsi_shape *shape, const pgqrsi_params *params);

#endif
