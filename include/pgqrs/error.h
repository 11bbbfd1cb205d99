/*
 * The details of a failure: one line for people, the server's SQLSTATE, and whether a retry can
 * help.
 *
 *     pgqrs_error *err = pgqrs_error_new();
 *     if (pgqrs_client_open(config, &client, err) != PGQRS_OK)
 *         fprintf(stderr, "%s\n", pgqrs_error_message(err));
 *     pgqrs_error_free(err);
 *
 * Every function that takes an error also takes NULL. It writes the error on failure only; the
 * error keeps its text until the next failure. One thread at a time. An error never contains a
 * payload or a password.
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

/** Makes an empty error. Returns NULL when out of memory; NULL is a valid error argument
 * everywhere. The caller frees it. */
PGQRS_API pgqrs_error *pgqrs_error_new(void);

/** Frees `err`; NULL is fine. */
PGQRS_API void pgqrs_error_free(pgqrs_error *err);

/** The status of the last failure; PGQRS_OK if there was none or `err` is NULL. */
PGQRS_API pgqrs_status pgqrs_error_status(const pgqrs_error *err);

/** One line: what was attempted, on which object, why it failed, and what to do. Valid until `err`
 * is written again or freed; "" if there was no failure. Never NULL. */
PGQRS_API const char *pgqrs_error_message(const pgqrs_error *err);

/** The server's five-character SQLSTATE, or "" if the failure did not come from the server. Never
 * NULL. */
PGQRS_API const char *pgqrs_error_sqlstate(const pgqrs_error *err);

/** Whether the same call can succeed later without a change. */
PGQRS_API bool pgqrs_error_is_transient(const pgqrs_error *err);

#ifdef __cplusplus
}
#endif
#endif
