#include "queue/wake.h"

#include "base/clock.h"
#include "queue/queue.h"

/* Workers that one test wakes at most. Each wakes others if it finds more than it can take. */
#define MAX_WOKEN 4

/* A test by itself that takes longer is given up: the workers' polls find the messages soon. */
#define PATIENCE_MS 1000

/* One test whether a worker sleeps. */
struct test {
    int64_t sent_ms;
    size_t count; /* of the messages that workers are woken for */
    int alone;    /* it does not follow a call */
};

static int
is_recent(int64_t sent_ms, int64_t now_ms)
{
    return sent_ms != 0 && now_ms < sent_ms + PGQRSI_WAKE_MS;
}

/* The commits of `count` messages need a test. To be called with the client's lock, as are all
 * functions up to settle(). */
static void
owe(pgqrsi_wakes *wakes, size_t count, int64_t now_ms)
{
    wakes->owed += count;
    /* Threads may come here in another order than they read the clock. */
    if (now_ms > wakes->owed_ms)
        wakes->owed_ms = now_ms;
}

/* Whether a call that makes `count` messages claimable sends the test after itself. */
static int
join_call(pgqrsi_wakes *wakes, size_t count, int64_t now_ms, struct test *test)
{
    int64_t ahead_ms = wakes->finds ? PGQRSI_WAKE_FOUND_MS : PGQRSI_WAKE_AHEAD_MS;
    int is_due = wakes->sent_ms == 0 || now_ms >= wakes->sent_ms + ahead_ms;
    int is_missing = wakes->owed > 0 && wakes->alone_ms == 0; /* its test has failed */

    if (!is_due && !is_missing)
        return 0;
    wakes->sent_ms = now_ms;
    *test = (struct test){ now_ms, count + wakes->owed, 0 };
    return 1;
}

/* Whether a call, when its answer arrives, sends the test by itself. */
static int
go_alone(pgqrsi_wakes *wakes, size_t count, int64_t now_ms, struct test *test)
{
    if (is_recent(wakes->covered_ms, now_ms) && wakes->owed == 0)
        return 0;
    owe(wakes, count, now_ms);
    if (is_recent(wakes->alone_ms, now_ms))
        return 0;
    wakes->sent_ms = wakes->alone_ms = now_ms;
    *test = (struct test){ now_ms, wakes->owed, 1 };
    return 1;
}

static void
carried_out(pgqrsi_wakes *wakes, const struct test *test, int finds)
{
    wakes->finds = finds;
    if (test->sent_ms > wakes->covered_ms)
        wakes->covered_ms = test->sent_ms;
    if (is_recent(test->sent_ms, wakes->owed_ms))
        wakes->owed = 0;
}

/* The test has been answered, or will not be. */
static void
settle(pgqrs_client *client, pgqrsi_queue *queue, const struct test *test, int is_carried_out,
       int finds)
{
    pgqrsi_wakes *wakes = &queue->wakes;

    pgqrsi_client_lock(client);
    if (is_carried_out)
        carried_out(wakes, test, finds);
    else
        wakes->sent_ms = 0;
    if (test->alone && wakes->alone_ms == test->sent_ms)
        wakes->alone_ms = 0;
    pgqrsi_client_unlock(client);
}

static void
add_parameters(pgqrsi_params *params, const pgqrsi_queue *queue, size_t count)
{
    pgqrsi_params_add_int(params, queue->id);
    pgqrsi_params_add_int(params, count < MAX_WOKEN ? (int64_t)count : MAX_WOKEN);
}

/* Runs the call and, after it, the test; writes whether the test was carried out. */
static pgqrs_status
run_with_test(pgqrs_client *client, const pgqrsi_call *call, const struct test *test,
              int64_t deadline_ms, pgqrsi_rows **out, int *tested, pgqrs_error *err)
{
    pgqrsi_outcome answer = { PGQRS_EUNKNOWN, 0 };
    pgqrs_status status;
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    const pgqrsi_call after = { .sql = PGQRSI_SQL_WAKE_WAKE,
                                .params = &params,
                                .out_after = &answer };
    pgqrsi_call both = *call;

    add_parameters(&params, call->queue, test->count);
    both.after = params.bytes.failed ? NULL : &after;
    status = pgqrsi_client_run(client, &both, deadline_ms, out, err);
    *tested = answer.status == PGQRS_OK;
    settle(client, call->queue, test, *tested, answer.row_count > 0);
    pgqrsi_params_release(&params);
    return status;
}

/* Runs a call that is to wake workers, with the test if one is due. Nothing can follow a COPY. */
static pgqrs_status
run(pgqrs_client *client, const pgqrsi_call *call, int64_t deadline_ms, pgqrsi_rows **out,
    int *tested, pgqrs_error *err)
{
    struct test test;
    pgqrs_status status;
    int joins;

    pgqrsi_client_lock(client);
    joins = call->copy == NULL &&
            join_call(&call->queue->wakes, call->claimable, pgqrsi_clock_ms(), &test);
    pgqrsi_client_unlock(client);
    status = joins ? run_with_test(client, call, &test, deadline_ms, out, tested, err)
                   : pgqrsi_client_run(client, call, deadline_ms, out, err);
    /* It may be stored, and the caller has no time left for a test. */
    if (status == PGQRS_EUNKNOWN) {
        pgqrsi_client_lock(client);
        owe(&call->queue->wakes, call->claimable, pgqrsi_clock_ms());
        pgqrsi_client_unlock(client);
    }
    return status;
}

/* Sends the test by itself, unless another one covers the commit. The messages are stored, whatever
 * becomes of it. */
static void
test_alone(pgqrs_client *client, const pgqrsi_call *call, int64_t deadline_ms)
{
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    /* Repeated if its connection is lost: to wake twice does no harm. */
    const pgqrsi_call alone = { .sql = PGQRSI_SQL_WAKE_WAKE,
                                .effect = PGQRSI_READS,
                                .params = &params };
    int64_t now_ms = pgqrsi_clock_ms();
    int64_t patience_ms = now_ms + PATIENCE_MS;
    pgqrsi_rows *rows = NULL;
    struct test test;
    pgqrs_status status;
    int goes;

    pgqrsi_client_lock(client);
    goes = go_alone(&call->queue->wakes, call->claimable, now_ms, &test);
    pgqrsi_client_unlock(client);
    if (!goes)
        return;
    add_parameters(&params, call->queue, test.count);
    status = pgqrsi_client_run(client, &alone,
                               deadline_ms < patience_ms ? deadline_ms : patience_ms, &rows, NULL);
    settle(client, call->queue, &test, status == PGQRS_OK,
           status == PGQRS_OK && pgqrsi_rows_count(rows) > 0);
    pgqrsi_rows_free(rows);
    pgqrsi_params_release(&params);
}

pgqrs_status
pgqrsi_wake_run(pgqrs_client *client, const pgqrsi_call *call, int64_t deadline_ms,
                pgqrsi_rows **out, pgqrs_error *err)
{
    int wakes = client->wakes && call->queue != NULL && call->claimable > 0 && call->conn == NULL;
    int tested = 0;
    pgqrs_status status = PGQRS_OK;

    if (call->sql != PGQRSI_SQL_WAKE_WAKE)
        status = wakes ? run(client, call, deadline_ms, out, &tested, err)
                       : pgqrsi_client_run(client, call, deadline_ms, out, err);
    if (call->answered != NULL)
        call->answered(call, status, status == PGQRS_OK && out != NULL ? *out : NULL, err);
    if (wakes && status == PGQRS_OK && !tested)
        test_alone(client, call, deadline_ms);
    return status;
}
