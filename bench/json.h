/*
 * Prints one JSON object, indented, as it is told.
 *
 * Life cycle: zero-initialise with the stream, begin(NULL), fields, end. Names are the program's own and not
 * escaped.
 */
#ifndef BENCH_JSON_H
#define BENCH_JSON_H

#include <stdint.h>
#include <stdio.h>

typedef struct bench_json {
    FILE *out;
    int depth;
    int has_fields; /* 1: the object that is open has a field already */
} bench_json;

/** Opens an object or an array: a field called `name`, or NULL for the outermost and for elements of arrays.
 */
void bench_json_begin(bench_json *json, const char *name, char bracket);
void bench_json_end(bench_json *json, char bracket);

void bench_json_text(bench_json *json, const char *name, const char *value);
void bench_json_integer(bench_json *json, const char *name, int64_t value);
void bench_json_flag(bench_json *json, const char *name, int value);

/** An array on one line. */
void bench_json_integers(bench_json *json, const char *name, const int64_t *values, int64_t count);

/** NaN becomes null. */
void bench_json_number(bench_json *json, const char *name, double value, int decimals);

#endif
