#include "admin/replay.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/options.h"
#include "queue/payload.h"
#include "queue/wake.h"

void
pgqrsi_replay_close(pgqrsi_replay_route *route)
{
    pgqrsi_scope_release(&route->own);
}

pgqrs_status
pgqrsi_replay_open(pgqrs_client *client, pgqrs_slice from, pgqrs_slice to, int64_t deadline_ms,
                   pgqrsi_replay_route *route, pgqrs_error *err)
{
    pgqrs_status status;

    route->client = client;
    pgqrsi_scope_init(&route->own, client->scope.schema, &client->next_serial);
    status = pgqrsi_queue_open(client, from, deadline_ms, &route->source, err);
    route->target = route->source;
    if (status == PGQRS_OK && to.data != NULL)
        status = pgqrsi_queue_open(client, to, deadline_ms, &route->target, err);
    if (status != PGQRS_OK)
        return status;
    route->own.queue_id = route->target->id;
    route->own.queue_name = route->target->name;
    route->own.source_id = route->source->id;
    route->scope = route->target == route->source ? &route->source->scope : &route->own;
    return PGQRS_OK;
}

pgqrs_status
pgqrsi_replay_ask(const pgqrsi_replay_route *route, pgqrsi_sql sql, const pgqrsi_params *params,
                  int64_t deadline_ms, pgqrsi_rows **out, pgqrs_error *err)
{
    return pgqrsi_client_run(
        route->client,
        &(pgqrsi_call){
            .scope = &route->source->scope, .sql = sql, .effect = PGQRSI_READS, .params = params },
        deadline_ms, out, err);
}

static void
add_parameters(pgqrsi_params *params, const int64_t *ids, size_t count,
               const pgqrs_replay_options *options)
{
    pgqrsi_params_start_ints(params, count);
    for (size_t i = 0; i < count; i++)
        pgqrsi_params_element_int(params, ids[i]);
    pgqrsi_params_end_array(params);
    pgqrsi_params_add_json(params, options->payload);
    pgqrsi_params_add_int(params, options->delay_ms);
    if (options->priority_set)
        pgqrsi_params_add_int(params, options->priority);
    else
        pgqrsi_params_add_id(params, 0);
}

pgqrs_status
pgqrsi_replay_send(const pgqrsi_replay_route *route, const int64_t *ids, size_t count,
                   const pgqrs_replay_options *options, int64_t deadline_ms, pgqrsi_rows **out,
                   pgqrs_error *err)
{
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    const pgqrsi_call call = { .scope = route->scope,
                               .sql = PGQRSI_SQL_ARCHIVE_REPLAY,
                               .effect = PGQRSI_WRITES,
                               .params = &params,
                               .queue = route->target,
                               .claimable = count };
    pgqrs_status status;

    add_parameters(&params, ids, count, options);
    status = pgqrsi_wake_run(route->client, &call, deadline_ms, out, err);
    pgqrsi_params_release(&params);
    if (status != PGQRS_OK)
        return status;
    pgqrsi_client_lock(route->client);
    pgqrsi_frontier_held_any(&route->target->frontier, options->delay_ms, pgqrsi_clock_ms());
    pgqrsi_client_unlock(route->client);
    return PGQRS_OK;
}

static pgqrs_status
check_options(const pgqrs_client *client, const pgqrs_replay_options *options, pgqrs_error *err)
{
    pgqrs_status status =
        pgqrsi_range_check("delay_ms", options->delay_ms, 0, PGQRSI_MAX_DELAY_MS, err);

    if (status == PGQRS_OK)
        status = pgqrsi_range_check("priority_set", options->priority_set, 0, 1, err);
    if (status == PGQRS_OK)
        status = pgqrsi_range_check("priority", options->priority, PGQRSI_MIN_PRIORITY,
                                    PGQRSI_MAX_PRIORITY, err);
    if (status == PGQRS_OK && options->priority != 0 && !options->priority_set)
        status = pgqrsi_error_set(err, PGQRS_EINVAL,
                                  "refused a priority without priority_set: set that to 1 too");
    if (status == PGQRS_OK && options->payload.data != NULL)
        status = pgqrsi_payload_check(client, "payload", options->payload, -1, err);
    return status;
}

