#include <pgqrs/admin.h>

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "client.h"

/* Waiting for another process that installs is part of it. */
#define INSTALL_TIMEOUT_MS 60000

/* How long the lock of those that install is waited for. Anybody may hold it, so then one goes on without. */
#define LOCK_TIMEOUT_MS 20000

/* Queues that are deleted in one transaction: each needs some thirty locks. */
#define DELETE_AT_ONCE 20

struct pgqrs_report {
    pgqrsi_rows *rows; /* own the text */
    size_t count;
    pgqrs_finding findings[];
};

/* The number of a migration is its place in the list, which is sorted by file name. */
int32_t
pgqrs_schema_version(void)
{
    return PGQRSI_MIGRATION_COUNT;
}

/* One statement of the client's schema, on the transaction's connection. */
static pgqrs_status
step(pgqrs_client *client, pgqrsi_conn *conn, pgqrsi_sql sql, const pgqrsi_params *params, pgqrs_error *err)
{
    return pgqrsi_client_run(
        client, &(pgqrsi_call){ .conn = conn, .sql = sql, .effect = PGQRSI_WRITES, .params = params },
        pgqrsi_clock_ms() + INSTALL_TIMEOUT_MS, NULL, err);
}

static pgqrs_status
apply(pgqrs_client *client, pgqrsi_conn *conn, int32_t version, pgqrs_error *err)
{
    pgqrsi_migration migration = (pgqrsi_migration)(version - 1);
    const char *name = pgqrsi_migration_texts[migration].name;
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    pgqrs_status status;
    char *text = pgqrsi_scope_migration(&client->scope, migration);

    if (text == NULL)
        return pgqrsi_error_memory(err);
    status = pgqrsi_conn_script(conn, name, text, pgqrsi_clock_ms() + INSTALL_TIMEOUT_MS, err);
    free(text);
    if (status != PGQRS_OK)
        return status;
    pgqrsi_params_add_int(&params, version);
    pgqrsi_params_add_text(&params, pgqrs_slice_of(name));
    status = step(client, conn, PGQRSI_SQL_ADMIN_RECORD, &params, err);
    pgqrsi_params_release(&params);
    return status;
}

static pgqrs_status
install(pgqrs_client *client, pgqrsi_conn *conn, pgqrs_installed *out, pgqrs_error *err)
{
    pgqrs_status status = pgqrsi_client_installed_version(
        client, conn, pgqrsi_clock_ms() + INSTALL_TIMEOUT_MS, &out->version_before, err);

    if (status != PGQRS_OK)
        return status;
    if (out->version_before > pgqrs_schema_version())
        return pgqrsi_error_set(
            err, PGQRS_ENEWSCHEMA,
            "schema \"%s\" has version %d of pgqrs' tables and this library knows only %d: upgrade "
            "the library",
            client->scope.schema, out->version_before, pgqrs_schema_version());
    for (int32_t version = out->version_before + 1; status == PGQRS_OK && version <= pgqrs_schema_version();
         version++)
        status = apply(client, conn, version, err);
    out->version_now = pgqrs_schema_version();
    return status;
}

static pgqrs_status
check_removable(pgqrs_client *client, pgqrsi_conn *conn, pgqrs_installed *out, pgqrs_error *err)
{
    pgqrs_status status = pgqrsi_client_installed_version(
        client, conn, pgqrsi_clock_ms() + INSTALL_TIMEOUT_MS, &out->version_before, err);

    if (status == PGQRS_OK && out->version_before == 0)
        status = pgqrsi_error_set(err, PGQRS_ENOTINSTALLED, "pgqrs is not installed in schema \"%s\"",
                                  client->scope.schema);
    if (status == PGQRS_OK && out->version_before != pgqrs_schema_version())
        status = pgqrsi_error_set(
            err, out->version_before > pgqrs_schema_version() ? PGQRS_ENEWSCHEMA : PGQRS_EOLDSCHEMA,
            "schema \"%s\" has version %d of pgqrs' tables and this library removes only its own, "
            "%d: use a pgqrs of that version, or upgrade the schema first",
            client->scope.schema, out->version_before, pgqrs_schema_version());
    return status;
}

