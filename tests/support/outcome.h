/*
 * Waits for the outcome of messages; a test that waits in vain prints the rows that are there
 * instead.
 */
#ifndef TS_OUTCOME_H
#define TS_OUTCOME_H

#include <libpq-fe.h>

/* A busy machine takes long to meet a condition; with a fault it is never met. */
#define TS_OUTCOME_WAIT_MS 60000

/** Waits until exactly `count` rows of the archive satisfy `condition`, such as "outcome =
 * 'done'". */
void ts_outcome_await(PGconn *sql, int count, const char *condition);

/** Asserts that exactly `count` rows of the archive satisfy `condition` now. */
void ts_outcome_expect(PGconn *sql, int count, const char *condition);

/** Asserts that no message that is stored, and none in the archive, was charged a crash. */
void ts_outcome_expect_no_crash(PGconn *sql);

#endif
