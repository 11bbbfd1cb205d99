/*
 * Replays whose connection is cut anywhere, or whose process is killed: no dead message has two
 * copies, none is lost, and what the caller is told agrees with what the server did.
 */
#include "cutting.h"

#include <pgqrs/archive.h>
#include <pgqrs/replay.h>

#define SLICE 1000
#define MANY (SLICE + 200)
#define KILLS crowd_scale(20)

/* Dead messages that no earlier case has left. */
static void
make_dead(struct story *story, int count)
{
    ts_sql(story->sql,
           "TRUNCATE pgqrs_archive, pgqrs_messages; INSERT INTO pgqrs_archive (id, queue_id, "
           "priority, "
           "outcome, read_ct, failed_ct, crash_ct, enqueued_at, payload) SELECT "
           "nextval('pgqrs_message_id_seq'), (SELECT id FROM pgqrs_queues), 0, 'dead', 1, 1, 0, "
           "now(), "
           "to_jsonb(n) FROM generate_series(1, %d) AS n",
           count);
}

/* Each dead message that is marked has its copy, and no other copy is there. */
static void
check_copies(struct story *story)
{
    assert_int_equal(ts_int(story->sql,
                            "SELECT count(*) FROM pgqrs_archive AS a FULL JOIN pgqrs_messages AS "
                            "m ON m.id = a.replayed_as AND m.payload = a.payload WHERE "
                            "(a.replayed_as IS NOT NULL OR a.id IS NULL) AND (a.id IS NULL OR "
                            "m.id IS NULL)"),
                     0);
}

static void
one_dead(struct story *story)
{
    make_dead(story, 1);
    story->lease.id = ts_int(story->sql, "SELECT id FROM pgqrs_archive");
}

static pgqrs_status
replay_one(struct story *story, struct hands *hands)
{
    return pgqrs_archive_replay(hands->client, pgqrs_slice_of("jobs"), story->lease.id, NULL, NULL,
                                hands->err);
}

static void
check_one(struct story *story, pgqrs_status status)
{
    int stored = (int)ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages");
    pgqrs_enqueued copy;

    check_agreement(story, status, stored);
    check_copies(story);
    TS_OK(pgqrs_archive_replay(story->direct.client, pgqrs_slice_of("jobs"), story->lease.id, NULL,
                               &copy, story->direct.err),
          story->direct.err);
    assert_int_equal(copy.duplicate, stored);
    assert_int_equal(ts_int(story->sql, "SELECT id FROM pgqrs_messages"), copy.id);
}

STORY_TEST(one_that_is_cut_anywhere_can_be_repeated)
{
    static const struct operation operation = {
        "replay", LONG_LEASE_MS, one_dead, replay_one, check_one,
    };

    cut(*state, &operation);
}

static pgqrs_replayed done;

static void
many_dead(struct story *story)
{
    make_dead(story, MANY);
}

static pgqrs_status
replay_many(struct story *story, struct hands *hands)
{
    pgqrs_replay_all_options options = PGQRS_REPLAY_ALL_OPTIONS_INIT;

    (void)story;
    options.per_second = 1000000;
    done = (pgqrs_replayed)PGQRS_REPLAYED_INIT;
    return pgqrs_archive_replay_all(hands->client, pgqrs_slice_of("jobs"), &options, &done,
                                    hands->err);
}

