/*
 * The sweep: what the forward-only claim of the ready lane leaves behind is found here. See
 * sql/queries/consumer/sweep.sql.
 *
 * It is run by consumers themselves, about once a second for each client, one client at a time. It begins at
 * its own low-water mark, so that it does not read the remains of finished messages again and again; a
 * message that was committed long after it had got its id may lie below that, so now and then it begins at
 * the very beginning, as often as keeps that under a twentieth of the time.
 */
#include "store/consumer.h"

#include "base/clock.h"
#include "base/random.h"

#define SWEEP_INTERVAL_MS 1000
#define IN_FLIGHT_MS 5000 /* longer than this, and a message moves to the held lane, its lease unchanged */
#define SWEEP_LIMIT 1000
#define FULL_SWEEP_SHARE 20 /* a full sweep that took 1 ms is repeated no sooner than after 20 */
#define SAVE_INTERVAL_MS 10000
#define SAVE_STEP 10000 /* ids by which the low-water mark must have moved to be worth a write */
#define KEYS_INTERVAL_MS 60000
#define KEYS_LIMIT 10000
#define ARCHIVE_INTERVAL_MS 86400000

/* What one run of the statement is asked and reports. */
struct sweep {
    int64_t from, to, bound;
    int64_t moved, highest_moved, lowest_kept; /* 0: none */
    int elected;
};

static pgqrs_status
run_sweep(pgqrs_consumer *consumer, struct sweep *sweep, int64_t deadline_ms, pgqrs_error *err)
{
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    pgqrsi_rows *rows = NULL;
    pgqrs_status status;

    pgqrsi_params_add_int(&params, sweep->from);
    pgqrsi_params_add_int(&params, sweep->to);
    pgqrsi_params_add_int(&params, sweep->bound);
    pgqrsi_params_add_int(&params, IN_FLIGHT_MS);
    pgqrsi_params_add_int(&params, SWEEP_LIMIT);
    pgqrsi_params_add_int(&params, consumer->queue->id);
    status = pgqrsi_client_run(consumer->client,
                               &(pgqrsi_call){ .scope = &consumer->queue->scope,
                                               .sql = PGQRSI_SQL_CONSUMER_SWEEP,
                                               .effect = PGQRSI_WRITES,
                                               .params = &params },
                               deadline_ms, &rows, err);
    pgqrsi_params_release(&params);
    if (status != PGQRS_OK)
        return status;
    sweep->elected = pgqrsi_rows_int(rows, 0, 0) != 0;
    sweep->moved = pgqrsi_rows_int(rows, 0, 1);
    sweep->highest_moved = pgqrsi_rows_int(rows, 0, 2);
    sweep->lowest_kept = pgqrsi_rows_int(rows, 0, 3);
    pgqrsi_rows_free(rows);
    return PGQRS_OK;
}

/* Everything visible up to here is gone from the ready lane. */
static int64_t
new_low(const struct sweep *sweep)
{
    int64_t low = sweep->to < sweep->bound ? sweep->to : sweep->bound;

    if (sweep->lowest_kept != 0 && sweep->lowest_kept - 1 < low)
        low = sweep->lowest_kept - 1;
    if (sweep->moved == SWEEP_LIMIT && sweep->highest_moved < low)
        low = sweep->highest_moved;
    return low;
}

static void
record(pgqrsi_frontier *frontier, const struct sweep *sweep, int full, int64_t began_ms, int64_t now_ms)
{
    frontier->sweep_ms = now_ms + pgqrsi_random_jitter(SWEEP_INTERVAL_MS);
    frontier->swept = 1;
    if (full)
        frontier->full_sweep_ms = now_ms + (now_ms - began_ms) * FULL_SWEEP_SHARE;
    if (!sweep->elected)
        return;
    if (sweep->moved == SWEEP_LIMIT)
        frontier->sweep_ms = now_ms;
    if (new_low(sweep) > frontier->sweep_low)
        frontier->sweep_low = new_low(sweep);
}

/* A new client begins its claims there. */
static void
save_low_water(pgqrs_consumer *consumer, int64_t low, int64_t deadline_ms)
{
    pgqrsi_params params = PGQRSI_PARAMS_INIT;

    pgqrsi_params_add_int(&params, consumer->queue->id);
    pgqrsi_params_add_int(&params, low);
    pgqrsi_client_run(
        consumer->client,
        &(pgqrsi_call){ .sql = PGQRSI_SQL_QUEUE_LOW_WATER, .effect = PGQRSI_WRITES, .params = &params },
        deadline_ms, NULL, NULL);
    pgqrsi_params_release(&params);
}

static void
run_with_number(pgqrs_consumer *consumer, pgqrsi_sql sql, int64_t number, int64_t deadline_ms)
{
    pgqrsi_params params = PGQRSI_PARAMS_INIT;

    pgqrsi_params_add_int(&params, number);
    pgqrsi_client_run(consumer->client,
                      &(pgqrsi_call){ .sql = sql, .effect = PGQRSI_WRITES, .params = &params }, deadline_ms,
                      NULL, NULL);
    pgqrsi_params_release(&params);
}

