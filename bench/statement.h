/*
 * Runs the statements of bench/sql. Their placeholders are written as psql writes its variables, so that a
 * file can be pasted into psql after a few \set: :"schema", and, made from `id`, :"ready" and :"held" (the
 * lanes of that queue) and
 * :"bare" (the table of that comparison).
 */
#ifndef BENCH_STATEMENT_H
#define BENCH_STATEMENT_H

#include <libpq-fe.h>
#include <stdint.h>

#include "bench_sql.h"
#include "run.h"

/** The text of `statement` with the names of the run's schema and of `id` filled in. The caller frees it;
 * NULL: no memory. */
char *bench_statement_text(const bench_run *run, bench_sql statement, int64_t id);

/**
 * Runs `statement` on `connection` with `count` text parameters. Returns the result, for the caller to
 * PQclear, if the server carried it out; else NULL with the failure recorded as "could not `what`".
 */
PGresult *bench_statement_run(bench_run *run, PGconn *connection, bench_sql statement, int64_t id,
                              const char *const *parameters, int count, const char *what);

/** As bench_statement_run without parameters, for what returns nothing. 0 or -1. */
int bench_statement_do(bench_run *run, PGconn *connection, bench_sql statement, int64_t id, const char *what);

/** The whole number in row 0, `column`; 0 if that is null or not there. */
int64_t bench_statement_integer(const PGresult *result, int column);

#endif
