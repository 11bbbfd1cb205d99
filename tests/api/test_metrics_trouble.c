/*
 * Numbers of queues when one of them is locked, gone, broken or not for this role: it is marked,
 * and the others are as ever.
 */
#include "counters.h"

#include "role.h"

#define LEAVES "pgqrs_messages_2_ready, pgqrs_messages_2_held"

static pgqrs_metrics_list *
look_at_all(struct story *s, pgqrs_client *client)
{
    pgqrs_metrics_options options = PGQRS_METRICS_OPTIONS_INIT;
    pgqrs_metrics_list *list;

    options.look_ms = 600000;
    TS_OK(pgqrs_metrics_all(client, &options, &list, s->err), s->err);
    return list;
}

/* Queues 1 to 3, with 2 ready messages each, whose counters are right. */
static int
open_three(void **state)
{
    struct story *s;

    story_open(state);
    s = *state;
    ts_sql(s->sql, "SELECT pgqrs_create_queue('jobs2'), pgqrs_create_queue('jobs3')");
    for (int i = 1; i <= 3; i++)
        ts_sql(s->sql, "INSERT INTO pgqrs_messages_%d_ready (payload) VALUES ('1'), ('2')", i);
    settle_counters(s);
    return 0;
}

#define TROUBLE_TEST(name) TEST_WITH(name, open_three, story_close)

/* The second queue is marked with `problem`, the other two are exact. */
static void
expect_problem(struct story *s, const char *problem)
{
    pgqrs_metrics_list *list = look_at_all(s, s->client);

    assert_int_equal(pgqrs_metrics_list_count(list), 3);
    for (size_t i = 0; i < 3; i++) {
        const pgqrs_metrics *queue = pgqrs_metrics_list_at(list, i);

        if (i != 1) {
            assert_null(queue->problem.data);
            assert_int_equal(queue->ready.value, 2);
            assert_int_equal(queue->ready.precision, PGQRS_PRECISION_EXACT);
            assert_int_equal(queue->leased.precision, PGQRS_PRECISION_EXACT);
            continue;
        }
        if (!story_slice_is(queue->problem, problem))
            ts_fail("the problem is \"%.*s\", not \"%s\"", PGQRS_SLICE_ARG(queue->problem),
                    problem);
        assert_true(queue->ready.precision >= PGQRS_PRECISION_ESTIMATED);
        assert_int_equal(queue->leased.precision, PGQRS_PRECISION_UNKNOWN);
        assert_int_equal(queue->expired.precision, PGQRS_PRECISION_UNKNOWN);
        assert_int_equal(queue->oldest_due_age_ms.precision, PGQRS_PRECISION_UNKNOWN);
        assert_int_equal(queue->newest_enqueued_at_ms.precision, PGQRS_PRECISION_UNKNOWN);
    }
    pgqrs_metrics_list_free(list);
}

TROUBLE_TEST(a_locked_queue_is_marked_and_stops_no_other)
{
    static const char *const locks[] = {
        "LOCK TABLE pgqrs_messages_2_ready IN ACCESS EXCLUSIVE MODE",
        "LOCK TABLE pgqrs_messages_2_held IN ACCESS EXCLUSIVE MODE",
        "LOCK TABLE pgqrs_archive_2_dead IN ACCESS EXCLUSIVE MODE",
        "LOCK TABLE pgqrs_messages_2 IN ACCESS EXCLUSIVE MODE",
        "REINDEX INDEX pgqrs_messages_2_ready_id_idx",
        "SELECT pgqrs_delete_queue('jobs2')",
        "SELECT pgqrs_purge_queue('jobs2')"
    };
    struct story *s = *state;
    PGconn *other = ts_connect(s->dsn);

    for (size_t i = 0; i < sizeof(locks) / sizeof(locks[0]); i++) {
        pgqrs_metrics_list *list;

        ts_sql(other, "BEGIN; %s", locks[i]);
        expect_problem(s, "locked");
        TS_OK(pgqrs_metrics_get(s->client, text("jobs2"), NULL, &list, s->err), s->err);
        assert_true(story_slice_is(pgqrs_metrics_list_at(list, 0)->problem, "locked"));
        assert_int_equal(pgqrs_metrics_list_at(list, 0)->ready.value, 2);
        assert_int_equal(pgqrs_metrics_list_at(list, 0)->ready.precision,
                         PGQRS_PRECISION_ESTIMATED);
        pgqrs_metrics_list_free(list);
        ts_sql(other, "ROLLBACK");
    }
    PQfinish(other);
}

