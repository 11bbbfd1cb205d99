#include "queue/consumer.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/name.h"
#include "base/options.h"
#include "base/random.h"
#include "db/sqlstate.h"
#include "queue/message.h"
#include "queue/payload.h"

/* One dequeue. */
struct request {
    int64_t max;
    int64_t lease_ms;
    pgqrs_slice type;
    int64_t deadline_ms;
    pgqrs_message_list *list; /* what has been claimed so far */
    pgqrs_error refused;      /* why a sweep failed */
};

/* Claims of one place that the server refuses, before the place is left. */
#define MAX_REFUSALS 32

pgqrs_status
pgqrs_consumer_open(pgqrs_client *client, pgqrs_slice queue, const pgqrs_consumer_options *options,
                    pgqrs_consumer **out, pgqrs_error *err)
{
    pgqrs_consumer_options own = PGQRS_CONSUMER_OPTIONS_INIT;
    pgqrs_consumer *consumer;
    pgqrsi_queue *opened = NULL;
    pgqrs_status status =
        pgqrsi_options_read("consumer", "PGQRS_CONSUMER_OPTIONS_INIT", options, &own, err);

    if (status == PGQRS_OK)
        status = pgqrsi_range_check("lease_ms", own.lease_ms, 0, PGQRSI_MAX_LEASE_MS, err);
    if (status != PGQRS_OK)
        return status;
    consumer = calloc(1, sizeof(*consumer));
    if (consumer == NULL)
        return pgqrsi_error_memory(err);
    status = pgqrsi_queue_open(client, queue, pgqrsi_client_deadline(client), &opened, err);
    consumer->queue = opened;
    if (status != PGQRS_OK) {
        free(consumer);
        return status;
    }
    consumer->client = client;
    consumer->worker_id = own.worker_id;
    consumer->lease_ms = own.lease_ms;
    if (consumer->lease_ms == 0)
        consumer->lease_ms =
            1000 * pgqrs_config_get_int(client->config, "default_lock_time_seconds");
    *out = consumer;
    return PGQRS_OK;
}

void
pgqrs_consumer_close(pgqrs_consumer *consumer)
{
    free(consumer);
}

static int64_t
missing(const struct request *request)
{
    return request->max - (int64_t)pgqrs_message_list_count(request->list);
}

int32_t
pgqrsi_consumer_max_crashes(pgqrs_consumer *consumer)
{
    int32_t max_crashes;

    pgqrsi_client_lock(consumer->client);
    max_crashes = consumer->queue->max_crashes;
    pgqrsi_client_unlock(consumer->client);
    return max_crashes;
}

/* Messages whose leases ran out too often are not handed out again, nor those whose ids are not
 * among those that pgqrs gives out. One that cannot be buried now stays leased for a while and is
 * buried by whoever claims it next; the first failure is reported. */
static pgqrs_status
bury_crashed(pgqrs_consumer *consumer, struct request *request, size_t first, pgqrs_error *err)
{
    pgqrs_status failure = PGQRS_OK;
    int32_t max_crashes = pgqrsi_consumer_max_crashes(consumer);

    for (size_t i = first; i < pgqrs_message_list_count(request->list);) {
        const pgqrs_message *message = pgqrs_message_list_at(request->list, i);
        pgqrs_status status = PGQRS_OK;

        if (message->id > 0 && message->crash_ct < max_crashes) {
            i++;
            continue;
        }
        if (failure == PGQRS_OK)
            status = pgqrsi_consumer_bury(consumer, message, request->deadline_ms, err);
        if (status != PGQRS_OK && status != PGQRS_ELEASELOST)
            failure = status;
        pgqrsi_message_list_remove(request->list, i);
    }
    return failure;
}

/* One statement. */
static pgqrs_status
claim_once(pgqrsi_claim *claim, struct request *request, pgqrs_error *err)
{
    pgqrs_consumer *consumer = claim->consumer;
    pgqrsi_rows *rows = NULL;
    pgqrs_status status = pgqrsi_claim_begin(claim, err);

    if (status != PGQRS_OK)
        return status;
    status = pgqrsi_client_run(consumer->client, &claim->call, request->deadline_ms, &rows, err);
    if (status == PGQRS_OK)
        pgqrsi_claim_end(claim, rows, request->list);
    pgqrsi_claim_release(claim);
    return status;
}

/* Whether the server sends the message that was claimed blindly. *out_found: its lease is held in
 * that lane. */
