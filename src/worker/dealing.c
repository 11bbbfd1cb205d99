#include "worker/dealing.h"

#include "base/clock.h"

/* The rate of jobs is smoothed over this, and claimed ahead is what will be begun within that. */
#define RATE_US 20000
#define AHEAD_MS 4.0
#define AHEAD_CYCLES 2

/* While there is room for this many messages, a queue with a backlog is asked for as many at a
 * time, and less often: each claim and each report is a statement for one queue. */
#define CHUNK 256

/* Of one queue no more reports may be refused at a time, for each handler. */
#define REFUSED_PER_HANDLER 4

static void
update_rate(pgqrsi_dealing *dealing, int64_t completed)
{
    int64_t now_us = pgqrsi_clock_us();
    double elapsed_us = (double)(now_us - dealing->rate_us);

    if (elapsed_us <= 0)
        return;
    dealing->rate +=
        (elapsed_us / (elapsed_us + RATE_US)) *
        ((double)(completed - dealing->rate_completed) * 1000 / elapsed_us - dealing->rate);
    dealing->rate_us = now_us;
    dealing->rate_completed = completed;
}

/* How many messages are claimed ahead of the handlers. */
static int64_t
ahead(const pgqrsi_dealing *dealing)
{
    double cycles_ms = AHEAD_CYCLES * dealing->cycle_us / 1000;
    int64_t count = (int64_t)(dealing->rate * (cycles_ms > AHEAD_MS ? cycles_ms : AHEAD_MS));

    return count < dealing->prefetch_max ? count : dealing->prefetch_max;
}

size_t
pgqrsi_dealing_level(const pgqrsi_dealing *dealing)
{
    return (size_t)(dealing->concurrency + ahead(dealing) / 2);
}

/* How many messages may be asked for: what the handlers can begin at once, and what they will begin
 * shortly. A job whose report is refused keeps its handler's place, but never the last one. */
int64_t
pgqrsi_dealing_room(pgqrsi_dealing *dealing, const pgqrsi_holdings *all)
{
    pgqrsi_handlers_state state = pgqrsi_handlers_look(all->handlers);
    int64_t have = (int64_t)(state.running + state.waiting), refused = (int64_t)all->refused;
    int64_t most = dealing->concurrency + dealing->prefetch_max;
    int64_t target;

    update_rate(dealing, state.completed);
    /* Without prefetch a worker that dies has nothing in hand but what its handlers run: no job is
     * begun before the report of the last one has been sent. */
    if (dealing->prefetch_max == 0 && all->unsent > all->refused)
        have += (int64_t)(all->unsent - all->refused);
    target = dealing->concurrency + ahead(dealing);
    if ((int64_t)(all->unreported - all->refused) >= 4 * most)
        return 0; /* what is finished cannot be reported fast enough */
    if (have >= dealing->concurrency && 2 * (target - have) < ahead(dealing))
        return 0; /* not worth a round trip yet */
    if (refused >= dealing->concurrency)
        refused = dealing->concurrency - 1;
    target -= refused;
    return target > have ? target - have : 0;
}

int
pgqrsi_dealing_may_claim(const pgqrsi_dealing *dealing, const pgqrsi_work_queue *queue,
                         int64_t now_ms)
{
    return !queue->is_claiming && !queue->held.is_gone &&
           (int64_t)queue->held.refused < REFUSED_PER_HANDLER * dealing->concurrency &&
           pgqrsi_polling_may_claim(&queue->polling, now_ms);
}

/* What a queue gets of its credit in the first round. One with a backlog waits until that is worth
 * a statement. */
static int64_t
share_of(const pgqrsi_work_queue *queue, int64_t chunk)
{
    int64_t share = queue->credit > 0 ? (int64_t)queue->credit : 0;

    return queue->is_full && share < chunk ? 0 : share;
}

/* The first round of dealing: each queue's share by weight. Returns what is left. */
static int64_t
deal_shares(const pgqrsi_dealing *dealing, const pgqrsi_queues *queues, int64_t available,
            int64_t now_ms)
{
    int64_t weights = 0, left = available;

    for (size_t i = 0; i < queues->count; i++) {
        pgqrsi_work_queue *queue = queues->list[i];

        if (pgqrsi_dealing_may_claim(dealing, queue, now_ms))
            weights += queue->held.options.weight;
        else
            queue->credit = 0;
    }
    for (size_t i = 0; i < queues->count; i++) {
        pgqrsi_work_queue *queue = queues->list[i];

        if (!pgqrsi_dealing_may_claim(dealing, queue, now_ms))
            continue;
        queue->credit += (double)available * queue->held.options.weight / (double)weights;
        queue->claim.asked = share_of(queue, available >= CHUNK ? CHUNK : 1);
        if (queue->claim.asked > left)
            queue->claim.asked = left;
        left -= queue->claim.asked;
    }
    return weights > 0 ? left : 0;
}

/* Whoever was given least of its share. */
static pgqrsi_work_queue *
richest(const pgqrsi_dealing *dealing, const pgqrsi_queues *queues, int64_t now_ms)
{
    pgqrsi_work_queue *found = NULL;

    for (size_t i = 0; i < queues->count; i++) {
        pgqrsi_work_queue *queue = queues->list[i];

        if (pgqrsi_dealing_may_claim(dealing, queue, now_ms) &&
            (found == NULL || queue->credit - (double)queue->claim.asked >
                                  found->credit - (double)found->claim.asked))
            found = queue;
    }
    return found;
}

/* Deals `available` out by weight. What a queue did not get this time counts next time. What is
 * left goes in chunks to queues with a backlog, those first that were given least. */
void
pgqrsi_dealing_deal(const pgqrsi_dealing *dealing, const pgqrsi_queues *queues, int64_t available,
                    int64_t now_ms)
{
    int64_t left, count;

    for (size_t i = 0; i < queues->count; i++)
        if (!queues->list[i]->is_claiming)
            queues->list[i]->claim.asked = 0;
    left = deal_shares(dealing, queues, available, now_ms);
    while (left > 0) {
        pgqrsi_work_queue *queue = richest(dealing, queues, now_ms);

        if (queue == NULL)
            break;
        count = !queue->is_full || available < CHUNK ? 1 : left < CHUNK ? left : CHUNK;
        queue->claim.asked += count;
        left -= count;
    }
    for (size_t i = 0; i < queues->count; i++)
        if (!queues->list[i]->is_claiming)
            queues->list[i]->credit -= (double)queues->list[i]->claim.asked;
}
