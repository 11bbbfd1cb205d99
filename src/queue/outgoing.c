#include "queue/outgoing.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "queue/producer.h"
#include "queue/wake.h"

/* How often a key that another transaction took meanwhile is looked up, or enqueued again if it is
 * gone by then. */
#define MAX_KEY_ATTEMPTS 3

/* From here on a batch of plain messages is copied. That writes fewer bytes of log, a message, from
 * 50 on, but costs a round trip more, which below 100 makes it the slower way:
 * docs/decisions/0008-how-messages-are-stored.md. */
#define COPY_FROM_COUNT 100

const pgqrs_enqueue_options *
pgqrsi_outgoing_options(const pgqrsi_outgoing *batch, size_t i)
{
    return batch->options != NULL ? &batch->options[i] : NULL;
}

static const pgqrs_enqueue_options *
given(const pgqrsi_outgoing *batch, size_t i)
{
    static const pgqrs_enqueue_options by_default = PGQRS_ENQUEUE_OPTIONS_INIT;
    const pgqrs_enqueue_options *options = pgqrsi_outgoing_options(batch, i);

    return options != NULL ? options : &by_default;
}

static pgqrsi_sql
sql_of(const pgqrsi_outgoing *batch)
{
    if (batch->has_options)
        return PGQRSI_SQL_PRODUCER_ENQUEUE_OPTIONS;
    return batch->count == 1 ? PGQRSI_SQL_PRODUCER_ENQUEUE_ONE : PGQRSI_SQL_PRODUCER_ENQUEUE;
}

static void
add_payloads(pgqrsi_params *params, const pgqrsi_outgoing *batch)
{
    pgqrsi_params_start_jsons(params, batch->count);
    for (size_t i = 0; i < batch->count; i++)
        pgqrsi_params_element_json(params, batch->payloads[i]);
    pgqrsi_params_end_array(params);
}

static void
add_options(pgqrsi_params *params, const pgqrsi_outgoing *batch)
{
    pgqrsi_params_start_jsons(params, batch->count);
    for (size_t i = 0; i < batch->count; i++)
        pgqrsi_params_element_json(params, given(batch, i)->headers);
    pgqrsi_params_end_array(params);
    pgqrsi_params_start_texts(params, batch->count);
    for (size_t i = 0; i < batch->count; i++)
        pgqrsi_params_element_text(params, given(batch, i)->type);
    pgqrsi_params_end_array(params);
    pgqrsi_params_start_ints(params, batch->count);
    for (size_t i = 0; i < batch->count; i++)
        pgqrsi_params_element_int(params, given(batch, i)->delay_ms);
    pgqrsi_params_end_array(params);
    pgqrsi_params_start_ints(params, batch->count);
    for (size_t i = 0; i < batch->count; i++)
        pgqrsi_params_element_int(params, given(batch, i)->priority);
    pgqrsi_params_end_array(params);
    pgqrsi_params_start_texts(params, batch->count);
    for (size_t i = 0; i < batch->count; i++)
        pgqrsi_params_element_text(params, given(batch, i)->idempotency_key);
    pgqrsi_params_end_array(params);
}

void
pgqrsi_outgoing_pack(const pgqrs_producer *producer, const pgqrsi_outgoing *batch,
                     int64_t patience_ms, pgqrsi_params *params)
{
    if (sql_of(batch) == PGQRSI_SQL_PRODUCER_ENQUEUE_ONE)
        pgqrsi_params_add_json(params, batch->payloads[0]);
    else
        add_payloads(params, batch);
    if (batch->has_options)
        add_options(params, batch);
    pgqrsi_params_add_id(params, producer->worker_id);
    if (!batch->has_options)
        return;
    pgqrsi_params_add_int(params, producer->key_retention_ms);
    pgqrsi_params_add_id(params, patience_ms);
}

pgqrsi_call
pgqrsi_outgoing_call(pgqrs_producer *producer, pgqrsi_conn *conn, const pgqrsi_outgoing *batch,
                     const pgqrsi_params *params)
{
    return (pgqrsi_call){ .scope = &producer->queue->scope,
                          .conn = conn,
                          .sql = sql_of(batch),
                          .effect = PGQRSI_WRITES,
                          .params = params,
                          .queue = producer->queue,
                          .claimable = batch->count };
}

