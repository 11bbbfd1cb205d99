/*
 * Ending and changing leases: by the holder, by a late holder, and by one that lost its lease.
 */
#include "story.h"

/* The calls that take a lease, so that a test can run with each. */
enum call { CALL_DELETE, CALL_ARCHIVE, CALL_EXTEND, CALL_RELEASE, CALL_FAIL, CALL_COUNT };

static pgqrs_status
call_with(struct story *s, enum call call, pgqrs_lease lease)
{
    switch (call) {
    case CALL_DELETE:
        return pgqrs_consumer_delete(s->consumer, lease, s->err);
    case CALL_ARCHIVE:
        return pgqrs_consumer_archive(s->consumer, lease, text("1"), s->err);
    case CALL_EXTEND:
        return pgqrs_consumer_extend_visibility(s->consumer, lease, 5000, s->err);
    case CALL_RELEASE:
        return pgqrs_consumer_release(s->consumer, lease, 3600000, s->err);
    default:
        return pgqrs_consumer_fail(s->consumer, lease, NULL, NULL, s->err);
    }
}

/* What the call must have done to the message. */
static void
expect_done(struct story *s, enum call call, pgqrs_lease lease)
{
    const char *const conditions[CALL_COUNT] = {
        [CALL_DELETE] = "(SELECT count(*) FROM pgqrs_messages) = 0 AND (SELECT count(*) FROM "
                        "pgqrs_archive) = 0",
        [CALL_ARCHIVE] = "(SELECT count(*) FROM pgqrs_messages) = 0 AND "
                         "(SELECT outcome = 'done' AND result = '1' FROM pgqrs_archive)",
        [CALL_EXTEND] = "(SELECT lease_token IS NOT NULL AND vt > clock_timestamp() + interval '1 "
                        "s' AND vt < clock_timestamp() + interval '5 s' FROM pgqrs_messages)",
        [CALL_RELEASE] = "(SELECT lease_token IS NULL AND failed_ct = 0 AND crash_ct = 0 AND "
                         "vt > clock_timestamp() + interval '59 min' FROM pgqrs_messages)",
        [CALL_FAIL] =
            "(SELECT lease_token IS NULL AND failed_ct = 1 AND crash_ct = 0 FROM pgqrs_messages)",
    };

    if (!ts_int(s->sql, "SELECT %s", conditions[call]))
        ts_fail("after call %d on message %lld it does not hold that %s", (int)call,
                (long long)lease.id, conditions[call]);
    ts_sql(s->sql, "TRUNCATE pgqrs_messages, pgqrs_archive");
}

STORY_TEST(the_holder_may_do_everything)
{
    struct story *s = *state;

    for (int call = 0; call < CALL_COUNT; call++) {
        pgqrs_lease lease;

        story_send(s, "1");
        lease = story_take_one(s, s->consumer);
        TS_OK(call_with(s, (enum call)call, lease), s->err);
        expect_done(s, (enum call)call, lease);
    }
}

STORY_TEST(a_holder_who_is_late_but_was_not_replaced_may_too)
{
    struct story *s = *state;

    for (int call = 0; call < CALL_COUNT; call++) {
        pgqrs_lease lease;

        story_send(s, "1");
        lease = story_take_one(s, s->consumer);
        story_expire(s, lease.id);
        TS_OK(call_with(s, (enum call)call, lease), s->err);
        expect_done(s, (enum call)call, lease);
    }
}

/* Dequeues from the empty queue until the sweep has moved message `id` to the held lane. */
static void
await_sweep(struct story *s, int64_t id)
{
    int64_t until = story_now_ms() + STORY_WAIT_MS;

    while (ts_int(s->sql, "SELECT count(*) FROM " HELD " WHERE id = %lld", (long long)id) == 0) {
        pgqrs_message_list *list = story_take(s, s->consumer, 1);

        if (pgqrs_message_list_count(list) != 0)
            ts_fail("a message that is in flight was handed out");
        pgqrs_message_list_free(list);
        TS_TRUE(story_now_ms() < until);
    }
}

