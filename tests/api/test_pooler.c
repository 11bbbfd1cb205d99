/*
 * Through a PgBouncer in transaction mode every call works, and leaves nothing on a session that
 * the next client is given. In session mode all is as without a pooler.
 */
#include "place.h"
#include "running.h"

#include <pgqrs/transaction.h>

/* Except the settings that the pooler takes from each client, and those of a library that is loaded
 * when needed. */
#define SETTINGS                                                                                   \
    "SELECT string_agg(name || '=' || setting, ', ' ORDER BY name) FROM pg_settings "              \
    "WHERE name NOT IN ('application_name', 'client_encoding') AND name NOT LIKE 'plpgsql.%%'"

static ts_pgbouncer *pooler;

static pgqrs_client *
pooled_client(struct story *s)
{
    if (pooler == NULL)
        pooler = ts_pgbouncer_start(s->dsn);
    return ts_client(ts_pgbouncer_dsn(pooler), NULL);
}

STORY_TEST(the_pooler_is_noticed)
{
    struct story *s = *state;
    pgqrs_client *client = pooled_client(s);

    assert_int_equal(pgqrs_client_is_pooled(client), 1);
    assert_int_equal(pgqrs_client_is_pooled(s->client), 0);
    pgqrs_client_close(client);
}

/* Sends, takes, and ends each of five messages in another way. */
static void
work_off(struct story *s, pgqrs_producer *producer, pgqrs_consumer *consumer)
{
    pgqrs_fail_options for_good = PGQRS_FAIL_OPTIONS_INIT;
    pgqrs_lease leases[5];
    pgqrs_message_list *list;
    pgqrs_status results[2];

    for_good.mode = PGQRS_FAIL_FOR_GOOD;
    for (int i = 0; i < 5; i++)
        TS_OK(pgqrs_producer_enqueue(producer, text("{}"), NULL, NULL, s->err), s->err);
    list = story_take(s, consumer, 5);
    assert_int_equal(pgqrs_message_list_count(list), 5);
    for (size_t i = 0; i < 5; i++)
        leases[i] = pgqrs_message_lease(pgqrs_message_list_at(list, i));
    pgqrs_message_list_free(list);
    TS_OK(pgqrs_consumer_extend_visibility_batch(consumer, leases, 2, 60000, results, s->err),
          s->err);
    TS_OK(pgqrs_consumer_delete(consumer, leases[0], s->err), s->err);
    TS_OK(pgqrs_consumer_archive(consumer, leases[1], text("1"), s->err), s->err);
    TS_OK(pgqrs_consumer_release(consumer, leases[2], 3600000, s->err), s->err);
    TS_OK(pgqrs_consumer_fail(consumer, leases[3], NULL, NULL, s->err), s->err);
    TS_OK(pgqrs_consumer_fail(consumer, leases[4], &for_good, NULL, s->err), s->err);
    TS_IS(PGQRS_ELEASELOST, pgqrs_consumer_delete(consumer, leases[0], s->err), s->err);
}

STORY_TEST(everything_works_through_it)
{
    struct story *s = *state;
    pgqrs_client *client = pooled_client(s);
    pgqrs_consumer *consumer = story_consumer(s, client, STORY_LEASE_MS);
    pgqrs_enqueue_options keyed = PGQRS_ENQUEUE_OPTIONS_INIT;
    pgqrs_producer *producer;
    pgqrs_enqueued enqueued;
    pgqrs_queue_counts counts = PGQRS_QUEUE_COUNTS_INIT;
    pgqrs_archive_counts archived = PGQRS_ARCHIVE_COUNTS_INIT;

    keyed.idempotency_key = text("k");
    keyed.delay_ms = 3600000;
    TS_OK(pgqrs_producer_open(client, text("jobs"), NULL, &producer, s->err), s->err);
    for (int i = 0; i < 3; i++) /* often enough for a statement to be prepared, if one were */
        work_off(s, producer, consumer);
    for (int i = 0; i < 3; i++) {
        TS_OK(pgqrs_producer_enqueue(producer, text("1"), &keyed, &enqueued, s->err), s->err);
        assert_int_equal(enqueued.duplicate, i > 0);
    }
    TS_OK(pgqrs_queue_count(client, text("jobs"), &counts, s->err), s->err);
    TS_OK(pgqrs_archive_count(client, text("jobs"), &archived, s->err), s->err);
    assert_int_equal(counts.delayed, 7);
    assert_int_equal(archived.done, 3);
    assert_int_equal(archived.dead, 3);
    TS_OK(pgqrs_queue_create(client, text("more"), NULL, NULL, s->err), s->err);
    TS_OK(pgqrs_queue_purge(client, text("jobs"), s->err), s->err);
    TS_OK(pgqrs_queue_delete(client, text("more"), s->err), s->err);
    pgqrs_producer_close(producer);
    pgqrs_consumer_close(consumer);
    pgqrs_client_close(client);
}

