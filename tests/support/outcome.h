/*
 * What became of messages, waited for; a test that waits in vain shows what is there instead.
 */
#ifndef TS_OUTCOME_H
#define TS_OUTCOME_H

#include <libpq-fe.h>

/* For conditions that a busy machine takes long to reach, and a fault for ever. */
#define TS_OUTCOME_WAIT_MS 60000

/** Waits until exactly `count` rows of the archive satisfy `condition`, such as "outcome =
 * 'done'". */
void ts_outcome_await(PGconn *sql, int count, const char *condition);

/** Asserts that exactly `count` rows of the archive satisfy `condition` now. */
void ts_outcome_expect(PGconn *sql, int count, const char *condition);

/** Asserts that no message that is stored, and none in the archive, was charged a crash. */
void ts_outcome_expect_no_crash(PGconn *sql);

#endif
