/*
 * The findings of `verify`, and the schema's own promises: every object has a comment, PUBLIC has
 * no rights, and functions find their own names in any search path.
 */
#include "place.h"

#include <unistd.h>

#include "db/statement.h"

struct damage {
    const char *done, *repaired; /* by SQL; the queue is number 1 */
    const char *object, *problem;
};

static const struct damage damages[] = {
    { "ALTER TABLE pgqrs_messages_1_held RENAME TO hidden",
      "ALTER TABLE hidden RENAME TO pgqrs_messages_1_held", "it's a \"queue\"",
      "pgqrs_messages_1_held is missing" },
    { "ALTER TABLE pgqrs_messages_1_ready RENAME TO hidden",
      "ALTER TABLE hidden RENAME TO pgqrs_messages_1_ready", "it's a \"queue\"",
      "pgqrs_messages_1_ready is missing" },
    { "ALTER TABLE pgqrs_archive_1_default RENAME TO hidden",
      "ALTER TABLE hidden RENAME TO pgqrs_archive_1_default", "it's a \"queue\"",
      "pgqrs_archive_1_default is missing" },
    { "CREATE TABLE pgqrs_messages_77 ()", "DROP TABLE pgqrs_messages_77", "pgqrs_messages_77",
      "no queue has" },
    { "CREATE TABLE pgqrs_archive_1_199901 ()", "DROP TABLE pgqrs_archive_1_199901",
      "pgqrs_archive_1_199901", "not attached" },
    { "ALTER TABLE pgqrs_messages DETACH PARTITION pgqrs_messages_1",
      "ALTER TABLE pgqrs_messages ATTACH PARTITION pgqrs_messages_1 FOR VALUES IN (1)",
      "pgqrs_messages_1", "not attached" },
    { "ALTER TABLE pgqrs_messages_1 DETACH PARTITION pgqrs_messages_1_ready",
      "ALTER TABLE pgqrs_messages_1 ATTACH PARTITION pgqrs_messages_1_ready FOR VALUES IN ('r')",
      "pgqrs_messages_1_ready", "not attached" },
    { "INSERT INTO pgqrs_workers (queue_id, host_name, process_id) VALUES (77, 'h', 1)",
      "DELETE FROM pgqrs_workers WHERE queue_id = 77", "worker ", "queue that is not there" },
    { "CREATE TABLE pgqrs_keys_77 ()", "DROP TABLE pgqrs_keys_77", "pgqrs_keys_77",
      "no queue has" },
    { "CREATE SEQUENCE pgqrs_frontier_77", "DROP SEQUENCE pgqrs_frontier_77", "pgqrs_frontier_77",
      "no queue has" },
    { "UPDATE pg_index SET indisvalid = false WHERE indexrelid = "
      "'pgqrs_messages_1_held_id_idx'::regclass",
      "UPDATE pg_index SET indisvalid = true WHERE indexrelid = "
      "'pgqrs_messages_1_held_id_idx'::regclass",
      "pgqrs_messages_1_held_id_idx", "invalid" },
    { "GRANT SELECT ON pgqrs_queues TO PUBLIC", "REVOKE ALL ON pgqrs_queues FROM PUBLIC",
      "pgqrs_queues", "PUBLIC" },
    { "GRANT SELECT ON pgqrs_messages_1_ready TO PUBLIC",
      "REVOKE ALL ON pgqrs_messages_1_ready FROM PUBLIC", "pgqrs_messages_1_ready", "PUBLIC" },
    { "GRANT USAGE ON SEQUENCE pgqrs_message_id_seq TO PUBLIC",
      "REVOKE ALL ON SEQUENCE pgqrs_message_id_seq FROM PUBLIC", "pgqrs_message_id_seq", "PUBLIC" },
    { "GRANT EXECUTE ON FUNCTION pgqrs_purge_queue(text) TO PUBLIC",
      "REVOKE ALL ON FUNCTION pgqrs_purge_queue(text) FROM PUBLIC", "pgqrs_purge_queue(text)",
      "PUBLIC" },
    { "CREATE FUNCTION pgqrs_new() RETURNS int LANGUAGE sql AS 'SELECT 1'",
      "DROP FUNCTION pgqrs_new()", "pgqrs_new()", "PUBLIC" },
    { "GRANT INSERT (payload) ON pgqrs_messages_1_ready TO PUBLIC",
      "REVOKE ALL (payload) ON pgqrs_messages_1_ready FROM PUBLIC",
      "pgqrs_messages_1_ready.payload", "PUBLIC" },
    { "GRANT CREATE ON SCHEMA somewhere TO PUBLIC", "REVOKE CREATE ON SCHEMA somewhere FROM PUBLIC",
      "somewhere", "PUBLIC can create" },
    { "ALTER TABLE pgqrs_messages_1_held OWNER TO pg_monitor",
      "ALTER TABLE pgqrs_messages_1_held OWNER TO CURRENT_USER", "pgqrs_messages_1_held",
      "its owner is pg_monitor" },
    { "ALTER FUNCTION pgqrs_purge_queue(text) OWNER TO pg_monitor",
      "ALTER FUNCTION pgqrs_purge_queue(text) OWNER TO CURRENT_USER", "pgqrs_purge_queue(text)",
      "its owner is pg_monitor" },
    { "ALTER SEQUENCE pgqrs_message_id_seq OWNER TO pg_monitor",
      "ALTER SEQUENCE pgqrs_message_id_seq OWNER TO CURRENT_USER", "pgqrs_message_id_seq",
      "its owner is pg_monitor" },
    { "ALTER TABLE pgqrs_messages_1_ready ENABLE ROW LEVEL SECURITY",
      "ALTER TABLE pgqrs_messages_1_ready DISABLE ROW LEVEL SECURITY", "pgqrs_messages_1_ready",
      "row security" },
    { "ALTER TABLE pgqrs_queues ENABLE ROW LEVEL SECURITY",
      "ALTER TABLE pgqrs_queues DISABLE ROW LEVEL SECURITY", "pgqrs_queues", "row security" },
    { "CREATE PUBLICATION ts_all FOR ALL TABLES; ALTER TABLE pgqrs_messages_1_ready REPLICA "
      "IDENTITY NOTHING",
      "DROP PUBLICATION ts_all; ALTER TABLE pgqrs_messages_1_ready REPLICA IDENTITY USING INDEX "
      "pgqrs_messages_1_ready_id_idx",
      "pgqrs_messages_1_ready", "published" },
    { "CREATE PUBLICATION ts_one FOR TABLE pgqrs_messages_1_held; "
      "ALTER TABLE pgqrs_messages_1_held REPLICA IDENTITY DEFAULT",
      "DROP PUBLICATION ts_one; ALTER TABLE pgqrs_messages_1_held REPLICA IDENTITY USING INDEX "
      "pgqrs_messages_1_held_id_idx",
      "pgqrs_messages_1_held", "published" },
    { "CREATE PUBLICATION ts_one FOR TABLE pgqrs_messages; "
      "ALTER TABLE pgqrs_messages_1_held REPLICA IDENTITY DEFAULT",
      "DROP PUBLICATION ts_one; ALTER TABLE pgqrs_messages_1_held REPLICA IDENTITY USING INDEX "
      "pgqrs_messages_1_held_id_idx",
      "pgqrs_messages_1_held", "published" },
    { "CREATE PUBLICATION ts_one FOR TABLE pgqrs_keys_1; ALTER TABLE pgqrs_keys_1 REPLICA IDENTITY "
      "NOTHING",
      "DROP PUBLICATION ts_one; ALTER TABLE pgqrs_keys_1 REPLICA IDENTITY DEFAULT", "pgqrs_keys_1",
      "published" },
};

