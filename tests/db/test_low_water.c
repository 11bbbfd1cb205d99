/*
 * The low-water mark of a queue: where a new client begins to claim. It is a hint in a sequence,
 * which leaves no dead rows, and which every role with the right to can set to any value.
 */
#include "../api/story.h"

#include "src/client.h"
#include "queue/consumer.h"

enum { MANY = 20000, CLAIMS = 20 };

static long long
read_now(const struct story *s)
{
    return ts_int(
        s->sql,
        "SELECT coalesce(sum(idx_tup_read), 0) FROM pg_stat_user_indexes WHERE relname = '" READY
        "'");
}

/* The index entries that a new client reads for some claims. Sessions report at the latest when
 * they end. */
static long long
read_by_a_newcomer(struct story *s)
{
    char *dsn = ts_format("%s application_name=measured", s->dsn);
    pgqrs_client *client = ts_client(dsn, NULL);
    pgqrs_consumer *consumer = story_consumer(s, client, STORY_LEASE_MS);
    long long before = read_now(s);

    for (int i = 0; i < CLAIMS; i++) {
        story_send(s, "1");
        TS_OK(pgqrs_consumer_delete(consumer, story_take_one(s, consumer), s->err), s->err);
    }
    pgqrs_consumer_close(consumer);
    pgqrs_client_close(client);
    ts_wait_until(s->sql, STORY_WAIT_MS,
                  "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'measured' "
                  "AND datname = current_database()");
    free(dsn);
    return read_now(s) - before;
}

STORY_TEST(a_new_client_begins_near_the_mark)
{
    struct story *s = *state;
    PGconn *holder = ts_connect(s->dsn);
    long long without, with;

    /* Given the dead rows of many messages, which cannot be removed, */
    ts_sql(s->sql, "ALTER TABLE " READY " SET (autovacuum_enabled = off)");
    ts_sql(holder, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pg_current_xact_id()");
    ts_sql(s->sql, "INSERT INTO " READY " (payload) SELECT '1' FROM generate_series(1, %d)", MANY);
    ts_sql(s->sql, "DELETE FROM " READY);
    without = read_by_a_newcomer(s);
    /* when the mark says that they are over, */
    ts_sql(s->sql, "SELECT setval('pgqrs_frontier_1', last_value) FROM pgqrs_message_id_seq");
    with = read_by_a_newcomer(s);
    print_message("%lld entries with the mark, %lld without\n", with, without);
    /* then only the looks that cover everything read them: the first one, and few more. */
    assert_true(without > MANY * 2);
    assert_true(with < without / 4);
    ts_sql(holder, "ROLLBACK");
    PQfinish(holder);
}

/* By hand, by a restore, by a failover: too high, and higher than any id. */
STORY_TEST(a_mark_that_is_too_high_hides_nothing)
{
    static const char *const marks[] = { "(SELECT last_value FROM pgqrs_message_id_seq)",
                                         "1000000000000", "9223372036854775807" };
    struct story *s = *state;

    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        pgqrs_client *client;
        pgqrs_consumer *consumer;
        size_t got = 0;

        story_send_many(s, 100, NULL);
        ts_sql(s->sql, "SELECT setval('pgqrs_frontier_1', %s)", marks[i]);
        client = ts_client(s->dsn, NULL);
        consumer = story_consumer(s, client, STORY_LEASE_MS);
        /* The first look would forget a mark beyond all ids; this is from before it. */
        assert_in_range(pgqrsi_consumer_frontier(consumer).bound, 1,
                        ts_int(s->sql, "SELECT last_value FROM pgqrs_message_id_seq"));
        for (int call = 0; call < 3; call++) {
            pgqrs_message_list *list = story_take(s, consumer, 200);

            got += pgqrs_message_list_count(list);
            pgqrs_message_list_free(list);
            if (call == 0)
                assert_int_equal(got, 100);
            story_send_many(s, 10, NULL);
        }
        assert_int_equal(got, 120);
        pgqrs_consumer_close(consumer);
        pgqrs_client_close(client);
        ts_sql(s->sql, "DELETE FROM pgqrs_messages");
    }
}

STORY_TEST(a_client_that_works_moves_the_mark)
{
    struct story *s = *state;
    int64_t until_ms = story_now_ms() + 60000;

    for (int i = 0; i < 2; i++)
        story_send_many(s, 6000, NULL);
    while (ts_int(s->sql, "SELECT last_value FROM pgqrs_frontier_1") < 10000) {
        pgqrs_message_list *list = story_take(s, s->consumer, 1000);
        size_t count = pgqrs_message_list_count(list);
        pgqrs_lease *leases = calloc(1000, sizeof(*leases));
        pgqrs_status *results = calloc(1000, sizeof(*results));

        for (size_t i = 0; i < count; i++)
            leases[i] = pgqrs_message_lease(pgqrs_message_list_at(list, i));
        if (count > 0)
            TS_OK(pgqrs_consumer_delete_batch(s->consumer, leases, count, results, s->err), s->err);
        free(leases);
        free(results);
        pgqrs_message_list_free(list);
        story_send(s, "1");
        if (story_now_ms() > until_ms)
            ts_fail("the mark was not moved");
    }
    assert_true(ts_int(s->sql, "SELECT f.last_value <= m.last_value FROM pgqrs_frontier_1 AS f, "
                               "pgqrs_message_id_seq AS m"));
    assert_int_equal(
        ts_int(s->sql, "SELECT relkind = 'S' FROM pg_class WHERE relname = 'pgqrs_frontier_1'"), 1);
}

TEST_MAIN(NULL, NULL)
