/*
 * Failed attempts and crashes: the pause before the next attempt, and when a message is dead.
 */
#include "story.h"

#define BASE_MS 1000
#define MAX_MS 3000

static int
open_strict(void **state)
{
    pgqrs_queue_options options = PGQRS_QUEUE_OPTIONS_INIT;

    options.max_attempts = 5;
    options.max_crashes = 2;
    options.backoff_base_ms = BASE_MS;
    options.backoff_max_ms = MAX_MS;
    return story_open_with(state, &options);
}

#define STRICT_TEST(name) TEST_WITH(name, open_strict, story_close)

/* Leases the message, due or not. */
static pgqrs_lease
lease_now(struct story *s, int64_t id)
{
    pgqrs_message_list *list;
    pgqrs_lease lease;

    TS_OK(pgqrs_consumer_lease(s->consumer, id, PGQRS_LEASE_IF_FREE, &list, s->err), s->err);
    lease = pgqrs_message_lease(story_only(list));
    pgqrs_message_list_free(list);
    /* A lease of a tool does not set dequeued_at, from which pauses are measured. */
    ts_sql(s->sql, "UPDATE pgqrs_messages SET dequeued_at = clock_timestamp() WHERE id = %lld",
           (long long)id);
    return lease;
}

/* The lease that the message is under. */
static pgqrs_lease
lease_of(const struct story *s, int64_t id)
{
    return (pgqrs_lease){
        id, ts_int(s->sql, "SELECT lease_token FROM pgqrs_messages WHERE id = %lld", (long long)id)
    };
}

/* Fails the message once more; the pause lies in this range. */
static void
expect_pause(struct story *s, int64_t id, const pgqrs_fail_options *options, int64_t least_ms,
             int64_t most_ms)
{
    bool dead = true;

    TS_OK(pgqrs_consumer_fail(s->consumer, lease_now(s, id), options, &dead, s->err), s->err);
    assert_int_equal(dead, 0);
    if (!ts_int(s->sql,
                "SELECT vt - dequeued_at >= %lld * interval '1 ms' "
                "AND vt - clock_timestamp() <= %lld * interval '1 ms' "
                "FROM pgqrs_messages WHERE id = %lld",
                (long long)least_ms, (long long)most_ms, (long long)id))
        ts_fail("the pause of message %lld is not between %lld and %lld ms", (long long)id,
                (long long)least_ms, (long long)most_ms);
}

STRICT_TEST(the_pause_doubles_up_to_a_bound)
{
    struct story *s = *state;
    int64_t id = story_send(s, "1");
    pgqrs_message_list *list;

    expect_pause(s, id, NULL, BASE_MS / 2, BASE_MS);
    expect_pause(s, id, NULL, BASE_MS, 2 * BASE_MS);
    expect_pause(s, id, NULL, MAX_MS / 2, MAX_MS);
    expect_pause(s, id, NULL, MAX_MS / 2, MAX_MS);
    list = story_take(s, s->consumer, 1);
    assert_int_equal(pgqrs_message_list_count(list), 0);
    pgqrs_message_list_free(list);
    assert_int_equal(ts_int(s->sql, "SELECT failed_ct FROM pgqrs_messages"), 4);
}

/* The pauses of many messages differ, so that they are not all due at the same moment. */
STRICT_TEST(the_pause_is_jittered)
{
    struct story *s = *state;
    int64_t ids[20];

    story_send_many(s, 20, ids);
    for (int i = 0; i < 20; i++)
        expect_pause(s, ids[i], NULL, BASE_MS / 2, BASE_MS);
    assert_true(
        ts_int(s->sql,
               "SELECT count(DISTINCT extract(ms FROM vt - dequeued_at)::int / 10) FROM " HELD) >
        5);
}

STRICT_TEST(after_a_thousand_failures_the_pause_is_still_bounded)
{
    struct story *s = *state;
    int64_t id = story_send(s, "1");

    ts_sql(s->sql, "UPDATE pgqrs_queues SET max_attempts = 1000, backoff_base_ms = 2592000000, "
                   "backoff_max_ms = 2592000000; UPDATE pgqrs_messages SET failed_ct = 998");
    expect_pause(s, id, NULL, INT64_C(1296000000), INT64_C(2592000000));
}

STRICT_TEST(a_delay_of_ones_own_replaces_the_backoff)
{
    struct story *s = *state;
    pgqrs_fail_options options = PGQRS_FAIL_OPTIONS_INIT;
    int64_t id = story_send(s, "1");
    pgqrs_message_list *list;

    options.delay_ms = 3600000;
    expect_pause(s, id, &options, 3600000, 3600000);
    options.delay_ms = 20;
    expect_pause(s, id, &options, 20, 20);
    list = story_await(s, s->consumer);
    assert_int_equal(story_only(list)->failed_ct, 2);
    assert_int_equal(story_only(list)->attempt, 3);
    pgqrs_message_list_free(list);
}

