/*
 * The client: addresses and logins, deadlines, its pool, and servers that go away.
 */
#include "story.h"

#include <signal.h>
#include <unistd.h>

#include "../../src/client.h"

/* pgqrs_client_open with these settings, which must fail. */
static void
expect_open(struct story *s, pgqrs_status wanted, const char *dsn, const char *schema)
{
    pgqrs_client *client = NULL;
    pgqrs_config *config;

    TS_OK(pgqrs_config_new(&config, s->err), s->err);
    if (dsn != NULL)
        TS_OK(pgqrs_config_set(config, text("dsn"), text(dsn), s->err), s->err);
    TS_OK(pgqrs_config_set(config, text("schema"), text(schema), s->err), s->err);
    TS_OK(pgqrs_config_set(config, text("connection_timeout_seconds"), text("1"), s->err), s->err);
    TS_IS(wanted, pgqrs_client_open(config, &client, s->err), s->err);
    assert_null(client);
    pgqrs_config_free(config);
}

STORY_TEST(without_a_dsn_the_message_says_how_to_give_one)
{
    struct story *s = *state;

    expect_open(s, PGQRS_ECONFIG, NULL, "public");
    story_expect_message(s, "PGQRS_DSN");
}

STORY_TEST(a_dsn_that_cannot_be_read_is_refused_and_not_shown)
{
    static const char *const garbage[] = { "nonsense hunter2",
                                           "host=localhost password=hunter2 port",
                                           "postgresql://me:hunter2@[::1/db",
                                           "postgresql://me:hunter2@localhost/db?nonsense=1",
                                           "postgresql://me:%zzhunter2@localhost/db",
                                           "postgresql://me:hunter2@home@localhost/db",
                                           "password='hunter2",
                                           "postgresql://me:hunter2/x@localhost/db",
                                           "postgresql://me:1/hunter2@localhost/db",
                                           "host=localhost password=a hunter2=b",
                                           "host=localhost password=a hunter=hunter2",
                                           "hunter2=hunter2",
                                           "postgresql://localhost/db?%70assword=a&hunter=b",
                                           "host=localhost application_name='PASSWORD=' hunter=b" };
    struct story *s = *state;

    for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
        expect_open(s, PGQRS_ECONFIG, garbage[i], "public");
        if (strstr(pgqrs_error_message(s->err), "hunter") != NULL)
            ts_fail("\"%s\" shows the password", pgqrs_error_message(s->err));
        assert_int_equal(pgqrs_error_is_transient(s->err), 0);
    }
}

/* Later messages would show the host, the user and the database. */
STORY_TEST(a_connection_string_inside_another_is_refused_and_not_shown)
{
    static const char *const nested[] = {
        "host=postgresql://me:hunter2@localhost/db",
        "dbname=postgres://me:hunter2@localhost/db",
        "user='PostgreSQL://me:hunter2@localhost/db'",
        "dbname='host=localhost password=hunter2'",
        "host='localhost PASSWORD = hunter2'",
        "service=https://me:hunter2@localhost/db",
        "postgresql://localhost/postgresql%3A%2F%2Fme%3Ahunter2%40localhost",
        "postgresql://localhost/db?host=postgresql://me:hunter2%40localhost"
    };
    struct story *s = *state;

    for (size_t i = 0; i < sizeof(nested) / sizeof(nested[0]); i++) {
        expect_open(s, PGQRS_ECONFIG, nested[i], "public");
        story_expect_message(s, "holds a connection string of its own");
        if (strstr(pgqrs_error_message(s->err), "hunter2") != NULL)
            ts_fail("\"%s\" shows the password", pgqrs_error_message(s->err));
    }
}

