/*
 * A role that may create in a schema of the search path makes functions, operators, types and
 * collations there that look like those of the catalog, so that a statement of another role calls
 * them. No statement of ours does, and those that run on a connection of the caller's do not even
 * where that schema comes before the catalog.
 */
#include "place.h"

#include <pgqrs/transaction.h>

#include "db/statement.h"

#define USUAL "\"$user\", public"
#define HOSTILE "public, pg_catalog"

#define MANY 100 /* so many plain messages are copied */

static ts_pgbouncer *pooler;
static uint64_t serials;

static char *
read_script(void)
{
    const char *root = getenv("PGQRS_TEST_SOURCE_DIR");
    char *path = ts_format("%s/tests/api/shadows.sql", root != NULL ? root : ".");
    char *script = calloc(1, 65536);
    FILE *file = fopen(path, "r");

    if (file == NULL || script == NULL || fread(script, 1, 65535, file) == 0)
        ts_fail("could not read \"%s\"", path);
    fclose(file);
    free(path);
    return script;
}

/* The names before an opening bracket in everything that we say, as the text of an array. */
static char *
names_in_use(PGconn *sql)
{
    char *names = ts_format("{");

    for (int i = 0; i < PGQRSI_SQL_COUNT; i++) {
        const char *statement = pgqrsi_sql_texts[i].text;
        char *literal = PQescapeLiteral(sql, statement, strlen(statement));
        char *found = ts_text(sql,
                              "SELECT coalesce(string_agg(m[1] || ',', ''), '') "
                              "FROM regexp_matches(%s, '([a-z_0-9]+) *\\(', 'g') AS m",
                              literal);
        char *longer = ts_format("%s%s", names, found);

        free(found);
        free(names);
        names = longer;
        PQfreemem(literal);
    }
    names[strlen(names) - 1] = '}';
    return names;
}

/* Once for all stories, which share their database. */
static void
shade(struct story *s)
{
    static int is_done;
    char *script, *place, *names, *full;

    if (is_done) {
        ts_sql(s->sql, "ALTER SEQUENCE trap.called RESTART");
        return;
    }
    is_done = 1;
    script = read_script();
    names = names_in_use(s->sql);
    place = strstr(script, ":names");
    *place = '\0';
    full = ts_format("%s%s%s", script, names, place + strlen(":names"));
    ts_sql(s->sql, "%s", full);
    ts_sql(s->sql, "SET search_path = " USUAL);
    free(full);
    free(names);
    free(script);
}

/* No query, or several. */
static int
is_other(pgqrsi_sql sql)
{
    return sql == PGQRSI_SQL_PRODUCER_COPY || sql == PGQRSI_SQL_ADMIN_UNINSTALL ||
           sql == PGQRSI_SQL_ADMIN_CREATE_SCHEMA || sql == PGQRSI_SQL_CONNECTION_DEALLOCATE ||
           sql == PGQRSI_SQL_CONNECTION_BEGIN || sql == PGQRSI_SQL_CONNECTION_COMMIT ||
           sql == PGQRSI_SQL_CONNECTION_HEAR || sql == PGQRSI_SQL_CONNECTION_FORGET ||
           sql == PGQRSI_SQL_WAKE_LISTEN || sql == PGQRSI_SQL_CANCELLATION_LISTEN ||
           sql == PGQRSI_SQL_CANCELLATION_UNLISTEN;
}

/* Run on a connection of the caller's, or, the first of all, before the search path is set. */
static int
is_borrowed(pgqrsi_sql sql)
{
    return sql == PGQRSI_SQL_PRODUCER_ENQUEUE_ONE || sql == PGQRSI_SQL_PRODUCER_ENQUEUE_OPTIONS ||
           sql == PGQRSI_SQL_PRODUCER_FIND_KEY || sql == PGQRSI_SQL_CONSUMER_DELETE ||
           sql == PGQRSI_SQL_CONSUMER_ARCHIVE || sql == PGQRSI_SQL_CONSUMER_ARCHIVED ||
           sql == PGQRSI_SQL_CONNECTION_PROBE;
}

