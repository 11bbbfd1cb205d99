/*
 * Session: what the two links need for themselves: to hear notifications, and a proof that the one is alive
 * when the other fell silent.
 */
#ifndef PGQRSI_EXCHANGE_SESSION_H
#define PGQRSI_EXCHANGE_SESSION_H

#include "exchange/exchange.h"

/** Sends what is wanted: first in a round. */
void pgqrsi_session_send(pgqrsi_exchange *exchange);

#endif
