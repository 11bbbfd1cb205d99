/*
 * The worker, for the files that it is made of.
 *
 *   worker.c    the public calls: making one, starting, stopping, closing
 *   setup.c     the public calls that add queues, handlers and middleware
 *   loop.c      one turn: what to do next, until when to wait; the phases
 *   cycle.c     what is sent to the server in one write, and its answers
 *   link.c      the two connections: kept, lost, made again
 *   sleeping.c  when a queue is asked for messages, and when it may sleep
 *   claiming.c  which queue is asked for how many
 *   reporting.c what became of jobs, on its way to the server
 *   suspects.c  messages that may crash their workers, run alone
 *   beating.c   heartbeats, timeouts, what was claimed ahead in vain
 *   house.c     hints, sweeps, registrations: the second connection
 *   running.c   the handlers: their threads, and the queue of jobs that wait for one
 *   job.c       one job
 *
 * Two sides. The loop's side (all but running.c and job.c) is one thread: the worker's own, or whoever calls
 * pgqrs_worker_process. The handlers' side is any thread. They meet in `pgqrs_worker.mutex`, which guards
 * `waiting`, `returned`, `running`, the counts, and each job's `place`; nothing is called while it is held.
 * Times are milliseconds of the clock that goes on while the machine sleeps.
 */
#ifndef PGQRSI_RUNTIME_RUNTIME_H
#define PGQRSI_RUNTIME_RUNTIME_H

#include <pgqrs/registration.h>
#include <pgqrs/worker.h>

#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "store/consumer.h"

#define NEVER PGQRSI_CLOCK_NEVER

/** Of a job's error, what events tell. */
#define PGQRSI_JOB_TEXT_BYTES 256

typedef struct pgqrsi_work_queue pgqrsi_work_queue;

/** Whose turn it is on the handlers' side. */
typedef enum pgqrsi_job_place {
    PGQRSI_JOB_ASIDE,    /* the worker's `suspect`, before its turn; entered when claimed */
    PGQRSI_JOB_WAITING,  /* in `waiting`; entered when claimed */
    PGQRSI_JOB_RUNNING,  /* a handler has it; from WAITING */
    PGQRSI_JOB_DETACHED, /* its handler returned PENDING; from RUNNING */
    PGQRSI_JOB_RETURNED /* in `returned`, or taken from there; from RUNNING, DETACHED, or WAITING if never run
                         */
} pgqrsi_job_place;

/** What the lease is used for, on the loop's side. */
typedef enum pgqrsi_lease_state {
    PGQRSI_LEASE_HELD,   /* in the queue's `owned`: extended; entered when claimed */
    PGQRSI_LEASE_REPORT, /* in `owned` and `reports`: its verdict is to be sent; from HELD, or SENT to try
                            again */
    PGQRSI_LEASE_SENT,   /* in `owned`: the verdict is under way; from REPORT */
    PGQRSI_LEASE_ENDED   /* in no list; from any other */
} pgqrsi_lease_state;

/** What is reported. */
typedef enum pgqrsi_verdict {
    PGQRSI_VERDICT_DONE,
    PGQRSI_VERDICT_FAILED,
    PGQRSI_VERDICT_DEAD,
    PGQRSI_VERDICT_SNOOZED,
    PGQRSI_VERDICT_RELEASED, /* given back because the worker stops */
    PGQRSI_VERDICT_RETURNED, /* claimed ahead in vain: nobody need know */
    PGQRSI_VERDICT_CRASHED   /* its leases ran out too often: dead */
} pgqrsi_verdict;

/** The messages of one claim, and their jobs. */
typedef struct pgqrsi_batch {
    size_t refs; /* jobs that are not free yet; loop's side */
    pgqrs_message_list *list;
    struct pgqrs_job *jobs;
} pgqrsi_batch;

struct pgqrs_job {
    pgqrs_worker *worker;
    pgqrsi_work_queue *queue;
    pgqrsi_batch *batch;
    const pgqrs_message *message;

