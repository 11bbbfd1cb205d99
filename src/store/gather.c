#include "store/gather.h"

#include "base/clock.h"
#include "base/error.h"
#include "store/enqueue.h"
#include "store/line.h"
#include "store/producer.h"

/* What one flight takes. */
#define MAX_MEMBERS 256
#define MAX_BYTES ((size_t)4 << 20)

/* A flight waits for another transaction's lock no longer: the caller whose message it is waits alone. */
#define PATIENCE_MS 25

/* One statement; lives on the stack of the caller that leads. */
struct pgqrsi_flight {
    pgqrsi_request *members[MAX_MEMBERS]; /* guarded by pgqrsi_pool_lock; NULL: has left */
    size_t count;
    int is_packed; /* guarded by pgqrsi_pool_lock: the messages are copied, so members may leave */
    int late;      /* guarded by pgqrsi_pool_lock: members that would have left by now */
    /* The leader's: */
    int64_t
        deadline_ms; /* the latest of all members': nobody's time is cut short, and those with less leave */
    int tested;      /* the test whether a worker sleeps over the queue was carried out */
    pgqrsi_outgoing batch;
    pgqrs_slice payloads[MAX_MEMBERS];
    const pgqrs_enqueue_options *options[MAX_MEMBERS];
};

static size_t
size_of(const pgqrsi_outgoing *message)
{
    const pgqrs_enqueue_options *options = pgqrsi_outgoing_options(message, 0);
    size_t size = message->payloads[0].size;

    return options == NULL
               ? size
               : size + options->headers.size + options->type.size + options->idempotency_key.size;
}

/* Takes whom it can from the line, the first ones first, and the one that leads. */
static void
board(pgqrsi_line *line, pgqrsi_request *leader, struct pgqrsi_flight *flight)
{
    pgqrsi_request *request = line->first, *behind;
    size_t bytes = leader->bytes;

    flight->count = 0;
    flight->deadline_ms = leader->deadline_ms;
    flight->is_packed = 0;
    flight->late = 0;
    pgqrsi_line_leave(line, leader);
    for (; request != NULL && flight->count < MAX_MEMBERS - 1; request = behind) {
        behind = request->behind;
        if (request->state != PGQRSI_REQUEST_WAITING || !pgqrsi_line_fit_together(leader, request))
            continue;
        if (bytes + request->bytes > MAX_BYTES)
            break;
        bytes += request->bytes;
        if (request->deadline_ms > flight->deadline_ms)
            flight->deadline_ms = request->deadline_ms;
        pgqrsi_line_leave(line, request);
        request->state = PGQRSI_REQUEST_FLYING;
        request->flight = flight;
        request->index = flight->count;
        flight->members[flight->count++] = request;
    }
    leader->index = flight->count;
    flight->members[flight->count++] = leader;
}

/* Nobody can leave while the messages are copied, but those whose deadline passed meanwhile do so now. */
static void
let_late_ones_go(pgqrsi_pool *pool, struct pgqrsi_flight *flight)
{
    pgqrsi_request *left[MAX_MEMBERS];
    size_t count = 0;

    pgqrsi_pool_lock(pool);
    flight->is_packed = 1;
    for (size_t i = 0; flight->late > 0 && i < flight->count; i++) {
        pgqrsi_request *member = flight->members[i];

        if (member->is_late) {
            member->state = PGQRSI_REQUEST_ABANDONED;
            flight->members[i] = NULL;
            left[count++] = member;
        }
    }
    pgqrsi_pool_unlock(pool);
    for (size_t i = 0; i < count; i++)
        pgqrsi_waiter_post(&left[i]->waiter);
}

/* Sends all members' messages in one statement. */
static pgqrs_status
fly(pgqrsi_request *leader, struct pgqrsi_flight *flight, pgqrsi_rows **out, pgqrs_error *err)
{
    pgqrs_producer *producer = leader->producer;
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    pgqrsi_outgoing *batch = &flight->batch;
    int64_t patience_ms = flight->count > 1 ? PATIENCE_MS : 0;
    pgqrsi_call call;
    pgqrs_status status;

    for (size_t i = 0; i < flight->count; i++) {
        flight->payloads[i] = flight->members[i]->message->payloads[0];
        flight->options[i] = pgqrsi_outgoing_options(flight->members[i]->message, 0);
    }
    *batch =
        (pgqrsi_outgoing){ flight->payloads, flight->options, flight->count, leader->message->has_options };
    pgqrsi_enqueue_pack(producer, batch, patience_ms, &params);
    if (flight->count > 1)
        let_late_ones_go(producer->client->pool, flight);
    call = pgqrsi_enqueue_call(producer, NULL, batch, &params);
    status = pgqrsi_queue_wake_send(producer->client, leader->queue, &call, flight->count,
                                    flight->deadline_ms, out, &flight->tested, err);
    pgqrsi_params_release(&params);
    return status;
}

