#include "db/pipe_internal.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "db/rows_internal.h"

/* Steps of connecting in one go. */
#define CONNECT_STEPS 16

struct pgqrsi_pipe_segment *
pgqrsi_pipe_at(pgqrsi_pipe *pipe, uint64_t number)
{
    return &pipe->segments[number % PGQRSI_PIPE_SEGMENTS];
}

void
pgqrsi_pipe_clear_rows(pgqrsi_answer *answer)
{
    for (size_t i = 0; i < answer->count; i++) {
        pgqrsi_rows_free(answer->rows[i]);
        answer->rows[i] = NULL;
    }
}

static void
reset(struct pgqrsi_pipe_segment *segment)
{
    segment->arg = NULL;
    segment->item_count = 0;
    segment->answered = 0;
    memset(&segment->answer, 0, sizeof(segment->answer));
}

pgqrs_status
pgqrsi_pipe_new(const pgqrsi_conn_settings *settings, pgqrsi_pipe **out, pgqrs_error *err)
{
    pgqrsi_pipe *pipe = calloc(1, sizeof(*pipe));

    if (pipe == NULL)
        return pgqrsi_error_memory(err);
    pipe->settings = settings;
    *out = pipe;
    return PGQRS_OK;
}

void
pgqrsi_pipe_drop_answers(pgqrsi_pipe *pipe)
{
    for (uint64_t i = pipe->taken; i <= pipe->sent; i++) {
        pgqrsi_pipe_clear_rows(&pgqrsi_pipe_at(pipe, i)->answer);
        pgqrsi_error_release(&pgqrsi_pipe_at(pipe, i)->answer.error);
        if (i == pipe->sent)
            break;
    }
}

void
pgqrsi_pipe_free(pgqrsi_pipe *pipe)
{
    if (pipe == NULL)
        return;
    pgqrsi_pipe_close(pipe);
    pgqrsi_pipe_drop_answers(pipe);
    free(pipe);
}

pgqrs_status
pgqrsi_pipe_open(pgqrsi_pipe *pipe, pgqrs_error *err)
{
    pgqrs_status status = pgqrsi_conn_begin(pipe->settings, &pipe->conn, err);

    if (status != PGQRS_OK)
        return status;
    pipe->state = PGQRSI_PIPE_CONNECTING;
    pipe->polling = PGRES_POLLING_WRITING;
    pipe->connect_by_ms = pgqrsi_clock_ms() + pipe->settings->connect_timeout_ms;
    pipe->failed = 0;
    pipe->probing = 0;
    reset(pgqrsi_pipe_at(pipe, pipe->sent));
    return PGQRS_OK;
}

/* The only place where the state becomes CLOSED. What was being made is dropped, what is under way
 * is answered. */
void
pgqrsi_pipe_close(pgqrsi_pipe *pipe)
{
    if (pipe->state == PGQRSI_PIPE_CLOSED)
        return;
    pgqrsi_conn_close(pipe->conn);
    pipe->conn = NULL;
    pipe->state = PGQRSI_PIPE_CLOSED;
    for (uint64_t i = pipe->complete; i < pipe->sent; i++)
        /* of one that was answered in part */
        pgqrsi_error_release(&pgqrsi_pipe_at(pipe, i)->answer.error);
    if (pipe->probing) {
        for (uint64_t i = pipe->taken; i < pipe->sent; i++)
            /* the probe's row, if it has come */
            pgqrsi_pipe_clear_rows(&pgqrsi_pipe_at(pipe, i)->answer);
        pipe->complete = pipe->taken = pipe->sent;
    }
    pipe->probing = 0;
    for (; pipe->complete < pipe->sent; pipe->complete++) {
        struct pgqrsi_pipe_segment *segment = pgqrsi_pipe_at(pipe, pipe->complete);

        pgqrsi_pipe_clear_rows(&segment->answer);
        segment->answer.status =
            pgqrsi_error_set(&segment->answer.error, PGQRS_EUNKNOWN,
                             "%s: the connection was lost after it was sent, so it may or may not "
                             "have been carried out",
                             segment->item_count > 0 ? segment->items[0].name : "");
    }
    pgqrsi_pipe_clear_rows(&pgqrsi_pipe_at(pipe, pipe->sent)->answer);
    reset(pgqrsi_pipe_at(pipe, pipe->sent));
}

