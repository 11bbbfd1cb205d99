/*
 * Installing and uninstalling: once, by many processes at once, in any schema, and nothing else is
 * dropped.
 */
#include "place.h"

#include <sys/wait.h>
#include <unistd.h>

PLACE_TEST(installing_twice_changes_nothing_more)
{
    struct place *p = *state;
    pgqrs_installed installed = { sizeof(installed), -1, -1 };
    char *before, *after;

    TS_OK(pgqrs_admin_install(p->client, &installed, p->err), p->err);
    assert_int_equal(installed.version_before, 0);
    assert_int_equal(installed.version_now, pgqrs_schema_version());
    place_use(p);
    before = ts_text(p->sql, CATALOG);
    TS_OK(pgqrs_admin_install(p->client, &installed, p->err), p->err);
    assert_int_equal(installed.version_before, pgqrs_schema_version());
    assert_int_equal(installed.version_now, pgqrs_schema_version());
    after = ts_text(p->sql, CATALOG);
    assert_string_equal(before, after);
    assert_int_equal(ts_int(p->sql, "SELECT count(*) FROM pgqrs_messages"), 1);
    assert_int_equal(ts_int(p->sql, "SELECT count(*) FROM pgqrs_migrations"),
                     pgqrs_schema_version());
    free(before);
    free(after);
}

static void
install_in_child(const struct place *p)
{
    pgqrs_error *err = pgqrs_error_new();
    pgqrs_client *client = ts_client(p->dsn, "schema", p->schema, NULL);
    pgqrs_installed installed = { sizeof(installed), -1, -1 };
    pgqrs_status status = pgqrs_admin_install(client, &installed, err);

    if (status != PGQRS_OK)
        fprintf(stderr, "%s\n", pgqrs_error_message(err));
    _exit(status != PGQRS_OK ? 1 : installed.version_before == 0 ? 10 : 11);
}

PLACE_TEST(of_20_processes_that_install_one_does_and_all_succeed)
{
    enum { PROCESSES = 20 };
    struct place *p = *state;
    int did = 0, found = 0, status;

    for (int i = 0; i < PROCESSES; i++) {
        pid_t child = fork();

        TS_TRUE(child >= 0);
        if (child == 0)
            install_in_child(p);
    }
    for (int i = 0; i < PROCESSES; i++) {
        TS_TRUE(wait(&status) > 0);
        did += WIFEXITED(status) && WEXITSTATUS(status) == 10;
        found += WIFEXITED(status) && WEXITSTATUS(status) == 11;
    }
    assert_int_equal(did, 1);
    assert_int_equal(found, PROCESSES - 1);
    place_use(p);
}

PLACE_TEST(a_schema_may_have_any_name)
{
    static const char *const names[] = {
        "o'b\"r;--$body$",
        "back\\slash'\\",
        "Upper Case",
        "\xf0\x9f\x90\x98",
        "%s%n%1$s",
        ":\"schema\" :'schema'",
        "select",
        "pgqrs_queues",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde"
    };
    struct place *p = *state;

    place_leave(p);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char *before, *after;

        place_enter(p, names[i]);
        before = ts_text(p->sql, CATALOG);
        place_install(p);
        assert_string_equal(pgqrs_client_schema(p->client), names[i]);
        place_use(p);
        TS_OK(pgqrs_queue_purge(p->client, text("it's a \"queue\""), p->err), p->err);
        TS_OK(pgqrs_queue_delete(p->client, text("it's a \"queue\""), p->err), p->err);
        TS_OK(pgqrs_admin_uninstall(p->client, p->err), p->err);
        after = ts_text(p->sql, CATALOG);
        assert_string_equal(before, after);
        free(before);
        free(after);
        place_leave(p);
    }
    place_enter(p, "somewhere");
}

PLACE_TEST(a_schema_that_is_missing_is_not_made)
{
    struct place *p = *state;
    pgqrs_report *report;

    ts_sql(p->sql, "DROP SCHEMA somewhere");
    TS_IS(PGQRS_ENOSCHEMA, pgqrs_admin_install(p->client, NULL, p->err), p->err);
    place_expect_message(p, "\"somewhere\"");
    TS_IS(PGQRS_ENOSCHEMA, pgqrs_admin_uninstall(p->client, p->err), p->err);
    TS_IS(PGQRS_ENOSCHEMA, pgqrs_admin_verify(p->client, &report, p->err), p->err);
    TS_IS(PGQRS_ENOSCHEMA, pgqrs_queue_create(p->client, text("q"), NULL, NULL, p->err), p->err);
    assert_int_equal(ts_int(p->sql, "SELECT to_regnamespace('somewhere') IS NULL"), 1);
}

