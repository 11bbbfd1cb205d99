/*
 * A tally: how often each message was given to a handler, and what the worker said. For tests that
 * run many messages; a journal is for few.
 *
 *     options.on_event = ts_tally_event;
 *     options.event_arg = tally;
 *     running_add(s, worker, "jobs", NULL, ts_tally_handler, tally);
 *     ts_tally_expect_once(tally, 1000);
 *
 * It lives until the test executable ends.
 */
#ifndef TS_TALLY_H
#define TS_TALLY_H

#include <pgqrs/worker.h>

#include <stdatomic.h>

#define TS_TALLY_MAX 20000 /* above all message ids */

typedef struct ts_tally {
    atomic_int starts[TS_TALLY_MAX]; /* by message id */
    atomic_int events[32];           /* by kind */
    int work_ms;                     /* how long its handler works */
    struct ts_tally *next;           /* of all that there are */
} ts_tally;

/** Its handler works for `work_ms`. */
ts_tally *ts_tally_new(int work_ms);

/** A handler; its argument is a tally. It does not give up when it is told to. */
pgqrs_job_outcome ts_tally_handler(pgqrs_job *job, void *tally);

/** An event callback. */
void ts_tally_event(const pgqrs_event *event, void *tally);

/** How many events of that kind there were. */
int ts_tally_events(ts_tally *tally, pgqrs_event_kind kind);

/** How many messages were started at least once, and how many more than once. */
int ts_tally_started(ts_tally *tally);
int ts_tally_repeated(ts_tally *tally);

/** Asserts that `count` messages were run, each once, and that no lease was lost. */
void ts_tally_expect_once(ts_tally *tally, int count);

#endif
