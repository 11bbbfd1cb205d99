#include "db/pipe.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "db/conn_internal.h"
#include "db/rows_internal.h"

/* What libpq owes us a result for. */
struct item {
    const char *name; /* of the statement, for errors; belongs to its scope */
    enum { STATEMENT, PREPARE, DROP } kind;
    uint64_t serial; /* of what is prepared or dropped */
};

struct segment {
    void *arg;
    size_t item_count; /* each statement is one to three items */
    size_t answered;   /* items with a result */
    struct item items[3 * PGQRSI_PIPE_STATEMENTS];
    pgqrsi_answer answer;
};

struct pgqrsi_pipe {
    const pgqrsi_conn_settings *settings;
    pgqrsi_pipe_state state;
    pgqrsi_conn *conn; /* NULL if CLOSED */
    PostgresPollingStatusType polling;
    int64_t connect_by_ms;
    int failed; /* something could not be sent: see pgqrsi_pipe_progress */
    int probing;
    /* Segments in the order of sending, in a ring: `taken` up to `sent` are under way or not taken yet, those
     * below `complete` have their answers, and the one at `sent` is being made. */
    uint64_t taken, complete, sent;
    struct segment segments[PGQRSI_PIPE_SEGMENTS];
};

static struct segment *
at(pgqrsi_pipe *pipe, uint64_t number)
{
    return &pipe->segments[number % PGQRSI_PIPE_SEGMENTS];
}

static void
clear_rows(pgqrsi_answer *answer)
{
    for (size_t i = 0; i < answer->count; i++) {
        pgqrsi_rows_free(answer->rows[i]);
        answer->rows[i] = NULL;
    }
}

static void
reset(struct segment *segment)
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

