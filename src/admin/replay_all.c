#include "admin/replay.h"

#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/name.h"
#include "base/options.h"
#include "queue/payload.h"

#define SLICE 1000
#define SLICE_BYTES 8388608 /* as stored: a slice of large payloads is not to outlast a statement */
#define LOOKED_AT 50000     /* rows of one statement, however few of them match */
#define LOOP 3              /* replays after which a message is skipped */
#define MAX_REFUSED 10
#define DEFAULT_RATE 1000
#define MAX_RATE 1000000
#define SLICES_A_SECOND 10                   /* at a rate that is lower than that of whole slices */
#define MAX_TIME_MS INT64_C(253402300799999) /* the end of the year 9999 */
#define MAX_AGE_MS INT64_C(3153600000000)    /* 100 years of 365 days */
#define US_A_MS 1000

/* A replay of many under way. */
struct many {
    pgqrsi_replay_route route;
    pgqrs_replay_all_options options;
    int64_t after_id, last_id; /* what is still to be looked at: above the one, up to the other */
    int64_t from_us, until_us; /* from_us 0: no bound */
    int64_t free_us;           /* when the rate allows the next slice, by this process's clock */
    int is_stopped;
    pgqrs_replayed done;
    int64_t refused;
    pgqrs_error why; /* the first refusal */
};

static pgqrs_status
check_all_options(const pgqrs_replay_all_options *options, pgqrs_error *err)
{
    const struct {
        const char *name;
        int64_t value, max;
    } ranges[] = { { "archived_from_ms", options->archived_from_ms, MAX_TIME_MS },
                   { "archived_until_ms", options->archived_until_ms, MAX_TIME_MS },
                   { "older_than_ms", options->older_than_ms, MAX_AGE_MS },
                   { "newer_than_ms", options->newer_than_ms, MAX_AGE_MS },
                   { "limit", options->limit, INT64_MAX },
                   { "per_second", options->per_second, MAX_RATE },
                   { "force", options->force, 1 },
                   { "is_dry_run", options->is_dry_run, 1 } };
    pgqrs_status status = PGQRS_OK;

    for (size_t i = 0; status == PGQRS_OK && i < sizeof(ranges) / sizeof(ranges[0]); i++)
        status = pgqrsi_range_check(ranges[i].name, ranges[i].value, 0, ranges[i].max, err);
    if (status == PGQRS_OK && options->type.data != NULL)
        status = pgqrsi_name_check("message type", options->type, PGQRSI_TYPE_MAX_BYTES, err);
    return status;
}

static int64_t
min_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Fixes what belongs to this replay, by the server's clock. A message's time has more digits than
 * the caller sees. */
static pgqrs_status
fix_bounds(struct many *many, pgqrs_error *err)
{
    const pgqrs_replay_all_options *options = &many->options;
    pgqrsi_rows *rows = NULL;
    pgqrs_status status = pgqrsi_replay_ask(&many->route, PGQRSI_SQL_ARCHIVE_REPLAY_START, NULL,
                                            pgqrsi_client_deadline(many->route.client), &rows, err);
    int64_t now_us;
    int is_hidden;

    if (status != PGQRS_OK)
        return status;
    now_us = pgqrsi_rows_int(rows, 0, 0);
    many->last_id = pgqrsi_rows_int(rows, 0, 1);
    is_hidden = pgqrsi_rows_int(rows, 0, 2) != 0;
    pgqrsi_rows_free(rows);
    if (is_hidden)
        return pgqrsi_replay_hidden(&many->route, err);
    many->after_id = INT64_MIN;
    many->until_us = now_us - options->older_than_ms * US_A_MS;
    if (options->archived_until_ms != 0)
        many->until_us = min_of(many->until_us, options->archived_until_ms * US_A_MS + US_A_MS - 1);
    many->from_us = options->archived_from_ms * US_A_MS;
    if (options->newer_than_ms != 0 && now_us - options->newer_than_ms * US_A_MS > many->from_us)
        many->from_us = now_us - options->newer_than_ms * US_A_MS;
    return PGQRS_OK;
}

