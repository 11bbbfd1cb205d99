/*
 * Waking workers that sleep over a queue, by whoever makes something claimable there: enqueues, releases,
 * retries.
 *
 * The test whether somebody sleeps (wake/wake.sql) goes to the server behind the commit, without waiting in
 * between. So that it costs next to nothing, a client sends it once in PGQRSI_WAKE_MS for each queue:
 *
 *   a call that is sent that long after the last test was sent sends the test behind itself;
 *   another one, when its answer comes, is done if it is still not that long; else it sends the test alone.
 *
 * So a message that no test was sent for was committed within PGQRSI_WAKE_MS of a test. Whoever slept then
 * was woken by that, and who went to sleep since looks a second time, later than that after it locked itself
 * in (wake/sleep.sql). Hence no trailing test, and no timer. A test that is lost with its connection costs
 * time only: workers also look by themselves.
 */
#ifndef PGQRSI_STORE_WAKE_H
#define PGQRSI_STORE_WAKE_H

#include "client.h"

#define PGQRSI_WAKE_MS 5

struct pgqrsi_queue; /* store/queue.h */

/** What a queue remembers: zero-initialised; guarded by pgqrsi_pool_lock. */
typedef struct pgqrsi_wakes {
    int64_t sent_ms; /* when the last test was sent, by this process's clock; 0: never */
} pgqrsi_wakes;

/** pgqrsi_client_run of a call that makes `count` messages claimable, now or later. Sends the test behind it
 * if one is due, and writes to *tested whether it did. On a caller's own connection no test is sent. */
pgqrs_status pgqrsi_queue_wake_send(pgqrs_client *client, struct pgqrsi_queue *queue, const pgqrsi_call *call,
                                    size_t count, int64_t deadline_ms, pgqrsi_rows **out, int *tested,
                                    pgqrs_error *err);

/** Behind a call that succeeded and did not send the test: sends it now, if one is due. Needless if another
 * call follows certainly and at once. */
void pgqrsi_queue_wake_finish(pgqrs_client *client, struct pgqrsi_queue *queue, size_t count,
                              int64_t deadline_ms);

/** Both: what a call does that is on its own. */
pgqrs_status pgqrsi_queue_wake_run(pgqrs_client *client, struct pgqrsi_queue *queue, const pgqrsi_call *call,
                                   size_t count, int64_t deadline_ms, pgqrsi_rows **out, pgqrs_error *err);

#endif
