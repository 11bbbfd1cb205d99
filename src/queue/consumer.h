/*
 * The consumer, for its own files: consumer.c dequeues, claim.c claims, lease.c ends leases,
 * sweep.c sweeps the lanes.
 */
#ifndef PGQRSI_QUEUE_CONSUMER_H
#define PGQRSI_QUEUE_CONSUMER_H

#include <pgqrs/consumer.h>

#include "queue/queue.h"

struct pgqrs_consumer {
    pgqrs_client *client;
    _Atomic(pgqrsi_queue *) queue; /* another one when it was deleted and made again */
    int64_t lease_ms;
    int64_t worker_id;
};

/*
 * Operations in steps, for callers that wait for the server themselves: the next statement, its
 * parameters, and what its answer means. The blocking calls of <pgqrs/consumer.h> are made of the
 * same steps.
 */

/** Where messages are claimed from, in the order of asking. */
typedef enum pgqrsi_place {
    PGQRSI_PLACE_ABOVE = 0, /* held lane, priorities above the default */
    /* held lane, default priority, if older than the ready lane's head */
    PGQRSI_PLACE_DEFAULT_FIRST = 1,
    PGQRSI_PLACE_READY = 2,
    PGQRSI_PLACE_DEFAULT = 3, /* held lane, default priority */
    PGQRSI_PLACE_BELOW = 4,   /* held lane, priorities below the default */
    PGQRSI_PLACE_NONE = 5
} pgqrsi_place;

/** One claim of one place. */
typedef struct pgqrsi_claim {
    pgqrs_consumer *consumer;
    pgqrsi_place place;
    int64_t asked;
    int64_t lease_ms;
    pgqrs_slice type; /* { NULL, 0 }: all */
    /* leases that have run out are left alone: after an outage their holders may come back */
    int spares_leases;
    /* one message, of which the server sends the id alone: it refused to send the rest */
    int is_blind;
    int64_t token;
    int64_t began_ms;
    int by_runs; /* the cheaper statement for a backlog: a short answer says nothing, ask again */
    pgqrsi_params params;
    pgqrsi_call call; /* what to run; points to `params` */
} pgqrsi_claim;

/** What this client knows of the queue's lanes just now. */
pgqrsi_frontier pgqrsi_consumer_frontier(pgqrs_consumer *consumer);

/** A token for one lease: each claim has its own, so that a token says which. PGQRS_ESYSTEM. */
pgqrs_status pgqrsi_claim_token(int64_t *out, pgqrs_error *err);

/** The first place from `from` on where the hints say that something may be due. */
pgqrsi_place pgqrsi_claim_choose(pgqrs_consumer *consumer, pgqrsi_place from);

/** Fills in what is to be run; consumer, place, asked, lease_ms, type and is_blind are given.
 * `asked` is made smaller where the server refused to hand out as many. To be released. */
pgqrs_status pgqrsi_claim_begin(pgqrsi_claim *claim, pgqrs_error *err);

/** Takes what was claimed into `list`, which has room for `asked` and owns `rows` from now on. */
void pgqrsi_claim_end(pgqrsi_claim *claim, pgqrsi_rows *rows, pgqrs_message_list *list);

/** What to do about a claim that failed with `status` and `sqlstate`. One message that the server
 * cannot send must not keep the others: fewer are asked for, down to one, and that one is claimed
 * blindly and failed. */
typedef enum pgqrsi_claim_next {
    PGQRSI_CLAIM_FAILED,    /* the failure is the answer; a later claim may ask for fewer */
    PGQRSI_CLAIM_ASK_FEWER, /* begin it again with half of `asked` */
    PGQRSI_CLAIM_BLINDLY    /* begin it again with is_blind, and ask for what it returns again:
                               pgqrsi_claim_again_call */
} pgqrsi_claim_next;

pgqrsi_claim_next pgqrsi_claim_refused(pgqrsi_claim *claim, pgqrs_status status,
                                       const char *sqlstate);

