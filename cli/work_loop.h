/*
 * The loop of `pgqrs work`: waits for children, signals and the clock, and decides what is next.
 *
 *               SIGTERM, SIGINT, SIGHUP          the grace is over
 *      WORKING -------------------------> ENDING ----------------> STOPPING
 *         |                                 |                          |
 *         | the queue is empty              | nothing runs             | all given back, or waited enough
 *         v                                 v                          v
 *       over                              over                       over
 *
 * A second signal leads from anywhere to a sudden end: children are killed and their messages given back.
 */
#ifndef PGQRS_CLI_WORK_LOOP_H
#define PGQRS_CLI_WORK_LOOP_H

#include "work.h"
#include "work_server.h"

enum work_phase {
    WORK_WORKING,  /* claims messages. The first phase; left at a signal, a fatal failure, or the end of the
                      work */
    WORK_ENDING,   /* claims no more, waits for what runs. Entered at the first signal, or when the program is
                      gone */
    WORK_STOPPING, /* children were told to end. Entered when the grace is over, or at a fatal failure */
    WORK_OVER,     /* nothing left to do */
};

struct work_loop {
    const struct work_options *options;
    struct work_server *server;
    struct work_report *report;
    struct slot_work work;
    struct slot *slots;
    size_t slot_count;
    enum work_phase phase;
    int64_t phase_end_ms;   /* the present phase lasts no longer */
    int signal_fd;          /* SIGCHLD and those that end the work */
    int last_signal;        /* 0: none yet */
    int is_sudden;          /* 1: a second signal came */
    int64_t claim_ms;       /* no claim before this */
    int64_t claim_pause_ms; /* the last pause after an incomplete claim */
    int64_t count_ms;       /* no look whether the queue is empty before this */
    int64_t extend_ms;      /* the next extension of the leases */
    int exit_code;
};

/** Works until the end. Returns the exit code. Only server, report, options, work and signal_fd must be set.
 */
int work_loop_run(struct work_loop *loop);

#endif
