/*
 * Checks of JSON and text from users, before anything is sent.
 */
#ifndef PGQRSI_QUEUE_PAYLOAD_H
#define PGQRSI_QUEUE_PAYLOAD_H

#include <stdint.h>

#include <pgqrs/error.h>
#include <pgqrs/slice.h>

#include "client.h"

#define PGQRSI_MAX_BATCH 10000
#define PGQRSI_MAX_DELAY_MS INT64_C(315360000000) /* 10 years of 365 days */
#define PGQRSI_MAX_LEASE_MS INT64_C(604800000)    /* 7 days */
#define PGQRSI_MIN_PRIORITY (-100)
#define PGQRSI_MAX_PRIORITY 100

/** PGQRS_EINVAL, naming `what` and where it is wrong. `index` is the place in a batch, or -1. */
pgqrs_status pgqrsi_payload_check(const pgqrs_client *client, const char *what, pgqrs_slice json,
                                  int64_t index, pgqrs_error *err);

/** PGQRS_EINVAL unless `value` lies in the range; `what` names it and its unit, such as
 * "delay_ms". */
pgqrs_status pgqrsi_range_check(const char *what, int64_t value, int64_t min, int64_t max,
                                pgqrs_error *err);

#endif
