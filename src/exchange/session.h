/*
 * Session: the links' own requests: to listen for notifications, and to check the other link when
 * one falls silent.
 */
#ifndef PGQRSI_EXCHANGE_SESSION_H
#define PGQRSI_EXCHANGE_SESSION_H

#include "exchange/exchange.h"

/** Sends what is wanted: first in a round. */
void pgqrsi_session_send(pgqrsi_exchange *exchange);

#endif