static pgqrs_status
insert(pgqrs_producer *producer, pgqrsi_conn *conn, const pgqrsi_outgoing *batch,
       int64_t deadline_ms, pgqrsi_rows **out, pgqrs_error *err)
{
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    const pgqrsi_call call = pgqrsi_outgoing_call(producer, conn, batch, &params);
    pgqrs_status status;

    pgqrsi_outgoing_pack(producer, batch, 0, &params);
    status = pgqrsi_wake_run(producer->client, &call, deadline_ms, out, err);
    pgqrsi_params_release(&params);
    return status;
}

pgqrs_enqueued
pgqrsi_outgoing_result(const pgqrsi_outgoing *batch, const pgqrsi_rows *rows, size_t i)
{
    return (
        pgqrs_enqueued){ .id = pgqrsi_rows_int(rows, (int)i, 0),
                         .duplicate = batch->has_options && pgqrsi_rows_int(rows, (int)i, 1) != 0,
                         .differs = batch->has_options && pgqrsi_rows_int(rows, (int)i, 2) != 0 };
}

/* Another transaction committed this key while our statement ran: the message of that one is the
 * result. Its id is 0 if the key is gone again. */
static pgqrs_status
find_key(pgqrs_producer *producer, pgqrsi_conn *conn, const pgqrsi_outgoing *message,
         int64_t deadline_ms, pgqrs_enqueued *out, pgqrs_error *err)
{
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    pgqrsi_rows *rows = NULL;
    pgqrs_status status;

    pgqrsi_params_add_text(&params, message->options[0].idempotency_key);
    pgqrsi_params_add_json(&params, message->payloads[0]);
    status = pgqrsi_client_run(producer->client,
                               &(pgqrsi_call){ .scope = &producer->queue->scope,
                                               .conn = conn,
                                               .sql = PGQRSI_SQL_PRODUCER_FIND_KEY,
                                               .effect = PGQRSI_READS,
                                               .params = &params },
                               deadline_ms, &rows, err);
    pgqrsi_params_release(&params);
    if (status != PGQRS_OK)
        return status;
    *out = (pgqrs_enqueued){ .duplicate = 1 };
    if (pgqrsi_rows_count(rows) > 0) {
        out->id = pgqrsi_rows_int(rows, 0, 0);
        out->differs = pgqrsi_rows_int(rows, 0, 1) != 0;
    }
    pgqrsi_rows_free(rows);
    return PGQRS_OK;
}

static pgqrs_status
find_or_insert(pgqrs_producer *producer, pgqrsi_conn *conn, const pgqrsi_outgoing *batch, size_t i,
               int64_t deadline_ms, pgqrs_enqueued *out, pgqrs_error *err)
{
    const pgqrsi_outgoing alone = { &batch->payloads[i], given(batch, i), 1, 1 };

    for (int attempt = 0; attempt < MAX_KEY_ATTEMPTS; attempt++) {
        pgqrsi_rows *rows = NULL;
        pgqrs_status status = find_key(producer, conn, &alone, deadline_ms, out, err);

        if (status != PGQRS_OK || out->id != 0)
            return status;
        status = insert(producer, conn, &alone, deadline_ms, &rows, err);
        if (status != PGQRS_OK)
            return status;
        *out = pgqrsi_outgoing_result(&alone, rows, 0);
        pgqrsi_rows_free(rows);
        if (out->id != 0)
            return PGQRS_OK;
    }
    return pgqrsi_error_set(err, PGQRS_EUNKNOWN,
                            "enqueueing to queue \"%s\": an idempotency key came and went during "
                            "the call: try again with the "
                            "same key",
                            producer->queue->name);
}

pgqrs_status
pgqrsi_outgoing_resolve(pgqrs_producer *producer, pgqrsi_conn *conn, const pgqrsi_outgoing *batch,
                        size_t i, int64_t deadline_ms, pgqrs_enqueued *out, pgqrs_error *err)
{
    pgqrs_status status = find_or_insert(producer, conn, batch, i, deadline_ms, out, err);

    if (status == PGQRS_OK || conn != NULL)
        return status;
    return pgqrsi_error_set(
        err, PGQRS_EUNKNOWN,
        "enqueueing to queue \"%s\": it is stored, but for messages whose idempotency key "
        "another transaction took, and the server could not be asked for those: "
        "try again with the same keys",
        producer->queue->name);
}