pgqrsi_pipe_state
pgqrsi_pipe_state_of(const pgqrsi_pipe *pipe)
{
    return pipe->state;
}

int
pgqrsi_pipe_fd(const pgqrsi_pipe *pipe)
{
    return pipe->conn != NULL ? PQsocket(pipe->conn->pg) : -1;
}

short
pgqrsi_pipe_events(const pgqrsi_pipe *pipe)
{
    if (pipe->conn == NULL)
        return 0;
    if (pipe->state == PGQRSI_PIPE_CONNECTING && !pipe->probing)
        return pipe->polling == PGRES_POLLING_WRITING ? POLLOUT : POLLIN;
    return (short)(POLLIN | (PQflush(pipe->conn->pg) > 0 ? POLLOUT : 0));
}

int
pgqrsi_pipe_backend(const pgqrsi_pipe *pipe)
{
    return pipe->conn != NULL ? pipe->conn->backend : 0;
}

int
pgqrsi_pipe_is_pooled(const pgqrsi_pipe *pipe)
{
    return pipe->conn != NULL && pipe->conn->pooled;
}

size_t
pgqrsi_pipe_pending(const pgqrsi_pipe *pipe)
{
    return (size_t)(pipe->sent - pipe->complete);
}

size_t
pgqrsi_pipe_room(const pgqrsi_pipe *pipe)
{
    if (pipe->state != PGQRSI_PIPE_OPEN)
        return 0;
    return PGQRSI_PIPE_SEGMENTS - 1 - (size_t)(pipe->sent - pipe->taken);
}

/* Adds what was handed to libpq, if it took it. */
static void
add_item(pgqrsi_pipe *pipe, struct pgqrsi_pipe_item item, int sent)
{
    struct pgqrsi_pipe_segment *segment = pgqrsi_pipe_at(pipe, pipe->sent);

    segment->items[segment->item_count++] = item;
    if (!sent)
        pipe->failed = 1;
}

void
pgqrsi_pipe_send(pgqrsi_pipe *pipe, const pgqrsi_statement *statement, const pgqrsi_params *params)
{
    pgqrsi_answer *answer = &pgqrsi_pipe_at(pipe, pipe->sent)->answer;
    struct pgqrsi_pipe_item item = { .name = statement->name, .shape = statement->shape };
    uint64_t victim = 0;
    pgqrsi_run_as run_as;

    if (pipe->conn == NULL || pipe->failed)
        return;
    if (answer->count == PGQRSI_PIPE_STATEMENTS ||
        (params != NULL && (params->bytes.failed || params->failed))) {
        pipe->failed = 1;
        return;
    }
    item.limit = pgqrsi_shape_limit(statement->shape, params);
    run_as = pgqrsi_conn_plan(pipe->conn, statement, &victim);
    if (run_as == PGQRSI_RUN_DROP_PREPARE) {
        item.kind = PGQRSI_ITEM_DROP;
        item.serial = victim;
        add_item(pipe, item, pgqrsi_conn_send_drop(pipe->conn, victim));
    }
    item.serial = statement->serial;
    if (run_as >= PGQRSI_RUN_PREPARE) {
        item.kind = PGQRSI_ITEM_PREPARE;
        add_item(pipe, item, pgqrsi_conn_send_prepare(pipe->conn, statement, params));
    }
    item.kind = PGQRSI_ITEM_STATEMENT;
    add_item(
        pipe, item,
        pgqrsi_conn_send_statement(pipe->conn, statement, params, run_as != PGQRSI_RUN_UNNAMED));
    answer->count++;
}

void
pgqrsi_pipe_sync(pgqrsi_pipe *pipe, void *arg)
{
    pgqrsi_pipe_at(pipe, pipe->sent)->answer.arg = arg;
    if (pipe->conn == NULL)
        return;
    if (!pipe->failed && !PQpipelineSync(pipe->conn->pg))
        pipe->failed = 1;
    pipe->sent++;
    reset(pgqrsi_pipe_at(pipe, pipe->sent));
}