/* Looks at every session that the pooler has. */
STORY_TEST(nothing_is_left_on_a_session)
{
    struct story *s = *state;
    pgqrs_client *client = pooled_client(s);
    pgqrs_consumer *consumer = story_consumer(s, client, STORY_LEASE_MS);
    PGconn *plain = ts_connect(ts_pgbouncer_dsn(pooler));
    pgqrs_producer *producer;
    char *fresh, *used;

    TS_OK(pgqrs_producer_open(client, text("jobs"), NULL, &producer, s->err), s->err);
    for (int i = 0; i < 3; i++)
        work_off(s, producer, consumer);
    pgqrs_producer_close(producer);
    pgqrs_consumer_close(consumer);
    pgqrs_client_close(client);

    /* One session has served all calls, so this is that session. */
    assert_int_equal(
        ts_int(s->sql,
               "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid "
               "<> pg_backend_pid() AND query NOT LIKE '%%pg_terminate%%' AND pid = %lld",
               ts_int(plain, "SELECT pg_backend_pid()")),
        1);
    assert_int_equal(ts_int(plain, "SELECT count(*) FROM pg_prepared_statements"), 0);
    fresh = ts_text(s->sql, SETTINGS);
    used = ts_text(plain, SETTINGS);
    assert_string_equal(used, fresh);
    /* The server is shared with other tests, which have databases of their own. */
    assert_int_equal(
        ts_int(s->sql,
               "SELECT count(*) FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database "
               "WHERE l.locktype = 'advisory' AND d.datname = current_database()"),
        0);
    free(fresh);
    free(used);
    PQfinish(plain);
}

/* A setting that a client leaves on its session holds for the session's next user as well, unless
 * it ends with the transaction. */
STORY_TEST(two_clients_in_turn_do_not_leak_settings)
{
    struct story *s = *state;
    pgqrs_client *clients[2] = { pooled_client(s), pooled_client(s) };
    PGconn *plain = ts_connect(ts_pgbouncer_dsn(pooler));

    for (int i = 0; i < 6; i++) {
        pgqrs_consumer *consumer = story_consumer(s, clients[i % 2], STORY_LEASE_MS);

        story_send(s, "1");
        TS_OK(pgqrs_consumer_delete(consumer, story_take_one(s, consumer), s->err), s->err);
        pgqrs_consumer_close(consumer);
        assert_int_equal(ts_int(plain, "SELECT current_setting('synchronous_commit') = 'on' AND "
                                       "current_setting('enable_seqscan') = 'on' AND "
                                       "current_setting('statement_timeout') = '0'"),
                         1);
    }
    PQfinish(plain);
    for (int i = 0; i < 2; i++)
        pgqrs_client_close(clients[i]);
}

STORY_TEST(it_can_be_installed_through_it)
{
    struct place p = { .err = pgqrs_error_new() };
    struct story *s = *state;

    pgqrs_client_close(pooled_client(s));
    p.dsn = ts_pgbouncer_dsn(pooler);
    p.sql = ts_connect(s->dsn);
    place_enter(&p, "pooled");
    place_install(&p);
    place_use(&p);
    TS_OK(pgqrs_admin_uninstall(p.client, p.err), p.err);
    place_leave(&p);
    PQfinish(p.sql);
    pgqrs_error_free(p.err);
}

/* A COPY needs its session from its first statement to its last. */
STORY_TEST(a_batch_that_is_copied_goes_through_it)
{
    enum { MANY = 100, CLIENTS = 3 };
    struct story *s = *state;
    pgqrs_slice payloads[MANY];
    pgqrs_enqueued out[MANY];

    for (size_t i = 0; i < MANY; i++)
        payloads[i] = text(i == MANY - 1 ? "\"last\"" : "1");
    for (int i = 0; i < CLIENTS; i++) {
        pgqrs_client *client = pooled_client(s);
        pgqrs_producer *producer;

        TS_OK(pgqrs_producer_open(client, text("jobs"), NULL, &producer, s->err), s->err);
        ts_sql(s->sql, "ALTER TABLE " READY
                       " ADD CONSTRAINT refusal CHECK (payload <> '\"last\"') NOT VALID");
        TS_IS(PGQRS_EINVAL,
              pgqrs_producer_enqueue_batch(producer, payloads, NULL, MANY, out, s->err), s->err);
        ts_sql(s->sql, "ALTER TABLE " READY " DROP CONSTRAINT refusal");
        assert_int_equal(story_stored(s), i * MANY);
        TS_OK(pgqrs_producer_enqueue_batch(producer, payloads, NULL, MANY, out, s->err), s->err);
        assert_int_equal(
            ts_int(s->sql, "SELECT max(id) FROM pgqrs_messages WHERE payload = '\"last\"'"),
            out[MANY - 1].id);
        pgqrs_producer_close(producer);
        pgqrs_client_close(client);
    }
}

