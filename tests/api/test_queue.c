/*
 * Queues: created, looked up, counted, purged and deleted, with every kind of name.
 */
#include "story.h"

#include <sys/wait.h>
#include <unistd.h>

/* Of all queues. */
#define COUNT_TABLES                                                                               \
    "SELECT count(*) FROM pg_class WHERE relname ~ '^pgqrs_(messages|archive)_[0-9]'"

STORY_TEST(a_queue_has_the_options_it_was_given)
{
    struct story *s = *state;
    pgqrs_queue_options options = PGQRS_QUEUE_OPTIONS_INIT;
    pgqrs_queue_list *list;
    const pgqrs_queue_info *queue;
    int64_t id = 0;

    options.max_attempts = 7;
    options.max_crashes = 2;
    options.backoff_base_ms = 10;
    options.backoff_max_ms = 2592000000;
    TS_OK(pgqrs_queue_create(s->client, text("mails"), &options, &id, s->err), s->err);
    TS_OK(pgqrs_queue_get(s->client, text("mails"), &list, s->err), s->err);
    assert_int_equal(pgqrs_queue_list_count(list), 1);
    queue = pgqrs_queue_list_at(list, 0);
    assert_int_equal(queue->id, id);
    assert_true(story_slice_is(queue->name, "mails"));
    assert_int_equal(queue->max_attempts, 7);
    assert_int_equal(queue->max_crashes, 2);
    assert_int_equal(queue->backoff_base_ms, 10);
    assert_int_equal(queue->backoff_max_ms, 2592000000);
    assert_true(queue->created_at_ms > INT64_C(1600000000000));
    assert_null(pgqrs_queue_list_at(list, 1));
    pgqrs_queue_list_free(list);
    TS_OK(pgqrs_queue_get(s->client, text("jobs"), &list, s->err), s->err);
    queue = pgqrs_queue_list_at(list, 0);
    assert_int_equal(queue->max_attempts, 20);
    assert_int_equal(queue->max_crashes, 3);
    assert_int_equal(queue->backoff_base_ms, 1000);
    assert_int_equal(queue->backoff_max_ms, 3600000);
    pgqrs_queue_list_free(list);
}

STORY_TEST(options_out_of_range_are_refused)
{
    struct story *s = *state;

    for (int i = 0; i < 9; i++) {
        pgqrs_queue_options options = PGQRS_QUEUE_OPTIONS_INIT;

        options.max_attempts = i == 0 ? -1 : i == 1 ? 1001 : 0;
        options.max_crashes = i == 2 ? -1 : i == 3 ? 1001 : 0;
        options.backoff_base_ms = i == 4 ? -1 : i == 5 ? INT64_C(2592000001) : 0;
        options.backoff_max_ms = i == 6 ? -1 : i == 7 ? INT64_MAX : 0;
        options.size = i == 8 ? 0 : sizeof(options);
        TS_IS(PGQRS_EINVAL, pgqrs_queue_create(s->client, text("q"), &options, NULL, s->err),
              s->err);
    }
    TS_IS(PGQRS_ENOQUEUE, pgqrs_queue_delete(s->client, text("q"), s->err), s->err);
}

STORY_TEST(a_name_is_taken_once)
{
    struct story *s = *state;
    int64_t id = -1;

    TS_IS(PGQRS_EEXISTS, pgqrs_queue_create(s->client, text("jobs"), NULL, &id, s->err), s->err);
    story_expect_message(s, "\"jobs\"");
    assert_int_equal(id, -1);
    TS_OK(pgqrs_queue_create(s->client, text("Jobs"), NULL, NULL, s->err), s->err);
}

STORY_TEST(what_is_not_there_is_not_found)
{
    struct story *s = *state;
    pgqrs_queue_list *list;
    pgqrs_queue_counts counts = PGQRS_QUEUE_COUNTS_INIT;

    TS_IS(PGQRS_ENOQUEUE, pgqrs_queue_get(s->client, text("none"), &list, s->err), s->err);
    TS_IS(PGQRS_ENOQUEUE, pgqrs_queue_count(s->client, text("none"), &counts, s->err), s->err);
    TS_IS(PGQRS_ENOQUEUE, pgqrs_queue_purge(s->client, text("none"), s->err), s->err);
    TS_IS(PGQRS_ENOQUEUE, pgqrs_queue_delete(s->client, text("none"), s->err), s->err);
    story_expect_message(s, "\"none\"");
}

