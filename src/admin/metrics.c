#include <pgqrs/metrics.h>

#include <stdlib.h>

#include "base/error.h"
#include "base/name.h"
#include "base/options.h"
#include "client.h"
#include "queue/payload.h"

#define DEFAULT_LOOK_MS 50
#define MAX_LOOK_MS 600000

struct pgqrs_metrics_list {
    pgqrsi_rows *rows; /* own the text */
    int64_t at_ms, took_ms;
    size_t count;
    pgqrs_metrics queues[];
};

/* The columns of sql/queries/metrics/read.sql. */
enum column {
    ID,
    NAME,
    READY,
    DELAYED,
    LEASED,
    EXPIRED,
    DONE,
    DEAD,
    WORKERS,
    OLDEST_DUE_AGE,
    NEWEST_ENQUEUED_AT,
    IS_PAUSED,
    PAUSED_AT,
    PAUSED_UNTIL,
    PAUSED_BY,
    PAUSE_REASON,
    AT_LEAST,
    ESTIMATED,
    PROBLEM,
    NOW,
    TOOK
};

/* The bits of the columns AT_LEAST and ESTIMATED. */
enum bit {
    NO_BIT = 0,
    READY_BIT = 1,
    DELAYED_BIT = 2,
    LEASED_BIT = 4,
    EXPIRED_BIT = 8,
    DONE_BIT = 16,
    DEAD_BIT = 32,
    OLDEST_BIT = 64,
    NEWEST_BIT = 128
};

static pgqrs_number
read_number(const pgqrsi_rows *rows, int row, enum column column, enum bit bit)
{
    pgqrs_number number = { 0, PGQRS_PRECISION_UNKNOWN };

    if (pgqrsi_rows_is_null(rows, row, column))
        return number;
    number.value = column == NEWEST_ENQUEUED_AT ? pgqrsi_rows_time_ms(rows, row, column)
                                                : pgqrsi_rows_int(rows, row, column);
    number.precision =
        (pgqrsi_rows_int(rows, row, ESTIMATED) & bit) != 0  ? PGQRS_PRECISION_ESTIMATED
        : (pgqrsi_rows_int(rows, row, AT_LEAST) & bit) != 0 ? PGQRS_PRECISION_AT_LEAST
                                                            : PGQRS_PRECISION_EXACT;
    return number;
}

/* A time that is not there: there is no such message, unless not all of them were looked at. */
static pgqrs_number
read_time(const pgqrsi_rows *rows, int row, enum column column, enum bit bit)
{
    pgqrs_number number = read_number(rows, row, column, bit);

    if (number.precision == PGQRS_PRECISION_UNKNOWN &&
        (pgqrsi_rows_int(rows, row, AT_LEAST) & bit) == 0)
        number.precision = PGQRS_PRECISION_EXACT;
    return number;
}

/* A sum knows no more than what it knows least of. An unknown number of leases leaves it a lower
 * bound, unless it is an estimate, which includes them. */
static pgqrs_number
total_of(const pgqrs_metrics *queue)
{
    const pgqrs_number *parts[] = { &queue->ready, &queue->delayed, &queue->leased };
    pgqrs_number total = { 0, PGQRS_PRECISION_EXACT };

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        pgqrs_precision precision = parts[i]->precision;

        if (precision == PGQRS_PRECISION_UNKNOWN && parts[i] == &queue->leased)
            precision = PGQRS_PRECISION_AT_LEAST;
        total.value += parts[i]->value;
        total.precision = precision > total.precision ? precision : total.precision;
    }
    if (total.precision == PGQRS_PRECISION_UNKNOWN)
        total.value = 0;
    return total;
}

static void
read_queue(const pgqrsi_rows *rows, int row, pgqrs_metrics *queue)
{
    queue->queue_id = pgqrsi_rows_int(rows, row, ID);
    queue->queue = pgqrsi_rows_text(rows, row, NAME);
    queue->ready = read_number(rows, row, READY, READY_BIT);
    queue->delayed = read_number(rows, row, DELAYED, DELAYED_BIT);
    queue->leased = read_number(rows, row, LEASED, LEASED_BIT);
    queue->expired = read_number(rows, row, EXPIRED, EXPIRED_BIT);
    queue->done = read_number(rows, row, DONE, DONE_BIT);
    queue->dead = read_number(rows, row, DEAD, DEAD_BIT);
    queue->workers = read_number(rows, row, WORKERS, NO_BIT);
    queue->oldest_due_age_ms = read_time(rows, row, OLDEST_DUE_AGE, OLDEST_BIT);
    queue->newest_enqueued_at_ms = read_time(rows, row, NEWEST_ENQUEUED_AT, NEWEST_BIT);
    queue->total = total_of(queue);
    queue->is_paused = pgqrsi_rows_int(rows, row, IS_PAUSED) != 0;
    queue->paused_at_ms = pgqrsi_rows_time_ms(rows, row, PAUSED_AT);
    queue->paused_until_ms = pgqrsi_rows_time_ms(rows, row, PAUSED_UNTIL);
    queue->paused_by = pgqrsi_rows_text(rows, row, PAUSED_BY);
    queue->pause_reason = pgqrsi_rows_text(rows, row, PAUSE_REASON);
    queue->problem = pgqrsi_rows_text(rows, row, PROBLEM);
}

