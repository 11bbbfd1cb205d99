/*
 * Sleeping: when a queue is asked for messages, and when it may sleep.
 *
 *                      nothing found             nothing again               hints: nothing due
 *   HUNGRY <----------------------> SETTLING ----------------> LOOKING ---------------------> ASLEEP
 *     ^        something found         |                          |                             |
 *     +--------------------------------+--------------------------+-----------------------------+
 *                              something found, woken, or hints: something is due
 *
 * Nobody is woken in vain, and nobody sleeps over a message. A producer looks for sleepers behind its commit;
 * a worker asks for the sleeper's lock and then for messages: either the producer sees the lock, or the
 * worker the message. Producers look at most every 5 ms, and leave it out for what was committed within that
 * time of their last look. So the last look of a worker, from the hints, comes later than that after it got
 * the lock, and after it was last woken.
 */
#include "runtime/runtime.h"

#include "base/random.h"

/* Longer than the time within which producers leave out looking for sleepers. */
#define LAST_LOOK_MS (PGQRSI_WAKE_MS + 3)

/* How often one looks that cannot be woken, and at first, while a producer is just looking. */
#define UNLOCKED_POLL_MS 1000
#define REFUSED_POLL_MS 5

/* While there is work, hints are asked for so often. */
#define REFRESH_INTERVAL_MS 1000

/* Those who wait for the same moment do not come at the same moment. */
#define DUE_SPREAD_MS 50

/* The pause after hints that were wrong, doubled each time: others hold what they spoke of. */
#define FUTILE_PAUSE_MS 10
#define FUTILE_PAUSE_MAX_MS 1000

void
pgqrsi_sleeping_enter(pgqrsi_work_queue *queue, pgqrsi_appetite appetite)
{
    queue->appetite = appetite;
    if (appetite == PGQRSI_HUNGRY)
        queue->place = PGQRSI_PLACE_ABOVE;
}

void
pgqrsi_sleeping_stop(pgqrs_worker *worker)
{
    for (size_t i = 0; i < worker->queue_count; i++) {
        worker->queues[i]->wants_lock = 0;
        worker->queues[i]->wants_unlock = worker->queues[i]->is_locked;
    }
}

static int
is_full(pgqrs_worker *worker)
{
    int is;

    pthread_mutex_lock(&worker->mutex);
    is = worker->running + worker->waiting_count >= (size_t)worker->options.concurrency;
    pthread_mutex_unlock(&worker->mutex);
    return is;
}

void
pgqrsi_sleeping_wake(pgqrsi_work_queue *queue)
{
    pgqrs_worker *worker = queue->worker;

    if (worker->phase != PGQRSI_PHASE_WORKING || is_full(worker))
        queue->wants_wake = 1; /* somebody else instead */
    queue->is_woken = 1;
    queue->alert_ms = pgqrsi_clock_boot_ms();
    if (queue->appetite != PGQRSI_SETTLING)
        pgqrsi_sleeping_enter(queue, PGQRSI_HUNGRY);
}

void
pgqrsi_sleeping_disconnected(pgqrsi_work_queue *queue)
{
    queue->is_locked = queue->wants_lock = queue->wants_unlock = 0;
    pgqrsi_sleeping_enter(queue, PGQRSI_HUNGRY);
}

void
pgqrsi_sleeping_locked(pgqrsi_work_queue *queue, int64_t key, int is_locked)
{
    queue->is_locked = is_locked;
    queue->refusals = is_locked ? 0 : queue->refusals + 1;
    queue->key = key;
    queue->alert_ms = pgqrsi_clock_boot_ms();
}

static int
is_pooled(const pgqrs_worker *worker)
{
    return pgqrsi_pipe_is_pooled(worker->work_link.pipe);
}

