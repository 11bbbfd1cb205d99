/*
 * What ends or changes a lease: delete, archive, extend, release, fail.
 *
 * Each is tried in the ready lane and then, with a statement of its own and so a newer view of the
 * data, in the held lane for what was not found: the sweep may have moved a message between the
 * two. In one statement both lanes would be looked at as they were before the move, and the lease
 * would seem lost.
 */
#include "queue/consumer.h"

#include <pgqrs/transaction.h>

#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "queue/payload.h"
#include "queue/wake.h"

/* One batch on its way through the lanes. */
struct ending {
    pgqrs_consumer *consumer;
    pgqrsi_conn *conn; /* the caller's, or NULL */
    pgqrsi_sql sql;
    const pgqrs_slice *archived; /* results to keep, or NULL */
    const int64_t *number;       /* the statement's last parameter, or NULL */
    const pgqrs_lease *leases;
    size_t count;
    pgqrs_status *results;
    int64_t deadline_ms;
    size_t *open; /* indexes into leases of those not found so far, by id */
    size_t open_count;
};

pgqrs_status
pgqrsi_consumer_check_lease(pgqrs_lease lease, pgqrs_error *err)
{
    if (lease.id > 0 && lease.token > 0)
        return PGQRS_OK;
    return pgqrsi_error_set(
        err, PGQRS_EINVAL,
        "refused a lease of message %lld: take id and token from a dequeued message",
        (long long)lease.id);
}

pgqrs_status
pgqrsi_consumer_lease_lost(const pgqrs_consumer *consumer, int64_t id, pgqrs_error *err)
{
    return pgqrsi_error_set(err, PGQRS_ELEASELOST,
                            "the lease on message %lld of queue \"%s\" is lost: it ran out and the "
                            "message was handed to "
                            "another consumer, or it is finished; drop this attempt",
                            (long long)id, consumer->queue->name);
}

static int
compare_ids(const void *left, const void *right, void *arg)
{
    const pgqrs_lease *leases = arg;
    int64_t a = leases[*(const size_t *)left].id, b = leases[*(const size_t *)right].id;

    return (a > b) - (a < b);
}

/* In id order, so that two batches cannot wait for each other in a circle. */
static pgqrs_status
sort(struct ending *ending, pgqrs_error *err)
{
    ending->open = malloc(ending->count * sizeof(ending->open[0]));
    if (ending->open == NULL)
        return pgqrsi_error_memory(err);
    for (size_t i = 0; i < ending->count; i++)
        ending->open[i] = i;
    ending->open_count = ending->count;
    qsort_r(ending->open, ending->count, sizeof(ending->open[0]), compare_ids,
            (void *)(uintptr_t)ending->leases);
    for (size_t i = 1; i < ending->count; i++)
        if (ending->leases[ending->open[i]].id == ending->leases[ending->open[i - 1]].id)
            return pgqrsi_error_set(err, PGQRS_EINVAL,
                                    "refused a batch that names message %lld twice",
                                    (long long)ending->leases[ending->open[i]].id);
    return PGQRS_OK;
}

/* For ids that lie close together, as those of one claim do, one scan over all of them is cheaper
 * than a probe for each; up to this many times as many rows as are named may have to be looked
 * at. */
#define RUN_DENSITY 4

static const pgqrs_lease *
lease_at(const pgqrsi_leases *leases, size_t i)
{
    return &leases->leases[leases->order != NULL ? leases->order[i] : i];
}

static pgqrsi_sql
variant(const pgqrsi_leases *leases, pgqrsi_sql sql)
{
    int64_t first = lease_at(leases, 0)->id;
    int64_t last = lease_at(leases, leases->count - 1)->id;

    if (last - first >= (int64_t)leases->count * RUN_DENSITY)
        return sql;
    if (sql == PGQRSI_SQL_CONSUMER_DELETE)
        return PGQRSI_SQL_CONSUMER_DELETE_RUN;
    if (sql == PGQRSI_SQL_CONSUMER_ARCHIVE)
        return PGQRSI_SQL_CONSUMER_ARCHIVE_RUN;
    return sql;
}

