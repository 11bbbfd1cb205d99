/*
 * Batches of leases: results in the order of the leases, each message on its own.
 */
#include "story.h"

enum { MIXED = 6 };

/* Leases of messages in both lanes, of which numbers 1 and 4 are lost. */
static void
take_mixed(struct story *s, pgqrs_lease *leases)
{
    static const int order[MIXED] = { 3, 0, 5, 2, 4, 1 };
    pgqrs_message_list *list;

    ts_sql(s->sql, "TRUNCATE pgqrs_messages, pgqrs_archive");
    story_send_many(s, 3, NULL);
    for (int i = 0; i < 3; i++)
        story_send_priority(s, i + 1);
    list = story_take(s, s->consumer, MIXED);
    assert_int_equal(pgqrs_message_list_count(list), MIXED);
    for (size_t i = 0; i < MIXED; i++)
        leases[order[i]] = pgqrs_message_lease(pgqrs_message_list_at(list, i));
    pgqrs_message_list_free(list);
    leases[1].token ^= 1;
    leases[4].id += 1000000;
}

static void
expect_mixed(const pgqrs_status *results)
{
    for (int i = 0; i < MIXED; i++)
        assert_int_equal(results[i], i == 1 || i == 4 ? PGQRS_ELEASELOST : PGQRS_OK);
}

STORY_TEST(what_is_fine_is_deleted_and_what_is_lost_is_not)
{
    struct story *s = *state;
    pgqrs_status results[MIXED];
    pgqrs_lease leases[MIXED];

    take_mixed(s, leases);
    TS_OK(pgqrs_consumer_delete_batch(s->consumer, leases, MIXED, results, s->err), s->err);
    expect_mixed(results);
    assert_int_equal(story_stored(s), 2);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_messages WHERE id = %lld",
                            (long long)leases[1].id),
                     1);
}

STORY_TEST(each_archived_message_has_its_own_result)
{
    static const char *const json[MIXED] = { "0", "1", NULL, "3", "4", "5" };
    struct story *s = *state;
    pgqrs_status results[MIXED];
    pgqrs_lease leases[MIXED];
    pgqrs_slice archived[MIXED];

    for (int i = 0; i < MIXED; i++)
        archived[i] = text(json[i]);
    take_mixed(s, leases);
    TS_OK(pgqrs_consumer_archive_batch(s->consumer, leases, archived, MIXED, results, s->err),
          s->err);
    expect_mixed(results);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive"), 4);
    for (int i = 0; i < MIXED; i++)
        if (i != 1 && i != 4)
            assert_int_equal(
                ts_int(s->sql,
                       "SELECT coalesce(result::int, -1) FROM pgqrs_archive WHERE id = %lld",
                       (long long)leases[i].id),
                json[i] != NULL ? i : -1);
    /* Repeated, as after a lost answer: the messages are already done. */
    TS_OK(pgqrs_consumer_archive_batch(s->consumer, leases, NULL, MIXED, results, s->err), s->err);
    expect_mixed(results);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive"), 4);
}

STORY_TEST(a_heartbeat_extends_all_that_are_still_held)
{
    struct story *s = *state;
    pgqrs_status results[MIXED];
    pgqrs_lease leases[MIXED];

    take_mixed(s, leases);
    TS_OK(pgqrs_consumer_extend_visibility_batch(s->consumer, leases, MIXED, 3600000, results,
                                                 s->err),
          s->err);
    expect_mixed(results);
    assert_int_equal(
        ts_int(
            s->sql,
            "SELECT count(*) FROM pgqrs_messages WHERE vt > clock_timestamp() + interval '59 min'"),
        4);
}

STORY_TEST(a_shutdown_releases_all_that_are_still_held)
{
    struct story *s = *state;
    pgqrs_status results[MIXED];
    pgqrs_lease leases[MIXED];
    pgqrs_message_list *list;

    take_mixed(s, leases);
    TS_OK(pgqrs_consumer_release_batch(s->consumer, leases, MIXED, 0, results, s->err), s->err);
    expect_mixed(results);
    list = story_take(s, s->consumer, 10);
    assert_int_equal(pgqrs_message_list_count(list), 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pgqrs_message_list_at(list, i)->attempt, 1);
    pgqrs_message_list_free(list);
}

/* All messages of a claim have one token, so the token alone does not say which of them were
 * named. */
STORY_TEST(what_lies_between_the_messages_of_a_batch_is_left_alone)
{
    enum { COUNT = 40 };
    struct story *s = *state;
    pgqrs_message_list *list;
    pgqrs_lease named[COUNT], others[COUNT];
    pgqrs_status results[COUNT];

    for (int archive = 0; archive < 2; archive++)
        for (size_t step = 2; step <= 5; step++) {
            size_t naming = 0, rest = 0;

            story_send_many(s, COUNT, NULL);
            list = story_take(s, s->consumer, COUNT);
            for (size_t i = 0; i < COUNT; i++)
                if (i % step == 1)
                    named[naming++] = pgqrs_message_lease(pgqrs_message_list_at(list, i));
                else
                    others[rest++] = pgqrs_message_lease(pgqrs_message_list_at(list, i));
            pgqrs_message_list_free(list);
            if (archive)
                TS_OK(
                    pgqrs_consumer_archive_batch(s->consumer, named, NULL, naming, results, s->err),
                    s->err);
            else
                TS_OK(pgqrs_consumer_delete_batch(s->consumer, named, naming, results, s->err),
                      s->err);
            for (size_t i = 0; i < naming; i++)
                assert_int_equal(results[i], PGQRS_OK);
            assert_int_equal(story_stored(s), rest);
            TS_OK(pgqrs_consumer_delete_batch(s->consumer, others, rest, results, s->err), s->err);
            for (size_t i = 0; i < rest; i++)
                assert_int_equal(results[i], PGQRS_OK);
            assert_int_equal(story_stored(s), 0);
        }
}

