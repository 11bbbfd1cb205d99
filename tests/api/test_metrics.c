/*
 * Numbers of queues: each against what SQL counts, and each says what it is.
 */
#include "counters.h"

#define MOST 10000 /* rows that a look at one table of a single queue reads */

#define IS(number, wanted, what)                                                                   \
    expect_number(#number, number, wanted, PGQRS_PRECISION_##what, __FILE__, __LINE__)

static void
expect_number(const char *name, pgqrs_number number, long long wanted, pgqrs_precision what,
              const char *file, int line)
{
    if (number.value != wanted || number.precision != what)
        ts_fail_at(file, line, "%s is %lld (%s), not %lld (%s)", name, (long long)number.value,
                   pgqrs_precision_name(number.precision), wanted, pgqrs_precision_name(what));
}

/* The queue's only row; free *list. */
static const pgqrs_metrics *
look_at(struct story *s, const char *queue, int exact, pgqrs_metrics_list **list)
{
    pgqrs_metrics_options options = PGQRS_METRICS_OPTIONS_INIT;

    options.exact = exact;
    TS_OK(pgqrs_metrics_get(s->client, text(queue), &options, list, s->err), s->err);
    assert_int_equal(pgqrs_metrics_list_count(*list), 1);
    assert_null(pgqrs_metrics_list_at(*list, 1));
    return pgqrs_metrics_list_at(*list, 0);
}

/* All of them, with as much time as it takes. */
static pgqrs_metrics_list *
look_at_all(struct story *s)
{
    pgqrs_metrics_options options = PGQRS_METRICS_OPTIONS_INIT;
    pgqrs_metrics_list *list;

    options.look_ms = 600000;
    TS_OK(pgqrs_metrics_all(s->client, &options, &list, s->err), s->err);
    return list;
}

static const pgqrs_metrics *
find(const pgqrs_metrics_list *list, const char *queue)
{
    const pgqrs_metrics *metrics;

    for (size_t i = 0; (metrics = pgqrs_metrics_list_at(list, i)) != NULL; i++)
        if (story_slice_is(metrics->queue, queue))
            return metrics;
    ts_fail("the queue \"%s\" is not in the list", queue);
}

static void
create(struct story *s, const char *queue)
{
    TS_OK(pgqrs_queue_create(s->client, text(queue), NULL, NULL, s->err), s->err);
}

STORY_TEST(an_empty_queue_has_exact_zeros)
{
    struct story *s = *state;

    for (int exact = 0; exact <= 1; exact++) {
        pgqrs_metrics_list *list;
        const pgqrs_metrics *jobs = look_at(s, "jobs", exact, &list);

        assert_true(story_slice_is(jobs->queue, "jobs"));
        assert_int_equal(jobs->queue_id, 1);
        IS(jobs->total, 0, EXACT);
        IS(jobs->ready, 0, EXACT);
        IS(jobs->delayed, 0, EXACT);
        IS(jobs->leased, 0, EXACT);
        IS(jobs->expired, 0, EXACT);
        IS(jobs->done, 0, EXACT);
        IS(jobs->dead, 0, EXACT);
        IS(jobs->workers, 0, EXACT);
        IS(jobs->oldest_due_age_ms, 0, EXACT);
        IS(jobs->newest_enqueued_at_ms, 0, EXACT);
        assert_int_equal(jobs->is_paused, 0);
        assert_int_equal(jobs->paused_at_ms, 0);
        assert_null(jobs->problem.data);
        assert_null(jobs->paused_by.data);
        assert_true(pgqrs_metrics_list_at_ms(list) > INT64_C(1600000000000));
        assert_true(pgqrs_metrics_list_took_ms(list) >= 0);
        pgqrs_metrics_list_free(list);
    }
    pgqrs_metrics_list_free(NULL);
    assert_int_equal(pgqrs_metrics_list_count(NULL), 0);
    assert_null(pgqrs_metrics_list_at(NULL, 0));
    assert_int_equal(pgqrs_metrics_list_at_ms(NULL) + pgqrs_metrics_list_took_ms(NULL), 0);
}

/* One or more of each: 10 messages in the ready lane and 8 in the held lane, 2 done, 3 dead. */
static void
given_each_kind(struct story *s)
{
    pgqrs_fail_options for_good = PGQRS_FAIL_OPTIONS_INIT;
    int64_t id;

    for_good.mode = PGQRS_FAIL_FOR_GOOD;
    story_send_many(s, 15, NULL);
    for (int i = 0; i < 2; i++)
        TS_OK(
            pgqrs_consumer_archive(s->consumer, story_take_one(s, s->consumer), text("1"), s->err),
            s->err);
    for (int i = 0; i < 3; i++)
        TS_OK(pgqrs_consumer_fail(s->consumer, story_take_one(s, s->consumer), &for_good, NULL,
                                  s->err),
              s->err);
    pgqrs_message_list_free(story_take(s, s->consumer, 3)); /* leased */
    id = story_take_one(s, s->consumer).id;
    story_expire(s, id);
    ts_sql(s->sql,
           "UPDATE " READY " SET vt = vt - interval '1 h' WHERE lease_token IS NULL AND id = "
           "(SELECT max(id) FROM " READY ")");
    /* In the held lane: delayed; of another priority and due for 2 hours; leased; expired. */
    TS_OK(pgqrs_producer_enqueue_delayed(s->producer, text("1"), 3600000, NULL, s->err), s->err);
    TS_OK(pgqrs_producer_enqueue_delayed(s->producer, text("1"), 7200000, NULL, s->err), s->err);
    for (int priority = -3; priority < 3; priority++)
        story_send_priority(s, priority != 0 ? priority : 5);
    ts_sql(s->sql,
           "UPDATE " HELD " SET vt = now() - interval '2 h', enqueued_at = now() - interval '9 h' "
           "WHERE priority = -3;"
           "UPDATE " HELD
           " SET vt = now() + interval '1 h', lease_token = 7 WHERE priority IN (-2, -1);"
           "UPDATE " HELD " SET vt = now() - interval '1 s', lease_token = 8 WHERE priority = 5;"
           "UPDATE pgqrs_archive SET replayed_as = 1, replayed_at = now() WHERE id = "
           "(SELECT min(id) FROM pgqrs_archive WHERE outcome = 'dead')");
}

STORY_TEST(each_number_is_what_sql_counts)
{
    struct story *s = *state;

    given_each_kind(s);
    for (int exact = 0; exact <= 1; exact++) {
        pgqrs_metrics_list *list;
        pgqrs_queue_counts counts = PGQRS_QUEUE_COUNTS_INIT;
        const pgqrs_metrics *jobs = look_at(s, "jobs", exact, &list);

        IS(jobs->total, 18, EXACT);
        IS(jobs->ready, ts_int(s->sql, "SELECT count(*) FROM pgqrs_messages WHERE vt <= now()"),
           EXACT);
        IS(jobs->delayed,
           ts_int(s->sql,
                  "SELECT count(*) FROM pgqrs_messages WHERE vt > now() AND lease_token IS NULL"),
           EXACT);
        IS(jobs->leased,
           ts_int(
               s->sql,
               "SELECT count(*) FROM pgqrs_messages WHERE vt > now() AND lease_token IS NOT NULL"),
           EXACT);
        IS(jobs->expired,
           ts_int(
               s->sql,
               "SELECT count(*) FROM pgqrs_messages WHERE vt <= now() AND lease_token IS NOT NULL"),
           EXACT);
        IS(jobs->ready, 11, EXACT);
        IS(jobs->delayed, 2, EXACT);
        IS(jobs->leased, 5, EXACT);
        IS(jobs->expired, 2, EXACT);
        IS(jobs->done, 2, EXACT);
        IS(jobs->dead, 2, EXACT);
        TS_OK(pgqrs_queue_count(s->client, text("jobs"), &counts, s->err), s->err);
        assert_int_equal(counts.ready, jobs->ready.value);
        assert_int_equal(counts.delayed, jobs->delayed.value);
        assert_int_equal(counts.leased, jobs->leased.value);
        pgqrs_metrics_list_free(list);
    }
}

/* Not since it was enqueued: a delayed message has not waited. */
STORY_TEST(the_oldest_is_found_by_its_due_time_in_both_lanes)
{
    struct story *s = *state;
    pgqrs_metrics_list *list;
    const pgqrs_metrics *jobs;

    given_each_kind(s);
    jobs = look_at(s, "jobs", 0, &list);
    assert_int_equal(jobs->oldest_due_age_ms.precision, PGQRS_PRECISION_EXACT);
    assert_in_range(jobs->oldest_due_age_ms.value, 7200000, 7300000);
    IS(jobs->newest_enqueued_at_ms,
       ts_int(
           s->sql,
           "SELECT floor(extract(epoch FROM max(enqueued_at)) * 1000)::bigint FROM pgqrs_messages"),
       EXACT);
    pgqrs_metrics_list_free(list);
    ts_sql(s->sql, "DELETE FROM " HELD " WHERE vt <= now()");
    jobs = look_at(s, "jobs", 0, &list);
    assert_in_range(jobs->oldest_due_age_ms.value, 3600000, 3700000);
    pgqrs_metrics_list_free(list);
    /* Times that are no times. */
    ts_sql(s->sql, "UPDATE " READY " SET vt = '-infinity', enqueued_at = 'infinity'");
    jobs = look_at(s, "jobs", 0, &list);
    IS(jobs->oldest_due_age_ms, 0, EXACT);
    pgqrs_metrics_list_free(list);
}

STORY_TEST(workers_are_counted_while_they_are_seen)
{
    struct story *s = *state;
    pgqrs_metrics_list *list;
    int64_t ids[3];

    create(s, "other");
    for (int i = 0; i < 3; i++)
        TS_OK(pgqrs_registration_add(s->client, text(i < 2 ? "jobs" : "other"), &ids[i], s->err),
              s->err);
    list = look_at_all(s);
    IS(find(list, "jobs")->workers, 2, EXACT);
    IS(find(list, "other")->workers, 1, EXACT);
    pgqrs_metrics_list_free(list);
    ts_sql(s->sql, "UPDATE pgqrs_workers SET seen_at = now() - interval '6 min' WHERE id = %lld",
           (long long)ids[0]);
    list = look_at_all(s);
    IS(find(list, "jobs")->workers, 1, EXACT);
    pgqrs_metrics_list_free(list);
}

STORY_TEST(a_pause_is_shown_until_it_ends)
{
    struct story *s = *state;
    pgqrs_metrics_list *list;
    const pgqrs_metrics *jobs;

    ts_sql(s->sql, "UPDATE pgqrs_queues SET paused_at = now(), paused_by = 'ops', pause_reason = "
                   "'a ''test'''");
    jobs = look_at(s, "jobs", 0, &list);
    assert_int_equal(jobs->is_paused, 1);
    assert_true(jobs->paused_at_ms > INT64_C(1600000000000));
    assert_int_equal(jobs->paused_until_ms, 0);
    assert_true(story_slice_is(jobs->paused_by, "ops"));
    assert_true(story_slice_is(jobs->pause_reason, "a 'test'"));
    pgqrs_metrics_list_free(list);
    ts_sql(s->sql, "UPDATE pgqrs_queues SET paused_until = now() + interval '1 h'");
    assert_int_equal(look_at(s, "jobs", 0, &list)->is_paused, 1);
    pgqrs_metrics_list_free(list);
    ts_sql(s->sql, "UPDATE pgqrs_queues SET paused_until = now() - interval '1 ms'");
    assert_int_equal(look_at(s, "jobs", 0, &list)->is_paused, 0);
    pgqrs_metrics_list_free(list);
}

static void
fill(struct story *s, int ready, int held, int dead, int done)
{
    ts_sql(s->sql,
           "TRUNCATE pgqrs_messages, pgqrs_archive;"
           "INSERT INTO " READY " (payload) SELECT '1' FROM generate_series(1, %d);"
           "INSERT INTO " HELD
           " (payload, vt) SELECT '1', now() + n * interval '1 h' FROM generate_series(1, %d) AS n;"
           "INSERT INTO pgqrs_archive (id, queue_id, priority, outcome, read_ct, failed_ct, "
           "crash_ct, enqueued_at, payload) "
           "SELECT n, 1, 0, CASE WHEN n > %d THEN 'done' ELSE 'dead' END, 1, 0, 0, now(), '1' FROM "
           "generate_series(1, %d) AS n",
           ready, held, dead, dead + done);
}

STORY_TEST(up_to_the_bound_of_a_look_numbers_are_exact)
{
    struct story *s = *state;

    for (int rows = MOST - 1; rows <= MOST; rows++) {
        pgqrs_metrics_list *list;
        const pgqrs_metrics *jobs;

        fill(s, rows, rows, rows, rows);
        jobs = look_at(s, "jobs", 0, &list);
        IS(jobs->total, 2 * rows, EXACT);
        IS(jobs->ready, rows, EXACT);
        IS(jobs->delayed, rows, EXACT);
        IS(jobs->leased, 0, EXACT);
        IS(jobs->expired, 0, EXACT);
        IS(jobs->dead, rows, EXACT);
        IS(jobs->done, rows, EXACT);
        assert_int_equal(jobs->oldest_due_age_ms.precision, PGQRS_PRECISION_EXACT);
        pgqrs_metrics_list_free(list);
    }
}

STORY_TEST(beyond_the_bound_they_are_estimates_and_can_be_counted)
{
    struct story *s = *state;
    pgqrs_metrics_list *list;
    const pgqrs_metrics *jobs;

    fill(s, MOST + 1, MOST + 1, MOST + 1, MOST + 1);
    ts_sql(s->sql, "INSERT INTO " HELD " (payload, vt, priority) SELECT '1', now() - n * interval "
                   "'1 h', n FROM generate_series(1, 3) AS n;"
                   "INSERT INTO " HELD
                   " (payload, vt, lease_token) VALUES ('1', now() + interval '1 min', 1)");
    settle_counters(s);
    jobs = look_at(s, "jobs", 0, &list);
    /* The bound itself was seen: no row is beyond it. */
    IS(jobs->ready, MOST + 1 + 3, AT_LEAST);
    IS(jobs->delayed, MOST + 1, ESTIMATED);
    IS(jobs->leased, 1, AT_LEAST);
    IS(jobs->dead, MOST + 1, AT_LEAST);
    IS(jobs->done, MOST + 1, AT_LEAST);
    IS(jobs->total, 2 * (MOST + 1) + 4, ESTIMATED);
    assert_int_equal(jobs->oldest_due_age_ms.precision, PGQRS_PRECISION_AT_LEAST);
    assert_in_range(jobs->oldest_due_age_ms.value, 3 * 3600000, 3 * 3600000 + 60000);
    pgqrs_metrics_list_free(list);
    jobs = look_at(s, "jobs", 1, &list);
    IS(jobs->ready, MOST + 1 + 3, EXACT);
    IS(jobs->delayed, MOST + 1, EXACT);
    IS(jobs->leased, 1, EXACT);
    IS(jobs->dead, MOST + 1, EXACT);
    IS(jobs->done, MOST + 1, EXACT);
    assert_int_equal(jobs->oldest_due_age_ms.precision, PGQRS_PRECISION_EXACT);
    pgqrs_metrics_list_free(list);
    fill(s, 3 * MOST, 0, 2 * MOST, 2 * MOST);
    settle_counters(s);
    jobs = look_at(s, "jobs", 0, &list);
    IS(jobs->ready, 3 * MOST, ESTIMATED);
    IS(jobs->dead, 2 * MOST, ESTIMATED);
    IS(jobs->done, 2 * MOST, ESTIMATED);
    pgqrs_metrics_list_free(list);
}

/* The counters begin at 0 again, while VACUUM's last word is in the catalogue. */
STORY_TEST(after_a_reset_of_the_counters_the_catalogue_is_asked)
{
    struct story *s = *state;
    pgqrs_metrics_list *list;
    const pgqrs_metrics *jobs;

    fill(s, 3 * MOST, 2 * MOST, 2 * MOST, 2 * MOST);
    settle_counters(s);
    ts_sql(s->sql, "SELECT pg_stat_reset()");
    ts_wait_until(s->sql, STORY_WAIT_MS,
                  "SELECT pg_stat_get_live_tuples('" READY "'::regclass) = 0");
    jobs = look_at(s, "jobs", 0, &list);
    IS(jobs->ready, 3 * MOST, ESTIMATED);
    IS(jobs->delayed, 2 * MOST, ESTIMATED);
    IS(jobs->dead, 2 * MOST, ESTIMATED);
    IS(jobs->done, 2 * MOST, ESTIMATED);
    pgqrs_metrics_list_free(list);
    assert_int_equal(ts_int(s->sql, "SELECT ready FROM pgqrs_metrics(look_ms := 0)"), 3 * MOST);
}

/* Nothing is known: a lower bound from a look, and no number without one. */
STORY_TEST(what_no_counter_knows_is_a_lower_bound_or_unknown)
{
    struct story *s = *state;
    pgqrs_metrics_list *list;
    const pgqrs_metrics *jobs;

    ts_sql(s->sql, "ALTER TABLE " READY " SET (autovacuum_enabled = off)");
    fill(s, 2 * MOST, 0, 0, 0);
    ts_wait_until(s->sql, STORY_WAIT_MS,
                  "SELECT pg_stat_get_tuples_inserted('" READY "'::regclass) > 0");
    ts_sql(s->sql, "SELECT pg_stat_reset()");
    jobs = look_at(s, "jobs", 0, &list);
    IS(jobs->ready, MOST + 1, AT_LEAST);
    pgqrs_metrics_list_free(list);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_metrics(look_ms := 0) WHERE ready "
                                    "IS NULL AND problem = 'not reached'"),
                     1);
}

