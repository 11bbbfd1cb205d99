#include "store/wake.h"

#include "base/clock.h"
#include "store/queue.h"

/* Workers that one test wakes. Each wakes others if it finds more than it can take. */
#define MAX_WOKEN 4

/* A test alone that takes longer is given up: workers have looked by themselves by then. */
#define PATIENCE_MS 1000

/* Whether to send the test now; if so, it counts as sent. */
static int
take_turn(pgqrs_client *client, pgqrsi_queue *queue)
{
    int64_t now_ms = pgqrsi_clock_ms();
    int is_due;

    if (!client->wakes)
        return 0;
    pgqrsi_pool_lock(client->pool);
    is_due = queue->wakes.sent_ms == 0 || now_ms >= queue->wakes.sent_ms + PGQRSI_WAKE_MS;
    if (is_due)
        queue->wakes.sent_ms = now_ms;
    pgqrsi_pool_unlock(client->pool);
    return is_due;
}

/* The test was perhaps never carried out: the next call sends one. */
static void
give_turn_back(pgqrs_client *client, pgqrsi_queue *queue)
{
    pgqrsi_pool_lock(client->pool);
    queue->wakes.sent_ms = 0;
    pgqrsi_pool_unlock(client->pool);
}

static void
add_parameters(pgqrsi_params *params, const pgqrsi_queue *queue, size_t count)
{
    pgqrsi_params_add_int(params, queue->id);
    pgqrsi_params_add_int(params, count < MAX_WOKEN ? (int64_t)count : MAX_WOKEN);
}

pgqrs_status
pgqrsi_queue_wake_send(pgqrs_client *client, pgqrsi_queue *queue, const pgqrsi_call *call, size_t count,
                       int64_t deadline_ms, pgqrsi_rows **out, int *tested, pgqrs_error *err)
{
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    const pgqrsi_call test = { .sql = PGQRSI_SQL_WAKE_WAKE, .params = &params };
    pgqrsi_call both = *call;
    pgqrs_status status;

    *tested = 0;
    if (call->conn != NULL || !take_turn(client, queue))
        return pgqrsi_client_run(client, call, deadline_ms, out, err);
    add_parameters(&params, queue, count);
    if (!params.bytes.failed) {
        both.after = &test;
        *tested = 1;
    }
    status = pgqrsi_client_run(client, &both, deadline_ms, out, err);
    if (status != PGQRS_OK || !*tested)
        give_turn_back(client, queue);
    pgqrsi_params_release(&params);
    return status;
}

void
pgqrsi_queue_wake_finish(pgqrs_client *client, pgqrsi_queue *queue, size_t count, int64_t deadline_ms)
{
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    /* Not PGQRSI_READS: a test that was lost is not repeated. */
    const pgqrsi_call test = { .sql = PGQRSI_SQL_WAKE_WAKE, .effect = PGQRSI_WRITES, .params = &params };
    int64_t patience_ms = pgqrsi_clock_ms() + PATIENCE_MS;

    if (!take_turn(client, queue))
        return;
    add_parameters(&params, queue, count);
    /* The message is stored, whatever becomes of this. */
    if (pgqrsi_client_run(client, &test, deadline_ms < patience_ms ? deadline_ms : patience_ms, NULL, NULL) !=
        PGQRS_OK)
        give_turn_back(client, queue);
    pgqrsi_params_release(&params);
}

pgqrs_status
pgqrsi_queue_wake_run(pgqrs_client *client, pgqrsi_queue *queue, const pgqrsi_call *call, size_t count,
                      int64_t deadline_ms, pgqrsi_rows **out, pgqrs_error *err)
{
    int tested;
    pgqrs_status status = pgqrsi_queue_wake_send(client, queue, call, count, deadline_ms, out, &tested, err);

    if (status == PGQRS_OK && !tested && call->conn == NULL)
        pgqrsi_queue_wake_finish(client, queue, count, deadline_ms);
    return status;
}
