/*
 * A schema of its own, without pgqrs, and a client on it: where the tests of installing begin.
 */
#ifndef TESTS_API_PLACE_H
#define TESTS_API_PLACE_H

#include "story.h"

#define PLACE_TEST(name) TEST_WITH(name, place_open, place_close)

/* Every object in the database except temporary tables and statistics. */
#define CATALOG                                                                                    \
    "SELECT md5(string_agg(what, ',' ORDER BY what)) FROM ("                                       \
    "SELECT 'class ' || oid || relname || coalesce(relacl::text, '') AS what FROM pg_class UNION " \
    "ALL "                                                                                         \
    "SELECT 'function ' || oid || proname || coalesce(proacl::text, '') FROM pg_proc UNION ALL "   \
    "SELECT 'type ' || oid FROM pg_type UNION ALL "                                                \
    "SELECT 'constraint ' || oid FROM pg_constraint UNION ALL "                                    \
    "SELECT 'index ' || indexrelid FROM pg_index UNION ALL "                                       \
    "SELECT 'default ' || oid FROM pg_attrdef UNION ALL "                                          \
    "SELECT 'comment ' || objoid || ' ' || objsubid FROM pg_description UNION ALL "                \
    "SELECT 'schema ' || oid || coalesce(nspacl::text, '') FROM pg_namespace) AS catalog"

struct place {
    const char *dsn;
    const char *schema;
    PGconn *sql; /* its search_path is the schema */
    pgqrs_client *client;
    pgqrs_error *err;
};

static inline void
place_enter(struct place *p, const char *schema)
{
    char *identifier;

    p->schema = schema;
    identifier = PQescapeIdentifier(p->sql, schema, strlen(schema));
    ts_sql(p->sql, "DROP SCHEMA IF EXISTS %s CASCADE", identifier);
    ts_sql(p->sql, "CREATE SCHEMA %s", identifier);
    ts_sql(p->sql, "SET search_path = %s", identifier);
    PQfreemem(identifier);
    p->client = ts_client(p->dsn, "schema", schema, NULL);
}

static inline void
place_leave(struct place *p)
{
    char *identifier = PQescapeIdentifier(p->sql, p->schema, strlen(p->schema));

    pgqrs_client_close(p->client);
    ts_sql(p->sql, "DROP SCHEMA IF EXISTS %s CASCADE", identifier);
    PQfreemem(identifier);
}

static inline int
place_open(void **state)
{
    static char *dsn;
    struct place *p = calloc(1, sizeof(*p));

    if (p == NULL)
        ts_fail("out of memory");
    if (dsn == NULL)
        dsn = ts_empty_database();
    p->dsn = dsn;
    p->sql = ts_connect(dsn);
    p->err = pgqrs_error_new();
    place_enter(p, "somewhere");
    *state = p;
    return 0;
}

static inline int
place_close(void **state)
{
    struct place *p = *state;

    place_leave(p);
    pgqrs_error_free(p->err);
    PQfinish(p->sql);
    free(p);
    return 0;
}

static inline void
place_install(struct place *p)
{
    TS_OK(pgqrs_admin_install(p->client, NULL, p->err), p->err);
}

static inline void
place_reconnect(struct place *p)
{
    pgqrs_client_close(p->client);
    p->client = ts_client(p->dsn, "schema", p->schema, NULL);
}

static inline void
place_expect_message(const struct place *p, const char *part)
{
    if (strstr(pgqrs_error_message(p->err), part) == NULL)
        ts_fail("\"%s\" does not say \"%s\"", pgqrs_error_message(p->err), part);
}

/* How many findings of `verify` have `part` in their text; NULL: how many problems there are. */
static inline int
place_findings(struct place *p, const char *object, const char *part)
{
    pgqrs_report *report;
    int count = 0;

    TS_OK(pgqrs_admin_verify(p->client, &report, p->err), p->err);
    for (size_t i = 0; i < pgqrs_report_count(report); i++) {
        const pgqrs_finding *finding = pgqrs_report_at(report, i);

        if (part == NULL)
            count += finding->severity == PGQRS_SEVERITY_PROBLEM;
        else
            count +=
                memmem(finding->object.data, finding->object.size, object, strlen(object)) !=
                    NULL &&
                memmem(finding->problem.data, finding->problem.size, part, strlen(part)) != NULL;
    }
    assert_null(pgqrs_report_at(report, pgqrs_report_count(report)));
    pgqrs_report_free(report);
    return count;
}

/* Uses most calls, so that a name that is quoted wrongly makes one fail. */
static inline void
place_use(struct place *p)
{
    pgqrs_slice name = text("it's a \"queue\"");
    pgqrs_enqueue_options keyed = PGQRS_ENQUEUE_OPTIONS_INIT;
    pgqrs_producer *producer;
    pgqrs_consumer *consumer;
    pgqrs_message_list *list;
    pgqrs_queue_counts counts = PGQRS_QUEUE_COUNTS_INIT;
    pgqrs_archive_counts archived = PGQRS_ARCHIVE_COUNTS_INIT;
    int64_t worker;

    keyed.idempotency_key = text("k");
    keyed.priority = 1;
    TS_OK(pgqrs_queue_create(p->client, name, NULL, NULL, p->err), p->err);
    TS_OK(pgqrs_producer_open(p->client, name, NULL, &producer, p->err), p->err);
    TS_OK(pgqrs_consumer_open(p->client, name, NULL, &consumer, p->err), p->err);
    TS_OK(pgqrs_registration_add(p->client, name, &worker, p->err), p->err);
    TS_OK(pgqrs_producer_enqueue(producer, text("1"), NULL, NULL, p->err), p->err);
    TS_OK(pgqrs_producer_enqueue(producer, text("1"), &keyed, NULL, p->err), p->err);
    TS_OK(pgqrs_consumer_dequeue_batch(consumer, 5, NULL, &list, p->err), p->err);
    assert_int_equal(pgqrs_message_list_count(list), 2);
    TS_OK(pgqrs_consumer_archive(consumer, pgqrs_message_lease(pgqrs_message_list_at(list, 0)),
                                 text("1"), p->err),
          p->err);
    TS_OK(pgqrs_consumer_fail(consumer, pgqrs_message_lease(pgqrs_message_list_at(list, 1)), NULL,
                              NULL, p->err),
          p->err);
    pgqrs_message_list_free(list);
    TS_OK(pgqrs_consumer_dequeue_batch(consumer, 5, NULL, &list, p->err), p->err); /* sweeps */
    pgqrs_message_list_free(list);
    TS_OK(pgqrs_queue_count(p->client, name, &counts, p->err), p->err);
    TS_OK(pgqrs_archive_count(p->client, name, &archived, p->err), p->err);
    assert_int_equal(archived.done, 1);
    assert_int_equal(counts.delayed, 1);
    assert_int_equal(place_findings(p, NULL, NULL), 0);
    pgqrs_producer_close(producer);
    pgqrs_consumer_close(consumer);
}

#endif
