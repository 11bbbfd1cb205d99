/*
 * Administration: install, upgrade, check and remove pgqrs in one schema of a database.
 *
 * Any thread. Only one process installs or removes at a time; the others wait. Every function can
 * return PGQRS_ECONNECT, PGQRS_ETIMEDOUT, PGQRS_EDENIED, PGQRS_ENOSCHEMA, PGQRS_ESERVER or
 * PGQRS_ENOMEM; nothing is changed then. Install and uninstall can also return PGQRS_EUNKNOWN: call
 * them again.
 */
#ifndef PGQRS_ADMIN_H
#define PGQRS_ADMIN_H

#include <pgqrs/client.h>
#include <pgqrs/slice.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The schema version before and after an install. 0 means not installed. */
typedef struct pgqrs_installed {
    size_t size; /* sizeof this struct; begin with PGQRS_INSTALLED_INIT */
    int32_t version_before;
    int32_t version_now;
} pgqrs_installed;

#define PGQRS_INSTALLED_INIT                                                                       \
    {                                                                                              \
        sizeof(pgqrs_installed), 0, 0                                                              \
    }

typedef enum pgqrs_severity {
    PGQRS_SEVERITY_PROBLEM = 0, /* pgqrs does not work, or breaks a guarantee */
    PGQRS_SEVERITY_WARNING = 1  /* pgqrs works, but an administrator should look at this */
} pgqrs_severity;

/** "problem", "warning"; "unknown" for any other value. Static text. Any thread. */
PGQRS_API const char *pgqrs_severity_name(pgqrs_severity severity);

/** One finding of pgqrs_admin_verify. The report owns the text. */
typedef struct pgqrs_finding {
    pgqrs_severity severity;
    pgqrs_slice object;  /* the affected object */
    pgqrs_slice problem; /* what is wrong and how to fix it */
} pgqrs_finding;

typedef struct pgqrs_report pgqrs_report;

/** The schema version that this library needs: the number of its last migration. Any thread. */
PGQRS_API int32_t pgqrs_schema_version(void);

/**
 * Installs pgqrs in the client's schema, or upgrades it to this library's version: applies all
 * missing migrations in one transaction. The schema must exist. `out` may be NULL. PGQRS_ENEWSCHEMA
 * if the installed version is newer.
 */
PGQRS_API pgqrs_status pgqrs_admin_install(pgqrs_client *client, pgqrs_installed *out,
                                           pgqrs_error *err);

/** Creates the client's schema if the database has none of that name. Blocks at most
 * `operation_timeout_ms`. PGQRS_EDENIED without the CREATE privilege on the database.
 * pgqrs_admin_uninstall does not drop the schema. */
PGQRS_API pgqrs_status pgqrs_admin_create_schema(pgqrs_client *client, pgqrs_error *err);

/** Drops everything that pgqrs_admin_install created, with all queues and messages, and nothing
 * else. Fails if other objects depend on it. PGQRS_ENOTINSTALLED. */
PGQRS_API pgqrs_status pgqrs_admin_uninstall(pgqrs_client *client, pgqrs_error *err);

/**
 * Looks for missing, orphaned, invalid and unsafe objects. The caller frees *out; a report without
 * findings means healthy. Reads catalogs, queues and workers, then the first messages in the lanes
 * of each queue: a lease that expired more than a minute ago is a warning, because no consumer has
 * reclaimed the message. Skips the messages of queues that this user cannot read.
 * PGQRS_ENOTINSTALLED, PGQRS_EOLDSCHEMA, PGQRS_ENEWSCHEMA. Blocks at most `operation_timeout_ms`
 * for each queue, and once more for the rest.
 */
PGQRS_API pgqrs_status pgqrs_admin_verify(pgqrs_client *client, pgqrs_report **out,
                                          pgqrs_error *err);

/** The number of findings; 0 for NULL. Any thread. */
PGQRS_API size_t pgqrs_report_count(const pgqrs_report *report);

/** The `index`-th finding, problems first, valid as long as `report`; NULL after the last. Any
 * thread. */
PGQRS_API const pgqrs_finding *pgqrs_report_at(const pgqrs_report *report, size_t index);

/** Frees `report`; NULL is fine. */
PGQRS_API void pgqrs_report_free(pgqrs_report *report);

#ifdef __cplusplus
}
#endif
#endif
