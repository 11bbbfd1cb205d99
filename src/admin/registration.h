/*
 * Registrations, for callers that wait for the server themselves.
 */
#ifndef PGQRSI_ADMIN_REGISTRATION_H
#define PGQRSI_ADMIN_REGISTRATION_H

#include <pgqrs/registration.h>

#include "client.h"

/** The parameters of PGQRSI_SQL_REGISTRATION_REGISTER. */
void pgqrsi_registration_params(pgqrsi_params *params, pgqrs_slice queue);

/** pgqrs_registration_add, until `deadline_ms`. */
pgqrs_status pgqrsi_registration_add(pgqrs_client *client, pgqrs_slice queue, int64_t deadline_ms,
                                     int64_t *out_id, pgqrs_error *err);

#endif