/* Whether one message may be the reason, so that the others are stored when each is sent by itself. Never
 * when it is not certain that nothing was stored. */
static int
may_be_of_one(pgqrs_status status, const pgqrs_error *err)
{
    if (status == PGQRS_OK || status == PGQRS_EUNKNOWN)
        return 0;
    return status == PGQRS_ENOMEM || pgqrs_error_sqlstate(err)[0] != '\0';
}

/* Writes the flight's outcome into one member. */
static void
inform(pgqrsi_request *member, const pgqrsi_outgoing *batch, const pgqrsi_rows *rows, pgqrs_status status,
       const pgqrs_error *detail)
{
    member->status = status;
    member->state = PGQRSI_REQUEST_LANDED;
    if (status == PGQRS_OK) {
        member->enqueued = pgqrsi_enqueue_result(batch, rows, member->index);
        return;
    }
    if (batch->count > 1 && may_be_of_one(status, detail)) {
        member->state = PGQRSI_REQUEST_ALONE;
        return;
    }
    pgqrsi_error_set(&member->error, status, "%s", pgqrs_error_message(detail));
    pgqrsi_error_set_sqlstate(&member->error, pgqrs_error_sqlstate(detail));
}

/* The outcome is known: tells all members, and first of all the caller that leads the next flight. */
static void
land(pgqrsi_request *leader, struct pgqrsi_flight *flight, const pgqrsi_rows *rows, pgqrs_status status,
     const pgqrs_error *detail)
{
    pgqrsi_pool *pool = leader->producer->client->pool;
    pgqrsi_request *next;

    pgqrsi_pool_lock(pool);
    next = pgqrsi_line_call_next(&leader->queue->line);
    for (size_t i = 0; i < flight->count; i++)
        if (flight->members[i] != NULL)
            inform(flight->members[i], &flight->batch, rows, status, detail);
    pgqrsi_pool_unlock(pool);
    if (next != NULL)
        pgqrsi_waiter_post(&next->waiter);
    for (size_t i = 0; i + 1 < flight->count; i++) /* the last one is the leader */
        if (flight->members[i] != NULL)
            pgqrsi_waiter_post(&flight->members[i]->waiter);
}

/* The caller leads: to be called with the lock, which it gives back. */
static void
lead(pgqrsi_request *leader)
{
    pgqrs_producer *producer = leader->producer;
    struct pgqrsi_flight flight;
    pgqrsi_rows *rows = NULL;
    pgqrs_error detail = PGQRSI_ERROR_INIT;
    pgqrs_status status;

    board(&leader->queue->line, leader, &flight);
    pgqrsi_pool_unlock(producer->client->pool);
    status = fly(leader, &flight, &rows, &detail);
    land(leader, &flight, rows, status, &detail);
    /* Whatever flight leaves next may fail, or wait for a lock, so this one sees to its own commit. */
    if (status == PGQRS_OK && !flight.tested)
        pgqrsi_queue_wake_finish(producer->client, leader->queue, flight.count, flight.deadline_ms);
    pgqrsi_rows_free(rows);
    pgqrsi_error_release(&detail);
}

/* Somebody else takes the runway that was given to this one. To be called with the lock, which it gives
 * back. */
static void
give_way(pgqrsi_request *request)
{
    pgqrsi_line *line = &request->queue->line;
    pgqrsi_request *next;

    pgqrsi_line_leave(line, request);
    next = pgqrsi_line_call_next(line);
    pgqrsi_pool_unlock(request->producer->client->pool);
    if (next != NULL)
        pgqrsi_waiter_post(&next->waiter);
}

