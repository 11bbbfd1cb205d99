/*
 * Refreshing what a client knows of the lanes, and the sweep: what the forward-only claim of the ready lane
 * leaves behind is found here. See sql/queries/consumer/peek.sql and sweep.sql.
 *
 * It is done by consumers themselves, about once a second for each client that works, and before one says
 * that nothing is due. The peek says whether there is anything to sweep; one client at a time sweeps. Both
 * begin at the client's own low-water mark, so that they do not read the remains of finished messages again
 * and again; a message that was committed long after it had got its id may lie below that, so as long as it
 * is cheap the peek begins at the very beginning, and when it is not a sweep does, slice by slice, as often
 * as keeps that under a twentieth of the time.
 */
#include "store/consumer.h"

#include <string.h>

#include "base/clock.h"
#include "base/random.h"

#define IN_FLIGHT_MS 5000 /* longer than this, and a message moves to the held lane, its lease unchanged */
#define SWEEP_LIMIT 1000
#define FULL_CHEAP_MS 10    /* up to this, the peek looks from the very beginning */
#define FULL_SWEEP_SHARE 20 /* what took 1 ms is repeated no sooner than after 20 */
#define FULL_SWEEP_PAUSE_MS 5000
/* A full sweep is done in slices, for where somebody pins the horizon it reads every dead row since: seconds
 * of work, during which whoever does it claims nothing. A short slice makes the next one twice as long, a
 * long one half; as many as fit into a short one are done at once. */
#define SLICE_MIN 1024
#define SLICE_MAX 262144
#define SLICE_FAR 64 /* or this part of the way that is left: what is old is sparse */
#define SLICE_SHORT_MS 10
#define SLICE_LONG_MS 40
#define SAVE_INTERVAL_MS 10000
#define SAVE_STEP 10000 /* ids by which the low-water mark must have moved to be worth a write */
#define KEYS_INTERVAL_MS 300000
#define KEYS_LIMIT 10000
#define ARCHIVE_INTERVAL_MS 86400000

void
pgqrsi_refresh_begin(pgqrsi_refresh *refresh, pgqrs_consumer *consumer)
{
    memset(refresh, 0, sizeof(*refresh));
    refresh->consumer = consumer;
    refresh->step = PGQRSI_REFRESH_FULL_SWEEP;
    refresh->first_ms = pgqrsi_clock_ms();
}

void
pgqrsi_refresh_release(pgqrsi_refresh *refresh)
{
    pgqrsi_params_release(&refresh->params);
}

int
pgqrsi_refresh_is_peek(const pgqrsi_refresh *refresh)
{
    return refresh->step == PGQRSI_REFRESH_PEEK || refresh->step == PGQRSI_REFRESH_PEEK_AGAIN;
}

/* Beyond what this client has claimed lie messages of others, or, where nothing was left to claim, their
 * leases. What was issued since is looked at next time: a backlog that came meanwhile is not worth reading.
 */
static void
choose_range(pgqrsi_refresh *refresh, pgqrsi_frontier *frontier)
{
    refresh->to = frontier->claimed;
    if (frontier->drained && frontier->issued > refresh->to)
        refresh->to = frontier->issued;
    refresh->bound = frontier->bound;
    refresh->from = frontier->sweep_low;
    if (refresh->step == PGQRSI_REFRESH_FULL_SWEEP) {
        int64_t most = (frontier->sweep_low - frontier->full_at) / SLICE_FAR;

        most = most > SLICE_MAX ? most : SLICE_MAX;
        if (frontier->full_step > most)
            frontier->full_step = most;
        refresh->from = frontier->full_at;
        if (refresh->to - refresh->from > frontier->full_step)
            refresh->to = refresh->from + frontier->full_step;
    } else if (frontier->full_cost_ms <= FULL_CHEAP_MS && pgqrsi_clock_ms() >= frontier->full_sweep_ms) {
        refresh->from = 0;
    }
    if (refresh->step == PGQRSI_REFRESH_PEEK_AGAIN)
        refresh->from = refresh->to; /* just swept */
}

static void
start_sweep(pgqrsi_refresh *refresh)
{
    refresh->call.scope = &refresh->consumer->queue->scope;
    refresh->call.sql = PGQRSI_SQL_CONSUMER_SWEEP;
    pgqrsi_params_add_int(&refresh->params, refresh->from);
    pgqrsi_params_add_int(&refresh->params, refresh->to);
    pgqrsi_params_add_int(&refresh->params, refresh->bound);
    pgqrsi_params_add_int(&refresh->params, IN_FLIGHT_MS);
    pgqrsi_params_add_int(&refresh->params, SWEEP_LIMIT);
    pgqrsi_params_add_int(&refresh->params, refresh->consumer->queue->id);
}

static void
start_peek(pgqrsi_refresh *refresh)
{
    refresh->call.scope = &refresh->consumer->queue->scope;
    refresh->call.sql = PGQRSI_SQL_CONSUMER_PEEK;
    refresh->call.effect = PGQRSI_READS;
    pgqrsi_params_add_int(&refresh->params, refresh->bound);
    pgqrsi_params_add_int(&refresh->params, refresh->from);
    pgqrsi_params_add_int(&refresh->params, refresh->to);
    pgqrsi_params_add_int(&refresh->params, IN_FLIGHT_MS);
}

