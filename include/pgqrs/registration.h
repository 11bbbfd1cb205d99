/*
 * Registrations: processes that announce themselves, so that `consumer_worker_id` means something to people.
 *
 * A pgqrs_worker registers itself. For others it is optional, and no message depends on it. The row of a
 * process that died is removed by workers a day after it was last touched. Any thread; failures are of the
 * kinds listed in pgqrs/queue.h.
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
PGQRS_API pgqrs_status pgqrs_registration_add(pgqrs_client *client, pgqrs_slice queue, int64_t *out_id,
                                              pgqrs_error *err);

/** Records that worker `id` is alive. Harmless if it is not there any more. */
PGQRS_API pgqrs_status pgqrs_registration_touch(pgqrs_client *client, int64_t id, pgqrs_error *err);

/** Removes worker `id`'s row. Harmless if it is not there any more. */
PGQRS_API pgqrs_status pgqrs_registration_remove(pgqrs_client *client, int64_t id, pgqrs_error *err);

#ifdef __cplusplus
}
#endif
#endif