/* Takes over `rows`. */
static pgqrs_status
make_list(pgqrsi_rows *rows, pgqrs_metrics_list **out, pgqrs_error *err)
{
    size_t count = (size_t)pgqrsi_rows_count(rows);
    pgqrs_metrics_list *list = calloc(1, sizeof(*list) + count * sizeof(list->queues[0]));

    if (list == NULL) {
        pgqrsi_rows_free(rows);
        return pgqrsi_error_memory(err);
    }
    list->rows = rows;
    list->count = count;
    for (int row = 0; row < (int)count; row++)
        read_queue(rows, row, &list->queues[row]);
    if (count > 0) {
        list->at_ms = pgqrsi_rows_time_ms(rows, 0, NOW);
        list->took_ms = pgqrsi_rows_int(rows, 0, TOOK);
    }
    *out = list;
    return PGQRS_OK;
}

static pgqrs_status
read_options(const pgqrs_metrics_options *given, pgqrs_metrics_options *own, pgqrs_error *err)
{
    pgqrs_status status =
        pgqrsi_options_read("metrics", "PGQRS_METRICS_OPTIONS_INIT", given, own, err);

    if (status == PGQRS_OK)
        status = pgqrsi_range_check("exact", own->exact, 0, 1, err);
    if (status == PGQRS_OK)
        status = pgqrsi_range_check("look_ms", own->look_ms, 0, MAX_LOOK_MS, err);
    if (own->look_ms == 0)
        own->look_ms = DEFAULT_LOOK_MS;
    return status;
}

/* Of all queues if `queue` is { NULL, 0 }. */
static pgqrs_status
read_metrics(pgqrs_client *client, pgqrs_slice queue, const pgqrs_metrics_options *options,
             pgqrsi_rows **out, pgqrs_error *err)
{
    int64_t deadline_ms = pgqrsi_client_deadline(client);
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    pgqrs_status status = pgqrsi_client_check_schema(client, deadline_ms, err);

    if (status != PGQRS_OK)
        return status;
    pgqrsi_params_add_text(&params, queue);
    pgqrsi_params_add_int(&params, options->exact);
    pgqrsi_params_add_int(&params, options->look_ms);
    status = pgqrsi_client_run(
        client,
        &(pgqrsi_call){ .sql = PGQRSI_SQL_METRICS_READ, .effect = PGQRSI_READS, .params = &params },
        deadline_ms, out, err);
    pgqrsi_params_release(&params);
    return status;
}

pgqrs_status
pgqrs_metrics_all(pgqrs_client *client, const pgqrs_metrics_options *options,
                  pgqrs_metrics_list **out, pgqrs_error *err)
{
    pgqrs_metrics_options own = PGQRS_METRICS_OPTIONS_INIT;
    pgqrsi_rows *rows = NULL;
    pgqrs_status status = read_options(options, &own, err);

    if (status == PGQRS_OK)
        status = read_metrics(client, (pgqrs_slice){ NULL, 0 }, &own, &rows, err);
    return status == PGQRS_OK ? make_list(rows, out, err) : status;
}

pgqrs_status
pgqrs_metrics_get(pgqrs_client *client, pgqrs_slice queue, const pgqrs_metrics_options *options,
                  pgqrs_metrics_list **out, pgqrs_error *err)
{
    pgqrs_metrics_options own = PGQRS_METRICS_OPTIONS_INIT;
    pgqrsi_rows *rows = NULL;
    pgqrs_status status = pgqrsi_name_check("queue name", queue, PGQRSI_QUEUE_NAME_MAX_BYTES, err);

    if (status == PGQRS_OK)
        status = read_options(options, &own, err);
    if (status == PGQRS_OK)
        status = read_metrics(client, queue, &own, &rows, err);
    if (status != PGQRS_OK)
        return status;
    if (pgqrsi_rows_count(rows) > 0)
        return make_list(rows, out, err);
    pgqrsi_rows_free(rows);
    return pgqrsi_error_set(
        err, PGQRS_ENOQUEUE,
        "there is no queue \"%.*s\" in schema \"%s\": create it with \"pgqrs queue create\"",
        PGQRS_SLICE_ARG(queue), pgqrs_client_schema(client));
}

size_t
pgqrs_metrics_list_count(const pgqrs_metrics_list *list)
{
    return list != NULL ? list->count : 0;
}

const pgqrs_metrics *
pgqrs_metrics_list_at(const pgqrs_metrics_list *list, size_t index)
{
    return list != NULL && index < list->count ? &list->queues[index] : NULL;
}

int64_t
pgqrs_metrics_list_at_ms(const pgqrs_metrics_list *list)
{
    return list != NULL ? list->at_ms : 0;
}

int64_t
pgqrs_metrics_list_took_ms(const pgqrs_metrics_list *list)
{
    return list != NULL ? list->took_ms : 0;
}

void
pgqrs_metrics_list_free(pgqrs_metrics_list *list)
{
    if (list == NULL)
        return;
    pgqrsi_rows_free(list->rows);
    free(list);
}

const char *
pgqrs_precision_name(pgqrs_precision value)
{
    static const char *const names[] = { [PGQRS_PRECISION_EXACT] = "exact",
                                         [PGQRS_PRECISION_AT_LEAST] = "at least",
                                         [PGQRS_PRECISION_ESTIMATED] = "estimated",
                                         [PGQRS_PRECISION_UNKNOWN] = "unknown" };

    return PGQRSI_ENUM_NAME(names, value);
}
