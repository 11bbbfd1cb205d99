#include "db/pool.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"
#include "base/waiter.h"

/* Pause between attempts while the server starts up. */
#define STARTUP_PAUSE_MS 100

struct pgqrsi_pool {
    const pgqrsi_conn_settings *settings;
    size_t max_connections;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t returned;
    size_t open; /* connections that exist or are being made */
    size_t idle_count;
    pgqrsi_conn *idle[]; /* the most recently used last */
};

pgqrs_status
pgqrsi_pool_open(const pgqrsi_conn_settings *settings, size_t max_connections, pgqrsi_pool **out,
                 pgqrs_error *err)
{
    pgqrsi_pool *pool = calloc(1, sizeof(*pool) + max_connections * sizeof(pool->idle[0]));

    if (pool == NULL)
        return pgqrsi_error_memory(err);
    pool->settings = settings;
    pool->max_connections = max_connections;
    pthread_mutex_init(&pool->mutex, NULL);
    pgqrsi_condition_init(&pool->returned);
    *out = pool;
    return PGQRS_OK;
}

void
pgqrsi_pool_close(pgqrsi_pool *pool)
{
    if (pool == NULL)
        return;
    for (size_t i = 0; i < pool->idle_count; i++)
        pgqrsi_conn_close(pool->idle[i]);
    pthread_cond_destroy(&pool->returned);
    pthread_mutex_destroy(&pool->mutex);
    free(pool);
}

/* An idle connection, or NULL and the right to open one, or PGQRS_ETIMEDOUT. */
static pgqrs_status
take_turn(pgqrsi_pool *pool, int64_t deadline_ms, pgqrsi_conn **out, pgqrs_error *err)
{
    pgqrs_status status = PGQRS_OK;
    int in_time = 1;

    *out = NULL;
    pthread_mutex_lock(&pool->mutex);
    while (in_time && pool->idle_count == 0 && pool->open == pool->max_connections)
        in_time = pgqrsi_condition_wait(&pool->returned, &pool->mutex, deadline_ms);
    if (pool->idle_count > 0)
        *out = pool->idle[--pool->idle_count];
    else if (pool->open < pool->max_connections)
        pool->open++;
    else
        status = PGQRS_ETIMEDOUT;
    pthread_mutex_unlock(&pool->mutex);
    if (status != PGQRS_OK)
        return pgqrsi_error_set(err, status,
                                "all %zu connections of the client were in use until the deadline: "
                                "raise max_connections",
                                pool->max_connections);
    return PGQRS_OK;
}

/* One connection less. */
static void
give_up_turn(pgqrsi_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    pool->open--;
    pthread_cond_signal(&pool->returned);
    pthread_mutex_unlock(&pool->mutex);
}

static int
is_starting_up(const pgqrs_error *err)
{
    return strcmp(pgqrs_error_sqlstate(err), "57P03") == 0;
}

static pgqrs_status
connect_patiently(pgqrsi_pool *pool, int64_t deadline_ms, pgqrsi_conn **out, pgqrs_error *err)
{
    pgqrs_error detail = PGQRSI_ERROR_INIT; /* `err` may be NULL, and what it says decides */
    pgqrs_status status;

    for (;;) {
        struct timespec pause;

        status = pgqrsi_conn_open(pool->settings, deadline_ms, out, &detail);
        if (status == PGQRS_OK || !is_starting_up(&detail) ||
            pgqrsi_clock_left_ms(deadline_ms) < 2 * STARTUP_PAUSE_MS)
            break;
        pause = pgqrsi_clock_timespec(pgqrsi_random_jitter(STARTUP_PAUSE_MS));
        nanosleep(&pause, NULL);
    }
    if (status != PGQRS_OK)
        pgqrsi_error_move(err, &detail);
    pgqrsi_error_release(&detail);
    return status;
}

pgqrs_status
pgqrsi_pool_acquire(pgqrsi_pool *pool, int64_t deadline_ms, pgqrsi_conn **out, pgqrs_error *err)
{
    int64_t connect_deadline_ms = pgqrsi_clock_ms() + pool->settings->connect_timeout_ms;
    pgqrsi_conn *conn = NULL;
    pgqrs_status status = take_turn(pool, deadline_ms, &conn, err);

    if (status != PGQRS_OK)
        return status;
    if (conn != NULL && !pgqrsi_conn_is_stale(conn)) {
        *out = conn;
        return PGQRS_OK;
    }
    pgqrsi_conn_close(conn);
    status = connect_patiently(
        pool, connect_deadline_ms < deadline_ms ? connect_deadline_ms : deadline_ms, out, err);
    if (status != PGQRS_OK)
        give_up_turn(pool);
    return status;
}

void
pgqrsi_pool_discard(pgqrsi_pool *pool, pgqrsi_conn *conn)
{
    pgqrsi_conn_close(conn);
    give_up_turn(pool);
}

void
pgqrsi_pool_release(pgqrsi_pool *pool, pgqrsi_conn *conn)
{
    if (pgqrsi_conn_is_broken(conn)) {
        pgqrsi_pool_discard(pool, conn);
        return;
    }
    pthread_mutex_lock(&pool->mutex);
    pool->idle[pool->idle_count++] = conn;
    pthread_cond_signal(&pool->returned);
    pthread_mutex_unlock(&pool->mutex);
}
