/*
 * The fence: ends children whose lease runs out while this process waits for the server.
 *
 * A call to the server may block longer than a lease lasts, when a network swallows everything or a server is
 * frozen. Nothing else happens in this process meanwhile, but somebody else is handed the message. So each
 * call is made behind the fence: up before, down after. While it is up, and only then, an alarm may go off
 * that ends the children whose time has come, as slot_tick would; it does no more than send signals and mark
 * the slot, and slot_tick does the rest when the call is over.
 */
#ifndef PGQRS_CLI_WORK_FENCE_H
#define PGQRS_CLI_WORK_FENCE_H

#include <time.h>

#include "work_slot.h"

struct work_fence {
    struct slot *slots;
    size_t slot_count;
    const struct slot_work *work;
    timer_t timer;
    struct sigaction before; /* what SIGALRM did */
};

/** Makes a fence, which is down. All arguments must outlive it. Blocks SIGALRM and takes it over. 0, or an
 * errno. */
int work_fence_open(struct work_fence *fence, struct slot *slots, size_t count, const struct slot_work *work);

void work_fence_close(struct work_fence *fence);

/** Until it is down again the state, lease and child of no slot may change. */
void work_fence_up(struct work_fence *fence);

void work_fence_down(struct work_fence *fence);

#endif