static const char longest_name[] =
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd"
    "ef0123456789abcdef0123456789abcdeX";

static const char *const hostile_names[] = {
    "o'brien",   "\"quoted\"",         "a\"b'c",
    "$$",        "$body$ $1 %s %n %%", "'; DROP TABLE pgqrs_queues; --",
    "\\",        "back\\'slash",       "emoji \xf0\x9f\x90\x98",
    " ",         "  two spaces  ",     "a/b.c:d",
    "NULL",      "pgqrs_queues",       "--",
    "/*",        "\xe2\x80\xa8",       "{\"json\": 1}",
    longest_name
};

enum { HOSTILE = sizeof(hostile_names) / sizeof(hostile_names[0]) };

static void
use_queue(struct story *s, const char *name)
{
    pgqrs_producer *producer;
    pgqrs_consumer *consumer;
    pgqrs_queue_counts counts = PGQRS_QUEUE_COUNTS_INIT;
    pgqrs_archive_counts archived = PGQRS_ARCHIVE_COUNTS_INIT;
    pgqrs_message_list *list;
    pgqrs_lease lease;

    TS_OK(pgqrs_producer_open(s->client, text(name), NULL, &producer, s->err), s->err);
    TS_OK(pgqrs_consumer_open(s->client, text(name), NULL, &consumer, s->err), s->err);
    TS_OK(pgqrs_producer_enqueue(producer, text("1"), NULL, NULL, s->err), s->err);
    TS_OK(pgqrs_consumer_dequeue(consumer, &list, s->err), s->err);
    lease = pgqrs_message_lease(story_only(list));
    TS_OK(pgqrs_consumer_archive(consumer, lease, text("1"), s->err), s->err);
    TS_OK(pgqrs_queue_count(s->client, text(name), &counts, s->err), s->err);
    TS_OK(pgqrs_archive_count(s->client, text(name), &archived, s->err), s->err);
    assert_int_equal(archived.done, 1);
    pgqrs_message_list_free(list);
    pgqrs_producer_close(producer);
    pgqrs_consumer_close(consumer);
}

STORY_TEST(a_name_is_data_whatever_it_holds)
{
    struct story *s = *state;
    long long tables = ts_int(s->sql, COUNT_TABLES);
    pgqrs_queue_list *list;

    assert_int_equal(strlen(longest_name), 128);
    for (int i = 0; i < HOSTILE; i++) {
        TS_OK(pgqrs_queue_create(s->client, text(hostile_names[i]), NULL, NULL, s->err), s->err);
        use_queue(s, hostile_names[i]);
        TS_OK(pgqrs_queue_get(s->client, text(hostile_names[i]), &list, s->err), s->err);
        assert_true(story_slice_is(pgqrs_queue_list_at(list, 0)->name, hostile_names[i]));
        pgqrs_queue_list_free(list);
    }
    TS_OK(pgqrs_queue_list_all(s->client, &list, s->err), s->err);
    assert_int_equal(pgqrs_queue_list_count(list), HOSTILE + 1);
    for (size_t i = 1; i < HOSTILE + 1; i++) {
        pgqrs_slice a = pgqrs_queue_list_at(list, i - 1)->name,
                    b = pgqrs_queue_list_at(list, i)->name;
        int order = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);

        assert_true(order < 0 || (order == 0 && a.size < b.size));
    }
    pgqrs_queue_list_free(list);
    for (int i = 0; i < HOSTILE; i++)
        TS_OK(pgqrs_queue_delete(s->client, text(hostile_names[i]), s->err), s->err);
    assert_int_equal(ts_int(s->sql, COUNT_TABLES), tables);
}

