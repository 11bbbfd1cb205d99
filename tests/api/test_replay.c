/*
 * Replaying one dead message: there is one copy only, and the dead message stays.
 */
#include "dying.h"

enum { CALLERS = 8 };

STORY_TEST(a_second_replay_answers_the_first_copy)
{
    struct story *s = *state;
    pgqrs_replay_options options = PGQRS_REPLAY_OPTIONS_INIT;
    pgqrs_enqueued again = { 0 };
    int64_t id = die(s, "1"), copy = replay_with(s, id, NULL);

    options.payload = text("2");
    options.to_queue = text("jobs");
    for (int i = 0; i < 2; i++) {
        TS_OK(pgqrs_archive_replay(s->client, text("jobs"), id, i == 0 ? NULL : &options, &again,
                                   s->err),
              s->err);
        assert_int_equal(again.id, copy);
        assert_true(again.duplicate);
    }
    TS_OK(pgqrs_archive_replay(s->client, text("jobs"), id, NULL, NULL, s->err), s->err);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_messages"), 1);
}

struct caller {
    const char *dsn;
    pthread_t thread;
    int64_t id;
    pgqrs_enqueued copy;
};

static void *
call(void *argument)
{
    struct caller *caller = argument;
    pgqrs_client *client = ts_client(caller->dsn, NULL);
    pgqrs_error *err = pgqrs_error_new();

    TS_OK(pgqrs_archive_replay(client, text("jobs"), caller->id, NULL, &caller->copy, err), err);
    pgqrs_error_free(err);
    pgqrs_client_close(client);
    return NULL;
}

/* Our sessions choose their own isolation level; a pooler's do not. */
STORY_TEST(eight_callers_make_one_copy)
{
    struct story *s = *state;

    for (int round = 0; round < 10; round++) {
        struct caller callers[CALLERS] = { 0 };
        int64_t id = die(s, "1");
        PGconn *holder = ts_connect(s->dsn);
        int first = 0;

        /* They wait for this lock, and so run at once. */
        ts_sql(holder, "BEGIN; SELECT FROM pgqrs_archive WHERE id = %lld FOR UPDATE",
               (long long)id);
        for (int i = 0; i < CALLERS; i++) {
            callers[i] = (struct caller){ .dsn = s->dsn, .id = id };
            pthread_create(&callers[i].thread, NULL, call, &callers[i]);
        }
        ts_wait_until(s->sql, STORY_WAIT_MS,
                      "SELECT count(*) = %d FROM pg_stat_activity WHERE datname = "
                      "current_database() AND wait_event_type = 'Lock'",
                      CALLERS);
        ts_sql(holder, "COMMIT");
        for (int i = 0; i < CALLERS; i++) {
            pthread_join(callers[i].thread, NULL);
            first += !callers[i].copy.duplicate;
            assert_int_equal(callers[i].copy.id, callers[0].copy.id);
        }
        assert_int_equal(first, 1);
        assert_int_equal(ts_int(s->sql,
                                "SELECT count(*) FROM pgqrs_messages WHERE headers @> "
                                "'{\"pgqrs_replayed_from\": %lld}'",
                                (long long)id),
                         1);
        PQfinish(holder);
        ts_sql(s->sql, "DELETE FROM pgqrs_messages");
    }
}

STORY_TEST(a_copy_may_go_into_another_queue)
{
    struct story *s = *state;
    pgqrs_replay_options options = PGQRS_REPLAY_OPTIONS_INIT;
    pgqrs_replay_all_options all = PGQRS_REPLAY_ALL_OPTIONS_INIT;
    pgqrs_replayed done = PGQRS_REPLAYED_INIT;
    const char *name = "o'ther\" \\'; DROP TABLE pgqrs_queues; --";
    int64_t copy;

    TS_OK(pgqrs_queue_create(s->client, text(name), NULL, NULL, s->err), s->err);
    options.to_queue = text(name);
    copy = replay_with(s, die(s, "1"), &options);
    expect(s, "pgqrs_messages", "queue_id || ' ' || lane::text", copy, "2 r");
    options.priority_set = 1;
    options.priority = 1;
    copy = replay_with(s, die(s, "1"), &options);
    expect(s, "pgqrs_messages", "queue_id || ' ' || lane::text", copy, "2 h");
    die(s, "1");
    die(s, "1");
    all.to_queue = text(name);
    TS_OK(pgqrs_archive_replay_all(s->client, text("jobs"), &all, &done, s->err), s->err);
    assert_int_equal(done.replayed, 2);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_messages_2"), 4);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_messages_1"), 0);
    assert_int_equal(
        ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive_1 WHERE replayed_as IS NULL"), 0);
    options.to_queue = text("none");
    TS_IS(PGQRS_ENOQUEUE, pgqrs_archive_replay(s->client, text("jobs"), 1, &options, NULL, s->err),
          s->err);
    all.to_queue = text("none");
    TS_IS(PGQRS_ENOQUEUE, pgqrs_archive_replay_all(s->client, text("jobs"), &all, NULL, s->err),
          s->err);
    TS_IS(PGQRS_ENOQUEUE, pgqrs_archive_replay(s->client, text("none"), 1, NULL, NULL, s->err),
          s->err);
}