/* Who waits for such a lock makes all wait that come later. */
TROUBLE_TEST(a_queue_whose_lock_somebody_waits_for_is_not_waited_for)
{
    struct story *s = *state;
    PGconn *reader = ts_connect(s->dsn), *waiter = ts_connect(s->dsn);

    ts_sql(reader, "BEGIN; SELECT 1 FROM " LEAVES " LIMIT 1");
    assert_int_equal(PQsendQuery(waiter, "TRUNCATE " LEAVES), 1);
    ts_wait_until(s->sql, STORY_WAIT_MS, "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted");
    expect_problem(s, "locked");
    ts_sql(reader, "ROLLBACK");
    PQclear(PQgetResult(waiter));
    PQfinish(reader);
    PQfinish(waiter);
}

TROUBLE_TEST(a_table_that_is_missing_is_marked)
{
    struct story *s = *state;

    ts_sql(s->sql, "DROP TABLE pgqrs_messages_2_held");
    expect_problem(s, "missing");
    ts_sql(s->sql, "DROP TABLE pgqrs_messages_2");
    expect_problem(s, "missing");
    ts_sql(s->sql, "DROP TABLE pgqrs_archive_2, pgqrs_keys_2; DROP SEQUENCE pgqrs_frontier_2");
    expect_problem(s, "missing");
    ts_sql(s->sql, "DELETE FROM pgqrs_queues WHERE id = 2"); /* what the next story cannot delete */
}

