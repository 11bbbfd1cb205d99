/*
 * Private servers, for the layers above: what a DSN that names one stands for.
 */
#ifndef PGQRSI_LOCAL_LOCAL_H
#define PGQRSI_LOCAL_LOCAL_H

#include <pgqrs/error.h>
#include <pgqrs/slice.h>

/** 1 if `dsn` starts with "local:" and so names a private server, well or badly; else 0. Any thread. */
int pgqrsi_local_is_dsn(pgqrs_slice dsn);

/**
 * Starts the private server that `dsn` ("local:" or "local:NAME") names, creating it if it is absent, and
 * writes libpq's connection string for it to *out_conninfo, which the caller frees. Returns PGQRS_OK,
 * PGQRS_EINVAL (not such a DSN, or a bad name), PGQRS_ENOPOSTGRES, PGQRS_ESYSTEM or PGQRS_ENOMEM. Returns
 * within milliseconds if the server runs; else blocks up to a minute. Any thread.
 */
pgqrs_status pgqrsi_local_conninfo(pgqrs_slice dsn, char **out_conninfo, pgqrs_error *err);

#endif
