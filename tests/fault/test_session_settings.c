/*
 * Sessions: read-only ones are closed, and settings of roles and databases do not change what the
 * library's statements mean.
 */
#include "running.h"

#include <pgqrs/transaction.h>

/* Sessions that begin from now on have that setting of the database. */
static void
set_database(struct story *s, const char *assignment)
{
    char *name = ts_text(s->sql, "SELECT quote_ident(current_database())");

    ts_sql(s->sql, "SET default_transaction_read_only = off; ALTER DATABASE %s %s", name,
           assignment);
    free(name);
}

static void
end_other_sessions(struct story *s)
{
    ts_sql(s->sql,
           "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = "
           "current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()");
}

STORY_TEST(a_read_only_session_is_told_from_a_standby)
{
    struct story *s = *state;
    pgqrs_client *client = NULL;
    pgqrs_config *config;

    set_database(s, "SET default_transaction_read_only = on");
    TS_OK(pgqrs_config_new(&config, s->err), s->err);
    TS_OK(pgqrs_config_set(config, text("dsn"), text(s->dsn), s->err), s->err);
    TS_IS(PGQRS_ECONNECT, pgqrs_client_open(config, &client, s->err), s->err);
    story_expect_message(s, "default_transaction_read_only is on");
    assert_null(strstr(pgqrs_error_message(s->err), "standby"));
    assert_true(pgqrs_error_is_transient(s->err));
    set_database(s, "RESET default_transaction_read_only");
    pgqrs_config_free(config);
}

/* As services do when a disk is nearly full; the sessions are ended once, and get the setting
 * then. */
STORY_TEST(a_client_goes_on_when_the_server_can_be_written_to_again)
{
    struct story *s = *state;

    story_send(s, "1");
    set_database(s, "SET default_transaction_read_only = on");
    end_other_sessions(s);
    TS_IS(PGQRS_ECONNECT, pgqrs_producer_enqueue(s->producer, text("2"), NULL, NULL, s->err),
          s->err);
    story_expect_message(s, "read-only");
    set_database(s, "RESET default_transaction_read_only");
    story_send(s, "3");
    assert_int_equal(story_stored(s), 2);
}

/* Read-only from within: the session itself is asked again and again. */
STORY_TEST(a_connection_that_became_read_only_is_given_up)
{
    static const pgqrs_slice payloads[100] = { [0 ... 99] = { "1", 1 } };
    struct story *s = *state;
    pgqrs_enqueued out[100];

    for (int copies = 0; copies < 2; copies++) {
        ts_sql(s->sql,
               "CREATE OR REPLACE FUNCTION become_read_only() RETURNS trigger LANGUAGE plpgsql AS "
               "$$ BEGIN PERFORM set_config('default_transaction_read_only', 'on', false); RETURN "
               "NEW; END $$; CREATE TRIGGER become_read_only BEFORE INSERT ON " READY
               " FOR EACH ROW EXECUTE FUNCTION become_read_only()");
        story_send(s, "1"); /* its session is read-only from now on */
        ts_sql(s->sql, "DROP TRIGGER become_read_only ON " READY);
        if (copies)
            (void)pgqrs_producer_enqueue_batch(s->producer, payloads, NULL, 100, out, s->err);
        else
            (void)pgqrs_producer_enqueue(s->producer, text("2"), NULL, NULL, s->err);
        TS_OK(pgqrs_producer_enqueue(s->producer, text("3"), NULL, NULL, s->err), s->err);
    }
}

static pgqrs_job_outcome
done(pgqrs_job *job, void *arg)
{
    (void)job;
    (void)arg;
    return PGQRS_JOB_DONE;
}

RUNNING_TEST(a_worker_goes_on_when_the_server_can_be_written_to_again)
{
    struct story *s = *state;
    pgqrs_worker *worker = running_start(s, NULL, NULL, done, NULL);

    story_send(s, "1");
    running_await(s, 1);
    set_database(s, "SET default_transaction_read_only = on");
    end_other_sessions(s);
    ts_sql(s->sql, "INSERT INTO " READY " (payload) VALUES ('2')");
    ts_wait_until(s->sql, 30000,
                  "SELECT count(*) > 0 FROM pg_stat_database WHERE datname = current_database()");
    set_database(s, "RESET default_transaction_read_only");
    running_await(s, 2);
    running_end(s, worker);
}

/* Each of these settings changed what a statement of the library meant, or could. */
STORY_TEST(settings_of_the_database_do_not_reach_our_sessions)
{
    static const char *const hostile[][3] = {
        { "search_path", "evil, public", "pg_catalog, pg_temp" },
        { "DateStyle", "German", "ISO, MDY" },
        { "TimeZone", "Asia/Kolkata", "UTC" },
        { "IntervalStyle", "iso_8601", "postgres" },
        { "extra_float_digits", "-15", "1" },
        { "bytea_output", "escape", "hex" },
        { "transform_null_equals", "on", "off" },
    };
    struct story *s = *state;
    pgqrs_client *client;

    ts_sql(s->sql,
           "CREATE TABLE seen (name text, value text); GRANT ALL ON seen TO PUBLIC;"
           "CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO "
           "public.seen SELECT name, setting FROM pg_catalog.pg_settings; RETURN NEW; END $$; "
           "CREATE TRIGGER see BEFORE INSERT ON " READY " FOR EACH ROW EXECUTE FUNCTION see()");
    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        char *assignment =
            ts_format("SET \"%s\" = %s", hostile[i][0], i == 0 ? "evil, public" : "");
        char *quoted = ts_format("SET \"%s\" = '%s'", hostile[i][0], hostile[i][1]);

        set_database(s, i == 0 ? assignment : quoted);
        free(assignment);
        free(quoted);
    }
    client = ts_client(s->dsn, NULL);
    pgqrs_producer_close(s->producer);
    TS_OK(pgqrs_producer_open(client, text("jobs"), NULL, &s->producer, s->err), s->err);
    story_send(s, "1");
    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        char *value = ts_text(s->sql, "SELECT value FROM seen WHERE name = '%s'", hostile[i][0]);

        assert_string_equal(value, hostile[i][2]);
        free(value);
    }
    set_database(s, "RESET ALL");
    ts_sql(s->sql, "DROP FUNCTION see() CASCADE; DROP TABLE seen");
    pgqrs_producer_close(s->producer);
    s->producer = NULL;
    pgqrs_client_close(client);
}

