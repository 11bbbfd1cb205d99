/*
 * pgqrs: PostgreSQL queues, requests, subscriptions.
 *
 * A first program:
 *
 *     pgqrs_client_open_dsn                          one client a process
 *     pgqrs_producer_open, pgqrs_producer_enqueue    enqueue messages
 *     pgqrs_worker_new, pgqrs_worker_add_queue,      run a handler for each message
 *         pgqrs_worker_handle, pgqrs_worker_start
 *     pgqrs_consumer_open, pgqrs_consumer_dequeue,   or claim them by hand
 *         pgqrs_consumer_archive
 *
 * One header for each noun, simple functions first. This header includes all but
 * <pgqrs/transaction.h>, which is for work inside your own transaction.
 */
#ifndef PGQRS_H
#define PGQRS_H

#include <pgqrs/admin.h>
#include <pgqrs/archive.h>
#include <pgqrs/client.h>
#include <pgqrs/config.h>
#include <pgqrs/consumer.h>
#include <pgqrs/error.h>
#include <pgqrs/event.h>
#include <pgqrs/job.h>
#include <pgqrs/message.h>
#include <pgqrs/metrics.h>
#include <pgqrs/producer.h>
#include <pgqrs/queue.h>
#include <pgqrs/registration.h>
#include <pgqrs/replay.h>
#include <pgqrs/slice.h>
#include <pgqrs/status.h>
#include <pgqrs/version.h>
#include <pgqrs/worker.h>

#endif
