/*
 * Statements: the embedded .sql files with the names of a schema and a queue filled in.
 *
 * A scope holds the names: a schema, or one queue of it. A statement is rendered when it is first
 * used, and is valid as long as its scope. Placeholders are psql variables: :"name" is an
 * identifier, :'name' a literal. A file can be pasted into psql after a few \set.
 *
 *     :"schema" :'schema' :'sequence'                     of every scope
 *     :"ready" :"held" :"messages" :"archive" :"leaf"     of a queue; leaf is the requested lane
 *     :"keys" :"frontier" :'frontier'                     of a queue
 *     :"source"                                           the archive of source_id
 *     :'sequence' and :'frontier' include the schema
 *     :"wake_channel"                                     of a session: pgqrs_wake_<process id>
 *
 * One thread at a time: the client guards its scopes.
 */
#ifndef PGQRSI_DB_STATEMENT_H
#define PGQRSI_DB_STATEMENT_H

#include <stdint.h>

#include <pgqrs/error.h>

#include "db/shape.h"
#include "migrations.h"
#include "queries.h"

typedef enum pgqrsi_lane {
    PGQRSI_LANE_READY = 0, /* also for statements that name no leaf */
    PGQRSI_LANE_HELD = 1
} pgqrsi_lane;

typedef struct pgqrsi_statement {
    /* for errors: the queue, if it is of one, and the file: "queue "mail":
     * consumer_claim_ready" */
    char *name;
    char *text;
    const pgqrsi_shape *shape; /* what it returns; NULL: nothing is known */
    uint64_t serial;           /* names it among all statements of the client, from 0 */
} pgqrsi_statement;

typedef struct pgqrsi_scope {
    const char *schema;     /* belongs to the client */
    int64_t queue_id;       /* 0: no queue */
    int64_t source_id;      /* the queue whose archive :"source" is; 0: queue_id */
    const char *queue_name; /* for errors; belongs to the queue; NULL: no queue */
    int backend;            /* the server process of a session; 0: of none */
    uint64_t *next_serial;
    pgqrsi_statement statements[PGQRSI_SQL_COUNT][2]; /* text is NULL until asked for */
} pgqrsi_scope;

/** The scope of a schema. Set queue_id and queue_name afterwards for one of a queue, `backend` for
 * one of a session. */
void pgqrsi_scope_init(pgqrsi_scope *scope, const char *schema, uint64_t *next_serial);
void pgqrsi_scope_release(pgqrsi_scope *scope);

/** The statement `sql`; it belongs to the scope. PGQRS_OK or PGQRS_ENOMEM. */
pgqrs_status pgqrsi_scope_statement(pgqrsi_scope *scope, pgqrsi_sql sql, pgqrsi_lane lane,
                                    const pgqrsi_statement **out, pgqrs_error *err);

/** The text of a migration, for pgqrsi_conn_script; the caller frees it. NULL when memory is
 * short. */
char *pgqrsi_scope_migration(const pgqrsi_scope *scope, pgqrsi_migration migration);

#endif