    /* Handlers' side; `place` and `entry` are guarded by the worker's mutex. */
    TAILQ_ENTRY(pgqrs_job) entry; /* in `waiting` or `returned` */
    pgqrsi_job_place place;
    int finished; /* pgqrs_job_finish came before the handler returned; guarded by the mutex */
    pgqrs_job_outcome outcome;
    size_t layer; /* the next middleware */
    pgqrsi_buffer result, error;
    int64_t delay_ms; /* -1: none was set */
    void *data;
    atomic_int cancellation;
    atomic_int_fast64_t sure_until_ms; /* the lease can be trusted until then */
    atomic_int_fast64_t deadline_ms;   /* of the job's timeout; NEVER before it is run */

    /* Loop's side. */
    TAILQ_ENTRY(pgqrs_job) owned, report;
    pgqrsi_lease_state state;
    pgqrsi_verdict verdict;
    pgqrsi_lane lane;   /* where the message lay when last seen */
    int in_archive;     /* neither lane has it: an earlier report may have been carried out */
    int alone;          /* the server refused a report that it was part of: it is sent by itself */
    int is_over;        /* the handlers' side has ended */
    int is_told;        /* PGQRS_EVENT_CANCELLED was delivered */
    int timed_out;      /* the error to report is that, whatever the handler sets */
    int pins;           /* statements under way that name it */
    int64_t renewed_ms; /* when the claim, or the last extension that held, was sent */
    int64_t away_ms;    /* when it is given back in vain: due again after this */
    int64_t return_ms;  /* when it is given back if it has not begun */
};

TAILQ_HEAD(pgqrsi_job_list, pgqrs_job);

/** Where a queue stands with looking for messages. */
typedef enum pgqrsi_appetite {
    PGQRSI_HUNGRY,   /* is asked for messages whenever there is room; from all */
    PGQRSI_SETTLING, /* found nothing: the sleeper's lock is asked for, and messages once more; from HUNGRY */
    PGQRSI_LOOKING,  /* nothing again: hints are asked for at `look_ms`; from SETTLING and ASLEEP */
    PGQRSI_ASLEEP    /* nothing is due: until woken, or `look_ms`; from LOOKING */
} pgqrsi_appetite;

typedef struct pgqrsi_route {
    pgqrs_slice type; /* owned; { NULL, 0 }: all others */
    pgqrs_job_handler handler;
    void *arg;
} pgqrsi_route;

struct pgqrsi_work_queue {
    pgqrs_worker *worker;
    pgqrs_consumer *consumer;
    pgqrs_worker_queue_options options; /* with the defaults filled in */
    pgqrsi_route *routes;
    size_t route_count;

    /* Loop's side. */
    struct pgqrsi_job_list owned, reports;
    pgqrsi_appetite appetite;
    pgqrsi_place place; /* where to ask next */
    pgqrsi_claim claim; /* the one under way */
    int is_woken;       /* somebody said that there is work, since the last claim was sent */
    int is_locked;      /* the server knows that we may sleep */
    int refusals;       /* how often in a row it would not know */
    int wants_lock, wants_unlock, wants_wake;
    int refreshing;   /* house.c works for it, or is asked to */
    int64_t key;      /* stands for the queue in notifications */
    int64_t alert_ms; /* when the lock was got, or somebody last woke us */
    int64_t look_ms;
    int futile; /* rounds in a row that found nothing though the hints said otherwise */
    int64_t refreshed_ms;
    int64_t pause_ms;  /* not asked for messages before, after trouble */
    int64_t report_ms; /* nor told anything before */
    int64_t beat_ms;
    int64_t wake_ms; /* when it last woke others */
    double credit;
    double message_bytes; /* how large a message is, smoothed */
};

/** One of the two connections. */
typedef struct pgqrsi_link {
    pgqrsi_pipe *pipe;
    int fd; /* as registered with epoll; -1: not */
    uint32_t events;
    int is_down;      /* the last attempt failed */
    int64_t retry_ms; /* when to connect again */
    int64_t backoff_ms;
    int64_t deadline_ms; /* by when what is under way must be answered; NEVER: nothing is */
} pgqrsi_link;

