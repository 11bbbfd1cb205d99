/*
 * Wake-ups: calls that make a message claimable (enqueues, releases, retries) wake workers that
 * sleep on its queue.
 *
 * A call says in its fields `queue` and `claimable` what it makes claimable, and one function runs
 * it. The test whether a worker sleeps (wake/wake.sql) is sent after the commit, without waiting in
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

/** A test covers commits that are known this long after it was sent: a worker that takes the
 * sleeper's lock after the test looks a last time later than this (wake/sleep.sql). */
#define PGQRSI_WAKE_MS 5

/** A newer test, and its answer, are then there before the last one is too old. */
#define PGQRSI_WAKE_AHEAD_MS 4

/** While workers sleep between two messages, they wait for the next message. */
#define PGQRSI_WAKE_FOUND_MS 1

/**
 * Runs a call that makes messages claimable, as pgqrsi_client_run does, and ensures that workers
 * that sleep on `call->queue` are woken for them. Any other call it only runs. On a caller's own
 * connection it sends no test: the caller has not committed.
 *
 * It calls `call->answered` once, when the outcome is known and before it sends a test by itself:
 * other threads that wait for the outcome do not wait for that test. Nothing of the call may be
 * freed there.
 *
 * A call of wake/wake.sql is the test alone, for `claimable` messages that were committed before.
 * It needs no parameters, returns no rows, and always succeeds.
 */
pgqrs_status pgqrsi_wake_run(pgqrs_client *client, const pgqrsi_call *call, int64_t deadline_ms,
                             pgqrsi_rows **out, pgqrs_error *err);

#endif
