/*
 * Workers: processes that announce themselves, so that `consumer_worker_id` means something to people.
 *
 * Registering is optional, and no message depends on it. Nothing removes the row of a worker that died:
 * pgqrs_workers.seen_at says when it was last touched. Any thread; failures are of the kinds listed in
 * pgqrs/queue.h.
 */
#ifndef PGQRS_WORKER_H
#define PGQRS_WORKER_H

#include <stdint.h>

#include <pgqrs/client.h>
#include <pgqrs/slice.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Registers this process (host name and process id) as a worker of `queue`. PGQRS_ENOQUEUE. */
PGQRS_API pgqrs_status pgqrs_worker_register(pgqrs_client *client, pgqrs_slice queue, int64_t *out_id,
                                             pgqrs_error *err);

/** Records that worker `id` is alive. Harmless if it is not there any more. */
PGQRS_API pgqrs_status pgqrs_worker_touch(pgqrs_client *client, int64_t id, pgqrs_error *err);

/** Removes worker `id`'s row. Harmless if it is not there any more. */
PGQRS_API pgqrs_status pgqrs_worker_unregister(pgqrs_client *client, int64_t id, pgqrs_error *err);

#ifdef __cplusplus
}
#endif
#endif
