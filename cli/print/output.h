/*
 * Results on standard output: with JSON one item is one object and a list one array, and nothing
 * else is there; otherwise tables for people. A command describes what it prints as columns and
 * values and does not care which.
 */
#ifndef PGQRS_CLI_OUTPUT_H
#define PGQRS_CLI_OUTPUT_H

#include <stddef.h>

#include "print/value.h"

struct cli_table;

/** Where results go. Zeroed it is a table on standard output. */
typedef struct cli_output {
    int json;
    int is_wide;               /* tables have all columns, and nothing is cut */
    int failed;                /* errno of the first failed write */
    const cli_column *columns; /* of the list under way */
    size_t rows;
    struct cli_table *table;
    const char *new_file; /* created by us: its path, as long as there is nothing in it */
    int holds_old;        /* standard output is a file that still holds what was there before */
} cli_output;

/** Directs standard output to the file `path`, which must stay valid. What is in that file stays
 * there until the first result is printed: a command that fails before takes nothing away. 0, or -1
 * with errno set. */
int cli_output_open(cli_output *output, const char *path);

/** Prints one item: values[i] belongs to columns[i]. */
void cli_output_item(cli_output *output, const cli_column *columns, const cli_value *values);

/** As cli_output_item, but for people just the line `sentence`. */
void cli_output_result(cli_output *output, const cli_column *columns, const cli_value *values,
                       const char *sentence);

/** Prints a list: begin, any number of rows, end. `nothing` is the line for people when there was
 * no row. */
void cli_output_list_begin(cli_output *output, const cli_column *columns);
void cli_output_list_row(cli_output *output, const cli_value *values);
void cli_output_list_end(cli_output *output, const char *nothing);

/** Prints text as it is: help, the manual page, completions. */
void cli_output_text(cli_output *output, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Flushes and closes standard output; `succeeded` is 0 if the command has failed. 0, or the errno
 * of the first write that failed. */
int cli_output_finish(cli_output *output, int succeeded);

#endif
