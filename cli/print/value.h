/*
 * What results are made of: columns, and a value for each.
 *
 * Times are RFC 3339 in UTC with milliseconds. JSON of users (payloads, headers, results) is put
 * out as it is.
 */
#ifndef PGQRS_CLI_VALUE_H
#define PGQRS_CLI_VALUE_H

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
    CLI_COLUMN_LONG = 2,   /* the first to be cut where lines would not fit the terminal */
    CLI_COLUMN_DETAIL = 4, /* in a table of many rows only with --wide */
    CLI_COLUMN_WHOLE = 8,  /* never cut: a time */
};

/** One column; a list of them ends with one whose name is NULL. */
typedef struct cli_column {
    const char *name;
    unsigned flags;
    const char *meaning; /* for help; NULL: none */
} cli_column;

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

/** Room for a time with its closing zero byte. */
#define CLI_TIME_SIZE 40

/** Writes `time_ms` as RFC 3339 into `text`. */
void cli_time_format(int64_t time_ms, char text[CLI_TIME_SIZE]);

#endif
