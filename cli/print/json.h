/*
 * JSON to a stream: objects of values, and strings with whatever must be escaped escaped.
 */
#ifndef PGQRS_CLI_JSON_H
#define PGQRS_CLI_JSON_H

#include <stdio.h>

#include "print/value.h"

/** Room for the longest escape and a zero. */
#define CLI_JSON_ESCAPE_SIZE 7

/** How the UTF-8 character at `p`, `length` bytes long, is spelled inside a JSON string, if not as
 * it is: writes that to `out` and returns its size, else 0. Besides what must be escaped, DEL and
 * the C1 control characters are: they would drive a terminal. */
size_t cli_json_escape(const unsigned char *p, size_t length, char out[CLI_JSON_ESCAPE_SIZE]);

/** Writes `text` as a JSON string. Bytes that are not UTF-8 become U+FFFD, so that the output stays
 * valid. 0, or -1 with errno set. */
int cli_json_string(FILE *stream, pgqrs_slice text);

/** Writes one object; values[i] belongs to columns[i]. 0, or -1 with errno set. */
int cli_json_object(FILE *stream, const cli_column *columns, const cli_value *values);

#endif