PLACE_TEST(every_damage_is_found)
{
    struct place *p = *state;

    place_install(p);
    ts_number_queues(p->sql, "somewhere");
    ts_sql(p->sql, "REVOKE ALL ON FUNCTION pgqrs_draw_queue_id() FROM PUBLIC");
    place_use(p);
    for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
        ts_sql(p->sql, "%s", damages[i].done);
        if (place_findings(p, damages[i].object, damages[i].problem) == 0)
            ts_fail("after %s nothing was said of \"%s\" and \"%s\"", damages[i].done,
                    damages[i].object, damages[i].problem);
        ts_sql(p->sql, "%s", damages[i].repaired);
        if (place_findings(p, NULL, NULL) != 0)
            ts_fail("after %s there is still a problem", damages[i].repaired);
    }
}

PLACE_TEST(a_server_that_may_lose_messages_is_warned_of)
{
    struct place *p = *state;
    char *database = ts_text(p->sql, "SELECT current_database()");

    place_install(p);
    assert_int_equal(place_findings(p, "fsync", "crash"),
                     ts_int(p->sql, "SELECT current_setting('fsync') = 'off'"));
    assert_int_equal(place_findings(p, "synchronous_commit", "crash"), 0);
    ts_sql(p->sql, "ALTER DATABASE %s SET synchronous_commit = off", database);
    place_reconnect(p);
    assert_int_equal(place_findings(p, "synchronous_commit", "crash"), 1);
    assert_int_equal(place_findings(p, NULL, NULL), 0); /* not a problem, a warning */
    ts_sql(p->sql, "ALTER DATABASE %s RESET synchronous_commit", database);
    free(database);
}