/* A new client begins its claims at the mark. */
static void
start_save(pgqrsi_refresh *refresh)
{
    refresh->call.sql = PGQRSI_SQL_QUEUE_LOW_WATER;
    pgqrsi_params_add_int(&refresh->params, refresh->consumer->queue->id);
    pgqrsi_params_add_int(&refresh->params, refresh->save);
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

/* Full sweeps are for where the peek does not look at everything. */
static int
is_full_sweep_due(pgqrsi_frontier *frontier, int64_t now_ms)
{
    if (frontier->full_cost_ms <= FULL_CHEAP_MS || now_ms < frontier->full_sweep_ms)
        return 0;
    frontier->full_sweep_ms =
        now_ms + FULL_SWEEP_PAUSE_MS; /* keeps this client's other threads from doing it too */
    return 1;
}

/* What is due seldom. Failures are left to the next time, or to the client of a role that may do it. */
static void
choose_housework(pgqrsi_refresh *refresh, pgqrsi_frontier *frontier, int64_t now_ms)
{
    if (frontier->sweep_low - frontier->saved_low >= SAVE_STEP &&
        take_turn(&frontier->save_ms, now_ms, SAVE_INTERVAL_MS))
        refresh->save = frontier->saved_low = frontier->sweep_low;
    refresh->keys = take_turn(&frontier->keys_ms, now_ms, KEYS_INTERVAL_MS);
    refresh->archive = take_turn(&frontier->archive_ms, now_ms, ARCHIVE_INTERVAL_MS);
}

/* 1 if the present step has a statement to be run, which is then filled in. */
static int
start_step(pgqrsi_refresh *refresh, pgqrsi_frontier *frontier, int64_t now_ms)
{
    switch (refresh->step) {
    case PGQRSI_REFRESH_FULL_SWEEP:
        if (!is_full_sweep_due(frontier, now_ms))
            return 0;
        choose_range(refresh, frontier);
        start_sweep(refresh);
        return 1;
    case PGQRSI_REFRESH_PEEK:
        choose_range(refresh, frontier);
        start_peek(refresh);
        return 1;
    case PGQRSI_REFRESH_SWEEP:
        if (refresh->found_stragglers)
            start_sweep(refresh);
        return refresh->found_stragglers;
    case PGQRSI_REFRESH_PEEK_AGAIN:
        choose_housework(refresh, frontier, now_ms);
        if (refresh->found_stragglers) {
            choose_range(refresh, frontier);
            start_peek(refresh);
        }
        return refresh->found_stragglers;
    case PGQRSI_REFRESH_SAVE:
        if (refresh->save != 0)
            start_save(refresh);
        return refresh->save != 0;
    case PGQRSI_REFRESH_KEYS:
        refresh->call.sql = PGQRSI_SQL_CONSUMER_SWEEP_KEYS;
        pgqrsi_params_add_int(&refresh->params, KEYS_LIMIT);
        return refresh->keys;
    case PGQRSI_REFRESH_ARCHIVE:
        refresh->call.sql = PGQRSI_SQL_ARCHIVE_PREPARE;
        pgqrsi_params_add_int(&refresh->params, refresh->consumer->queue->id);
        return refresh->archive;
    case PGQRSI_REFRESH_OVER:
        break;
    }
    return 0;
}

int
pgqrsi_refresh_next(pgqrsi_refresh *refresh)
{
    pgqrsi_pool *pool = refresh->consumer->client->pool;

    for (; refresh->step != PGQRSI_REFRESH_OVER; refresh->step++) {
        int found;

        pgqrsi_params_release(&refresh->params);
        memset(&refresh->params, 0, sizeof(refresh->params));
        refresh->began_ms = pgqrsi_clock_ms();
        refresh->call = (pgqrsi_call){ .effect = PGQRSI_WRITES, .params = &refresh->params };
        pgqrsi_pool_lock(pool);
        found = start_step(refresh, &refresh->consumer->queue->frontier, refresh->began_ms);
        pgqrsi_pool_unlock(pool);
        if (found)
            return 1;
    }
    return 0;
}

/* Everything visible up to here is gone from the ready lane. */
static void
raise_low(const pgqrsi_refresh *refresh, pgqrsi_frontier *frontier, int64_t lowest_kept,
          int64_t highest_moved)
{
    int64_t low = refresh->to < refresh->bound ? refresh->to : refresh->bound;

    if (lowest_kept != 0 && lowest_kept - 1 < low)
        low = lowest_kept - 1;
    if (highest_moved != 0 && highest_moved < low)
        low = highest_moved; /* there was more to move */
    if (low > frontier->sweep_low)
        frontier->sweep_low = low;
}

static void
read_sweep(pgqrsi_refresh *refresh, pgqrsi_frontier *frontier, const pgqrsi_rows *rows)
{
    int64_t moved = pgqrsi_rows_int(rows, 0, 1);

    if (pgqrsi_rows_int(rows, 0, 0) != 0)
        raise_low(refresh, frontier, pgqrsi_rows_int(rows, 0, 3),
                  moved == SWEEP_LIMIT ? pgqrsi_rows_int(rows, 0, 2) : 0);
}

static void
read_peek(pgqrsi_refresh *refresh, pgqrsi_frontier *frontier, const pgqrsi_rows *rows)
{
    pgqrsi_peek found = { { 0, 0, 0 }, 0, 0, 0, 0 };

    for (int band = 0; band < PGQRSI_BAND_COUNT; band++)
        found.vt_ms[band] = pgqrsi_rows_time_ms(rows, 0, band);
    found.head_ms = pgqrsi_rows_time_ms(rows, 0, 3);
    found.server_now_ms = pgqrsi_rows_time_ms(rows, 0, 4);
    found.issued = pgqrsi_rows_int(rows, 0, 5);
    found.expiry_ms = pgqrsi_rows_time_ms(rows, 0, 8);
    pgqrsi_frontier_peeked(frontier, &found, pgqrsi_clock_ms());
    if (refresh->step == PGQRSI_REFRESH_PEEK_AGAIN)
        return;
    refresh->found_stragglers = pgqrsi_rows_int(rows, 0, 6) != 0;
    if (!refresh->found_stragglers)
        raise_low(refresh, frontier, pgqrsi_rows_int(rows, 0, 7), 0);
}

/* What looking from the very beginning has cost. */
static void
record_cost(pgqrsi_frontier *frontier, int64_t cost_ms, int64_t now_ms)
{
    frontier->full_cost_ms = cost_ms;
    frontier->full_sweep_ms = now_ms + cost_ms * FULL_SWEEP_SHARE;
}

/* Returns 1 if the next slice may follow at once. */
static int
record_slice(const pgqrsi_refresh *refresh, pgqrsi_frontier *frontier, const pgqrsi_rows *rows,
             int64_t now_ms)
{
    int64_t took_ms = now_ms - refresh->began_ms, reached = refresh->to;

    frontier->full_sweep_ms = now_ms + took_ms * FULL_SWEEP_SHARE;
    if (rows == NULL || pgqrsi_rows_int(rows, 0, 0) == 0)
        return 0;
    if (pgqrsi_rows_int(rows, 0, 1) == SWEEP_LIMIT)
        reached = pgqrsi_rows_int(rows, 0, 2);
    if (took_ms < SLICE_SHORT_MS && frontier->full_step < INT64_MAX / 4)
        frontier->full_step *= 2;
    else if (took_ms > SLICE_LONG_MS && frontier->full_step > SLICE_MIN)
        frontier->full_step /= 2;
    frontier->full_spent_ms += took_ms;
    frontier->full_at = reached;
    if (reached < frontier->sweep_low)
        return now_ms - refresh->first_ms < SLICE_SHORT_MS;
    record_cost(frontier, frontier->full_spent_ms, now_ms);
    frontier->full_sweep_ms = now_ms + FULL_SWEEP_PAUSE_MS; /* the slices had their pauses */
    frontier->full_at = frontier->full_spent_ms = 0;
    return 0;
}

void
pgqrsi_refresh_answer(pgqrsi_refresh *refresh, const pgqrsi_rows *rows)
{
    pgqrsi_pool *pool = refresh->consumer->client->pool;
    pgqrsi_frontier *frontier = &refresh->consumer->queue->frontier;
    int is_full = refresh->from == 0 && refresh->to > 0;
    int64_t now_ms = pgqrsi_clock_ms();
    int again = 0;

    pgqrsi_pool_lock(pool);
    if (refresh->step == PGQRSI_REFRESH_PEEK && is_full)
        record_cost(frontier, now_ms - refresh->began_ms, now_ms);
    if (refresh->step == PGQRSI_REFRESH_FULL_SWEEP)
        again = record_slice(refresh, frontier, rows, now_ms);
    if (rows != NULL && pgqrsi_refresh_is_peek(refresh))
        read_peek(refresh, frontier, rows);
    else if (rows != NULL && refresh->step == PGQRSI_REFRESH_SWEEP)
        read_sweep(refresh, frontier, rows);
    pgqrsi_pool_unlock(pool);
    if (!again)
        refresh->step++;
}

pgqrs_status
pgqrsi_consumer_refresh(pgqrs_consumer *consumer, int64_t deadline_ms, pgqrs_error *err)
{
    pgqrsi_refresh refresh;
    pgqrs_status status = PGQRS_OK;

    pgqrsi_refresh_begin(&refresh, consumer);
    while (status == PGQRS_OK && pgqrsi_refresh_next(&refresh)) {
        int matters = pgqrsi_refresh_is_peek(&refresh);
        pgqrsi_rows *rows = NULL;

        status = pgqrsi_client_run(consumer->client, &refresh.call, deadline_ms, &rows, matters ? err : NULL);
        pgqrsi_refresh_answer(&refresh, status == PGQRS_OK ? rows : NULL);
        pgqrsi_rows_free(rows);
        if (!matters)
            status = PGQRS_OK;
    }
    pgqrsi_refresh_release(&refresh);
    return status;
}
