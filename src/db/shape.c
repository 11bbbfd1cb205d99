#include "db/shape.h"

#include <endian.h>
#include <string.h>

#include "db/shape_internal.h"

/* OIDs of built-in types never change. */
enum {
    OID_BOOL = 16,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_JSONB = 3802,
    OID_TIMESTAMPTZ = 1184
};

#define JSONB_VERSION 1

int64_t
pgqrsi_shape_limit(const pgqrsi_shape *shape, const pgqrsi_params *params)
{
    const struct pgqrsi_param *param;
    const char *bytes;
    uint64_t number;
    uint32_t count;

    if (shape == NULL)
        return INT64_MAX;
    if (shape->rows == PGQRSI_ROWS_NONE)
        return 0;
    if (shape->rows == PGQRSI_ROWS_ONE || shape->rows == PGQRSI_ROWS_OPTIONAL)
        return 1;
    if (shape->rows <= 0 || params == NULL || shape->rows > params->count)
        return INT64_MAX;
    param = &params->at[shape->rows - 1];
    bytes = params->bytes.data + param->offset;
    if (param->is_null)
        return 0;
    if (param->type == OID_INT8) {
        memcpy(&number, bytes, sizeof(number));
        return (int64_t)be64toh(number);
    }
    /* An array: dimensions, flags and element type come before the count. */
    memcpy(&count, bytes + 12, sizeof(count));
    return be32toh(count);
}

/* The length that every value of a type has; 0: any. */
static int
length_of(Oid type)
{
    switch (type) {
    case OID_BOOL:
        return 1;
    case OID_INT2:
        return 2;
    case OID_INT4:
        return 4;
    case OID_INT8:
    case OID_TIMESTAMPTZ:
        return 8;
    default:
        return 0;
    }
}

static int
is_value_right(const PGresult *result, int row, int column)
{
    Oid type = PQftype(result, column);
    int length = PQgetlength(result, row, column);

    if (PQgetisnull(result, row, column))
        return 1;
    if (type == OID_JSONB)
        return length > 1 && *PQgetvalue(result, row, column) == JSONB_VERSION;
    return length_of(type) == 0 || length == length_of(type);
}

static int
are_values_right(const PGresult *result)
{
    int rows = PQntuples(result), columns = PQnfields(result);

    for (int row = 0; row < rows; row++)
        for (int column = 0; column < columns; column++)
            if (!is_value_right(result, row, column))
                return 0;
    return 1;
}

static int
are_columns_right(const pgqrsi_shape *shape, const PGresult *result)
{
    for (int column = 0; column < shape->column_count; column++)
        if (PQftype(result, column) != shape->columns[column] || PQfformat(result, column) != 1)
            return 0;
    return 1;
}

const char *
pgqrsi_shape_mismatch(const pgqrsi_shape *shape, int64_t limit, const PGresult *result)
{
    if (shape == NULL || shape->rows == PGQRSI_ROWS_UNDECLARED)
        return NULL;
    if (PQnfields(result) != shape->column_count)
        return "the server answered with another number of columns than the statement has";
    if (!are_columns_right(shape, result))
        return "the server answered with columns of other types or formats than the statement has";
    if (PQntuples(result) > limit)
        return "the server answered with more rows than it was asked for";
    if (shape->is_exact && PQntuples(result) < limit)
        return "the server answered with fewer rows than the statement always returns";
    if (!are_values_right(result))
        return "the server answered with a value that is none of its type";
    return NULL;
}