STORY_TEST(a_queue_that_is_not_reached_has_estimates)
{
    struct story *s = *state;

    given_each_kind(s);
    settle_counters(s);
    assert_int_equal(
        ts_int(s->sql,
               "SELECT count(*) FROM pgqrs_metrics(look_ms := 0) WHERE problem = 'not reached' AND "
               "ready = 10 AND delayed = 8 AND dead = 3 AND leased IS NULL AND expired IS NULL AND "
               "oldest_due_at IS NULL AND at_least @> '{leased,expired,oldest_due_at}' AND "
               "estimated @> '{ready,delayed,dead}'"),
        1);
    /* One queue is always looked at. */
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_metrics('jobs', look_ms := 0) "
                                    "WHERE problem IS NULL AND leased = 5"),
                     1);
}

STORY_TEST(all_of_300_queues_come_by_name_and_keep_no_locks)
{
    enum { QUEUES = 300, SHARE = 100 }; /* rows that a look at each of so many reads */
    struct story *s = *state;
    pgqrs_metrics_list *list;
    char name[32];

    ts_sql(s->sql, "SELECT count(pgqrs_create_queue('q' || to_char(n, 'FM000'))) FROM "
                   "generate_series(1, 100) AS n");
    ts_sql(s->sql, "SELECT count(pgqrs_create_queue('q' || to_char(n, 'FM000'))) FROM "
                   "generate_series(101, 200) AS n");
    ts_sql(s->sql, "SELECT count(pgqrs_create_queue('q' || to_char(n, 'FM000'))) FROM "
                   "generate_series(201, 299) AS n");
    ts_sql(s->sql, "DO $$ BEGIN FOR i IN 1 .. 300 LOOP EXECUTE format('INSERT INTO "
                   "pgqrs_messages_%%s_ready (payload) "
                   "SELECT ''1'' FROM generate_series(1, %%s)', i, CASE i WHEN 7 THEN 101 WHEN 8 "
                   "THEN 100 ELSE i %% 5 END); "
                   "END LOOP; END $$");
    settle_counters(s);
    list = look_at_all(s);
    assert_int_equal(pgqrs_metrics_list_count(list), QUEUES);
    assert_true(story_slice_is(pgqrs_metrics_list_at(list, 0)->queue, "jobs"));
    for (int i = 2; i <= QUEUES; i++) {
        const pgqrs_metrics *queue = pgqrs_metrics_list_at(list, (size_t)i - 1);

        snprintf(name, sizeof(name), "q%03d", i - 1);
        assert_true(story_slice_is(queue->queue, name));
        if (i == 7)
            IS(queue->ready, SHARE + 1, AT_LEAST);
        else
            IS(queue->ready, i == 8 ? SHARE : i % 5, EXACT);
    }
    pgqrs_metrics_list_free(list);
    ts_sql(s->sql, "BEGIN");
    assert_int_equal(
        ts_int(s->sql, "SELECT count(*) FROM pgqrs_metrics(look_ms := NULL) WHERE problem IS NULL"),
        QUEUES);
    assert_in_range(
        ts_int(
            s->sql,
            "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation'"),
        0, 60);
    ts_sql(s->sql, "COMMIT");
}

