#include "exchange/session.h"

#include "base/clock.h"

/* How long the link that did not fall silent may take to prove that it is alive. */
#define PROBE_MS 2000

static void
listening(pgqrsi_exchange_request *request, pgqrsi_rows **rows)
{
    pgqrsi_exchange *exchange = request->owner;

    (void)rows;
    exchange->is_listening = 1;
}

/* Sends what the links themselves need. */
static void
send_listen(pgqrsi_exchange *exchange)
{
    static const pgqrsi_params none = PGQRSI_PARAMS_INIT;
    const pgqrsi_sending_as as_session = { .traffic = PGQRSI_TRAFFIC_SESSION, .is_apart = 1 };
    pgqrsi_exchange_request *request;

    if (exchange->is_listening || !pgqrsi_exchange_can_hear(exchange) ||
        !pgqrsi_channel_is_quiet(&exchange->claims))
        return;
    request = pgqrsi_exchange_send(
        exchange, &as_session, &(pgqrsi_call){ .sql = PGQRSI_SQL_WAKE_LISTEN, .params = &none });
    if (request == NULL)
        return;
    request->owner = exchange;
    request->answered = listening;
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
