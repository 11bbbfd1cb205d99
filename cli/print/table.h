/*
 * Tables for people. On a terminal columns are padded, and cut with an ellipsis until the lines
 * fit: long texts first, then other texts, numbers and times never. Anywhere else one tab stands
 * between two values, and nothing is cut. Control characters are escaped, so a value cannot drive a
 * terminal, and is always on one line.
 */
#ifndef PGQRS_CLI_TABLE_H
#define PGQRS_CLI_TABLE_H

#include <stdio.h>

#include "print/value.h"

struct cli_table;

/** An empty table; unless `is_wide` it leaves out the detail columns of `columns`, and what is too
 * wide is cut. NULL with errno set when out of memory. Free it. */
struct cli_table *cli_table_new(const cli_column *columns, int is_wide);

/** Adds one row; values[i] belongs to columns[i]. 0, or -1 with errno set. */
int cli_table_add(struct cli_table *table, const cli_value *values);

/** Prints it to `stream`. 0, or -1 with errno set. */
int cli_table_print(const struct cli_table *table, FILE *stream);

/** Frees `table`; NULL is fine. */
void cli_table_free(struct cli_table *table);

/** Prints one item, a line for each value. 0, or -1 with errno set. */
int cli_table_item(FILE *stream, const cli_column *columns, const cli_value *values);

#endif