/* A round through all places has ended short. */
void
pgqrsi_sleeping_found_nothing(pgqrsi_work_queue *queue)
{
    int64_t now_ms = pgqrsi_clock_boot_ms();

    if (queue->is_woken) {
        pgqrsi_sleeping_enter(queue, PGQRSI_HUNGRY); /* that came after the claim was sent, perhaps */
    } else if (!queue->is_locked && !is_pooled(queue->worker) && queue->appetite == PGQRSI_HUNGRY) {
        queue->wants_lock = 1;
        pgqrsi_sleeping_enter(queue, PGQRSI_SETTLING);
        queue->place = PGQRSI_PLACE_READY;
    } else {
        queue->wants_unlock = 0;
        pgqrsi_sleeping_enter(queue, PGQRSI_LOOKING);
        queue->look_ms = queue->is_locked ? queue->alert_ms + LAST_LOOK_MS : now_ms;
    }
}

/* How often one looks that cannot be woken. A producer that is just looking is gone in a moment. */
static int64_t
unlocked_poll_ms(const pgqrsi_work_queue *queue)
{
    int64_t poll_ms = (int64_t)REFUSED_POLL_MS << (queue->refusals < 7 ? queue->refusals : 7);

    return poll_ms < UNLOCKED_POLL_MS && !is_pooled(queue->worker) ? poll_ms : UNLOCKED_POLL_MS;
}

void
pgqrsi_sleeping_refreshed(pgqrsi_work_queue *queue, int is_known)
{
    int64_t now_ms = pgqrsi_clock_boot_ms(), poll_ms = queue->worker->options.poll_ms, due_ms;
    pgqrs_client *client = queue->worker->client;
    pgqrsi_frontier frontier;
    int has_hope;

    queue->refreshing = 0;
    queue->refreshed_ms = now_ms;
    if (queue->appetite != PGQRSI_LOOKING)
        return;
    pgqrsi_pool_lock(client->pool);
    frontier = queue->consumer->queue->frontier;
    pgqrsi_pool_unlock(client->pool);
    due_ms = pgqrsi_frontier_next_ms(&frontier);
    due_ms = due_ms == NEVER ? NEVER : now_ms + due_ms - pgqrsi_clock_ms();
    has_hope = is_known && (frontier.has_head || due_ms <= now_ms);
    if (has_hope) {
        int64_t pause_ms =
            queue->futile > 0 ? (int64_t)FUTILE_PAUSE_MS << (queue->futile < 7 ? queue->futile : 7) : 0;

        queue->pause_ms = now_ms + (pause_ms < FUTILE_PAUSE_MAX_MS ? pause_ms : FUTILE_PAUSE_MAX_MS);
        queue->futile++;
        pgqrsi_sleeping_enter(queue, PGQRSI_HUNGRY);
        return;
    }
    if (!queue->is_locked && poll_ms > unlocked_poll_ms(queue))
        poll_ms = unlocked_poll_ms(queue);
    if (queue->options.lease_ms < poll_ms)
        poll_ms = queue->options.lease_ms; /* a short lease is meant to be noticed soon */
    queue->look_ms = now_ms + pgqrsi_random_jitter(poll_ms);
    if (due_ms != NEVER && due_ms + DUE_SPREAD_MS < queue->look_ms)
        queue->look_ms = due_ms + pgqrsi_random_token() % DUE_SPREAD_MS;
    pgqrsi_sleeping_enter(queue, PGQRSI_ASLEEP);
}

/* Asks the house for hints: when it is time to look, and now and then while there is work. */
void
pgqrsi_sleeping_look(pgqrs_worker *worker, int64_t now_ms)
{
    for (size_t i = 0; i < worker->queue_count; i++) {
        pgqrsi_work_queue *queue = worker->queues[i];
        int is_stale = now_ms - queue->refreshed_ms >= REFRESH_INTERVAL_MS;

        if (queue->appetite == PGQRSI_ASLEEP && now_ms >= queue->look_ms)
            pgqrsi_sleeping_enter(queue,
                                  queue->is_locked || is_pooled(worker) ? PGQRSI_LOOKING : PGQRSI_HUNGRY);
        if ((queue->appetite == PGQRSI_LOOKING && now_ms >= queue->look_ms) ||
            (queue->appetite == PGQRSI_HUNGRY && is_stale))
            queue->refreshing = 1;
    }
}
