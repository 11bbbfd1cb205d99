#include "db/pipe_internal.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "db/rows_internal.h"
#include "db/shape_internal.h"

static const char *
name_of(const struct pgqrsi_pipe_segment *segment)
{
    return segment->item_count > 0 ? segment->items[0].name : "";
}

/* Keeps the rows of a statement, if they are what it returns. */
static void
keep_rows(pgqrsi_pipe *pipe, const struct pgqrsi_pipe_item *item, PGresult *result)
{
    struct pgqrsi_pipe_segment *segment = pgqrsi_pipe_at(pipe, pipe->complete);
    const char *why = pgqrsi_shape_mismatch(item->shape, item->limit, result);
    size_t place = 0;

    if (why != NULL) {
        segment->answer.status =
            pgqrsi_conn_lost(pipe->conn, item->name, why, &segment->answer.error);
        PQclear(result);
        return;
    }
    for (const struct pgqrsi_pipe_item *before = segment->items; before < item; before++)
        place += before->kind == PGQRSI_ITEM_STATEMENT;
    segment->answer.rows[place] = (pgqrsi_rows *)result;
}

/* A result that is no success. The first failure of a segment is its failure: what follows in it
 * was not carried out, and is said to be aborted. */
static void
take_failure(pgqrsi_pipe *pipe, const char *name, const PGresult *result)
{
    pgqrsi_answer *answer = &pgqrsi_pipe_at(pipe, pipe->complete)->answer;

    if (PQresultStatus(result) == PGRES_PIPELINE_ABORTED && answer->status != PGQRS_OK)
        return;
    if (pgqrsi_conn_ends_session(result) || !pgqrsi_conn_is_of_server(result))
        answer->status = pgqrsi_conn_out_of_place(pipe->conn, name, result, &answer->error);
    else if (answer->status == PGQRS_OK)
        answer->status = pgqrsi_conn_server_error(pipe->conn, name, result, &answer->error);
}

/* One result of the oldest segment that is not complete. */
static void
take_result(pgqrsi_pipe *pipe, PGresult *result)
{
    struct pgqrsi_pipe_segment *segment = pgqrsi_pipe_at(pipe, pipe->complete);
    const struct pgqrsi_pipe_item *item = NULL; /* none: only the commit is left, which may fail */
    int is_success = pgqrsi_conn_is_success(result);

    if (segment->answered < segment->item_count)
        item = &segment->items[segment->answered++];
    if (item != NULL && item->kind != PGQRSI_ITEM_STATEMENT)
        pgqrsi_prepared_settle(pipe->conn->prepared, item->serial, is_success);
    if (item != NULL && item->kind == PGQRSI_ITEM_STATEMENT && is_success) {
        keep_rows(pipe, item, result);
        return;
    }
    if (!is_success)
        take_failure(pipe, item != NULL ? item->name : name_of(segment), result);
    else if (item == NULL)
        segment->answer.status = pgqrsi_conn_lost(
            pipe->conn, name_of(segment), "the server answered twice", &segment->answer.error);
    PQclear(result);
}

static void
complete(pgqrsi_pipe *pipe)
{
    struct pgqrsi_pipe_segment *segment = pgqrsi_pipe_at(pipe, pipe->complete);
    pgqrsi_answer *answer = &segment->answer;

    if (segment->answered != segment->item_count) {
        answer->status = pgqrsi_conn_lost(pipe->conn, name_of(segment),
                                          "the server left statements unanswered", &answer->error);
        return;
    }
    if (answer->status == PGQRS_OK && pipe->conn->sync_cancelled)
        answer->status = pgqrsi_error_set(
            &answer->error, PGQRS_EUNKNOWN,
            "%s: the server stopped waiting for its standby: it is stored on the primary, but "
            "perhaps nowhere else",
            name_of(segment));
    pipe->conn->sync_cancelled = 0;
    if (answer->status != PGQRS_OK)
        pgqrsi_pipe_clear_rows(answer);
    pipe->complete++;
    if (pipe->conn->unfit)
        pipe->conn->broken = 1;
}

/* Takes what has been read. Between the results of two statements libpq returns NULL. */
static void
take_results(pgqrsi_pipe *pipe)
{
    int nothing = 0;

    while (pipe->complete < pipe->sent && nothing < 2 && !PQisBusy(pipe->conn->pg)) {
        PGresult *result = PQgetResult(pipe->conn->pg);

        if (result == NULL) {
            nothing++;
            continue;
        }
        nothing = 0;
        if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
            PQclear(result);
            complete(pipe);
        } else {
            take_result(pipe, result);
        }
        if (pipe->conn->broken)
            return;
    }
    PQisBusy(pipe->conn->pg); /* hands on a farewell that answers nothing */
}

