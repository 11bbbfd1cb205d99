/*
 * UTF-8, one character at a time.
 */
#ifndef PGQRS_CLI_UTF8_H
#define PGQRS_CLI_UTF8_H

#include <stddef.h>
#include <stdint.h>

/** The bytes of the well-formed character at `p`, of which `left` (at least 1) may be read; 0 if it is not
 * one. */
size_t cli_utf8_length(const unsigned char *p, size_t left);

/** Writes `code`, a Unicode scalar value, to `out` (at least 4 bytes); returns how many bytes that took. */
size_t cli_utf8_encode(uint32_t code, char *out);

#endif
