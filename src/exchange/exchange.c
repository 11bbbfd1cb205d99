#include "exchange/exchange.h"

#include <string.h>

#include "base/clock.h"
#include "base/error.h"

#define NEVER PGQRSI_CLOCK_NEVER

/* How long an answer is waited for, if the sender does not say. */
#define PATIENCE_MS 2000

/* Twice the longest pause between two attempts to connect, since those who were cut off together do
 * not come back together. No longer, since a sweep also finds what was committed late. */
#define HOLD_OFF_MS 10000

/* Transactions that each traffic leaves free for those after it. */
static const size_t kept_free[PGQRSI_TRAFFIC_COUNT] = {
    [PGQRSI_TRAFFIC_HEARTBEAT] = 6, [PGQRSI_TRAFFIC_REPORT] = 5, [PGQRSI_TRAFFIC_SESSION] = 3,
    [PGQRSI_TRAFFIC_CLAIM] = 2,     [PGQRSI_TRAFFIC_LOOK] = 1,   [PGQRSI_TRAFFIC_UPKEEP] = 0,
};

/* Statements that share a transaction, at most: claims and looks are short, and the first answer is
 * not to wait for many others. */
static const size_t shared_max[PGQRSI_TRAFFIC_COUNT] = {
    [PGQRSI_TRAFFIC_HEARTBEAT] = PGQRSI_PIPE_STATEMENTS - 1,
    [PGQRSI_TRAFFIC_REPORT] = PGQRSI_PIPE_STATEMENTS - 1,
    [PGQRSI_TRAFFIC_SESSION] = 1,
    [PGQRSI_TRAFFIC_CLAIM] = 8,
    [PGQRSI_TRAFFIC_LOOK] = 16,
    [PGQRSI_TRAFFIC_UPKEEP] = 1,
};

pgqrs_status
pgqrsi_exchange_init(pgqrsi_exchange *exchange, pgqrs_client *client, const pgqrsi_events *events,
                     int epoll_fd, pgqrs_error *err)
{
    pgqrs_status status;

    exchange->client = client;
    exchange->events = events;
    pgqrsi_scope_init(&exchange->session, client->scope.schema, &client->next_serial);
    status = pgqrsi_link_new(&exchange->claims.link, &client->settings, epoll_fd, err);
    if (status == PGQRS_OK)
        status = pgqrsi_link_new(&exchange->reports.link, &client->settings, epoll_fd, err);
    return status;
}

void
pgqrsi_exchange_release(pgqrsi_exchange *exchange)
{
    if (exchange->claims.link.pipe != NULL)
        pgqrsi_link_free(&exchange->claims.link);
    if (exchange->reports.link.pipe != NULL)
        pgqrsi_link_free(&exchange->reports.link);
    pgqrsi_scope_release(&exchange->session);
}

int
pgqrsi_exchange_is_open(const pgqrsi_exchange *exchange)
{
    return pgqrsi_link_is_open(&exchange->claims.link) ||
           pgqrsi_link_is_open(&exchange->reports.link);
}

int
pgqrsi_exchange_is_quiet(const pgqrsi_exchange *exchange)
{
    return pgqrsi_pipe_pending(exchange->claims.link.pipe) == 0 &&
           pgqrsi_pipe_pending(exchange->reports.link.pipe) == 0;
}

int
pgqrsi_exchange_can_hear(const pgqrsi_exchange *exchange)
{
    return pgqrsi_link_is_open(&exchange->claims.link) &&
           !pgqrsi_pipe_is_pooled(exchange->claims.link.pipe);
}

int64_t
pgqrsi_exchange_hold_off_ms(const pgqrsi_exchange *exchange)
{
    return exchange->lost_ms == 0 ? 0 : exchange->opened_ms + HOLD_OFF_MS;
}

int
pgqrsi_channel_is_quiet(const pgqrsi_channel *channel)
{
    return pgqrsi_link_is_open(&channel->link) && pgqrsi_pipe_pending(channel->link.pipe) == 0;
}

static int
may_send(const pgqrsi_channel *channel)
{
    return channel->is_sending || pgqrsi_channel_is_quiet(channel);
}

