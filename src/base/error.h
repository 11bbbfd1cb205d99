/*
 * Writes a failure into the caller's pgqrs_error. All other files report through these functions.
 */
#ifndef PGQRSI_BASE_ERROR_H
#define PGQRSI_BASE_ERROR_H

#include <pgqrs/error.h>
#include <pgqrs/slice.h>

/** What users know as an opaque type. Inside, one that outlives no call is a local variable, so
 * that no decision depends on memory for it: PGQRSI_ERROR_INIT, use, pgqrsi_error_release. */
struct pgqrs_error {
    pgqrs_status status;
    char sqlstate[6];
    char *message; /* NULL when there was no memory for it: the status' text stands in */
};

#define PGQRSI_ERROR_INIT                                                                          \
    {                                                                                              \
        .status = PGQRS_OK                                                                         \
    }

/** Frees what `err` holds, not `err`. */
void pgqrsi_error_release(pgqrs_error *err);

/**
 * Writes `status` and a one-line message, with control characters replaced, into `err` (which may
 * be NULL), and returns `status`, so that a failing path is one statement. Whether a retry makes
 * sense follows from the status.
 */
pgqrs_status pgqrsi_error_set(pgqrs_error *err, pgqrs_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Adds the server's SQLSTATE to the failure that was just set. */
void pgqrsi_error_set_sqlstate(pgqrs_error *err, const char *sqlstate);

/** Moves the failure in `from` to `err` (which may be NULL); `from` must still be released. */
void pgqrsi_error_move(pgqrs_error *err, pgqrs_error *from);

/** Reports that memory is short. Allocates nothing. Returns PGQRS_ENOMEM. */
pgqrs_status pgqrsi_error_memory(pgqrs_error *err);

#endif
