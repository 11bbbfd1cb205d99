/*
 * Waking workers that sleep over a queue, by the calls that make something claimable there: enqueues,
 * releases, retries.
 *
 * The test whether a worker sleeps (wake/wake.sql) is sent to the server after the commit, without waiting in
 * between. Each commit is owed one, and each call sees to its own:
 *
 *   a call that is sent PGQRSI_WAKE_AHEAD_MS after the last test was sent, or PGQRSI_WAKE_FOUND_MS after one
 * that found a sleeper, sends the test after itself; another one, when its answer comes, looks for a test
 * that covers its commit: one that was sent less than PGQRSI_WAKE_MS ago, and is known to have been carried
 * out: nothing to do; one that was sent less than PGQRSI_WAKE_MS ago by itself, and is under way: the commit
 * is left to it; none: the call sends the test by itself.
 *
 * A test that follows a call covers no other commit before it is answered: the call may wait for a lock, or
 * fail. A test that failed leaves what it was to cover owed, and the next call sends a test whenever the last
 * one was. So a client sends few tests, and needs no timer: docs/decisions/0012.
 */
#ifndef PGQRSI_QUEUE_WAKE_H
#define PGQRSI_QUEUE_WAKE_H

#include "queue/queue.h"

/** A test covers commits that are known this long after it was sent: a worker that went to sleep since looks
 * a second time, later than that after it locked itself in (wake/sleep.sql). */
#define PGQRSI_WAKE_MS 5

/** So that there is a newer test, and an answer to it, before the last one is too old. */
#define PGQRSI_WAKE_AHEAD_MS 4

/** While workers sleep between two messages, the next message is waited for. */
#define PGQRSI_WAKE_FOUND_MS 1

/** pgqrsi_client_run of a call that makes `count` messages claimable, now or later. Sends the test after it
 * if one is due, and writes to *tested whether that was carried out. On a caller's own connection no test is
 * sent. */
pgqrs_status pgqrsi_wake_send(pgqrs_client *client, pgqrsi_queue *queue, const pgqrsi_call *call,
                              size_t count, int64_t deadline_ms, pgqrsi_rows **out, int *tested,
                              pgqrs_error *err);

/** After a call that succeeded and whose own test was not carried out: sees that one covers its commit. */
void pgqrsi_wake_finish(pgqrs_client *client, pgqrsi_queue *queue, size_t count, int64_t deadline_ms);

/** Both: what a call does that is on its own. */
pgqrs_status pgqrsi_wake_run(pgqrs_client *client, pgqrsi_queue *queue, const pgqrsi_call *call, size_t count,
                             int64_t deadline_ms, pgqrsi_rows **out, pgqrs_error *err);

#endif
