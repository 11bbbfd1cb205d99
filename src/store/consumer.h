/*
 * The consumer, for the files that it is made of: consumer.c claims, lease.c ends leases, sweep.c keeps the
 * lanes tidy.
 */
#ifndef PGQRSI_STORE_CONSUMER_H
#define PGQRSI_STORE_CONSUMER_H

#include <pgqrs/consumer.h>

#include "store/queue.h"

struct pgqrs_consumer {
    pgqrs_client *client;
    pgqrsi_queue *queue;
    int64_t lease_ms;
    int64_t worker_id;
};

/**
 * Asks for the hints of both lanes anew, after sweeping the ready lane if that is due, or if `now` is not 0
 * in any case. A sweep that fails is left to the next one: it affects only how soon a straggler is found.
 */
pgqrs_status pgqrsi_consumer_refresh(pgqrs_consumer *consumer, int now, int64_t deadline_ms,
                                     pgqrs_error *err);

/** Archives the just claimed message as dead, because its leases ran out too often. */
pgqrs_status pgqrsi_consumer_bury(pgqrs_consumer *consumer, const pgqrs_message *message, int64_t deadline_ms,
                                  pgqrs_error *err);

/** PGQRS_EINVAL if `lease` cannot be one. */
pgqrs_status pgqrsi_consumer_check_lease(pgqrs_lease lease, pgqrs_error *err);

/** Reports that the lease on message `id` is lost. Returns PGQRS_ELEASELOST. */
pgqrs_status pgqrsi_consumer_lease_lost(const pgqrs_consumer *consumer, int64_t id, pgqrs_error *err);

/** This client put a message of whatever priority back into the held lane, due after `delay_ms`: its
 * consumers look there then. */
void pgqrsi_consumer_remember_held(pgqrs_consumer *consumer, int64_t delay_ms);

#endif
