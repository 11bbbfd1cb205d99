/*
 * Checks whether PostgreSQL's jsonb type accepts a JSON text, without building a value.
 */
#ifndef PGQRSI_BASE_JSON_H
#define PGQRSI_BASE_JSON_H

#include <stddef.h>
#include <stdint.h>

#include <pgqrs/slice.h>

/** How deep arrays and objects may nest. */
#define PGQRSI_JSON_MAX_DEPTH 64

/** What is wrong with a text, and where. */
typedef struct pgqrsi_json_fault {
    const char *problem; /* static text, such as "expected a value" */
    size_t offset;       /* of the byte at fault, from 0 */
} pgqrsi_json_fault;

/**
 * 1 if `text` is one JSON value that jsonb accepts: valid UTF-8, no \u0000, no lone surrogate,
 * numbers in the range of numeric, at most PGQRSI_JSON_MAX_DEPTH deep, at most 8,388,608 values
 * (jsonb has a limit of its own not far beyond). Else 0, and *fault says why. One pass, no memory,
 * any thread.
 *
 * *out_printed, unless NULL, is written on success: how many bytes jsonb's text has at most. That
 * can be many times the size of `text`, since jsonb prints 1e131071 as 131,072 digits.
 */
int pgqrsi_json_check(pgqrs_slice text, uint64_t *out_printed, pgqrsi_json_fault *fault);

/** 1 if `text`, which must have passed pgqrsi_json_check, is an object. */
int pgqrsi_json_is_object(pgqrs_slice text);

#endif
