/*
 * Enqueue and finish messages inside your own transaction, on your own libpq connection.
 *
 * Only this header names a libpq type; <pgqrs.h> does not include it. The connection must use the
 * same database as the client. The changes become visible and durable when you commit, and never if
 * you roll back. The library does not commit, prepare or set anything on your connection.
 *
 * One thread at a time per connection. The connection must be idle inside a transaction, and not in
 * pipeline or COPY mode. Each function returns the statuses of its counterpart without `_on`, and
 * PGQRS_EINVAL if no transaction is open, the transaction has failed, or the client encoding is not
 * UTF8. After any failure except PGQRS_EINVAL and PGQRS_ELEASELOST your transaction has failed too:
 * roll back.
 */
#ifndef PGQRS_TRANSACTION_H
#define PGQRS_TRANSACTION_H

#include <pgqrs/consumer.h>
#include <pgqrs/producer.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pg_conn; /* PGconn of <libpq-fe.h> */

/** pgqrs_producer_enqueue in your transaction. */
PGQRS_API pgqrs_status pgqrs_producer_enqueue_on(pgqrs_producer *producer,
                                                 struct pg_conn *connection, pgqrs_slice payload,
                                                 const pgqrs_enqueue_options *options,
                                                 pgqrs_enqueued *out, pgqrs_error *err);

/** Wakes workers that sleep on the producer's queue. Call it after your commit, which the library
 * cannot see; otherwise sleeping workers find the message at their next poll, seconds later.
 * Failures are not reported. Any thread. Blocks at most 1 s, and usually not at all. */
PGQRS_API void pgqrs_producer_wake(pgqrs_producer *producer);

/** pgqrs_consumer_delete in your transaction: other effects of the transaction happen exactly once.
 * On PGQRS_ELEASELOST nothing was changed; roll back, because another consumer has the message. */
PGQRS_API pgqrs_status pgqrs_consumer_delete_on(pgqrs_consumer *consumer,
                                                struct pg_conn *connection, pgqrs_lease lease,
                                                pgqrs_error *err);

/** pgqrs_consumer_archive in your transaction. Otherwise as pgqrs_consumer_delete_on. */
PGQRS_API pgqrs_status pgqrs_consumer_archive_on(pgqrs_consumer *consumer,
                                                 struct pg_conn *connection, pgqrs_lease lease,
                                                 pgqrs_slice result, pgqrs_error *err);

#ifdef __cplusplus
}
#endif
#endif
