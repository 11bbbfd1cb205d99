#include "db/rows.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "db/rows_internal.h"

/* PostgreSQL counts microseconds from 2000-01-01. */
#define POSTGRES_EPOCH_MS INT64_C(946684800000)

void
pgqrsi_rows_free(pgqrsi_rows *rows)
{
    PQclear((PGresult *)rows);
}

static const PGresult *
result_of(const pgqrsi_rows *rows)
{
    return (const PGresult *)rows;
}

int
pgqrsi_rows_count(const pgqrsi_rows *rows)
{
    return rows != NULL ? PQntuples(result_of(rows)) : 0;
}

/* What is not there is NULL as well. */
int
pgqrsi_rows_is_null(const pgqrsi_rows *rows, int row, int column)
{
    return rows == NULL || row >= PQntuples(result_of(rows)) ||
           column >= PQnfields(result_of(rows)) || PQgetisnull(result_of(rows), row, column);
}

int64_t
pgqrsi_rows_int(const pgqrsi_rows *rows, int row, int column)
{
    const char *bytes;
    uint64_t eight;
    uint32_t four;
    uint16_t two;

    if (pgqrsi_rows_is_null(rows, row, column))
        return 0;
    bytes = PQgetvalue(result_of(rows), row, column);
    switch (PQgetlength(result_of(rows), row, column)) {
    case 8:
        memcpy(&eight, bytes, sizeof(eight));
        return (int64_t)be64toh(eight);
    case 4:
        memcpy(&four, bytes, sizeof(four));
        return (int32_t)be32toh(four);
    case 2:
        memcpy(&two, bytes, sizeof(two));
        return (int16_t)be16toh(two);
    case 1:
        return *bytes;
    default:
        return 0;
    }
}

int64_t
pgqrsi_rows_time_ms(const pgqrsi_rows *rows, int row, int column)
{
    if (pgqrsi_rows_is_null(rows, row, column))
        return 0;
    return pgqrsi_rows_int(rows, row, column) / 1000 + POSTGRES_EPOCH_MS;
}

pgqrs_slice
pgqrsi_rows_text(const pgqrsi_rows *rows, int row, int column)
{
    pgqrs_slice text = { NULL, 0 };

    if (pgqrsi_rows_is_null(rows, row, column))
        return text;
    text.data = PQgetvalue(result_of(rows), row, column);
    text.size = (size_t)PQgetlength(result_of(rows), row, column);
    return text;
}

/* A binary jsonb is one byte of version and the text. */
pgqrs_slice
pgqrsi_rows_json(const pgqrsi_rows *rows, int row, int column)
{
    pgqrs_slice text = pgqrsi_rows_text(rows, row, column);

    if (text.data != NULL && text.size > 0) {
        text.data++;
        text.size--;
    }
    return text;
}
