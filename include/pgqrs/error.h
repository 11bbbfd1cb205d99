/*
 * The detail of a failure: one line for people, the server's SQLSTATE, and whether trying again makes sense.
 *
 *     pgqrs_error *err = pgqrs_error_new();
 *     if (pgqrs_client_open(config, &client, err) != PGQRS_OK)
 *         fprintf(stderr, "%s\n", pgqrs_error_message(err));
 *     pgqrs_error_free(err);
 *
 * Every function that takes an error takes NULL as well. It is written on failure only, and keeps what it
 * held until the next failure. One thread at a time. It never holds a payload or a password.
 */
#ifndef PGQRS_ERROR_H
#define PGQRS_ERROR_H

#include <stdbool.h>

#include <pgqrs/export.h>
#include <pgqrs/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pgqrs_error pgqrs_error;

/** An empty error, or NULL when out of memory (which is a valid argument everywhere). Free it. */
PGQRS_API pgqrs_error *pgqrs_error_new(void);

/** Frees `err`; NULL is fine. */
PGQRS_API void pgqrs_error_free(pgqrs_error *err);

/** The status of the last failure; PGQRS_OK if there was none or `err` is NULL. */
PGQRS_API pgqrs_status pgqrs_error_status(const pgqrs_error *err);

/** What was attempted, on which object, why it failed and what to do, in one line. Valid until `err` is
 * written again or freed; "" if there was no failure. Never NULL. */
PGQRS_API const char *pgqrs_error_message(const pgqrs_error *err);

/** The server's five-character SQLSTATE, or "" if the failure did not come from the server. Never NULL. */
PGQRS_API const char *pgqrs_error_sqlstate(const pgqrs_error *err);

/** Whether the same call may succeed later without any change. */
PGQRS_API bool pgqrs_error_is_transient(const pgqrs_error *err);

#ifdef __cplusplus
}
#endif
#endif