/* The link for a request of this kind, or NULL if it has to wait. */
static pgqrsi_channel *
choose(pgqrsi_exchange *exchange, const pgqrsi_sending_as *as)
{
    int is_of_reports = as->traffic == PGQRSI_TRAFFIC_HEARTBEAT ||
                        as->traffic == PGQRSI_TRAFFIC_REPORT ||
                        as->traffic == PGQRSI_TRAFFIC_UPKEEP || as->is_slow;
    pgqrsi_channel *own = is_of_reports ? &exchange->reports : &exchange->claims;
    pgqrsi_channel *other = is_of_reports ? &exchange->claims : &exchange->reports;

    if (as->traffic == PGQRSI_TRAFFIC_SESSION)
        return may_send(&exchange->claims) ? &exchange->claims : NULL;
    if (as->is_slow && exchange->claims.slow + exchange->reports.slow > 0)
        return NULL;
    if (may_send(own) && own->slow == 0)
        return own;
    if (!may_send(other) || other->slow > 0)
        return NULL;
    if (pgqrsi_link_is_away(&own->link) ||
        (!as->is_slow && (own->slow > 0 || as->traffic == PGQRSI_TRAFFIC_HEARTBEAT)))
        return other;
    return NULL;
}

static int
can_join(const pgqrsi_channel *channel, const pgqrsi_sending_as *as)
{
    const pgqrsi_segment *segment = channel->filling;

    return segment != NULL && !as->is_apart && !as->is_slow && segment->traffic == as->traffic &&
           segment->count < shared_max[as->traffic];
}

int
pgqrsi_exchange_has_room(pgqrsi_exchange *exchange, const pgqrsi_sending_as *as)
{
    pgqrsi_channel *channel = choose(exchange, as);

    if (channel == NULL)
        return 0;
    return can_join(channel, as) || pgqrsi_pipe_room(channel->link.pipe) >
                                        kept_free[as->traffic] + (channel->filling != NULL);
}

/* Ends the transaction that is being made. */
static void
close_segment(pgqrsi_exchange *exchange, pgqrsi_channel *channel)
{
    pgqrsi_segment *segment = channel->filling;
    int64_t timeout_ms = exchange->client->settings.operation_timeout_ms;
    int64_t patience_ms = segment->patience_ms;
    int64_t deadline_ms;

    /* A server that is slow and not away is asked more patiently each time. */
    for (int i = 0; i < channel->link.timeouts && patience_ms < timeout_ms; i++)
        patience_ms *= 2;
    deadline_ms = pgqrsi_clock_boot_ms() + (patience_ms < timeout_ms ? patience_ms : timeout_ms);
    pgqrsi_pipe_sync(channel->link.pipe, segment);
    if (channel->link.deadline_ms == NEVER || deadline_ms > channel->link.deadline_ms)
        channel->link.deadline_ms = deadline_ms;
    if (channel->began_us == 0) {
        channel->began_us = pgqrsi_clock_us();
        exchange->round_trips++;
    }
    channel->slow += segment->is_slow;
    channel->filling = NULL;
}

static void
bound_locks(pgqrsi_exchange *exchange, pgqrsi_channel *channel, pgqrsi_segment *segment,
            int64_t lock_ms)
{
    const pgqrsi_statement *statement = NULL;
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    const pgqrsi_call call = { .sql = PGQRSI_SQL_CONNECTION_LOCK_PATIENCE, .params = &params };

    pgqrsi_params_add_int(&params, lock_ms);
    if (pgqrsi_client_statement(exchange->client, &call, &statement, NULL) == PGQRS_OK) {
        pgqrsi_pipe_send(channel->link.pipe, statement, &params);
        segment->before = 1;
    }
    pgqrsi_params_release(&params);
}

static pgqrsi_segment *
open_segment(pgqrsi_exchange *exchange, pgqrsi_channel *channel, const pgqrsi_sending_as *as)
{
    for (size_t i = 0; i < PGQRSI_PIPE_SEGMENTS; i++) {
        pgqrsi_segment *segment = &channel->segments[i];

        if (segment->is_used)
            continue;
        segment->is_used = 1;
        segment->is_slow = as->is_slow;
        segment->traffic = as->traffic;
        segment->count = segment->before = 0;
        segment->patience_ms = 0;
        if (as->lock_ms > 0)
            bound_locks(exchange, channel, segment, as->lock_ms);
        return segment;
    }
    return NULL;
}

/* What may take long has as much time as an operation; the rest is answered at once by a server
 * that is there, and what is sent with it is not to wait for longer. */