PLACE_TEST(problems_come_before_warnings)
{
    struct place *p = *state;
    char *database = ts_text(p->sql, "SELECT current_database()");
    pgqrs_report *report;
    size_t count;

    place_install(p);
    ts_sql(p->sql, "ALTER DATABASE %s SET synchronous_commit = off", database);
    ts_sql(p->sql, "CREATE TABLE pgqrs_messages_77 ()");
    place_reconnect(p);
    TS_OK(pgqrs_admin_verify(p->client, &report, p->err), p->err);
    ts_sql(p->sql, "ALTER DATABASE %s RESET synchronous_commit", database);
    count = pgqrs_report_count(report);
    assert_true(count >= 3);
    assert_int_equal(pgqrs_report_at(report, 0)->severity, PGQRS_SEVERITY_PROBLEM);
    assert_int_equal(pgqrs_report_at(report, count - 1)->severity, PGQRS_SEVERITY_WARNING);
    for (size_t i = 1; i < count; i++)
        assert_true(pgqrs_report_at(report, i)->severity >=
                    pgqrs_report_at(report, i - 1)->severity);
    pgqrs_report_free(report);
    pgqrs_report_free(NULL);
    free(database);
}

/* Warnings, too, are found again and again. */
PLACE_TEST(a_role_that_can_create_in_the_schema_is_warned_of)
{
    struct place *p = *state;

    place_install(p);
    assert_int_equal(place_findings(p, "somewhere", "can create"), 0);
    ts_sql(p->sql, "GRANT CREATE ON SCHEMA somewhere TO pg_monitor");
    assert_int_equal(place_findings(p, "somewhere", "the role pg_monitor can create"), 1);
    ts_sql(p->sql, "REVOKE CREATE ON SCHEMA somewhere FROM pg_monitor");
    assert_int_equal(place_findings(p, "somewhere", "can create"), 0);
}

/* The administrator's default privileges for new objects. */
PLACE_TEST(default_privileges_for_public_do_not_reach_our_objects)
{
    struct place *p = *state;

    ts_sql(p->sql, "ALTER DEFAULT PRIVILEGES IN SCHEMA somewhere GRANT ALL ON TABLES TO PUBLIC; "
                   "ALTER DEFAULT PRIVILEGES IN SCHEMA somewhere GRANT ALL ON SEQUENCES TO PUBLIC; "
                   "ALTER DEFAULT PRIVILEGES IN SCHEMA somewhere GRANT ALL ON FUNCTIONS TO PUBLIC");
    place_install(p);
    place_use(p);
    ts_sql(p->sql, "SELECT pgqrs_prepare_archive(id, interval '70 days') FROM pgqrs_queues");
    assert_int_equal(place_findings(p, NULL, NULL), 0);
    ts_sql(p->sql, "CREATE SEQUENCE pgqrs_frontier_77");
    assert_int_equal(place_findings(p, "pgqrs_frontier_77", "PUBLIC"), 1);
}

PLACE_TEST(where_all_tables_are_published_messages_come_and_go)
{
    struct place *p = *state;

    place_install(p);
    ts_sql(p->sql, "CREATE PUBLICATION ts_all FOR ALL TABLES");
    place_use(p);
    TS_OK(pgqrs_queue_delete(p->client, text("it's a \"queue\""), p->err), p->err);
    ts_sql(p->sql, "DROP PUBLICATION ts_all");
}