static void
add_results(const pgqrsi_leases *leases, pgqrsi_params *params)
{
    static const pgqrs_slice none = { NULL, 0 };

    pgqrsi_params_start_jsons(params, leases->count);
    for (size_t i = 0; i < leases->count; i++)
        pgqrsi_params_element_json(params,
                                   leases->archived != NULL
                                       ? leases->archived[lease_at(leases, i) - leases->leases]
                                       : none);
    pgqrsi_params_end_array(params);
}

pgqrsi_call
pgqrsi_leases_call(pgqrs_consumer *consumer, pgqrsi_sql sql, pgqrsi_lane lane,
                   const pgqrsi_leases *leases, pgqrsi_params *params)
{
    pgqrsi_params_start_ints(params, leases->count);
    for (size_t i = 0; i < leases->count; i++)
        pgqrsi_params_element_int(params, lease_at(leases, i)->id);
    pgqrsi_params_end_array(params);
    pgqrsi_params_start_ints(params, leases->count);
    for (size_t i = 0; i < leases->count; i++)
        pgqrsi_params_element_int(params, lease_at(leases, i)->token);
    pgqrsi_params_end_array(params);
    if (sql == PGQRSI_SQL_CONSUMER_ARCHIVE)
        add_results(leases, params);
    if (leases->number != NULL)
        pgqrsi_params_add_int(params, *leases->number);
    return (pgqrsi_call){ .scope = &consumer->queue->scope,
                          .sql = variant(leases, sql),
                          .lane = lane,
                          .effect = PGQRSI_WRITES,
                          .params = params };
}

