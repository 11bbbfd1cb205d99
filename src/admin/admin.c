#include <pgqrs/admin.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/options.h"
#include "base/random.h"
#include "client.h"
#include "db/sqlstate.h"

/* Waiting for another process that installs is part of it. */
#define INSTALL_TIMEOUT_MS 60000

/* How long the lock of those that install is waited for. Any session may hold it: afterwards one
 * goes on without. */
#define TURN_TIMEOUT_MS 20000

/* How long the lock of a table is waited for, and how often that is tried. */
#define LOCK_TIMEOUT_MS 2000
#define MAX_TRIES 10
#define RETRY_PAUSE_MS 500

/* Queues that are deleted in one transaction: each needs some thirty locks. */
#define DELETE_AT_ONCE 20

/* A lease that ran out this long ago should have been taken up by a consumer. */
#define EXPIRED_MS 60000

/* The findings and what owns their text: the answer of verify, and one more for each queue that was
 * found to be neglected. */
struct pgqrs_report {
    pgqrsi_rows *rows;
    pgqrsi_rows **neglected;
    size_t neglected_count;
    size_t count;
    pgqrs_finding findings[];
};

/* The number of a migration is its place in the list, which is sorted by file name. */
int32_t
pgqrs_schema_version(void)
{
    return PGQRSI_MIGRATION_COUNT;
}

/* For each migration, the lowest version of a library that may use the schema after it: its own,
 * unless it only adds what older libraries do not look at. */
static const int32_t oldest_libraries[PGQRSI_MIGRATION_COUNT] = { 1 };

