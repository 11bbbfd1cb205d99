/*
 * Events: what a worker reports to its owner.
 */
#ifndef PGQRSI_EXCHANGE_EVENTS_H
#define PGQRSI_EXCHANGE_EVENTS_H

#include <pgqrs/worker.h>

typedef struct pgqrsi_events {
    pgqrs_event_callback callback; /* NULL: nobody listens */
    void *arg;
} pgqrsi_events;

void pgqrsi_events_tell(const pgqrsi_events *events, pgqrs_event_kind kind, pgqrs_job *job,
                        pgqrs_status status, const char *message);

/** One thing that may go wrong again and again. Zero-initialised: nothing is wrong. */
typedef struct pgqrsi_trouble {
    uint64_t reason; /* a hash of the last message that was told; 0: none */
    int64_t told_ms;
} pgqrsi_trouble;

/** Whether `message` is news at `now_ms`, and then notes that it is told: the first one; another
 * reason than the last one, a second after that was told; or the same one a minute later. Pure. */
int pgqrsi_trouble_is_news(pgqrsi_trouble *trouble, const char *message, int64_t now_ms);

/** Tells `message` if it is news. Returns 1 if it was told. */
int pgqrsi_events_trouble(const pgqrsi_events *events, pgqrsi_trouble *trouble,
                          pgqrs_event_kind kind, pgqrs_status status, const char *message);

/** It is over: the next one is news. */
void pgqrsi_events_resolved(pgqrsi_trouble *trouble);

#endif
