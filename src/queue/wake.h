/*
 * Wake-ups: calls that make a message claimable (enqueues, releases, retries) wake workers that
 * sleep on its queue.
 *
 * The test whether a worker sleeps (wake/wake.sql) is sent after the commit, without waiting in
 * between. Each commit needs a test, and each call ensures its own:
 *
 * - A call sends the test after its own statement if the last test was sent PGQRSI_WAKE_AHEAD_MS
 *   ago, or PGQRSI_WAKE_FOUND_MS ago if it found a sleeper.
 * - Any other call, when its answer arrives, looks for a test that covers its commit. A test sent
 *   less than PGQRSI_WAKE_MS ago that is known to have run covers it. A test sent less than
 *   PGQRSI_WAKE_MS ago by itself, and still in progress, takes the commit over. With neither, the
 *   call sends the test by itself.
 *
 * A test that follows a call covers no other commit before it is answered: the call may wait for a
 * lock, or fail. After a failed test its commits still need one, and the next call sends it
 * regardless of the last one. A client therefore sends few tests and needs no timer:
 * docs/decisions/0012.
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