/* libpq's own words, where they quote no password. */
STORY_TEST(a_dsn_that_cannot_be_read_is_refused_with_the_reason)
{
    static const char *const cases[][2] = {
        { "host=localhost bogus=1", "invalid connection option \"bogus\"" },
        { "pasword=hunter2 host=localhost", "the DSN cannot be read" },
        { "postgresql://localhost/db?bogus=1", "invalid URI query parameter: \"bogus\"" },
        { "host='localhost", "unterminated quoted string" },
        { "host=localhost sslmode=foo", "invalid sslmode value: \"foo\"" },
        { "service=nope_of_that_name", "definition of service \"nope_of_that_name\" not found" },
        { "postgresql://me:a/b@localhost/db", "%2F" },
        { "postgresql://me:a@b@localhost/db", "%40" },
    };
    struct story *s = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        expect_open(s, PGQRS_ECONFIG, cases[i][0], "public");
        story_expect_message(s, cases[i][1]);
        assert_null(strstr(pgqrs_error_message(s->err), "hunter2"));
        assert_null(strstr(pgqrs_error_message(s->err), "check the host"));
    }
}

STORY_TEST(where_no_server_listens_it_says_so)
{
    static const char *const addresses[] = { "host=/nonexistent dbname=x password=hunter2",
                                             "host=127.0.0.1 port=1 dbname=x password=hunter2",
                                             "postgresql://me:hunter2@localhost:1/x" };
    struct story *s = *state;

    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        expect_open(s, PGQRS_ECONNECT, addresses[i], "public");
        story_expect_message(s, "check the host and port");
        assert_null(strstr(pgqrs_error_message(s->err), "hunter2"));
        assert_null(strchr(pgqrs_error_message(s->err), '\n'));
        assert_true(pgqrs_error_is_transient(s->err));
    }
}

STORY_TEST(a_wrong_login_is_told_from_a_wrong_address)
{
    struct story *s = *state;
    char *wrong = ts_format("%s user=locked password=hunter2", s->dsn);
    char *none = ts_format("%s user=locked passfile=/nonexistent", s->dsn);
    char *right = ts_format("%s user=locked password=right-password", s->dsn);
    char *nobody = ts_format("%s user=nobody_of_that_name", s->dsn);
    char *no_database = ts_format("%s dbname=no_such_database", ts_server());
    pgqrs_client *client;

    unsetenv("PGPASSWORD");
    expect_open(s, PGQRS_EAUTH, wrong, "public");
    assert_string_equal(pgqrs_error_sqlstate(s->err), "28P01");
    assert_null(strstr(pgqrs_error_message(s->err), "hunter2"));
    story_expect_message(s, "locked");
    assert_int_equal(pgqrs_error_is_transient(s->err), 0);
    expect_open(s, PGQRS_EAUTH, none, "public");
    expect_open(s, PGQRS_EAUTH, nobody, "public");
    expect_open(s, PGQRS_ECONFIG, no_database, "public");
    assert_string_equal(pgqrs_error_sqlstate(s->err), "3D000");
    story_expect_message(s, "no_such_database");
    client = ts_client(right, NULL);
    pgqrs_client_close(client);
    free(wrong);
    free(none);
    free(right);
    free(nobody);
    free(no_database);
}

STORY_TEST(what_is_asked_of_a_client_is_known_without_the_server)
{
    struct story *s = *state;
    pgqrs_client *client = ts_client(s->dsn, "schema", "o'b\"r", NULL);

    assert_string_equal(pgqrs_client_schema(client), "o'b\"r");
    assert_int_equal(pgqrs_client_is_pooled(client), 0);
    pgqrs_client_close(client);
    pgqrs_client_close(NULL);
    pgqrs_producer_close(NULL);
    pgqrs_consumer_close(NULL);
    pgqrs_message_list_free(NULL);
    assert_int_equal(pgqrs_message_list_count(NULL), 0);
}

#define TIMEOUT_MS 600
/* Generous, for a busy machine: a frozen server would never answer. */
#define GRACE_MS 10000