STORY_TEST(a_message_twice_in_a_batch_is_refused)
{
    struct story *s = *state;
    pgqrs_status results[MIXED];
    pgqrs_lease leases[MIXED];

    take_mixed(s, leases);
    leases[5] = leases[0];
    TS_IS(PGQRS_EINVAL, pgqrs_consumer_delete_batch(s->consumer, leases, MIXED, results, s->err),
          s->err);
    story_expect_message(s, "twice");
    TS_IS(PGQRS_EINVAL,
          pgqrs_consumer_archive_batch(s->consumer, leases, NULL, MIXED, results, s->err), s->err);
    TS_IS(PGQRS_EINVAL,
          pgqrs_consumer_release_batch(s->consumer, leases, MIXED, 0, results, s->err), s->err);
    assert_int_equal(
        ts_int(s->sql, "SELECT count(*) FROM pgqrs_messages WHERE lease_token IS NOT NULL"), MIXED);
}

STORY_TEST(one_bad_result_or_lease_keeps_the_whole_batch_from_being_done)
{
    struct story *s = *state;
    pgqrs_status results[MIXED];
    pgqrs_lease leases[MIXED];
    pgqrs_slice archived[MIXED];

    take_mixed(s, leases);
    for (int i = 0; i < MIXED; i++)
        archived[i] = text(i == 5 ? "{" : "{}");
    TS_IS(PGQRS_EINVAL,
          pgqrs_consumer_archive_batch(s->consumer, leases, archived, MIXED, results, s->err),
          s->err);
    story_expect_message(s, "5 of the batch");
    leases[3].token = 0;
    TS_IS(PGQRS_EINVAL,
          pgqrs_consumer_archive_batch(s->consumer, leases, NULL, MIXED, results, s->err), s->err);
    assert_int_equal(story_stored(s), MIXED);
}

STORY_TEST(a_batch_has_1_to_10000_leases)
{
    enum { COUNT = 10000 };
    struct story *s = *state;
    pgqrs_lease *leases = calloc(COUNT + 1, sizeof(*leases));
    pgqrs_status *results = calloc(COUNT + 1, sizeof(*results));
    pgqrs_message_list *list;

    story_send_many(s, COUNT, NULL);
    list = story_take(s, s->consumer, COUNT);
    for (size_t i = 0; i < COUNT; i++) /* from the last to the first */
        leases[COUNT - 1 - i] = pgqrs_message_lease(pgqrs_message_list_at(list, i));
    pgqrs_message_list_free(list);
    leases[COUNT] = (pgqrs_lease){ INT64_MAX, 1 };
    TS_IS(PGQRS_EINVAL, pgqrs_consumer_delete_batch(s->consumer, leases, 0, results, s->err),
          s->err);
    TS_IS(PGQRS_EINVAL,
          pgqrs_consumer_delete_batch(s->consumer, leases, COUNT + 1, results, s->err), s->err);
    TS_IS(PGQRS_EINVAL, pgqrs_consumer_delete_batch(s->consumer, leases, SIZE_MAX, results, s->err),
          s->err);
    assert_int_equal(story_stored(s), COUNT);
    TS_OK(pgqrs_consumer_delete_batch(s->consumer, leases, COUNT, results, s->err), s->err);
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(results[i], PGQRS_OK);
    assert_int_equal(story_stored(s), 0);
    free(leases);
    free(results);
}

struct finisher {
    struct story *s;
    pgqrs_lease *leases;
    size_t count;
    int backwards;
    size_t done;
};

static void *
finish(void *argument)
{
    struct finisher *finisher = argument;
    pgqrs_lease leases[100];
    pgqrs_status results[100];

    for (size_t from = 0; from < finisher->count; from += 100) {
        for (size_t i = 0; i < 100; i++)
            leases[i] = finisher->leases[finisher->backwards ? from + 99 - i : from + i];
        TS_OK(pgqrs_consumer_delete_batch(finisher->s->consumer, leases, 100, results, NULL), NULL);
        for (size_t i = 0; i < 100; i++)
            finisher->done += results[i] == PGQRS_OK;
    }
    return NULL;
}

/* Both end the same leases, in opposite orders; each is ended once. */
STORY_TEST(batches_in_opposite_orders_do_not_deadlock)
{
    enum { COUNT = 10000 };
    struct story *s = *state;
    pgqrs_lease *leases = calloc(COUNT, sizeof(*leases));
    struct finisher finishers[2] = { { s, leases, COUNT, 0, 0 }, { s, leases, COUNT, 1, 0 } };
    pgqrs_message_list *list;
    pthread_t threads[2];

    story_send_many(s, COUNT, NULL);
    list = story_take(s, s->consumer, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        leases[i] = pgqrs_message_lease(pgqrs_message_list_at(list, i));
    pgqrs_message_list_free(list);
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, finish, &finishers[i]);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(finishers[0].done + finishers[1].done, COUNT);
    assert_int_equal(story_stored(s), 0);
    free(leases);
}

TEST_MAIN(NULL, NULL)
