/*
 * Setup: the public calls that add queues, handlers and middleware, and the checks before the
 * start.
 */
#ifndef PGQRSI_WORKER_SETUP_H
#define PGQRSI_WORKER_SETUP_H

#include "worker/worker.h"

/** PGQRS_EINVAL if the worker was started. */
pgqrs_status pgqrsi_setup_check_not_started(const pgqrs_worker *worker, pgqrs_error *err);

/** PGQRS_EINVAL if it has no queue, or one without a handler. */
pgqrs_status pgqrsi_setup_check_complete(const pgqrs_worker *worker, pgqrs_error *err);

#endif
