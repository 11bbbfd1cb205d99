/*
 * Settings of a database, a role or a session that change how dates and times are written: the
 * months of the archive are those of UTC all the same, and are made again and again.
 */
#include "story.h"

/* One for each way to write dates, with time zones far from UTC that have odd offsets. */
static const struct settings {
    const char *date_style, *zone, *interval_style;
} settings[] = {
    { "SQL, DMY", "Asia/Kathmandu", "sql_standard" },
    { "German", "America/St_Johns", "iso_8601" },
    { "Postgres, MDY", "Pacific/Kiritimati", "postgres_verbose" },
    { "ISO, YMD", "Pacific/Marquesas", "postgres" },
    { "SQL, MDY", "<+0545>-05:45", "postgres" },
};

#define COUNT (sizeof(settings) / sizeof(settings[0]))

/* What each month of the archive of queue 1 should be, and is, in a session of plain settings. */
#define WRONG_MONTHS                                                                               \
    "SELECT count(*) FROM pg_class AS c, LATERAL (SELECT to_date(right(c.relname, 6), "            \
    "'YYYYMM')::timestamp "                                                                        \
    "AS "                                                                                          \
    "begins) AS m WHERE c.relname ~ '^pgqrs_archive_1_[0-9]{6}$' AND c.relkind = 'r' AND "         \
    "pg_get_expr(c.relpartbound, c.oid) IS DISTINCT FROM format('FOR VALUES FROM (''done'', %%L) " \
    "TO "                                                                                          \
    "(''done'', %%L)', "                                                                           \
    "to_char(m.begins, 'YYYY-MM-DD HH24:MI:SS') || '+00', "                                        \
    "to_char(m.begins + interval '1 month', 'YYYY-MM-DD HH24:MI:SS') || '+00')"

#define MONTHS                                                                                     \
    "SELECT count(*) FROM pg_class WHERE relname ~ '^pgqrs_archive_1_[0-9]{6}$' AND relkind = 'r'"

/* For all sessions of the database, or for those of the role. */
static void
change(const struct story *s, int is_for_role, const struct settings *to)
{
    char *database = ts_text(s->sql, "SELECT current_database()");
    char *what = is_for_role ? ts_format("ROLE postgres IN DATABASE %s", database)
                             : ts_format("DATABASE %s", database);

    if (to == NULL)
        ts_sql(s->sql, "ALTER %s RESET ALL", what);
    else
        ts_sql(s->sql,
               "ALTER %s SET datestyle = '%s'; ALTER %s SET timezone = '%s'; ALTER %s SET "
               "intervalstyle = '%s'",
               what, to->date_style, what, to->zone, what, to->interval_style);
    free(database);
    free(what);
}

static int
problems(struct story *s, pgqrs_client *client, char *text_of_last, size_t size)
{
    pgqrs_report *report;
    int count = 0;

    TS_OK(pgqrs_admin_verify(client, &report, s->err), s->err);
    for (size_t i = 0; i < pgqrs_report_count(report); i++) {
        const pgqrs_finding *finding = pgqrs_report_at(report, i);

        if (finding->severity != PGQRS_SEVERITY_PROBLEM)
            continue;
        count++;
        if (text_of_last != NULL)
            snprintf(text_of_last, size, "%.*s", (int)finding->problem.size, finding->problem.data);
    }
    pgqrs_report_free(report);
    return count;
}

static void
expect_right_months(struct story *s, const struct settings *under)
{
    ts_sql(s->sql, "SET timezone = 'UTC'; SET datestyle = 'ISO, YMD'");
    if (ts_int(s->sql, WRONG_MONTHS) != 0)
        ts_fail("with %s and %s there are wrong months", under->date_style, under->zone);
}

/* A queue made by plain SQL in such a session, and its next months. */
static void
make_by_sql(struct story *s, const struct settings *under)
{
    PGconn *own = ts_connect(s->dsn);
    long long months;

    ts_sql(own, "SELECT pgqrs_delete_queue('jobs'); ALTER SEQUENCE ts_queue_id RESTART; SELECT "
                "pgqrs_create_queue('jobs')");
    expect_right_months(s, under);
    months = ts_int(s->sql, MONTHS);
    assert_in_range(months, 1, 2);
    ts_sql(own, "SELECT pgqrs_prepare_archive(1, interval '100 days')");
    expect_right_months(s, under);
    assert_true(ts_int(s->sql, MONTHS) >= 4);
    ts_sql(own, "INSERT INTO pgqrs_messages (queue_id, lane, payload) VALUES (1, 'r', '1')");
    PQfinish(own);
}