STORY_TEST(what_is_refused_stores_nothing)
{
    struct story *s = *state;
    int64_t id = die(s, "1");
    int64_t done = story_send(s, "1");
    const pgqrs_replay_options cases[] = {
        { .size = 0 },
        { .size = sizeof(pgqrs_replay_options), .delay_ms = -1 },
        { .size = sizeof(pgqrs_replay_options), .delay_ms = INT64_C(315360000001) },
        { .size = sizeof(pgqrs_replay_options), .priority_set = 1, .priority = 101 },
        { .size = sizeof(pgqrs_replay_options), .priority_set = 1, .priority = -101 },
        { .size = sizeof(pgqrs_replay_options), .priority_set = 2 },
        { .size = sizeof(pgqrs_replay_options), .priority = 1 },
        { .size = sizeof(pgqrs_replay_options), .payload = text("") },
        { .size = sizeof(pgqrs_replay_options), .payload = text("{\"a\": \"\\u0000\"}") },
        { .size = sizeof(pgqrs_replay_options), .payload = text("{") },
        { .size = sizeof(pgqrs_replay_options), .to_queue = text("") },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        TS_IS(PGQRS_EINVAL,
              pgqrs_archive_replay(s->client, text("jobs"), id, &cases[i], NULL, s->err), s->err);
    TS_OK(pgqrs_consumer_archive(s->consumer, story_take_one(s, s->consumer), text("1"), s->err),
          s->err);
    TS_IS(PGQRS_ENOMESSAGE, pgqrs_archive_replay(s->client, text("jobs"), done, NULL, NULL, s->err),
          s->err);
    TS_IS(PGQRS_ENOMESSAGE, pgqrs_archive_replay(s->client, text("jobs"), 99, NULL, NULL, s->err),
          s->err);
    TS_IS(PGQRS_ENOMESSAGE, pgqrs_archive_replay(s->client, text("jobs"), -1, NULL, NULL, s->err),
          s->err);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_messages"), 0);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive WHERE replayed_as IS NULL"),
                     2);
    ts_sql(s->sql, "DELETE FROM pgqrs_archive WHERE id = %lld", (long long)id);
    TS_IS(PGQRS_ENOMESSAGE, pgqrs_archive_replay(s->client, text("jobs"), id, NULL, NULL, s->err),
          s->err); /* retention has removed it */
}

STORY_TEST(a_paused_queue_takes_replays)
{
    struct story *s = *state;
    int64_t id = die(s, "1");

    ts_sql(s->sql, "UPDATE pgqrs_queues SET paused_at = now()");
    expect(s, "pgqrs_messages", "id", replay_with(s, id, NULL), "2");
}

STORY_TEST(the_key_stays_with_the_first_message)
{
    struct story *s = *state;
    pgqrs_enqueue_options options = PGQRS_ENQUEUE_OPTIONS_INIT;
    pgqrs_enqueued enqueued;
    int64_t id, copy;

    options.idempotency_key = text("once");
    id = die_with(s, "1", &options, "broken");
    /* As when the message died by a lease that ran out: the key is still known. */
    ts_sql(s->sql,
           "INSERT INTO pgqrs_keys VALUES (1, 'once', %lld, 0, now() + interval '1 h') ON CONFLICT "
           "DO NOTHING",
           (long long)id);
    copy = replay_with(s, id, NULL);
    expect(s, "pgqrs_messages", "idempotency_key", copy, "(null)");
    expect(s, "pgqrs_archive", "idempotency_key", id, "once");
    TS_OK(pgqrs_producer_enqueue(s->producer, text("1"), &options, &enqueued, s->err), s->err);
    assert_int_equal(enqueued.id, id);
    assert_true(enqueued.duplicate);
}

