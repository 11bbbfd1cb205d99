/*
 * Numbers that people type: the whole text or nothing, never silently cut or rounded.
 */
#ifndef PGQRS_CLI_NUMBER_H
#define PGQRS_CLI_NUMBER_H

#include <stdint.h>

/** Reads a whole number from `min` to `max`: an optional "-", then digits. 0, or -1 with *out
 * untouched. */
int cli_number_parse(const char *text, int64_t min, int64_t max, int64_t *out);

/**
 * Reads a duration, such as "250ms", "1.5s", "5m", "1h", "7d" or, in seconds, "90" or "0.25", as
 * milliseconds from `min` to `max`. A number has at most three decimals. 0, or -1 with *out
 * untouched.
 */
int cli_duration_parse(const char *text, int64_t min, int64_t max, int64_t *out);

/** Room for a duration with its closing zero byte. */
#define CLI_DURATION_SIZE 32

/** Writes `ms`, which is not negative, in the largest unit that leaves a whole number. */
void cli_duration_format(int64_t ms, char text[CLI_DURATION_SIZE]);

#endif