/* The calls of a client that cannot change its session's settings. */
static void
work_through_a_pooler(struct story *s)
{
    ts_pgbouncer *pooler = ts_pgbouncer_start(s->dsn);
    pgqrs_client *client = ts_client(ts_pgbouncer_dsn(pooler), NULL);
    pgqrs_consumer *consumer = story_consumer(s, client, STORY_LEASE_MS);
    pgqrs_archive_list *page;
    pgqrs_lease lease;

    assert_int_equal(pgqrs_client_is_pooled(client), 1);
    assert_int_equal(problems(s, client, NULL, 0), 0);
    lease = story_take_one(s, consumer);
    TS_OK(pgqrs_consumer_extend_visibility(consumer, lease, 60000, s->err), s->err);
    TS_OK(pgqrs_consumer_release(consumer, lease, 0, s->err), s->err);
    TS_OK(pgqrs_consumer_archive(consumer, story_take_one(s, consumer), text("1"), s->err), s->err);
    TS_OK(pgqrs_archive_page(client, text("jobs"), NULL, &page, s->err), s->err);
    assert_int_equal(pgqrs_archive_list_count(page), 1);
    assert_in_range(pgqrs_archive_list_at(page, 0)->processing_duration_ms, 0, 60000);
    pgqrs_archive_list_free(page);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive_1_default"), 0);
    pgqrs_consumer_close(consumer);
    pgqrs_client_close(client);
    ts_pgbouncer_stop(pooler);
}

STORY_TEST(months_are_those_of_utc_whatever_the_settings)
{
    struct story *s = *state;

    for (size_t i = 0; i < COUNT; i++) {
        int is_for_role = (int)(i % 2);
        pgqrs_client *client;

        change(s, is_for_role, &settings[i]);
        make_by_sql(s, &settings[i]);
        client = ts_client(s->dsn, NULL);
        assert_int_equal(problems(s, client, NULL, 0), 0);
        TS_OK(pgqrs_queue_create(client, text("another"), NULL, NULL, s->err), s->err);
        assert_int_equal(problems(s, client, NULL, 0), 0);
        TS_OK(pgqrs_queue_delete(client, text("another"), s->err), s->err);
        pgqrs_client_close(client);
        work_through_a_pooler(s);
        change(s, is_for_role, NULL);
    }
}

/* Runs the statements that verify advises, with its placeholders filled in. */
static void
follow_advice(struct story *s, char *advice, const char *table)
{
    static const char *const steps[] = { "ALTER TABLE pgqrs_archive_1 DETACH",
                                         "ALTER TABLE it RENAME", "SELECT pgqrs_prepare_archive",
                                         "INSERT INTO pgqrs_archive_1", "DROP TABLE that" };

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        char *from = strstr(advice, steps[i]);
        char *statement, *it;

        if (from == NULL)
            ts_fail("\"%s\" does not say \"%s\"", advice, steps[i]);
        statement = ts_format("%.*s", (int)strcspn(from, ";"), from);
        it = strstr(statement, i == 0 ? "PARTITION it" : " it ");
        if (i == 0)
            ts_sql(s->sql, "%.*sPARTITION %s", (int)(it - statement), statement, table);
        else if (i == 1)
            ts_sql(s->sql, "ALTER TABLE %s RENAME TO aside", table);
        else if (strstr(statement, "that") != NULL)
            ts_sql(s->sql, "%.*saside", (int)(strstr(statement, "that") - statement), statement);
        else
            ts_sql(s->sql, "%s", statement);
        free(statement);
    }
}

/* As earlier versions made them in such sessions. */
STORY_TEST(wrong_bounds_are_found_and_the_advice_mends_them)
{
    struct story *s = *state;
    char *table = ts_text(s->sql, "SELECT min(relname) FROM pg_class WHERE relname ~ "
                                  "'^pgqrs_archive_1_[0-9]{6}$' AND relkind = 'r'");
    char advice[1024];

    story_send(s, "1");
    TS_OK(pgqrs_consumer_archive(s->consumer, story_take_one(s, s->consumer), text("1"), s->err),
          s->err);
    ts_sql(s->sql,
           "DO $d$ DECLARE t text; BEGIN FOR t IN SELECT relname FROM pg_class WHERE relname ~ "
           "'^pgqrs_archive_1_[0-9]{6}$' AND relkind = 'r' AND relname > '%s' LOOP EXECUTE 'DROP "
           "TABLE ' || t; "
           "END LOOP; END $d$",
           table);
    ts_sql(s->sql,
           "ALTER TABLE pgqrs_archive_1 DETACH PARTITION %s; SET timezone = 'UTC'; "
           "DO $d$ DECLARE b timestamptz := date_trunc('month', now()) - interval '3 days 03:30'; "
           "BEGIN EXECUTE format('ALTER TABLE pgqrs_archive_1 ATTACH PARTITION %s FOR VALUES FROM "
           "(''done'', %%L) TO (''done'', %%L)', b, b + interval '40 days'); END $d$",
           table, table);
    assert_int_equal(problems(s, s->client, advice, sizeof(advice)), 1);
    follow_advice(s, advice, table);
    assert_int_equal(problems(s, s->client, NULL, 0), 0);
    expect_right_months(s, &settings[0]);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM %s", table), 1);
    free(table);
}

TEST_MAIN(NULL, NULL)
