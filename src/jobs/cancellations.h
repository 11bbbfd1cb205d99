/*
 * Cancellations: a notification says that a message was cancelled or deleted. Every role can send
 * one. The worker therefore asks the server whether the message is gone before it tells the
 * handler, and limits how often it asks.
 */
#ifndef PGQRSI_JOBS_CANCELLATIONS_H
#define PGQRSI_JOBS_CANCELLATIONS_H

#include "exchange/exchange.h"
#include "jobs/leases.h"

/** Somebody says that this message of the queue was cancelled. */
void pgqrsi_cancellations_heard(pgqrsi_holding *holding, int64_t id);

/** Looks whether it is so; those that were cancelled are taken away from their handlers. */
void pgqrsi_cancellations_send(pgqrsi_holdings *all, pgqrsi_exchange *exchange, int64_t now_ms);

/** When there is something to look at that can be asked for. */
int64_t pgqrsi_cancellations_due_ms(const pgqrsi_holdings *all, pgqrsi_exchange *exchange);

#endif