/* The index into `open` of message `id`, or open_count. */
static size_t
find_open(const struct ending *ending, int64_t id)
{
    size_t low = 0, high = ending->open_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (ending->leases[ending->open[middle]].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < ending->open_count && ending->leases[ending->open[low]].id == id
               ? low
               : ending->open_count;
}

/* Runs `sql` for what is open; what it returns is done. */
static pgqrs_status
pass(struct ending *ending, pgqrsi_sql sql, pgqrsi_lane lane, pgqrs_error *err)
{
    const pgqrsi_leases leases = { ending->leases, ending->archived, ending->open,
                                   ending->open_count, ending->number };
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    pgqrsi_rows *rows = NULL;
    pgqrs_status status;
    pgqrsi_call call;
    size_t kept = 0;

    if (ending->open_count == 0)
        return PGQRS_OK;
    call = pgqrsi_leases_call(ending->consumer, sql, lane, &leases, &params);
    call.conn = ending->conn;
    call.queue = ending->consumer->queue;
    call.claimable = sql == PGQRSI_SQL_CONSUMER_RELEASE ? ending->open_count : 0;
    status = pgqrsi_wake_run(ending->consumer->client, &call, ending->deadline_ms, &rows, err);
    pgqrsi_params_release(&params);
    if (status != PGQRS_OK)
        return status;
    for (int row = 0; row < pgqrsi_rows_count(rows); row++) {
        size_t i = find_open(ending, pgqrsi_rows_int(rows, row, 0));

        if (i < ending->open_count)
            ending->results[ending->open[i]] = PGQRS_OK;
    }
    pgqrsi_rows_free(rows);
    for (size_t i = 0; i < ending->open_count; i++)
        if (ending->results[ending->open[i]] != PGQRS_OK)
            ending->open[kept++] = ending->open[i];
    ending->open_count = kept;
    return PGQRS_OK;
}

static pgqrs_status
pass_all(struct ending *ending, pgqrs_error *err)
{
    pgqrs_status status = pass(ending, ending->sql, PGQRSI_LANE_READY, err);

    if (status != PGQRS_OK)
        return status;
    status = pass(ending, ending->sql, PGQRSI_LANE_HELD, err);
    /* An earlier call under the same lease may have done it, and its answer been lost. */
    if (status == PGQRS_OK && ending->sql == PGQRSI_SQL_CONSUMER_ARCHIVE)
        status = pass(ending, PGQRSI_SQL_CONSUMER_ARCHIVED, PGQRSI_LANE_READY, err);
    /* A row that somebody else has locked was passed over, so that the others did not wait for
     * it. */
    if (status == PGQRS_OK && ending->sql == PGQRSI_SQL_CONSUMER_EXTEND)
        status = pass(ending, PGQRSI_SQL_CONSUMER_EXTEND_WAIT, PGQRSI_LANE_READY, err);
    if (status == PGQRS_OK && ending->sql == PGQRSI_SQL_CONSUMER_EXTEND)
        status = pass(ending, PGQRSI_SQL_CONSUMER_EXTEND_WAIT, PGQRSI_LANE_HELD, err);
    if (status != PGQRS_OK && status != PGQRS_EUNKNOWN && ending->open_count < ending->count)
        status = pgqrsi_error_set(
            err, PGQRS_EUNKNOWN,
            "queue \"%s\": %zu of %zu messages were finished and the rest were not, because the "
            "server failed in between: call again",
            ending->consumer->queue->name, ending->count - ending->open_count, ending->count);
    return status;
}

/* `ending` names the statement and what it needs; the rest is filled in here. */
static pgqrs_status
end_leases(struct ending *ending, pgqrs_error *err)
{
    pgqrs_status status =
        pgqrsi_range_check("count", ending->count <= INT32_MAX ? (int64_t)ending->count : INT32_MAX,
                           1, PGQRSI_MAX_BATCH, err);

    for (size_t i = 0; status == PGQRS_OK && i < ending->count; i++)
        status = pgqrsi_consumer_check_lease(ending->leases[i], err);
    for (size_t i = 0; status == PGQRS_OK && ending->archived != NULL && i < ending->count; i++)
        if (ending->archived[i].data != NULL)
            status = pgqrsi_payload_check(ending->consumer->client, "result", ending->archived[i],
                                          ending->count > 1 ? (int64_t)i : -1, err);
    if (status == PGQRS_OK)
        status = sort(ending, err);
    if (status == PGQRS_OK) {
        ending->deadline_ms = pgqrsi_client_deadline(ending->consumer->client);
        for (size_t i = 0; i < ending->count; i++)
            ending->results[i] = PGQRS_ELEASELOST;
        status = pass_all(ending, err);
    }
    free(ending->open);
    return status;
}

/* A batch of one, whose result is the call's. */
static pgqrs_status
end_lease(struct ending *ending, pgqrs_error *err)
{
    pgqrs_status result = PGQRS_ELEASELOST;
    pgqrs_status status;

    ending->count = 1;
    ending->results = &result;
    status = end_leases(ending, err);
    ending->results = NULL;
    if (status == PGQRS_OK && result == PGQRS_ELEASELOST)
        status = pgqrsi_consumer_lease_lost(ending->consumer, ending->leases[0].id, err);
    return status;
}

void
pgqrsi_consumer_remember_held(pgqrs_consumer *consumer, int64_t delay_ms)
{
    pgqrsi_client_lock(consumer->client);
    pgqrsi_frontier_held_any(&consumer->queue->frontier, delay_ms, pgqrsi_clock_ms());
    pgqrsi_client_unlock(consumer->client);
}

pgqrs_status
pgqrs_consumer_delete_batch(pgqrs_consumer *consumer, const pgqrs_lease *leases, size_t count,
                            pgqrs_status *results, pgqrs_error *err)
{
    struct ending ending = { .consumer = consumer,
                             .sql = PGQRSI_SQL_CONSUMER_DELETE,
                             .leases = leases,
                             .count = count,
                             .results = results };

    return end_leases(&ending, err);
}

pgqrs_status
pgqrs_consumer_archive_batch(pgqrs_consumer *consumer, const pgqrs_lease *leases,
                             const pgqrs_slice *archived, size_t count, pgqrs_status *results,
                             pgqrs_error *err)
{
    struct ending ending = { .consumer = consumer,
                             .sql = PGQRSI_SQL_CONSUMER_ARCHIVE,
                             .leases = leases,
                             .count = count,
                             .results = results,
                             .archived = archived };

    return end_leases(&ending, err);
}

pgqrs_status
pgqrs_consumer_extend_visibility_batch(pgqrs_consumer *consumer, const pgqrs_lease *leases,
                                       size_t count, int64_t extension_ms, pgqrs_status *results,
                                       pgqrs_error *err)
{
    struct ending ending = { .consumer = consumer,
                             .sql = PGQRSI_SQL_CONSUMER_EXTEND,
                             .leases = leases,
                             .count = count,
                             .results = results,
                             .number = &extension_ms };
    pgqrs_status status =
        pgqrsi_range_check("extension_ms", extension_ms, 1, PGQRSI_MAX_LEASE_MS, err);

    return status == PGQRS_OK ? end_leases(&ending, err) : status;
}

pgqrs_status
pgqrs_consumer_release_batch(pgqrs_consumer *consumer, const pgqrs_lease *leases, size_t count,
                             int64_t delay_ms, pgqrs_status *results, pgqrs_error *err)
{
    struct ending ending = { .consumer = consumer,
                             .sql = PGQRSI_SQL_CONSUMER_RELEASE,
                             .leases = leases,
                             .count = count,
                             .results = results,
                             .number = &delay_ms };
    pgqrs_status status = pgqrsi_range_check("delay_ms", delay_ms, 0, PGQRSI_MAX_DELAY_MS, err);

    if (status == PGQRS_OK)
        status = end_leases(&ending, err);
    pgqrsi_consumer_remember_held(consumer, delay_ms);
    return status;
}

pgqrs_status
pgqrs_consumer_delete(pgqrs_consumer *consumer, pgqrs_lease lease, pgqrs_error *err)
{
    struct ending ending = { .consumer = consumer,
                             .sql = PGQRSI_SQL_CONSUMER_DELETE,
                             .leases = &lease };

    return end_lease(&ending, err);
}

pgqrs_status
pgqrs_consumer_archive(pgqrs_consumer *consumer, pgqrs_lease lease, pgqrs_slice result,
                       pgqrs_error *err)
{
    struct ending ending = { .consumer = consumer,
                             .sql = PGQRSI_SQL_CONSUMER_ARCHIVE,
                             .leases = &lease,
                             .archived = &result };

    return end_lease(&ending, err);
}

pgqrs_status
pgqrs_consumer_extend_visibility(pgqrs_consumer *consumer, pgqrs_lease lease, int64_t extension_ms,
                                 pgqrs_error *err)
{
    struct ending ending = { .consumer = consumer,
                             .sql = PGQRSI_SQL_CONSUMER_EXTEND,
                             .leases = &lease,
                             .number = &extension_ms };
    pgqrs_status status =
        pgqrsi_range_check("extension_ms", extension_ms, 1, PGQRSI_MAX_LEASE_MS, err);

    return status == PGQRS_OK ? end_lease(&ending, err) : status;
}

pgqrs_status
pgqrs_consumer_release(pgqrs_consumer *consumer, pgqrs_lease lease, int64_t delay_ms,
                       pgqrs_error *err)
{
    struct ending ending = { .consumer = consumer,
                             .sql = PGQRSI_SQL_CONSUMER_RELEASE,
                             .leases = &lease,
                             .number = &delay_ms };
    pgqrs_status status = pgqrsi_range_check("delay_ms", delay_ms, 0, PGQRSI_MAX_DELAY_MS, err);

    if (status == PGQRS_OK)
        status = end_lease(&ending, err);
    pgqrsi_consumer_remember_held(consumer, delay_ms);
    return status;
}

pgqrs_status
pgqrs_consumer_delete_on(pgqrs_consumer *consumer, struct pg_conn *connection, pgqrs_lease lease,
                         pgqrs_error *err)
{
    struct ending ending = { .consumer = consumer,
                             .sql = PGQRSI_SQL_CONSUMER_DELETE,
                             .leases = &lease };
    pgqrs_status status = pgqrsi_conn_borrow(connection, &ending.conn, err);

    if (status == PGQRS_OK)
        status = end_lease(&ending, err);
    pgqrsi_conn_close(ending.conn);
    return status;
}

pgqrs_status
pgqrs_consumer_archive_on(pgqrs_consumer *consumer, struct pg_conn *connection, pgqrs_lease lease,
                          pgqrs_slice result, pgqrs_error *err)
{
    struct ending ending = { .consumer = consumer,
                             .sql = PGQRSI_SQL_CONSUMER_ARCHIVE,
                             .leases = &lease,
                             .archived = &result };
    pgqrs_status status = pgqrsi_conn_borrow(connection, &ending.conn, err);

    if (status == PGQRS_OK)
        status = end_lease(&ending, err);
    pgqrsi_conn_close(ending.conn);
    return status;
}
