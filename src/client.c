#include "client.h"

#include <pgqrs/admin.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/error.h"
#include "base/local.h"
#include "base/random.h"
#include "db/dsn.h"
#include "db/session.h"

/* Attempts of a statement that the server rolled back through no fault of its own. */
#define MAX_ATTEMPTS 10
#define RETRY_PAUSE_MS 20

static pgqrs_status
resolve_dsn(const pgqrs_config *config, char **out, pgqrs_error *err)
{
    const char *dsn = pgqrs_config_get(config, "dsn");

    if (dsn == NULL)
        return pgqrsi_error_set(
            err, PGQRS_ECONFIG,
            "no DSN is set: set \"dsn\", or PGQRS_DSN, to a PostgreSQL connection string, or to "
            "local: for a private server");
    if (pgqrsi_local_is_dsn(pgqrs_slice_of(dsn)))
        return pgqrsi_local_conninfo(pgqrs_slice_of(dsn), out, err);
    *out = strdup(dsn);
    if (*out == NULL)
        return pgqrsi_error_memory(err);
    return pgqrsi_dsn_check(*out, err);
}

/* A pooler is in between: whether it leaves sessions alone, so that they can be used like our
 * own. */
static pgqrs_status
look_at_pooler(pgqrs_client *client, pgqrsi_conn *conn, int64_t deadline_ms, pgqrs_error *err)
{
    pgqrsi_session_statements ask;
    const struct {
        pgqrsi_sql sql;
        const pgqrsi_statement **out;
    } needed[] = { { PGQRSI_SQL_CONNECTION_BACKEND, &ask.backend },
                   { PGQRSI_SQL_CONNECTION_HEAR, &ask.hear },
                   { PGQRSI_SQL_CONNECTION_TELL, &ask.tell },
                   { PGQRSI_SQL_CONNECTION_FORGET, &ask.forget } };
    pgqrs_status status = PGQRS_OK;

    for (size_t i = 0; status == PGQRS_OK && i < sizeof(needed) / sizeof(needed[0]); i++)
        status = pgqrsi_scope_statement(&client->scope, needed[i].sql, PGQRSI_LANE_READY,
                                        needed[i].out, err);
    if (status == PGQRS_OK && pgqrsi_session_is_kept(conn, &client->settings, &ask, deadline_ms))
        atomic_store(&client->settings.owns_sessions, 1);
    return status;
}

/* The first connection: reports a wrong address at once, and says whether there is a pooler. */
static pgqrs_status
connect_once(pgqrs_client *client, pgqrs_error *err)
{
    int64_t deadline_ms = pgqrsi_clock_ms() + client->settings.connect_timeout_ms;
    pgqrsi_conn *conn = NULL;
    pgqrs_status status = pgqrsi_pool_acquire(client->pool, deadline_ms, &conn, err);

    if (status != PGQRS_OK)
        return status;
    if (pgqrsi_conn_is_pooled(conn)) {
        status = look_at_pooler(client, conn, deadline_ms, err);
        client->pooled = !atomic_load(&client->settings.owns_sessions);
        pgqrsi_pool_discard(client->pool, conn); /* it was set up before that was known */
        return status;
    }
    pgqrsi_pool_release(client->pool, conn);
    return PGQRS_OK;
}

pgqrs_status
pgqrs_client_open(const pgqrs_config *config, pgqrs_client **out, pgqrs_error *err)
{
    pgqrs_client *client = calloc(1, sizeof(*client));
    pgqrs_status status;

    if (client == NULL)
        return pgqrsi_error_memory(err);
    pthread_mutex_init(&client->mutex, NULL);
    status = pgqrsi_config_copy(config, &client->config, err);
    if (status != PGQRS_OK)
        goto fail;
    status = resolve_dsn(client->config, &client->conninfo, err);
    if (status != PGQRS_OK)
        goto fail;
    pgqrsi_scope_init(&client->scope, pgqrs_config_get(client->config, "schema"),
                      &client->next_serial);
    client->max_payload_bytes = (size_t)pgqrs_config_get_int(client->config, "max_payload_bytes");
    client->wakes = strcmp(pgqrs_config_get(client->config, "wake_ups"), "true") == 0;
    client->settings.conninfo = client->conninfo;
    client->settings.connect_timeout_ms =
        1000 * pgqrs_config_get_int(client->config, "connection_timeout_seconds");
    client->settings.operation_timeout_ms =
        pgqrs_config_get_int(client->config, "operation_timeout_ms");
    status = pgqrsi_scope_statement(&client->scope, PGQRSI_SQL_CONNECTION_PROBE, PGQRSI_LANE_READY,
                                    &client->settings.probe, err);
    if (status != PGQRS_OK)
        goto fail;
    status = pgqrsi_pool_open(&client->settings,
                              (size_t)pgqrs_config_get_int(client->config, "max_connections"),
                              &client->pool, err);
    if (status != PGQRS_OK)
        goto fail;
    status = connect_once(client, err);
    if (status != PGQRS_OK)
        goto fail;
    *out = client;
    return PGQRS_OK;

fail:
    pgqrs_client_close(client);
    return status;
}