PLACE_TEST(what_is_not_installed_is_reported)
{
    struct place *p = *state;
    pgqrs_report *report;
    pgqrs_queue_list *list;

    TS_IS(PGQRS_ENOTINSTALLED, pgqrs_admin_uninstall(p->client, p->err), p->err);
    TS_IS(PGQRS_ENOTINSTALLED, pgqrs_admin_verify(p->client, &report, p->err), p->err);
    TS_IS(PGQRS_ENOTINSTALLED, pgqrs_queue_create(p->client, text("q"), NULL, NULL, p->err),
          p->err);
    TS_IS(PGQRS_ENOTINSTALLED, pgqrs_queue_list_all(p->client, &list, p->err), p->err);
    place_expect_message(p, "pgqrs install");
    /* The same client finds it once it is there, and misses it when it is gone. */
    place_install(p);
    TS_OK(pgqrs_queue_create(p->client, text("q"), NULL, NULL, p->err), p->err);
    TS_OK(pgqrs_admin_uninstall(p->client, p->err), p->err);
    TS_IS(PGQRS_ENOTINSTALLED, pgqrs_queue_list_all(p->client, &list, p->err), p->err);
}

/* Everything refuses the schema with that status, and leaves it alone. */
static void
expect_all_refuse(struct place *p, pgqrs_status wanted)
{
    char *before = ts_text(p->sql, CATALOG), *after;
    pgqrs_report *report;
    pgqrs_queue_list *list;
    pgqrs_producer *producer;

    place_reconnect(p);
    TS_IS(wanted, pgqrs_queue_create(p->client, text("q"), NULL, NULL, p->err), p->err);
    place_expect_message(p, "version");
    TS_IS(wanted, pgqrs_queue_list_all(p->client, &list, p->err), p->err);
    TS_IS(wanted, pgqrs_producer_open(p->client, text("q"), NULL, &producer, p->err), p->err);
    TS_IS(wanted, pgqrs_admin_verify(p->client, &report, p->err), p->err);
    TS_IS(wanted, pgqrs_admin_uninstall(p->client, p->err), p->err);
    after = ts_text(p->sql, CATALOG);
    assert_string_equal(before, after);
    free(before);
    free(after);
}

PLACE_TEST(a_newer_schema_is_refused)
{
    struct place *p = *state;

    place_install(p);
    ts_sql(p->sql,
           "INSERT INTO pgqrs_migrations (version, name, oldest_library) VALUES (%d, 'of the "
           "future', %d)",
           pgqrs_schema_version() + 1, pgqrs_schema_version() + 1);
    expect_all_refuse(p, PGQRS_ENEWSCHEMA);
    TS_IS(PGQRS_ENEWSCHEMA, pgqrs_admin_install(p->client, NULL, p->err), p->err);
}

/* A later release added a column and a table, and says that this library may go on. */
static void
add_what_a_later_release_adds(PGconn *sql)
{
    ts_sql(sql,
           "BEGIN; ALTER TABLE pgqrs_queues ADD later text; CREATE TABLE pgqrs_later (id bigint); "
           "INSERT INTO pgqrs_migrations (version, name, oldest_library) VALUES (%d, 'additive', "
           "%d); COMMIT",
           pgqrs_schema_version() + 1, pgqrs_schema_version());
}

