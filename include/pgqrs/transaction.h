/*
 * Enqueue and finish inside a transaction of your own, on your own libpq connection.
 *
 * This is the one header that names a type of libpq; <pgqrs.h> does not include it. The connection must reach
 * the same database as the client. What is done here becomes visible, and durable, when you commit, and never
 * if you roll back. Nothing is committed, prepared or set on your connection.
 *
 * One thread at a time for each connection; it must be idle in a transaction and not in pipeline or COPY
 * mode. The statuses are those of the functions without `_on`, plus PGQRS_EINVAL when no transaction is open,
 * it has failed already, or the client encoding of the connection is not UTF8. After any failure but
 * PGQRS_EINVAL and PGQRS_ELEASELOST your transaction is in failure as well: roll back.
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
PGQRS_API pgqrs_status pgqrs_producer_enqueue_on(pgqrs_producer *producer, struct pg_conn *connection,
                                                 pgqrs_slice payload, const pgqrs_enqueue_options *options,
                                                 pgqrs_enqueued *out, pgqrs_error *err);

/** Wakes workers that sleep over the producer's queue: for after your commit, which this library does not
 * see. Without it they find the message when they look by themselves, every few seconds. What becomes of it
 * is not told. Any thread. Blocks at most a second, and mostly not at all. */
PGQRS_API void pgqrs_producer_wake(pgqrs_producer *producer);

/** pgqrs_consumer_delete in your transaction: effects that you write beside it happen exactly once. On
 * PGQRS_ELEASELOST nothing was changed, and you should roll back: somebody else has the message. */
PGQRS_API pgqrs_status pgqrs_consumer_delete_on(pgqrs_consumer *consumer, struct pg_conn *connection,
                                                pgqrs_lease lease, pgqrs_error *err);

/** pgqrs_consumer_archive in your transaction; as pgqrs_consumer_delete_on. */
PGQRS_API pgqrs_status pgqrs_consumer_archive_on(pgqrs_consumer *consumer, struct pg_conn *connection,
                                                 pgqrs_lease lease, pgqrs_slice result, pgqrs_error *err);

#ifdef __cplusplus
}
#endif
#endif