/* Before the first queue goes: what others built on the tables would keep the last step from being taken. */
static pgqrs_status
check_dependents(pgqrs_client *client, pgqrsi_conn *conn, pgqrs_installed *out, pgqrs_error *err)
{
    pgqrsi_rows *rows = NULL;
    pgqrs_status status = check_removable(client, conn, out, err);

    if (status == PGQRS_OK)
        status = pgqrsi_client_run(
            client,
            &(pgqrsi_call){ .conn = conn, .sql = PGQRSI_SQL_ADMIN_DEPENDENTS, .effect = PGQRSI_READS },
            pgqrsi_clock_ms() + INSTALL_TIMEOUT_MS, &rows, err);
    if (status == PGQRS_OK && pgqrsi_rows_count(rows) > 0) {
        pgqrs_slice first = pgqrsi_rows_text(rows, 0, 0);

        status = pgqrsi_error_set(err, PGQRS_ESERVER,
                                  "uninstalling pgqrs from schema \"%s\" was refused: others depend on its "
                                  "tables (%d, the first is %.*s): "
                                  "drop them first",
                                  client->scope.schema, pgqrsi_rows_count(rows), PGQRSI_SLICE_ARG(first));
        pgqrsi_error_set_sqlstate(err, "2BP01");
    }
    pgqrsi_rows_free(rows);
    return status;
}

/* A few queues. `version_now` is 0 when there is none left. */
static pgqrs_status
delete_some(pgqrs_client *client, pgqrsi_conn *conn, pgqrs_installed *out, pgqrs_error *err)
{
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    pgqrsi_rows *rows = NULL;
    pgqrs_status status = check_removable(client, conn, out, err);

    pgqrsi_params_add_int(&params, DELETE_AT_ONCE);
    if (status == PGQRS_OK)
        status = pgqrsi_client_run(client,
                                   &(pgqrsi_call){ .conn = conn,
                                                   .sql = PGQRSI_SQL_ADMIN_DELETE_SOME,
                                                   .effect = PGQRSI_WRITES,
                                                   .params = &params },
                                   pgqrsi_clock_ms() + INSTALL_TIMEOUT_MS, &rows, err);
    if (status == PGQRS_OK)
        out->version_now = pgqrsi_rows_int(rows, 0, 0) > 0;
    pgqrsi_rows_free(rows);
    pgqrsi_params_release(&params);
    return status;
}

static pgqrs_status
remove_rest(pgqrs_client *client, pgqrsi_conn *conn, pgqrs_installed *out, pgqrs_error *err)
{
    const pgqrsi_statement *statement = NULL;
    pgqrs_status status = check_removable(client, conn, out, err);

    if (status != PGQRS_OK)
        return status;
    pgqrsi_pool_lock(client->pool);
    status = pgqrsi_scope_statement(&client->scope, PGQRSI_SQL_ADMIN_UNINSTALL, PGQRSI_LANE_READY, &statement,
                                    err);
    client->schema_checked = 0;
    pgqrsi_pool_unlock(client->pool);
    if (status != PGQRS_OK)
        return status;
    return pgqrsi_conn_script(conn, statement->name, statement->text, pgqrsi_clock_ms() + INSTALL_TIMEOUT_MS,
                              err);
}

typedef pgqrs_status (*work)(pgqrs_client *, pgqrsi_conn *, pgqrs_installed *, pgqrs_error *);

static pgqrs_status
be_patient(pgqrs_client *client, pgqrsi_conn *conn, int64_t lock_timeout_ms, pgqrs_error *err)
{
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    pgqrs_status status;

    pgqrsi_params_add_int(&params, lock_timeout_ms);
    status = step(client, conn, PGQRSI_SQL_ADMIN_PATIENCE, &params, err);
    pgqrsi_params_release(&params);
    return status;
}

