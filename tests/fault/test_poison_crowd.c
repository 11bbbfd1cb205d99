/*
 * Several workers claim a message that cannot be read at the same time: each finds that message,
 * and none takes another one for it.
 */
#include "running.h"

#include "db/statement.h"
#include "outcome.h"

#define WORKERS 4
#define ROUNDS 20
#define GOOD 10 /* in each round, before and after the bad one */

/* From now on the server refuses to send {"bad": ...}, as it refuses what is too large, and at
 * once. */
static void
make_unreadable(struct story *s, const char *table)
{
    ts_sql(s->sql,
           "CREATE OR REPLACE FUNCTION too_large() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
           "RAISE EXCEPTION 'too large' USING ERRCODE = 'program_limit_exceeded'; END $$;"
           "CREATE TRIGGER too_large BEFORE UPDATE ON %s FOR EACH ROW WHEN (NEW.payload ? 'bad' "
           "AND current_query() LIKE '%%RETURNING m.id, m.payload%%') EXECUTE FUNCTION too_large()",
           table);
}

static void
send_round(struct story *s, const char *table, int priority)
{
    ts_sql(s->sql,
           "INSERT INTO %s (payload, priority) SELECT '{}', %d FROM generate_series(1, %d); "
           "INSERT INTO %s (payload, priority) VALUES ('{\"bad\": 1}', %d); "
           "INSERT INTO %s (payload, priority) SELECT '{}', %d FROM generate_series(1, %d)",
           table, priority, GOOD, table, priority, table, priority, GOOD);
}

static void
send_all(struct story *s, const char *table, int priority)
{
    make_unreadable(s, table);
    for (int i = 0; i < ROUNDS; i++)
        send_round(s, table, priority);
}

static void
expect_only_the_bad_dead(struct story *s)
{
    ts_wait_until(s->sql, TS_OUTCOME_WAIT_MS, "SELECT count(*) = 0 FROM pgqrs_messages");
    ts_outcome_expect(s->sql, 0, "outcome = 'dead' AND NOT payload ? 'bad'");
    ts_outcome_expect(s->sql, ROUNDS,
                      "outcome = 'dead' AND payload ? 'bad' AND error LIKE '%too large%'");
    ts_outcome_expect(s->sql, 2 * GOOD * ROUNDS,
                      "outcome = 'done' AND failed_ct = 0 AND crash_ct = 0");
}

static void
meet_workers(struct story *s, const char *table, int priority)
{
    send_all(s, table, priority);
    for (int i = 0; i < WORKERS; i++)
        running_start(s, NULL, NULL, running_done, NULL);
    expect_only_the_bad_dead(s);
}

RUNNING_TEST(workers_bury_only_what_cannot_be_read_in_the_ready_lane)
{
    meet_workers(*state, READY, 0);
}

RUNNING_TEST(workers_bury_only_what_cannot_be_read_in_the_held_lane)
{
    meet_workers(*state, HELD, 5);
}

/* Takes a few at a time and archives them, until all are. */
static void *
consume(void *arg)
{
    struct story *s = arg;
    struct story own = { .dsn = s->dsn, .err = pgqrs_error_new(), .sql = ts_connect(s->dsn) };
    int64_t until = story_now_ms() + TS_OUTCOME_WAIT_MS;

    own.client = ts_client(s->dsn, NULL);
    own.consumer = story_consumer(&own, own.client, STORY_LEASE_MS);
    while (story_stored(&own) > 0 && story_now_ms() < until) {
        pgqrs_message_list *list = story_take(&own, own.consumer, 3);

        for (size_t i = 0; i < pgqrs_message_list_count(list); i++)
            TS_OK(pgqrs_consumer_archive(own.consumer,
                                         pgqrs_message_lease(pgqrs_message_list_at(list, i)),
                                         (pgqrs_slice){ NULL, 0 }, own.err),
                  own.err);
        pgqrs_message_list_free(list);
    }
    pgqrs_consumer_close(own.consumer);
    pgqrs_client_close(own.client);
    pgqrs_error_free(own.err);
    PQfinish(own.sql);
    return NULL;
}

static void
meet_consumers(struct story *s, const char *table, int priority)
{
    pthread_t threads[WORKERS];

    send_all(s, table, priority);
    for (int i = 0; i < WORKERS; i++)
        TS_TRUE(pthread_create(&threads[i], NULL, consume, s) == 0);
    for (int i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    expect_only_the_bad_dead(s);
}

RUNNING_TEST(consumers_bury_only_what_cannot_be_read_in_the_ready_lane)
{
    meet_consumers(*state, READY, 0);
}

RUNNING_TEST(consumers_bury_only_what_cannot_be_read_in_the_held_lane)
{
    meet_consumers(*state, HELD, 5);
}

/* How many rows the statement by which a message is asked for again returns under that token. */
static int
ask_again(struct story *s, pgqrsi_scope *scope, int64_t id, int64_t token)
{
    const pgqrsi_statement *statement = NULL;
    char *texts[] = { ts_format("%lld", (long long)id), ts_format("%lld", (long long)token) };
    const char *const values[] = { texts[0], texts[1], "3600000" };
    PGresult *result;
    int count;

    TS_OK(pgqrsi_scope_statement(scope, PGQRSI_SQL_CONSUMER_CLAIM_AGAIN, PGQRSI_LANE_READY,
                                 &statement, s->err),
          s->err);
    result = PQexecParams(s->sql, statement->text, 3, NULL, values, NULL, NULL, 0);
    TS_TRUE(PQresultStatus(result) == PGRES_TUPLES_OK);
    count = PQntuples(result);
    PQclear(result);
    free(texts[0]);
    free(texts[1]);
    return count;
}

RUNNING_TEST(who_was_replaced_asks_in_vain)
{
    struct story *s = *state;
    pgqrsi_scope scope;
    uint64_t serial = 0;
    pgqrs_lease lease;
    char *before, *after;

    pgqrsi_scope_init(&scope, "public", &serial);
    scope.queue_id = 1;
    scope.queue_name = "jobs";
    story_send(s, "{}");
    lease = story_take_one(s, s->consumer);
    before = ts_text(s->sql, "SELECT vt FROM " READY);
    assert_int_equal(ask_again(s, &scope, lease.id, lease.token + 1), 0);
    after = ts_text(s->sql, "SELECT vt FROM " READY);
    assert_string_equal(after, before);
    assert_int_equal(ask_again(s, &scope, lease.id, lease.token), 1);
    free(before);
    free(after);
    pgqrsi_scope_release(&scope);
}

TEST_MAIN(NULL, NULL)