static pgqrs_status
claim_again(const pgqrsi_claim *claim, pgqrs_lease lease, pgqrsi_lane lane,
            const struct request *request, int *out_found, pgqrs_error *err)
{
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    pgqrsi_call call =
        pgqrsi_claim_again_call(claim->consumer, lane, lease, claim->lease_ms, &params);
    pgqrsi_rows *rows = NULL;
    pgqrs_status status =
        pgqrsi_client_run(claim->consumer->client, &call, request->deadline_ms, &rows, err);

    *out_found = status == PGQRS_OK && pgqrsi_rows_count(rows) > 0;
    pgqrsi_params_release(&params);
    pgqrsi_rows_free(rows);
    return status;
}

/* The message is failed if it is the one that cannot be sent, and given back if it is not. */
static pgqrs_status
judge(const pgqrsi_claim *claim, pgqrs_lease lease, const struct request *request, pgqrs_error *err)
{
    pgqrs_error detail = PGQRSI_ERROR_INIT;
    pgqrsi_lane lane = claim->place == PGQRSI_PLACE_READY ? PGQRSI_LANE_READY : PGQRSI_LANE_HELD;
    pgqrsi_failure failure;
    int found = 0;
    pgqrs_status status = claim_again(claim, lease, lane, request, &found, &detail);

    /* The sweep moves it if that takes long. */
    if (status == PGQRS_OK && !found && lane == PGQRSI_LANE_READY)
        status = claim_again(claim, lease, PGQRSI_LANE_HELD, request, &found, &detail);
    if (status == PGQRS_OK && found)
        status = pgqrs_consumer_release(claim->consumer, lease, 0, err);
    else if (status != PGQRS_OK && pgqrsi_claim_burial(lease, pgqrs_error_sqlstate(&detail),
                                                       pgqrs_error_message(&detail), &failure))
        status =
            pgqrsi_consumer_report_failure(claim->consumer, &failure, request->deadline_ms, err);
    else
        pgqrsi_error_move(status != PGQRS_OK ? err : NULL, &detail);
    pgqrsi_error_release(&detail);
    return status == PGQRS_ELEASELOST ? PGQRS_OK : status;
}

/* The head of the place cannot be sent: a claim that reads nothing leases it. */
static pgqrs_status
claim_blindly(pgqrsi_claim *claim, struct request *request, pgqrs_error *err)
{
    pgqrsi_rows *rows = NULL;
    pgqrs_lease lease;
    pgqrs_status status;

    claim->is_blind = 1;
    status = pgqrsi_claim_begin(claim, err);
    if (status == PGQRS_OK)
        status = pgqrsi_client_run(claim->consumer->client, &claim->call, request->deadline_ms,
                                   &rows, err);
    pgqrsi_claim_release(claim);
    claim->is_blind = 0;
    if (status == PGQRS_OK && pgqrsi_claim_blind_lease(claim, rows, &lease))
        status = judge(claim, lease, request, err);
    pgqrsi_rows_free(rows);
    return status;
}

/* Claims from one place. Where the server refuses because of one message, that one is narrowed down
 * to. */
static pgqrs_status
claim_place(pgqrs_consumer *consumer, pgqrsi_place place, struct request *request, int *out_is_sure,
            pgqrs_error *err)
{
    pgqrsi_claim claim = {
        .consumer = consumer, .place = place, .lease_ms = request->lease_ms, .type = request->type
    };
    size_t first = pgqrs_message_list_count(request->list);
    pgqrs_status status = PGQRS_OK;
    int64_t got;

    for (int i = 0; i < MAX_REFUSALS; i++) {
        pgqrs_error detail = PGQRSI_ERROR_INIT;
        pgqrsi_claim_next next = PGQRSI_CLAIM_FAILED;

        claim.asked = missing(request);
        status = claim_once(&claim, request, &detail);
        if (status != PGQRS_OK)
            next = pgqrsi_claim_refused(&claim, status, pgqrs_error_sqlstate(&detail));
        if (next == PGQRSI_CLAIM_FAILED)
            pgqrsi_error_move(status == PGQRS_OK ? NULL : err, &detail);
        if (next == PGQRSI_CLAIM_BLINDLY)
            status = claim_blindly(&claim, request, err);
        pgqrsi_error_release(&detail);
        if (next == PGQRSI_CLAIM_FAILED || (next == PGQRSI_CLAIM_BLINDLY && status != PGQRS_OK))
            break;
    }
    got = (int64_t)(pgqrs_message_list_count(request->list) - first);
    *out_is_sure = status != PGQRS_OK || (!claim.by_runs && got < claim.asked);
    if (status == PGQRS_OK && place != PGQRSI_PLACE_READY)
        status = bury_crashed(consumer, request, first, err);
    return status;
}