static const char *const hostile_names[] = {
    "o'brien", "\"quoted\"", "$$",   "$body$ $1 %s %n %I %L", "'; DROP TABLE pgqrs_queues; --",
    "\\",      " ",          "NULL", "{\"json\": 1}",         "\xf0\x9f\x90\x98",
    "Zz",      "a b"
};

STORY_TEST(names_are_data)
{
    struct story *s = *state;
    pgqrs_metrics_list *list;
    pgqrs_queue_list *queues;

    for (size_t i = 0; i < sizeof(hostile_names) / sizeof(hostile_names[0]); i++) {
        create(s, hostile_names[i]);
        assert_true(
            story_slice_is(look_at(s, hostile_names[i], 0, &list)->queue, hostile_names[i]));
        pgqrs_metrics_list_free(list);
    }
    list = look_at_all(s);
    TS_OK(pgqrs_queue_list_all(s->client, &queues, s->err), s->err);
    assert_int_equal(pgqrs_metrics_list_count(list), pgqrs_queue_list_count(queues));
    for (size_t i = 0; i < pgqrs_queue_list_count(queues); i++)
        assert_int_equal(pgqrs_metrics_list_at(list, i)->queue_id,
                         pgqrs_queue_list_at(queues, i)->id);
    pgqrs_queue_list_free(queues);
    pgqrs_metrics_list_free(list);
}

