/*
 * Settings, for the layers above: copies of the caller's configuration.
 */
#ifndef PGQRSI_BASE_CONFIG_H
#define PGQRSI_BASE_CONFIG_H

#include <pgqrs/config.h>

/** A copy that the caller frees. */
pgqrs_status pgqrsi_config_copy(const pgqrs_config *config, pgqrs_config **out, pgqrs_error *err);

#endif
