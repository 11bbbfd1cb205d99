/*
 * The exchange with the server: which requests go over which of the worker's two links, in which
 * transactions, and which part of the worker gets each answer. It knows no queue and no job.
 *
 *   claims    notifications, the sleeper's lock, claims, peeks: nothing waits for the disk
 *   reports   heartbeats, reports, and slow statements: sweeps, registrations
 *
 * A link sends again when everything sent before is answered; requests that arrive until then form
 * its next batch. If one link is down or busy with a slow statement, the other one carries its
 * traffic too.
 *
 * Requests of one traffic share transactions, unless a request asks for its own. In each round the
 * traffic with a deadline goes first: call the senders in the order of pgqrsi_traffic. Each sender
 * leaves a share of the room for the ones after it.
 */
#ifndef PGQRSI_EXCHANGE_EXCHANGE_H
#define PGQRSI_EXCHANGE_EXCHANGE_H

#include "exchange/events.h"
#include "exchange/link.h"

typedef enum pgqrsi_traffic {
    PGQRSI_TRAFFIC_HEARTBEAT,
    PGQRSI_TRAFFIC_REPORT,
    /* belongs to the session that hears notifications: the claims' link only */
    PGQRSI_TRAFFIC_SESSION,
    PGQRSI_TRAFFIC_CLAIM,
    PGQRSI_TRAFFIC_LOOK,
    PGQRSI_TRAFFIC_UPKEEP /* may take long: one at a time */
} pgqrsi_traffic;

#define PGQRSI_TRAFFIC_COUNT 6

/** Why a request failed. */
typedef struct pgqrsi_refusal {
    /* PGQRS_EUNKNOWN: the connection broke, and it may have been carried out */
    pgqrs_status status;
    const char *message;
    const char *sqlstate;
    int is_shared; /* it may have failed because of another one in its transaction */
} pgqrsi_refusal;

typedef struct pgqrsi_exchange_request pgqrsi_exchange_request;

/** It was carried out. The rows stay the exchange's unless *rows is set to NULL. */
typedef void (*pgqrsi_answered)(pgqrsi_exchange_request *request, pgqrsi_rows **rows);
typedef void (*pgqrsi_failed)(pgqrsi_exchange_request *request, const pgqrsi_refusal *refusal);

/** One statement under way. */
struct pgqrsi_exchange_request {
    pgqrsi_answered answered;
    pgqrsi_failed failed;
    void *owner;
    void **items; /* the owner's */
    size_t count;
    int64_t number; /* the owner's */
    int64_t sent_ms;
    pgqrsi_scope *scope; /* of its statement */
    const char *name;    /* of its queue, or NULL */
};

/** How it is to be sent. */
typedef struct pgqrsi_sending_as {
    pgqrsi_traffic traffic;
    int is_apart; /* in a transaction of its own */
    /* may wait for a lock, or read much: one at a time, and others avoid its link */
    int is_slow;
    int64_t patience_ms; /* by then there must be an answer; 0: operation_timeout_ms */
    int64_t lock_ms;     /* no lock is waited for longer; 0: as the session says */
} pgqrsi_sending_as;

/** One transaction under way. */
typedef struct pgqrsi_segment {
    int is_used, is_slow;
    pgqrsi_traffic traffic;
    size_t before; /* statements before the first request */
    size_t count;
    int64_t patience_ms;
    pgqrsi_exchange_request requests[PGQRSI_PIPE_STATEMENTS];
} pgqrsi_segment;

/** One of the two links, and what is under way on it. */
typedef struct pgqrsi_channel {
    pgqrsi_link link;
    pgqrsi_segment segments[PGQRSI_PIPE_SEGMENTS];
    pgqrsi_segment *filling; /* not sent yet, others may join; NULL: none */
    int is_sending;          /* all is answered, so this round may send */
    int slow;                /* segments under way that are slow */
    int64_t began_us;        /* when the present cycle was sent; 0: none is under way */
    double cycle_us;         /* how long one takes, smoothed */
} pgqrsi_channel;

typedef struct pgqrsi_exchange {
    pgqrs_client *client;
    const pgqrsi_events *events;
    pgqrsi_channel claims, reports;
    pgqrsi_scope session;    /* of the claims' link, with its server process */
    int is_listening;        /* that session hears wake-ups */
    int hears_cancellations; /* and cancellations */
    int has_work;            /* the worker's: it claims or holds messages, which can be cancelled */
    int64_t worked_ms;       /* when it last had work */
    int is_cut;              /* DISCONNECTED was told */
    int64_t lost_ms;         /* when a link that was open was last lost; 0: never */
    int64_t opened_ms;       /* when a link last came back */
    /* how often the claims' link was opened: what belongs to a session is void with it */
    int64_t sessions;
    int64_t round_trips;
    int wants_probe; /* of the link that did not fall silent */
    pgqrsi_trouble trouble;
} pgqrsi_exchange;

pgqrs_status pgqrsi_exchange_init(pgqrsi_exchange *exchange, pgqrs_client *client,
                                  const pgqrsi_events *events, int epoll_fd, pgqrs_error *err);
void pgqrsi_exchange_release(pgqrsi_exchange *exchange);

/** Reads and writes, connects what is to be connected, and hands out the answers. */
void pgqrsi_exchange_progress(pgqrsi_exchange *exchange);

/** A round of sending begins: afterwards requests can be sent, until it ends. */
void pgqrsi_exchange_begin(pgqrsi_exchange *exchange);
void pgqrsi_exchange_end(pgqrsi_exchange *exchange);

/** Whether such a request could be sent, in this round or, outside of one, at once. */
int pgqrsi_exchange_has_room(pgqrsi_exchange *exchange, const pgqrsi_sending_as *as);

/** Sends a statement. Returns the request, whose owner, items and functions can be filled in;
 * without them nothing comes of the answer. NULL if it could not be: there is no room, or no
 * memory. */
pgqrsi_exchange_request *pgqrsi_exchange_send(pgqrsi_exchange *exchange,
                                              const pgqrsi_sending_as *as, const pgqrsi_call *call);

/** Until when leases that have run out are left to their holders, who were perhaps cut off as well
 * and extend them once they are back: for 10 s after a lost link came back. 0: no link was lost. */
int64_t pgqrsi_exchange_hold_off_ms(const pgqrsi_exchange *exchange);

/** Whether the link is open and all that was sent over it is answered. */
int pgqrsi_channel_is_quiet(const pgqrsi_channel *channel);

/** Whether the server can be reached over one of the links. */
int pgqrsi_exchange_is_open(const pgqrsi_exchange *exchange);

/** Whether nothing is under way. */
int pgqrsi_exchange_is_quiet(const pgqrsi_exchange *exchange);

/** Whether notifications reach this worker, so that it may sleep until it is woken. */
int pgqrsi_exchange_can_hear(const pgqrsi_exchange *exchange);

/** Closes both links; what is under way fails. */
void pgqrsi_exchange_close(pgqrsi_exchange *exchange);

void pgqrsi_exchange_register(pgqrsi_exchange *exchange);
int64_t pgqrsi_exchange_due_ms(const pgqrsi_exchange *exchange);

#endif
