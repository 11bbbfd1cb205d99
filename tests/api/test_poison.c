/*
 * One message that the server refuses or cannot read: the library finds it, and the others are
 * claimed.
 */
#include "story.h"

#include "poison.h"

/* Takes and deletes all that come, until nothing is due; how many there were. */
static int
drain(struct story *s, size_t at_once)
{
    int count = 0;

    for (;;) {
        pgqrs_message_list *list = story_take(s, s->consumer, at_once);
        size_t got = pgqrs_message_list_count(list);

        for (size_t i = 0; i < got; i++)
            TS_OK(pgqrs_consumer_delete(
                      s->consumer, pgqrs_message_lease(pgqrs_message_list_at(list, i)), s->err),
                  s->err);
        pgqrs_message_list_free(list);
        if (got == 0)
            return count;
        count += (int)got;
    }
}

static long long
dead(const struct story *s)
{
    return ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive WHERE outcome = 'dead'");
}

/* Printing a gigabyte takes a server some seconds, and more on a busy machine. */
static void
be_patient(struct story *s)
{
    pgqrs_consumer_close(s->consumer);
    pgqrs_producer_close(s->producer);
    pgqrs_client_close(s->client);
    s->client = ts_client(s->dsn, "operation_timeout_ms", "120000", NULL);
    s->consumer = story_consumer(s, s->client, STORY_LEASE_MS);
    TS_OK(pgqrs_producer_open(s->client, text("jobs"), NULL, &s->producer, s->err), s->err);
}

STORY_TEST(a_message_that_cannot_be_sent_is_dead_and_the_others_come)
{
    struct story *s = *state;

    be_patient(s);
    story_send_many(s, 20, NULL);
    ts_sql(s->sql, "INSERT INTO " READY " (payload) SELECT " UNPRINTABLE);
    story_send_many(s, 20, NULL);
    assert_int_equal(drain(s, 2), 40);
    assert_int_equal(dead(s), 1);
    assert_int_equal(
        ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive WHERE error LIKE '%%SQLSTATE%%'"), 1);
    assert_int_equal(story_stored(s), 0);
}

STORY_TEST(the_same_in_the_held_lane)
{
    struct story *s = *state;

    be_patient(s);
    story_send_priority(s, 3);
    ts_sql(s->sql, "INSERT INTO " HELD " (payload, priority) SELECT " UNPRINTABLE ", 5");
    story_send_priority(s, 5);
    story_send_priority(s, 1);
    assert_int_equal(drain(s, 2), 3);
    assert_int_equal(dead(s), 1);
    assert_int_equal(story_stored(s), 0);
}

STORY_TEST(odd_rows_stop_nobody)
{
    struct story *s = *state;

    for (size_t i = 0; i < sizeof(oddities) / sizeof(oddities[0]); i++) {
        int came;

        story_send_many(s, 5, NULL);
        ts_sql(s->sql, "%s", oddities[i]);
        story_send_many(s, 5, NULL);
        came = drain(s, 10);
        /* A second client, for which the row is old. */
        story_send_many(s, 5, NULL);
        came += drain(s, 10);
        if (came < 15 || story_stored(s) > 0)
            ts_fail("after %s only %d messages came, and %lld are left", oddities[i], came,
                    story_stored(s));
    }
}

/* A lease that ran out must be moved to the held lane, which refuses it. */
STORY_TEST(a_lease_that_cannot_be_swept_stops_no_other)
{
    struct story *s = *state;
    pgqrs_message_list *list;
    int64_t ids[30];

    story_send_many(s, 30, ids);
    list = story_take(s, s->consumer, 30);
    assert_int_equal(pgqrs_message_list_count(list), 30);
    pgqrs_message_list_free(list);
    ts_sql(s->sql,
           "ALTER TABLE " HELD " ADD CONSTRAINT refusal CHECK (id NOT IN (%lld, %lld, %lld))",
           (long long)ids[0], (long long)ids[11], (long long)ids[12]);
    ts_sql(s->sql, "UPDATE " READY " SET vt = clock_timestamp() - interval '1 ms'");
    for (int came = 0; came < 27;) {
        pgqrs_status status = pgqrs_consumer_dequeue_batch(s->consumer, 30, NULL, &list, s->err);

        TS_OK(status, s->err);
        came += (int)pgqrs_message_list_count(list);
        pgqrs_message_list_free(list);
    }
    /* The call does not return an empty list: it returns the refusal. */
    TS_IS(PGQRS_ESERVER, pgqrs_consumer_dequeue_batch(s->consumer, 30, NULL, &list, s->err),
          s->err);
    assert_string_equal(pgqrs_error_sqlstate(s->err), "23514");
    ts_sql(s->sql, "ALTER TABLE " HELD " DROP CONSTRAINT refusal");
    list = story_take(s, s->consumer, 30);
    assert_int_equal(pgqrs_message_list_count(list), 3);
    pgqrs_message_list_free(list);
}

/* A row of the ready lane with a priority that the held lane has not, by plain SQL. */
STORY_TEST(a_priority_out_of_range_keeps_no_lease_from_being_swept)
{
    struct story *s = *state;
    pgqrs_lease lease;

    ts_sql(s->sql, "INSERT INTO " READY " (payload, priority) VALUES ('1', 32767), ('2', -32768)");
    story_take_one(s, s->consumer);
    ts_sql(s->sql, "UPDATE " READY
                   " SET vt = clock_timestamp() - interval '1 ms' WHERE lease_token IS NOT NULL");
    assert_int_equal(drain(s, 1), 2);
    ts_sql(s->sql, "INSERT INTO " READY " (payload, priority) VALUES ('3', 32767)");
    lease = story_take_one(s, s->consumer);
    TS_OK(pgqrs_consumer_release(s->consumer, lease, 0, s->err), s->err);
    assert_int_equal(drain(s, 1), 1);
    ts_sql(s->sql, "INSERT INTO " READY " (payload, priority) VALUES ('4', 32767)");
    lease = story_take_one(s, s->consumer);
    TS_OK(pgqrs_consumer_fail(s->consumer, lease, NULL, NULL, s->err), s->err);
    assert_int_equal(story_stored(s), 1);
}

/* A queue whose table is missing is not taken for a deleted queue. */
STORY_TEST(a_trigger_that_misses_its_table_is_told_as_such)
{
    struct story *s = *state;
    pgqrs_lease lease;

    story_send(s, "1");
    lease = story_take_one(s, s->consumer);
    ts_sql(s->sql, "CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS "
                   "'BEGIN INSERT INTO no_such_table VALUES (1); RETURN NEW; END'");
    ts_sql(s->sql, "CREATE TRIGGER audit BEFORE INSERT ON pgqrs_archive FOR EACH ROW EXECUTE "
                   "FUNCTION audit()");
    TS_IS(PGQRS_ESERVER,
          pgqrs_consumer_archive(s->consumer, lease, (pgqrs_slice){ NULL, 0 }, s->err), s->err);
    assert_string_equal(pgqrs_error_sqlstate(s->err), "42P01");
    ts_sql(s->sql, "DROP TRIGGER audit ON pgqrs_archive; DROP FUNCTION audit()");
    TS_OK(pgqrs_consumer_archive(s->consumer, lease, (pgqrs_slice){ NULL, 0 }, s->err), s->err);
}

TEST_MAIN(NULL, NULL)