/* The types of a statement's parameters, as a list of arguments. */
static char *
types_of(PGconn *sql, const char *statement)
{
    char *types;

    ts_sql(sql, "SET search_path = pg_catalog");
    PQclear(PQprepare(sql, "typed", statement, 0, NULL));
    types = ts_text(
        sql,
        "SELECT string_agg('pg_catalog.' || quote_ident(t.typname), ', ' ORDER BY p.place) FROM "
        "pg_prepared_statements, unnest(parameter_types::oid[]) WITH ORDINALITY AS p(oid, place) "
        "JOIN pg_type AS t ON t.oid = p.oid WHERE name = 'typed'");
    ts_sql(sql, "DEALLOCATE ALL");
    return types;
}

/* Makes the statement the body of a function, whose dependencies tell what it means. Returns the
 * shadows that it means, or why the server did not understand it; NULL if it means none. */
static char *
find_shadows(PGconn *sql, const char *path, const char *statement)
{
    char *types = types_of(sql, statement);
    char *query =
        ts_format("SET search_path = %s; CREATE FUNCTION trap.statement(%s) RETURNS void LANGUAGE "
                  "sql BEGIN ATOMIC %s END",
                  path, types != NULL ? types : "", statement);
    PGresult *result = PQexec(sql, query);
    char *shadows;

    ts_sql(sql, "SET search_path = pg_catalog");
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        shadows = ts_format("%s", PQresultErrorMessage(result));
    else
        shadows = ts_text(sql, "SELECT trap.shadows_of('trap.statement'::regproc)");
    ts_sql(sql, "DROP FUNCTION IF EXISTS trap.statement; SET search_path = " USUAL);
    PQclear(result);
    free(query);
    free(types);
    return shadows;
}

/* Returns 1, and says which, if it means any. */
static int
means_a_shadow(PGconn *sql, const char *path, const pgqrsi_statement *statement)
{
    char *shadows = find_shadows(sql, path, statement->text);

    if (shadows == NULL)
        return 0;
    print_error("%s, with search_path %s: %s\n", statement->name, path, shadows);
    free(shadows);
    return 1;
}

STORY_TEST(no_statement_means_a_shadow)
{
    struct story *s = *state;
    pgqrsi_scope queue;
    int count = 0;

    shade(s);
    pgqrsi_scope_init(&queue, "public", &serials);
    queue.queue_id = 1;
    for (int i = 0; i < PGQRSI_SQL_COUNT; i++) {
        const pgqrsi_statement *statement = NULL;

        if (is_other((pgqrsi_sql)i))
            continue;
        TS_OK(pgqrsi_scope_statement(&queue, (pgqrsi_sql)i, PGQRSI_LANE_READY, &statement, NULL),
              NULL);
        count += means_a_shadow(s->sql, USUAL, statement);
        if (is_borrowed((pgqrsi_sql)i))
            count += means_a_shadow(s->sql, HOSTILE, statement);
    }
    pgqrsi_scope_release(&queue);
    assert_int_equal(count, 0);
}

/* A trap that nobody can fall into proves nothing. */
STORY_TEST(a_statement_that_means_a_shadow_is_noticed)
{
    static const char *const careless[] = {
        "SELECT 'a'::text || 1::bigint;",
        "SELECT 2::bigint * interval '1 ms';",
        "SELECT hashtextextended('a'::text, 0);",
        "SELECT cardinality($1::bigint[]);",
        "SELECT width_bucket(1::bigint, $1::bigint[]);",
        "SELECT public.pgqrs_prepare_archive(1);",
        "SELECT pg_catalog.count(*) WHERE 'a'::varchar = 'b'::text;",
    };
    struct story *s = *state;

    shade(s);
    for (size_t i = 0; i < sizeof(careless) / sizeof(careless[0]); i++) {
        char *shadows = find_shadows(s->sql, USUAL, careless[i]);

        if (shadows == NULL)
            ts_fail("nothing was noticed in %s", careless[i]);
        free(shadows);
    }
    assert_null(find_shadows(s->sql, USUAL, "SELECT 1::bigint = 1::bigint;"));
}