/* Nobody will post it any more, so it may be left. */
static pgqrs_status
say_late(pgqrsi_request *request, int was_sent)
{
    const char *queue = request->queue->name;

    if (was_sent)
        return pgqrsi_error_set(
            &request->error, PGQRS_EUNKNOWN,
            "enqueueing to queue \"%s\": the deadline passed after it was sent, so it may "
            "or may not be stored",
            queue);
    return pgqrsi_error_set(
        &request->error, PGQRS_ETIMEDOUT,
        "enqueueing to queue \"%s\": the deadline passed while other threads' messages "
        "were being stored, and it was not sent: try again, or raise operation_timeout_ms",
        queue);
}

/* The deadline passed. Returns 1 if the caller is free to go; 0 if it is sure to be posted at any moment. */
static int
try_to_leave(pgqrsi_request *request)
{
    pgqrsi_pool *pool = request->producer->client->pool;
    int is_free = 0;

    pgqrsi_pool_lock(pool);
    if (request->state == PGQRSI_REQUEST_WAITING) {
        pgqrsi_line_leave(&request->queue->line, request);
        request->status = say_late(request, 0);
        is_free = 1;
    } else if (request->state == PGQRSI_REQUEST_FLYING && request->flight->is_packed) {
        request->flight->members[request->index] = NULL;
        request->status = say_late(request, 1);
        is_free = 1;
    } else if (request->state == PGQRSI_REQUEST_FLYING) {
        request->is_late = 1;
        request->flight->late++;
    }
    pgqrsi_pool_unlock(pool);
    return is_free;
}

/* Waits in line until there is an outcome, leading a flight if told to. */
static void
wait_in_line(pgqrsi_request *request)
{
    if (!pgqrsi_waiter_wait(&request->waiter, request->deadline_ms)) {
        if (try_to_leave(request))
            return;
        pgqrsi_waiter_wait(&request->waiter, PGQRSI_CLOCK_NEVER);
    }
    switch (request->state) {
    case PGQRSI_REQUEST_ABANDONED:
        request->status = say_late(request, 1);
        break;
    case PGQRSI_REQUEST_LEADING:
        pgqrsi_pool_lock(request->producer->client->pool);
        if (pgqrsi_clock_left_ms(request->deadline_ms) > 0) {
            lead(request);
        } else {
            give_way(request);
            request->status = say_late(request, 0);
        }
        break;
    default:
        break;
    }
}

/* The statement was run: what is still to be done for this caller's own message. */
static pgqrs_status
settle(pgqrsi_request *request, pgqrs_enqueued *out, pgqrs_error *err)
{
    pgqrs_status status = PGQRS_OK;

    pgqrsi_enqueue_remember(request->producer, request->message);
    if (out == NULL)
        return PGQRS_OK;
    if (request->enqueued.id == 0)
        status = pgqrsi_enqueue_resolve(request->producer, NULL, request->message, 0, request->deadline_ms,
                                        &request->enqueued, err);
    if (status == PGQRS_OK)
        *out = request->enqueued;
    return status;
}

pgqrs_status
pgqrsi_gather_enqueue(pgqrs_producer *producer, const pgqrsi_outgoing *message, int64_t deadline_ms,
                      pgqrs_enqueued *out, pgqrs_error *err)
{
    pgqrsi_queue *queue = producer->queue;
    pgqrsi_line *line = &queue->line;
    pgqrsi_request request = { .producer = producer,
                               .queue = queue,
                               .message = message,
                               .bytes = size_of(message),
                               .deadline_ms = deadline_ms,
                               .error = PGQRSI_ERROR_INIT };
    pgqrs_status status;

    pgqrsi_pool_lock(producer->client->pool);
    pgqrsi_line_join(line, &request);
    if (line->flights < PGQRSI_MAX_FLIGHTS) {
        line->flights++;
        request.state = PGQRSI_REQUEST_LEADING;
        lead(&request);
    } else {
        request.state = PGQRSI_REQUEST_WAITING;
        pgqrsi_waiter_init(&request.waiter);
        pgqrsi_pool_unlock(producer->client->pool);
        wait_in_line(&request);
        pgqrsi_waiter_release(&request.waiter);
    }
    if (request.state == PGQRSI_REQUEST_ALONE)
        return pgqrsi_enqueue(producer, NULL, message, deadline_ms, out, err);
    if (request.status == PGQRS_OK)
        return settle(&request, out, err);
    status = request.status;
    pgqrsi_error_move(err, &request.error);
    pgqrsi_error_release(&request.error);
    return status;
}