/* `out_is_locked` 0: the lock could not be had, and `todo` was not called. */
static pgqrs_status
attempt(pgqrs_client *client, work todo, int with_lock, int *out_is_locked, pgqrs_installed *out,
        pgqrs_error *err)
{
    pgqrsi_conn *conn = NULL;
    pgqrs_status status = pgqrsi_conn_open(
        &client->settings, pgqrsi_clock_ms() + client->settings.connect_timeout_ms, &conn, err);

    *out_is_locked = 1;
    if (status == PGQRS_OK)
        status = step(client, conn, PGQRSI_SQL_CONNECTION_BEGIN, NULL, err);
    if (status == PGQRS_OK)
        status = be_patient(client, conn, LOCK_TIMEOUT_MS, err);
    if (status == PGQRS_OK && with_lock) {
        status = step(client, conn, PGQRSI_SQL_ADMIN_LOCK, NULL, err);
        *out_is_locked = status != PGQRS_ETIMEDOUT;
    }
    if (status == PGQRS_OK)
        status = todo(client, conn, out, err);
    if (status == PGQRS_EUNKNOWN)
        status = pgqrsi_error_set(
            err, PGQRS_ECONNECT,
            "the connection was lost before the transaction was committed: nothing was changed");
    if (status == PGQRS_OK)
        status = step(client, conn, PGQRSI_SQL_CONNECTION_COMMIT, NULL, err);
    pgqrsi_conn_close(conn);
    return status;
}

/* Runs `todo` in a transaction of its own. A connection whose transaction did not end is closed, which rolls
 * it back. */
static pgqrs_status
in_transaction(pgqrs_client *client, work todo, pgqrs_installed *out, pgqrs_error *err)
{
    pgqrs_error detail = PGQRSI_ERROR_INIT;
    int is_locked;
    pgqrs_status status = attempt(client, todo, 1, &is_locked, out, &detail);

    if (!is_locked) {
        pgqrsi_error_release(&detail);
        detail = (pgqrs_error)PGQRSI_ERROR_INIT;
        status = attempt(client, todo, 0, &is_locked, out, &detail);
    }
    if (status != PGQRS_OK)
        pgqrsi_error_move(err, &detail);
    pgqrsi_error_release(&detail);
    return status;
}

pgqrs_status
pgqrs_admin_install(pgqrs_client *client, pgqrs_installed *out, pgqrs_error *err)
{
    pgqrs_installed installed = { 0, 0 };
    pgqrs_status status = in_transaction(client, install, &installed, err);

    if (status == PGQRS_OK && out != NULL)
        *out = installed;
    return status;
}

/* In several transactions: one has room for the locks of so many queues only. */
pgqrs_status
pgqrs_admin_uninstall(pgqrs_client *client, pgqrs_error *err)
{
    pgqrs_installed installed = { 0, 1 };
    pgqrs_status status = in_transaction(client, check_dependents, &installed, err);

    while (status == PGQRS_OK && installed.version_now != 0)
        status = in_transaction(client, delete_some, &installed, err);
    return status == PGQRS_OK ? in_transaction(client, remove_rest, &installed, err) : status;
}

pgqrs_status
pgqrs_admin_verify(pgqrs_client *client, pgqrs_report **out, pgqrs_error *err)
{
    pgqrsi_rows *rows = NULL;
    pgqrs_report *report;
    int64_t deadline_ms = pgqrsi_client_deadline(client);
    pgqrs_status status = pgqrsi_client_check_schema(client, deadline_ms, err);
    size_t count;

    if (status == PGQRS_OK)
        status = pgqrsi_client_run(client,
                                   &(pgqrsi_call){ .sql = PGQRSI_SQL_ADMIN_VERIFY, .effect = PGQRSI_READS },
                                   deadline_ms, &rows, err);
    if (status != PGQRS_OK)
        return status;
    count = (size_t)pgqrsi_rows_count(rows);
    report = calloc(1, sizeof(*report) + count * sizeof(report->findings[0]));
    if (report == NULL) {
        pgqrsi_rows_free(rows);
        return pgqrsi_error_memory(err);
    }
    report->rows = rows;
    report->count = count;
    for (int row = 0; row < (int)count; row++) {
        report->findings[row].severity = (pgqrs_severity)pgqrsi_rows_int(rows, row, 0);
        report->findings[row].object = pgqrsi_rows_text(rows, row, 1);
        report->findings[row].problem = pgqrsi_rows_text(rows, row, 2);
    }
    *out = report;
    return PGQRS_OK;
}

size_t
pgqrs_report_count(const pgqrs_report *report)
{
    return report != NULL ? report->count : 0;
}

const pgqrs_finding *
pgqrs_report_at(const pgqrs_report *report, size_t index)
{
    return report != NULL && index < report->count ? &report->findings[index] : NULL;
}

void
pgqrs_report_free(pgqrs_report *report)
{
    if (report == NULL)
        return;
    pgqrsi_rows_free(report->rows);
    free(report);
}