/* The statement's snapshot still has the queue's row. */
TROUBLE_TEST(a_queue_deleted_while_it_is_looked_at_stops_no_other)
{
    struct story *s = *state;
    PGconn *other = ts_connect(s->dsn);
    pgqrs_metrics_list *list;

    ts_sql(other, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pgqrs_queues");
    TS_OK(pgqrs_queue_delete(s->client, text("jobs2"), s->err), s->err);
    assert_int_equal(ts_int(other, "SELECT count(*) FROM pgqrs_metrics(look_ms := NULL) WHERE "
                                   "problem IS NULL AND ready = 2"),
                     2);
    assert_int_equal(ts_int(other, "SELECT count(*) FROM pgqrs_metrics(look_ms := NULL) WHERE "
                                   "problem IS NOT NULL AND leased IS NULL"),
                     1);
    ts_sql(other, "COMMIT");
    list = look_at_all(s, s->client);
    assert_int_equal(pgqrs_metrics_list_count(list), 2);
    pgqrs_metrics_list_free(list);
    TS_IS(PGQRS_ENOQUEUE, pgqrs_metrics_get(s->client, text("jobs2"), NULL, &list, s->err), s->err);
    PQfinish(other);
}

/* A role that may look at queue 3, and with other grants at queue 2 as well. */
static pgqrs_client *
open_as_role(struct story *s, const char *grants)
{
    char *dsn = ts_role(s->sql, s->dsn, "ts_metrics");
    pgqrs_client *client;

    ts_sql(s->sql, "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM ts_metrics; REVOKE ALL ON ALL "
                   "SEQUENCES IN SCHEMA public FROM ts_metrics;"
                   "GRANT SELECT ON pgqrs_migrations, pgqrs_queues, pgqrs_messages_3_ready, "
                   "pgqrs_messages_3_held TO ts_metrics");
    ts_sql(s->sql, "%s", grants);
    client = ts_client(dsn, NULL);
    free(dsn);
    return client;
}

TROUBLE_TEST(a_role_gets_the_queues_that_it_may_read)
{
    static const struct {
        const char *grants;
        size_t queues;
        pgqrs_precision dead;
    } cases[] = {
        { "SELECT 1", 1, PGQRS_PRECISION_UNKNOWN },
        { "GRANT SELECT ON pgqrs_messages_2_ready TO ts_metrics", 1, PGQRS_PRECISION_UNKNOWN },
        { "GRANT SELECT (id) ON pgqrs_messages_2_ready, pgqrs_messages_2_held TO ts_metrics", 1,
          PGQRS_PRECISION_UNKNOWN },
        { "GRANT SELECT ON " LEAVES ", pgqrs_archive_3_dead TO ts_metrics", 2,
          PGQRS_PRECISION_EXACT },
        { "GRANT SELECT ON pgqrs_messages_2, pgqrs_archive_3 TO ts_metrics", 2,
          PGQRS_PRECISION_EXACT },
    };
    struct story *s = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        pgqrs_client *client = open_as_role(s, cases[i].grants);
        pgqrs_metrics_list *list = look_at_all(s, client), *one = NULL;
        const pgqrs_metrics *last = pgqrs_metrics_list_at(list, cases[i].queues - 1);

        assert_int_equal(pgqrs_metrics_list_count(list), cases[i].queues);
        assert_true(story_slice_is(last->queue, "jobs3"));
        assert_int_equal(last->ready.value, 2);
        assert_int_equal(last->ready.precision, PGQRS_PRECISION_EXACT);
        assert_int_equal(last->dead.precision, cases[i].dead);
        assert_int_equal(last->workers.precision, PGQRS_PRECISION_UNKNOWN);
        assert_int_equal(pgqrs_metrics_list_at(list, 0)->ready.value, 2);
        TS_IS(PGQRS_EDENIED, pgqrs_metrics_get(client, text("jobs"), NULL, &one, s->err), s->err);
        pgqrs_metrics_list_free(list);
        pgqrs_client_close(client);
    }
    ts_sql(s->sql, "DROP OWNED BY ts_metrics");
}

TROUBLE_TEST(rows_hidden_by_row_security_are_not_counted_as_absent)
{
    struct story *s = *state;
    pgqrs_client *client;
    pgqrs_metrics_list *list;

    client = open_as_role(s, "ALTER TABLE pgqrs_messages_3_held ENABLE ROW LEVEL SECURITY;"
                             "GRANT SELECT ON " LEAVES " TO ts_metrics");
    list = look_at_all(s, client);
    assert_int_equal(pgqrs_metrics_list_count(list), 2);
    assert_null(pgqrs_metrics_list_at(list, 0)->problem.data);
    assert_true(story_slice_is(pgqrs_metrics_list_at(list, 1)->problem, "row security"));
    assert_int_equal(pgqrs_metrics_list_at(list, 1)->ready.value, 2);
    assert_int_equal(pgqrs_metrics_list_at(list, 1)->ready.precision, PGQRS_PRECISION_ESTIMATED);
    pgqrs_metrics_list_free(list);
    pgqrs_client_close(client);
    ts_sql(s->sql, "DROP OWNED BY ts_metrics");
}

TROUBLE_TEST(a_role_that_may_not_execute_it_is_told)
{
    struct story *s = *state;
    pgqrs_client *client =
        open_as_role(s, "REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM ts_metrics");
    pgqrs_metrics_list *list = NULL;

    TS_IS(PGQRS_EDENIED, pgqrs_metrics_all(client, NULL, &list, s->err), s->err);
    assert_null(list);
    pgqrs_client_close(client);
    ts_sql(s->sql, "DROP OWNED BY ts_metrics");
}

TEST_MAIN(NULL, NULL)