/** What a statement under way was for. */
typedef enum pgqrsi_errand_kind {
    PGQRSI_ERRAND_LISTEN,
    PGQRSI_ERRAND_LOCK,
    PGQRSI_ERRAND_UNLOCK,
    PGQRSI_ERRAND_WAKE,
    PGQRSI_ERRAND_CLAIM,
    PGQRSI_ERRAND_END,    /* delete, archive, release: several jobs */
    PGQRSI_ERRAND_FAIL,   /* one job */
    PGQRSI_ERRAND_EXTEND, /* several jobs */
    PGQRSI_ERRAND_LEAVE
} pgqrsi_errand_kind;

typedef struct pgqrsi_errand {
    pgqrsi_errand_kind kind;
    pgqrsi_work_queue *queue;
    struct pgqrs_job **jobs; /* by id */
    size_t count;
} pgqrsi_errand;

/** One transaction under way. */
typedef struct pgqrsi_segment {
    int is_used;
    size_t count;
    int64_t sent_ms;
    pgqrsi_errand errands[PGQRSI_PIPE_STATEMENTS];
} pgqrsi_segment;

typedef enum pgqrsi_phase {
    PGQRSI_PHASE_NEW,
    PGQRSI_PHASE_WORKING,   /* from NEW */
    PGQRSI_PHASE_DRAINING,  /* stop: no claims; from NEW and WORKING */
    PGQRSI_PHASE_RELEASING, /* the grace is over; from DRAINING */
    PGQRSI_PHASE_LEAVING,   /* nothing is left but our registration; from DRAINING and RELEASING */
    PGQRSI_PHASE_OVER       /* from LEAVING, and from RELEASING when the server is away */
} pgqrsi_phase;

typedef struct pgqrsi_layer {
    pgqrs_job_handler handler;
    void *arg;
} pgqrsi_layer;

struct pgqrs_worker {
    pgqrs_client *client;
    pgqrs_worker_options options; /* with the defaults filled in */
    pid_t pid;
    pgqrsi_work_queue **queues;
    size_t queue_count;
    pgqrsi_layer *layers;
    size_t layer_count;
    int epoll_fd, event_fd;
    pthread_t loop_thread, *threads;
    size_t thread_count; /* started; 0 without threads of its own */
    int is_started, has_loop_thread;
    atomic_int is_stopping;
    atomic_int is_closing; /* no grace any more */
    atomic_int is_over;
    atomic_int is_idle;
    atomic_int is_sleeping; /* the loop waits for events, so that whoever has news must write to event_fd */

    pthread_mutex_t mutex;
    pthread_cond_t work;  /* something waits for a handler, or it is over */
    pthread_cond_t ended; /* it is over */
    struct pgqrsi_job_list waiting, returned;
    size_t waiting_count, running; /* running: RUNNING and DETACHED */
    int64_t completed;             /* jobs that have returned, for the rate */
    size_t idle_threads;
    int is_waking;                 /* a thread was called that has not come yet */
    pgqrs_worker_counts published; /* `counts`, as of the end of the last turn */

    /* Loop's side. */
    pgqrs_worker_counts counts;
    pgqrsi_phase phase;
    int64_t grace_ends_ms, gives_up_ms;
    int is_leaving_sent;
    pgqrsi_link work_link, house_link;
    int is_listening;
    pgqrsi_segment segments[PGQRSI_PIPE_SEGMENTS];
    size_t owned_count;        /* jobs in all `owned` */
    struct pgqrs_job *suspect; /* it may have crashed its workers, and is run alone: suspects.c; NULL: none */
    int is_suspect_aside;      /* its turn has not come */
    int64_t suspect_ms;        /* until when others are waited for */
    size_t first_queue;        /* where the next round of claims begins */
    int64_t scan_ms;           /* when to look for jobs that are late */
    int64_t cycle_began_us;    /* when the present cycle was sent; 0: none is under way */
    double cycle_us;           /* how long one takes, smoothed */
    double rate;               /* jobs a millisecond, smoothed */
    int64_t rate_us, rate_completed;
    /* house.c */
    pgqrsi_refresh refresh;
    pgqrsi_work_queue *refreshed; /* whose refresh is under way; NULL: none */
    int house_busy;
    int64_t touch_ms, prune_ms;
    size_t touch_next;
};