PLACE_TEST(a_library_goes_on_while_its_schema_is_upgraded_by_a_later_one)
{
    struct place *p = *state;
    pgqrs_installed installed = PGQRS_INSTALLED_INIT;
    pgqrs_producer *producer;
    pgqrs_consumer *consumer;

    place_install(p);
    TS_OK(pgqrs_queue_create(p->client, text("busy"), NULL, NULL, p->err), p->err);
    TS_OK(pgqrs_producer_open(p->client, text("busy"), NULL, &producer, p->err), p->err);
    TS_OK(pgqrs_consumer_open(p->client, text("busy"), NULL, &consumer, p->err), p->err);
    for (int i = 0; i < 200; i++) {
        pgqrs_message_list *list;

        if (i == 100)
            add_what_a_later_release_adds(p->sql);
        TS_OK(pgqrs_producer_enqueue(producer, text("1"), NULL, NULL, p->err), p->err);
        TS_OK(pgqrs_consumer_dequeue(consumer, &list, p->err), p->err);
        assert_int_equal(pgqrs_message_list_count(list), 1);
        TS_OK(pgqrs_consumer_archive(consumer, pgqrs_message_lease(pgqrs_message_list_at(list, 0)),
                                     (pgqrs_slice){ NULL, 0 }, p->err),
              p->err);
        pgqrs_message_list_free(list);
    }
    pgqrs_consumer_close(consumer);
    pgqrs_producer_close(producer);
    /* A process that starts later is refused too, and an installation changes nothing. */
    place_reconnect(p);
    TS_OK(pgqrs_queue_create(p->client, text("other"), NULL, NULL, p->err), p->err);
    TS_OK(pgqrs_admin_install(p->client, &installed, p->err), p->err);
    assert_int_equal(installed.version_now, pgqrs_schema_version() + 1);
    assert_int_equal(ts_int(p->sql, "SELECT count(*) FROM pgqrs_archive"), 200);
    /* Only a library that knows the whole schema uninstalls it. */
    TS_IS(PGQRS_ENEWSCHEMA, pgqrs_admin_uninstall(p->client, p->err), p->err);
}

/* Sessions that need the table queue up after the uninstall, so it waits only two seconds at a
 * time. */
PLACE_TEST(a_table_that_is_locked_for_a_while_is_waited_for)
{
    struct place *p = *state;
    PGconn *other = ts_connect(p->dsn);

    place_install(p);
    ts_sql(other, "SET search_path = %s", pgqrs_client_schema(p->client));
    TS_TRUE(PQsendQuery(other, "BEGIN; LOCK TABLE pgqrs_queues; SELECT pg_sleep(3); COMMIT"));
    ts_wait_until(p->sql, 60000,
                  "SELECT count(*) > 0 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND "
                  "granted AND relation = 'pgqrs_queues'::regclass");
    TS_OK(pgqrs_admin_uninstall(p->client, p->err), p->err);
    PQfinish(other);
}

PLACE_TEST(uninstalling_removes_just_what_was_made)
{
    struct place *p = *state;
    char *before, *after;

    ts_sql(p->sql,
           "CREATE TABLE pgqrs_mine (a int PRIMARY KEY, b text); COMMENT ON TABLE pgqrs_mine IS "
           "'not of pgqrs'; "
           "CREATE FUNCTION pgqrs_create_queue(int) RETURNS int LANGUAGE sql AS 'SELECT 1'; "
           "REVOKE ALL ON FUNCTION pgqrs_create_queue(int) FROM PUBLIC; "
           "INSERT INTO pgqrs_mine VALUES (1, 'kept')");
    before = ts_text(p->sql, CATALOG);
    place_install(p);
    place_use(p);
    TS_OK(pgqrs_admin_uninstall(p->client, p->err), p->err);
    after = ts_text(p->sql, CATALOG);
    assert_string_equal(before, after);
    assert_int_equal(ts_int(p->sql, "SELECT count(*) FROM pgqrs_mine"), 1);
    free(before);
    free(after);
}

PLACE_TEST(uninstalling_stops_at_what_others_built_on_it)
{
    static const char *const built[] = {
        "CREATE VIEW report AS SELECT count(*) FROM pgqrs_messages",
        "CREATE VIEW report AS SELECT count(*) FROM pgqrs_messages_1_ready",
        "CREATE VIEW report AS SELECT pgqrs_create_queue('x')",
        "CREATE VIEW report AS SELECT last_value FROM pgqrs_message_id_seq",
    };
    struct place *p = *state;

    place_install(p);
    ts_number_queues(p->sql, "somewhere");
    ts_sql(p->sql, "REVOKE ALL ON FUNCTION pgqrs_draw_queue_id() FROM PUBLIC");
    place_use(p);
    for (size_t i = 0; i < sizeof(built) / sizeof(built[0]); i++) {
        char *before, *after;

        ts_sql(p->sql, "%s", built[i]);
        before = ts_text(p->sql, CATALOG);
        TS_IS(PGQRS_ESERVER, pgqrs_admin_uninstall(p->client, p->err), p->err);
        assert_string_equal(pgqrs_error_sqlstate(p->err), "2BP01");
        after = ts_text(p->sql, CATALOG);
        assert_string_equal(before, after);
        ts_sql(p->sql, "DROP VIEW report");
        free(before);
        free(after);
    }
    assert_int_equal(place_findings(p, NULL, NULL), 0);
    TS_OK(pgqrs_admin_uninstall(p->client, p->err), p->err);
}

