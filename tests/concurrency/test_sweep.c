/*
 * The sweep and leases: an expired lease ends and counts as a crash, a lease that has not expired
 * is moved unchanged, and a row that another transaction has locked is left alone.
 */
#include "fixture.h"

#include <poll.h>

#define WAYS 5
#define NEVER_IN_FLIGHT "9000000000"

static pgqrs_status
end_one(struct story *story, int way, pgqrs_lease lease)
{
    struct hands *hands = &story->hands;

    switch (way) {
    case 0:
        return pgqrs_consumer_archive(hands->consumer, lease, (pgqrs_slice){ NULL, 0 }, hands->err);
    case 1:
        return pgqrs_consumer_delete(hands->consumer, lease, hands->err);
    case 2:
        return pgqrs_consumer_extend_visibility(hands->consumer, lease, 60000, hands->err);
    case 3:
        return pgqrs_consumer_release(hands->consumer, lease, 0, hands->err);
    default:
        return pgqrs_consumer_fail(hands->consumer, lease, NULL, NULL, hands->err);
    }
}

static void
expire(struct story *story, int64_t id)
{
    ts_sql(story->sql,
           "UPDATE pgqrs_messages SET vt = clock_timestamp() - interval '1 s' WHERE id = %lld",
           (long long)id);
}

static char *
rows(struct story *story)
{
    return ts_text(story->sql, "SELECT string_agg(m::text || m.tableoid || m.ctid, ' ' ORDER BY "
                               "id) FROM pgqrs_messages AS m");
}

/* Nobody has claimed the message since, so only the sweep can have fenced the holder. */
STORY_TEST(the_holder_of_a_lease_that_was_swept_changes_nothing)
{
    struct story *story = *state;
    char *before, *after;

    take_many(story, WAYS);
    for (int way = 0; way < WAYS; way++)
        expire(story, story->leases[way].id);
    send_sweep(story, story->sql, "0", NEVER_IN_FLIGHT);
    assert_int_equal(swept(story->sql), WAYS);
    before = rows(story);
    for (int way = 0; way < WAYS; way++)
        TS_IS(PGQRS_ELEASELOST, end_one(story, way, story->leases[way]), story->hands.err);
    after = rows(story);
    assert_string_equal(before, after);
    assert_int_equal(ts_int(story->sql, "SELECT count(*) FROM pgqrs_archive"), 0);
    free(before);
    free(after);
}

STORY_TEST(a_lease_that_ran_out_is_counted_as_a_crash_once)
{
    struct story *story = *state;

    take_many(story, 2);
    expire(story, story->leases[0].id);
    send_sweep(story, story->sql, "0", NEVER_IN_FLIGHT);
    assert_int_equal(swept(story->sql), 1);
    send_sweep(story, story->sql, "0", NEVER_IN_FLIGHT);
    assert_int_equal(swept(story->sql), 0);
    assert_int_equal(
        ts_int(story->sql,
               "SELECT sum(crash_ct) FROM pgqrs_messages WHERE lane = 'h' AND lease_token IS NULL"),
        1);
    assert_int_equal(
        ts_int(story->sql, "SELECT sum(crash_ct) FROM pgqrs_messages WHERE lane = 'r'"), 0);
}

STORY_TEST(a_lease_that_still_runs_is_moved_as_it_is)
{
    struct story *story = *state;
    char *before, *after;

    take_many(story, 3);
    before = ts_text(story->sql, "SELECT string_agg(concat_ws(' ', id, vt, lease_token, "
                                 "dequeued_at, read_ct), ';' ORDER BY id) FROM pgqrs_messages");
    assert_int_equal(sweep(story, story->sql), 3);
    after = ts_text(story->sql,
                    "SELECT string_agg(concat_ws(' ', id, vt, lease_token, dequeued_at, read_ct), "
                    "';' ORDER BY id) FROM pgqrs_messages WHERE lane = 'h' AND crash_ct = 0");
    assert_string_equal(before, after);
    free(before);
    free(after);
}

/* Waits for an answer while another is in its transaction. */
static void
await_answer(PGconn *connection)
{
    int64_t until_us = crowd_now_us() + WAIT_MS * INT64_C(1000);

    while (PQconsumeInput(connection) && PQisBusy(connection)) {
        struct pollfd entry = { .fd = PQsocket(connection), .events = POLLIN };

        if (crowd_now_us() > until_us)
            ts_fail("the sweep waited %d ms for a transaction of another", WAIT_MS);
        poll(&entry, 1, 100);
    }
}

/* A holder's extension that is not committed yet: the sweep neither waits for it nor undoes it. */
STORY_TEST(a_lease_that_is_being_extended_is_left_to_its_holder)
{
    struct story *story = *state;
    PGconn *holder = ts_connect(story->dsn);

    take_many(story, 2);
    expire(story, story->leases[0].id);
    expire(story, story->leases[1].id);
    ts_sql(holder, "BEGIN");
    ts_sql(holder,
           "UPDATE pgqrs_messages SET vt = clock_timestamp() + interval '1 hour' WHERE id = %lld",
           (long long)story->leases[0].id);
    send_sweep(story, story->sql, "0", NEVER_IN_FLIGHT);
    await_answer(story->sql);
    assert_int_equal(swept(story->sql), 1);
    ts_sql(holder, "COMMIT");
    send_sweep(story, story->sql, "0", NEVER_IN_FLIGHT);
    assert_int_equal(swept(story->sql), 0);
    TS_OK(end_one(story, 0, story->leases[0]), story->hands.err);
    PQfinish(holder);
}

/* Claims do not read below the bound; above it the sweep leaves waiting messages alone. */
STORY_TEST(what_waits_is_moved_below_the_bound_only)
{
    struct story *story = *state;
    char bound[24];

    crowd_send(&story->hands, 1, 4);
    snprintf(bound, sizeof(bound), "%d",
             (int)ts_int(story->sql, "SELECT min(id) + 1 FROM pgqrs_messages"));
    send_sweep(story, story->sql, bound, NEVER_IN_FLIGHT);
    assert_int_equal(swept(story->sql), 2);
    assert_int_equal(ts_int(story->sql,
                            "SELECT count(*) FROM pgqrs_messages WHERE lane = 'h' AND crash_ct = 0 "
                            "AND vt = enqueued_at AND id <= %s",
                            bound),
                     2);
}

TEST_MAIN(NULL, NULL)