static pgqrs_status
claim_round(pgqrs_consumer *consumer, struct request *request, pgqrs_error *err)
{
    pgqrs_status status = PGQRS_OK;
    pgqrsi_place place = pgqrsi_claim_choose(consumer, PGQRSI_PLACE_ABOVE);

    while (status == PGQRS_OK && place != PGQRSI_PLACE_NONE && missing(request) > 0 &&
           !pgqrsi_message_list_is_full(request->list)) {
        int is_sure;

        status = claim_place(consumer, place, request, &is_sure, err);
        place = pgqrsi_claim_choose(consumer, is_sure ? place + 1 : place);
    }
    return status;
}

/* "Nothing is due" takes a look that covered everything, asked for after this call began: the
 * claims pass over leases that have run out, over what was committed late, and over what this
 * client has not heard of. */
static pgqrs_status
claim(pgqrs_consumer *consumer, struct request *request, pgqrs_error *err)
{
    pgqrsi_frontier frontier = pgqrsi_consumer_frontier(consumer);
    int64_t began_ms = pgqrsi_clock_ms();
    pgqrs_status status = PGQRS_OK;

    if (pgqrsi_frontier_is_stale(&frontier, began_ms))
        status = pgqrsi_consumer_refresh(consumer, PGQRSI_LOOK_USUAL, request->deadline_ms,
                                         &request->refused, err);
    if (status == PGQRS_OK)
        status = claim_round(consumer, request, err);
    if (status != PGQRS_OK || pgqrs_message_list_count(request->list) > 0)
        return status;
    frontier = pgqrsi_consumer_frontier(consumer);
    if (frontier.complete_ms <= began_ms)
        status = pgqrsi_consumer_refresh(consumer, PGQRSI_LOOK_COMPLETE, request->deadline_ms,
                                         &request->refused, err);
    frontier = pgqrsi_consumer_frontier(consumer);
    if (status == PGQRS_OK && pgqrsi_frontier_has_hope(&frontier, pgqrsi_clock_ms()))
        status = claim_round(consumer, request, err);
    if (status == PGQRS_OK && pgqrs_message_list_count(request->list) == 0 &&
        request->refused.status != PGQRS_OK) {
        /* Nothing that this caller gave is at fault. */
        status = request->refused.status == PGQRS_EINVAL ? PGQRS_ESERVER : request->refused.status;
        request->refused.status = status;
        pgqrsi_error_move(err, &request->refused);
    }
    return status;
}

pgqrs_status
pgqrs_consumer_dequeue_batch(pgqrs_consumer *consumer, size_t max,
                             const pgqrs_dequeue_options *options, pgqrs_message_list **out,
                             pgqrs_error *err)
{
    pgqrs_dequeue_options own = PGQRS_DEQUEUE_OPTIONS_INIT;
    struct request request = { .max = (int64_t)max,
                               .deadline_ms = pgqrsi_client_deadline(consumer->client),
                               .refused = PGQRSI_ERROR_INIT };
    pgqrs_error detail = PGQRSI_ERROR_INIT;
    pgqrs_status status =
        pgqrsi_options_read("dequeue", "PGQRS_DEQUEUE_OPTIONS_INIT", options, &own, err);

    if (status == PGQRS_OK)
        status = pgqrsi_range_check("max", max <= INT64_MAX ? (int64_t)max : INT64_MAX, 1,
                                    PGQRSI_MAX_BATCH, err);
    if (status == PGQRS_OK)
        status = pgqrsi_range_check("lease_ms", own.lease_ms, 0, PGQRSI_MAX_LEASE_MS, err);
    if (status == PGQRS_OK && own.type.data != NULL)
        status = pgqrsi_name_check("message type", own.type, PGQRSI_TYPE_MAX_BYTES, err);
    if (status == PGQRS_OK)
        status = pgqrsi_message_list_new(max, &request.list, err);
    if (status != PGQRS_OK)
        return status;
    request.lease_ms = own.lease_ms != 0 ? own.lease_ms : consumer->lease_ms;
    request.type = own.type;
    /* What has been claimed is handed out even if a later lane failed: the next call will report
     * that again. */
    status = claim(consumer, &request, &detail);
    if (status == PGQRS_ENOQUEUE &&
        pgqrsi_queue_renew(consumer->client, &consumer->queue, request.deadline_ms, &detail))
        status = claim(consumer, &request, &detail);
    if (status != PGQRS_OK && pgqrs_message_list_count(request.list) == 0) {
        pgqrsi_error_move(err, &detail);
        pgqrs_message_list_free(request.list);
    } else {
        status = PGQRS_OK;
        *out = request.list;
    }
    pgqrsi_error_release(&request.refused);
    pgqrsi_error_release(&detail);
    return status;
}

