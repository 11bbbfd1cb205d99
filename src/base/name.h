/*
 * Checks of names and other short text from users, before anything is sent.
 */
#ifndef PGQRSI_BASE_NAME_H
#define PGQRSI_BASE_NAME_H

#include <stddef.h>

#include <pgqrs/error.h>
#include <pgqrs/slice.h>

#define PGQRSI_QUEUE_NAME_MAX_BYTES 128
#define PGQRSI_TYPE_MAX_BYTES 128
#define PGQRSI_KEY_MAX_BYTES 255

/** The length of the longest prefix of `text` that is valid UTF-8: its size if all of it is. */
size_t pgqrsi_utf8_valid_prefix(pgqrs_slice text);

/** PGQRS_OK if `name` is 1 to `max_bytes` bytes of UTF-8 without control characters; else
 * PGQRS_EINVAL with a message that names `what`, such as "queue name". */
pgqrs_status pgqrsi_name_check(const char *what, pgqrs_slice name, size_t max_bytes,
                               pgqrs_error *err);

#endif