STORY_TEST(a_holder_whose_message_was_moved_to_the_other_lane_may_too)
{
    struct story *s = *state;

    for (int call = 0; call < CALL_COUNT; call++) {
        pgqrs_lease lease;

        story_send(s, "1");
        lease = story_take_one(s, s->consumer);
        ts_sql(s->sql, "UPDATE " READY " SET dequeued_at = dequeued_at - interval '6 s'");
        await_sweep(s, lease.id);
        assert_int_equal(ts_int(s->sql, "SELECT lease_token FROM " HELD), lease.token);
        TS_OK(call_with(s, (enum call)call, lease), s->err);
        expect_done(s, (enum call)call, lease);
    }
}

STORY_TEST(who_lost_his_lease_changes_nothing)
{
    struct story *s = *state;
    pgqrs_lease lost, current;
    pgqrs_message_list *list;
    char *before, *after;

    story_send(s, "1");
    lost = story_take_one(s, s->consumer);
    story_expire(s, lost.id);
    list = story_await(s, s->consumer);
    current = pgqrs_message_lease(story_only(list));
    pgqrs_message_list_free(list);
    before = ts_text(s->sql, "SELECT m::text FROM pgqrs_messages AS m");
    for (int call = 0; call < CALL_COUNT; call++) {
        TS_IS(PGQRS_ELEASELOST, call_with(s, (enum call)call, lost), s->err);
        story_expect_message(s, "jobs");
        assert_int_equal(pgqrs_error_is_transient(s->err), 0);
    }
    after = ts_text(s->sql, "SELECT m::text FROM pgqrs_messages AS m");
    assert_string_equal(before, after);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive"), 0);
    TS_OK(pgqrs_consumer_delete(s->consumer, current, s->err), s->err);
    for (int call = 0; call < CALL_COUNT; call++)
        TS_IS(PGQRS_ELEASELOST, call_with(s, (enum call)call, current), s->err);
    free(before);
    free(after);
}

STORY_TEST(what_cannot_be_a_lease_is_refused)
{
    const pgqrs_lease wrong[] = { { 0, 5 }, { 1, 0 }, { -1, 5 }, { 1, -5 } };
    struct story *s = *state;

    for (int call = 0; call < CALL_COUNT; call++)
        for (int i = 0; i < 4; i++)
            TS_IS(PGQRS_EINVAL, call_with(s, (enum call)call, wrong[i]), s->err);
}

STORY_TEST(times_out_of_range_are_refused)
{
    const int64_t seven_days_ms = INT64_C(604800000), ten_years_ms = INT64_C(315360000000);
    const int64_t extensions[] = { 0, -1, seven_days_ms + 1, INT64_MAX };
    const int64_t delays[] = { -1, ten_years_ms + 1, INT64_MAX };
    struct story *s = *state;
    pgqrs_lease lease;
    pgqrs_status result;

    story_send(s, "1");
    lease = story_take_one(s, s->consumer);
    for (int i = 0; i < 4; i++) {
        TS_IS(PGQRS_EINVAL,
              pgqrs_consumer_extend_visibility(s->consumer, lease, extensions[i], s->err), s->err);
        TS_IS(PGQRS_EINVAL,
              pgqrs_consumer_extend_visibility_batch(s->consumer, &lease, 1, extensions[i], &result,
                                                     s->err),
              s->err);
    }
    for (int i = 0; i < 3; i++) {
        TS_IS(PGQRS_EINVAL, pgqrs_consumer_release(s->consumer, lease, delays[i], s->err), s->err);
        TS_IS(PGQRS_EINVAL,
              pgqrs_consumer_release_batch(s->consumer, &lease, 1, delays[i], &result, s->err),
              s->err);
    }
    TS_OK(pgqrs_consumer_extend_visibility(s->consumer, lease, seven_days_ms, s->err), s->err);
    TS_OK(pgqrs_consumer_release(s->consumer, lease, ten_years_ms, s->err), s->err);
}

