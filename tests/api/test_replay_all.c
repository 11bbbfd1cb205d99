/*
 * Replaying many dead messages: which ones, in what order, how fast, and what is said about it.
 */
#include "story.h"

#include <pgqrs/archive.h>
#include <pgqrs/replay.h>

/* Dead messages with the ids from 1 to `count`, whose payloads are their ids. */
static void
given_dead(const struct story *s, int count)
{
    ts_sql(s->sql,
           "INSERT INTO pgqrs_archive (id, queue_id, priority, outcome, read_ct, failed_ct, "
           "crash_ct, enqueued_at, payload, message_type) SELECT n, 1, 0, 'dead', 1, 1, 0, now(), "
           "to_jsonb(n), CASE WHEN n %% 2 = 0 THEN 'even' ELSE 'odd' END FROM generate_series(1, "
           "%d) AS n; SELECT setval('pgqrs_message_id_seq', %d)",
           count, count);
}

static pgqrs_replayed
replay(struct story *s, const pgqrs_replay_all_options *options)
{
    pgqrs_replayed done = PGQRS_REPLAYED_INIT;

    TS_OK(pgqrs_archive_replay_all(s->client, text("jobs"), options, &done, s->err), s->err);
    assert_int_equal(done.unknown, 0);
    return done;
}

static void
expect_done(pgqrs_replayed done, int64_t replayed, int64_t skipped, int64_t left)
{
    assert_int_equal(done.replayed, replayed);
    assert_int_equal(done.skipped, skipped);
    assert_int_equal(done.left, left);
}

static pgqrs_replay_all_options
fast(void)
{
    pgqrs_replay_all_options options = PGQRS_REPLAY_ALL_OPTIONS_INIT;

    options.per_second = 1000000;
    return options;
}

static long long
count_where(const struct story *s, const char *condition)
{
    return ts_int(s->sql, "SELECT count(*) FROM %s", condition);
}

STORY_TEST(all_are_replayed_once_in_slices_and_in_order)
{
    enum { COUNT = 3500 };
    struct story *s = *state;
    pgqrs_replay_all_options options = fast();

    given_dead(s, COUNT);
    expect_done(replay(s, &options), COUNT, 0, 0);
    assert_int_equal(count_where(s,
                                 "pgqrs_messages AS m JOIN pgqrs_archive AS a ON a.replayed_as = "
                                 "m.id AND m.payload = a.payload AND m.message_type = "
                                 "a.message_type"),
                     COUNT);
    assert_int_equal(count_where(s, "(SELECT m.id < lag(m.id) OVER (ORDER BY payload) AS is_wrong "
                                    "FROM pgqrs_messages AS m) AS q WHERE is_wrong"),
                     0);
    assert_int_equal(ts_int(s->sql, "SELECT max(n) FROM (SELECT count(*) AS n FROM pgqrs_messages "
                                    "GROUP BY xmin::text) AS q"),
                     1000);
    expect_done(replay(s, &options), 0, 0, 0);
    assert_int_equal(count_where(s, "pgqrs_messages"), COUNT);
}

STORY_TEST(types_ages_and_limits_choose)
{
    struct story *s = *state;
    pgqrs_replay_all_options options = fast();

    given_dead(s, 100);
    ts_sql(s->sql, "UPDATE pgqrs_archive SET archived_at = now() - id * interval '1 h'");
    options.type = text("even");
    options.is_dry_run = 1;
    expect_done(replay(s, &options), 50, 0, 0);
    options.older_than_ms = INT64_C(3600000) * 90; /* 90 to 100 */
    expect_done(replay(s, &options), 6, 0, 0);
    options.newer_than_ms = INT64_C(3600000) * 95 + 1800000; /* 90 to 95 */
    expect_done(replay(s, &options), 3, 0, 0);
    options.limit = 2;
    expect_done(replay(s, &options), 2, 0, 1);
    assert_int_equal(count_where(s, "pgqrs_messages"), 0);
    options.is_dry_run = 0;
    expect_done(replay(s, &options), 2, 0, 1);
    assert_int_equal(
        count_where(s, "pgqrs_archive WHERE id IN (90, 92) AND replayed_as IS NOT NULL"), 2);
    assert_int_equal(count_where(s, "pgqrs_messages"), 2);
    options = fast();
    options.type = text("none");
    expect_done(replay(s, &options), 0, 0, 0);
    options = fast();
    options.limit = 10;
    expect_done(replay(s, &options), 10, 0, 88);
    assert_int_equal(count_where(s, "pgqrs_archive WHERE id <= 10 AND replayed_as IS NOT NULL"),
                     10);
}