struct pgqrsi_failure;

/** The lease of the message that a blind claim returned. 0 if it returned none. */
int pgqrsi_claim_blind_lease(const pgqrsi_claim *claim, const pgqrsi_rows *rows, pgqrs_lease *out);

/** Asks whether the server can send this very message: the blind claim may have got another one. It
 * returns the message, nothing if the lease is not held in `lane`, or fails. */
pgqrsi_call pgqrsi_claim_again_call(pgqrs_consumer *consumer, pgqrsi_lane lane, pgqrs_lease lease,
                                    int64_t lease_ms, pgqrsi_params *params);

/** The failure to report of a message that the server refused to send with `sqlstate`, for
 * `reason`, which it points to. 0 if that says nothing about the message. */
int pgqrsi_claim_burial(pgqrs_lease lease, const char *sqlstate, const char *reason,
                        struct pgqrsi_failure *out);

void pgqrsi_claim_release(pgqrsi_claim *claim);

/** How many leases that ran out make a message dead. */
int32_t pgqrsi_consumer_max_crashes(pgqrs_consumer *consumer);

/** Several leases to end or change by one statement, in id order, no message twice. */
typedef struct pgqrsi_leases {
    const pgqrs_lease *leases;
    const pgqrs_slice *archived; /* results to keep, by place in `leases`, or NULL */
    const size_t *order;         /* places in `leases` by id; NULL: they are in order */
    size_t count;
    const int64_t *number; /* the statement's last parameter, or NULL */
} pgqrsi_leases;

/** The call for `sql` (delete, archive, extend, release or archived) in one lane; returns ids.
 * `params` is filled in and to be released. */
pgqrsi_call pgqrsi_leases_call(pgqrs_consumer *consumer, pgqrsi_sql sql, pgqrsi_lane lane,
                               const pgqrsi_leases *leases, pgqrsi_params *params);

/** Whether a failed attempt was the last one; as sql/queries/consumer/fail.sql numbers them. */
typedef enum pgqrsi_last_attempt {
    PGQRSI_LAST_BY_QUEUE = 0,
    PGQRSI_LAST = 1,
    PGQRSI_NOT_LAST = 2
} pgqrsi_last_attempt;

/** How one failed attempt ends. */
typedef struct pgqrsi_failure {
    pgqrs_lease lease;
    pgqrsi_last_attempt last;
    int64_t delay_ms; /* 0: the queue's backoff */
    pgqrs_slice error;
    int64_t charge; /* failures to count: a crash has been counted already */
    /* What became of it: */
    int found;
    int dead;
    int64_t pause_ms;
} pgqrsi_failure;

pgqrsi_call pgqrsi_failure_call(pgqrs_consumer *consumer, pgqrsi_lane lane,
                                const pgqrsi_failure *failure, pgqrsi_params *params);
void pgqrsi_failure_read(pgqrsi_failure *failure, const pgqrsi_rows *rows);

/** Reports it, waiting, in whichever lane the message lies. PGQRS_ELEASELOST. */
pgqrs_status pgqrsi_consumer_report_failure(pgqrs_consumer *consumer, pgqrsi_failure *failure,
                                            int64_t deadline_ms, pgqrs_error *err);

/** Cuts an error text where it is too long. PGQRS_EINVAL if it is not UTF-8. */
pgqrs_status pgqrsi_failure_cut_error(pgqrs_slice *error, pgqrs_error *err);

/** Why a message that crashed too often is dead. */
void pgqrsi_failure_of_crashes(int32_t crashes, char *out, size_t size);

/** How much a look must cover. */
typedef enum pgqrsi_look {
    PGQRSI_LOOK_USUAL, /* up to the head of the ready lane */
    /* everything, so that "nothing is due" may be said: where that is expensive, bit by bit */
    PGQRSI_LOOK_COMPLETE
} pgqrsi_look;