PLACE_TEST(a_dump_that_is_restored_has_its_version_and_works)
{
    struct place *p = *state;
    char *elsewhere = ts_empty_database(), *folder = ts_tmpdir(),
         *file = ts_format("%s/dump.sql", folder);
    const char *original = p->dsn;
    pgqrs_installed installed = PGQRS_INSTALLED_INIT;
    ts_result result;

    place_install(p);
    place_use(p);
    ts_run_args(&result, NULL, "pg_dump", "--dbname", p->dsn, "--schema", p->schema, "--file", file,
                NULL);
    assert_string_equal(result.err, "");
    ts_result_release(&result);
    ts_run_args(&result, NULL, "psql", "--quiet", "--no-psqlrc", "--set", "ON_ERROR_STOP=1",
                "--output", "/dev/null", "--dbname", elsewhere, "--file", file, NULL);
    assert_string_equal(result.err, "");
    ts_result_release(&result);
    p->dsn = elsewhere;
    place_reconnect(p);
    TS_OK(pgqrs_admin_install(p->client, &installed, p->err), p->err);
    assert_int_equal(installed.version_before, pgqrs_schema_version());
    assert_int_equal(place_findings(p, NULL, NULL), 0);
    TS_OK(pgqrs_queue_delete(p->client, text("it's a \"queue\""), p->err), p->err);
    place_use(p);
    TS_OK(pgqrs_admin_uninstall(p->client, p->err), p->err);
    p->dsn = original;
    place_reconnect(p);
    free(elsewhere);
    free(folder);
    free(file);
}

PLACE_TEST(a_database_that_is_not_utf8_is_refused)
{
    struct place *p = *state;
    pgqrs_client *client;
    char *dsn = ts_format("%s dbname=ts_latin1_%d", ts_server(), (int)getpid());

    ts_sql(p->sql, "CREATE DATABASE ts_latin1_%d TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'",
           (int)getpid());
    client = ts_client(dsn, NULL);
    TS_IS(PGQRS_ECONFIG, pgqrs_admin_install(client, NULL, p->err), p->err);
    place_expect_message(p, "UTF8");
    pgqrs_client_close(client);
    ts_sql(p->sql, "DROP DATABASE ts_latin1_%d WITH (FORCE)", (int)getpid());
    free(dsn);
}

/* Makes tables that look like ours as a role of its own, which may create in the schema, and opens
 * them to all. */
static char *
plant_tables(struct place *p, const char *grantee)
{
    char *role = ts_format("ts_planter_%d", (int)getpid());
    char *dsn = ts_format("%s user=%s", p->dsn, role);
    PGconn *planter;

    ts_sql(p->sql, "CREATE ROLE %s LOGIN; GRANT USAGE, CREATE ON SCHEMA somewhere TO %s", role,
           grantee != NULL ? grantee : role);
    planter = ts_connect(dsn);
    ts_sql(
        planter,
        "CREATE TABLE somewhere.pgqrs_migrations (version integer PRIMARY KEY, name text NOT NULL, "
        "oldest_library integer NOT NULL, applied_at timestamptz NOT NULL DEFAULT now()); "
        "INSERT INTO somewhere.pgqrs_migrations VALUES (%d, 'mine', 1); "
        "CREATE TABLE somewhere.pgqrs_queues (id integer, queue_name text, max_attempts integer, "
        "max_crashes integer, backoff_base_ms bigint, backoff_max_ms bigint, created_at "
        "timestamptz); "
        "GRANT ALL ON ALL TABLES IN SCHEMA somewhere TO PUBLIC",
        pgqrs_schema_version());
    PQfinish(planter);
    free(dsn);
    return role;
}

