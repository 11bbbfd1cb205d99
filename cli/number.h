/*
 * Numbers that people type: the whole text or nothing, never silently cut or rounded.
 */
#ifndef PGQRS_CLI_NUMBER_H
#define PGQRS_CLI_NUMBER_H

#include <stdint.h>

/** Reads a whole number from `min` to `max`: an optional "-", then digits. 0, or -1 with *out untouched. */
int cli_number_parse(const char *text, int64_t min, int64_t max, int64_t *out);

/** Reads seconds, such as "90" or "0.25", as milliseconds from `min` to `max`. 0, or -1 with *out untouched.
 */
int cli_seconds_parse(const char *text, int64_t min, int64_t max, int64_t *out);

#endif