static void
expect_no_call(const struct story *s)
{
    assert_int_equal(ts_int(s->sql, "SELECT is_called::integer FROM trap.called"), 0);
}

/* Every way to enqueue. */
static void
send_all_ways(struct story *s, pgqrs_producer *producer)
{
    pgqrs_enqueue_options options = PGQRS_ENQUEUE_OPTIONS_INIT;
    const pgqrs_enqueue_options *each[3] = { &options, NULL, &options };
    pgqrs_slice payloads[MANY];

    for (size_t i = 0; i < MANY; i++)
        payloads[i] = text("1");
    options.headers = text("{\"a\": 1}");
    options.type = text("t");
    options.priority = 3;
    options.idempotency_key = text("k");
    TS_OK(pgqrs_producer_enqueue(producer, text("1"), NULL, NULL, s->err), s->err);
    TS_OK(pgqrs_producer_enqueue(producer, text("1"), &options, NULL, s->err), s->err);
    TS_OK(pgqrs_producer_enqueue(producer, text("1"), &options, NULL, s->err), s->err);
    TS_OK(pgqrs_producer_enqueue_delayed(producer, text("1"), 1, NULL, s->err), s->err);
    TS_OK(pgqrs_producer_enqueue_batch(producer, payloads, NULL, 3, NULL, s->err), s->err);
    TS_OK(pgqrs_producer_enqueue_batch(producer, payloads, each, 3, NULL, s->err), s->err);
    TS_OK(pgqrs_producer_enqueue_batch(producer, payloads, NULL, MANY, NULL, s->err), s->err);
    pgqrs_producer_wake(producer);
}

/* Takes what is due and ends it in all ways, and lets some leases run out, for the sweep. */
static void
take_all_ways(struct story *s, pgqrs_consumer *consumer)
{
    pgqrs_dequeue_options typed = PGQRS_DEQUEUE_OPTIONS_INIT;
    pgqrs_fail_options for_good = PGQRS_FAIL_OPTIONS_INIT;
    pgqrs_message_list *list = story_take(s, consumer, 30);
    size_t count = pgqrs_message_list_count(list);
    pgqrs_lease leases[30];
    pgqrs_status results[30];

    assert_int_equal(count, 30);
    for (size_t i = 0; i < count; i++)
        leases[i] = pgqrs_message_lease(pgqrs_message_list_at(list, i));
    pgqrs_message_list_free(list);
    for_good.mode = PGQRS_FAIL_FOR_GOOD;
    TS_OK(pgqrs_consumer_extend_visibility_batch(consumer, leases, 20, 60000, results, s->err),
          s->err);
    TS_OK(pgqrs_consumer_delete(consumer, leases[0], s->err), s->err);
    TS_OK(pgqrs_consumer_archive(consumer, leases[1], text("1"), s->err), s->err);
    TS_OK(pgqrs_consumer_archive(consumer, leases[1], text("1"), s->err), s->err);
    TS_OK(pgqrs_consumer_release(consumer, leases[2], 0, s->err), s->err);
    TS_OK(pgqrs_consumer_fail(consumer, leases[3], NULL, NULL, s->err), s->err);
    TS_OK(pgqrs_consumer_fail(consumer, leases[4], &for_good, NULL, s->err), s->err);
    TS_OK(pgqrs_consumer_delete_batch(consumer, leases + 5, 5, results, s->err), s->err);
    TS_OK(pgqrs_consumer_archive_batch(consumer, leases + 10, NULL, 5, results, s->err), s->err);
    TS_OK(pgqrs_consumer_release_batch(consumer, leases + 15, 2, 0, results, s->err), s->err);
    TS_IS(PGQRS_ELEASELOST, pgqrs_consumer_delete(consumer, leases[0], s->err), s->err);
    ts_sql(s->sql,
           "UPDATE pgqrs_messages SET vt = clock_timestamp() WHERE lease_token IS NOT NULL");
    for (int i = 0; i < 3; i++)
        pgqrs_message_list_free(story_take(s, consumer, 5));
    typed.type = text("t");
    TS_OK(pgqrs_consumer_dequeue_batch(consumer, 5, &typed, &list, s->err), s->err);
    pgqrs_message_list_free(list);
    typed.type = text("none");
    TS_OK(pgqrs_consumer_dequeue_batch(consumer, 5, &typed, &list, s->err), s->err);
    pgqrs_message_list_free(list);
}

