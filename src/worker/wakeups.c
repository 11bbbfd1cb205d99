#include "worker/wakeups.h"

#include "base/clock.h"
#include "queue/wake.h"

/* Workers that one test wakes: in place of this worker, or in addition to it. */
#define WAKE_AT_ONCE 2

/* A worker with this many queues takes no lock for each of them, but the eight that such workers
 * share: a bit for each. */
#define MANY_QUEUES 17
#define ALL_LOCKS 255

/* Sends one statement in a transaction of its own: a lock outlives its transaction, and the failure
 * of another statement in it would hide that the lock was taken. `number` is the statement's first
 * parameter. NULL if there is no room now. */
static pgqrsi_exchange_request *
send_apart(pgqrsi_exchange *exchange, pgqrsi_traffic traffic, pgqrsi_sql sql, int64_t number)
{
    const pgqrsi_sending_as as = { .traffic = traffic, .is_apart = 1 };
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    pgqrsi_exchange_request *request;

    pgqrsi_params_add_int(&params, number);
    if (sql == PGQRSI_SQL_WAKE_WAKE)
        pgqrsi_params_add_int(&params, WAKE_AT_ONCE);
    request = pgqrsi_exchange_send(exchange, &as, &(pgqrsi_call){ .sql = sql, .params = &params });
    pgqrsi_params_release(&params);
    return request;
}

/* Sends one statement about a queue. */
static pgqrsi_exchange_request *
send_about(pgqrsi_exchange *exchange, pgqrsi_work_queue *queue, pgqrsi_traffic traffic,
           pgqrsi_sql sql)
{
    pgqrsi_exchange_request *request =
        send_apart(exchange, traffic, sql, queue->held.consumer->queue->id);

    if (request != NULL)
        request->owner = queue;
    return request;
}

static void
lock_answered(pgqrsi_exchange_request *request, pgqrsi_rows **rows)
{
    pgqrsi_work_queue *queue = request->owner;

    queue->key = pgqrsi_rows_int(*rows, 0, 0);
    pgqrsi_polling_lock_answered(&queue->polling, pgqrsi_rows_int(*rows, 0, 1) != 0,
                                 pgqrsi_clock_boot_ms());
}

static int
is_shared(const pgqrsi_queues *queues)
{
    return queues->count >= MANY_QUEUES;
}

/* The queues that waited for the locks have them, or not all of them. */
static void
shared_answered(pgqrsi_exchange_request *request, pgqrsi_rows **rows)
{
    pgqrsi_queues *queues = request->owner;
    int64_t now_ms = pgqrsi_clock_boot_ms();

    queues->locks.is_asked = 0;
    queues->locks.got |= pgqrsi_rows_int(*rows, 0, 0);
    for (size_t i = 0; i < queues->count; i++) {
        pgqrsi_work_queue *queue = queues->list[i];

        if (queue->is_locking)
            pgqrsi_polling_lock_answered(&queue->polling, queues->locks.got == ALL_LOCKS, now_ms);
        queue->is_locking = 0;
    }
}

static void
shared_failed(pgqrsi_exchange_request *request, const pgqrsi_refusal *refusal)
{
    pgqrsi_queues *queues = request->owner;

    (void)refusal;
    queues->locks.is_asked = 0;
    for (size_t i = 0; i < queues->count; i++)
        queues->list[i]->is_locking = 0;
}

/* Asks for the locks that are missing. 0 if there is no room now. */
static int
ask_for_shared(pgqrsi_queues *queues, pgqrsi_exchange *exchange)
{
    pgqrsi_exchange_request *request =
        send_apart(exchange, PGQRSI_TRAFFIC_SESSION, PGQRSI_SQL_WAKE_SLEEP_MANY, queues->locks.got);

    if (request == NULL)
        return 0;
    request->owner = queues;
    request->answered = shared_answered;
    request->failed = shared_failed;
    queues->locks.is_asked = 1;
    return 1;
}

static void
lock_shared(pgqrsi_queues *queues, pgqrsi_exchange *exchange, pgqrsi_work_queue *queue,
            int64_t now_ms)
{
    pgqrsi_polling *polling = &queue->polling;
    int has_all = queues->locks.got == ALL_LOCKS;

    if (polling->wants_lock &&
        (has_all || queues->locks.is_asked || ask_for_shared(queues, exchange))) {
        polling->wants_lock = 0;
        queue->is_locking = !has_all;
        if (has_all)
            pgqrsi_polling_lock_answered(polling, 1, now_ms);
    }
    if (polling->wants_unlock)
        polling->wants_unlock = polling->is_locked = 0;
}

