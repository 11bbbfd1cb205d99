/*
 * The archive: what became of messages, a page at a time.
 */
#include "story.h"

/* Archives `count` messages, every third of them as dead. Returns the id of the first; the others
 * follow. */
static int64_t
fill(struct story *s, size_t count)
{
    pgqrs_fail_options for_good = PGQRS_FAIL_OPTIONS_INIT;
    int64_t first = 0;

    for_good.mode = PGQRS_FAIL_FOR_GOOD;
    for_good.error = text("broken");
    for (size_t i = 0; i < count; i++) {
        int64_t id = story_send(s, "1");

        first = first == 0 ? id : first;
        if (i % 3 == 0)
            TS_OK(pgqrs_consumer_fail(s->consumer, story_take_one(s, s->consumer), &for_good, NULL,
                                      s->err),
                  s->err);
        else
            TS_OK(pgqrs_consumer_archive(s->consumer, story_take_one(s, s->consumer),
                                         text("{\"ok\": true}"), s->err),
                  s->err);
    }
    return first;
}

STORY_TEST(an_archived_message_is_as_it_was_with_what_became_of_it)
{
    struct story *s = *state;
    pgqrs_enqueue_options options = PGQRS_ENQUEUE_OPTIONS_INIT;
    pgqrs_archive_list *list;
    const pgqrs_archived *archived;
    pgqrs_lease lease;
    int64_t id;

    options.priority = -2;
    options.headers = text("{\"h\": 1}");
    options.type = text("kind");
    id = story_send_with(s, "[1]", &options);
    lease = story_take_one(s, s->consumer);
    ts_sql(s->sql, "UPDATE pgqrs_messages SET dequeued_at = dequeued_at - interval '1 min'");
    TS_OK(pgqrs_consumer_archive(s->consumer, lease, text("{\"r\": 2}"), s->err), s->err);
    TS_OK(pgqrs_archive_get(s->client, text("jobs"), id, &list, s->err), s->err);
    assert_int_equal(pgqrs_archive_list_count(list), 1);
    archived = pgqrs_archive_list_at(list, 0);
    assert_int_equal(archived->message->id, id);
    assert_int_equal(archived->message->lease_token, lease.token);
    assert_true(story_slice_is(archived->message->payload, "[1]"));
    assert_true(story_slice_is(archived->message->headers, "{\"h\": 1}"));
    assert_true(story_slice_is(archived->message->type, "kind"));
    assert_int_equal(archived->message->priority, -2);
    assert_int_equal(archived->message->read_ct, 1);
    assert_int_equal(archived->outcome, PGQRS_OUTCOME_DONE);
    assert_true(story_slice_is(archived->result, "{\"r\": 2}"));
    assert_null(archived->error.data);
    assert_in_range(archived->processing_duration_ms, 60000, 90000);
    assert_true(archived->archived_at_ms >= archived->message->enqueued_at_ms);
    assert_null(pgqrs_archive_list_at(list, 1));
    pgqrs_archive_list_free(list);
}

STORY_TEST(what_is_not_in_the_archive_is_not_found)
{
    struct story *s = *state;
    pgqrs_archive_list *list;
    int64_t id = story_send(s, "1");

    TS_IS(PGQRS_ENOMESSAGE, pgqrs_archive_get(s->client, text("jobs"), id, &list, s->err), s->err);
    TS_IS(PGQRS_ENOMESSAGE, pgqrs_archive_get(s->client, text("jobs"), -1, &list, s->err), s->err);
    TS_IS(PGQRS_ENOQUEUE, pgqrs_archive_get(s->client, text("none"), id, &list, s->err), s->err);
    TS_IS(PGQRS_ENOQUEUE, pgqrs_archive_page(s->client, text("none"), NULL, &list, s->err), s->err);
    TS_OK(pgqrs_archive_page(s->client, text("jobs"), NULL, &list, s->err), s->err);
    assert_int_equal(pgqrs_archive_list_count(list), 0);
    pgqrs_archive_list_free(list);
}

STORY_TEST(pages_follow_each_other_from_the_newest)
{
    enum { COUNT = 23 };
    struct story *s = *state;
    pgqrs_archive_options options = PGQRS_ARCHIVE_OPTIONS_INIT;
    int64_t next = fill(s, COUNT) + COUNT - 1;
    pgqrs_archive_list *list;
    size_t rows, seen = 0;

    options.limit = 5;
    do {
        TS_OK(pgqrs_archive_page(s->client, text("jobs"), &options, &list, s->err), s->err);
        rows = pgqrs_archive_list_count(list);
        for (size_t i = 0; i < rows; i++)
            assert_int_equal(pgqrs_archive_list_at(list, i)->message->id, next--);
        if (rows > 0)
            options.before_id = pgqrs_archive_list_at(list, rows - 1)->message->id;
        seen += rows;
        pgqrs_archive_list_free(list);
    } while (rows == 5);
    assert_int_equal(seen, COUNT);
}

STORY_TEST(an_outcome_can_be_asked_for)
{
    static const struct {
        pgqrs_outcome outcome;
        size_t count;
    } cases[] = { { PGQRS_OUTCOME_ANY, 9 }, { PGQRS_OUTCOME_DONE, 6 }, { PGQRS_OUTCOME_DEAD, 3 } };
    struct story *s = *state;
    pgqrs_archive_options options = PGQRS_ARCHIVE_OPTIONS_INIT;
    pgqrs_archive_list *list;

    fill(s, 9);
    for (int i = 0; i < 3; i++) {
        options.outcome = cases[i].outcome;
        TS_OK(pgqrs_archive_page(s->client, text("jobs"), &options, &list, s->err), s->err);
        assert_int_equal(pgqrs_archive_list_count(list), cases[i].count);
        for (size_t row = 0; row < cases[i].count; row++) {
            const pgqrs_archived *archived = pgqrs_archive_list_at(list, row);

            assert_true(archived->outcome == cases[i].outcome ||
                        cases[i].outcome == PGQRS_OUTCOME_ANY);
            assert_int_equal(archived->outcome == PGQRS_OUTCOME_DEAD, archived->error.data != NULL);
            assert_int_equal(archived->outcome == PGQRS_OUTCOME_DONE,
                             archived->result.data != NULL);
        }
        pgqrs_archive_list_free(list);
    }
}

