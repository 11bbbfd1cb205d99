/*
 * Administration: installing, upgrading, checking and removing pgqrs in a schema of a database.
 *
 * Any thread. Only one process installs or removes at a time; the others wait. All can return PGQRS_ECONNECT,
 * PGQRS_ETIMEDOUT, PGQRS_EDENIED, PGQRS_ENOSCHEMA, PGQRS_ESERVER and PGQRS_ENOMEM, with nothing changed;
 * install and uninstall PGQRS_EUNKNOWN too: call again.
 */
#ifndef PGQRS_ADMIN_H
#define PGQRS_ADMIN_H

#include <pgqrs/client.h>
#include <pgqrs/slice.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The schema before and after an install. 0 means not installed. */
typedef struct pgqrs_installed {
    size_t size; /* sizeof this struct; begin with PGQRS_INSTALLED_INIT */
    int32_t version_before;
    int32_t version_now;
} pgqrs_installed;

#define PGQRS_INSTALLED_INIT                                                                                 \
    {                                                                                                        \
        sizeof(pgqrs_installed), 0, 0                                                                        \
    }

typedef enum pgqrs_severity {
    PGQRS_SEVERITY_PROBLEM = 0, /* pgqrs does not work, or a promise does not hold */
    PGQRS_SEVERITY_WARNING = 1  /* it works, but look at this */
} pgqrs_severity;

/** "problem", "warning"; "unknown" for any other value. Static text. Any thread. */
PGQRS_API const char *pgqrs_severity_name(pgqrs_severity severity);

/** One finding of a check. The text belongs to the report. */
typedef struct pgqrs_finding {
    pgqrs_severity severity;
    pgqrs_slice object;  /* what it is about */
    pgqrs_slice problem; /* what is wrong, and what to do */
} pgqrs_finding;

typedef struct pgqrs_report pgqrs_report;

/** The schema version that this library needs: the number of its last migration. */
PGQRS_API int32_t pgqrs_schema_version(void);

/**
 * Brings the client's schema, which must exist, to this library's version: creates all tables or applies the
 * migrations that are missing, in one transaction. `out` may be NULL. PGQRS_ENEWSCHEMA if it is newer
 * already.
 */
PGQRS_API pgqrs_status pgqrs_admin_install(pgqrs_client *client, pgqrs_installed *out, pgqrs_error *err);

/** Creates the client's schema if the database has none of that name. Blocks at most the operation timeout.
 * PGQRS_EDENIED without the CREATE privilege on the database. uninstall leaves it in place. */
PGQRS_API pgqrs_status pgqrs_admin_create_schema(pgqrs_client *client, pgqrs_error *err);

/** Drops exactly what install made, with every queue and message in it, and nothing else; fails if objects of
 * others depend on it. PGQRS_ENOTINSTALLED. */
PGQRS_API pgqrs_status pgqrs_admin_uninstall(pgqrs_client *client, pgqrs_error *err);

/**
 * Looks for what is missing, orphaned, invalid or unsafe. The caller frees *out; no finding means healthy.
 * Reads catalogs, queues and workers, and of each queue, one after another, the first messages of its lanes:
 * leases that ran out a minute ago are a warning, since no consumer has looked for them. Queues that this
 * user may not read are left out there. PGQRS_ENOTINSTALLED, PGQRS_EOLDSCHEMA, PGQRS_ENEWSCHEMA. Blocks at
 * most `operation_timeout_ms` for each queue, and for what does not belong to one.
 */
PGQRS_API pgqrs_status pgqrs_admin_verify(pgqrs_client *client, pgqrs_report **out, pgqrs_error *err);

/** How many findings there are; 0 for NULL. Any thread. */
PGQRS_API size_t pgqrs_report_count(const pgqrs_report *report);

/** The `index`-th finding, problems first, valid as long as `report`; NULL behind the last. Any thread. */
PGQRS_API const pgqrs_finding *pgqrs_report_at(const pgqrs_report *report, size_t index);

/** Frees `report`; NULL is fine. */
PGQRS_API void pgqrs_report_free(pgqrs_report *report);

#ifdef __cplusplus
}
#endif
#endif
