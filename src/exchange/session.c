#include "exchange/session.h"

#include "base/clock.h"

/* How long the link that did not fall silent may take to prove that it is alive. */
#define PROBE_MS 2000

/* A worker without work stops listening for cancellations after so long: messages that arrive one
 * at a time do not make it begin and end each time. */
#define CANCELLATIONS_MS 1000

static void
listening(pgqrsi_exchange_request *request, pgqrsi_rows **rows)
{
    pgqrsi_exchange *exchange = request->owner;

    (void)rows;
    exchange->is_listening = 1;
}

static void
hears_cancellations(pgqrsi_exchange_request *request, pgqrsi_rows **rows)
{
    pgqrsi_exchange *exchange = request->owner;

    (void)rows;
    exchange->hears_cancellations = 1;
}

static void
hears_none(pgqrsi_exchange_request *request, pgqrsi_rows **rows)
{
    pgqrsi_exchange *exchange = request->owner;

    (void)rows;
    exchange->hears_cancellations = 0;
}

static void
send_to_session(pgqrsi_exchange *exchange, pgqrsi_sql sql, pgqrsi_answered answered)
{
    static const pgqrsi_params none = PGQRSI_PARAMS_INIT;
    const pgqrsi_sending_as as_session = { .traffic = PGQRSI_TRAFFIC_SESSION, .is_apart = 1 };
    const pgqrsi_call call = { .scope = &exchange->session, .sql = sql, .params = &none };
    pgqrsi_exchange_request *request = pgqrsi_exchange_send(exchange, &as_session, &call);

    if (request == NULL)
        return;
    request->owner = exchange;
    request->answered = answered;
}

/* Its channel bears the session's number, so its statements are made anew for each session. */
static void
listen_for_wake_ups(pgqrsi_exchange *exchange)
{
    pgqrsi_scope *session = &exchange->session;

    if (exchange->is_listening)
        return;
    pgqrsi_scope_release(session);
    pgqrsi_scope_init(session, exchange->client->scope.schema, &exchange->client->next_serial);
    session->backend = pgqrsi_pipe_backend(exchange->claims.link.pipe);
    send_to_session(exchange, PGQRSI_SQL_WAKE_LISTEN, listening);
}

/* It listens before the first claim is sent in the same round, so that no cancellation of what is
 * claimed is missed. It stops together with what else is sent: that alone wakes no worker. */
static void
listen_for_cancellations(pgqrsi_exchange *exchange)
{
    int64_t now_ms = pgqrsi_clock_boot_ms();

    if (exchange->has_work)
        exchange->worked_ms = now_ms;
    if (exchange->has_work && !exchange->hears_cancellations)
        send_to_session(exchange, PGQRSI_SQL_CANCELLATION_LISTEN, hears_cancellations);
    if (exchange->hears_cancellations && now_ms - exchange->worked_ms >= CANCELLATIONS_MS)
        send_to_session(exchange, PGQRSI_SQL_CANCELLATION_UNLISTEN, hears_none);
}

/* Before anything else is sent over a new session: a worker that is known to sleep must hear. */
static void
send_listen(pgqrsi_exchange *exchange)
{
    if (!pgqrsi_exchange_can_hear(exchange) || !pgqrsi_channel_is_quiet(&exchange->claims))
        return;
    listen_for_wake_ups(exchange);
    listen_for_cancellations(exchange);
}

/* One link fell silent: the other one is asked at once whether it is alive, and by a nearer
 * deadline. */
static void
send_probe(pgqrsi_exchange *exchange, pgqrsi_channel *channel)
{
    const pgqrsi_sending_as as_probe = { .traffic = channel == &exchange->claims
                                                        ? PGQRSI_TRAFFIC_CLAIM
                                                        : PGQRSI_TRAFFIC_REPORT,
                                         .is_apart = 1,
                                         .patience_ms = PROBE_MS };
    int64_t deadline_ms = pgqrsi_clock_boot_ms() + PROBE_MS;
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    pgqrsi_exchange_request *request;

    if (!pgqrsi_link_is_open(&channel->link))
        return;
    if (!pgqrsi_channel_is_quiet(channel)) {
        if (channel->slow == 0 && deadline_ms < channel->link.deadline_ms)
            channel->link.deadline_ms = deadline_ms;
        return;
    }
    pgqrsi_params_add_int(&params, 0);
    request = pgqrsi_exchange_send(exchange, &as_probe,
                                   &(pgqrsi_call){ .sql = PGQRSI_SQL_WAKE_KEY, .params = &params });
    pgqrsi_params_release(&params);
    if (request == NULL)
        return;
}

void
pgqrsi_session_send(pgqrsi_exchange *exchange)
{
    if (exchange->wants_probe) {
        exchange->wants_probe = 0;
        send_probe(exchange, &exchange->claims);
        send_probe(exchange, &exchange->reports);
    }
    send_listen(exchange);
}