/* setup.c */
void pgqrsi_work_queue_free(pgqrsi_work_queue *queue);
pgqrs_status pgqrsi_worker_check_not_started(const pgqrs_worker *worker, pgqrs_error *err);

/* loop.c */
void pgqrsi_worker_turn(pgqrs_worker *worker);
int64_t pgqrsi_worker_timeout(pgqrs_worker *worker);
void pgqrsi_worker_tell(pgqrs_worker *worker, pgqrs_event_kind kind, struct pgqrs_job *job,
                        pgqrs_status status, const char *message);

/* cycle.c */
/** A free segment to fill in, or NULL. */
pgqrsi_segment *pgqrsi_cycle_segment(pgqrs_worker *worker);
/** Adds a statement to it; `call` is run. The errand is returned, to be filled in further; NULL: could not
 * be. */
pgqrsi_errand *pgqrsi_cycle_send(pgqrs_worker *worker, pgqrsi_segment *segment, pgqrsi_errand_kind kind,
                                 pgqrsi_work_queue *queue, const pgqrsi_call *call);
void pgqrsi_cycle_sync(pgqrs_worker *worker, pgqrsi_segment *segment);
void pgqrsi_cycle_take_answers(pgqrs_worker *worker);

/* link.c */
pgqrs_status pgqrsi_link_new(pgqrs_worker *worker, pgqrsi_link *link, pgqrs_error *err);
void pgqrsi_link_free(pgqrsi_link *link);
/** Connects if it is time, reads and writes. Tells when it is lost and when it is there again. */
void pgqrsi_link_progress(pgqrs_worker *worker, pgqrsi_link *link);
void pgqrsi_link_register(pgqrs_worker *worker, pgqrsi_link *link);
int64_t pgqrsi_link_due_ms(const pgqrsi_link *link);

/* claiming.c */
void pgqrsi_claiming_send(pgqrs_worker *worker, int64_t now_ms);
void pgqrsi_claiming_answer(pgqrsi_work_queue *queue, pgqrsi_rows *rows, int64_t sent_ms);
void pgqrsi_claiming_failed(pgqrsi_work_queue *queue, pgqrs_status status, const char *message);
int pgqrsi_claiming_wants(pgqrs_worker *worker, int64_t now_ms);
int64_t pgqrsi_claiming_due_ms(const pgqrs_worker *worker);

/* sleeping.c */
/** Changes the appetite: the only place where it changes. */
void pgqrsi_sleeping_enter(pgqrsi_work_queue *queue, pgqrsi_appetite appetite);
/** A round through all places has ended short. */
void pgqrsi_sleeping_found_nothing(pgqrsi_work_queue *queue);
void pgqrsi_sleeping_locked(pgqrsi_work_queue *queue, int64_t key, int is_locked);
void pgqrsi_sleeping_disconnected(pgqrsi_work_queue *queue);
/** Somebody says that there is work. */
void pgqrsi_sleeping_wake(pgqrsi_work_queue *queue);
/** The worker claims nothing any more: others are woken instead of it. */
void pgqrsi_sleeping_stop(pgqrs_worker *worker);
/** The hints were asked for: `is_known` 0 if that failed. */
void pgqrsi_sleeping_refreshed(pgqrsi_work_queue *queue, int is_known);
void pgqrsi_sleeping_look(pgqrs_worker *worker, int64_t now_ms);