STRICT_TEST(after_its_last_attempt_a_message_is_dead)
{
    struct story *s = *state;
    pgqrs_fail_options options = PGQRS_FAIL_OPTIONS_INIT;
    int64_t id = story_send(s, "{\"n\": 1}");
    pgqrs_archive_list *archive;
    const pgqrs_archived *archived;
    pgqrs_lease lease;
    bool dead = false;

    for (int i = 0; i < 4; i++)
        expect_pause(s, id, NULL, 1, MAX_MS);
    options.error = text("the disk is full \xe2\x98\xa0");
    lease = lease_now(s, id);
    TS_OK(pgqrs_consumer_fail(s->consumer, lease, &options, &dead, s->err), s->err);
    assert_int_equal(dead, 1);
    assert_int_equal(story_stored(s), 0);
    TS_OK(pgqrs_archive_get(s->client, text("jobs"), id, &archive, s->err), s->err);
    archived = pgqrs_archive_list_at(archive, 0);
    assert_int_equal(archived->outcome, PGQRS_OUTCOME_DEAD);
    assert_true(story_slice_is(archived->error, "the disk is full \xe2\x98\xa0"));
    assert_true(story_slice_is(archived->message->payload, "{\"n\": 1}"));
    assert_int_equal(archived->message->failed_ct, 5);
    assert_int_equal(archived->message->lease_token, lease.token);
    pgqrs_archive_list_free(archive);
    TS_IS(PGQRS_ELEASELOST, pgqrs_consumer_fail(s->consumer, lease, NULL, &dead, s->err), s->err);
}

STRICT_TEST(a_failure_for_good_is_the_last)
{
    struct story *s = *state;
    pgqrs_fail_options options = PGQRS_FAIL_OPTIONS_INIT;
    bool dead = false;

    options.mode = PGQRS_FAIL_FOR_GOOD;
    story_send(s, "1");
    story_send_priority(s, 4);
    for (int i = 0; i < 2; i++) { /* one in each lane */
        TS_OK(pgqrs_consumer_fail(s->consumer, story_take_one(s, s->consumer), &options, &dead,
                                  s->err),
              s->err);
        assert_int_equal(dead, 1);
    }
    assert_int_equal(story_stored(s), 0);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive WHERE outcome = 'dead' AND "
                                    "failed_ct = 1 AND error IS NULL AND result IS NULL"),
                     2);
}

STRICT_TEST(a_long_error_is_cut_where_a_character_ends)
{
    enum { LIMIT = 65536 };
    struct story *s = *state;
    pgqrs_fail_options options = PGQRS_FAIL_OPTIONS_INIT;
    char *error = malloc(LIMIT + 100);

    memset(error, 'x', LIMIT + 100);
    memcpy(error + LIMIT - 1, "\xc3\xa9", 2); /* one byte on either side of the limit */
    options.mode = PGQRS_FAIL_FOR_GOOD;
    options.error = (pgqrs_slice){ error, LIMIT + 100 };
    story_send(s, "1");
    TS_OK(pgqrs_consumer_fail(s->consumer, story_take_one(s, s->consumer), &options, NULL, s->err),
          s->err);
    assert_int_equal(
        ts_int(s->sql, "SELECT octet_length(error) FROM pgqrs_archive WHERE error ~ '^x+$'"),
        LIMIT - 1);
    free(error);
}

STRICT_TEST(what_cannot_be_a_failure_is_refused)
{
    const pgqrs_slice errors[] = { { "\xff", 1 }, { "a\0b", 3 } };
    const int64_t delays[] = { -1, INT64_C(315576000001), INT64_MAX };
    struct story *s = *state;
    pgqrs_fail_options options = PGQRS_FAIL_OPTIONS_INIT;
    pgqrs_lease lease;
    bool dead = true;

    story_send(s, "1");
    lease = story_take_one(s, s->consumer);
    for (int i = 0; i < 3; i++) {
        options.delay_ms = delays[i];
        TS_IS(PGQRS_EINVAL, pgqrs_consumer_fail(s->consumer, lease, &options, &dead, s->err),
              s->err);
    }
    options.delay_ms = 0;
    for (int i = 0; i < 2; i++) {
        options.error = errors[i];
        TS_IS(PGQRS_EINVAL, pgqrs_consumer_fail(s->consumer, lease, &options, &dead, s->err),
              s->err);
    }
    options.size = 0;
    TS_IS(PGQRS_EINVAL, pgqrs_consumer_fail(s->consumer, lease, &options, &dead, s->err), s->err);
    assert_true(dead);
    assert_int_equal(ts_int(s->sql, "SELECT failed_ct FROM pgqrs_messages"), 0);
}

