/*
 * A slot: one leased message and the child that works on it.
 *
 *                start                child ended             outputs ended, or waited enough
 *      FREE ----------------> RUNNING -----------> DRAINING ---------------------------------> FINISHED
 *       ^ | cannot start         |                    | lease lost                                |
 *       | |                      | lease lost,        v                                           |
 *       | |                      | or stopping      FREE                                  reported |
 *       | v                      v                                                                v
 *       | RELEASING <-------- KILLING ---------> FREE                                            FREE
 *       |     |   child ended         child ended,
 *       +-----+                       lease lost
 *      given back
 *
 * All times are milliseconds of CLOCK_BOOTTIME, which goes on while the machine or this process sleeps, as
 * leases do.
 */
#ifndef PGQRS_CLI_WORK_SLOT_H
#define PGQRS_CLI_WORK_SLOT_H

#include <signal.h>
#include <stdint.h>

#include <pgqrs/message.h>

#include "child.h"

/** Later than everything. */
#define WORK_NEVER INT64_MAX

enum slot_state {
    SLOT_FREE,     /* no message. Left by slot_start */
    SLOT_RUNNING,  /* the child runs. Entered by slot_start; left when it ends, is stopped, or its lease is
                      lost */
    SLOT_DRAINING, /* the child has ended, its outputs not yet: a grandchild may hold them. Left soon, in any
                      case */
    SLOT_FINISHED, /* the outcome is known, the server does not know it yet. Left by slot_clear */
    SLOT_KILLING,  /* the child was told to end. Entered by slot_stop and slot_lose; left when it has ended */
    SLOT_RELEASING, /* no child, and the message is to be given back. Left by slot_clear */
};

/** In which form the result is offered to the server; each is the way out when the one before was refused. */
enum slot_form {
    SLOT_FORM_JSON, /* standard output as it is */
    SLOT_FORM_TEXT, /* standard output as a JSON string, cut so that it is accepted */
    SLOT_FORM_NONE, /* no result */
};

struct slot {
    enum slot_state state;
    pgqrs_lease lease;
    int64_t sure_until_ms;           /* the lease ends no earlier, by our clock */
    volatile sig_atomic_t is_fenced; /* RUNNING: 1: slot_fence has told the child to end */
    int64_t wake_ms;     /* DRAINING: no longer wait for outputs. KILLING: SIGKILL. Else WORK_NEVER */
    int is_lost;         /* KILLING: 1: the message is somebody else's, drop it; 0: give it back */
    int64_t back_off_ms; /* RELEASING: due again after this pause */
    int is_unsure;       /* FINISHED, RELEASING: 1: an earlier report may have arrived */
    enum slot_form form; /* FINISHED with exit 0 */
    char *result;        /* SLOT_FORM_TEXT: the string; owned */
    size_t result_size;
    struct child child;
};

/** What is the same for every message. */
struct slot_work {
    struct child_program program;
    pgqrs_slice queue;
    int64_t lease_ms;
};

/** The current time. */
int64_t slot_clock_ms(void);

/** Takes `message`, whose lease is sure until `sure_until_ms`, and starts its child: FREE to RUNNING, and 0.
 * Or, when that fails, to RELEASING and an errno; *out_exec as child_start. */
int slot_start(struct slot *slot, const struct slot_work *work, const pgqrs_message *message,
               int64_t sure_until_ms, int *out_exec);

/** Handles what poll(2) says about its child. */
void slot_handle(struct slot *slot, const struct pollfd fds[CHILD_FDS]);

/** Looks whether its child has ended. */
void slot_reap(struct slot *slot, int64_t now_ms);

/** Does what is due by the clock: stops a child whose lease is about to end unconfirmed (returns 1 then),
 * kills one that does not stop, gives up on outputs that do not end. */
int slot_tick(struct slot *slot, const struct slot_work *work, int64_t now_ms);

/** The part of slot_tick that cannot wait: sends signals to the child, and changes nothing but is_fenced.
 * Returns when it is to be called again. Async-signal-safe. */
int64_t slot_fence(struct slot *slot, const struct slot_work *work, int64_t now_ms);

/** When slot_tick has something to do. */
int64_t slot_due_ms(const struct slot *slot, const struct slot_work *work);

/** The lease is gone: ends the child, if there is one, and drops its outcome. */
void slot_lose(struct slot *slot, int64_t now_ms);

/** Ends the child, if one runs, and gives the message back. */
void slot_stop(struct slot *slot, int64_t now_ms);

/** Ends the child, if one runs, without asking it. */
void slot_kill(struct slot *slot, int64_t now_ms);

/** 1 if its lease is to be extended: somebody is at work on it or has something to say about it. */
int slot_wants_lease(const struct slot *slot);

/** 1 if it has a child that has not ended. */
int slot_has_child(const struct slot *slot);

/** 1 if it is FINISHED and the child said all is well. */
int slot_is_success(const struct slot *slot);

/** What to archive with the message, in its present form; valid until the slot changes. */
pgqrs_slice slot_result(const struct slot *slot);

/** The result was refused in its present form: goes on to the next, or to a shorter string. */
void slot_refuse_form(struct slot *slot);

/** Done with this message: to FREE. */
void slot_clear(struct slot *slot);

/** Frees what it holds, whatever its state; for the very end. */
void slot_abandon(struct slot *slot);

#endif