STORY_TEST(wrong_input_is_refused)
{
    struct story *s = *state;
    pgqrs_metrics_list *list = NULL;

    for (int i = 0; i < 6; i++) {
        pgqrs_metrics_options options = PGQRS_METRICS_OPTIONS_INIT;

        options.exact = i == 0 ? -1 : i == 1 ? 2 : 0;
        options.look_ms = i == 2 ? -1 : i == 3 ? 600001 : i == 4 ? INT64_MAX : 0;
        options.size = i == 5 ? 0 : sizeof(options);
        TS_IS(PGQRS_EINVAL, pgqrs_metrics_all(s->client, &options, &list, s->err), s->err);
        TS_IS(PGQRS_EINVAL, pgqrs_metrics_get(s->client, text("jobs"), &options, &list, s->err),
              s->err);
    }
    TS_IS(PGQRS_ENOQUEUE, pgqrs_metrics_get(s->client, text("none"), NULL, &list, s->err), s->err);
    story_expect_message(s, "\"none\"");
    TS_IS(PGQRS_EINVAL, pgqrs_metrics_get(s->client, text(""), NULL, &list, s->err), s->err);
    TS_IS(PGQRS_EINVAL, pgqrs_metrics_get(s->client, (pgqrs_slice){ NULL, 0 }, NULL, &list, s->err),
          s->err);
    assert_null(list);
    assert_string_equal(pgqrs_precision_name(PGQRS_PRECISION_AT_LEAST), "at least");
    assert_string_equal(pgqrs_precision_name((pgqrs_precision)9), "unknown");
}

TEST_MAIN(NULL, NULL)
