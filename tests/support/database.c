#include "database.h"

#include <pgqrs/admin.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "client.h"
#include "cluster.h"
#include "folder.h"
#include "sql.h"

#define TEMPLATE "ts_template"

/* How many databases this process has made on the shared server. They are called
 * ts_<process>_<number>. */
static int made;

const char *
ts_server(void)
{
    static ts_cluster *own;
    const char *shared = getenv("PGQRS_TEST_SERVER");

    if (shared != NULL && *shared != '\0')
        return shared;
    if (own == NULL)
        own = ts_cluster_start("fsync = off\n");
    return ts_cluster_server(own);
}

static PGconn *
connect_to(const char *server, const char *database)
{
    char *dsn = ts_format("%s dbname=%s", server, database);
    PGconn *connection = ts_connect(dsn);

    free(dsn);
    return connection;
}

/* At exit, so nothing here may fail a test any more. */
static void
drop_databases(void)
{
    const char *server = getenv("PGQRS_TEST_SERVER");
    PGconn *connection;
    char *dsn;

    if (!ts_is_owner() || server == NULL || asprintf(&dsn, "%s dbname=postgres", server) < 0)
        return;
    connection = PQconnectdb(dsn);
    PQclear(PQexec(connection, "SET client_min_messages = error"));
    for (int i = 1; i <= made && PQstatus(connection) == CONNECTION_OK; i++) {
        char sql[96];

        snprintf(sql, sizeof(sql), "DROP DATABASE IF EXISTS ts_%d_%d WITH (FORCE)", (int)getpid(),
                 i);
        PQclear(PQexec(connection, sql));
    }
    PQfinish(connection);
    free(dsn);
}

void
ts_number_queues(PGconn *connection, const char *schema)
{
    ts_sql(connection, "CREATE SEQUENCE IF NOT EXISTS %s.ts_queue_id", schema);
    ts_sql(connection,
           "CREATE OR REPLACE FUNCTION %s.pgqrs_draw_queue_id() RETURNS integer LANGUAGE sql AS "
           "'SELECT nextval(''%s.ts_queue_id'')::integer'",
           schema, schema);
}

static void
install(const char *server, const char *database)
{
    char *dsn = ts_format("%s dbname=%s", server, database);
    pgqrs_client *client = ts_client(dsn, NULL);
    pgqrs_error *err = pgqrs_error_new();
    PGconn *connection;

    TS_OK(pgqrs_admin_install(client, NULL, err), err);
    pgqrs_error_free(err);
    pgqrs_client_close(client);
    connection = ts_connect(dsn);
    ts_number_queues(connection, "public");
    PQfinish(connection);
    free(dsn);
}

/* Installing takes longer than cloning, so the first process to need it does it once for each
 * server. The template gets its name when it is complete. */
static void
make_template(const char *server, PGconn *connection)
{
    ts_sql(connection, "SELECT pg_advisory_lock(hashtext('" TEMPLATE "'))");
    if (ts_int(connection, "SELECT count(*) FROM pg_database WHERE datname = '" TEMPLATE "'") ==
        0) {
        ts_sql(connection, "DROP DATABASE IF EXISTS " TEMPLATE "_new WITH (FORCE)");
        ts_sql(connection, "CREATE DATABASE " TEMPLATE "_new TEMPLATE template0 ENCODING 'UTF8' "
                           "LOCALE 'C.UTF-8'");
        install(server, TEMPLATE "_new");
        ts_wait_until(connection, 10000,
                      "SELECT count(*) = 0 FROM pg_stat_activity "
                      "WHERE datname = '" TEMPLATE "_new' AND backend_type = 'client backend'");
        ts_sql(connection, "ALTER DATABASE " TEMPLATE "_new RENAME TO " TEMPLATE);
    }
    ts_sql(connection, "SELECT pg_advisory_unlock(hashtext('" TEMPLATE "'))");
}

static char *
create(const char *server, const char *template)
{
    PGconn *connection = connect_to(server, "postgres");
    char *name = ts_format("ts_%d_%d", (int)getpid(), ++made);
    char *dsn;

    if (strcmp(template, TEMPLATE) == 0)
        make_template(server, connection);
    ts_sql(connection, "DROP DATABASE IF EXISTS %s WITH (FORCE)", name);
    ts_sql(connection, "CREATE DATABASE %s TEMPLATE %s ENCODING 'UTF8' LOCALE 'C.UTF-8'", name,
           template);
    PQfinish(connection);
    dsn = ts_format("%s dbname=%s", server, name);
    free(name);
    return dsn;
}

static char *
create_shared(const char *template)
{
    static int registered;
    const char *server = ts_server();

    if (!registered)
        atexit(drop_databases);
    registered = 1;
    return create(server, template);
}

char *
ts_database(void)
{
    return create_shared(TEMPLATE);
}

char *
ts_empty_database(void)
{
    return create_shared("template0");
}

char *
ts_database_on(const char *server)
{
    return create(server, TEMPLATE);
}