/* Claims the message and lets the lease run out. */
static void
crash(struct story *s, int64_t id, int crashes_before)
{
    pgqrs_message_list *list = story_await(s, s->consumer);

    assert_int_equal(story_only(list)->id, id);
    assert_int_equal(story_only(list)->crash_ct, crashes_before);
    assert_int_equal(story_only(list)->failed_ct, 0);
    pgqrs_message_list_free(list);
    story_expire(s, id);
}

STRICT_TEST(a_message_that_crashes_its_consumers_is_dead)
{
    struct story *s = *state;
    int64_t ids[2] = { story_send(s, "1"), 0 };
    int64_t until;

    crash(s, ids[0], 0);
    crash(s, ids[0], 1);
    for (until = story_now_ms() + STORY_WAIT_MS; story_stored(s) > 0;) {
        pgqrs_message_list *list = story_take(s, s->consumer, 5);

        assert_int_equal(pgqrs_message_list_count(list), 0);
        pgqrs_message_list_free(list);
        TS_TRUE(story_now_ms() < until);
    }
    assert_int_equal(ts_int(s->sql, "SELECT crash_ct FROM pgqrs_archive WHERE outcome = 'dead' AND "
                                    "failed_ct = 0 AND error LIKE '%%ran out 2 times%%'"),
                     2);
    ids[1] = story_send(s, "2");
    story_expect_order(s, s->consumer, &ids[1], 1);
}

STRICT_TEST(what_is_fine_comes_with_what_is_dead_in_one_claim)
{
    struct story *s = *state;
    pgqrs_message_list *list;
    int64_t ids[4];

    for (int i = 0; i < 4; i++)
        ids[i] = story_send_priority(s, 9 - i);
    ts_sql(s->sql,
           "UPDATE pgqrs_messages SET lease_token = 1, crash_ct = 1 WHERE id IN (%lld, %lld)",
           (long long)ids[0], (long long)ids[2]);
    list = story_take(s, s->consumer, 10);
    assert_int_equal(pgqrs_message_list_count(list), 2);
    assert_int_equal(pgqrs_message_list_at(list, 0)->id, ids[1]);
    assert_int_equal(pgqrs_message_list_at(list, 1)->id, ids[3]);
    assert_true(story_slice_is(pgqrs_message_list_at(list, 1)->payload, "{}"));
    pgqrs_message_list_free(list);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive WHERE outcome = 'dead'"),
                     2);
}

/* The queue's row was deleted while its tables exist, or row security hides it. */
STRICT_TEST(without_its_queues_row_no_message_is_lost)
{
    struct story *s = *state;
    pgqrs_fail_options for_good = PGQRS_FAIL_OPTIONS_INIT;
    int64_t ids[3];
    bool dead = true;

    story_send_many(s, 3, ids);
    for (int i = 0; i < 3; i++)
        ids[i] = story_take_one(s, s->consumer).id;
    ts_sql(s->sql, "CREATE TABLE ts_kept AS SELECT * FROM pgqrs_queues; DELETE FROM pgqrs_queues");
    for_good.mode = PGQRS_FAIL_FOR_GOOD;
    TS_OK(pgqrs_consumer_fail(s->consumer, lease_of(s, ids[0]), NULL, &dead, s->err), s->err);
    assert_int_equal(dead, 0);
    TS_OK(pgqrs_consumer_fail(s->consumer, lease_of(s, ids[1]), &for_good, &dead, s->err), s->err);
    assert_int_equal(dead, 1);
    ts_sql(s->sql, "UPDATE pgqrs_messages SET failed_ct = 19 WHERE id = %lld", (long long)ids[2]);
    TS_OK(pgqrs_consumer_fail(s->consumer, lease_of(s, ids[2]), NULL, &dead, s->err), s->err);
    assert_int_equal(dead, 1);
    assert_int_equal(
        ts_int(s->sql, "SELECT count(*) FROM " HELD " WHERE id = %lld", (long long)ids[0]), 1);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive WHERE outcome = 'dead'"),
                     2);
    ts_sql(s->sql, "INSERT INTO pgqrs_queues SELECT * FROM ts_kept; DROP TABLE ts_kept");
}

TEST_MAIN(NULL, NULL)
