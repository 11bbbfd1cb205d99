/*
 * Tables for people, by libsmartcols: control characters are escaped, so a payload cannot drive a terminal,
 * and wide characters take the width that they have.
 */
#ifndef PGQRS_CLI_TABLE_H
#define PGQRS_CLI_TABLE_H

#include <stdio.h>

#include "print/value.h"

/** An empty table without the detail columns of `columns`; NULL with errno set when memory is short. Free it.
 */
struct libscols_table *cli_table_new(const cli_column *columns);

/** Adds one row; values[i] belongs to columns[i]. 0, or -1 with errno set. */
int cli_table_add(struct libscols_table *table, const cli_column *columns, const cli_value *values);

/** Prints it to `stream`. 0, or -1 with errno set. */
int cli_table_print(struct libscols_table *table, FILE *stream);

/** Frees `table`; NULL is fine. */
void cli_table_free(struct libscols_table *table);

/** Prints one item, a line for each value. 0, or -1 with errno set. */
int cli_table_item(FILE *stream, const cli_column *columns, const cli_value *values);

#endif
