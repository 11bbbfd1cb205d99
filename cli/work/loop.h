/*
 * The loop of `pgqrs work`: waits for the worker, children, signals and the clock.
 *
 *               SIGTERM, SIGINT, SIGHUP          the grace is over
 *      WORKING -------------------------> ENDING ----------------> STOPPING
 *         |                                 |                          |
 *         | the queue is empty              | the worker is over       | the same, or waited enough
 *         +-------------> ENDING            v                          v
 *
 * A second signal leads from anywhere to a sudden end: children are killed and their messages given
 * back.
 */
#ifndef PGQRS_CLI_WORK_LOOP_H
#define PGQRS_CLI_WORK_LOOP_H

#include <pgqrs/worker.h>

#include "work/options.h"
#include "work/guard.h"
#include "work/slot.h"

/** After the grace, what children and the server get to end. The worker's grace must be longer by
 * this. */
#define WORK_STOPPING_MS 7000

enum work_phase {
    WORK_WORKING, /* The first phase; left at a signal, a fatal failure, or the end of the work */
    /* the worker was told to stop and waits for what runs. Left when the grace is over */
    WORK_ENDING,
    /* children were told to end. Entered when the grace is over, or at a fatal failure */
    WORK_STOPPING,
    WORK_SUDDEN, /* children were killed. Entered at the second signal */
};

struct work_loop {
    const struct work_options *options;
    pgqrs_client *client;
    pgqrs_worker *worker;
    struct slot_work work;
    struct work_guard guard;
    struct slot *slots;
    size_t slot_count;
    enum work_phase phase;
    int64_t phase_end_ms; /* the present phase lasts no longer */
    int signal_fd;        /* SIGCHLD and those that end the work */
    int last_signal;      /* 0: none yet */
    bool is_over;         /* 1: the worker is */
    int64_t due_ms;       /* when the present turn was to come, at the latest */
    int64_t unsettled;    /* messages of which the server does not know what became */
    int64_t count_ms;     /* no look whether the queue is empty before this */
    /* a failure that ends the work if a look at the queue fails likewise; PGQRS_OK: none */
    pgqrs_status doubt;
    int64_t doubt_ms;   /* no such look before this */
    int64_t gone_ms;    /* the queue was deleted: until when it is waited for; 0: it is there */
    int misses_queue;   /* 1: some queues are gone, others are there */
    int has_begun;      /* 1: a message was claimed, so the role has its privileges */
    pgqrs_status fatal; /* PGQRS_OK, or why there is no point in going on */
    int exit_code;
};

/** Gets ready: only options, client, work and signal_fd must be set. 0, or an errno. */
int work_loop_init(struct work_loop *loop);

/** Starts the guard, or another one in place of one that was killed, and tells it what runs.
 * Without a guard the work goes on, after a warning. */
void work_loop_guard(struct work_loop *loop);

/** The handler of the worker: starts a child for `job`. `loop` is a struct work_loop. */
pgqrs_job_outcome work_loop_take(pgqrs_job *job, void *loop);

/** What the worker says. `loop` is a struct work_loop. */
void work_loop_note(const pgqrs_event *event, void *loop);

/** Works until the end, with the worker, which must be set by now. Returns the exit code. */
int work_loop_run(struct work_loop *loop);

/** Ends what still runs and frees; before the worker is closed. */
void work_loop_release(struct work_loop *loop);

#endif
