#include "db/pipe_internal.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"

/* Until all answers are there, or the deadline has passed. What has arrived by then is read once: a server
 * that never stops to send is ready at any time. */
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
            return pgqrsi_conn_lost(conn, name, conn->why != NULL ? conn->why : "the connection was lost",
                                    err);
        if (is_last)
            return pgqrsi_conn_lost(conn, name, "the deadline passed", err);
        is_last = pgqrsi_clock_left_ms(deadline_ms) == 0;
        if (pgqrsi_conn_wait(conn->pg, pgqrsi_pipe_events(pipe), deadline_ms) == PGQRSI_WAIT_TIMEOUT)
            return pgqrsi_conn_lost(conn, name, "the deadline passed", err);
    }
    return PGQRS_OK;
}

/* Waits for the answers to what was sent; the first one's is the result, even if the connection was lost
 * behind it. */
static pgqrs_status
take_first(pgqrsi_pipe *pipe, const char *name, int64_t deadline_ms, pgqrsi_rows **out, pgqrs_error *err)
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
            *sendings[i].out =
                (pgqrsi_outcome){ answer.status,
                                  answer.status == PGQRS_OK ? pgqrsi_rows_count(answer.rows[0]) : 0 };
        pgqrsi_pipe_clear_rows(&answer);
        pgqrsi_error_release(&answer.error);
    }
}

pgqrs_status
pgqrsi_pipe_exchange(pgqrsi_conn *conn, const pgqrsi_sending *sendings, size_t count, int64_t deadline_ms,
                     pgqrsi_rows **out, pgqrs_error *err)
{
    const char *name = sendings[0].statement->name;
    pgqrsi_pipe *pipe = NULL;
    pgqrs_status status;

    if (sendings[0].params != NULL && (sendings[0].params->bytes.failed || sendings[0].params->failed))
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