/* One statement of the client's schema, on the transaction's connection. */
static pgqrs_status
step(pgqrs_client *client, pgqrsi_conn *conn, pgqrsi_sql sql, const pgqrsi_params *params,
     pgqrs_error *err)
{
    return pgqrsi_client_run(
        client,
        &(pgqrsi_call){ .conn = conn, .sql = sql, .effect = PGQRSI_WRITES, .params = params },
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
    pgqrsi_params_add_int(&params, oldest_libraries[migration]);
    status = step(client, conn, PGQRSI_SQL_ADMIN_RECORD, &params, err);
    pgqrsi_params_release(&params);
    return status;
}

static pgqrs_status
install(pgqrs_client *client, pgqrsi_conn *conn, pgqrs_installed *out, pgqrs_error *err)
{
    pgqrsi_installed installed = { 0, 0 };
    pgqrs_status status = pgqrsi_client_read_installed(
        client, conn, pgqrsi_clock_ms() + INSTALL_TIMEOUT_MS, &installed, err);

    if (status == PGQRS_OK)
        status = pgqrsi_client_check_newer(client->scope.schema, &installed, err);
    if (status != PGQRS_OK)
        return status;
    out->version_before = out->version_now = installed.version;
    for (; status == PGQRS_OK && out->version_now < pgqrs_schema_version(); out->version_now++)
        status = apply(client, conn, out->version_now + 1, err);
    return status;
}

static pgqrs_status
check_removable(pgqrs_client *client, pgqrsi_conn *conn, pgqrs_installed *out, pgqrs_error *err)
{
    pgqrsi_installed installed = { 0, 0 };
    pgqrs_status status = pgqrsi_client_read_installed(
        client, conn, pgqrsi_clock_ms() + INSTALL_TIMEOUT_MS, &installed, err);

    out->version_before = installed.version;
    if (status == PGQRS_OK && out->version_before == 0)
        status = pgqrsi_error_set(err, PGQRS_ENOTINSTALLED,
                                  "pgqrs is not installed in schema \"%s\"", client->scope.schema);
    if (status == PGQRS_OK && out->version_before != pgqrs_schema_version())
        status = pgqrsi_error_set(
            err, out->version_before > pgqrs_schema_version() ? PGQRS_ENEWSCHEMA : PGQRS_EOLDSCHEMA,
            "schema \"%s\" has version %d of pgqrs' tables and this library removes only its own, "
            "%d: use a pgqrs of that version, or upgrade the schema first",
            client->scope.schema, out->version_before, pgqrs_schema_version());
    return status;
}

/* Before the first queue goes: what others built on the tables would keep the last step from being
 * taken. */
static pgqrs_status
check_dependents(pgqrs_client *client, pgqrsi_conn *conn, pgqrs_installed *out, pgqrs_error *err)
{
    pgqrsi_rows *rows = NULL;
    pgqrs_status status = check_removable(client, conn, out, err);

    if (status == PGQRS_OK)
        status = pgqrsi_client_run(client,
                                   &(pgqrsi_call){ .conn = conn,
                                                   .sql = PGQRSI_SQL_ADMIN_DEPENDENTS,
                                                   .effect = PGQRSI_READS },
                                   pgqrsi_clock_ms() + INSTALL_TIMEOUT_MS, &rows, err);
    if (status == PGQRS_OK && pgqrsi_rows_count(rows) > 0) {
        pgqrs_slice first = pgqrsi_rows_text(rows, 0, 0);

        status = pgqrsi_error_set(
            err, PGQRS_ESERVER,
            "uninstalling pgqrs from schema \"%s\" was refused: others depend on its "
            "tables (%d, the first is %.*s): "
            "drop them first",
            client->scope.schema, pgqrsi_rows_count(rows), PGQRS_SLICE_ARG(first));
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
    pgqrsi_client_lock(client);
    status = pgqrsi_scope_statement(&client->scope, PGQRSI_SQL_ADMIN_UNINSTALL, PGQRSI_LANE_READY,
                                    &statement, err);
    client->schema_checked = 0;
    pgqrsi_client_unlock(client);
    if (status != PGQRS_OK)
        return status;
    return pgqrsi_conn_script(conn, statement->name, statement->text,
                              pgqrsi_clock_ms() + INSTALL_TIMEOUT_MS, err);
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
    if (status == PGQRS_OK && with_lock) {
        status = be_patient(client, conn, TURN_TIMEOUT_MS, err);
        if (status == PGQRS_OK) {
            status = step(client, conn, PGQRSI_SQL_ADMIN_LOCK, NULL, err);
            *out_is_locked = status != PGQRS_ETIMEDOUT;
        }
    }
    if (status == PGQRS_OK)
        status = be_patient(client, conn, LOCK_TIMEOUT_MS, err);
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

/* Runs `todo` in a transaction of its own. A connection whose transaction did not end is closed,
 * which rolls it back. While a table is locked, those who need it after us wait for us: so `todo`
 * waits a short time, and is tried again. */
static pgqrs_status
in_transaction(pgqrs_client *client, work todo, pgqrs_installed *out, pgqrs_error *err)
{
    pgqrs_error detail = PGQRSI_ERROR_INIT;
    pgqrs_status status = PGQRS_OK;
    int with_lock = 1;

    for (int tries = 1; tries <= MAX_TRIES; tries++) {
        struct timespec pause = pgqrsi_clock_timespec(pgqrsi_random_jitter(RETRY_PAUSE_MS));
        int is_locked;

        pgqrsi_error_release(&detail);
        detail = (pgqrs_error)PGQRSI_ERROR_INIT;
        status = attempt(client, todo, with_lock, &is_locked, out, &detail);
        if (is_locked &&
            (status == PGQRS_OK || strcmp(pgqrs_error_sqlstate(&detail), "55P03") != 0))
            break;
        with_lock &= is_locked;
        nanosleep(&pause, NULL);
    }
    if (status != PGQRS_OK)
        pgqrsi_error_move(err, &detail);
    pgqrsi_error_release(&detail);
    return status;
}

pgqrs_status
pgqrs_admin_install(pgqrs_client *client, pgqrs_installed *out, pgqrs_error *err)
{
    pgqrs_installed installed = PGQRS_INSTALLED_INIT;
    pgqrs_status status = PGQRS_OK;

    if (out != NULL)
        status = pgqrsi_results_check("what was installed", "PGQRS_INSTALLED_INIT", out, err);
    if (status == PGQRS_OK)
        status = in_transaction(client, install, &installed, err);
    if (status == PGQRS_OK && out != NULL)
        pgqrsi_results_write(out, &installed);
    return status;
}

/* In several transactions: one has room for the locks of so many queues only. */
pgqrs_status
pgqrs_admin_uninstall(pgqrs_client *client, pgqrs_error *err)
{
    pgqrs_installed installed = { sizeof(installed), 0, 1 };
    pgqrs_status status = in_transaction(client, check_dependents, &installed, err);

    while (status == PGQRS_OK && installed.version_now != 0)
        status = in_transaction(client, delete_some, &installed, err);
    return status == PGQRS_OK ? in_transaction(client, remove_rest, &installed, err) : status;
}

/* Whether a queue could not be asked because of what it is, which verify has told, or because of
 * who asks. */
static int
is_left_out(const pgqrs_error *err)
{
    const char *sqlstate = pgqrs_error_sqlstate(err);

    return strcmp(sqlstate, "42501") == 0 || strcmp(sqlstate, "42P01") == 0 ||
           pgqrsi_sqlstate_is_lock(sqlstate);
}

/* Looks for expired leases in the queue of that row. `*out` stays NULL if there are none. */
static pgqrs_status
look_for_expired(pgqrs_client *client, pgqrsi_scope *scope, pgqrs_slice name, pgqrsi_rows **out,
                 pgqrs_error *err)
{
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    pgqrs_error detail = PGQRSI_ERROR_INIT;
    pgqrsi_rows *rows = NULL;
    pgqrs_status status;

    pgqrsi_params_add_int(&params, EXPIRED_MS);
    pgqrsi_params_add_text(&params, name);
    status = pgqrsi_client_run(client,
                               &(pgqrsi_call){ .scope = scope,
                                               .sql = PGQRSI_SQL_ADMIN_EXPIRED,
                                               .effect = PGQRSI_READS,
                                               .params = &params },
                               pgqrsi_client_deadline(client), &rows, &detail);
    pgqrsi_params_release(&params);
    if (status != PGQRS_OK && is_left_out(&detail))
        status = PGQRS_OK;
    else if (status != PGQRS_OK)
        pgqrsi_error_move(err, &detail);
    pgqrsi_error_release(&detail);
    if (rows != NULL && pgqrsi_rows_count(rows) > 0) {
        *out = rows;
        return status;
    }
    pgqrsi_rows_free(rows);
    return status;
}

/* Asks queue by queue: all of them in one statement would take a lock for each table that there
 * is. */
static pgqrs_status
find_neglected(pgqrs_client *client, const pgqrsi_rows *queues, pgqrsi_rows **out,
               size_t *out_count, pgqrs_error *err)
{
    pgqrsi_scope *scope = malloc(sizeof(*scope));
    pgqrs_status status = PGQRS_OK;

    if (scope == NULL)
        return pgqrsi_error_memory(err);
    for (int row = 0; status == PGQRS_OK && row < pgqrsi_rows_count(queues); row++) {
        pgqrsi_rows *found = NULL;

        pgqrsi_scope_init(scope, client->scope.schema, &client->next_serial);
        scope->queue_id = pgqrsi_rows_int(queues, row, 0);
        status = look_for_expired(client, scope, pgqrsi_rows_text(queues, row, 1), &found, err);
        pgqrsi_scope_release(scope);
        if (found != NULL)
            out[(*out_count)++] = found;
    }
    free(scope);
    return status;
}

static void
read_findings(pgqrs_report *report)
{
    size_t count = (size_t)pgqrsi_rows_count(report->rows);

    for (int row = 0; row < (int)count; row++) {
        report->findings[row].severity = (pgqrs_severity)pgqrsi_rows_int(report->rows, row, 0);
        report->findings[row].object = pgqrsi_rows_text(report->rows, row, 1);
        report->findings[row].problem = pgqrsi_rows_text(report->rows, row, 2);
    }
    for (size_t i = 0; i < report->neglected_count; i++) {
        report->findings[count + i].severity = PGQRS_SEVERITY_WARNING;
        report->findings[count + i].object = pgqrsi_rows_text(report->neglected[i], 0, 0);
        report->findings[count + i].problem = pgqrsi_rows_text(report->neglected[i], 0, 1);
    }
    report->count = count + report->neglected_count;
}

/* Takes over `rows`, the answer of verify. */
static pgqrs_status
make_report(pgqrs_client *client, pgqrsi_rows *rows, const pgqrsi_rows *queues, pgqrs_report **out,
            pgqrs_error *err)
{
    size_t room = (size_t)pgqrsi_rows_count(rows) + (size_t)pgqrsi_rows_count(queues);
    pgqrs_report *report = calloc(1, sizeof(*report) + room * sizeof(report->findings[0]));
    pgqrs_status status;

    if (report == NULL) {
        pgqrsi_rows_free(rows);
        return pgqrsi_error_memory(err);
    }
    report->rows = rows;
    report->neglected = calloc(room + 1, sizeof(report->neglected[0]));
    if (report->neglected == NULL)
        status = pgqrsi_error_memory(err);
    else
        status = find_neglected(client, queues, report->neglected, &report->neglected_count, err);
    if (status != PGQRS_OK) {
        pgqrs_report_free(report);
        return status;
    }
    read_findings(report);
    *out = report;
    return PGQRS_OK;
}

static pgqrs_status
ask(pgqrs_client *client, pgqrsi_sql sql, int64_t deadline_ms, pgqrsi_rows **out, pgqrs_error *err)
{
    return pgqrsi_client_run(client, &(pgqrsi_call){ .sql = sql, .effect = PGQRSI_READS },
                             deadline_ms, out, err);
}

pgqrs_status
pgqrs_admin_verify(pgqrs_client *client, pgqrs_report **out, pgqrs_error *err)
{
    pgqrsi_rows *rows = NULL, *queues = NULL;
    int64_t deadline_ms = pgqrsi_client_deadline(client);
    pgqrs_status status = pgqrsi_client_check_schema(client, deadline_ms, err);

    if (status == PGQRS_OK)
        status = ask(client, PGQRSI_SQL_ADMIN_VERIFY, deadline_ms, &rows, err);
    if (status == PGQRS_OK)
        status = ask(client, PGQRSI_SQL_QUEUE_LIST, deadline_ms, &queues, err);
    if (status == PGQRS_OK)
        status = make_report(client, rows, queues, out, err);
    else
        pgqrsi_rows_free(rows);
    pgqrsi_rows_free(queues);
    return status;
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
    for (size_t i = 0; i < report->neglected_count; i++)
        pgqrsi_rows_free(report->neglected[i]);
    free(report->neglected);
    free(report);
}

const char *
pgqrs_severity_name(pgqrs_severity value)
{
    static const char *const names[] = {
        [PGQRS_SEVERITY_PROBLEM] = "problem", [PGQRS_SEVERITY_WARNING] = "warning"
    };

    return PGQRSI_ENUM_NAME(names, value);
}