/* The times of the API have fewer digits than the server's; both ends belong to the range. */
STORY_TEST(times_include_both_ends)
{
    struct story *s = *state;
    pgqrs_replay_all_options options = fast();

    given_dead(s, 4);
    ts_sql(s->sql,
           "UPDATE pgqrs_archive SET archived_at = to_timestamp(1700000000) + (id * 1000 + 999) * "
           "interval '1 us'");
    options.is_dry_run = 1;
    options.archived_from_ms = INT64_C(1700000000002);
    options.archived_until_ms = INT64_C(1700000000003);
    expect_done(replay(s, &options), 2, 0, 0);
    options.archived_from_ms = options.archived_until_ms = INT64_C(1700000000004);
    expect_done(replay(s, &options), 1, 0, 0);
    options.archived_from_ms = INT64_C(1700000000005);
    options.archived_until_ms = INT64_C(253402300799999);
    expect_done(replay(s, &options), 0, 0, 0);
    options = fast();
    ts_sql(s->sql, "UPDATE pgqrs_archive SET archived_at = '-infinity' WHERE id = 1; "
                   "UPDATE pgqrs_archive SET archived_at = '1969-12-31' WHERE id = 2; "
                   "UPDATE pgqrs_archive SET archived_at = now() + interval '1 h' WHERE id = 3");
    expect_done(replay(s, &options), 3, 0, 0); /* by the server's clock the third is not dead yet */
    assert_int_equal(count_where(s, "pgqrs_archive WHERE replayed_as IS NULL AND id = 3"), 1);
}

/* A handler that always fails: each copy is dead again before the next slice. */
static bool
let_copies_die(void *argument, const pgqrs_replayed *so_far)
{
    struct story *s = argument;

    (void)so_far;
    ts_sql(s->sql,
           "WITH gone AS (DELETE FROM pgqrs_messages RETURNING *) INSERT INTO pgqrs_archive (id, "
           "queue_id, priority, outcome, read_ct, failed_ct, crash_ct, enqueued_at, payload, "
           "headers, archived_at) SELECT id, queue_id, priority, 'dead', 1, 1, 0, enqueued_at, "
           "payload, headers, clock_timestamp() FROM gone");
    return true;
}

STORY_TEST(what_dies_again_meanwhile_is_not_replayed_again)
{
    enum { COUNT = 2500 };
    struct story *s = *state;
    pgqrs_replay_all_options options = fast();

    given_dead(s, COUNT);
    options.progress = let_copies_die;
    options.progress_arg = s;
    expect_done(replay(s, &options), COUNT, 0, 0);
    assert_int_equal(count_where(s, "pgqrs_archive"), 2 * COUNT);
}

static bool
let_copies_die_in_the_past(void *argument, const pgqrs_replayed *so_far)
{
    struct story *s = argument;

    let_copies_die(s, so_far);
    ts_sql(s->sql, "UPDATE pgqrs_archive SET archived_at = now() - interval '1 day'");
    return true;
}

STORY_TEST(nor_if_the_servers_clock_is_put_back)
{
    enum { COUNT = 2500 };
    struct story *s = *state;
    pgqrs_replay_all_options options = fast();

    given_dead(s, COUNT);
    options.progress = let_copies_die_in_the_past;
    options.progress_arg = s;
    expect_done(replay(s, &options), COUNT, 0, 0);
}

STORY_TEST(what_was_replayed_three_times_is_skipped_unless_forced)
{
    struct story *s = *state;
    pgqrs_replay_all_options options = fast();

    given_dead(s, 4);
    for (int round = 1; round <= 3; round++) {
        expect_done(replay(s, &options), 4, 0, 0);
        let_copies_die(s, NULL);
    }
    ts_sql(s->sql,
           "INSERT INTO pgqrs_archive (id, queue_id, priority, outcome, read_ct, failed_ct, "
           "crash_ct, enqueued_at, payload) SELECT nextval('pgqrs_message_id_seq'), 1, 0, "
           "'dead', 1, 1, 0, now(), '1'");
    options.is_dry_run = 1;
    expect_done(replay(s, &options), 1, 4, 0);
    options.is_dry_run = 0;
    expect_done(replay(s, &options), 1, 4, 0);
    assert_int_equal(count_where(s, "pgqrs_messages"), 1);
    options.force = 1;
    expect_done(replay(s, &options), 4, 0, 0);
    assert_int_equal(count_where(s, "pgqrs_messages WHERE headers->>'pgqrs_replays' = '4'"), 4);
}

