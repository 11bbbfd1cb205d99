/*
 * The queues of `pgqrs work`, asked for outside of the worker: one that is gone does not keep the
 * work from the others.
 */
#ifndef PGQRS_CLI_WORK_QUEUES_H
#define PGQRS_CLI_WORK_QUEUES_H

#include <pgqrs/client.h>

#include "work/options.h"

/** Whether the queues are there: PGQRS_ENOQUEUE if all are gone; *out_misses is 1 if some are, else
 * 0, and is not written after another failure. */
pgqrs_status work_queues_look(pgqrs_client *client, const struct work_options *options,
                              int *out_misses, pgqrs_error *err);

/** Counts the messages in the queues up to the first queue that has any. PGQRS_ENOQUEUE if all are
 * gone. */
pgqrs_status work_queues_count(pgqrs_client *client, const struct work_options *options,
                               int64_t *out, pgqrs_error *err);

#endif