static void
add_filter(const struct many *many, int64_t after_id, pgqrsi_params *params)
{
    pgqrsi_params_add_int(params, after_id);
    pgqrsi_params_add_int(params, many->last_id);
    pgqrsi_params_add_text(params, many->options.type);
    pgqrsi_params_add_id(params, many->from_us);
    pgqrsi_params_add_int(params, many->until_us);
    pgqrsi_params_add_id(params, many->options.force ? 0 : LOOP);
    pgqrsi_params_add_int(params, LOOKED_AT);
}

/* Lets the caller see how far it is, and stop. */
static void
tell(struct many *many)
{
    const pgqrs_replay_all_options *options = &many->options;

    if (options->progress != NULL && !options->progress(options->progress_arg, &many->done))
        many->is_stopped = 1;
}

/* Counts what matches. *out_skipped of them would be skipped. */
static pgqrs_status
count_all(struct many *many, int64_t *out_skipped, pgqrs_error *err)
{
    int64_t after_id = many->after_id;
    pgqrs_status status = PGQRS_OK;

    *out_skipped = 0;
    while (status == PGQRS_OK && !many->is_stopped && after_id < many->last_id) {
        pgqrsi_params params = PGQRSI_PARAMS_INIT;
        pgqrsi_rows *rows = NULL;

        add_filter(many, after_id, &params);
        status = pgqrsi_replay_ask(&many->route, PGQRSI_SQL_ARCHIVE_REPLAY_COUNT, &params,
                                   pgqrsi_client_deadline(many->route.client), &rows, err);
        pgqrsi_params_release(&params);
        if (status != PGQRS_OK)
            break;
        after_id = pgqrsi_rows_int(rows, 0, 0);
        many->done.left += pgqrsi_rows_int(rows, 0, 1) + pgqrsi_rows_int(rows, 0, 2);
        *out_skipped += pgqrsi_rows_int(rows, 0, 2);
        pgqrsi_rows_free(rows);
        if (after_id == 0)
            break;
        tell(many);
    }
    return status;
}

/* Moves `count` from those that are left to where `to` points; NULL: others have replayed or
 * removed them. */
static void
account(struct many *many, int64_t count, int64_t *to)
{
    many->done.left = many->done.left > count ? many->done.left - count : 0;
    if (to != NULL)
        *to += count;
}

/* Sees to it that `count` messages are not replayed sooner than the rate allows. */
static void
wait_for_rate(struct many *many, int64_t count)
{
    int64_t rate = many->options.per_second != 0 ? many->options.per_second : DEFAULT_RATE;
    int64_t now_us = pgqrsi_clock_us();

    while (now_us < many->free_us) {
        const struct timespec until = { (time_t)(many->free_us / 1000000),
                                        (long)(many->free_us % 1000000 * 1000) };

        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
        now_us = pgqrsi_clock_us();
    }
    many->free_us = now_us + count * 1000000 / rate;
}

static int64_t
slice_size(const struct many *many)
{
    int64_t rate = many->options.per_second != 0 ? many->options.per_second : DEFAULT_RATE;
    int64_t size = min_of(rate / SLICES_A_SECOND, SLICE);

    if (many->options.limit != 0)
        size = min_of(size, many->options.limit - many->done.replayed);
    return size > 1 ? size : 1;
}

/* Counts what replay.sql has answered. `is_repeated`: it was run before with an unknown outcome, so
 * that what was there already is taken for ours. */
static void
read_answer(struct many *many, const pgqrsi_rows *rows, size_t count, int is_repeated)
{
    int64_t replayed = 0;

    for (int row = 0; row < pgqrsi_rows_count(rows); row++)
        if (!pgqrsi_rows_is_null(rows, row, 1) &&
            (is_repeated || pgqrsi_rows_int(rows, row, 2) == 0))
            replayed++;
    account(many, replayed, &many->done.replayed);
    account(many, (int64_t)count - replayed, NULL);
}