struct stops {
    int calls;
    int stop_at;
    pgqrs_replayed last;
};

static bool
stop_later(void *argument, const pgqrs_replayed *so_far)
{
    struct stops *stops = argument;

    assert_true(so_far->replayed >= stops->last.replayed);
    stops->last = *so_far;
    return ++stops->calls != stops->stop_at;
}

STORY_TEST(progress_is_told_and_may_stop_it_between_slices)
{
    enum { COUNT = 3000 };
    struct story *s = *state;
    pgqrs_replay_all_options options = fast();
    struct stops stops = { .stop_at = 3 };
    pgqrs_replayed done;

    given_dead(s, COUNT);
    options.progress = stop_later;
    options.progress_arg = &stops;
    done = replay(s, &options); /* counted once, then two slices */
    expect_done(done, 2000, 0, 1000);
    assert_memory_equal(&done, &stops.last, sizeof(done));
    assert_int_equal(count_where(s, "pgqrs_messages"), 2000);
    stops = (struct stops){ .stop_at = 1 };
    expect_done(replay(s, &options), 0, 0, 1000);
    stops = (struct stops){ 0 };
    expect_done(replay(s, &options), 1000, 0, 0);
    assert_int_equal(count_where(s, "pgqrs_messages"), COUNT);
}

/* Only a lower bound: the machine may be busy. */
STORY_TEST(no_more_are_replayed_in_a_second_than_allowed)
{
    struct story *s = *state;
    pgqrs_replay_all_options options = fast();
    int64_t began = story_now_ms();

    given_dead(s, 2000);
    options.per_second = 100;
    options.limit = 101; /* the first ten go at once, the last one waits for 100 others */
    expect_done(replay(s, &options), 101, 0, 1899);
    assert_true(story_now_ms() - began >= 990);
    began = story_now_ms();
    options.per_second = 0; /* 1,000 */
    options.limit = 1001;
    expect_done(replay(s, &options), 1001, 0, 898);
    assert_true(story_now_ms() - began >= 990);
    began = story_now_ms();
    options.per_second = 2;
    options.limit = 3;
    expect_done(replay(s, &options), 3, 0, 895);
    assert_true(story_now_ms() - began >= 990);
}

STORY_TEST(what_was_replayed_is_left_out)
{
    struct story *s = *state;
    pgqrs_replay_all_options options = fast();

    given_dead(s, 100);
    ts_sql(s->sql,
           "UPDATE pgqrs_archive SET replayed_as = 4711, replayed_at = now() WHERE id BETWEEN "
           "41 AND 60");
    expect_done(replay(s, &options), 80, 0, 0);
    assert_int_equal(count_where(s, "pgqrs_messages"), 80);
}

static void
refuse(const struct story *s, const char *condition)
{
    ts_sql(s->sql,
           "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF %s THEN RAISE "
           "EXCEPTION 'refused'; END IF; RETURN NEW; END$$; CREATE TRIGGER refuse BEFORE INSERT "
           "ON " READY " FOR EACH ROW EXECUTE FUNCTION refuse()",
           condition);
}

static void
drop_refusal(const struct story *s)
{
    ts_sql(s->sql, "DROP FUNCTION refuse() CASCADE");
}

STORY_TEST(a_message_that_the_server_refuses_stops_no_other)
{
    struct story *s = *state;
    pgqrs_replay_all_options options = fast();
    pgqrs_replayed done = PGQRS_REPLAYED_INIT;

    given_dead(s, 2000);
    refuse(s, "NEW.payload IN ('7', '1234')");
    TS_IS(PGQRS_ESERVER, pgqrs_archive_replay_all(s->client, text("jobs"), &options, &done, s->err),
          s->err);
    expect_done(done, 1998, 0, 2);
    assert_non_null(strstr(pgqrs_error_message(s->err), "message 7:"));
    assert_non_null(strstr(pgqrs_error_message(s->err), "refused"));
    assert_int_equal(count_where(s, "pgqrs_messages"), 1998);
    drop_refusal(s);
    expect_done(replay(s, &options), 2, 0, 0);
    assert_int_equal(count_where(s, "pgqrs_messages"), 2000);
}