STORY_TEST(a_name_out_of_shape_is_refused_everywhere)
{
    static char too_long[129];
    const pgqrs_slice names[] = {
        { NULL, 0 },   { "", 0 },         { too_long, 129 },     { "a\nb", 3 },
        { "a\0b", 3 }, { "\x7f", 1 },     { "\xc2\x85", 2 },     { "\xff", 1 },
        { "\xc3", 1 }, { "\xc0\xaf", 2 }, { "\xed\xa0\x80", 3 }, { "\xf5\x80\x80\x80", 4 }
    };
    struct story *s = *state;
    pgqrs_queue_list *list;
    pgqrs_queue_counts counts = PGQRS_QUEUE_COUNTS_INIT;
    pgqrs_producer *producer;

    memset(too_long, 'n', sizeof(too_long));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        TS_IS(PGQRS_EINVAL, pgqrs_queue_create(s->client, names[i], NULL, NULL, s->err), s->err);
        TS_IS(PGQRS_EINVAL, pgqrs_queue_get(s->client, names[i], &list, s->err), s->err);
        TS_IS(PGQRS_EINVAL, pgqrs_queue_count(s->client, names[i], &counts, s->err), s->err);
        TS_IS(PGQRS_EINVAL, pgqrs_queue_purge(s->client, names[i], s->err), s->err);
        TS_IS(PGQRS_EINVAL, pgqrs_queue_delete(s->client, names[i], s->err), s->err);
        TS_IS(PGQRS_EINVAL, pgqrs_producer_open(s->client, names[i], NULL, &producer, s->err),
              s->err);
    }
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_queues"), 1);
}

STORY_TEST(each_message_is_counted_once)
{
    struct story *s = *state;
    pgqrs_fail_options for_good = PGQRS_FAIL_OPTIONS_INIT;
    pgqrs_queue_counts counts = PGQRS_QUEUE_COUNTS_INIT;
    pgqrs_archive_counts archived = PGQRS_ARCHIVE_COUNTS_INIT;

    TS_OK(pgqrs_queue_count(s->client, text("jobs"), &counts, s->err), s->err);
    TS_OK(pgqrs_archive_count(s->client, text("jobs"), &archived, s->err), s->err);
    assert_int_equal(counts.ready + counts.delayed + counts.leased + archived.done + archived.dead,
                     0);
    assert_int_equal(counts.oldest_ready_age_ms, 0);
    for_good.mode = PGQRS_FAIL_FOR_GOOD;
    story_send_many(s, 9, NULL);
    TS_OK(pgqrs_consumer_archive(s->consumer, story_take_one(s, s->consumer), text("1"), s->err),
          s->err);
    TS_OK(pgqrs_consumer_archive(s->consumer, story_take_one(s, s->consumer), text("1"), s->err),
          s->err);
    TS_OK(pgqrs_consumer_fail(s->consumer, story_take_one(s, s->consumer), &for_good, NULL, s->err),
          s->err);
    TS_OK(pgqrs_consumer_release(s->consumer, story_take_one(s, s->consumer), 3600000, s->err),
          s->err);
    TS_OK(pgqrs_producer_enqueue_delayed(s->producer, text("1"), 3600000, NULL, s->err), s->err);
    pgqrs_message_list_free(story_take(s, s->consumer, 3));
    story_send_priority(s, 3);
    ts_sql(s->sql, "UPDATE pgqrs_messages SET enqueued_at = clock_timestamp() - interval '1 h' "
                   "WHERE priority = 3");
    TS_OK(pgqrs_queue_count(s->client, text("jobs"), &counts, s->err), s->err);
    TS_OK(pgqrs_archive_count(s->client, text("jobs"), &archived, s->err), s->err);
    assert_int_equal(counts.ready, 3);
    assert_int_equal(counts.delayed, 2);
    assert_int_equal(counts.leased, 3);
    assert_int_equal(archived.done, 2);
    assert_int_equal(archived.dead, 1);
    assert_in_range(counts.oldest_ready_age_ms, 3600000, 3660000);
}