pgqrs_status
pgqrsi_replay_hidden(const pgqrsi_replay_route *route, pgqrs_error *err)
{
    return pgqrsi_error_set(
        err, PGQRS_EDENIED,
        "row security hides rows of the archive of queue \"%s\" from this user: disable it on the "
        "queue's archive, or use a role that it does not apply to",
        route->source->name);
}

/* There was no such row. */
static pgqrs_status
explain_missing(const pgqrsi_replay_route *route, int64_t id, int64_t deadline_ms, pgqrs_error *err)
{
    pgqrsi_rows *rows = NULL;
    pgqrs_status status =
        pgqrsi_replay_ask(route, PGQRSI_SQL_ARCHIVE_REPLAY_START, NULL, deadline_ms, &rows, err);
    int is_hidden;

    if (status != PGQRS_OK)
        return status;
    is_hidden = pgqrsi_rows_int(rows, 0, 2) != 0;
    pgqrsi_rows_free(rows);
    if (is_hidden)
        return pgqrsi_replay_hidden(route, err);
    return pgqrsi_error_set(err, PGQRS_ENOMESSAGE,
                            "the archive of queue \"%s\" has no dead message %lld",
                            route->source->name, (long long)id);
}

static pgqrs_status
dropped(const pgqrsi_replay_route *route, int64_t id, pgqrs_error *err)
{
    return pgqrsi_error_set(err, PGQRS_ESERVER,
                            "replaying message %lld of queue \"%s\": the copy was not stored: a "
                            "trigger on the tables of queue \"%s\" dropped it",
                            (long long)id, route->source->name, route->target->name);
}

/* Replays one message on an open route. */
static pgqrs_status
replay_one(const pgqrsi_replay_route *route, int64_t id, const pgqrs_replay_options *options,
           int64_t deadline_ms, pgqrs_enqueued *out, pgqrs_error *err)
{
    pgqrsi_rows *rows = NULL;
    pgqrs_enqueued result = { 0 };
    int found;
    pgqrs_status status = pgqrsi_replay_send(route, &id, 1, options, deadline_ms, &rows, err);

    if (status != PGQRS_OK)
        return status;
    found = pgqrsi_rows_count(rows) > 0;
    if (found) {
        result.id = pgqrsi_rows_int(rows, 0, 1);
        result.duplicate = pgqrsi_rows_int(rows, 0, 2) != 0;
    }
    pgqrsi_rows_free(rows);
    if (!found)
        return explain_missing(route, id, deadline_ms, err);
    if (result.id == 0)
        return dropped(route, id, err);
    if (out != NULL)
        *out = result;
    return PGQRS_OK;
}

pgqrs_status
pgqrs_archive_replay(pgqrs_client *client, pgqrs_slice queue, int64_t id,
                     const pgqrs_replay_options *options, pgqrs_enqueued *out, pgqrs_error *err)
{
    pgqrs_replay_options own = PGQRS_REPLAY_OPTIONS_INIT;
    int64_t deadline_ms = pgqrsi_client_deadline(client);
    pgqrsi_replay_route route;
    pgqrs_status status =
        pgqrsi_options_read("replay", "PGQRS_REPLAY_OPTIONS_INIT", options, &own, err);

    if (status == PGQRS_OK)
        status = check_options(client, &own, err);
    if (status != PGQRS_OK)
        return status;
    status = pgqrsi_replay_open(client, queue, own.to_queue, deadline_ms, &route, err);
    if (status == PGQRS_OK)
        status = replay_one(&route, id, &own, deadline_ms, out, err);
    pgqrsi_replay_close(&route);
    return status;
}
