/*
 * Failed attempts: back to the held lane with a pause, or to the archive as dead.
 */
#include "queue/consumer.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/name.h"
#include "base/options.h"
#include "queue/payload.h"
#include "queue/wake.h"

#define MAX_ERROR_BYTES 65536

pgqrsi_call
pgqrsi_failure_call(pgqrs_consumer *consumer, pgqrsi_lane lane, const pgqrsi_failure *failure,
                    pgqrsi_params *params)
{
    pgqrs_slice error = failure->error;

    /* A text of the library's own, or the server's, may have been cut within a character: the
     * server would refuse it, and the message with it. */
    if (error.data != NULL)
        error.size = pgqrsi_utf8_valid_prefix(error);
    pgqrsi_params_add_int(params, failure->lease.id);
    pgqrsi_params_add_int(params, failure->lease.token);
    pgqrsi_params_add_int(params, failure->last);
    pgqrsi_params_add_int(params, failure->delay_ms);
    pgqrsi_params_add_text(params, error);
    pgqrsi_params_add_int(params, consumer->queue->id);
    pgqrsi_params_add_int(params, failure->charge);
    return (pgqrsi_call){ .scope = &consumer->queue->scope,
                          .sql = PGQRSI_SQL_CONSUMER_FAIL,
                          .lane = lane,
                          .effect = PGQRSI_WRITES,
                          .params = params };
}

void
pgqrsi_failure_read(pgqrsi_failure *failure, const pgqrsi_rows *rows)
{
    failure->found = pgqrsi_rows_count(rows) > 0;
    if (failure->found) {
        failure->dead = pgqrsi_rows_int(rows, 0, 1) != 0;
        failure->pause_ms = pgqrsi_rows_int(rows, 0, 2);
    }
}

static pgqrs_status
fail_in_lane(pgqrs_consumer *consumer, pgqrsi_lane lane, pgqrsi_failure *failure,
             int64_t deadline_ms, pgqrs_error *err)
{
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    pgqrsi_call call = pgqrsi_failure_call(consumer, lane, failure, &params);
    pgqrsi_rows *rows = NULL;
    pgqrs_status status;

    call.queue = consumer->queue;
    call.claimable = failure->last != PGQRSI_LAST;
    status = pgqrsi_wake_run(consumer->client, &call, deadline_ms, &rows, err);
    pgqrsi_params_release(&params);
    if (status != PGQRS_OK)
        return status;
    pgqrsi_failure_read(failure, rows);
    pgqrsi_rows_free(rows);
    return PGQRS_OK;
}

/* The ready lane, then the held one: see lease.c. */
pgqrs_status
pgqrsi_consumer_report_failure(pgqrs_consumer *consumer, pgqrsi_failure *failure,
                               int64_t deadline_ms, pgqrs_error *err)
{
    pgqrs_status status = fail_in_lane(consumer, PGQRSI_LANE_READY, failure, deadline_ms, err);

    if (status == PGQRS_OK && !failure->found)
        status = fail_in_lane(consumer, PGQRSI_LANE_HELD, failure, deadline_ms, err);
    if (status == PGQRS_OK && !failure->found)
        status = pgqrsi_consumer_lease_lost(consumer, failure->lease.id, err);
    return status;
}

static pgqrs_status
check_options(const pgqrs_fail_options *options, pgqrs_error *err)
{
    pgqrs_status status =
        pgqrsi_range_check("mode", options->mode, PGQRS_FAIL_RETRY, PGQRS_FAIL_FOR_GOOD, err);

    if (status == PGQRS_OK)
        status = pgqrsi_range_check("delay_ms", options->delay_ms, 0, PGQRSI_MAX_DELAY_MS, err);
    return status;
}

/* Cut where a character ends. Text of the server's type holds no zero byte. */
pgqrs_status
pgqrsi_failure_cut_error(pgqrs_slice *error, pgqrs_error *err)
{
    size_t valid;

    if (error->data == NULL)
        return PGQRS_OK;
    valid = pgqrsi_utf8_valid_prefix(*error);
    if (valid < error->size || memchr(error->data, '\0', error->size) != NULL)
        return pgqrsi_error_set(err, PGQRS_EINVAL,
                                "refused an error text that is not UTF-8 or holds a zero byte");
    if (error->size > MAX_ERROR_BYTES) {
        error->size = MAX_ERROR_BYTES;
        error->size = pgqrsi_utf8_valid_prefix(*error);
    }
    return PGQRS_OK;
}

pgqrs_status
pgqrs_consumer_fail(pgqrs_consumer *consumer, pgqrs_lease lease, const pgqrs_fail_options *options,
                    bool *out_dead, pgqrs_error *err)
{
    pgqrs_fail_options own = PGQRS_FAIL_OPTIONS_INIT;
    int64_t deadline_ms = pgqrsi_client_deadline(consumer->client);
    pgqrsi_failure failure = { .lease = lease, .charge = 1 };
    pgqrs_status status =
        pgqrsi_options_read("fail", "PGQRS_FAIL_OPTIONS_INIT", options, &own, err);

    if (status == PGQRS_OK)
        status = check_options(&own, err);
    if (status == PGQRS_OK)
        status = pgqrsi_consumer_check_lease(lease, err);
    failure.last = own.mode == PGQRS_FAIL_FOR_GOOD ? PGQRSI_LAST : PGQRSI_LAST_BY_QUEUE;
    failure.delay_ms = own.delay_ms;
    failure.error = own.error;
    if (status == PGQRS_OK)
        status = pgqrsi_failure_cut_error(&failure.error, err);
    if (status == PGQRS_OK)
        status = pgqrsi_consumer_report_failure(consumer, &failure, deadline_ms, err);
    if (status != PGQRS_OK)
        return status;
    if (!failure.dead)
        pgqrsi_consumer_remember_held(consumer, failure.pause_ms);
    if (out_dead != NULL)
        *out_dead = failure.dead;
    return PGQRS_OK;
}

void
pgqrsi_failure_of_crashes(int32_t crashes, char *out, size_t size)
{
    snprintf(out, size, "its lease ran out %d times: its consumer crashed or hung each time",
             crashes);
}

pgqrs_status
pgqrsi_consumer_bury(pgqrs_consumer *consumer, const pgqrs_message *message, int64_t deadline_ms,
                     pgqrs_error *err)
{
    pgqrsi_failure failure = { .lease = pgqrs_message_lease(message), .last = PGQRSI_LAST };
    char text[96];

    if (message->id > 0)
        pgqrsi_failure_of_crashes(message->crash_ct, text, sizeof(text));
    else
        snprintf(text, sizeof(text), "its id is none that pgqrs gives out: enqueue without one");
    failure.error = pgqrs_slice_of(text);
    return pgqrsi_consumer_report_failure(consumer, &failure, deadline_ms, err);
}

const char *
pgqrs_fail_mode_name(pgqrs_fail_mode value)
{
    static const char *const names[] = {
        [PGQRS_FAIL_RETRY] = "retry", [PGQRS_FAIL_FOR_GOOD] = "for good"
    };

    return PGQRSI_ENUM_NAME(names, value);
}
