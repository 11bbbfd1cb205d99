/*
 * How much is read in the held lane, counted and not timed: by claims while an open transaction
 * keeps finished messages in the indexes, and by looks at many priorities. Messages before a
 * client's bound are still found.
 */
#include "../api/story.h"

enum { MANY = 5000, FEW = 100 };

/* Index entries of the held lane that have been walked over, those of dead rows included. */
static long long
read_now(const struct story *s)
{
    return ts_int(
        s->sql,
        "SELECT coalesce(sum(idx_tup_read), 0) FROM pg_stat_user_indexes WHERE relname = '" HELD
        "'");
}

/* Sessions report at the latest when they end. */
static long long
read_so_far(const struct story *s)
{
    ts_wait_until(s->sql, STORY_WAIT_MS,
                  "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'measured' "
                  "AND datname = current_database()");
    return read_now(s);
}

static pgqrs_client *
measured_client(const struct story *s)
{
    char *dsn = ts_format("%s application_name=measured", s->dsn);
    pgqrs_client *client = ts_client(dsn, NULL);

    free(dsn);
    return client;
}

static void
send_urgent(struct story *s, int count)
{
    for (int i = 0; i < count; i++)
        story_send_priority(s, 5);
}

/* `count` urgent messages come and go, a few at a time. */
static void
flow(struct story *s, pgqrs_consumer *consumer, int count, int at_once)
{
    for (int done = 0; done < count;) {
        pgqrs_message_list *list;
        size_t got;

        send_urgent(s, at_once);
        list = story_take(s, consumer, (size_t)at_once);
        got = pgqrs_message_list_count(list);
        for (size_t i = 0; i < got; i++)
            TS_OK(pgqrs_consumer_delete(
                      consumer, pgqrs_message_lease(pgqrs_message_list_at(list, i)), s->err),
                  s->err);
        pgqrs_message_list_free(list);
        done += (int)got;
    }
}

/* The index entries from the beginning of a priority: the dead entries are really there. */
static long long
read_from_the_beginning(const struct story *s)
{
    char *dsn = ts_format("%s application_name=measured", s->dsn);
    long long before = read_so_far(s);
    PGconn *own = ts_connect(dsn);

    ts_sql(own, "SET enable_seqscan = off; SET enable_bitmapscan = off");
    ts_sql(own, "SELECT id FROM " HELD
                " WHERE priority = 5 AND vt <= clock_timestamp() ORDER BY vt LIMIT 1");
    PQfinish(own);
    free(dsn);
    return read_so_far(s) - before;
}

STORY_TEST(claims_do_not_read_what_was_finished_while_the_horizon_is_pinned)
{
    struct story *s = *state;
    PGconn *holder = ts_connect(s->dsn);
    pgqrs_client *client = measured_client(s);
    pgqrs_consumer *consumer = story_consumer(s, client, STORY_LEASE_MS);
    long long before, read, all;

    /* Given a transaction that stays open, and many messages that came and went since, */
    ts_sql(s->sql, "ALTER TABLE " HELD " SET (autovacuum_enabled = off)");
    ts_sql(holder, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pg_current_xact_id()");
    flow(s, consumer, MANY, 50);
    pgqrs_consumer_close(consumer);
    pgqrs_client_close(client);
    all = read_from_the_beginning(s);
    assert_true(all >= MANY);
    /* when they are old enough that nobody waits for others of their age, */
    ts_wait_until(s->sql, STORY_WAIT_MS, "SELECT pg_sleep(2) IS NOT NULL");
    client = measured_client(s);
    consumer = story_consumer(s, client, STORY_LEASE_MS);
    before = read_now(s);
    flow(s, consumer, FEW, 1);
    pgqrs_consumer_close(consumer);
    pgqrs_client_close(client);
    read = read_so_far(s) - before;
    print_message("%lld entries for each claim; %lld from the beginning\n", read / FEW, all);
    /* then claims pass over them, but for the looks that cover everything. */
    assert_true(read / FEW < all / 10);
    ts_sql(holder, "ROLLBACK");
    PQfinish(holder);
}

/* They keep their due times, which are long before the bound of the claims by now. */
STORY_TEST(what_lies_before_the_bound_is_handed_out_soon)
{
    struct story *s = *state;
    pgqrs_client *other = ts_client(s->dsn, NULL);
    pgqrs_consumer *others = story_consumer(s, other, STORY_LEASE_MS);
    pgqrs_message_list *list;
    pgqrs_lease lease;
    int64_t id;

    for (int32_t priority = -1; priority <= 1; priority++) {
        id = story_send_priority(s, priority);
        lease = story_take_one(s, others);
        ts_sql(s->sql,
               "UPDATE pgqrs_messages SET enqueued_at = enqueued_at - interval '1 hour' WHERE id = "
               "%lld",
               (long long)id);
        /* The bound comes near to now. */
        for (int i = 0; i < 3; i++) {
            list = story_take(s, s->consumer, 1);
            assert_int_equal(pgqrs_message_list_count(list), 0);
            pgqrs_message_list_free(list);
        }
        TS_OK(pgqrs_consumer_release(others, lease, 0, s->err), s->err);
        list = story_await(s, s->consumer);
        assert_int_equal(story_only(list)->id, id);
        pgqrs_message_list_free(list);
    }
    pgqrs_consumer_close(others);
    pgqrs_client_close(other);
}

STORY_TEST(priorities_are_bounded_by_the_library_and_by_the_table)
{
    static const int32_t refused[] = { -101, 101, 32767, -32768, 65536, INT32_MIN, INT32_MAX };
    struct story *s = *state;
    pgqrs_enqueue_options options = PGQRS_ENQUEUE_OPTIONS_INIT;

    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        options.priority = refused[i];
        TS_IS(PGQRS_EINVAL, pgqrs_producer_enqueue(s->producer, text("1"), &options, NULL, s->err),
              s->err);
    }
    for (int sign = -1; sign <= 1; sign += 2) {
        PGresult *result;
        char *insert = ts_format("INSERT INTO pgqrs_messages (queue_id, lane, payload, priority) "
                                 "VALUES (1, 'h', '1', %d)",
                                 sign * 101);

        story_send_priority(s, sign * 100);
        result = PQexec(s->sql, insert);
        assert_string_equal(PQresultErrorField(result, PG_DIAG_SQLSTATE), "23514");
        PQclear(result);
        free(insert);
    }
    assert_int_equal(story_stored(s), 2);
}

STORY_TEST(delayed_messages_of_all_priorities_cost_an_empty_dequeue_little)
{
    struct story *s = *state;
    pgqrs_client *client;
    pgqrs_consumer *consumer;
    long long before, read;

    ts_sql(
        s->sql,
        "INSERT INTO pgqrs_messages (queue_id, lane, payload, priority, vt) SELECT 1, 'h', '1', p, "
        "clock_timestamp() + interval '1 hour' FROM generate_series(-100, 100) AS p, "
        "generate_series(1, 50)");
    client = measured_client(s);
    consumer = story_consumer(s, client, STORY_LEASE_MS);
    before = read_now(s);
    for (int i = 0; i < 10; i++) {
        pgqrs_message_list *list = story_take(s, consumer, 10);

        assert_int_equal(pgqrs_message_list_count(list), 0);
        pgqrs_message_list_free(list);
    }
    pgqrs_consumer_close(consumer);
    pgqrs_client_close(client);
    read = read_so_far(s) - before;
    print_message("%lld entries for each empty dequeue\n", read / 10);
    assert_true(read / 10 < 201 * 8);
}

TEST_MAIN(NULL, NULL)
