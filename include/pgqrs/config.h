/*
 * Configuration: named settings, each with a default, an environment variable and a range.
 *
 * Life cycle: new, any number of sets, handed to pgqrs_client_open (which copies it), free. A later set of
 * the same name wins, so load the weakest source first: the environment, then a file, then the program's own.
 * The settings are one table (docs/configuration.md shows it); pgqrs_config_setting walks through it.
 * The library reads no file; the command pgqrs reads pgqrs.yaml and sets what it finds here.
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

/** One row of the table of settings. All texts are static. */
typedef struct pgqrs_setting {
    const char *name;          /* as in pgqrs.yaml: "max_connections" */
    const char *environment;   /* "PGQRS_MAX_CONNECTIONS" */
    const char *default_value; /* as text; NULL if it must be given */
    const char *description;   /* one line, with the unit and the range */
} pgqrs_setting;

/**
 * A configuration that holds every setting's default. The caller frees *out.
 * Returns PGQRS_OK or PGQRS_ENOMEM. Does not block.
 */
PGQRS_API pgqrs_status pgqrs_config_new(pgqrs_config **out, pgqrs_error *err);

/** Frees `config` and wipes its connection string; NULL is fine. */
PGQRS_API void pgqrs_config_free(pgqrs_config *config);

/**
 * Sets the setting `name` from text; both are copied.
 * Returns PGQRS_OK, PGQRS_ECONFIG (no such setting, or the value is out of its range; nothing is changed)
 * or PGQRS_ENOMEM. Does not block.
 */
PGQRS_API pgqrs_status pgqrs_config_set(pgqrs_config *config, pgqrs_slice name, pgqrs_slice value,
                                        pgqrs_error *err);

/**
 * Sets every setting whose environment variable is there and not empty. PGQRS_ECONFIG names the variable.
 * Reads the environment: do not change that from another thread meanwhile.
 */
PGQRS_API pgqrs_status pgqrs_config_load_environment(pgqrs_config *config, pgqrs_error *err);

/** The value of `name` as zero-terminated text, valid until it is set again; NULL if unknown or not given. */
PGQRS_API const char *pgqrs_config_get(const pgqrs_config *config, const char *name);

/** The value of a whole-number setting, in the unit of its name; 0 if `name` is not one. */
PGQRS_API int64_t pgqrs_config_get_int(const pgqrs_config *config, const char *name);

/** The `index`-th row of the table of settings, from 0; NULL behind the last. Any thread. */
PGQRS_API const pgqrs_setting *pgqrs_config_setting(size_t index);

#ifdef __cplusplus
}
#endif
#endif