/* reporting.c */
void pgqrsi_reporting_add(struct pgqrs_job *job, pgqrsi_verdict verdict);
/** The attempt failed: as the last one, or not. */
void pgqrsi_reporting_fail(struct pgqrs_job *job);
/** The handlers' side of `job` has ended. */
void pgqrsi_reporting_returned(struct pgqrs_job *job);
void pgqrsi_reporting_send(pgqrs_worker *worker);
void pgqrsi_reporting_answer(pgqrsi_errand *errand, const pgqrsi_rows *rows);
void pgqrsi_reporting_failed(pgqrsi_errand *errand, pgqrs_status status);
int pgqrsi_reporting_wants(const pgqrs_worker *worker);
int64_t pgqrsi_reporting_due_ms(const pgqrs_worker *worker);
/** The lease of `job` is lost, or not its own any more. */
void pgqrsi_reporting_lost(struct pgqrs_job *job, const char *why);
/** The lease's side has ended; frees the job when both have. */
void pgqrsi_reporting_end(struct pgqrs_job *job);
/** Jobs in id order, for statements that name several. */
void pgqrsi_reporting_sort(struct pgqrs_job **jobs, size_t count);
struct pgqrs_job *pgqrsi_reporting_find(const pgqrsi_errand *errand, int64_t id);
void pgqrsi_reporting_unpin(pgqrsi_errand *errand);

/* beating.c */
void pgqrsi_beating_send(pgqrs_worker *worker, int64_t now_ms);
int pgqrsi_beating_wants(const pgqrs_worker *worker, int64_t now_ms);
void pgqrsi_beating_answer(pgqrsi_errand *errand, const pgqrsi_rows *rows, int64_t sent_ms);
void pgqrsi_beating_failed(pgqrsi_errand *errand, pgqrs_status status, const char *message);
/** Looks for jobs that are late in any way. */
void pgqrsi_beating_scan(pgqrs_worker *worker, int64_t now_ms);
int64_t pgqrsi_beating_due_ms(const pgqrs_worker *worker);
/** How long before its end a lease is not trusted any more. */
int64_t pgqrsi_beating_margin_ms(int64_t lease_ms);
void pgqrsi_beating_cancel(struct pgqrs_job *job, pgqrs_job_cancellation why);
void pgqrsi_beating_cancelled_outside(pgqrsi_work_queue *queue, int64_t id);

/* suspects.c */
/** 1 if a message that was claimed is to be run alone. */
int pgqrsi_suspects_is_one(const struct pgqrs_job *job);
/** Takes such a one over, instead of handing it to the handlers. */
void pgqrsi_suspects_take(struct pgqrs_job *job);
void pgqrsi_suspects_turn(pgqrs_worker *worker, int64_t now_ms);
int64_t pgqrsi_suspects_due_ms(const pgqrs_worker *worker);

/* house.c */
void pgqrsi_house_turn(pgqrs_worker *worker, int64_t now_ms);
int64_t pgqrsi_house_due_ms(const pgqrs_worker *worker);
void pgqrsi_house_disconnected(pgqrs_worker *worker);

/* running.c */
/** Adds jobs, in their order, for the handlers to take. */
void pgqrsi_running_add(pgqrs_worker *worker, struct pgqrsi_job_list *jobs, size_t count);
/** Takes away a job that has not begun: 1, or 0 if it has. */
int pgqrsi_running_withdraw(struct pgqrs_job *job);
/** Takes all that have returned. */
void pgqrsi_running_collect(pgqrs_worker *worker, struct pgqrsi_job_list *out);
/** Runs one waiting job's handler here; 0 if there is none, or no room. */
int pgqrsi_running_run_one(pgqrs_worker *worker);
pgqrs_status pgqrsi_running_start(pgqrs_worker *worker, pgqrs_error *err);
void pgqrsi_running_join(pgqrs_worker *worker);
void pgqrsi_running_wake_loop(pgqrs_worker *worker);

/* job.c */
void pgqrsi_job_init(struct pgqrs_job *job, pgqrsi_work_queue *queue, pgqrsi_batch *batch,
                     const pgqrs_message *message);
void pgqrsi_job_free(struct pgqrs_job *job);
/** The error to report; `text` is where it is written if it is not the handler's. */
pgqrs_slice pgqrsi_job_error(const struct pgqrs_job *job, char text[PGQRSI_JOB_TEXT_BYTES]);
/** The beginning of that, as one line. */
void pgqrsi_job_error_line(const struct pgqrs_job *job, char line[PGQRSI_JOB_TEXT_BYTES]);

#endif
