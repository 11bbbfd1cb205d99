/*
 * The result of a statement: rows of columns, in binary, read by position.
 *
 * Life cycle: pgqrsi_conn_run and similar functions return a pgqrsi_rows; the caller frees it.
 * Slices taken from it are valid until then. One thread at a time.
 */
#ifndef PGQRSI_DB_ROWS_H
#define PGQRSI_DB_ROWS_H

#include <stdint.h>

#include <pgqrs/slice.h>

typedef struct pgqrsi_rows pgqrsi_rows;

void pgqrsi_rows_free(pgqrsi_rows *rows);

int pgqrsi_rows_count(const pgqrsi_rows *rows);
int pgqrsi_rows_is_null(const pgqrsi_rows *rows, int row, int column);

/** A column of type bigint, integer, smallint or boolean; 0 if it is NULL. */
int64_t pgqrsi_rows_int(const pgqrsi_rows *rows, int row, int column);

/** A column of type timestamptz in milliseconds since 1970; 0 if it is NULL. */
int64_t pgqrsi_rows_time_ms(const pgqrsi_rows *rows, int row, int column);

/** A column of type text, or jsonb (as its text); { NULL, 0 } if it is NULL. */
pgqrs_slice pgqrsi_rows_text(const pgqrsi_rows *rows, int row, int column);
pgqrs_slice pgqrsi_rows_json(const pgqrsi_rows *rows, int row, int column);

#endif