STORY_TEST(a_page_has_100_rows_by_default_and_10000_at_most)
{
    struct story *s = *state;
    pgqrs_archive_options options = PGQRS_ARCHIVE_OPTIONS_INIT;
    pgqrs_archive_list *list;

    ts_sql(
        s->sql,
        "INSERT INTO pgqrs_archive (id, queue_id, priority, outcome, read_ct, failed_ct, crash_ct, "
        "enqueued_at, payload) SELECT n, 1, 0, 'done', 1, 0, 0, now(), '1' FROM generate_series(1, "
        "10001) n");
    TS_OK(pgqrs_archive_page(s->client, text("jobs"), NULL, &list, s->err), s->err);
    assert_int_equal(pgqrs_archive_list_count(list), 100);
    assert_int_equal(pgqrs_archive_list_at(list, 0)->message->id, 10001);
    pgqrs_archive_list_free(list);
    options.limit = 10000;
    TS_OK(pgqrs_archive_page(s->client, text("jobs"), &options, &list, s->err), s->err);
    assert_int_equal(pgqrs_archive_list_count(list), 10000);
    pgqrs_archive_list_free(list);
    for (int i = 0; i < 4; i++) {
        options.limit = i == 0 ? 10001 : i == 1 ? -1 : 1;
        options.before_id = i == 2 ? -1 : 0;
        options.size = i == 3 ? 0 : sizeof(options);
        TS_IS(PGQRS_EINVAL, pgqrs_archive_page(s->client, text("jobs"), &options, &list, s->err),
              s->err);
    }
}

/* Partitions by month: the current month, the next one, and the default for all others. */
STORY_TEST(rows_of_any_month_are_found)
{
    struct story *s = *state;
    pgqrs_archive_list *list;

    ts_sql(s->sql,
           "INSERT INTO pgqrs_archive (id, queue_id, priority, outcome, read_ct, failed_ct, "
           "crash_ct, enqueued_at, archived_at, payload) SELECT n, 1, 0, 'done', 1, 0, 0, now(), "
           "now() + (n - 3) * interval '25 days', '1' FROM generate_series(1, 8) n");
    assert_true(ts_int(s->sql, "SELECT count(DISTINCT tableoid) FROM pgqrs_archive") >= 3);
    assert_true(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive_1_default") >= 1);
    TS_OK(pgqrs_archive_page(s->client, text("jobs"), NULL, &list, s->err), s->err);
    assert_int_equal(pgqrs_archive_list_count(list), 8);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pgqrs_archive_list_at(list, i)->message->id, 8 - i);
    pgqrs_archive_list_free(list);
    TS_OK(pgqrs_archive_get(s->client, text("jobs"), 8, &list, s->err), s->err);
    pgqrs_archive_list_free(list);
}

static long long
read_of_what_is_done(const struct story *s)
{
    return ts_int(s->sql, "SELECT sum(idx_scan) + sum(idx_tup_read) FROM pg_stat_user_indexes "
                          "WHERE relname ~ '^pgqrs_archive_1_([0-9]+|default)$'") +
           ts_int(s->sql, "SELECT sum(seq_scan) FROM pg_stat_user_tables WHERE relname ~ "
                          "'^pgqrs_archive_1_([0-9]+|default)$'");
}

STORY_TEST(dead_letters_are_listed_without_reading_what_is_done)
{
    struct story *s = *state;
    char *dsn = ts_format("%s application_name=measured", s->dsn);
    pgqrs_client *client = ts_client(dsn, NULL);
    pgqrs_archive_options options = PGQRS_ARCHIVE_OPTIONS_INIT;
    long long before;

    ts_sql(s->sql, "INSERT INTO pgqrs_archive (id, queue_id, priority, outcome, read_ct, "
                   "failed_ct, crash_ct, enqueued_at, archived_at, payload) SELECT n, 1, 0, CASE "
                   "WHEN n %% 1000 = 1 THEN 'dead' ELSE 'done' END, "
                   "1, 0, 0, now(), now() + CASE WHEN n %% 2 = 0 THEN interval '1 year' ELSE "
                   "interval '0' END, '1' FROM generate_series(1, 20000) AS n");
    options.outcome = PGQRS_OUTCOME_DEAD;
    options.limit = 7;
    before = read_of_what_is_done(s);
    for (int page = 0; page < 20; page++) { /* often enough for a generic plan */
        pgqrs_archive_list *list;

        TS_OK(pgqrs_archive_page(client, text("jobs"), &options, &list, s->err), s->err);
        assert_int_equal(pgqrs_archive_list_count(list), page % 3 == 2 ? 6 : 7);
        options.before_id = page % 3 == 2 ? 0 : pgqrs_archive_list_at(list, 6)->message->id;
        pgqrs_archive_list_free(list);
    }
    pgqrs_client_close(client);
    ts_wait_until(s->sql, STORY_WAIT_MS,
                  "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'measured' "
                  "AND datname = current_database()");
    assert_int_equal(read_of_what_is_done(s) - before, 0);
    free(dsn);
}

TEST_MAIN(NULL, NULL)