/* 1 if `*due_ms` has passed, and then moves it on: of several threads one gets it. */
static int
take_turn(int64_t *due_ms, int64_t now_ms, int64_t interval_ms)
{
    if (now_ms < *due_ms)
        return 0;
    *due_ms = now_ms + pgqrsi_random_jitter(interval_ms);
    return 1;
}

/* What is due seldom. Failures are left to the next time, or to the client of a role that may do it. */
static void
keep_house(pgqrs_consumer *consumer, int64_t deadline_ms)
{
    pgqrsi_frontier *frontier = &consumer->queue->frontier;
    int64_t now_ms = pgqrsi_clock_ms();
    int save = 0, keys, archive;
    int64_t low;

    pgqrsi_pool_lock(consumer->client->pool);
    low = frontier->sweep_low;
    if (low - frontier->saved_low >= SAVE_STEP && take_turn(&frontier->save_ms, now_ms, SAVE_INTERVAL_MS)) {
        save = 1;
        frontier->saved_low = low;
    }
    keys = take_turn(&frontier->keys_ms, now_ms, KEYS_INTERVAL_MS);
    archive = take_turn(&frontier->archive_ms, now_ms, ARCHIVE_INTERVAL_MS);
    pgqrsi_pool_unlock(consumer->client->pool);
    if (save)
        save_low_water(consumer, low, deadline_ms);
    if (keys)
        run_with_number(consumer, PGQRSI_SQL_CONSUMER_SWEEP_KEYS, KEYS_LIMIT, deadline_ms);
    if (archive)
        run_with_number(consumer, PGQRSI_SQL_ARCHIVE_PREPARE, consumer->queue->id, deadline_ms);
}

static void
sweep_ready(pgqrs_consumer *consumer, int64_t deadline_ms)
{
    pgqrsi_frontier *frontier = &consumer->queue->frontier;
    int64_t began_ms = pgqrsi_clock_ms();
    struct sweep sweep = { 0, 0, 0, 0, 0, 0, 0 };
    int full;

    pgqrsi_pool_lock(consumer->client->pool);
    full = began_ms >= frontier->full_sweep_ms;
    sweep.from = full ? 0 : frontier->sweep_low;
    /* Beyond what this client has claimed lie messages of others, or, where nothing was left to claim, their
     * leases. What was issued since is looked at next time: a backlog that came meanwhile is not worth
     * reading. */
    sweep.to = frontier->claimed;
    if (frontier->drained && frontier->issued > sweep.to)
        sweep.to = frontier->issued;
    sweep.bound = frontier->bound;
    frontier->sweep_ms =
        began_ms + SWEEP_INTERVAL_MS; /* keeps other threads of this client from doing it too */
    pgqrsi_pool_unlock(consumer->client->pool);
    run_sweep(consumer, &sweep, deadline_ms, NULL);
    pgqrsi_pool_lock(consumer->client->pool);
    record(frontier, &sweep, full, began_ms, pgqrsi_clock_ms());
    pgqrsi_pool_unlock(consumer->client->pool);
}

static pgqrs_status
peek(pgqrs_consumer *consumer, int64_t bound, int64_t deadline_ms, pgqrsi_peek *out, pgqrs_error *err)
{
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    pgqrsi_rows *rows = NULL;
    pgqrs_status status;

    pgqrsi_params_add_int(&params, bound);
    status = pgqrsi_client_run(consumer->client,
                               &(pgqrsi_call){ .scope = &consumer->queue->scope,
                                               .sql = PGQRSI_SQL_CONSUMER_PEEK,
                                               .effect = PGQRSI_READS,
                                               .params = &params },
                               deadline_ms, &rows, err);
    pgqrsi_params_release(&params);
    if (status != PGQRS_OK)
        return status;
    for (int band = 0; band < PGQRSI_BAND_COUNT; band++)
        out->vt_ms[band] = pgqrsi_rows_time_ms(rows, 0, band);
    out->head_ms = pgqrsi_rows_time_ms(rows, 0, 3);
    out->server_now_ms = pgqrsi_rows_time_ms(rows, 0, 4);
    out->issued = pgqrsi_rows_int(rows, 0, 5);
    pgqrsi_rows_free(rows);
    return PGQRS_OK;
}

pgqrs_status
pgqrsi_consumer_refresh(pgqrs_consumer *consumer, int now, int64_t deadline_ms, pgqrs_error *err)
{
    pgqrsi_frontier *frontier = &consumer->queue->frontier;
    pgqrsi_peek found = { { 0, 0, 0 }, 0, 0, 0 };
    pgqrs_status status;
    int64_t bound;
    int due;

    pgqrsi_pool_lock(consumer->client->pool);
    due = now || pgqrsi_clock_ms() >= frontier->sweep_ms;
    frontier->swept = 0;
    bound = frontier->bound;
    pgqrsi_pool_unlock(consumer->client->pool);
    if (due)
        sweep_ready(consumer, deadline_ms);
    status = peek(consumer, bound, deadline_ms, &found, err);
    if (status != PGQRS_OK)
        return status;
    pgqrsi_pool_lock(consumer->client->pool);
    pgqrsi_frontier_peeked(frontier, &found, pgqrsi_clock_ms());
    pgqrsi_pool_unlock(consumer->client->pool);
    keep_house(consumer, deadline_ms);
    return PGQRS_OK;
}
