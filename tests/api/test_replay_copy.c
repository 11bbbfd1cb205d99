/*
 * Replaying one dead message: what of it the copy has.
 */
#include "dying.h"

static void
expect_columns(const struct story *s, const char *table, const char *expected)
{
    char *columns = ts_text(s->sql,
                            "SELECT string_agg(attname, ' ' ORDER BY attname) FROM pg_attribute "
                            "WHERE attrelid = '%s'::regclass AND attnum > 0",
                            table);

    assert_string_equal(columns, expected);
    free(columns);
}

/* Every column of the archive and of a message, and what becomes of it. A new column is not in
 * these lists: decide whether a copy has it. */
STORY_TEST(every_column_is_carried_or_begins_anew)
{
    static const char of_archive[] =
        "archived_at consumer_worker_id crash_ct dequeued_at enqueued_at error failed_ct headers "
        "id "
        "idempotency_key lease_token message_type outcome payload priority processing_duration "
        "producer_worker_id queue_id read_ct replayed_as replayed_at result";
    static const char of_message[] =
        "consumer_worker_id crash_ct dequeued_at enqueued_at failed_ct headers id idempotency_key "
        "lane "
        "lease_token message_type payload priority producer_worker_id queue_id read_ct vt";
    static const char *const carried[] = { "payload", "message_type", "priority",
                                           "producer_worker_id", "queue_id" };
    static const char *const anew[] = { "consumer_worker_id", "dequeued_at", "idempotency_key",
                                        "lease_token" };
    static const char *const counts[] = { "read_ct", "failed_ct", "crash_ct" };
    struct story *s = *state;
    pgqrs_enqueue_options options = PGQRS_ENQUEUE_OPTIONS_INIT;
    char *before, *after;
    int64_t id, copy;

    expect_columns(s, "pgqrs_archive", of_archive);
    expect_columns(s, "pgqrs_messages", of_message);
    options.priority = -7;
    options.type = text("kind");
    options.headers = text("{\"h\": [1]}");
    options.idempotency_key = text("once");
    id = die_with(s, "{\"a\": 1}", &options, "broken");
    ts_sql(
        s->sql,
        "UPDATE pgqrs_archive SET read_ct = 9, failed_ct = 8, crash_ct = 7, producer_worker_id = "
        "6, consumer_worker_id = 5, enqueued_at = enqueued_at - interval '1 day'");
    before = ts_text(s->sql,
                     "SELECT to_jsonb(a) - 'replayed_as' - 'replayed_at' FROM pgqrs_archive AS a");
    copy = replay_with(s, id, NULL);
    after = ts_text(s->sql,
                    "SELECT to_jsonb(a) - 'replayed_as' - 'replayed_at' FROM pgqrs_archive AS a");
    assert_string_equal(after, before); /* the dead message keeps all that it holds */
    for (size_t i = 0; i < sizeof(carried) / sizeof(carried[0]); i++) {
        char *value = column(s, "pgqrs_archive", carried[i], id);

        assert_string_not_equal(value, "(null)");
        expect(s, "pgqrs_messages", carried[i], copy, value);
        free(value);
    }
    for (size_t i = 0; i < sizeof(anew) / sizeof(anew[0]); i++)
        expect(s, "pgqrs_messages", anew[i], copy, "(null)");
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        expect(s, "pgqrs_messages", counts[i], copy, "0");
    expect(s, "pgqrs_messages",
           "enqueued_at > now() - interval '1 h' AND vt > now() - interval '1 h'", copy, "true");
    expect(s, "pgqrs_messages", "lane", copy, "h"); /* for its priority */
    expect(s, "pgqrs_messages", "headers", copy,
           "{\"h\": [1], \"pgqrs_replays\": 1, \"pgqrs_replayed_from\": 1}");
    expect(s, "pgqrs_archive", "replayed_as = 2 AND replayed_at > now() - interval '1 h'", id,
           "true");
    free(before);
    free(after);
}

STORY_TEST(headers_name_the_first_message_and_count_replays)
{
    struct story *s = *state;
    pgqrs_fail_options for_good = PGQRS_FAIL_OPTIONS_INIT;
    int64_t first = die(s, "1"), id = first;

    for_good.mode = PGQRS_FAIL_FOR_GOOD;
    for (int round = 1; round <= 5; round++) {
        char *expected = ts_format("{\"pgqrs_replays\": %d, \"pgqrs_replayed_from\": %lld}", round,
                                   (long long)first);

        id = replay_with(s, id, NULL); /* of one, however often */
        expect(s, "pgqrs_messages", "headers", id, expected);
        TS_OK(pgqrs_consumer_fail(s->consumer, story_take_one(s, s->consumer), &for_good, NULL,
                                  s->err),
              s->err);
        free(expected);
    }
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive"), 6);
}

