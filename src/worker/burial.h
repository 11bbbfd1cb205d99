/*
 * Burial: the worker claims a message that the server cannot send without reading it, asks for it
 * again, and fails it with the server's reason. Other messages go on. If the claim got a different
 * message, the worker releases it.
 */
#ifndef PGQRSI_WORKER_BURIAL_H
#define PGQRSI_WORKER_BURIAL_H

#include "exchange/exchange.h"
#include "worker/queues.h"

/** The server refused a claim because of the one message that was asked for: the next claim is
 * blind. */
void pgqrsi_burial_want(pgqrsi_work_queue *queue);

/** The blind claim was answered. */
void pgqrsi_burial_claimed(pgqrsi_work_queue *queue, const pgqrsi_rows *rows);

/** Deals with such messages. */
void pgqrsi_burial_send(const pgqrsi_queues *queues, pgqrsi_exchange *exchange, int64_t now_ms);
int64_t pgqrsi_burial_due_ms(const pgqrsi_queues *queues, pgqrsi_exchange *exchange);

#endif