STORY_TEST(a_transaction_of_ones_own_works_through_it)
{
    struct story *s = *state;
    pgqrs_client *client = pooled_client(s);
    PGconn *own = ts_connect(ts_pgbouncer_dsn(pooler));
    pgqrs_producer *producer;

    TS_OK(pgqrs_producer_open(client, text("jobs"), NULL, &producer, s->err), s->err);
    for (int i = 0; i < 3; i++) {
        ts_sql(own, "BEGIN");
        TS_OK(pgqrs_producer_enqueue_on(producer, own, text("1"), NULL, NULL, s->err), s->err);
        ts_sql(own, "%s", i == 1 ? "ROLLBACK" : "COMMIT");
    }
    assert_int_equal(story_stored(s), 2);
    PQfinish(own);
    pgqrs_producer_close(producer);
    pgqrs_client_close(client);
}

static pgqrs_job_outcome
done(pgqrs_job *job, void *arg)
{
    (void)job;
    (void)arg;
    return PGQRS_JOB_DONE;
}

/* The worker hardly polls by itself, so it must have been woken. */
RUNNING_TEST(in_session_mode_a_worker_is_woken)
{
    struct story *s = *state;
    ts_pgbouncer *sessions;
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;
    pgqrs_worker_queue_options queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;
    pgqrs_client *client;
    pgqrs_worker *worker;

    setenv("PGQRS_TEST_POOL_MODE", "session", 1);
    sessions = ts_pgbouncer_start(s->dsn);
    unsetenv("PGQRS_TEST_POOL_MODE");
    client = ts_client(ts_pgbouncer_dsn(sessions), NULL);
    assert_int_equal(pgqrs_client_is_pooled(client), 0);
    options.poll_ms = 60000;
    queue.lease_ms = 3600000;
    worker = running_new_on(s, client, &options);
    running_add(s, worker, "jobs", &queue, done, NULL);
    TS_OK(pgqrs_worker_start(worker, s->err), s->err);
    for (int i = 1; i <= 3; i++) {
        ts_wait_until(s->sql, RUNNING_WAIT_MS,
                      "SELECT count(*) > 0 FROM pg_locks AS l JOIN pg_database AS d ON d.oid = "
                      "l.database WHERE l.locktype = 'advisory' AND l.mode = 'ShareLock' AND "
                      "d.datname = current_database()");
        story_send(s, "1");
        running_await(s, i);
    }
    running_end(s, worker);
    pgqrs_client_close(client);
    ts_pgbouncer_stop(sessions);
}

/* Other clients connect and disconnect in the meantime, so sessions change hands. */
STORY_TEST(in_transaction_mode_no_client_takes_a_session_for_its_own)
{
    struct story *s = *state;
    pgqrs_client *clients[8];
    PGconn *plain[3];

    pgqrs_client_close(pooled_client(s));
    for (size_t i = 0; i < 3; i++) {
        plain[i] = ts_connect(ts_pgbouncer_dsn(pooler));
        ts_sql(plain[i], "BEGIN");
    }
    for (size_t i = 0; i < 8; i++) {
        ts_sql(plain[i % 3], i % 2 == 0 ? "COMMIT" : "BEGIN");
        clients[i] = pooled_client(s);
        assert_int_equal(pgqrs_client_is_pooled(clients[i]), 1);
    }
    for (size_t i = 0; i < 8; i++)
        pgqrs_client_close(clients[i]);
    for (size_t i = 0; i < 3; i++) {
        ts_sql(plain[i], "ROLLBACK; BEGIN");
        assert_int_equal(ts_int(plain[i], "SELECT count(*) FROM pg_listening_channels()"), 0);
    }
    for (size_t i = 0; i < 3; i++)
        PQfinish(plain[i]);
}

/* There our statements are read with the search path of the role, which nothing can be set
 * against. */
STORY_TEST(a_session_that_searches_other_schemas_first_is_refused)
{
    struct story *s = *state;
    char *database = ts_text(s->sql, "SELECT current_database()");
    ts_pgbouncer *own;
    pgqrs_config *config = NULL;
    pgqrs_client *client = NULL;

    ts_sql(s->sql, "ALTER DATABASE %s SET search_path = public, pg_catalog", database);
    own = ts_pgbouncer_start(s->dsn);
    TS_OK(pgqrs_config_new(&config, s->err), s->err);
    TS_OK(pgqrs_config_set(config, text("dsn"), text(ts_pgbouncer_dsn(own)), s->err), s->err);
    TS_IS(PGQRS_ECONFIG, pgqrs_client_open(config, &client, s->err), s->err);
    if (strstr(pgqrs_error_message(s->err), "search_path") == NULL)
        ts_fail("\"%s\" does not name the search_path", pgqrs_error_message(s->err));
    ts_sql(s->sql, "ALTER DATABASE %s RESET search_path", database);
    ts_pgbouncer_stop(own);
    pgqrs_config_free(config);
    free(database);
}

int
main(int argc, char **argv)
{
    int failed = found_run(argc, argv, NULL, NULL);

    ts_pgbouncer_stop(pooler);
    return failed;
}
