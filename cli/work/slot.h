/*
 * A slot: one job and the child that works on it.
 *
 *                start                child ended             outputs ended, or waited enough
 *      FREE ----------------> RUNNING -----------> DRAINING ---------------------------------> FREE
 *       |                        | lease lost, or stopping
 *       | cannot start now       v                 child ended
 *       |                     KILLING -------------------------------------------------------> FREE
 *       v
 *     PAUSING -------------------------------------------------------------------------------> FREE
 *                waited enough
 *
 * The way to FREE always finishes the job. All times are milliseconds of CLOCK_BOOTTIME, which goes
 * on while the machine or this process sleeps, as leases do.
 */
#ifndef PGQRS_CLI_WORK_SLOT_H
#define PGQRS_CLI_WORK_SLOT_H

#include <stdint.h>

#include <pgqrs/job.h>

#include "work/child.h"
#include "work/report.h"

/** Later than everything. */
#define WORK_NEVER INT64_MAX

/** How long a child may take to end after SIGTERM. */
#define SLOT_TERM_MS 2000

enum slot_state {
    SLOT_FREE,    /* no job. Left by slot_start */
    SLOT_RUNNING, /* the child runs. Entered by slot_start; left when it ends or is stopped */
    /* the child has ended, its outputs not yet: a grandchild may hold them. Or it was ended by a
     * signal that the worker may be about to get as well. Left soon, in any case */
    SLOT_DRAINING,
    /* the child was told to end, the message is given back. Entered by slot_stop; left when it has
     * ended */
    SLOT_KILLING,
    /* no child could be started. Entered by slot_start; left after a second, so that a lack of
     * something does not hurry through the whole queue */
    SLOT_PAUSING,
};

struct slot {
    enum slot_state state;
    pgqrs_job *job;  /* NULL if FREE */
    int64_t wake_ms; /* DRAINING, PAUSING: no longer wait. KILLING: SIGKILL. Else WORK_NEVER */
    struct child child;
};

/** What all slots have in common. */
struct slot_work {
    struct child_program program;
    struct work_report *report;
    pgqrs_error *err;  /* NULL is possible and fine */
    int keeps_results; /* 1: standard output is the result of a message */
    int is_stopping;   /* 1: the worker was told to stop */
};

/** The current time. */
int64_t slot_clock_ms(void);

/** Makes `slot` a free one. */
void slot_init(struct slot *slot);

/** Takes `job`, whose data is the slot from now on, and starts its child: FREE to RUNNING, and 0.
 * Or, when that fails, an errno: with *out_exec, which is as that of child_start, 1 the slot stays
 * FREE and the job the caller's, else it is PAUSING. */
int slot_start(struct slot *slot, const struct slot_work *work, pgqrs_job *job, int *out_exec);

/** Handles what poll(2) says about its child. */
void slot_handle(struct slot *slot, const struct slot_work *work,
                 const struct pollfd fds[CHILD_FDS]);

/** Looks whether its child has ended. */
void slot_reap(struct slot *slot, const struct slot_work *work, int64_t now_ms);

/** Does what is due by the clock, at wake_ms: kills a child that does not stop, gives up on outputs
 * that do not end. */
void slot_tick(struct slot *slot, const struct slot_work *work, int64_t now_ms);

/** Tells the child, if one runs, to end, and kills it if it has not after `term_ms`; gives the
 * message back. */
void slot_stop(struct slot *slot, int64_t now_ms, int64_t term_ms);

/** 1 if it has a child that has not ended. */
int slot_has_child(const struct slot *slot);

/** Gives the message back, and frees what the slot holds, whatever its state; for the very end. */
void slot_abandon(struct slot *slot);

#endif