pgqrs_status
pgqrs_consumer_dequeue(pgqrs_consumer *consumer, pgqrs_message_list **out, pgqrs_error *err)
{
    return pgqrs_consumer_dequeue_batch(consumer, 1, NULL, out, err);
}

/* Tries one lane; *out stays NULL if the message was not claimed there. */
static pgqrs_status
lease_in_lane(pgqrs_consumer *consumer, pgqrsi_lane lane, const pgqrsi_params *params,
              int64_t deadline_ms, pgqrs_message_list **out, pgqrs_error *err)
{
    pgqrs_message_list *list = NULL;
    pgqrsi_rows *rows = NULL;
    pgqrs_status status = pgqrsi_message_list_new(1, &list, err);

    if (status == PGQRS_OK)
        status = pgqrsi_client_run(consumer->client,
                                   &(pgqrsi_call){ .scope = &consumer->queue->scope,
                                                   .sql = PGQRSI_SQL_CONSUMER_CLAIM_ONE,
                                                   .lane = lane,
                                                   .effect = PGQRSI_WRITES,
                                                   .params = params },
                                   deadline_ms, &rows, err);
    if (status != PGQRS_OK || pgqrsi_rows_count(rows) == 0) {
        pgqrsi_rows_free(rows);
        pgqrs_message_list_free(list);
        return status;
    }
    pgqrsi_message_list_add(list, rows);
    *out = list;
    return PGQRS_OK;
}

pgqrs_status
pgqrs_consumer_lease(pgqrs_consumer *consumer, int64_t id, pgqrs_lease_mode mode,
                     pgqrs_message_list **out, pgqrs_error *err)
{
    int64_t deadline_ms = pgqrsi_client_deadline(consumer->client);
    pgqrs_slice name = pgqrs_slice_of(consumer->queue->name);
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    pgqrs_message_list *list = NULL;
    pgqrs_status status;
    int64_t token;

    status = pgqrsi_range_check("mode", mode, PGQRS_LEASE_IF_FREE, PGQRS_LEASE_TAKE_OVER, err);
    if (status == PGQRS_OK)
        status = pgqrsi_claim_token(&token, err);
    if (status != PGQRS_OK)
        return status;
    pgqrsi_params_add_int(&params, id);
    pgqrsi_params_add_int(&params, consumer->lease_ms);
    pgqrsi_params_add_int(&params, token);
    pgqrsi_params_add_int(&params, mode == PGQRS_LEASE_TAKE_OVER);
    status = lease_in_lane(consumer, PGQRSI_LANE_READY, &params, deadline_ms, &list, err);
    if (status == PGQRS_OK && list == NULL)
        status = lease_in_lane(consumer, PGQRSI_LANE_HELD, &params, deadline_ms, &list, err);
    pgqrsi_params_release(&params);
    if (status == PGQRS_OK && list == NULL) {
        status = pgqrs_message_get(consumer->client, name, id, &list, err);
        pgqrs_message_list_free(list);
        list = NULL;
        if (status == PGQRS_OK)
            status = pgqrsi_error_set(
                err, PGQRS_ELEASED,
                "message %lld of queue \"%s\" is leased by a consumer: wait until it is done, or "
                "take it over",
                (long long)id, consumer->queue->name);
    }
    if (status == PGQRS_OK)
        *out = list;
    return status;
}

const char *
pgqrs_lease_mode_name(pgqrs_lease_mode value)
{
    static const char *const names[] = {
        [PGQRS_LEASE_IF_FREE] = "if free", [PGQRS_LEASE_TAKE_OVER] = "take over"
    };

    return PGQRSI_ENUM_NAME(names, value);
}
