/*
 * Finds the programs of a PostgreSQL server: initdb, pg_ctl and postgres, all of one folder.
 *
 * Looked for in $PGQRS_PG_BINDIR alone if that is set; else where `pg_config --bindir` says, in the
 * folders of PATH, and where packages put them, the newest version first.
 */
#ifndef PGQRSI_LOCAL_PROGRAMS_H
#define PGQRSI_LOCAL_PROGRAMS_H

#include <stdint.h>

#include <pgqrs/error.h>

#include "local/account.h"

typedef struct pgqrsi_programs {
    char *initdb; /* absolute paths */
    char *pg_ctl;
    char *postgres;
    int major; /* such as 15 */
} pgqrsi_programs;

/**
 * `major`: the version that is needed, or 0 for any. `name`: of the private server, for messages.
 * Programs that are asked for their version run as `account`. Call release even on failure. Returns
 * PGQRS_OK, PGQRS_ECONNECT or PGQRS_ENOMEM.
 */
pgqrs_status pgqrsi_programs_find(pgqrsi_programs *programs, int major, const char *name,
                                  const pgqrsi_account *account, int64_t deadline_ms,
                                  pgqrs_error *err);

void pgqrsi_programs_release(pgqrsi_programs *programs);

#endif
