#include <pgqrs/archive.h>

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/name.h"
#include "base/options.h"
#include "queue/message.h"
#include "queue/payload.h"
#include "queue/queue.h"

#define DEFAULT_LIMIT 100
#define MAX_LIMIT 10000
#define MAX_GROUPED 10000

struct pgqrs_archive_list {
    pgqrsi_rows *rows; /* own the text */
    size_t count;
    struct {
        pgqrs_archived archived;
        pgqrs_message message; /* which that points to */
    } items[];
};

struct pgqrs_dead_group_list {
    pgqrsi_rows *rows; /* own the text */
    size_t count;
    pgqrs_dead_group groups[];
};

static pgqrs_outcome
outcome_of(pgqrs_slice text)
{
    return text.size == 4 && memcmp(text.data, "dead", 4) == 0 ? PGQRS_OUTCOME_DEAD
                                                               : PGQRS_OUTCOME_DONE;
}

/* Takes over `rows`. */
static pgqrs_status
make_list(pgqrsi_rows *rows, pgqrs_archive_list **out, pgqrs_error *err)
{
    size_t count = (size_t)pgqrsi_rows_count(rows);
    pgqrs_archive_list *list = calloc(1, sizeof(*list) + count * sizeof(list->items[0]));

    if (list == NULL) {
        pgqrsi_rows_free(rows);
        return pgqrsi_error_memory(err);
    }
    list->rows = rows;
    list->count = count;
    for (int row = 0; row < (int)count; row++) {
        pgqrs_archived *archived = &list->items[row].archived;

        pgqrsi_message_read(rows, row, &list->items[row].message);
        archived->message = &list->items[row].message;
        archived->outcome = outcome_of(pgqrsi_rows_text(rows, row, PGQRSI_MESSAGE_COLUMNS));
        archived->archived_at_ms = pgqrsi_rows_time_ms(rows, row, PGQRSI_MESSAGE_COLUMNS + 1);
        archived->processing_duration_ms = pgqrsi_rows_int(rows, row, PGQRSI_MESSAGE_COLUMNS + 2);
        archived->result = pgqrsi_rows_json(rows, row, PGQRSI_MESSAGE_COLUMNS + 3);
        archived->error = pgqrsi_rows_text(rows, row, PGQRSI_MESSAGE_COLUMNS + 4);
        archived->replayed_as = pgqrsi_rows_int(rows, row, PGQRSI_MESSAGE_COLUMNS + 5);
        archived->replayed_at_ms = pgqrsi_rows_time_ms(rows, row, PGQRSI_MESSAGE_COLUMNS + 6);
    }
    *out = list;
    return PGQRS_OK;
}

static pgqrs_status
check_options(const pgqrs_archive_options *options, pgqrs_error *err)
{
    pgqrs_status status = pgqrsi_range_check("before_id", options->before_id, 0, INT64_MAX, err);

    if (status == PGQRS_OK)
        status = pgqrsi_range_check("limit", options->limit, 0, MAX_LIMIT, err);
    if (status == PGQRS_OK)
        status = pgqrsi_range_check("outcome", options->outcome, PGQRS_OUTCOME_ANY,
                                    PGQRS_OUTCOME_DEAD, err);
    if (status == PGQRS_OK)
        status = pgqrsi_range_check("replayed", options->replayed, PGQRS_REPLAYED_LEFT_OUT,
                                    PGQRS_REPLAYED_TOO, err);
    return status;
}

pgqrs_status
pgqrs_archive_page(pgqrs_client *client, pgqrs_slice queue, const pgqrs_archive_options *options,
                   pgqrs_archive_list **out, pgqrs_error *err)
{
    pgqrs_archive_options own = PGQRS_ARCHIVE_OPTIONS_INIT;
    static const char *const outcomes[] = { NULL, "done", "dead" };
    int has_outcome;
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    pgqrsi_rows *rows = NULL;
    pgqrs_status status =
        pgqrsi_options_read("archive", "PGQRS_ARCHIVE_OPTIONS_INIT", options, &own, err);

    if (status == PGQRS_OK)
        status = check_options(&own, err);
    if (status != PGQRS_OK)
        return status;
    pgqrsi_params_add_int(&params, own.before_id != 0 ? own.before_id : INT64_MAX);
    pgqrsi_params_add_int(&params, own.limit != 0 ? own.limit : DEFAULT_LIMIT);
    pgqrsi_params_add_int(&params, own.replayed);
    has_outcome = outcomes[own.outcome] != NULL;
    if (has_outcome)
        pgqrsi_params_add_text(&params, pgqrs_slice_of(outcomes[own.outcome]));
    status = pgqrsi_queue_read(
        client, queue, has_outcome ? PGQRSI_SQL_ARCHIVE_PAGE_OUTCOME : PGQRSI_SQL_ARCHIVE_PAGE,
        &params, &rows, err);
    pgqrsi_params_release(&params);
    return status == PGQRS_OK ? make_list(rows, out, err) : status;
}

pgqrs_status
pgqrs_archive_get(pgqrs_client *client, pgqrs_slice queue, int64_t id, pgqrs_archive_list **out,
                  pgqrs_error *err)
{
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    pgqrsi_rows *rows = NULL;
    pgqrs_status status;

    pgqrsi_params_add_int(&params, id);
    status = pgqrsi_queue_read(client, queue, PGQRSI_SQL_ARCHIVE_GET, &params, &rows, err);
    pgqrsi_params_release(&params);
    if (status != PGQRS_OK)
        return status;
    if (pgqrsi_rows_count(rows) > 0)
        return make_list(rows, out, err);
    pgqrsi_rows_free(rows);
    return pgqrsi_error_set(err, PGQRS_ENOMESSAGE,
                            "the archive of queue \"%.*s\" has no message %lld",
                            PGQRS_SLICE_ARG(queue), (long long)id);
}

