/*
 * JSON to a stream: objects of values, and strings with whatever must be escaped escaped.
 */
#ifndef PGQRS_CLI_JSON_H
#define PGQRS_CLI_JSON_H

#include <stdio.h>

#include "output.h"

/** Writes `text` as a JSON string. Bytes that are not UTF-8 become U+FFFD, so that the output stays valid.
 * 0, or -1 with errno set. */
int cli_json_string(FILE *stream, pgqrs_slice text);

/** Writes one object; values[i] belongs to columns[i]. 0, or -1 with errno set. */
int cli_json_object(FILE *stream, const cli_column *columns, const cli_value *values);

#endif