pgqrs_status
pgqrs_client_open_dsn(const char *dsn, pgqrs_client **out, pgqrs_error *err)
{
    pgqrs_config *config = NULL;
    pgqrs_status status = pgqrs_config_new(&config, err);

    if (status == PGQRS_OK)
        status = pgqrs_config_load_environment(config, err);
    if (status == PGQRS_OK && dsn != NULL)
        status = pgqrs_config_set(config, PGQRS_SLICE("dsn"), pgqrs_slice_of(dsn), err);
    if (status == PGQRS_OK)
        status = pgqrs_client_open(config, out, err);
    pgqrs_config_free(config);
    return status;
}

const char *
pgqrs_client_conninfo(const pgqrs_client *client)
{
    return client->conninfo;
}

void
pgqrs_client_close(pgqrs_client *client)
{
    if (client == NULL)
        return;
    pgqrsi_pool_close(client->pool);
    if (client->queues != NULL)
        client->free_queues(client->queues);
    pgqrsi_scope_release(&client->scope);
    if (client->conninfo != NULL)
        explicit_bzero(client->conninfo, strlen(client->conninfo));
    free(client->conninfo);
    pgqrs_config_free(client->config);
    pthread_mutex_destroy(&client->mutex);
    free(client);
}

const char *
pgqrs_client_schema(const pgqrs_client *client)
{
    return client->scope.schema;
}

bool
pgqrs_client_is_pooled(const pgqrs_client *client)
{
    return client->pooled;
}

void
pgqrsi_client_lock(pgqrs_client *client)
{
    pthread_mutex_lock(&client->mutex);
}

void
pgqrsi_client_unlock(pgqrs_client *client)
{
    pthread_mutex_unlock(&client->mutex);
}

int64_t
pgqrsi_client_deadline(const pgqrs_client *client)
{
    return pgqrsi_clock_ms() + client->settings.operation_timeout_ms;
}

static int
is_rolled_back_by_chance(const pgqrs_error *err)
{
    const char *sqlstate = pgqrs_error_sqlstate(err);

    return strcmp(sqlstate, "40001") == 0 || strcmp(sqlstate, "40P01") == 0;
}

/* What one attempt ended in, and whether it is known to have changed nothing. */
static int
may_repeat(const pgqrsi_call *call, pgqrs_status status, int is_broken, const pgqrs_error *err)
{
    if (status == PGQRS_OK || call->conn != NULL)
        return 0;
    return (status == PGQRS_ECONNECT && is_broken) || /* lost before it was sent */
           (status == PGQRS_EUNKNOWN && call->effect == PGQRSI_READS) ||
           is_rolled_back_by_chance(err);
}

/* One attempt on one connection. `statements` are the call's and that of what is sent behind it. */
static pgqrs_status
run_on(pgqrsi_conn *conn, const pgqrsi_call *call, const pgqrsi_statement *const statements[2],
       int64_t deadline_ms, pgqrsi_rows **out, pgqrs_error *err)
{
    pgqrsi_sending sendings[2] = { { statements[0], call->params } };

    if (call->copy != NULL)
        return pgqrsi_conn_copy(conn, statements[0], call->copy, deadline_ms, err);
    if (call->after == NULL || call->conn != NULL)
        return pgqrsi_conn_run(conn, statements[0], call->params, deadline_ms, out, err);
    sendings[1] = (pgqrsi_sending){ statements[1], call->after->params, call->after->out_after };
    if (call->after->out_after != NULL)
        /* also when an earlier attempt had an answer */
        call->after->out_after->status = PGQRS_EUNKNOWN;
    return pgqrsi_pipe_exchange(conn, sendings, 2, deadline_ms, out, err);
}