STORY_TEST(purging_removes_all_messages_and_keeps_the_archive)
{
    struct story *s = *state;
    pgqrs_enqueue_options keyed = PGQRS_ENQUEUE_OPTIONS_INIT;
    pgqrs_queue_counts counts = PGQRS_QUEUE_COUNTS_INIT;
    pgqrs_archive_counts archived = PGQRS_ARCHIVE_COUNTS_INIT;
    pgqrs_lease lease;
    int64_t id;

    keyed.idempotency_key = text("k");
    story_send_with(s, "1", &keyed);
    story_send_priority(s, 3);
    TS_OK(pgqrs_consumer_archive(s->consumer, story_take_one(s, s->consumer), text("1"), s->err),
          s->err);
    lease = story_take_one(s, s->consumer);
    TS_OK(pgqrs_producer_enqueue_delayed(s->producer, text("1"), 3600000, NULL, s->err), s->err);
    TS_OK(pgqrs_queue_purge(s->client, text("jobs"), s->err), s->err);
    TS_OK(pgqrs_queue_count(s->client, text("jobs"), &counts, s->err), s->err);
    TS_OK(pgqrs_archive_count(s->client, text("jobs"), &archived, s->err), s->err);
    assert_int_equal(counts.ready + counts.delayed + counts.leased, 0);
    assert_int_equal(archived.done, 1);
    TS_IS(PGQRS_ELEASELOST, pgqrs_consumer_delete(s->consumer, lease, s->err), s->err);
    id = story_send_with(s, "1", &keyed); /* its key is forgotten as well */
    story_expect_order(s, s->consumer, &id, 1);
}

STORY_TEST(a_producer_of_a_deleted_queue_is_told_and_a_new_one_works)
{
    struct story *s = *state;
    pgqrs_enqueue_options options = PGQRS_ENQUEUE_OPTIONS_INIT;
    pgqrs_message_list *list;
    pgqrs_lease lease;
    int64_t id;

    options.priority = 1;
    for (int i = 0; i < 3; i++)
        story_send(s, "1"); /* by now its statements are prepared */
    lease = story_take_one(s, s->consumer);
    TS_OK(pgqrs_queue_delete(s->client, text("jobs"), s->err), s->err);
    TS_IS(PGQRS_ENOQUEUE, pgqrs_producer_enqueue(s->producer, text("1"), NULL, NULL, s->err),
          s->err);
    TS_IS(PGQRS_ENOQUEUE, pgqrs_producer_enqueue(s->producer, text("1"), &options, NULL, s->err),
          s->err);
    TS_IS(PGQRS_ENOQUEUE, pgqrs_consumer_dequeue(s->consumer, &list, s->err), s->err);
    TS_IS(PGQRS_ENOQUEUE, pgqrs_consumer_delete(s->consumer, lease, s->err), s->err);
    assert_int_equal(ts_int(s->sql, COUNT_TABLES), 0);

    TS_OK(pgqrs_queue_create(s->client, text("jobs"), NULL, NULL, s->err), s->err);
    pgqrs_producer_close(s->producer);
    pgqrs_consumer_close(s->consumer);
    TS_OK(pgqrs_producer_open(s->client, text("jobs"), NULL, &s->producer, s->err), s->err);
    s->consumer = story_consumer(s, s->client, STORY_LEASE_MS);
    id = story_send(s, "2");
    story_expect_order(s, s->consumer, &id, 1);
}

/* In a process of its own: how creating the queue "race" ended. */
static void
create_in_child(const struct story *s)
{
    pgqrs_error *err = pgqrs_error_new();
    pgqrs_client *client = ts_client(s->dsn, NULL);
    pgqrs_status status = pgqrs_queue_create(client, text("race"), NULL, NULL, err);

    if (status != PGQRS_OK && status != PGQRS_EEXISTS)
        fprintf(stderr, "%s\n", pgqrs_error_message(err));
    _exit(status == PGQRS_OK ? 10 : status == PGQRS_EEXISTS ? 11 : 1);
}

STORY_TEST(of_20_processes_that_create_a_queue_one_does)
{
    enum { PROCESSES = 20 };
    struct story *s = *state;
    int created = 0, existed = 0, status;

    for (int i = 0; i < PROCESSES; i++) {
        pid_t child = fork();

        TS_TRUE(child >= 0);
        if (child == 0)
            create_in_child(s);
    }
    for (int i = 0; i < PROCESSES; i++) {
        TS_TRUE(wait(&status) > 0);
        created += WIFEXITED(status) && WEXITSTATUS(status) == 10;
        existed += WIFEXITED(status) && WEXITSTATUS(status) == 11;
    }
    assert_int_equal(created, 1);
    assert_int_equal(existed, PROCESSES - 1);
    use_queue(s, "race");
}

TEST_MAIN(NULL, NULL)
