/*
 * Refreshing what a client knows of the lanes, and the sweep: what the forward-only claim of the
 * ready lane leaves behind is found here. See sql/queries/consumer/peek.sql and sweep.sql.
 *
 * It is done by consumers themselves, about once a second for each client that works, and before
 * one says that nothing is due. The peek says whether there is anything to sweep. Usually both
 * begin at the client's own low-water mark, so that they do not read the remains of finished
 * messages again and again; a message that was committed long after it had got its id may lie below
 * that, so as long as it is cheap the peek begins at the very beginning, and when it is not a sweep
 * does, slice by slice, as often as keeps that under a twentieth of the time. What a look covers is
 * decided in frontier.c.
 */
#include "queue/consumer.h"

#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "db/sqlstate.h"

/* longer than this, and a message moves to the held lane, its lease unchanged */
#define IN_FLIGHT_MS 5000
#define SWEEP_LIMIT 1000
#define SWEEP_TRIES 16 /* of one refresh, while the server refuses what is swept */
#define SLICES_MS 10   /* slices of a full sweep, in one refresh */
#define SAVE_INTERVAL_MS 10000
#define SAVE_STEP 10000 /* ids by which the low-water mark must have moved to be worth a write */
#define KEYS_INTERVAL_MS 300000
#define KEYS_LIMIT 10000
#define ARCHIVE_INTERVAL_MS 86400000