static void
check_many(struct story *story, pgqrs_status status)
{
    int64_t stored = ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages");
    int64_t before = done.replayed;

    check_copies(story);
    assert_int_equal(stored, done.replayed);
    assert_int_equal(done.unknown, 0); /* the server was there to be asked again */
    if (status == PGQRS_OK)
        assert_int_equal(before, MANY); /* also if an answer was lost: the slice was asked about */
    if (before > 0)
        assert_int_equal(before + done.left, MANY);
    TS_OK(replay_many(story, &story->direct), story->direct.err);
    assert_int_equal(stored + done.replayed, MANY);
    assert_int_equal(ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages"), MANY);
    check_copies(story);
}

STORY_TEST(many_that_are_cut_anywhere_are_told_truly_and_the_rest_is_done_later)
{
    static const struct operation operation = {
        "replay all", LONG_LEASE_MS, many_dead, replay_many, check_many,
    };

    cut(*state, &operation);
}

/* The session ends while the second slice is committed, and again when that is repeated. */
STORY_TEST(a_slice_of_unknown_outcome_is_told_apart)
{
    struct story *story = *state;
    struct operation operation = { .lease_ms = LONG_LEASE_MS };

    open_through_proxy(story, &operation, "30000");
    many_dead(story);
    TS_OK(replay_many(story, &story->cut), story->cut.err); /* its statements are prepared */
    many_dead(story);
    ts_sql(story->sql,
           "CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM "
           "pg_terminate_backend(pg_backend_pid()) WHERE NEW.payload = '1100'; RETURN NULL; END$$; "
           "CREATE CONSTRAINT TRIGGER cut AFTER INSERT ON pgqrs_messages DEFERRABLE INITIALLY "
           "DEFERRED FOR "
           "EACH ROW EXECUTE FUNCTION cut()");
    TS_IS(PGQRS_EUNKNOWN, replay_many(story, &story->cut), story->cut.err);
    assert_int_equal(done.replayed, SLICE);
    assert_int_equal(done.unknown, MANY - SLICE);
    assert_int_equal(done.left, MANY - SLICE);
    assert_int_equal(ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages"), SLICE);
    ts_sql(story->sql, "DROP FUNCTION cut() CASCADE");
    TS_OK(replay_many(story, &story->cut), story->cut.err);
    assert_int_equal(done.replayed, MANY - SLICE);
    check_copies(story);
    close_through_proxy(story);
    pgqrs_error_free(story->cut.err);
}

static void
replay_for_ever(void *context, int number)
{
    struct story *story = context;
    pgqrs_client *client = ts_client(story->dsn, NULL);
    pgqrs_replay_all_options options = PGQRS_REPLAY_ALL_OPTIONS_INIT;
    pgqrs_error *err = pgqrs_error_new();

    (void)number;
    options.per_second = 2000; /* slices of 200 */
    TS_OK(pgqrs_archive_replay_all(client, pgqrs_slice_of("jobs"), &options, NULL, err), err);
    pgqrs_error_free(err);
    pgqrs_client_close(client);
}

STORY_TEST(killed_in_the_middle_nothing_is_replayed_twice_or_lost)
{
    enum { ALL = 10000 };
    struct story *story = *state;
    int killed = 0;

    make_dead(story, ALL);
    for (int i = 0; i < KILLS; i++) {
        pid_t child = crowd_spawn(replay_for_ever, story, i);
        long long before = ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages");
        int status;

        ts_wait_until(story->sql, WAIT_MS,
                      "SELECT count(*) > %lld OR (SELECT count(*) = 0 FROM pgqrs_archive WHERE "
                      "replayed_as IS "
                      "NULL) FROM pgqrs_messages",
                      before);
        usleep((useconds_t)crowd_random(&story->random, 0, 150000));
        kill(child, SIGKILL);
        assert_int_equal(crowd_wait(child, &status, 0), child);
        killed += WIFSIGNALED(status);
        ts_wait_until(
            story->sql, WAIT_MS,
            "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = current_database() AND "
            "application_name = 'pgqrs' AND state <> 'idle'");
        check_copies(story);
    }
    assert_true(killed >= 3);
    TS_OK(replay_many(story, &story->direct), story->direct.err);
    assert_int_equal(ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages"), ALL);
    assert_int_equal(ts_int(story->sql, "SELECT count(DISTINCT payload) FROM pgqrs_messages"), ALL);
    check_copies(story);
}

TEST_MAIN(NULL, NULL)
