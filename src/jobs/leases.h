/*
 * Leases: every message that this worker holds, and its state. Only this file changes the state of
 * a lease. Loop side only.
 *
 *   HELD ---outcome---> REPORT <------> SENT       ENDED, from any: confirmed, lost, cancelled
 *
 * Heartbeats extend a lease until the server has stored its report.
 */
#ifndef PGQRSI_JOBS_LEASES_H
#define PGQRSI_JOBS_LEASES_H

#include <pgqrs/worker.h>

#include "exchange/events.h"
#include "jobs/handlers.h"
#include "jobs/job.h"
#include "queue/consumer.h"

/** Of a job's error, what events tell. */
#define PGQRSI_JOB_TEXT_BYTES 256

typedef enum pgqrsi_lease_state {
    PGQRSI_LEASE_HELD, /* entered when claimed */
    /* in the holding's `reports`: its verdict is to be sent; from HELD, or SENT to try again */
    PGQRSI_LEASE_REPORT,
    PGQRSI_LEASE_SENT, /* the verdict is under way; from REPORT */
    PGQRSI_LEASE_ENDED /* in no list; from any other */
} pgqrsi_lease_state;

/** What is reported. */
typedef enum pgqrsi_verdict {
    PGQRSI_VERDICT_DONE,
    PGQRSI_VERDICT_FAILED,
    PGQRSI_VERDICT_DEAD,
    PGQRSI_VERDICT_SNOOZED,
    PGQRSI_VERDICT_RELEASED,  /* given back because the worker stops */
    PGQRSI_VERDICT_UNSTARTED, /* prefetched but never started: released without an event */
    PGQRSI_VERDICT_CRASHED    /* its leases ran out too often: dead */
} pgqrsi_verdict;

struct pgqrsi_lease;

/** The messages of one claim, and their leases. */
typedef struct pgqrsi_batch {
    size_t refs; /* leases that are not free yet */
    pgqrs_message_list *list;
    struct pgqrsi_lease *leases;
} pgqrsi_batch;

typedef struct pgqrsi_lease {
    pgqrs_job job; /* the handlers' side */
    struct pgqrsi_holding *holding;
    pgqrsi_batch *batch;
    TAILQ_ENTRY(pgqrsi_lease) owned, report;
    pgqrsi_lease_state state;
    pgqrsi_verdict verdict;
    pgqrsi_lane lane; /* where the message lay when last seen */
    int in_archive;   /* neither lane has it: an earlier report may have been carried out */
    int is_missing;   /* an extension found it in neither lane: it is locked, or lost */
    /* the handlers' side has ended, so that what the handler set may be read */
    int is_over;
    int is_told;              /* PGQRS_EVENT_CANCELLED was delivered */
    int is_suspect;           /* it may have crashed its workers: see suspects.h */
    int timed_out;            /* the error to report is that, whatever the handler sets */
    int pins;                 /* statements under way that name it */
    int64_t renewed_ms;       /* when the claim, or the last extension that held, was sent */
    int64_t release_delay_ms; /* before a message released unstarted is due again */
    int64_t return_ms;        /* when it is released if it has not begun */
    /* A report that the server refused: */
    int is_alone;       /* it was refused with others, or by itself: it is sent by itself */
    int refusals;       /* refused by itself so often */
    int64_t refused_ms; /* the first time */
    int64_t retry_ms;   /* when it is sent again */
    char *refusal;      /* why it became a failure; NULL: it did not */
} pgqrsi_lease;

TAILQ_HEAD(pgqrsi_lease_list, pgqrsi_lease);

/** So many ids are remembered of which it is said that they were cancelled. */
#define PGQRSI_HEARSAY_MAX 64

/** What notifications say of one queue's messages, not looked at yet: see cancellations.h. */
typedef struct pgqrsi_hearsay {
    int64_t ids[PGQRSI_HEARSAY_MAX];
    size_t count;
    int is_over_full; /* it was said of others, too */
    int is_looking;   /* a look is under way */
    int64_t look_ms;  /* not before */
} pgqrsi_hearsay;

/** What the worker holds of one queue. */
typedef struct pgqrsi_holding {
    struct pgqrsi_holdings *all;
    pgqrs_consumer *consumer;
    pgqrs_worker_queue_options options; /* with the defaults filled in */
    pgqrsi_job_source source;
    void (*came_back)(struct pgqrsi_holding *holding,
                      int64_t delay_ms); /* a message is due again after that */
    TAILQ_ENTRY(pgqrsi_holding) busy;    /* in `all->busy` while it has leases */
    struct pgqrsi_lease_list owned, reports;
    size_t count;         /* in `owned` */
    size_t refused;       /* of these, those whose reports were refused */
    int64_t heartbeat_ms; /* heartbeat's: when the next one is due */
    int64_t report_ms;    /* reporting's: nothing is sent before, after trouble */
    /* a statement met a lock, or failed among others: each is sent apart until then */
    int64_t apart_until_ms;
    int is_gone; /* the queue was deleted: nothing is asked of it until it is found again */
    pgqrsi_hearsay cancelled; /* cancellations' */
    pgqrsi_trouble trouble;
} pgqrsi_holding;

