/*
 * Session: the links' own requests: to listen for notifications, and to check the other link when
 * one falls silent.
 *
 * The session of the claims' link listens on a channel of its own, which bears the number of its
 * server process: wake-ups that name it come there, and no others. While the worker has work it
 * listens for cancellations too.
 */
#ifndef PGQRSI_EXCHANGE_SESSION_H
#define PGQRSI_EXCHANGE_SESSION_H

#include "exchange/exchange.h"

/** Sends what is wanted: first in a round. */
void pgqrsi_session_send(pgqrsi_exchange *exchange);

#endif