static int64_t
patience_of(const pgqrsi_exchange *exchange, pgqrsi_traffic traffic)
{
    int64_t timeout_ms = exchange->client->settings.operation_timeout_ms;

    return traffic == PGQRSI_TRAFFIC_UPKEEP || timeout_ms < PATIENCE_MS ? timeout_ms : PATIENCE_MS;
}

static void
ignore_answer(pgqrsi_exchange_request *request, pgqrsi_rows **rows)
{
    (void)request;
    (void)rows;
}

static void
ignore_failure(pgqrsi_exchange_request *request, const pgqrsi_refusal *refusal)
{
    (void)request;
    (void)refusal;
}

pgqrsi_exchange_request *
pgqrsi_exchange_send(pgqrsi_exchange *exchange, const pgqrsi_sending_as *as,
                     const pgqrsi_call *call)
{
    int64_t patience_ms =
        as->patience_ms > 0 ? as->patience_ms : patience_of(exchange, as->traffic);
    pgqrsi_channel *channel = choose(exchange, as);
    const pgqrsi_statement *statement = NULL;
    pgqrsi_exchange_request *request;

    if (!pgqrsi_exchange_has_room(exchange, as) || call->params->bytes.failed ||
        pgqrsi_client_statement(exchange->client, call, &statement, NULL) != PGQRS_OK)
        return NULL;
    if (!can_join(channel, as)) {
        if (channel->filling != NULL)
            close_segment(exchange, channel);
        channel->filling = open_segment(exchange, channel, as);
        if (channel->filling == NULL)
            return NULL;
    }
    channel->is_sending = 1;
    pgqrsi_pipe_send(channel->link.pipe, statement, call->params);
    if (patience_ms > channel->filling->patience_ms)
        channel->filling->patience_ms = patience_ms;
    request = &channel->filling->requests[channel->filling->count++];
    *request =
        (pgqrsi_exchange_request){ .answered = ignore_answer,
                                   .failed = ignore_failure,
                                   .sent_ms = pgqrsi_clock_boot_ms(),
                                   .scope = call->scope,
                                   .name = call->scope != NULL ? call->scope->queue_name : NULL };
    if (as->is_apart || as->is_slow)
        close_segment(exchange, channel);
    return request;
}

void
pgqrsi_exchange_begin(pgqrsi_exchange *exchange)
{
    exchange->claims.is_sending = pgqrsi_channel_is_quiet(&exchange->claims);
    exchange->reports.is_sending = pgqrsi_channel_is_quiet(&exchange->reports);
}

void
pgqrsi_exchange_end(pgqrsi_exchange *exchange)
{
    if (exchange->claims.filling != NULL)
        close_segment(exchange, &exchange->claims);
    if (exchange->reports.filling != NULL)
        close_segment(exchange, &exchange->reports);
    exchange->claims.is_sending = exchange->reports.is_sending = 0;
}

/* One failure for all requests of a transaction. */
static void
fail_request(pgqrsi_exchange_request *request, pgqrsi_answer *answer, int is_shared)
{
    const pgqrsi_call call = { .scope = request->scope };
    const pgqrsi_statement name = { .name = (char *)(uintptr_t)request->name };
    pgqrs_error error = PGQRSI_ERROR_INIT;
    pgqrsi_refusal refusal = { .is_shared = is_shared };
    char sqlstate[6];

    strcpy(sqlstate, pgqrs_error_sqlstate(&answer->error));
    pgqrsi_error_set(&error, answer->status, "%s", pgqrs_error_message(&answer->error));
    pgqrsi_error_set_sqlstate(&error, sqlstate);
    refusal.status = pgqrsi_client_explain(&call, &name, answer->status, &error);
    refusal.message = pgqrs_error_message(&error);
    refusal.sqlstate = sqlstate;
    request->failed(request, &refusal);
    pgqrsi_error_release(&error);
}

static void
take_answer(pgqrsi_channel *channel, pgqrsi_answer *answer)
{
    pgqrsi_segment *segment = answer->arg;

    channel->slow -= segment->is_slow;
    for (size_t i = 0; i < segment->count; i++) {
        pgqrsi_exchange_request *request = &segment->requests[i];

        if (answer->status == PGQRS_OK)
            request->answered(request, &answer->rows[segment->before + i]);
        else
            fail_request(request, answer, segment->count > 1);
    }
    for (size_t i = 0; i < answer->count; i++)
        pgqrsi_rows_free(answer->rows[i]);
    segment->is_used = 0;
    pgqrsi_error_release(&answer->error);
}