STORY_TEST(a_lease_that_is_extended_does_not_run_out)
{
    struct story *s = *state;
    pgqrs_consumer *hasty = story_consumer(s, s->client, 300);
    pgqrs_message_list *list;
    pgqrs_lease lease;

    story_send(s, "1");
    lease = story_take_one(s, hasty);
    TS_OK(pgqrs_consumer_extend_visibility(hasty, lease, 60000, s->err), s->err);
    ts_wait_until(s->sql, STORY_WAIT_MS,
                  "SELECT dequeued_at + interval '350 ms' < clock_timestamp() FROM pgqrs_messages");
    list = story_take(s, hasty, 1);
    assert_int_equal(pgqrs_message_list_count(list), 0);
    pgqrs_message_list_free(list);
    TS_OK(pgqrs_consumer_delete(hasty, lease, s->err), s->err);
    pgqrs_consumer_close(hasty);
}

STORY_TEST(a_released_message_comes_again_and_has_lost_no_attempt)
{
    struct story *s = *state;
    const int64_t delays[] = { 0, 60 };
    pgqrs_message_list *list;
    pgqrs_lease lease;

    story_send(s, "1");
    lease = story_take_one(s, s->consumer);
    for (int i = 0; i < 2; i++) {
        int64_t began_ms = story_now_ms();

        TS_OK(pgqrs_consumer_release(s->consumer, lease, delays[i], s->err), s->err);
        list = delays[i] == 0 ? story_take(s, s->consumer, 1) : story_await(s, s->consumer);
        assert_int_equal(story_only(list)->attempt, 1);
        assert_int_equal(story_only(list)->read_ct, i + 2);
        assert_true(story_now_ms() - began_ms >= delays[i]);
        lease = pgqrs_message_lease(story_only(list));
        pgqrs_message_list_free(list);
    }
}

STORY_TEST(archiving_twice_under_one_lease_is_harmless)
{
    struct story *s = *state;
    pgqrs_lease lease, forged;

    story_send(s, "1");
    lease = forged = story_take_one(s, s->consumer);
    forged.token ^= 1;
    TS_OK(pgqrs_consumer_archive(s->consumer, lease, text("{\"a\": 1}"), s->err), s->err);
    TS_OK(pgqrs_consumer_archive(s->consumer, lease, text("{\"a\": 2}"), s->err), s->err);
    TS_IS(PGQRS_ELEASELOST, pgqrs_consumer_archive(s->consumer, forged, text("1"), s->err), s->err);
    assert_int_equal(
        ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive WHERE result = '{\"a\": 1}'"), 1);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive"), 1);
}

enum report { DELETE, ARCHIVE, RELEASE, FAIL, FAIL_FOR_GOOD, EXTEND, REPORTS };

static pgqrs_status
report(struct story *s, pgqrs_lease lease, enum report what)
{
    pgqrs_fail_options for_good = PGQRS_FAIL_OPTIONS_INIT;

    for_good.mode = PGQRS_FAIL_FOR_GOOD;
    switch (what) {
    case DELETE:
        return pgqrs_consumer_delete(s->consumer, lease, s->err);
    case ARCHIVE:
        return pgqrs_consumer_archive(s->consumer, lease, text("1"), s->err);
    case RELEASE:
        return pgqrs_consumer_release(s->consumer, lease, 3600000, s->err);
    case FAIL:
        return pgqrs_consumer_fail(s->consumer, lease, NULL, NULL, s->err);
    case FAIL_FOR_GOOD:
        return pgqrs_consumer_fail(s->consumer, lease, &for_good, NULL, s->err);
    default:
        return pgqrs_consumer_extend_visibility(s->consumer, lease, 60000, s->err);
    }
}