static void
remove_planter(struct place *p, char *role)
{
    ts_sql(p->sql, "DROP OWNED BY %s; DROP ROLE %s; REVOKE ALL ON SCHEMA somewhere FROM PUBLIC",
           role, role);
    free(role);
}

PLACE_TEST(tables_that_a_stranger_made_are_not_taken_for_ours)
{
    struct place *p = *state;
    char *planter = plant_tables(p, NULL);

    TS_IS(PGQRS_EDENIED, pgqrs_admin_install(p->client, NULL, p->err), p->err);
    place_expect_message(p, planter);
    TS_IS(PGQRS_EDENIED, pgqrs_admin_uninstall(p->client, p->err), p->err);
    assert_int_equal(ts_int(p->sql, "SELECT count(*) FROM pgqrs_migrations WHERE name = 'mine'"),
                     1);
    assert_int_equal(
        ts_int(p->sql, "SELECT to_regprocedure('somewhere.pgqrs_purge_queue(text)') IS NULL"), 1);
    remove_planter(p, planter);
    place_install(p);
}

/* Where any role could have created the tables, no client uses them, whether superuser or not. */
PLACE_TEST(where_everybody_may_create_no_client_uses_a_strangers_tables)
{
    struct place *p = *state;
    char *planter = plant_tables(p, "PUBLIC");
    char *other = ts_format("ts_other_%d", (int)getpid());
    char *dsn = ts_format("%s user=%s", p->dsn, other);
    pgqrs_queue_list *list;
    pgqrs_report *report;
    pgqrs_client *client;

    ts_sql(p->sql, "CREATE ROLE %s LOGIN", other);
    client = ts_client(dsn, "schema", "somewhere", NULL);
    TS_IS(PGQRS_EDENIED, pgqrs_queue_list_all(client, &list, p->err), p->err);
    place_expect_message(p, planter);
    TS_IS(PGQRS_EDENIED, pgqrs_queue_create(client, text("q"), NULL, NULL, p->err), p->err);
    TS_IS(PGQRS_EDENIED, pgqrs_queue_list_all(p->client, &list, p->err), p->err);
    TS_IS(PGQRS_EDENIED, pgqrs_admin_verify(p->client, &report, p->err), p->err);
    TS_IS(PGQRS_EDENIED, pgqrs_admin_install(p->client, NULL, p->err), p->err);
    pgqrs_client_close(client);
    ts_sql(p->sql, "DROP OWNED BY %s; DROP ROLE %s", other, other);
    remove_planter(p, planter);
    free(other);
    free(dsn);
}

/* No superuser is needed, and a superuser trusts the schema's owner. */
PLACE_TEST(the_owner_of_a_schema_installs_without_being_a_superuser)
{
    struct place *p = *state;
    char *owner = ts_format("ts_owner_%d", (int)getpid());
    char *dsn = ts_format("%s user=%s", p->dsn, owner);
    pgqrs_client *client;
    pgqrs_queue_list *list;

    ts_sql(p->sql, "CREATE ROLE %s LOGIN; ALTER SCHEMA somewhere OWNER TO %s", owner, owner);
    client = ts_client(dsn, "schema", "somewhere", NULL);
    TS_OK(pgqrs_admin_install(client, NULL, p->err), p->err);
    TS_OK(pgqrs_queue_create(client, text("q"), NULL, NULL, p->err), p->err);
    TS_OK(pgqrs_queue_list_all(p->client, &list, p->err), p->err);
    pgqrs_queue_list_free(list);
    assert_int_equal(place_findings(p, NULL, NULL), 0);
    TS_OK(pgqrs_queue_purge(client, text("q"), p->err), p->err);
    TS_OK(pgqrs_queue_delete(client, text("q"), p->err), p->err);
    TS_OK(pgqrs_admin_uninstall(client, p->err), p->err);
    pgqrs_client_close(client);
    ts_sql(p->sql, "REASSIGN OWNED BY %s TO CURRENT_USER; DROP ROLE %s", owner, owner);
    free(owner);
    free(dsn);
}

TEST_MAIN(NULL, NULL)