/* The rest of what there is to call. */
static void
administer(struct story *s, pgqrs_client *client)
{
    pgqrs_message_list *list;
    pgqrs_queue_list *queues;
    pgqrs_archive_list *page;
    pgqrs_archive_options options = PGQRS_ARCHIVE_OPTIONS_INIT;
    pgqrs_queue_counts counts = PGQRS_QUEUE_COUNTS_INIT;
    pgqrs_archive_counts archived = PGQRS_ARCHIVE_COUNTS_INIT;
    pgqrs_report *report;
    int64_t id = ts_int(s->sql, "SELECT min(id) FROM pgqrs_messages"), worker;

    TS_OK(pgqrs_message_get(client, text("jobs"), id, &list, s->err), s->err);
    pgqrs_message_list_free(list);
    TS_OK(pgqrs_message_cancel(client, text("jobs"), id, s->err), s->err);
    TS_OK(pgqrs_queue_list_all(client, &queues, s->err), s->err);
    pgqrs_queue_list_free(queues);
    TS_OK(pgqrs_queue_count(client, text("jobs"), &counts, s->err), s->err);
    TS_OK(pgqrs_archive_count(client, text("jobs"), &archived, s->err), s->err);
    TS_OK(pgqrs_archive_page(client, text("jobs"), NULL, &page, s->err), s->err);
    pgqrs_archive_list_free(page);
    options.outcome = PGQRS_OUTCOME_DEAD;
    TS_OK(pgqrs_archive_page(client, text("jobs"), &options, &page, s->err), s->err);
    id = pgqrs_archive_list_at(page, 0)->message->id;
    pgqrs_archive_list_free(page);
    TS_OK(pgqrs_archive_get(client, text("jobs"), id, &page, s->err), s->err);
    pgqrs_archive_list_free(page);
    TS_OK(pgqrs_registration_add(client, text("jobs"), &worker, s->err), s->err);
    TS_OK(pgqrs_registration_remove(client, worker, s->err), s->err);
    TS_OK(pgqrs_queue_create(client, text("other"), NULL, NULL, s->err), s->err);
    TS_OK(pgqrs_admin_verify(client, &report, s->err), s->err);
    pgqrs_report_free(report);
    TS_OK(pgqrs_queue_purge(client, text("jobs"), s->err), s->err);
    TS_OK(pgqrs_queue_delete(client, text("other"), s->err), s->err);
}

static void
do_all(struct story *s, pgqrs_client *client)
{
    pgqrs_consumer *consumer = story_consumer(s, client, STORY_LEASE_MS);
    pgqrs_producer *producer;

    TS_OK(pgqrs_producer_open(client, text("jobs"), NULL, &producer, s->err), s->err);
    send_all_ways(s, producer);
    take_all_ways(s, consumer);
    administer(s, client);
    pgqrs_producer_close(producer);
    pgqrs_consumer_close(consumer);
    expect_no_call(s);
}