static void
drop_answers(pgqrsi_pipe *pipe)
{
    for (uint64_t i = pipe->taken; i <= pipe->sent; i++) {
        clear_rows(&at(pipe, i)->answer);
        pgqrsi_error_release(&at(pipe, i)->answer.error);
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
    drop_answers(pipe);
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
    reset(at(pipe, pipe->sent));
    return PGQRS_OK;
}

/* The only place where the state becomes CLOSED. What was being made is dropped, what is under way is
 * answered. */
void
pgqrsi_pipe_close(pgqrsi_pipe *pipe)
{
    if (pipe->state == PGQRSI_PIPE_CLOSED)
        return;
    pgqrsi_conn_close(pipe->conn);
    pipe->conn = NULL;
    pipe->state = PGQRSI_PIPE_CLOSED;
    for (uint64_t i = pipe->complete; i < pipe->sent; i++)
        pgqrsi_error_release(&at(pipe, i)->answer.error); /* of one that was answered in part */
    if (pipe->probing)
        pipe->complete = pipe->taken = pipe->sent;
    pipe->probing = 0;
    for (; pipe->complete < pipe->sent; pipe->complete++) {
        struct segment *segment = at(pipe, pipe->complete);

        clear_rows(&segment->answer);
        segment->answer.status = pgqrsi_error_set(
            &segment->answer.error, PGQRS_EUNKNOWN,
            "%s: the connection was lost after it was sent, so it may or may not have been carried out",
            segment->item_count > 0 ? segment->items[0].name : "");
    }
    clear_rows(&at(pipe, pipe->sent)->answer);
    reset(at(pipe, pipe->sent));
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
    return pipe->conn != NULL ? PQbackendPID(pipe->conn->pg) : 0;
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
add_item(pgqrsi_pipe *pipe, struct item item, int sent)
{
    struct segment *segment = at(pipe, pipe->sent);

    segment->items[segment->item_count++] = item;
    if (!sent)
        pipe->failed = 1;
}

void
pgqrsi_pipe_send(pgqrsi_pipe *pipe, const pgqrsi_statement *statement, const pgqrsi_params *params)
{
    pgqrsi_answer *answer = &at(pipe, pipe->sent)->answer;
    uint64_t victim = 0;
    pgqrsi_run_as run_as;

    if (pipe->conn == NULL || pipe->failed)
        return;
    if (answer->count == PGQRSI_PIPE_STATEMENTS ||
        (params != NULL && (params->bytes.failed || params->failed))) {
        pipe->failed = 1;
        return;
    }
    run_as = pgqrsi_conn_plan(pipe->conn, statement, &victim);
    if (run_as == PGQRSI_RUN_DROP_PREPARE)
        add_item(pipe, (struct item){ statement->name, DROP, victim },
                 pgqrsi_conn_send_drop(pipe->conn, victim));
    if (run_as >= PGQRSI_RUN_PREPARE)
        add_item(pipe, (struct item){ statement->name, PREPARE, statement->serial },
                 pgqrsi_conn_send_prepare(pipe->conn, statement, params));
    add_item(pipe, (struct item){ statement->name, STATEMENT, statement->serial },
             pgqrsi_conn_send_statement(pipe->conn, statement, params, run_as != PGQRSI_RUN_UNNAMED));
    answer->count++;
}

void
pgqrsi_pipe_sync(pgqrsi_pipe *pipe, void *arg)
{
    at(pipe, pipe->sent)->answer.arg = arg;
    if (pipe->conn == NULL)
        return;
    if (!pipe->failed && !PQpipelineSync(pipe->conn->pg))
        pipe->failed = 1;
    pipe->sent++;
    reset(at(pipe, pipe->sent));
}

/* One result of the oldest segment that is not complete. The first failure of a segment is its failure: what
 * follows in it was not carried out. */
static void
take_result(pgqrsi_pipe *pipe, PGresult *result)
{
    struct segment *segment = at(pipe, pipe->complete);
    pgqrsi_answer *answer = &segment->answer;
    const struct item *item = &segment->items[segment->answered];
    ExecStatusType kind = PQresultStatus(result);
    int is_ok = kind == PGRES_COMMAND_OK || kind == PGRES_TUPLES_OK;

    if (segment->answered == segment->item_count)
        item = NULL; /* the commit failed */
    else
        segment->answered++;
    if (item != NULL && item->kind != STATEMENT) {
        pgqrsi_prepared_settle(pipe->conn->prepared, item->serial, is_ok);
    } else if (item != NULL && is_ok) {
        size_t place = 0;

        for (size_t i = 0; i + 1 < segment->answered; i++)
            place += segment->items[i].kind == STATEMENT;
        answer->rows[place] = (pgqrsi_rows *)result;
        return;
    }
    if (!is_ok && kind != PGRES_PIPELINE_ABORTED && answer->status == PGQRS_OK) {
        const char *name = segment->item_count == 0 ? "" : item != NULL ? item->name : segment->items[0].name;

        if (pgqrsi_conn_ends_session(result) || !pgqrsi_conn_is_of_server(result))
            answer->status =
                pgqrsi_conn_lost(pipe->conn, name, "the server ended the session", &answer->error);
        else
            answer->status = pgqrsi_conn_server_error(name, result, &answer->error);
    }
    PQclear(result);
}

static void
complete(pgqrsi_pipe *pipe)
{
    struct segment *segment = at(pipe, pipe->complete);
    pgqrsi_answer *answer = &segment->answer;

    if (answer->status == PGQRS_OK && pipe->conn->sync_cancelled)
        answer->status = pgqrsi_error_set(
            &answer->error, PGQRS_EUNKNOWN,
            "%s: the server stopped waiting for its standby: it is stored on the primary, but "
            "perhaps nowhere else",
            segment->item_count > 0 ? segment->items[0].name : "");
    pipe->conn->sync_cancelled = 0;
    if (answer->status != PGQRS_OK)
        clear_rows(answer);
    pipe->complete++;
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
        return pgqrsi_error_set(err, PGQRS_ETIMEDOUT,
                                "cannot connect to the server: it did not answer in time; check the host and "
                                "port in the DSN, or raise connection_timeout_seconds");
    if (pipe->probing)
        return PGQRS_OK;
    /* libpq wants to be called when its socket is ready only: otherwise it may block. */
    while (pgqrsi_conn_wait(pipe->conn->pg, pipe->polling == PGRES_POLLING_WRITING ? POLLOUT : POLLIN, 0) !=
           PGQRSI_WAIT_TIMEOUT) {
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
    clear_rows(&answer);
    pgqrsi_error_release(&answer.error);
    if (status == PGQRS_OK)
        pipe->state = PGQRSI_PIPE_OPEN;
    return status;
}

/* Writes and reads what can be without waiting. */
static pgqrs_status
transfer(pgqrsi_pipe *pipe, pgqrs_error *err)
{
    PGconn *pg = pipe->conn->pg;
    int is_alive;

    if (pipe->failed || PQflush(pg) < 0)
        return pgqrsi_error_set(err, PGQRS_ECONNECT,
                                "the connection to the server was lost while sending, or memory is short");
    is_alive = PQconsumeInput(pg);
    take_results(pipe);
    if (!is_alive || PQstatus(pg) != CONNECTION_OK || pipe->conn->broken)
        return pgqrsi_error_set(err, PGQRS_ECONNECT, "the connection to the server was lost");
    return PGQRS_OK;
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
        status = transfer(pipe, err);
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
    *out = at(pipe, pipe->taken)->answer;
    memset(&at(pipe, pipe->taken)->answer, 0, sizeof(*out));
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

/* Until all answers are there, or the deadline has passed. */
static pgqrs_status
await_answers(pgqrsi_pipe *pipe, const char *name, int64_t deadline_ms, pgqrs_error *err)
{
    while (pipe->complete < pipe->sent) {
        pgqrs_status status = transfer(pipe, NULL);

        if (status != PGQRS_OK)
            return pgqrsi_conn_lost(pipe->conn, name, "the connection was lost", err);
        if (pipe->complete == pipe->sent)
            break;
        if (pgqrsi_conn_wait(pipe->conn->pg, pgqrsi_pipe_events(pipe), deadline_ms) == PGQRSI_WAIT_TIMEOUT)
            return pgqrsi_conn_lost(pipe->conn, name, "the deadline passed", err);
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
        clear_rows(&answer);
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
        if (sendings[i].out_status != NULL)
            *sendings[i].out_status = answer.status;
        clear_rows(&answer);
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
    drop_answers(pipe);
    free(pipe);
    return status;
}