static pgqrs_status
run(pgqrs_client *client, const pgqrsi_call *call, const pgqrsi_statement *const statements[2],
    int64_t deadline_ms, pgqrsi_rows **out, pgqrs_error *err)
{
    for (int i = 1;; i++) {
        struct timespec pause = { 0, 0 };
        pgqrsi_conn *conn = call->conn;
        pgqrs_status status = PGQRS_OK;
        int is_broken;

        if (conn == NULL)
            status = pgqrsi_pool_acquire(client->pool, deadline_ms, &conn, err);
        if (status != PGQRS_OK)
            return status;
        status = run_on(conn, call, statements, deadline_ms, out, err);
        is_broken = pgqrsi_conn_is_broken(conn);
        if (status == PGQRS_EUNKNOWN && call->effect == PGQRSI_READS && call->conn == NULL &&
            pgqrsi_conn_why(conn) != NULL)
            status = pgqrsi_error_set(err, PGQRS_ECONNECT, "%s: %s", statements[0]->name,
                                      pgqrsi_conn_why(conn));
        if (call->conn == NULL)
            pgqrsi_pool_release(client->pool, conn);
        if (!may_repeat(call, status, is_broken, err) || i == MAX_ATTEMPTS ||
            pgqrsi_clock_left_ms(deadline_ms) < RETRY_PAUSE_MS * 2)
            return status;
        pause.tv_nsec = pgqrsi_random_jitter(RETRY_PAUSE_MS) * 1000000;
        nanosleep(&pause, NULL);
    }
}

pgqrs_status
pgqrsi_client_statement(pgqrs_client *client, const pgqrsi_call *call, const pgqrsi_statement **out,
                        pgqrs_error *err)
{
    pgqrs_status status;

    pgqrsi_client_lock(client);
    status = pgqrsi_scope_statement(call->scope != NULL ? call->scope : &client->scope, call->sql,
                                    call->lane, out, err);
    pgqrsi_client_unlock(client);
    return status;
}

/* Whether the missing table is one of ours: a trigger of somebody else's may miss one of its own.
 * The name stands in the server's message in every language. */
static int
is_ours(const char *message)
{
    return strstr(message, "pgqrs_") != NULL;
}

pgqrs_status
pgqrsi_client_explain(const pgqrsi_call *call, const pgqrsi_statement *statement,
                      pgqrs_status status, pgqrs_error *err)
{
    const char *reported = strstr(pgqrs_error_message(err), "the server reported");

    if (status != PGQRS_ENOTINSTALLED || strcmp(pgqrs_error_sqlstate(err), "42P01") != 0)
        return status;
    if (reported != NULL && !is_ours(reported)) {
        if (err != NULL)
            err->status = PGQRS_ESERVER;
        return PGQRS_ESERVER;
    }
    if (call->scope == NULL || call->scope->queue_id == 0)
        return status;
    return pgqrsi_error_set(err, PGQRS_ENOQUEUE,
                            "%s: the queue's tables are not there: it was deleted; open it again",
                            statement->name);
}

pgqrs_status
pgqrsi_client_run(pgqrs_client *client, const pgqrsi_call *call, int64_t deadline_ms,
                  pgqrsi_rows **out, pgqrs_error *err)
{
    const pgqrsi_statement *statements[2] = { NULL, NULL };
    pgqrs_error detail = PGQRSI_ERROR_INIT;
    pgqrs_status status;

    /* An attempt that failed and was repeated leaves no trace in `err`. */
    status = pgqrsi_client_statement(client, call, &statements[0], &detail);
    if (status == PGQRS_OK && call->after != NULL)
        status = pgqrsi_client_statement(client, call->after, &statements[1], &detail);
    if (status == PGQRS_OK)
        status = run(client, call, statements, deadline_ms, out, &detail);
    status = pgqrsi_client_explain(call, statements[0], status, &detail);
    if (status == PGQRS_EUNKNOWN && call->effect == PGQRSI_READS && call->conn == NULL)
        status = pgqrsi_error_set(&detail, PGQRS_ECONNECT,
                                  "%s: the connection was lost, or the answer took too long",
                                  statements[0]->name);
    if (status != PGQRS_OK)
        pgqrsi_error_move(err, &detail);
    pgqrsi_error_release(&detail);
    return status;
}

static pgqrs_status
refuse_stranger(const pgqrs_client *client, pgqrs_slice owner, pgqrs_error *err)
{
    return pgqrsi_error_set(
        err, PGQRS_EDENIED,
        "the tables of pgqrs in schema \"%s\" belong to the role \"%.*s\", for whom "
        "nothing vouches: neither this "
        "user, nor the owner of the schema or of the database; if they are genuine, act "
        "as that role, else drop them",
        client->scope.schema, PGQRS_SLICE_ARG(owner));
}

