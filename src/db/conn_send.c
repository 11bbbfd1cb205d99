#include "db/conn_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queries.h"

#define STATEMENT ":statement"
#define NAME_SIZE 32
#define DROP_SIZE 128

/* The name under which a statement is prepared. */
static void
write_name(char name[NAME_SIZE], uint64_t serial)
{
    snprintf(name, NAME_SIZE, "pgqrs_%" PRIu64, serial);
}

pgqrsi_run_as
pgqrsi_conn_plan(pgqrsi_conn *conn, const pgqrsi_statement *statement, uint64_t *victim)
{
    if (conn->borrowed || conn->pooled)
        return PGQRSI_RUN_UNNAMED;
    if (conn->prepared == NULL)
        conn->prepared = calloc(1, sizeof(*conn->prepared));
    if (conn->prepared == NULL)
        return PGQRSI_RUN_UNNAMED;
    return pgqrsi_prepared_plan(conn->prepared, statement->serial, victim);
}

int
pgqrsi_conn_send_prepare(pgqrsi_conn *conn, const pgqrsi_statement *statement,
                         const pgqrsi_params *params)
{
    Oid types[PGQRSI_PARAMS_MAX];
    char name[NAME_SIZE];
    int count = params != NULL ? params->count : 0;

    for (int i = 0; i < count; i++)
        types[i] = params->at[i].type;
    write_name(name, statement->serial);
    return PQsendPrepare(conn->pg, name, statement->text, count, types);
}

int
pgqrsi_conn_send_drop(pgqrsi_conn *conn, uint64_t serial)
{
    const char *text = pgqrsi_sql_texts[PGQRSI_SQL_CONNECTION_DEALLOCATE].text;
    const char *place = strstr(text, STATEMENT);
    char name[NAME_SIZE], drop[DROP_SIZE];

    write_name(name, serial);
    snprintf(drop, sizeof(drop), "%.*s%s%s", (int)(place - text), text, name,
             place + strlen(STATEMENT));
    return PQsendQueryParams(conn->pg, drop, 0, NULL, NULL, NULL, NULL, 1);
}

int
pgqrsi_conn_send_statement(pgqrsi_conn *conn, const pgqrsi_statement *statement,
                           const pgqrsi_params *params, int by_name)
{
    const char *values[PGQRSI_PARAMS_MAX];
    int lengths[PGQRSI_PARAMS_MAX];
    int formats[PGQRSI_PARAMS_MAX];
    Oid types[PGQRSI_PARAMS_MAX];
    int count = params != NULL ? params->count : 0;
    char name[NAME_SIZE];

    for (int i = 0; i < count; i++) {
        values[i] = params->at[i].is_null ? NULL : params->bytes.data + params->at[i].offset;
        lengths[i] = params->at[i].length;
        formats[i] = 1;
        types[i] = params->at[i].type;
    }
    if (!by_name)
        return PQsendQueryParams(conn->pg, statement->text, count, types, values, lengths, formats,
                                 1);
    write_name(name, statement->serial);
    return PQsendQueryPrepared(conn->pg, name, count, values, lengths, formats, 1);
}