/* Both lanes, and a queue of another schema's name does not matter. */
PLACE_TEST(expired_leases_that_nobody_takes_up_are_warned_of)
{
    static const char *const lanes[] = { "r", "h" };
    struct place *p = *state;

    place_install(p);
    TS_OK(pgqrs_queue_create(p->client, text("served"), NULL, NULL, p->err), p->err);
    TS_OK(pgqrs_queue_create(p->client, text("neglected"), NULL, NULL, p->err), p->err);
    for (size_t i = 0; i < 2; i++) {
        ts_sql(p->sql,
               "INSERT INTO pgqrs_messages (queue_id, lane, payload, priority, lease_token, vt, "
               "dequeued_at) SELECT id, '%s', '1', %zu, n, clock_timestamp() - n * interval '59 "
               "s', clock_timestamp() - interval '1 hour' FROM pgqrs_queues, generate_series(1, 3) "
               "AS n WHERE queue_name = 'neglected'",
               lanes[i], i * 7);
        assert_int_equal(place_findings(p, "neglected", i == 0 ? "2 leases" : "4 leases"), 1);
        assert_int_equal(place_findings(p, "served", "lease"), 0);
    }
    assert_int_equal(place_findings(p, NULL, NULL), 0); /* warnings only */
    ts_sql(p->sql, "UPDATE pgqrs_messages SET lease_token = NULL");
    assert_int_equal(place_findings(p, "neglected", "lease"), 0);
}

/* Leases that expired a moment ago, and an old backlog that no consumer has begun. */
PLACE_TEST(what_is_only_late_is_not_called_neglected)
{
    struct place *p = *state;

    place_install(p);
    TS_OK(pgqrs_queue_create(p->client, text("slow"), NULL, NULL, p->err), p->err);
    ts_sql(p->sql,
           "INSERT INTO pgqrs_messages (queue_id, lane, payload, vt) SELECT id, l, '1', "
           "clock_timestamp() - interval '1 day' FROM pgqrs_queues, unnest(ARRAY['r', 'h']) AS l");
    ts_sql(
        p->sql,
        "INSERT INTO pgqrs_messages (queue_id, lane, payload, lease_token, vt) SELECT id, l, '1', "
        "1, clock_timestamp() - interval '20 s' FROM pgqrs_queues, unnest(ARRAY['r', 'h']) AS l");
    assert_int_equal(place_findings(p, "slow", "lease"), 0);
}