STORY_TEST(a_server_that_refuses_all_is_not_asked_for_ever)
{
    struct story *s = *state;
    pgqrs_replay_all_options options = fast();
    pgqrs_replayed done = PGQRS_REPLAYED_INIT;

    given_dead(s, 2000);
    refuse(s, "true");
    TS_IS(PGQRS_ESERVER, pgqrs_archive_replay_all(s->client, text("jobs"), &options, &done, s->err),
          s->err);
    expect_done(done, 0, 0, 2000);
    drop_refusal(s);
}

static bool
delete_queue(void *argument, const pgqrs_replayed *so_far)
{
    struct story *s = argument;

    if (so_far->replayed > 0)
        ts_sql(s->sql, "SELECT pgqrs_delete_queue('jobs')");
    return true;
}

STORY_TEST(what_was_done_is_said_after_a_failure)
{
    struct story *s = *state;
    pgqrs_replay_all_options options = fast();
    pgqrs_replayed done = PGQRS_REPLAYED_INIT;

    given_dead(s, 2500);
    options.progress = delete_queue;
    options.progress_arg = s;
    TS_IS(PGQRS_ENOQUEUE,
          pgqrs_archive_replay_all(s->client, text("jobs"), &options, &done, s->err), s->err);
    expect_done(done, 1000, 0, 1500);
}

/* Payloads of 100 kB that do not compress: 84 of them are 8 MB. */
STORY_TEST(slices_of_large_payloads_are_smaller)
{
    struct story *s = *state;
    pgqrs_replay_all_options options = fast();

    given_dead(s, 200);
    ts_sql(
        s->sql,
        "UPDATE pgqrs_archive SET payload = to_jsonb((SELECT string_agg(md5(random()::text), '') "
        "FROM generate_series(1, 3200) WHERE id > 0))");
    expect_done(replay(s, &options), 200, 0, 0);
    assert_in_range(ts_int(s->sql, "SELECT max(n) FROM (SELECT count(*) AS n FROM pgqrs_messages "
                                   "GROUP BY xmin::text) AS q"),
                    40, 90);
}

STORY_TEST(what_is_refused_changes_nothing)
{
    struct story *s = *state;
    pgqrs_replayed done = PGQRS_REPLAYED_INIT;
    const pgqrs_replay_all_options cases[] = {
        { .size = 0 },
        { .size = sizeof(cases[0]), .type = text("") },
        { .size = sizeof(cases[0]), .to_queue = text("") },
        { .size = sizeof(cases[0]), .limit = -1 },
        { .size = sizeof(cases[0]), .per_second = -1 },
        { .size = sizeof(cases[0]), .per_second = 1000001 },
        { .size = sizeof(cases[0]), .older_than_ms = -1 },
        { .size = sizeof(cases[0]), .newer_than_ms = INT64_C(3153600000001) },
        { .size = sizeof(cases[0]), .archived_from_ms = -1 },
        { .size = sizeof(cases[0]), .archived_until_ms = INT64_C(253402300800000) },
        { .size = sizeof(cases[0]), .force = 2 },
        { .size = sizeof(cases[0]), .is_dry_run = -1 },
    };

    given_dead(s, 10);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        TS_IS(PGQRS_EINVAL,
              pgqrs_archive_replay_all(s->client, text("jobs"), &cases[i], &done, s->err), s->err);
    done.size = 0;
    TS_IS(PGQRS_EINVAL, pgqrs_archive_replay_all(s->client, text("jobs"), NULL, &done, s->err),
          s->err);
    TS_IS(PGQRS_ENOQUEUE, pgqrs_archive_replay_all(s->client, text("none"), NULL, NULL, s->err),
          s->err);
    assert_int_equal(count_where(s, "pgqrs_messages"), 0);
    TS_OK(pgqrs_archive_replay_all(s->client, text("jobs"), NULL, NULL, s->err), s->err);
    assert_int_equal(count_where(s, "pgqrs_messages"), 10);
}

TEST_MAIN(NULL, NULL)