TAILQ_HEAD(pgqrsi_holding_list, pgqrsi_holding);

typedef struct pgqrsi_holdings {
    const pgqrsi_events *events;
    pgqrsi_handlers *handlers;
    struct pgqrsi_holding_list busy;
    /* the worker has several queues, so that none may take the time of others */
    int is_shared;
    size_t count;         /* leases of all queues */
    size_t unsent;        /* of these, REPORT */
    size_t unreported;    /* of these, REPORT and SENT */
    size_t refused;       /* of these, those whose reports were refused */
    size_t suspects;      /* of these, suspects that are run */
    int64_t scan_ms;      /* when to look for jobs that are late */
    int64_t cancelled_ms; /* cancellations': no look before */
    pgqrs_worker_counts counts;
} pgqrsi_holdings;

/** Several leases that one statement names. */
typedef struct pgqrsi_lease_group {
    pgqrsi_lease **list; /* by id, pinned */
    size_t count, capacity;
} pgqrsi_lease_group;

void pgqrsi_holdings_init(pgqrsi_holdings *all, const pgqrsi_events *events,
                          pgqrsi_handlers *handlers);
void pgqrsi_holding_init(pgqrsi_holding *holding, pgqrsi_holdings *all);

/** A batch for `count` messages; NULL without memory. One reference is the caller's. */
pgqrsi_batch *pgqrsi_batch_new(size_t count);
void pgqrsi_batch_unref(pgqrsi_batch *batch);

/** Message `i` of the batch is leased: the claim was sent at `sent_ms`. */
pgqrsi_lease *pgqrsi_lease_begin(pgqrsi_holding *holding, pgqrsi_batch *batch, size_t i,
                                 pgqrsi_lane lane, int64_t sent_ms);

pgqrsi_lease *pgqrsi_lease_of_job(pgqrs_job *job);

/** The handler has ended. */
void pgqrsi_lease_job_ended(pgqrsi_lease *lease);

/** It is held for another lease time from `sent_ms` on. */
void pgqrsi_lease_renewed(pgqrsi_lease *lease, int64_t sent_ms);

/** Takes the job away from the handlers if it has not begun: 1, or 0 if it has. */
int pgqrsi_lease_withdraw(pgqrsi_lease *lease);

/** HELD to REPORT. */
void pgqrsi_lease_report(pgqrsi_lease *lease, pgqrsi_verdict verdict);

/** HELD to REPORT: the attempt failed, as the last one or not. */
void pgqrsi_lease_fail(pgqrsi_lease *lease);

/** REPORT to SENT, and back. */
void pgqrsi_lease_sent(pgqrsi_lease *lease);
void pgqrsi_lease_put_back(pgqrsi_lease *lease);

/** The server refused its report, by itself, for that reason: it becomes a failure if
 * `is_failure`. */
void pgqrsi_lease_refused(pgqrsi_lease *lease, const char *why, int is_failure);

/** The server knows: tells, and ends it. */
void pgqrsi_lease_confirmed(pgqrsi_lease *lease);

/** It is lost, or not its own any more: tells, and ends it. */
void pgqrsi_lease_lost(pgqrsi_lease *lease, const char *why);

/** To ENDED; frees the lease when the handler has ended as well. */
void pgqrsi_lease_end(pgqrsi_lease *lease);

/** Tells the handler to give up. */
void pgqrsi_lease_cancel(pgqrsi_lease *lease, pgqrs_job_cancellation why);

/** Releases what has not begun; if `all`, also what has, whose handlers are told to give up. */
void pgqrsi_holding_release_held(pgqrsi_holding *holding, int all);

/** All leases of a queue that was deleted are lost, but those whose reports are under way. */
void pgqrsi_holding_gone(pgqrsi_holding *holding);

int pgqrsi_verdict_is_failure(const pgqrsi_lease *lease);

/** The error to report; `text` is where it is written if it is not the handler's. */
pgqrs_slice pgqrsi_lease_error(const pgqrsi_lease *lease, char text[PGQRSI_JOB_TEXT_BYTES]);

/** How long before its end a lease is not trusted any more. */
int64_t pgqrsi_lease_margin_ms(int64_t lease_ms);

/** Adds a lease and pins it: 0 without memory. */
int pgqrsi_lease_group_add(pgqrsi_lease_group *group, pgqrsi_lease *lease);
void pgqrsi_lease_group_sort(pgqrsi_lease_group *group);
pgqrsi_lease *pgqrsi_lease_group_find(const pgqrsi_lease_group *group, int64_t id);

/** Unpins all and frees the list. */
void pgqrsi_lease_group_release(pgqrsi_lease_group *group);

#endif
