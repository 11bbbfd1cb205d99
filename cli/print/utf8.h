/*
 * UTF-8, one character at a time.
 */
#ifndef PGQRS_CLI_UTF8_H
#define PGQRS_CLI_UTF8_H

#include <stddef.h>
#include <stdint.h>

#include <pgqrs/slice.h>

/** The bytes of the well-formed character at `p`, of which `left` (at least 1) may be read; 0 if it
 * is not one. */
size_t cli_utf8_length(const unsigned char *p, size_t left);

/** Writes `code`, a Unicode scalar value, to `out` (at least 4 bytes); returns how many bytes that
 * took. */
size_t cli_utf8_encode(uint32_t code, char *out);

/** Whether the character at `p`, `length` bytes beyond ASCII as cli_utf8_length says, would drive a
 * terminal or mislead a reader: C1 controls, U+2028 and U+2029, and those that change the direction
 * of text. */
int cli_utf8_is_harmful(const unsigned char *p, size_t length);

/** The code of the character at `p`, `length` bytes as cli_utf8_length says. */
unsigned cli_utf8_decode(const unsigned char *p, size_t length);

/** A copy of `text`, to be freed, in which such characters are written as \u202e and so on. NULL
 * when memory is short. */
char *cli_utf8_escape_harmful(pgqrs_slice text);

/** The same for text that must stay on one line: control characters are written as \n, \t or \u001b
 * too, and bytes that are not UTF-8 as \xff. */
char *cli_utf8_escape_line(pgqrs_slice text);

#endif