/* Whatever search path the database has. */
STORY_TEST(none_is_called_on_connections_of_our_own)
{
    struct story *s = *state;
    char *database = ts_text(s->sql, "SELECT current_database()");
    pgqrs_client *client;

    shade(s);
    ts_sql(s->sql, "ALTER DATABASE %s SET search_path = " HOSTILE, database);
    client = ts_client(s->dsn, NULL);
    do_all(s, client);
    TS_OK(pgqrs_admin_install(client, NULL, s->err), s->err);
    pgqrs_client_close(client);
    ts_sql(s->sql, "ALTER DATABASE %s RESET search_path", database);
    expect_no_call(s);
    free(database);
}

STORY_TEST(none_is_called_through_a_pooler)
{
    struct story *s = *state;
    pgqrs_client *client;

    shade(s);
    pooler = ts_pgbouncer_start(s->dsn);
    client = ts_client(ts_pgbouncer_dsn(pooler), NULL);
    assert_int_equal(pgqrs_client_is_pooled(client), 1);
    do_all(s, client);
    pgqrs_client_close(client);
}

STORY_TEST(none_is_called_on_a_connection_of_the_callers)
{
    struct story *s = *state;
    PGconn *own = ts_connect(s->dsn);
    pgqrs_enqueue_options options = PGQRS_ENQUEUE_OPTIONS_INIT;
    pgqrs_enqueued enqueued;

    shade(s);
    options.idempotency_key = text("k");
    options.priority = 3;
    ts_sql(own, "SET search_path = " HOSTILE);
    ts_sql(own, "BEGIN");
    for (int i = 0; i < 2; i++) {
        TS_OK(pgqrs_producer_enqueue_on(s->producer, own, text("1"), NULL, NULL, s->err), s->err);
        TS_OK(pgqrs_producer_enqueue_on(s->producer, own, text("1"), &options, &enqueued, s->err),
              s->err);
        assert_int_equal(enqueued.duplicate, i);
    }
    ts_sql(own, "COMMIT; BEGIN");
    TS_OK(pgqrs_consumer_delete_on(s->consumer, own, story_take_one(s, s->consumer), s->err),
          s->err);
    TS_OK(pgqrs_consumer_archive_on(s->consumer, own, story_take_one(s, s->consumer), text("1"),
                                    s->err),
          s->err);
    TS_IS(PGQRS_ELEASELOST,
          pgqrs_consumer_archive_on(s->consumer, own, (pgqrs_lease){ 1, 1 }, text("1"), s->err),
          s->err);
    ts_sql(own, "COMMIT");
    PQfinish(own);
    expect_no_call(s);
}

STORY_TEST(none_is_called_by_our_functions)
{
    struct story *s = *state;
    PGconn *own = ts_connect(s->dsn);
    int64_t id;

    shade(s);
    ts_sql(own, "SET search_path = " HOSTILE);
    ts_sql(own, "SELECT public.pgqrs_create_queue('plain'::pg_catalog.text, 20, 3, 1000::bigint, "
                "1000::bigint)");
    id = ts_int(s->sql, "SELECT id FROM pgqrs_queues WHERE queue_name = 'plain'");
    ts_sql(own, "SELECT public.pgqrs_prepare_archive(%lld, interval '40 days')", (long long)id);
    ts_sql(own,
           "INSERT INTO public.pgqrs_messages (queue_id, lane, payload) VALUES (%lld, 'r', '1')",
           (long long)id);
    ts_sql(own, "SELECT public.pgqrs_purge_queue('plain'::pg_catalog.text)");
    ts_sql(own, "SELECT public.pgqrs_delete_queue('plain'::pg_catalog.text)");
    PQfinish(own);
    expect_no_call(s);
}

int
main(int argc, char **argv)
{
    int failed = found_run(argc, argv, NULL, NULL);

    ts_pgbouncer_stop(pooler);
    return failed;
}