STORY_TEST(hostile_headers_do_no_harm)
{
    static const struct {
        const char *headers, *becomes;
    } cases[] = {
        { "'{\"pgqrs_replays\": \"2\"}'", "{\"pgqrs_replays\": 1, \"pgqrs_replayed_from\": ID}" },
        { "'{\"pgqrs_replays\": null, \"x\": 1}'",
          "{\"x\": 1, \"pgqrs_replays\": 1, \"pgqrs_replayed_from\": ID}" },
        { "'{\"pgqrs_replays\": 1e1000, \"pgqrs_replayed_from\": 1}'",
          "{\"pgqrs_replays\": 1, \"pgqrs_replayed_from\": ID}" },
        { "'{\"pgqrs_replays\": -3, \"pgqrs_replayed_from\": 1}'",
          "{\"pgqrs_replays\": 1, \"pgqrs_replayed_from\": ID}" },
        { "'{\"pgqrs_replays\": 2.5, \"pgqrs_replayed_from\": 1}'",
          "{\"pgqrs_replays\": 1, \"pgqrs_replayed_from\": ID}" },
        { "'{\"pgqrs_replays\": 2, \"pgqrs_replayed_from\": 1e30}'",
          "{\"pgqrs_replays\": 1, \"pgqrs_replayed_from\": ID}" },
        { "'{\"pgqrs_replays\": 2, \"pgqrs_replayed_from\": [1]}'",
          "{\"pgqrs_replays\": 1, \"pgqrs_replayed_from\": ID}" },
        { "'{\"pgqrs_replays\": {}, \"pgqrs_replayed_from\": {}}'",
          "{\"pgqrs_replays\": 1, \"pgqrs_replayed_from\": ID}" },
        { "'{\"pgqrs_replays\": 1000000000, \"pgqrs_replayed_from\": 4}'",
          "{\"pgqrs_replays\": 1000000000, \"pgqrs_replayed_from\": 4}" },
        { "'{\"pgqrs_replays\": 4, \"pgqrs_replayed_from\": 9223372036854775807}'",
          "{\"pgqrs_replays\": 5, \"pgqrs_replayed_from\": 9223372036854775807}" },
        { "'[1, 2]'", "{\"pgqrs_replays\": 1, \"pgqrs_replayed_from\": ID}" },
        { "'\"text\"'", "{\"pgqrs_replays\": 1, \"pgqrs_replayed_from\": ID}" },
        { "'null'", "{\"pgqrs_replays\": 1, \"pgqrs_replayed_from\": ID}" },
        { "NULL", "{\"pgqrs_replays\": 1, \"pgqrs_replayed_from\": ID}" },
    };
    struct story *s = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t id = die(s, "1");
        char *expected =
            ts_text(s->sql, "SELECT replace('%s', 'ID', '%lld')", cases[i].becomes, (long long)id);
        pgqrs_replayed done = PGQRS_REPLAYED_INIT;
        pgqrs_replay_all_options options = PGQRS_REPLAY_ALL_OPTIONS_INIT;

        ts_sql(s->sql, "UPDATE pgqrs_archive SET headers = %s WHERE id = %lld", cases[i].headers,
               (long long)id);
        options.force = i % 2;
        TS_OK(pgqrs_archive_replay_all(s->client, text("jobs"), &options, &done, s->err), s->err);
        assert_int_equal(done.replayed + done.skipped, 1);
        if (done.skipped > 0)
            replay_with(s, id, NULL);
        expect(s, "pgqrs_messages", "headers", id + 1, expected);
        free(expected);
        ts_sql(s->sql, "DELETE FROM pgqrs_messages");
    }
}

STORY_TEST(a_copy_may_have_another_payload_delay_and_priority)
{
    struct story *s = *state;
    pgqrs_replay_options options = PGQRS_REPLAY_OPTIONS_INIT;
    int64_t id = die(s, "{\"to\": 1}"), copy;

    options.payload = text(" {\"to\" : 2} ");
    copy = replay_with(s, id, &options);
    expect(s, "pgqrs_messages", "payload", copy, "{\"to\": 2}");
    expect(s, "pgqrs_messages", "headers->>'pgqrs_edited'", copy, "true");
    expect(s, "pgqrs_messages", "lane", copy, "r");
    expect(s, "pgqrs_archive", "payload", id, "{\"to\": 1}");
    options = (pgqrs_replay_options)PGQRS_REPLAY_OPTIONS_INIT;
    options.delay_ms = 3600000;
    copy = replay_with(s, die(s, "1"), &options);
    expect(s, "pgqrs_messages", "headers ? 'pgqrs_edited'", copy, "false");
    expect(s, "pgqrs_messages",
           "lane = 'h' AND vt BETWEEN now() + interval '59 min' AND now() + interval '61 min'",
           copy, "true");
    options = (pgqrs_replay_options)PGQRS_REPLAY_OPTIONS_INIT;
    options.priority_set = 1;
    options.priority = 100;
    copy = replay_with(s, die(s, "1"), &options);
    expect(s, "pgqrs_messages", "lane::text || ' ' || priority", copy, "h 100");
    options.priority = 0;
    ts_sql(s->sql, "DELETE FROM pgqrs_messages");
    copy = replay_with(s, die(s, "1"), &options);
    expect(s, "pgqrs_messages", "lane::text || ' ' || priority", copy, "r 0");
}

STORY_TEST(a_priority_0_takes_the_place_of_another)
{
    struct story *s = *state;
    pgqrs_replay_options options = PGQRS_REPLAY_OPTIONS_INIT;
    pgqrs_enqueue_options urgent = PGQRS_ENQUEUE_OPTIONS_INIT;
    int64_t copy;

    urgent.priority = 5;
    options.priority_set = 1;
    copy = replay_with(s, die_with(s, "1", &urgent, "broken"), &options);
    expect(s, "pgqrs_messages", "lane::text || ' ' || priority", copy, "r 0");
}

/* Only plain SQL can give such a priority. */
STORY_TEST(a_priority_out_of_range_is_moved_into_it)
{
    struct story *s = *state;
    int64_t id = die(s, "1");

    ts_sql(s->sql, "UPDATE pgqrs_archive SET priority = -32768");
    expect(s, "pgqrs_messages", "priority", replay_with(s, id, NULL), "-100");
}

TEST_MAIN(NULL, NULL)