/* The server would read the library's UTF-8 as text of another encoding. */
STORY_TEST(a_borrowed_connection_of_another_encoding_is_refused)
{
    static const char *const encodings[] = { "LATIN1", "SQL_ASCII", "WIN1252", "SJIS", "EUC_JP" };
    struct story *s = *state;
    PGconn *own = ts_connect(s->dsn);
    pgqrs_lease lease;

    story_send(s, "1");
    lease = story_take_one(s, s->consumer);
    for (size_t i = 0; i < sizeof(encodings) / sizeof(encodings[0]); i++) {
        ts_sql(own, "SET client_encoding = '%s'; BEGIN", encodings[i]);
        TS_IS(PGQRS_EINVAL,
              pgqrs_producer_enqueue_on(s->producer, own, text("\"\xc3\xa4\""), NULL, NULL, s->err),
              s->err);
        story_expect_message(s, "UTF8");
        TS_IS(PGQRS_EINVAL, pgqrs_consumer_archive_on(s->consumer, own, lease, text("1"), s->err),
              s->err);
        ts_sql(own, "ROLLBACK");
    }
    ts_sql(own, "SET client_encoding = 'UTF8'; BEGIN");
    TS_OK(pgqrs_producer_enqueue_on(s->producer, own, text("\"\xc3\xa4\""), NULL, NULL, s->err),
          s->err);
    ts_sql(own, "COMMIT");
    assert_int_equal(
        ts_int(s->sql, "SELECT count(*) FROM pgqrs_messages WHERE payload = '\"\\u00e4\"'"), 1);
    PQfinish(own);
}

/* Every setting that might change what parameters and rows mean: the same is stored as without
 * them. */
STORY_TEST(settings_of_a_borrowed_connection_do_not_change_what_is_stored)
{
    struct story *s = *state;
    PGconn *own = ts_connect(s->dsn);
    pgqrs_enqueue_options options = PGQRS_ENQUEUE_OPTIONS_INIT;

    options.delay_ms = 3600000;
    options.headers = text("{\"a\": \"b\\\\c'd\"}");
    ts_sql(own, "SET DateStyle = 'German'; SET TimeZone = 'Asia/Kolkata'; SET IntervalStyle = "
                "'iso_8601'; SET bytea_output = 'escape'; SET extra_float_digits = -15; SET "
                "standard_conforming_strings = off; SET backslash_quote = off; SET array_nulls = "
                "off; SET transform_null_equals = on; SET search_path = pg_temp; SET "
                "quote_all_identifiers = on; BEGIN");
    TS_OK(pgqrs_producer_enqueue_on(s->producer, own, text("\"b\\\\c'd\""), &options, NULL, s->err),
          s->err);
    ts_sql(own, "COMMIT");
    assert_int_equal(
        ts_int(s->sql,
               "SELECT count(*) FROM pgqrs_messages WHERE payload = '\"b\\\\c''d\"' AND headers = "
               "'{\"a\": \"b\\\\c''d\"}' AND vt BETWEEN now() + '59 min' AND now() + '61 min'"),
        1);
    PQfinish(own);
}

/* Statements and scripts of all kinds in a schema that no search path holds, with shadows in
 * front. */
STORY_TEST(shadows_in_front_of_the_catalog_are_not_called_by_the_probe)
{
    struct story *s = *state;

    ts_sql(s->sql,
           "CREATE SCHEMA evil; GRANT USAGE ON SCHEMA evil TO PUBLIC; CREATE TABLE evil.called "
           "(what text);CREATE FUNCTION evil.pg_backend_pid() RETURNS integer LANGUAGE plpgsql AS "
           "$$ BEGIN INSERT INTO evil.called VALUES ('pid'); RETURN 1; END $$;"
           "CREATE FUNCTION evil.set_config(text, text, boolean) RETURNS text LANGUAGE plpgsql AS "
           "$$ BEGIN INSERT INTO evil.called VALUES ('set'); RETURN 1; END $$;"
           "CREATE FUNCTION evil.pg_is_in_recovery() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN "
           "INSERT INTO evil.called VALUES ('recovery'); RETURN false; END $$;"
           "CREATE FUNCTION evil.current_setting(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN "
           "INSERT INTO evil.called VALUES ('current'); RETURN 'off'; END $$;"
           "CREATE FUNCTION evil.equal(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS $$ "
           "BEGIN INSERT INTO evil.called VALUES ('='); RETURN true; END $$;"
           "CREATE OPERATOR evil.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = evil.equal)");
    set_database(s, "SET search_path = evil, pg_catalog, public");
    pgqrs_client_close(ts_client(s->dsn, NULL));
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM evil.called"), 0);
    set_database(s, "RESET ALL");
    ts_sql(s->sql, "DROP SCHEMA evil CASCADE");
}

TEST_MAIN(NULL, NULL)