/* A producer and consumer whose calls end after TIMEOUT_MS, on one connection. */
struct hurried {
    pgqrs_client *client;
    pgqrs_producer *producer;
    pgqrs_consumer *consumer;
};

static struct hurried
hurry(struct story *s, const char *dsn)
{
    struct hurried h = { .client = ts_client(dsn, "operation_timeout_ms", "600", "max_connections",
                                             "1", "connection_timeout_seconds", "1", NULL) };

    TS_OK(pgqrs_producer_open(h.client, text("jobs"), NULL, &h.producer, s->err), s->err);
    h.consumer = story_consumer(s, h.client, STORY_LEASE_MS);
    return h;
}

static void
rest(struct hurried *h)
{
    pgqrs_producer_close(h->producer);
    pgqrs_consumer_close(h->consumer);
    pgqrs_client_close(h->client);
}

static void
expect_elapsed(int64_t began_ms)
{
    int64_t elapsed_ms = story_now_ms() - began_ms;

    if (elapsed_ms > TIMEOUT_MS + GRACE_MS)
        ts_fail("a call with a deadline of %d ms took %lld", TIMEOUT_MS, (long long)elapsed_ms);
}

STORY_TEST(a_frozen_server_costs_no_more_than_the_deadline)
{
    struct story *s = *state;
    struct hurried h;
    pgqrs_message_list *list;
    int64_t began_ms;
    pid_t backend;

    pgqrs_client_close(ts_client(s->dsn, NULL));
    h = hurry(s, s->dsn);
    backend =
        (pid_t)ts_int(s->sql, "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
                              "AND application_name = 'pgqrs' ORDER BY backend_start DESC LIMIT 1");
    assert_int_equal(kill(backend, SIGSTOP), 0);
    began_ms = story_now_ms();
    TS_IS(PGQRS_EUNKNOWN,
          pgqrs_producer_enqueue(h.producer, text("\"hunter2\""), NULL, NULL, s->err), s->err);
    expect_elapsed(began_ms);
    assert_null(strstr(pgqrs_error_message(s->err), "hunter2"));
    assert_true(pgqrs_error_is_transient(s->err));
    kill(backend, SIGCONT);
    /* The next call does not read the answer to that one. */
    TS_OK(pgqrs_producer_enqueue(h.producer, text("2"), NULL, NULL, s->err), s->err);

    backend =
        (pid_t)ts_int(s->sql, "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
                              "AND application_name = 'pgqrs' ORDER BY backend_start DESC LIMIT 1");
    assert_int_equal(kill(backend, SIGSTOP), 0);
    began_ms = story_now_ms();
    assert_int_not_equal(pgqrs_consumer_dequeue(h.consumer, &list, s->err), PGQRS_OK);
    expect_elapsed(began_ms);
    kill(backend, SIGCONT);
    rest(&h);
}

STORY_TEST(a_lock_that_others_hold_costs_no_more_than_the_deadline)
{
    struct story *s = *state;
    struct hurried h = hurry(s, s->dsn);
    PGconn *other = ts_connect(s->dsn);
    int64_t began_ms;

    ts_sql(other, "BEGIN; LOCK TABLE " READY);
    began_ms = story_now_ms();
    TS_IS(PGQRS_ETIMEDOUT, pgqrs_producer_enqueue(h.producer, text("1"), NULL, NULL, s->err),
          s->err);
    expect_elapsed(began_ms);
    ts_sql(other, "ROLLBACK");
    assert_int_equal(story_stored(s), 0);
    TS_OK(pgqrs_producer_enqueue(h.producer, text("1"), NULL, NULL, s->err), s->err);
    PQfinish(other);
    rest(&h);
}