/* Writes and reads what can be without waiting. */
pgqrs_status
pgqrsi_pipe_transfer(pgqrsi_pipe *pipe, pgqrs_error *err)
{
    PGconn *pg = pipe->conn->pg;
    int is_alive;

    if (pipe->failed || PQflush(pg) < 0)
        return pgqrsi_error_set(
            err, PGQRS_ECONNECT,
            "the connection to the server was lost while sending, or out of memory");
    is_alive = PQconsumeInput(pg);
    take_results(pipe);
    if (!is_alive || PQstatus(pg) != CONNECTION_OK || pipe->conn->broken)
        return pgqrsi_error_set(err, PGQRS_ECONNECT, "%s",
                                pipe->conn->why != NULL ? pipe->conn->why
                                                        : "the connection to the server was lost");
    return PGQRS_OK;
}

/* Until all answers are there, or the deadline has passed. What has arrived by then is read once: a
 * server that never stops to send is ready at any time. */
static pgqrs_status
await_answers(pgqrsi_pipe *pipe, const char *name, int64_t deadline_ms, pgqrs_error *err)
{
    pgqrsi_conn *conn = pipe->conn;
    int is_last = 0;

    while (pipe->complete < pipe->sent) {
        pgqrs_status status = pgqrsi_pipe_transfer(pipe, NULL);

        pgqrsi_conn_drop_notifications(conn);
        if (pipe->complete == pipe->sent)
            break;
        if (status != PGQRS_OK)
            return pgqrsi_conn_lost(conn, name,
                                    conn->why != NULL ? conn->why : "the connection was lost", err);
        if (is_last)
            return pgqrsi_conn_lost(conn, name, "the deadline passed", err);
        is_last = pgqrsi_clock_left_ms(deadline_ms) == 0;
        if (pgqrsi_conn_wait(conn->pg, pgqrsi_pipe_events(pipe), deadline_ms) ==
            PGQRSI_WAIT_TIMEOUT)
            return pgqrsi_conn_lost(conn, name, "the deadline passed", err);
    }
    return PGQRS_OK;
}

/* Waits for the answers to what was sent; the first one's is the result, even if the connection was
 * lost behind it. */
static pgqrs_status
take_first(pgqrsi_pipe *pipe, const char *name, int64_t deadline_ms, pgqrsi_rows **out,
           pgqrs_error *err)
{
    pgqrs_error detail = PGQRSI_ERROR_INIT;
    pgqrs_status status = await_answers(pipe, name, deadline_ms, &detail);
    pgqrsi_answer answer;

    if (pgqrsi_pipe_take(pipe, &answer)) {
        status = answer.status;
        pgqrsi_error_move(&detail, &answer.error);
        if (status == PGQRS_OK && out != NULL) {
            *out = answer.rows[0];
            answer.rows[0] = NULL;
        }
        pgqrsi_pipe_clear_rows(&answer);
        pgqrsi_error_release(&answer.error);
    }
    if (status != PGQRS_OK)
        pgqrsi_error_move(err, &detail);
    pgqrsi_error_release(&detail);
    return status;
}

/* What became of those after the first, as far as it is known. */
static void
take_others(pgqrsi_pipe *pipe, const pgqrsi_sending *sendings, size_t count)
{
    pgqrsi_answer answer;

    for (size_t i = 1; i < count && pgqrsi_pipe_take(pipe, &answer); i++) {
        if (sendings[i].out != NULL)
            *sendings[i].out = (pgqrsi_outcome){
                answer.status, answer.status == PGQRS_OK ? pgqrsi_rows_count(answer.rows[0]) : 0
            };
        pgqrsi_pipe_clear_rows(&answer);
        pgqrsi_error_release(&answer.error);
    }
}

pgqrs_status
pgqrsi_pipe_exchange(pgqrsi_conn *conn, const pgqrsi_sending *sendings, size_t count,
                     int64_t deadline_ms, pgqrsi_rows **out, pgqrs_error *err)
{
    const char *name = sendings[0].statement->name;
    pgqrsi_pipe *pipe = NULL;
    pgqrs_status status;

    if (sendings[0].params != NULL &&
        (sendings[0].params->bytes.failed || sendings[0].params->failed))
        return pgqrsi_error_memory(err);
    if (conn->broken)
        return pgqrsi_error_set(err, PGQRS_ECONNECT, "%s: the connection is lost", name);
    status = pgqrsi_pipe_new(NULL, &pipe, err);
    if (status != PGQRS_OK)
        return status;
    PQsetnonblocking(conn->pg, 1);
    conn->sync_cancelled = 0;
    if (!PQenterPipelineMode(conn->pg)) {
        free(pipe);
        return pgqrsi_error_memory(err);
    }
    pipe->conn = conn;
    pipe->state = PGQRSI_PIPE_OPEN;
    for (size_t i = 0; i < count; i++) {
        pgqrsi_pipe_send(pipe, sendings[i].statement, sendings[i].params);
        pgqrsi_pipe_sync(pipe, NULL);
    }
    status = take_first(pipe, name, deadline_ms, out, err);
    take_others(pipe, sendings, count);
    if (!conn->broken && !PQexitPipelineMode(conn->pg))
        conn->broken = 1;
    pgqrsi_pipe_drop_answers(pipe);
    free(pipe);
    return status;
}