/* Two rows of one id, which only plain SQL can make. */
STORY_TEST(an_id_that_is_there_twice_has_one_copy)
{
    struct story *s = *state;
    int64_t id = die(s, "1");
    pgqrs_enqueued copy;

    ts_sql(s->sql, "INSERT INTO pgqrs_archive SELECT * FROM pgqrs_archive");
    TS_OK(pgqrs_archive_replay(s->client, text("jobs"), id, NULL, &copy, s->err), s->err);
    assert_false(copy.duplicate);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_messages"), 1);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive WHERE replayed_as = %lld",
                            (long long)copy.id),
                     2);
}

/* Neither is a copy marked that was not stored, nor stored without the mark. */
STORY_TEST(copy_and_mark_are_one)
{
    struct story *s = *state;
    int64_t id = die(s, "1");

    ts_sql(s->sql,
           "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; "
           "END$$; CREATE TRIGGER swallow BEFORE INSERT ON " READY
           " FOR EACH ROW EXECUTE FUNCTION swallow()");
    TS_IS(PGQRS_ESERVER, pgqrs_archive_replay(s->client, text("jobs"), id, NULL, NULL, s->err),
          s->err);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive WHERE replayed_as IS NULL"),
                     1);
    ts_sql(s->sql,
           "DROP TRIGGER swallow ON " READY "; DROP FUNCTION swallow(); "
           "ALTER TABLE pgqrs_archive_1_dead ADD CONSTRAINT unmarked CHECK (replayed_as IS NULL)");
    TS_IS(PGQRS_EINVAL, pgqrs_archive_replay(s->client, text("jobs"), id, NULL, NULL, s->err),
          s->err);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_messages"), 0);
}

STORY_TEST(lists_and_counts_leave_replayed_ones_out)
{
    static const struct {
        pgqrs_replayed_filter replayed;
        pgqrs_outcome outcome;
        size_t count;
        int64_t first;
    } cases[] = {
        { PGQRS_REPLAYED_LEFT_OUT, PGQRS_OUTCOME_ANY, 2, 3 },
        { PGQRS_REPLAYED_LEFT_OUT, PGQRS_OUTCOME_DEAD, 1, 2 },
        { PGQRS_REPLAYED_LEFT_OUT, PGQRS_OUTCOME_DONE, 1, 3 },
        { PGQRS_REPLAYED_ONLY, PGQRS_OUTCOME_ANY, 1, 1 },
        { PGQRS_REPLAYED_ONLY, PGQRS_OUTCOME_DEAD, 1, 1 },
        { PGQRS_REPLAYED_ONLY, PGQRS_OUTCOME_DONE, 0, 0 },
        { PGQRS_REPLAYED_TOO, PGQRS_OUTCOME_ANY, 3, 3 },
        { PGQRS_REPLAYED_TOO, PGQRS_OUTCOME_DEAD, 2, 2 },
    };
    struct story *s = *state;
    pgqrs_archive_counts counts = PGQRS_ARCHIVE_COUNTS_INIT;
    pgqrs_archive_options options = PGQRS_ARCHIVE_OPTIONS_INIT;
    pgqrs_archive_list *list;
    const pgqrs_archived *archived;

    die(s, "1");
    die(s, "2");
    story_send(s, "3");
    TS_OK(pgqrs_consumer_archive(s->consumer, story_take_one(s, s->consumer), text("1"), s->err),
          s->err);
    replay_with(s, 1, NULL);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        options.replayed = cases[i].replayed;
        options.outcome = cases[i].outcome;
        TS_OK(pgqrs_archive_page(s->client, text("jobs"), &options, &list, s->err), s->err);
        assert_int_equal(pgqrs_archive_list_count(list), cases[i].count);
        if (cases[i].count > 0)
            assert_int_equal(pgqrs_archive_list_at(list, 0)->message->id, cases[i].first);
        pgqrs_archive_list_free(list);
    }
    options.replayed = (pgqrs_replayed_filter)3;
    TS_IS(PGQRS_EINVAL, pgqrs_archive_page(s->client, text("jobs"), &options, &list, s->err),
          s->err);
    TS_OK(pgqrs_archive_count(s->client, text("jobs"), &counts, s->err), s->err);
    assert_int_equal(counts.done, 1);
    assert_int_equal(counts.dead, 1);
    assert_int_equal(counts.replayed, 1);
    TS_OK(pgqrs_archive_get(s->client, text("jobs"), 1, &list, s->err), s->err);
    archived = pgqrs_archive_list_at(list, 0);
    assert_int_equal(archived->replayed_as, 4);
    assert_true(archived->replayed_at_ms >= archived->archived_at_ms);
    pgqrs_archive_list_free(list);
}

TEST_MAIN(NULL, NULL)