/* Everything that is stored of messages. */
#define STORED                                                                                     \
    "SELECT coalesce((SELECT string_agg(m::text, ';' ORDER BY m.id) FROM pgqrs_messages AS m), "   \
    "'') || "                                                                                      \
    "coalesce((SELECT string_agg(a::text, ';' ORDER BY a.id) FROM pgqrs_archive AS a), '')"

/* Every call after every call, in each lane. Only a repeated archive succeeds. */
STORY_TEST(under_one_lease_there_is_one_report)
{
    struct story *s = *state;

    for (int first = DELETE; first < EXTEND; first++) {
        for (int second = DELETE; second < REPORTS; second++) {
            for (int32_t priority = 0; priority < 2; priority++) {
                char *before, *after;
                pgqrs_lease lease;

                ts_sql(s->sql, "DELETE FROM pgqrs_messages; DELETE FROM pgqrs_archive");
                story_send_priority(s, priority);
                lease = story_take_one(s, s->consumer);
                TS_OK(report(s, lease, (enum report)first), s->err);
                before = ts_text(s->sql, STORED);
                TS_IS(first == ARCHIVE && second == ARCHIVE ? PGQRS_OK : PGQRS_ELEASELOST,
                      report(s, lease, (enum report)second), s->err);
                after = ts_text(s->sql, STORED);
                assert_string_equal(before, after);
                free(before);
                free(after);
            }
        }
    }
}

/* Archiving by id alone is no delivery, also of a message that was delivered before. */
STORY_TEST(archiving_without_a_lease_leaves_the_counts_and_times)
{
    struct story *s = *state;
    char *id = ts_format("%lld", (long long)story_send(s, "1"));
    char *before, *after;
    ts_result result;

    story_take_one(s, s->consumer);
    ts_sql(s->sql, "UPDATE pgqrs_messages SET dequeued_at = clock_timestamp() - interval '1 hour', "
                   "vt = clock_timestamp() - interval '1 ms'");
    before = ts_text(s->sql, "SELECT read_ct || ' ' || dequeued_at FROM pgqrs_messages");
    ts_run_args(&result, NULL, ts_command(), "--dsn", s->dsn, "message", "archive", "jobs", id,
                NULL);
    assert_string_equal(result.err, "");
    ts_result_release(&result);
    after = ts_text(s->sql, "SELECT read_ct || ' ' || dequeued_at FROM pgqrs_archive");
    assert_string_equal(before, after);
    assert_int_equal(
        ts_int(s->sql, "SELECT processing_duration BETWEEN 3600000 AND 3700000 FROM pgqrs_archive"),
        1);
    free(id);
    free(before);
    free(after);
    /* The same for a message that was never delivered. */
    id = ts_format("%lld", (long long)story_send(s, "1"));
    ts_run_args(&result, NULL, ts_command(), "--dsn", s->dsn, "message", "archive", "jobs", id,
                NULL);
    assert_string_equal(result.err, "");
    ts_result_release(&result);
    assert_int_equal(ts_int(s->sql,
                            "SELECT count(*) FROM pgqrs_archive WHERE id = %s AND read_ct = 0 AND "
                            "dequeued_at IS NULL AND processing_duration IS NULL",
                            id),
                     1);
    free(id);
}

STORY_TEST(a_result_is_json_or_nothing)
{
    struct story *s = *state;
    pgqrs_lease lease;

    story_send(s, "1");
    lease = story_take_one(s, s->consumer);
    TS_IS(PGQRS_EINVAL, pgqrs_consumer_archive(s->consumer, lease, text("nope"), s->err), s->err);
    story_expect_message(s, "result");
    TS_IS(PGQRS_EINVAL, pgqrs_consumer_archive(s->consumer, lease, text(""), s->err), s->err);
    assert_int_equal(story_stored(s), 1);
    TS_OK(pgqrs_consumer_archive(s->consumer, lease, (pgqrs_slice){ NULL, 0 }, s->err), s->err);
    assert_int_equal(ts_int(s->sql, "SELECT result IS NULL FROM pgqrs_archive"), 1);
}

TEST_MAIN(NULL, NULL)
