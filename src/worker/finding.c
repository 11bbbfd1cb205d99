#include "worker/finding.h"

#include <string.h>

#include "base/clock.h"
#include "base/random.h"

/* A queue that was deleted is looked up again so often. */
#define FIND_INTERVAL_MS 1000

static void
find_failed(pgqrsi_exchange_request *request, const pgqrsi_refusal *refusal)
{
    pgqrsi_work_queue *queue = (pgqrsi_work_queue *)(void *)request->items;

    (void)refusal;
    queue->is_finding = 0;
    queue->found = NULL;
    queue->find_ms = pgqrsi_clock_boot_ms() + pgqrsi_random_jitter(FIND_INTERVAL_MS);
}

/* The new queue's number is known: its key is asked for next. */
static void
found(pgqrsi_exchange_request *request, pgqrsi_rows **rows)
{
    pgqrsi_work_queue *queue = (pgqrsi_work_queue *)(void *)request->items;

    queue->is_finding = 0;
    if (pgqrsi_rows_count(*rows) > 0)
        queue->found = pgqrsi_queue_found(queue->held.consumer->client, *rows);
    queue->find_ms = pgqrsi_clock_boot_ms();
    if (queue->found == NULL)
        queue->find_ms += pgqrsi_random_jitter(FIND_INTERVAL_MS);
}

/* Takes the new queue up in place of the old one: everything that was learned of that is void. */
static void
key_answered(pgqrsi_exchange_request *request, pgqrsi_rows **rows)
{
    pgqrsi_finding *finding = request->owner;
    pgqrsi_work_queue *queue = (pgqrsi_work_queue *)(void *)request->items;

    queue->is_finding = 0;
    queue->key = pgqrsi_rows_int(*rows, 0, 0);
    queue->held.consumer->queue = queue->found;
    queue->held.consumer->worker_id = 0;
    queue->held.is_gone = 0;
    queue->held.apart_until_ms = queue->apart_until_ms = 0;
    queue->found = NULL;
    queue->is_paused = 0;
    queue->place = PGQRSI_PLACE_ABOVE;
    queue->touch_ms = 0;
    memset(&queue->polling, 0, sizeof(queue->polling));
    pgqrsi_events_resolved(&queue->trouble);
    pgqrsi_events_tell(finding->events, PGQRS_EVENT_REOPENED, NULL, PGQRS_OK,
                       queue->held.source.queue_name);
}

/* A queue is its name: when it was deleted and made again, that is looked up now and then. Not
 * before all that belongs to the old one has ended. */
static void
send_find(pgqrsi_finding *finding, pgqrsi_work_queue *queue)
{
    const pgqrsi_sending_as as = { .traffic = PGQRSI_TRAFFIC_LOOK };
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    pgqrsi_call call = { .sql = PGQRSI_SQL_QUEUE_FIND, .params = &params };
    pgqrsi_exchange_request *request;

    if (queue->found != NULL) {
        call.sql = PGQRSI_SQL_WAKE_KEY;
        pgqrsi_params_add_int(&params, queue->found->id);
    } else {
        pgqrsi_params_add_text(&params, pgqrs_slice_of(queue->held.source.queue_name));
    }
    request = pgqrsi_exchange_send(finding->exchange, &as, &call);
    pgqrsi_params_release(&params);
    if (request == NULL)
        return;
    request->owner = finding;
    request->items = (void **)(void *)queue;
    request->answered = queue->found != NULL ? key_answered : found;
    request->failed = find_failed;
    queue->is_finding = 1;
}

static int
is_find_due(const pgqrsi_work_queue *queue, int64_t now_ms)
{
    return queue->held.is_gone && !queue->is_finding && !queue->is_claiming &&
           !queue->is_refreshing && !queue->polling.is_locked && queue->held.count == 0 &&
           now_ms >= queue->find_ms;
}

void
pgqrsi_finding_send(pgqrsi_finding *finding, int64_t now_ms)
{
    for (size_t i = 0; i < finding->queues->count; i++)
        if (is_find_due(finding->queues->list[i], now_ms))
            send_find(finding, finding->queues->list[i]);
}

int64_t
pgqrsi_finding_due_ms(const pgqrsi_finding *finding)
{
    const pgqrsi_sending_as as = { .traffic = PGQRSI_TRAFFIC_LOOK };
    int64_t due_ms = NEVER;

    if (!pgqrsi_exchange_has_room(finding->exchange, &as))
        return NEVER;
    for (size_t i = 0; i < finding->queues->count; i++) {
        const pgqrsi_work_queue *queue = finding->queues->list[i];

        if (is_find_due(queue, NEVER) && queue->find_ms < due_ms)
            due_ms = queue->find_ms;
    }
    return due_ms;
}