static pgqrs_status
send(struct many *many, const int64_t *ids, size_t count, int is_repeated, pgqrs_error *err)
{
    static const pgqrs_replay_options by_default = PGQRS_REPLAY_OPTIONS_INIT;
    pgqrsi_rows *rows = NULL;
    pgqrs_status status =
        pgqrsi_replay_send(&many->route, ids, count, &by_default,
                           pgqrsi_client_deadline(many->route.client), &rows, err);

    if (status != PGQRS_OK)
        return status;
    read_answer(many, rows, count, is_repeated);
    pgqrsi_rows_free(rows);
    return PGQRS_OK;
}

/* Sends a slice, once more if its outcome is unknown: then nothing happens twice, and the answer
 * tells. */
static pgqrs_status
send_surely(struct many *many, const int64_t *ids, size_t count, pgqrs_error *err)
{
    pgqrs_status status = send(many, ids, count, 0, err);

    if (status != PGQRS_EUNKNOWN)
        return status;
    status = send(many, ids, count, 1, err);
    if (status == PGQRS_OK)
        return PGQRS_OK;
    many->done.unknown = (int64_t)count;
    return pgqrsi_error_set(err, PGQRS_EUNKNOWN,
                            "replaying dead messages of queue \"%s\": the connection was lost, and "
                            "%zu of them may have been replayed: call it again for the rest",
                            many->route.source->name, count);
}

/* The server refuses one message: the others go on. */
static pgqrs_status
refuse(struct many *many, int64_t id, pgqrs_error *from, pgqrs_error *err)
{
    if (many->refused++ == 0)
        pgqrsi_error_set(&many->why, PGQRS_ESERVER, "message %lld: %s", (long long)id,
                         pgqrs_error_message(from));
    if (many->refused < MAX_REFUSED)
        return PGQRS_OK;
    return pgqrsi_error_set(err, PGQRS_ESERVER,
                            "replaying dead messages of queue \"%s\": gave up after the server "
                            "refused %d of them; the first: %s",
                            many->route.source->name, MAX_REFUSED, pgqrs_error_message(&many->why));
}

/* A slice that the server refuses is halved until the message at fault is alone. */
static pgqrs_status
send_slice(struct many *many, const int64_t *ids, size_t count, pgqrs_error *err)
{
    pgqrs_error detail = PGQRSI_ERROR_INIT;
    pgqrs_status status = send_surely(many, ids, count, &detail);
    int is_refused = status == PGQRS_ESERVER || status == PGQRS_EINVAL;

    if (is_refused && count > 1) {
        status = send_slice(many, ids, count / 2, err);
        if (status == PGQRS_OK)
            status = send_slice(many, ids + count / 2, count - count / 2, err);
    } else if (is_refused) {
        status = refuse(many, ids[0], &detail, err);
    } else if (status != PGQRS_OK) {
        pgqrsi_error_move(err, &detail);
    }
    pgqrsi_error_release(&detail);
    return status;
}

/* Finds the next slice. The ids that are not skipped go to `ids`, which has room for SLICE. */
static pgqrs_status
find_slice(struct many *many, int64_t *ids, size_t *out_count, pgqrs_error *err)
{
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    pgqrsi_rows *rows = NULL;
    int64_t size = slice_size(many), skipped = 0;
    int last;
    pgqrs_status status;

    *out_count = 0;
    add_filter(many, many->after_id, &params);
    pgqrsi_params_add_int(&params, size);
    pgqrsi_params_add_int(&params, SLICE_BYTES);
    status = pgqrsi_replay_ask(&many->route, PGQRSI_SQL_ARCHIVE_REPLAY_FIND, &params,
                               pgqrsi_client_deadline(many->route.client), &rows, err);
    pgqrsi_params_release(&params);
    if (status != PGQRS_OK)
        return status;
    last = pgqrsi_rows_count(rows) - 1;
    for (int row = 0; row < last && *out_count < (size_t)size; row++) {
        if (pgqrsi_rows_int(rows, row, 1) != 0)
            skipped++;
        else
            ids[(*out_count)++] = pgqrsi_rows_int(rows, row, 0);
    }
    many->after_id = last >= 0 ? pgqrsi_rows_int(rows, last, 0) : 0;
    if (many->after_id == 0)
        many->after_id = many->last_id;
    pgqrsi_rows_free(rows);
    account(many, skipped, &many->done.skipped);
    return PGQRS_OK;
}