static void
take_answers(pgqrsi_channel *channel)
{
    int64_t cycle_us;
    pgqrsi_answer answer;

    while (pgqrsi_pipe_take(channel->link.pipe, &answer))
        take_answer(channel, &answer);
    if (channel->began_us == 0 || pgqrsi_pipe_pending(channel->link.pipe) > 0)
        return;
    cycle_us = pgqrsi_clock_us() - channel->began_us;
    channel->cycle_us += ((double)cycle_us - channel->cycle_us) / 8;
    channel->began_us = 0;
}

/* The session is gone, and with it what belongs to it. */
static void
lost(pgqrsi_exchange *exchange, const pgqrsi_channel *channel)
{
    exchange->lost_ms = pgqrsi_clock_boot_ms();
    if (channel != &exchange->claims)
        return;
    exchange->is_listening = exchange->hears_cancellations = 0;
    exchange->sessions++;
}

/* The server is away, or only one of the two links could not be made. */
static void
tell_loss(pgqrsi_exchange *exchange, pgqrsi_link_change change, pgqrs_status status,
          const char *why)
{
    if (!pgqrsi_exchange_is_open(exchange)) {
        exchange->is_cut = 1;
        pgqrsi_events_trouble(exchange->events, &exchange->trouble, PGQRS_EVENT_DISCONNECTED,
                              status, why);
    } else if (change == PGQRSI_LINK_REFUSED) {
        pgqrs_error error = PGQRSI_ERROR_INIT;

        pgqrsi_error_set(&error, status,
                         "the second connection could not be made, so that all goes over one: %s",
                         why);
        pgqrsi_events_trouble(exchange->events, &exchange->trouble, PGQRS_EVENT_TROUBLE, status,
                              pgqrs_error_message(&error));
        pgqrsi_error_release(&error);
    }
}

static void
tell_opened(pgqrsi_exchange *exchange)
{
    exchange->opened_ms = pgqrsi_clock_boot_ms();
    if (exchange->is_cut)
        pgqrsi_events_tell(exchange->events, PGQRS_EVENT_CONNECTED, NULL, PGQRS_OK, "");
    if (exchange->is_cut || (pgqrsi_link_is_open(&exchange->claims.link) &&
                             pgqrsi_link_is_open(&exchange->reports.link)))
        pgqrsi_events_resolved(&exchange->trouble);
    exchange->is_cut = 0;
}

static void
progress(pgqrsi_exchange *exchange, pgqrsi_channel *channel)
{
    pgqrs_error error = PGQRSI_ERROR_INIT;
    pgqrs_status status = PGQRS_OK;
    pgqrsi_link_change change = pgqrsi_link_progress(&channel->link, &status, &error);

    if (change == PGQRSI_LINK_SILENT)
        exchange->wants_probe = 1;
    if (change == PGQRSI_LINK_LOST || change == PGQRSI_LINK_SILENT)
        lost(exchange, channel);
    if (change == PGQRSI_LINK_OPENED)
        tell_opened(exchange);
    else if (change != PGQRSI_LINK_SAME)
        tell_loss(exchange, change, status, pgqrs_error_message(&error));
    pgqrsi_error_release(&error);
    take_answers(channel);
}

void
pgqrsi_exchange_progress(pgqrsi_exchange *exchange)
{
    progress(exchange, &exchange->claims);
    progress(exchange, &exchange->reports);
}

void
pgqrsi_exchange_close(pgqrsi_exchange *exchange)
{
    pgqrsi_link_close(&exchange->claims.link);
    pgqrsi_link_close(&exchange->reports.link);
    take_answers(&exchange->claims);
    take_answers(&exchange->reports);
}

void
pgqrsi_exchange_register(pgqrsi_exchange *exchange)
{
    pgqrsi_link_register(&exchange->claims.link);
    pgqrsi_link_register(&exchange->reports.link);
}

int64_t
pgqrsi_exchange_due_ms(const pgqrsi_exchange *exchange)
{
    int64_t a = pgqrsi_link_due_ms(&exchange->claims.link),
            b = pgqrsi_link_due_ms(&exchange->reports.link);

    if (exchange->wants_probe || (!exchange->is_listening && pgqrsi_exchange_can_hear(exchange) &&
                                  pgqrsi_channel_is_quiet(&exchange->claims)))
        return 0;
    return a < b ? a : b;
}
