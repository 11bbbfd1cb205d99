/*
 * Each statement returns what the head of its file declares, according to the server. The library
 * refuses an answer of another shape (fault/test_fake_server).
 */
#include "support.h"

#include "../../src/db/statement.h"

static uint64_t serials;

/* Not to be prepared: several statements in one, or none that the server knows by that text. */
static int
is_script(pgqrsi_sql sql)
{
    return sql == PGQRSI_SQL_PRODUCER_COPY || sql == PGQRSI_SQL_ADMIN_UNINSTALL ||
           sql == PGQRSI_SQL_CONNECTION_DEALLOCATE;
}

/* Types as a head declares them. */
static char *
columns_of(PGconn *sql, const PGresult *result)
{
    char *columns = ts_format("%s", PQnfields(result) == 0 ? "none" : "");

    for (int i = 0; i < PQnfields(result); i++) {
        char *name = ts_text(sql,
                             "SELECT CASE WHEN t.typelem <> 0 AND t.typlen = -1 THEN e.typname || "
                             "'[]' ELSE t.typname END FROM pg_type AS t LEFT JOIN pg_type AS e ON "
                             "e.oid = t.typelem WHERE t.oid = %u",
                             PQftype(result, i));
        char *longer = ts_format("%s%s%s", columns, i > 0 ? " " : "", name);

        free(columns);
        free(name);
        columns = longer;
    }
    return columns;
}

static void
expect_shape(PGconn *sql, const pgqrsi_statement *statement)
{
    const pgqrsi_shape *shape = statement->shape;
    PGresult *result = PQprepare(sql, "described", statement->text, 0, NULL);
    char *columns;
    int same;

    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        ts_fail("%s could not be prepared: %s", statement->name, PQerrorMessage(sql));
    PQclear(result);
    result = PQdescribePrepared(sql, "described");
    same = shape->rows != PGQRSI_ROWS_UNDECLARED && shape->column_count == PQnfields(result);
    for (int i = 0; same && i < PQnfields(result); i++)
        same = shape->columns[i] == PQftype(result, i);
    if (same && shape->rows > PQnparams(result))
        ts_fail("%s: \"-- Rows: $%d\" names no parameter", statement->name, shape->rows);
    if (same && (shape->rows == PGQRSI_ROWS_NONE) != (PQnfields(result) == 0))
        ts_fail("%s: no rows go with no columns", statement->name);
    columns = columns_of(sql, result);
    if (!same)
        ts_fail("%s: declare \"-- Columns: %s\" and \"-- Rows: ...\" in the head of its file",
                statement->name, columns);
    free(columns);
    PQclear(result);
    ts_sql(sql, "DEALLOCATE described");
}

TEST(every_statement_returns_what_its_head_declares)
{
    char *dsn = ts_database();
    pgqrs_client *client = ts_client(dsn, NULL);
    PGconn *sql = ts_connect(dsn);
    pgqrsi_scope queue;

    (void)state;
    TS_OK(pgqrs_queue_create(client, pgqrs_slice_of("jobs"), NULL, NULL, NULL), NULL);
    pgqrs_client_close(client);
    pgqrsi_scope_init(&queue, "public", &serials);
    queue.queue_id = ts_int(sql, "SELECT id FROM pgqrs_queues");
    for (int i = 0; i < PGQRSI_SQL_COUNT; i++) {
        for (int lane = PGQRSI_LANE_READY; lane <= PGQRSI_LANE_HELD; lane++) {
            const pgqrsi_statement *statement = NULL;

            TS_OK(
                pgqrsi_scope_statement(&queue, (pgqrsi_sql)i, (pgqrsi_lane)lane, &statement, NULL),
                NULL);
            if (!is_script((pgqrsi_sql)i))
                expect_shape(sql, statement);
        }
    }
    pgqrsi_scope_release(&queue);
    PQfinish(sql);
    free(dsn);
}

TEST_MAIN(NULL, NULL)