static pgqrs_status
read_results(pgqrs_producer *producer, pgqrsi_conn *conn, const pgqrsi_outgoing *batch,
             const pgqrsi_rows *rows, int64_t deadline_ms, pgqrs_enqueued *out, pgqrs_error *err)
{
    for (size_t i = 0; i < batch->count; i++) {
        pgqrs_status status = PGQRS_OK;

        out[i] = pgqrsi_outgoing_result(batch, rows, i);
        if (out[i].id == 0)
            status = pgqrsi_outgoing_resolve(producer, conn, batch, i, deadline_ms, &out[i], err);
        if (status != PGQRS_OK)
            return status;
    }
    return PGQRS_OK;
}

void
pgqrsi_outgoing_remember(pgqrs_producer *producer, const pgqrsi_outgoing *batch)
{
    int64_t now_ms = pgqrsi_clock_ms();

    if (!batch->has_options)
        return;
    pgqrsi_client_lock(producer->client);
    for (size_t i = 0; i < batch->count; i++) {
        const pgqrs_enqueue_options *options = given(batch, i);

        if (options->delay_ms > 0 || options->priority != 0)
            pgqrsi_frontier_held(&producer->queue->frontier, options->priority, options->delay_ms,
                                 now_ms);
    }
    pgqrsi_client_unlock(producer->client);
}

/* All by default, and not in a transaction of the caller's: COPY needs the connection for
 * itself. */
static pgqrs_status
copy(pgqrs_producer *producer, const pgqrsi_outgoing *batch, int64_t deadline_ms,
     pgqrs_enqueued *out, pgqrs_error *err)
{
    int64_t *ids = calloc(batch->count, sizeof(*ids));
    const pgqrsi_copy rows = { batch->payloads, batch->count, producer->worker_id, ids };
    const pgqrsi_call call = { .scope = &producer->queue->scope,
                               .sql = PGQRSI_SQL_PRODUCER_COPY,
                               .effect = PGQRSI_WRITES,
                               .copy = &rows,
                               .queue = producer->queue,
                               .claimable = batch->count };
    pgqrs_status status;

    if (ids == NULL)
        return pgqrsi_error_memory(err);
    status = pgqrsi_wake_run(producer->client, &call, deadline_ms, NULL, err);
    for (size_t i = 0; status == PGQRS_OK && out != NULL && i < batch->count; i++)
        out[i] = (pgqrs_enqueued){ .id = ids[i] };
    free(ids);
    return status;
}

pgqrs_status
pgqrsi_outgoing_store(pgqrs_producer *producer, pgqrsi_conn *conn, const pgqrsi_outgoing *batch,
                      int64_t deadline_ms, pgqrs_enqueued *out, pgqrs_error *err)
{
    pgqrs_enqueued one;
    pgqrs_enqueued *enqueued = NULL; /* until all of them are known */
    pgqrsi_rows *rows = NULL;
    pgqrs_status status;

    if (conn == NULL && !batch->has_options && batch->count >= COPY_FROM_COUNT)
        return copy(producer, batch, deadline_ms, out, err);
    if (out != NULL) {
        enqueued = batch->count > 1 ? calloc(batch->count, sizeof(*enqueued)) : &one;
        if (enqueued == NULL)
            return pgqrsi_error_memory(err);
    }
    status = insert(producer, conn, batch, deadline_ms, &rows, err);
    if (status == PGQRS_OK) {
        pgqrsi_outgoing_remember(producer, batch);
        if (enqueued != NULL)
            status = read_results(producer, conn, batch, rows, deadline_ms, enqueued, err);
        if (enqueued != NULL && status == PGQRS_OK)
            memcpy(out, enqueued, batch->count * sizeof(*out));
        pgqrsi_rows_free(rows);
    }
    if (enqueued != &one)
        free(enqueued);
    return status;
}
