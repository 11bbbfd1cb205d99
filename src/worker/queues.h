/*
 * The queues of a worker: the messages it holds of each, and each one's polling state.
 */
#ifndef PGQRSI_WORKER_QUEUES_H
#define PGQRSI_WORKER_QUEUES_H

#include "jobs/leases.h"
#include "worker/polling.h"

/** What is known of a message that was claimed blindly. */
typedef enum pgqrsi_judgement {
    /* it may be another one than the one that was refused: it is asked for again */
    PGQRSI_DOUBTED,
    PGQRSI_UNREADABLE, /* from DOUBTED: the server cannot send it; it is failed */
    PGQRSI_READABLE    /* from DOUBTED: it is given back */
} pgqrsi_judgement;

/** A message that the server cannot hand out: see burial.h. */
typedef struct pgqrsi_unreadable {
    int is_wanted; /* the next claim is blind */
    /* it was claimed, and is to be dealt with; what is to be done is under way */
    int is_claimed, is_sent;
    pgqrsi_judgement judgement;
    pgqrsi_place place;
    pgqrsi_lane lane;
    pgqrs_lease lease;
    pgqrsi_failure failure;
    int64_t report_ms, until_ms; /* nothing is sent before, nor any more after the lease's end */
    char reason[PGQRSI_JOB_TEXT_BYTES];
} pgqrsi_unreadable;

typedef struct pgqrsi_work_queue {
    pgqrsi_holding held;
    pgqrsi_polling polling;
    int64_t key;            /* stands for the queue in notifications */
    pgqrsi_trouble trouble; /* of claims and looks */
    /* claiming's: */
    pgqrsi_place place; /* where to ask next */
    pgqrsi_claim claim; /* the one under way */
    int is_claiming;
    int is_single;   /* the one under way is for a suspect */
    int wants_wake;  /* other workers are to be woken */
    int64_t wake_ms; /* when it last woke others */
    int is_locking;  /* it waits for the locks that all queues share */
    pgqrsi_unreadable unreadable;
    int is_full;          /* its last claim brought all that was asked for: there are more */
    double credit;        /* what it did not get of its share counts next time */
    double message_bytes; /* how large a message is, smoothed */
    /* housekeeping's: */
    TAILQ_ENTRY(pgqrsi_work_queue) look; /* in `looks` or `upkeep` */
    pgqrsi_refresh refresh;
    int is_refreshing;
    int is_paused;          /* PAUSED was told, and not UNPAUSED since */
    int is_swept_later;     /* there is something to sweep, but an outage has just been */
    int64_t apart_until_ms; /* its looks failed among others: each is sent by itself until then */
    int64_t find_ms;        /* when it is looked up again, after it was deleted */
    int is_finding;         /* the look-up is under way */
    pgqrsi_queue *found;    /* made again: its key is asked for; NULL: not yet */
    int64_t touch_ms;       /* when its registration is written again */
} pgqrsi_work_queue;

TAILQ_HEAD(pgqrsi_look_list, pgqrsi_work_queue);

/** The sleeper's locks of a worker with many queues: wakeups'. */
typedef struct pgqrsi_shared_locks {
    int64_t got;  /* a bit for each */
    int is_asked; /* for those that are missing */
    int is_over;  /* the worker stops, and sleeps over nothing */
} pgqrsi_shared_locks;

typedef struct pgqrsi_queues {
    pgqrsi_work_queue **list;
    size_t count;
    pgqrsi_shared_locks locks;
} pgqrsi_queues;

pgqrsi_work_queue *pgqrsi_queues_find(const pgqrsi_queues *queues, pgqrs_slice name);
pgqrsi_work_queue *pgqrsi_queues_of_key(const pgqrsi_queues *queues, int64_t key);
pgqrsi_work_queue *pgqrsi_queue_of_holding(pgqrsi_holding *holding);
void pgqrsi_work_queue_free(pgqrsi_work_queue *queue);
void pgqrsi_queues_release(pgqrsi_queues *queues);

#endif
