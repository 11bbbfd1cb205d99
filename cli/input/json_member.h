/*
 * One member of a JSON object, found without building anything: enough to take an idempotency key
 * out of a line.
 */
#ifndef PGQRS_CLI_JSON_MEMBER_H
#define PGQRS_CLI_JSON_MEMBER_H

#include <stddef.h>

#include <pgqrs/slice.h>

typedef enum cli_json_member_result {
    CLI_JSON_MEMBER_FOUND = 0,
    CLI_JSON_MEMBER_MISSING = 1,
    CLI_JSON_MEMBER_NOT_SCALAR = 2, /* neither a string nor a number */
    CLI_JSON_MEMBER_NOT_OBJECT = 3, /* the text is not an object, or is malformed */
    CLI_JSON_MEMBER_NO_MEMORY = 4,
    CLI_JSON_MEMBER_NUMBER = 5 /* found: a number as it is spelled; FOUND is a string */
} cli_json_member_result;

/**
 * Finds the top-level member `name` of the object `text`. A string is decoded, a number is taken as
 * it is spelled. Of several members of this name the last one counts, as in the database. Any text
 * is safe to hand in; text that is not JSON may go unnoticed. *out (capacity *size, which grows) is
 * the caller's to free, *length is written on FOUND and NUMBER.
 */
cli_json_member_result cli_json_member(pgqrs_slice text, pgqrs_slice name, char **out, size_t *size,
                                       size_t *length);

#endif