/* Whether the worker is awake on all queues, and holds locks that they share in vain. */
static int
wants_unlock_shared(const pgqrsi_queues *queues)
{
    if (queues->locks.got == 0 || queues->locks.is_asked)
        return 0;
    for (size_t i = 0; i < queues->count && !queues->locks.is_over; i++)
        if (queues->list[i]->polling.is_locked ||
            queues->list[i]->polling.state != PGQRSI_POLLING_CLAIMING)
            return 0;
    return 1;
}

void
pgqrsi_wakeups_lock(pgqrsi_queues *queues, pgqrsi_exchange *exchange, pgqrsi_work_queue *queue,
                    int64_t now_ms)
{
    pgqrsi_polling *polling = &queue->polling;

    if (is_shared(queues)) {
        lock_shared(queues, exchange, queue, now_ms);
        return;
    }
    if (polling->wants_lock) {
        pgqrsi_exchange_request *request =
            send_about(exchange, queue, PGQRSI_TRAFFIC_SESSION, PGQRSI_SQL_WAKE_SLEEP);

        if (request != NULL) {
            request->answered = lock_answered;
            polling->wants_lock = 0;
        }
    }
    if (polling->wants_unlock &&
        send_about(exchange, queue, PGQRSI_TRAFFIC_SESSION, PGQRSI_SQL_WAKE_AWAKE) != NULL)
        polling->wants_unlock = polling->is_locked = 0;
}

int
pgqrsi_wakeups_reach_all(const pgqrsi_queues *queues)
{
    return is_shared(queues);
}

void
pgqrsi_wakeups_stop(pgqrsi_queues *queues)
{
    queues->locks.is_over = 1;
}

void
pgqrsi_wakeups_disconnected(pgqrsi_queues *queues)
{
    queues->locks.got = 0;
}

static int
is_wake_due(const pgqrsi_work_queue *queue, int64_t now_ms)
{
    return queue->wants_wake && now_ms - queue->wake_ms >= PGQRSI_WAKE_MS;
}

void
pgqrsi_wakeups_send(pgqrsi_queues *queues, pgqrsi_exchange *exchange, int64_t now_ms)
{
    for (size_t i = 0; i < queues->count; i++)
        if (queues->list[i]->polling.wants_unlock)
            pgqrsi_wakeups_lock(queues, exchange, queues->list[i], now_ms);
    if (wants_unlock_shared(queues) &&
        send_apart(exchange, PGQRSI_TRAFFIC_SESSION, PGQRSI_SQL_WAKE_AWAKE_MANY,
                   queues->locks.got) != NULL)
        queues->locks.got = 0;
    for (size_t i = 0; i < queues->count; i++) {
        pgqrsi_work_queue *queue = queues->list[i];

        if (!is_wake_due(queue, now_ms) ||
            send_about(exchange, queue, PGQRSI_TRAFFIC_CLAIM, PGQRSI_SQL_WAKE_WAKE) == NULL)
            continue;
        queue->wants_wake = 0;
        queue->wake_ms = now_ms;
    }
}

int
pgqrsi_wakeups_wanted(const pgqrsi_queues *queues)
{
    for (size_t i = 0; i < queues->count; i++)
        if (queues->list[i]->wants_wake && !queues->list[i]->held.is_gone)
            return 1;
    return 0;
}

void
pgqrsi_wakeups_came_back(pgqrsi_holding *holding, int64_t delay_ms)
{
    pgqrsi_work_queue *queue = pgqrsi_queue_of_holding(holding);

    pgqrsi_consumer_remember_held(holding->consumer, delay_ms);
    queue->wants_wake = 1;
    pgqrsi_polling_due(&queue->polling, pgqrsi_clock_boot_ms() + delay_ms);
}

int64_t
pgqrsi_wakeups_due_ms(const pgqrsi_queues *queues, pgqrsi_exchange *exchange, int64_t now_ms)
{
    const pgqrsi_sending_as as_session = { .traffic = PGQRSI_TRAFFIC_SESSION, .is_apart = 1 };
    const pgqrsi_sending_as as_wake = { .traffic = PGQRSI_TRAFFIC_CLAIM, .is_apart = 1 };
    int can_lock = pgqrsi_exchange_has_room(exchange, &as_session);
    int can_wake = pgqrsi_exchange_has_room(exchange, &as_wake);
    int64_t due_ms = can_lock && wants_unlock_shared(queues) ? now_ms : NEVER;

    for (size_t i = 0; i < queues->count && due_ms > now_ms; i++) {
        const pgqrsi_work_queue *queue = queues->list[i];

        if (queue->polling.wants_unlock && can_lock)
            due_ms = now_ms;
        else if (queue->wants_wake && can_wake && queue->wake_ms + PGQRSI_WAKE_MS < due_ms)
            due_ms = queue->wake_ms + PGQRSI_WAKE_MS;
    }
    return due_ms;
}
