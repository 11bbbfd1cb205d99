/*
 * A session that holds locks: somebody who began a transaction by hand and forgot to end it.
 *
 *     PGconn *holder = ts_hold(dsn, "LOCK TABLE pgqrs_archive_1 IN ACCESS EXCLUSIVE MODE");
 *     ts_hold_await(holder, 1);        somebody waits for it
 *     ts_hold_end(holder);
 */
#ifndef TS_HOLDER_H
#define TS_HOLDER_H

#include <libpq-fe.h>

/** Begins a transaction in a session of its own and runs statements in it. */
PGconn *ts_hold(const char *dsn, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Returns when at least `count` sessions wait for a lock that the holder has. */
void ts_hold_await(PGconn *holder, int count);

/** Rolls back, so that the locks are free, and ends the session. */
void ts_hold_end(PGconn *holder);

#endif