void
pgqrsi_refresh_begin(pgqrsi_refresh *refresh, pgqrs_consumer *consumer, pgqrsi_look look)
{
    memset(refresh, 0, sizeof(*refresh));
    refresh->consumer = consumer;
    refresh->look = look;
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

int
pgqrsi_refresh_is_sweep(const pgqrsi_refresh *refresh)
{
    return refresh->step == PGQRSI_REFRESH_SWEEP || refresh->step == PGQRSI_REFRESH_FULL_SWEEP;
}

static void
start_sweep(pgqrsi_refresh *refresh, int64_t limit, int is_elected_only)
{
    refresh->call.scope = &refresh->consumer->queue->scope;
    refresh->call.sql = PGQRSI_SQL_CONSUMER_SWEEP;
    pgqrsi_params_add_int(&refresh->params, refresh->range.from);
    pgqrsi_params_add_int(&refresh->params, refresh->range.to);
    pgqrsi_params_add_int(&refresh->params, refresh->bound);
    pgqrsi_params_add_int(&refresh->params, IN_FLIGHT_MS);
    pgqrsi_params_add_int(&refresh->params, limit);
    pgqrsi_params_add_int(&refresh->params, refresh->consumer->queue->id);
    pgqrsi_params_add_int(&refresh->params, is_elected_only);
}

static void
start_peek(pgqrsi_refresh *refresh, const pgqrsi_frontier *frontier)
{
    refresh->bound = frontier->bound;
    refresh->call.scope = &refresh->consumer->queue->scope;
    refresh->call.sql = PGQRSI_SQL_CONSUMER_PEEK;
    refresh->call.effect = PGQRSI_READS;
    pgqrsi_params_add_int(&refresh->params, refresh->bound);
    pgqrsi_params_add_int(&refresh->params, refresh->range.from);
    pgqrsi_params_add_int(&refresh->params, refresh->range.to);
    pgqrsi_params_add_int(&refresh->params, IN_FLIGHT_MS);
    for (int band = 0; band < PGQRSI_BAND_COUNT; band++)
        pgqrsi_params_add_id(&refresh->params,
                             refresh->range.is_held_full ? 0 : frontier->held_from_ms[band]);
    pgqrsi_params_add_int(&refresh->params, refresh->consumer->queue->id);
}

/* A new client begins its claims at the mark. */
static void
start_save(pgqrsi_refresh *refresh)
{
    refresh->call.scope = &refresh->consumer->queue->scope;
    refresh->call.sql = PGQRSI_SQL_QUEUE_SAVE_FRONTIER;
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

/* Rare housekeeping. Failures are left to the next time, or to the client of a role that may do
 * it. */
static void
choose_housework(pgqrsi_refresh *refresh, pgqrsi_frontier *frontier, int64_t now_ms)
{
    if (frontier->sweep_low - frontier->saved_low >= SAVE_STEP &&
        take_turn(&frontier->save_ms, now_ms, SAVE_INTERVAL_MS))
        refresh->save = frontier->saved_low = frontier->sweep_low;
    refresh->keys = take_turn(&frontier->keys_ms, now_ms, KEYS_INTERVAL_MS);
    refresh->archive = take_turn(&frontier->archive_ms, now_ms, ARCHIVE_INTERVAL_MS);
}

static int
start_full_sweep(pgqrsi_refresh *refresh, pgqrsi_frontier *frontier, int64_t now_ms)
{
    if (!pgqrsi_frontier_slice(frontier, &refresh->range, now_ms))
        return 0;
    refresh->bound = frontier->bound;
    start_sweep(refresh, SWEEP_LIMIT, frontier->elections_lost < PGQRSI_ELECTIONS);
    return 1;
}

/* After the sweep: whether the held lane has something due now. What lies in the ready lane was
 * looked at. */
static int
start_second_peek(pgqrsi_refresh *refresh, pgqrsi_frontier *frontier, int64_t now_ms)
{
    choose_housework(refresh, frontier, now_ms);
    if (!refresh->has_swept)
        return 0;
    refresh->range =
        (pgqrsi_range){ .from = frontier->bound, .to = frontier->bound, .is_held_full = 1 };
    start_peek(refresh, frontier);
    return 1;
}

static int
start_keys(pgqrsi_refresh *refresh)
{
    refresh->call.scope = &refresh->consumer->queue->scope;
    refresh->call.sql = PGQRSI_SQL_CONSUMER_SWEEP_KEYS;
    pgqrsi_params_add_int(&refresh->params, KEYS_LIMIT);
    return refresh->keys;
}

/* 1 if the present step has a statement to be run, which is then filled in. */
static int
start_step(pgqrsi_refresh *refresh, pgqrsi_frontier *frontier, int64_t now_ms)
{
    switch (refresh->step) {
    case PGQRSI_REFRESH_FULL_SWEEP:
        return start_full_sweep(refresh, frontier, now_ms);
    case PGQRSI_REFRESH_PEEK:
        if (refresh->is_narrowed)
            refresh->range =
                (pgqrsi_range){ .from = frontier->sweep_from, .to = refresh->range.to };
        else
            refresh->range =
                pgqrsi_frontier_look(frontier, refresh->look == PGQRSI_LOOK_COMPLETE, now_ms);
        start_peek(refresh, frontier);
        return 1;
    case PGQRSI_REFRESH_SWEEP:
        if (refresh->stragglers == 0)
            return 0;
        refresh->has_swept = 1;
        start_sweep(refresh, frontier->sweep_limit, 0);
        return 1;
    case PGQRSI_REFRESH_PEEK_AGAIN:
        return start_second_peek(refresh, frontier, now_ms);
    case PGQRSI_REFRESH_SAVE:
        if (refresh->save != 0)
            start_save(refresh);
        return refresh->save != 0;
    case PGQRSI_REFRESH_KEYS:
        return start_keys(refresh);
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
    pgqrs_client *client = refresh->consumer->client;

    for (; refresh->step != PGQRSI_REFRESH_OVER; refresh->step++) {
        int found;

        pgqrsi_params_release(&refresh->params);
        memset(&refresh->params, 0, sizeof(refresh->params));
        refresh->began_ms = pgqrsi_clock_ms();
        refresh->call = (pgqrsi_call){ .effect = PGQRSI_WRITES, .params = &refresh->params };
        pgqrsi_client_lock(client);
        found = start_step(refresh, &refresh->consumer->queue->frontier, refresh->began_ms);
        pgqrsi_client_unlock(client);
        if (found)
            return 1;
    }
    return 0;
}

/* Everything visible up to here is gone from the ready lane. */
static void
raise_low(pgqrsi_frontier *frontier, int64_t low, int64_t lowest_kept)
{
    if (lowest_kept != 0 && lowest_kept - 1 < low)
        low = lowest_kept - 1;
    if (low > frontier->sweep_low && low <= frontier->bound)
        frontier->sweep_low = low;
}

/* An earlier sweep came no further than this, where the server refuses to move what was found. */
static void
begin_after_refused(pgqrsi_refresh *refresh, pgqrsi_frontier *frontier)
{
    if (refresh->is_narrowed || refresh->stragglers == 0 || frontier->sweep_from < refresh->lowest)
        return;
    if (refresh->range.to <= frontier->sweep_from) {
        frontier->sweep_from = INT64_MIN; /* from the beginning again */
        return;
    }
    refresh->is_narrowed = 1;
    refresh->range.from = frontier->sweep_from;
    /* not known: the first that is refused tells by the next peek */
    refresh->lowest = frontier->sweep_from;
}

/* Returns 1 to peek again: what the client knew of the lane was of another server. */
static int
read_peek(pgqrsi_refresh *refresh, pgqrsi_frontier *frontier, const pgqrsi_rows *rows)
{
    pgqrsi_peek found = { .bound = refresh->bound, .asked_ms = refresh->began_ms };
    int64_t cost_us = pgqrsi_rows_int(rows, 0, 13), now_ms = pgqrsi_clock_ms();

    for (int band = 0; band < PGQRSI_BAND_COUNT; band++)
        found.vt_ms[band] = pgqrsi_rows_time_ms(rows, 0, band);
    found.head_ms = pgqrsi_rows_time_ms(rows, 0, 3);
    found.server_now_ms = pgqrsi_rows_time_ms(rows, 0, 4);
    found.issued = pgqrsi_rows_int(rows, 0, 5);
    found.expiry_ms = pgqrsi_rows_time_ms(rows, 0, 10);
    found.server_ms = pgqrsi_rows_time_ms(rows, 0, 12);
    if (!pgqrsi_rows_is_null(rows, 0, 14))
        found.paused_ms = pgqrsi_rows_int(rows, 0, 14) == INT64_MAX
                              ? PGQRSI_CLOCK_NEVER
                              : pgqrsi_rows_time_ms(rows, 0, 14);
    if (pgqrsi_frontier_peeked(frontier, &found, now_ms)) {
        refresh->step = PGQRSI_REFRESH_PEEK;
        refresh->is_narrowed = 0;
        return ++refresh->tries < SWEEP_TRIES;
    }
    if (refresh->step == PGQRSI_REFRESH_PEEK_AGAIN)
        return 0;
    refresh->stragglers = pgqrsi_rows_int(rows, 0, 6);
    refresh->lowest = pgqrsi_rows_int(rows, 0, 7);
    pgqrsi_frontier_looked(frontier, &refresh->range, pgqrsi_rows_int(rows, 0, 11) != 0,
                           refresh->began_ms, (cost_us + 999) / 1000, now_ms);
    if (refresh->stragglers > 0)
        refresh->range.to = pgqrsi_rows_int(rows, 0, 8);
    else if (refresh->is_narrowed)
        frontier->sweep_from = INT64_MIN; /* all that can be moved was */
    else
        raise_low(frontier, refresh->bound, pgqrsi_rows_int(rows, 0, 9));
    begin_after_refused(refresh, frontier);
    return 0;
}

/* Where the server refuses to move what was found, fewer are moved at a time, down to one, and then
 * what lies after that one: the rest is not to wait for it. Returns 1 to go on with the step that
 * is set now. */
static int
narrow(pgqrsi_refresh *refresh, pgqrsi_frontier *frontier)
{
    refresh->is_narrowed = 1;
    if (++refresh->tries == SWEEP_TRIES)
        return 0;
    if (frontier->sweep_limit > 1) {
        frontier->sweep_limit /= 2;
        return 1;
    }
    frontier->sweep_from = refresh->lowest;
    refresh->step = PGQRSI_REFRESH_PEEK; /* which one comes next */
    return 1;
}

static int
read_sweep(pgqrsi_refresh *refresh, pgqrsi_frontier *frontier, const pgqrsi_rows *rows,
           const char *sqlstate)
{
    int64_t moved, limit = frontier->sweep_limit;

    if (rows == NULL)
        return pgqrsi_sqlstate_is_row(sqlstate) && narrow(refresh, frontier);
    moved = pgqrsi_rows_int(rows, 0, 1);
    if (refresh->is_narrowed || limit < SWEEP_LIMIT) {
        refresh->is_narrowed = 1;
        if (moved > 0 && limit < SWEEP_LIMIT)
            frontier->sweep_limit = 2 * limit;
        if (moved == 0 || ++refresh->tries == SWEEP_TRIES)
            return 0;
        frontier->sweep_from = pgqrsi_rows_int(rows, 0, 2);
        refresh->step = PGQRSI_REFRESH_PEEK;
        return 1;
    }
    frontier->sweep_limit = SWEEP_LIMIT;
    if (moved < limit)
        raise_low(frontier, refresh->bound < refresh->range.to ? refresh->bound : refresh->range.to,
                  pgqrsi_rows_int(rows, 0, 3));
    return 0;
}

/* Returns 1 if the next slice follows at once. */
static int
read_slice(pgqrsi_refresh *refresh, pgqrsi_frontier *frontier, const pgqrsi_rows *rows)
{
    int64_t now_ms = pgqrsi_clock_ms(), took_ms = now_ms - refresh->began_ms,
            reached = refresh->range.to;

    if (rows == NULL || pgqrsi_rows_int(rows, 0, 0) == 0) {
        pgqrsi_frontier_slice_lost(frontier, took_ms, now_ms);
        return 0;
    }
    if (pgqrsi_rows_int(rows, 0, 1) == SWEEP_LIMIT)
        reached = pgqrsi_rows_int(rows, 0, 2);
    return pgqrsi_frontier_sliced(frontier, reached, took_ms, now_ms) &&
           now_ms - refresh->first_ms < SLICES_MS;
}

void
pgqrsi_refresh_answer(pgqrsi_refresh *refresh, const pgqrsi_rows *rows, const char *sqlstate)
{
    pgqrs_client *client = refresh->consumer->client;
    pgqrsi_frontier *frontier = &refresh->consumer->queue->frontier;
    int again = 0;

    pgqrsi_client_lock(client);
    if (refresh->step == PGQRSI_REFRESH_FULL_SWEEP)
        again = read_slice(refresh, frontier, rows);
    else if (refresh->step == PGQRSI_REFRESH_SWEEP)
        again = read_sweep(refresh, frontier, rows, sqlstate);
    else if (rows != NULL && pgqrsi_refresh_is_peek(refresh))
        again = read_peek(refresh, frontier, rows);
    else if (rows != NULL && refresh->step == PGQRSI_REFRESH_KEYS &&
             pgqrsi_rows_int(rows, 0, 0) == KEYS_LIMIT)
        frontier->keys_ms = pgqrsi_clock_ms(); /* there are more */
    refresh->is_complete = frontier->complete_ms >= refresh->first_ms;
    pgqrsi_client_unlock(client);
    if (!again)
        refresh->step++;
}

pgqrs_status
pgqrsi_consumer_refresh(pgqrs_consumer *consumer, pgqrsi_look look, int64_t deadline_ms,
                        pgqrs_error *refused, pgqrs_error *err)
{
    pgqrsi_refresh refresh;
    pgqrs_status status = PGQRS_OK;

    pgqrsi_refresh_begin(&refresh, consumer, look);
    while (status == PGQRS_OK && pgqrsi_refresh_next(&refresh)) {
        int is_peek = pgqrsi_refresh_is_peek(&refresh),
            is_sweep = refresh.step == PGQRSI_REFRESH_SWEEP;
        pgqrs_error detail = PGQRSI_ERROR_INIT;
        pgqrsi_rows *rows = NULL;

        status = pgqrsi_client_run(consumer->client, &refresh.call, deadline_ms, &rows, &detail);
        pgqrsi_refresh_answer(&refresh, status == PGQRS_OK ? rows : NULL,
                              pgqrs_error_sqlstate(&detail));
        pgqrsi_rows_free(rows);
        if (is_sweep && status != PGQRS_OK)
            pgqrsi_error_move(refused, &detail);
        if (is_peek && status != PGQRS_OK)
            pgqrsi_error_move(err, &detail);
        if (!is_peek)
            status = PGQRS_OK; /* left to the next time */
        pgqrsi_error_release(&detail);
    }
    pgqrsi_refresh_release(&refresh);
    return status;
}
