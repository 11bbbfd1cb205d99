/*
 * Registrations: processes announce themselves, and tools can show which process a
 * `consumer_worker_id` is.
 *
 * A pgqrs_worker registers itself. Other programs may; no message depends on a registration.
 * Workers delete the rows of dead processes one day after the last touch. Any thread. Each function
 * blocks at most `operation_timeout_ms` and can return the failures listed in pgqrs/queue.h.
 */
#ifndef PGQRS_REGISTRATION_H
#define PGQRS_REGISTRATION_H

#include <stdint.h>

#include <pgqrs/client.h>
#include <pgqrs/slice.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Registers this process (host name and process id) as a worker of `queue`. PGQRS_ENOQUEUE. */
PGQRS_API pgqrs_status pgqrs_registration_add(pgqrs_client *client, pgqrs_slice queue,
                                              int64_t *out_id, pgqrs_error *err);

/** Records that worker `id` is alive. Does nothing if the row is gone. */
PGQRS_API pgqrs_status pgqrs_registration_touch(pgqrs_client *client, int64_t id, pgqrs_error *err);

/** Deletes the row of worker `id`. Does nothing if the row is gone. */
PGQRS_API pgqrs_status pgqrs_registration_remove(pgqrs_client *client, int64_t id,
                                                 pgqrs_error *err);

#ifdef __cplusplus
}
#endif
#endif