/* Keeps the only connection in use, like a call that takes long. */
STORY_TEST(who_waits_for_a_connection_in_vain_is_told_so)
{
    struct story *s = *state;
    struct hurried h = hurry(s, s->dsn);
    pgqrsi_conn *lent = NULL;
    int64_t began_ms;

    TS_OK(pgqrsi_pool_acquire(h.client->pool, INT64_MAX, &lent, s->err), s->err);
    began_ms = story_now_ms();
    TS_IS(PGQRS_ETIMEDOUT, pgqrs_producer_enqueue(h.producer, text("1"), NULL, NULL, s->err),
          s->err);
    assert_true(story_now_ms() - began_ms >= TIMEOUT_MS - 50);
    expect_elapsed(began_ms);
    story_expect_message(s, "max_connections");
    pgqrsi_pool_release(h.client->pool, lent);
    TS_OK(pgqrs_producer_enqueue(h.producer, text("1"), NULL, NULL, s->err), s->err);
    rest(&h);
}

static void *
send_many(void *argument)
{
    pgqrs_producer *producer = argument;

    for (int i = 0; i < 20; i++)
        TS_OK(pgqrs_producer_enqueue(producer, text("1"), NULL, NULL, NULL), NULL);
    return NULL;
}

STORY_TEST(eight_threads_share_one_connection)
{
    struct story *s = *state;
    pgqrs_client *client = ts_client(s->dsn, "max_connections", "1", NULL);
    pgqrs_producer *producer;
    pthread_t threads[8];
    long long before = ts_int(s->sql, "SELECT count(*) FROM pg_stat_activity WHERE datname = "
                                      "current_database() AND application_name = 'pgqrs'");

    TS_OK(pgqrs_producer_open(client, text("jobs"), NULL, &producer, s->err), s->err);
    for (int i = 0; i < 8; i++)
        pthread_create(&threads[i], NULL, send_many, producer);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pg_stat_activity WHERE datname = "
                                    "current_database() AND application_name = 'pgqrs'"),
                     before);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(story_stored(s), 160);
    pgqrs_producer_close(producer);
    pgqrs_client_close(client);
}

/* A server that accepts connections and never answers. */
STORY_TEST(a_server_that_does_not_answer_is_given_up)
{
    struct story *s = *state;
    ts_cluster *cluster = ts_cluster_start(NULL);
    int64_t began_ms;
    pid_t server;

    pgqrs_client_close(ts_client(ts_cluster_dsn(cluster), NULL));
    server = ts_cluster_pid(cluster);
    assert_int_equal(kill(server, SIGSTOP), 0);
    began_ms = story_now_ms();
    expect_open(s, PGQRS_ETIMEDOUT, ts_cluster_dsn(cluster), "public");
    assert_true(story_now_ms() - began_ms <= 1500);
    kill(server, SIGCONT);
    ts_cluster_free(cluster);
}

/* The short way to a client, and from there to a connection of one's own. */
STORY_TEST(a_dsn_alone_opens_a_client_whose_connection_string_leads_to_the_same_database)
{
    struct story *s = *state;
    pgqrs_client *client = NULL;
    PGconn *own;

    assert_int_equal(setenv("PGQRS_DSN", "host=127.0.0.1 port=1 dbname=elsewhere", 1), 0);
    TS_OK(pgqrs_client_open_dsn(s->dsn, &client, s->err), s->err);
    own = ts_connect(pgqrs_client_conninfo(client));
    assert_string_equal(PQdb(own), PQdb(s->sql));
    PQfinish(own);
    pgqrs_client_close(client);
    /* Without one it is the environment's, and without that there is none. */
    assert_int_equal(setenv("PGQRS_DSN", s->dsn, 1), 0);
    TS_OK(pgqrs_client_open_dsn(NULL, &client, s->err), s->err);
    pgqrs_client_close(client);
    assert_int_equal(unsetenv("PGQRS_DSN"), 0);
    TS_IS(PGQRS_ECONFIG, pgqrs_client_open_dsn(NULL, &client, s->err), s->err);
    story_expect_message(s, "PGQRS_DSN");
}

TEST_MAIN(NULL, NULL)