static pgqrs_status
send_probe(pgqrsi_pipe *pipe, pgqrs_error *err)
{
    pgqrsi_params params = PGQRSI_PARAMS_INIT;

    PQsetErrorVerbosity(pipe->conn->pg, PQERRORS_DEFAULT);
    if (PQsetnonblocking(pipe->conn->pg, 1) != 0 || !PQenterPipelineMode(pipe->conn->pg))
        return pgqrsi_error_memory(err);
    pgqrsi_conn_probe_params(pipe->conn, pipe->settings, &params);
    pipe->probing = 1;
    pgqrsi_pipe_send(pipe, pipe->settings->probe, &params);
    pgqrsi_pipe_sync(pipe, NULL);
    pgqrsi_params_release(&params);
    return PGQRS_OK;
}

static pgqrs_status
go_on_connecting(pgqrsi_pipe *pipe, pgqrs_error *err)
{
    if (pgqrsi_clock_ms() >= pipe->connect_by_ms)
        return pgqrsi_error_set(
            err, PGQRS_ETIMEDOUT,
            "cannot connect to the server: it did not answer in time; check the host and "
            "port in the DSN, or raise connection_timeout_seconds");
    if (pipe->probing)
        return PGQRS_OK;
    /* libpq wants to be called when its socket is ready only: otherwise it may block. Not for as
     * long as a server goes on sending: the caller has other things to do. */
    for (int i = 0;
         i < CONNECT_STEPS &&
         pgqrsi_conn_wait(pipe->conn->pg, pipe->polling == PGRES_POLLING_WRITING ? POLLOUT : POLLIN,
                          0) != PGQRSI_WAIT_TIMEOUT;
         i++) {
        pipe->polling = PQconnectPoll(pipe->conn->pg);
        if (pipe->polling == PGRES_POLLING_FAILED)
            return pgqrsi_conn_refused(pipe->conn, err);
        if (pipe->polling == PGRES_POLLING_OK)
            return send_probe(pipe, err);
    }
    return PGQRS_OK;
}

/* The probe has answered. */
static pgqrs_status
end_connecting(pgqrsi_pipe *pipe, pgqrs_error *err)
{
    pgqrsi_answer answer;
    pgqrs_status status;

    pipe->probing = 0;
    if (!pgqrsi_pipe_take(pipe, &answer))
        return PGQRS_OK;
    status = answer.status;
    if (status == PGQRS_OK)
        status = pgqrsi_conn_probed(pipe->conn, answer.rows[0], err);
    else
        pgqrsi_error_move(err, &answer.error);
    pgqrsi_pipe_clear_rows(&answer);
    pgqrsi_error_release(&answer.error);
    if (status == PGQRS_OK)
        pipe->state = PGQRSI_PIPE_OPEN;
    return status;
}

pgqrs_status
pgqrsi_pipe_progress(pgqrsi_pipe *pipe, pgqrs_error *err)
{
    pgqrs_status status = PGQRS_OK;

    if (pipe->state == PGQRSI_PIPE_CLOSED)
        return PGQRS_OK;
    if (pipe->state == PGQRSI_PIPE_CONNECTING)
        status = go_on_connecting(pipe, err);
    if (status == PGQRS_OK && (pipe->state == PGQRSI_PIPE_OPEN || pipe->probing))
        status = pgqrsi_pipe_transfer(pipe, err);
    if (status == PGQRS_OK && pipe->probing && pipe->complete == pipe->sent)
        status = end_connecting(pipe, err);
    if (status != PGQRS_OK)
        pgqrsi_pipe_close(pipe);
    return status;
}

int
pgqrsi_pipe_take(pgqrsi_pipe *pipe, pgqrsi_answer *out)
{
    if (pipe->taken == pipe->complete)
        return 0;
    *out = pgqrsi_pipe_at(pipe, pipe->taken)->answer;
    memset(&pgqrsi_pipe_at(pipe, pipe->taken)->answer, 0, sizeof(*out));
    pipe->taken++;
    return 1;
}

int
pgqrsi_pipe_take_notice(pgqrsi_pipe *pipe, pgqrsi_notice *out)
{
    PGnotify *notify;

    while (pipe->state == PGQRSI_PIPE_OPEN) {
        int is_ours;

        notify = PQnotifies(pipe->conn->pg);
        if (notify == NULL)
            return 0;
        is_ours = strlen(notify->extra) < sizeof(out->payload);
        if (is_ours)
            strcpy(out->payload, notify->extra);
        PQfreemem(notify);
        if (is_ours)
            return 1;
    }
    return 0;
}