/* As verify finds one of ten minutes. */
PLACE_TEST(a_transaction_that_pins_the_horizon_is_found)
{
    struct place *p = *state;
    static uint64_t serials;
    const pgqrsi_statement *statement = NULL;
    PGconn *holder = ts_connect(p->dsn);
    pgqrsi_scope scope;
    char *query, *place, *found;

    place_install(p);
    assert_int_equal(place_findings(p, "process", "has been open"), 0);
    ts_sql(holder, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1");
    pgqrsi_scope_init(&scope, "somewhere", &serials);
    TS_OK(pgqrsi_scope_statement(&scope, PGQRSI_SQL_ADMIN_VERIFY, PGQRSI_LANE_READY, &statement,
                                 NULL),
          NULL);
    query = ts_format("%s", statement->text);
    while ((place = strstr(query, "'10 minutes'")) != NULL)
        memcpy(place, "'00:00:00.0'", strlen("'10 minutes'"));
    *strrchr(query, ';') = '\0';
    found = ts_text(p->sql,
                    "SELECT string_agg(f.o, ' ') FROM (%s) AS f(severity, o, problem) WHERE "
                    "problem LIKE '%%pg_terminate_backend%%'",
                    query);
    place = ts_format("process %d", PQbackendPID(holder));
    assert_non_null(strstr(found, place));
    free(place);
    free(found);
    free(query);
    pgqrsi_scope_release(&scope);
    PQfinish(holder);
}

#define IN_SCHEMA "somewhere'::regnamespace"

PLACE_TEST(everything_has_a_comment)
{
    struct place *p = *state;

    place_install(p);
    place_use(p);
    assert_true(ts_int(p->sql, "SELECT count(*) FROM pg_class WHERE relnamespace = '" IN_SCHEMA
                               " AND relkind IN ('r', 'p')") > 10);
    assert_int_equal(
        ts_int(p->sql, "SELECT count(*) FROM pg_class WHERE relnamespace = '" IN_SCHEMA
                       " AND relkind IN ('r', 'p') AND obj_description(oid, 'pg_class') IS NULL"),
        0);
    assert_int_equal(
        ts_int(p->sql, "SELECT count(*) FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = "
                       "c.oid WHERE c.relnamespace = '" IN_SCHEMA
                       " AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped AND "
                       "col_description(c.oid, a.attnum) IS NULL"),
        0);
    assert_int_equal(ts_int(p->sql, "SELECT count(*) FROM pg_proc WHERE pronamespace = '" IN_SCHEMA
                                    " AND obj_description(oid, 'pg_proc') IS NULL"),
                     0);
}

PLACE_TEST(the_public_may_do_nothing)
{
    struct place *p = *state;
    char *role = ts_format("ts_nobody_%d", (int)getpid());
    char *dsn = ts_format("%s user=%s", p->dsn, role);
    pgqrs_client *nobody;

    place_install(p);
    place_use(p);
    assert_int_equal(
        ts_int(p->sql,
               "SELECT count(*) FROM pg_class, aclexplode(coalesce(relacl, acldefault(CASE relkind "
               "WHEN 'S' THEN 's'::\"char\" ELSE 'r' END, relowner))) AS a "
               "WHERE relnamespace = '" IN_SCHEMA
               " AND relkind IN ('r', 'p', 'S', 'v') AND a.grantee = 0"),
        0);
    assert_int_equal(
        ts_int(p->sql, "SELECT count(*) FROM pg_proc, aclexplode(coalesce(proacl, acldefault('f', "
                       "proowner))) AS a WHERE pronamespace = '" IN_SCHEMA " AND a.grantee = 0"),
        0);
    ts_sql(p->sql, "CREATE ROLE %s LOGIN; GRANT USAGE ON SCHEMA somewhere TO %s", role, role);
    nobody = ts_client(dsn, "schema", "somewhere", NULL);
    TS_IS(PGQRS_EDENIED, pgqrs_queue_create(nobody, text("q"), NULL, NULL, p->err), p->err);
    assert_string_equal(pgqrs_error_sqlstate(p->err), "42501");
    pgqrs_client_close(nobody);
    ts_sql(p->sql, "DROP OWNED BY %s; DROP ROLE %s", role, role);
    free(role);
    free(dsn);
}

PLACE_TEST(functions_look_for_names_where_nobody_else_can_write)
{
    struct place *p = *state;

    place_install(p);
    assert_true(ts_int(p->sql, "SELECT count(*) FROM pg_proc WHERE pronamespace = '" IN_SCHEMA) >=
                4);
    assert_int_equal(ts_int(p->sql, "SELECT count(*) FROM pg_proc WHERE pronamespace = '" IN_SCHEMA
                                    " AND NOT EXISTS ("
                                    "SELECT FROM unnest(proconfig) AS c(setting) WHERE setting = "
                                    "'search_path=pg_catalog, pg_temp')"),
                     0);
    assert_int_equal(ts_int(p->sql, "SELECT count(*) FROM pg_proc WHERE pronamespace = '" IN_SCHEMA
                                    " AND prosecdef"),
                     0);
}

/* Temporary tables of the same names come first unless pg_temp is named last. */
PLACE_TEST(temporary_tables_do_not_shadow_ours)
{
    struct place *p = *state;

    place_install(p);
    ts_sql(p->sql, "CREATE TEMP TABLE pgqrs_queues (LIKE pgqrs_queues INCLUDING ALL); "
                   "CREATE TEMP TABLE pgqrs_keys (LIKE pgqrs_keys)");
    assert_true(ts_int(p->sql, "SELECT somewhere.pgqrs_create_queue('real')") > 0);
    assert_int_equal(ts_int(p->sql, "SELECT count(*) FROM pg_temp.pgqrs_queues"), 0);
    assert_int_equal(ts_int(p->sql, "SELECT count(*) FROM somewhere.pgqrs_queues"), 1);
    ts_sql(p->sql, "DISCARD TEMP");
}

TEST_MAIN(NULL, NULL)
