/*
 * Configuration: named settings, each with a default, an environment variable and a range.
 *
 * Life cycle: new, any number of sets, pgqrs_client_open (which copies the configuration), free. A
 * later set of the same name wins: load the weakest source first (the environment, then a file,
 * then the program's own values). All settings are in one table, shown in docs/configuration.md;
 * pgqrs_config_setting iterates over it. The library reads no file; the command pgqrs reads
 * pgqrs.yaml.
 *
 * One thread at a time.
 */
#ifndef PGQRS_CONFIG_H
#define PGQRS_CONFIG_H

#include <stdint.h>

#include <pgqrs/error.h>
#include <pgqrs/slice.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pgqrs_config pgqrs_config;

/** One row of the table of settings. All text is static. */
typedef struct pgqrs_setting {
    const char *name;          /* as in pgqrs.yaml, for example "max_connections" */
    const char *environment;   /* for example "PGQRS_MAX_CONNECTIONS" */
    const char *default_value; /* as text; NULL if the setting has no default */
    const char *description;   /* one line, with the unit and the range */
} pgqrs_setting;

/**
 * Makes a configuration with the default of every setting. The caller frees *out. Returns PGQRS_OK
 * or PGQRS_ENOMEM. Does not block.
 */
PGQRS_API pgqrs_status pgqrs_config_new(pgqrs_config **out, pgqrs_error *err);

/** Frees `config` and wipes its connection string; NULL is fine. */
PGQRS_API void pgqrs_config_free(pgqrs_config *config);

/**
 * Sets the setting `name` to `value`. Copies both. Returns PGQRS_OK, PGQRS_ECONFIG (no such
 * setting, or the value is out of range; nothing is changed) or PGQRS_ENOMEM. Does not block.
 */
PGQRS_API pgqrs_status pgqrs_config_set(pgqrs_config *config, pgqrs_slice name, pgqrs_slice value,
                                        pgqrs_error *err);

/**
 * Sets every setting whose environment variable is set and not empty. On PGQRS_ECONFIG the error
 * names the variable. Other threads must not change the environment during the call.
 */
PGQRS_API pgqrs_status pgqrs_config_load_environment(pgqrs_config *config, pgqrs_error *err);

/** The value of `name` as zero-terminated text, valid until it is set again; NULL if the setting is
 * unknown or has no value. */
PGQRS_API const char *pgqrs_config_get(const pgqrs_config *config, const char *name);

/** The value of an integer setting, in the unit of its name; 0 if `name` is not an integer
 * setting. */
PGQRS_API int64_t pgqrs_config_get_int(const pgqrs_config *config, const char *name);

/** The `index`-th row of the table of settings, from 0; NULL after the last. Any thread. */
PGQRS_API const pgqrs_setting *pgqrs_config_setting(size_t index);

#ifdef __cplusplus
}
#endif
#endif
