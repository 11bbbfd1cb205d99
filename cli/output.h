/*
 * Results on standard output: with JSON one item is one object and a list one array, and nothing else is
 * there; otherwise tables for people. A command describes what it prints as columns and values and does not
 * care which.
 *
 * Times are RFC 3339 in UTC with milliseconds. JSON of users (payloads, headers, results) is put out as it
 * is.
 */
#ifndef PGQRS_CLI_OUTPUT_H
#define PGQRS_CLI_OUTPUT_H

#include <stddef.h>
#include <stdint.h>

#include <pgqrs/slice.h>

typedef enum cli_value_kind {
    CLI_VALUE_NULL = 0,
    CLI_VALUE_NUMBER = 1,
    CLI_VALUE_TOKEN = 2, /* 63 bits: a string in JSON, where many readers lose digits beyond 53 */
    CLI_VALUE_BOOLEAN = 3,
    CLI_VALUE_TIME = 4,
    CLI_VALUE_TEXT = 5,
    CLI_VALUE_JSON = 6
} cli_value_kind;

/** One value. The text is the caller's. */
typedef struct cli_value {
    cli_value_kind kind;
    int64_t number;
    pgqrs_slice text;
} cli_value;

enum cli_column_flags {
    CLI_COLUMN_RIGHT = 1,  /* numbers */
    CLI_COLUMN_LONG = 2,   /* cut on a terminal, where it would wrap */
    CLI_COLUMN_DETAIL = 4, /* not in tables of many rows */
};

/** One column; a list of them ends with one whose name is NULL. */
typedef struct cli_column {
    const char *name;
    unsigned flags;
} cli_column;

struct libscols_table;

/** Where results go. Zeroed it is a table on standard output. */
typedef struct cli_output {
    int json;
    int failed;                /* errno of the first failed write */
    const cli_column *columns; /* of the list under way */
    size_t rows;
    struct libscols_table *table;
    const char *new_file; /* created by us: its path, as long as there is nothing in it */
    int holds_old;        /* standard output is a file that still holds what was there before */
} cli_output;

cli_value cli_value_number(int64_t number);
/** 0 is null. */
cli_value cli_value_id(int64_t id);
/** 0 is null. */
cli_value cli_value_token(int64_t token);
cli_value cli_value_boolean(int truth);
/** Milliseconds since 1970; 0 is null. */
cli_value cli_value_time(int64_t time_ms);
/** { NULL, 0 } is null. */
cli_value cli_value_text(pgqrs_slice text);
/** JSON text; { NULL, 0 } is null. */
cli_value cli_value_json(pgqrs_slice json);

/** Directs standard output to the file `path`, which must stay valid. What is in that file stays there until
 * the first result is printed: a command that fails before takes nothing away. 0, or -1 with errno set. */
int cli_output_open(cli_output *output, const char *path);

/** Prints one item: values[i] belongs to columns[i]. */
void cli_output_item(cli_output *output, const cli_column *columns, const cli_value *values);

/** As cli_output_item, but for people just the line `sentence`. */
void cli_output_result(cli_output *output, const cli_column *columns, const cli_value *values,
                       const char *sentence);

/** Prints a list: begin, any number of rows, end. `nothing` is the line for people when there was no row. */
void cli_output_list_begin(cli_output *output, const cli_column *columns);
void cli_output_list_row(cli_output *output, const cli_value *values);
void cli_output_list_end(cli_output *output, const char *nothing);

/** Prints text as it is: help, the manual page, completions. */
void cli_output_text(cli_output *output, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Flushes and closes standard output; `succeeded` is 0 if the command has failed. 0, or the errno of the
 * first write that failed. */
int cli_output_finish(cli_output *output, int succeeded);

/** Room for a time with its closing zero byte. */
#define CLI_TIME_SIZE 40

/** Writes `time_ms` as RFC 3339 into `text`. */
void cli_time_format(int64_t time_ms, char text[CLI_TIME_SIZE]);

#endif
