/*
 * Idempotency keys made from values of JSON: equal values give equal keys, values that differ give
 * keys that differ, be it in their type only.
 *
 *      "order-17"       order-17              a string is its own key
 *      17, 17.0, 1.7e1  number:17             all spellings of a number are one key
 *      "number:17"      string:number:17      a string that looks like such a key, or like this one
 */
#ifndef PGQRS_CLI_KEY_H
#define PGQRS_CLI_KEY_H

#include <stddef.h>

#include <pgqrs/slice.h>

#define CLI_KEY_MAX_BYTES 255

/** Writes the key of a string, given decoded. Returns its length; beyond CLI_KEY_MAX_BYTES it is
 * too long, and `out` is of no use. */
size_t cli_key_of_string(pgqrs_slice text, char out[CLI_KEY_MAX_BYTES]);

/** The same for a number, given as it is spelled. Whatever is no number is safe to hand in. */
size_t cli_key_of_number(pgqrs_slice text, char out[CLI_KEY_MAX_BYTES]);

#endif