/**
 * Asking for the hints of both lanes anew, with the sweep where it is needed, and what is due
 * seldom.
 *
 *   FULL_SWEEP ---> PEEK ---> SWEEP ---> PEEK_AGAIN ---> SAVE ---> KEYS ---> ARCHIVE ---> over
 *                    ^          |
 *                    +----------+  the server refused to move something: go on after it
 *
 * each only if it is due. Only the peeks' failures matter: the rest is left to the next time.
 */
typedef enum pgqrsi_refresh_step {
    PGQRSI_REFRESH_FULL_SWEEP,
    PGQRSI_REFRESH_PEEK,
    PGQRSI_REFRESH_SWEEP,
    PGQRSI_REFRESH_PEEK_AGAIN,
    PGQRSI_REFRESH_SAVE,
    PGQRSI_REFRESH_KEYS,
    PGQRSI_REFRESH_ARCHIVE,
    PGQRSI_REFRESH_OVER
} pgqrsi_refresh_step;

typedef struct pgqrsi_refresh {
    pgqrs_consumer *consumer;
    pgqrsi_look look;
    pgqrsi_refresh_step step;
    int is_complete;  /* everything was looked at since it began: see pgqrsi_frontier.complete_ms */
    int64_t first_ms; /* when it began */
    int64_t began_ms; /* the present statement */
    pgqrsi_range range;
    int64_t bound;      /* that the peek was sent with */
    int64_t stragglers; /* found by the last peek */
    int64_t lowest;     /* the first of them */
    int has_swept;
    int is_narrowed; /* the server refused a sweep */
    int tries;
    int64_t save; /* the low-water mark to save; 0: none */
    int keys, archive;
    pgqrsi_params params;
    pgqrsi_call call;
} pgqrsi_refresh;

/** Elections for a slice of a full sweep that a client loses before it goes on without. */
#define PGQRSI_ELECTIONS 3

void pgqrsi_refresh_begin(pgqrsi_refresh *refresh, pgqrs_consumer *consumer, pgqrsi_look look);

/** 1 if there is a statement to be run, `refresh->call`; else 0. */
int pgqrsi_refresh_next(pgqrsi_refresh *refresh);

/** Its answer: rows, which stay the caller's, or NULL and the server's SQLSTATE ("" if it has none)
 * if it failed. */
void pgqrsi_refresh_answer(pgqrsi_refresh *refresh, const pgqrsi_rows *rows, const char *sqlstate);
void pgqrsi_refresh_release(pgqrsi_refresh *refresh);

/** 1 if the present step is a peek, whose failure matters. */
int pgqrsi_refresh_is_peek(const pgqrsi_refresh *refresh);

/** 1 if the present step is a sweep, whose failure is told. */
int pgqrsi_refresh_is_sweep(const pgqrsi_refresh *refresh);

/** The whole of it, waiting. `refused` is written if a sweep failed. */
pgqrs_status pgqrsi_consumer_refresh(pgqrs_consumer *consumer, pgqrsi_look look,
                                     int64_t deadline_ms, pgqrs_error *refused, pgqrs_error *err);

/** Archives the just claimed message as dead, because its leases ran out too often, or its id is
 * none of ours. */
pgqrs_status pgqrsi_consumer_bury(pgqrs_consumer *consumer, const pgqrs_message *message,
                                  int64_t deadline_ms, pgqrs_error *err);

/** PGQRS_EINVAL if `lease` cannot be one. */
pgqrs_status pgqrsi_consumer_check_lease(pgqrs_lease lease, pgqrs_error *err);

/** Reports that the lease on message `id` is lost. Returns PGQRS_ELEASELOST. */
pgqrs_status pgqrsi_consumer_lease_lost(const pgqrs_consumer *consumer, int64_t id,
                                        pgqrs_error *err);

/** This client put a message of whatever priority back into the held lane, due after `delay_ms`:
 * its consumers look there then. */
void pgqrsi_consumer_remember_held(pgqrs_consumer *consumer, int64_t delay_ms);

#endif