pgqrs_status
pgqrsi_client_read_installed(pgqrs_client *client, pgqrsi_conn *conn, int64_t deadline_ms,
                             pgqrsi_installed *out, pgqrs_error *err)
{
    pgqrsi_call look = { .conn = conn, .sql = PGQRSI_SQL_ADMIN_SCHEMA, .effect = PGQRSI_READS };
    pgqrsi_call read = { .conn = conn, .sql = PGQRSI_SQL_ADMIN_VERSION, .effect = PGQRSI_READS };
    pgqrsi_rows *rows = NULL;
    pgqrs_status status = pgqrsi_client_run(client, &look, deadline_ms, &rows, err);
    int has_schema, has_tables, is_utf8, is_stranger;

    if (status != PGQRS_OK)
        return status;
    has_schema = pgqrsi_rows_int(rows, 0, 0) != 0;
    has_tables = pgqrsi_rows_int(rows, 0, 1) != 0;
    is_utf8 = pgqrsi_rows_int(rows, 0, 2) != 0;
    /* Whoever uses tables trusts who granted that, unless everybody could make them; whoever
     * changes them does not. */
    is_stranger =
        !pgqrsi_rows_is_null(rows, 0, 3) && (conn != NULL || pgqrsi_rows_int(rows, 0, 4) != 0);
    if (is_utf8 && is_stranger)
        status = refuse_stranger(client, pgqrsi_rows_text(rows, 0, 3), err);
    pgqrsi_rows_free(rows);
    rows = NULL;
    if (status != PGQRS_OK)
        return status;
    if (!is_utf8)
        return pgqrsi_error_set(
            err, PGQRS_ECONFIG,
            "the database's encoding is not UTF8: create one with ENCODING 'UTF8'");
    if (!has_schema)
        return pgqrsi_error_set(
            err, PGQRS_ENOSCHEMA,
            "the database has no schema \"%s\": create it with CREATE SCHEMA, or name another",
            client->scope.schema);
    *out = (pgqrsi_installed){ 0, 0 };
    if (!has_tables)
        return PGQRS_OK;
    status = pgqrsi_client_run(client, &read, deadline_ms, &rows, err);
    if (status != PGQRS_OK)
        return status;
    *out = (pgqrsi_installed){ (int32_t)pgqrsi_rows_int(rows, 0, 0),
                               (int32_t)pgqrsi_rows_int(rows, 0, 1) };
    pgqrsi_rows_free(rows);
    return PGQRS_OK;
}

pgqrs_status
pgqrsi_client_check_newer(const char *schema, const pgqrsi_installed *installed, pgqrs_error *err)
{
    if (installed->oldest_library <= pgqrs_schema_version())
        return PGQRS_OK;
    return pgqrsi_error_set(
        err, PGQRS_ENEWSCHEMA,
        "schema \"%s\" has version %d of pgqrs' tables, for libraries of version %d and later, "
        "and this one is of version %d: upgrade the library",
        schema, installed->version, installed->oldest_library, pgqrs_schema_version());
}

static pgqrs_status
compare_versions(const char *schema, const pgqrsi_installed *installed, pgqrs_error *err)
{
    if (installed->version == 0)
        return pgqrsi_error_set(err, PGQRS_ENOTINSTALLED,
                                "pgqrs is not installed in schema \"%s\": run \"pgqrs install\"",
                                schema);
    if (installed->version < pgqrs_schema_version())
        return pgqrsi_error_set(
            err, PGQRS_EOLDSCHEMA,
            "schema \"%s\" has version %d of pgqrs' tables and this library needs %d: run \"pgqrs "
            "install\" to upgrade it",
            schema, installed->version, pgqrs_schema_version());
    return pgqrsi_client_check_newer(schema, installed, err);
}

pgqrs_status
pgqrsi_client_check_schema(pgqrs_client *client, int64_t deadline_ms, pgqrs_error *err)
{
    pgqrsi_installed installed = { 0, 0 };
    pgqrs_status status;
    int checked;

    pgqrsi_client_lock(client);
    checked = client->schema_checked;
    pgqrsi_client_unlock(client);
    if (checked)
        return PGQRS_OK;
    status = pgqrsi_client_read_installed(client, NULL, deadline_ms, &installed, err);
    if (status == PGQRS_OK)
        status = compare_versions(client->scope.schema, &installed, err);
    if (status != PGQRS_OK)
        return status;
    pgqrsi_client_lock(client);
    client->schema_checked = 1;
    pgqrsi_client_unlock(client);
    return PGQRS_OK;
}