static int
is_at_limit(const struct many *many)
{
    return many->options.limit != 0 && many->done.replayed >= many->options.limit;
}

/* Replays slice after slice. */
static pgqrs_status
run_slices(struct many *many, pgqrs_error *err)
{
    pgqrs_status status = PGQRS_OK;
    int64_t ids[SLICE];

    while (!many->is_stopped && many->after_id < many->last_id && !is_at_limit(many)) {
        size_t count;

        status = find_slice(many, ids, &count, err);
        if (status == PGQRS_OK && count > 0) {
            wait_for_rate(many, (int64_t)count);
            status = send_slice(many, ids, count, err);
        }
        if (status != PGQRS_OK)
            return status;
        tell(many);
    }
    if (!many->is_stopped && !is_at_limit(many))
        many->done.left = many->refused; /* whatever others have done since they were counted */
    if (many->refused > 0)
        return pgqrsi_error_set(err, PGQRS_ESERVER,
                                "replaying dead messages of queue \"%s\": the server refused %lld "
                                "of them; the first: %s",
                                many->route.source->name, (long long)many->refused,
                                pgqrs_error_message(&many->why));
    return PGQRS_OK;
}

static pgqrs_status
run(struct many *many, pgqrs_slice queue, pgqrs_error *err)
{
    int64_t would_skip = 0;
    pgqrs_status status =
        pgqrsi_replay_open(many->route.client, queue, many->options.to_queue,
                           pgqrsi_client_deadline(many->route.client), &many->route, err);

    if (status == PGQRS_OK)
        status = fix_bounds(many, err);
    if (status == PGQRS_OK)
        status = count_all(many, &would_skip, err);
    if (status == PGQRS_OK && many->options.is_dry_run) {
        int64_t most = many->options.limit != 0 ? many->options.limit : INT64_MAX;

        account(many, would_skip, &many->done.skipped);
        account(many, min_of(many->done.left, most), &many->done.replayed);
    } else if (status == PGQRS_OK) {
        status = run_slices(many, err);
    }
    pgqrsi_replay_close(&many->route);
    return status;
}

pgqrs_status
pgqrs_archive_replay_all(pgqrs_client *client, pgqrs_slice queue,
                         const pgqrs_replay_all_options *options, pgqrs_replayed *out,
                         pgqrs_error *err)
{
    struct many many = { .route = { .client = client },
                         .options = PGQRS_REPLAY_ALL_OPTIONS_INIT,
                         .done = PGQRS_REPLAYED_INIT,
                         .why = PGQRSI_ERROR_INIT };
    pgqrs_status status = PGQRS_OK;

    if (out != NULL)
        status = pgqrsi_results_check("replayed", "PGQRS_REPLAYED_INIT", out, err);
    if (status != PGQRS_OK)
        return status;
    status = pgqrsi_options_read("replay all", "PGQRS_REPLAY_ALL_OPTIONS_INIT", options,
                                 &many.options, err);
    if (status == PGQRS_OK)
        status = check_all_options(&many.options, err);
    if (status == PGQRS_OK)
        status = run(&many, queue, err);
    if (out != NULL)
        pgqrsi_results_write(out, &many.done);
    pgqrsi_error_release(&many.why);
    return status;
}