pgqrs_status
pgqrs_archive_count(pgqrs_client *client, pgqrs_slice queue, pgqrs_archive_counts *out,
                    pgqrs_error *err)
{
    pgqrs_archive_counts counts = PGQRS_ARCHIVE_COUNTS_INIT;
    pgqrsi_rows *rows = NULL;
    pgqrs_status status =
        pgqrsi_results_check("archive counts", "PGQRS_ARCHIVE_COUNTS_INIT", out, err);

    if (status == PGQRS_OK)
        status = pgqrsi_queue_read(client, queue, PGQRSI_SQL_ARCHIVE_COUNT, NULL, &rows, err);
    if (status != PGQRS_OK)
        return status;
    counts.done = pgqrsi_rows_int(rows, 0, 0);
    counts.dead = pgqrsi_rows_int(rows, 0, 1);
    counts.replayed = pgqrsi_rows_int(rows, 0, 2);
    pgqrsi_results_write(out, &counts);
    pgqrsi_rows_free(rows);
    return PGQRS_OK;
}

size_t
pgqrs_archive_list_count(const pgqrs_archive_list *list)
{
    return list != NULL ? list->count : 0;
}

const pgqrs_archived *
pgqrs_archive_list_at(const pgqrs_archive_list *list, size_t index)
{
    return list != NULL && index < list->count ? &list->items[index].archived : NULL;
}

void
pgqrs_archive_list_free(pgqrs_archive_list *list)
{
    if (list == NULL)
        return;
    pgqrsi_rows_free(list->rows);
    free(list);
}

/* Takes over `rows`. */
static pgqrs_status
make_groups(pgqrsi_rows *rows, pgqrs_dead_group_list **out, pgqrs_error *err)
{
    size_t count = (size_t)pgqrsi_rows_count(rows);
    pgqrs_dead_group_list *list = calloc(1, sizeof(*list) + count * sizeof(list->groups[0]));

    if (list == NULL) {
        pgqrsi_rows_free(rows);
        return pgqrsi_error_memory(err);
    }
    list->rows = rows;
    list->count = count;
    for (int row = 0; row < (int)count; row++)
        list->groups[row] = (pgqrs_dead_group){ .count = pgqrsi_rows_int(rows, row, 0),
                                                .type = pgqrsi_rows_text(rows, row, 1),
                                                .shape = pgqrsi_rows_text(rows, row, 2),
                                                .oldest_at_ms = pgqrsi_rows_time_ms(rows, row, 3),
                                                .newest_at_ms = pgqrsi_rows_time_ms(rows, row, 4),
                                                .id = pgqrsi_rows_int(rows, row, 5) };
    *out = list;
    return PGQRS_OK;
}

pgqrs_status
pgqrs_archive_errors(pgqrs_client *client, pgqrs_slice queue,
                     const pgqrs_dead_group_options *options, pgqrs_dead_group_list **out,
                     pgqrs_error *err)
{
    pgqrs_dead_group_options own = PGQRS_DEAD_GROUP_OPTIONS_INIT;
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    pgqrsi_rows *rows = NULL;
    pgqrs_status status =
        pgqrsi_options_read("dead group", "PGQRS_DEAD_GROUP_OPTIONS_INIT", options, &own, err);

    if (status == PGQRS_OK)
        status = pgqrsi_range_check("limit", own.limit, 0, MAX_LIMIT, err);
    if (status == PGQRS_OK && own.type.data != NULL)
        status = pgqrsi_name_check("message type", own.type, PGQRSI_TYPE_MAX_BYTES, err);
    if (status != PGQRS_OK)
        return status;
    pgqrsi_params_add_text(&params, own.type);
    pgqrsi_params_add_int(&params, MAX_GROUPED);
    pgqrsi_params_add_int(&params, own.limit != 0 ? own.limit : DEFAULT_LIMIT);
    status = pgqrsi_queue_read(client, queue, PGQRSI_SQL_ARCHIVE_ERRORS, &params, &rows, err);
    pgqrsi_params_release(&params);
    return status == PGQRS_OK ? make_groups(rows, out, err) : status;
}

size_t
pgqrs_dead_group_list_count(const pgqrs_dead_group_list *list)
{
    return list != NULL ? list->count : 0;
}

const pgqrs_dead_group *
pgqrs_dead_group_list_at(const pgqrs_dead_group_list *list, size_t index)
{
    return list != NULL && index < list->count ? &list->groups[index] : NULL;
}

void
pgqrs_dead_group_list_free(pgqrs_dead_group_list *list)
{
    if (list == NULL)
        return;
    pgqrsi_rows_free(list->rows);
    free(list);
}

const char *
pgqrs_outcome_name(pgqrs_outcome value)
{
    static const char *const names[] = {
        [PGQRS_OUTCOME_ANY] = "any", [PGQRS_OUTCOME_DONE] = "done", [PGQRS_OUTCOME_DEAD] = "dead"
    };

    return PGQRSI_ENUM_NAME(names, value);
}
