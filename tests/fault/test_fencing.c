/*
 * A process that was frozen beyond its lease changes nothing once another consumer has the message;
 * and as long as no other consumer has it, its late call still counts.
 *
 * A batch whose ids lie close together is ended by other statements than one whose ids lie far
 * apart, so both are tried, in both lanes.
 */
#include "../concurrency/crowd.h"

#include <pgqrs/transaction.h>

#define LEASE_MS 100
#define LONG_LEASE_MS 600000
#define WAIT_MS 20000

/* The ways to end or to change a lease. */
enum way {
    WAY_ARCHIVE,
    WAY_DELETE,
    WAY_EXTEND,
    WAY_RELEASE,
    WAY_FAIL,
    WAY_FAIL_FOR_GOOD,
    WAY_ARCHIVE_BATCH,
    WAY_DELETE_BATCH,
    WAY_EXTEND_BATCH,
    WAY_RELEASE_BATCH,
    WAY_ARCHIVE_ON,
    WAY_DELETE_ON,
    WAY_COUNT
};

/* What the frozen process and the test see of each other. */
struct story {
    char *dsn;
    PGconn *sql;
    struct hands hands; /* of the test, not of the frozen process */
    struct {
        pgqrs_lease lease;
        int first_way, last_way; /* what to do when it wakes up */
        pgqrs_status said[WAY_COUNT];
    } * shared;
};

static int
story_begin(void **state)
{
    static struct story story;

    story.dsn = ts_database();
    story.sql = ts_connect(story.dsn);
    crowd_make_queue(story.dsn);
    hands_open(&story.hands, story.dsn, LONG_LEASE_MS);
    story.shared = crowd_memory(sizeof(*story.shared));
    *state = &story;
    return 0;
}

static int
story_end(void **state)
{
    struct story *story = *state;

    munmap(story->shared, sizeof(*story->shared));
    hands_close(&story->hands);
    PQfinish(story->sql);
    free(story->dsn);
    return 0;
}

#define STORY_TEST(name) TEST_WITH(name, story_begin, story_end)

static pgqrs_status
end_in_transaction(struct story *story, struct hands *hands, enum way way, pgqrs_lease lease)
{
    PGconn *own = ts_connect(story->dsn);
    pgqrs_status status;

    ts_sql(own, "BEGIN");
    if (way == WAY_ARCHIVE_ON)
        status = pgqrs_consumer_archive_on(hands->consumer, own, lease, (pgqrs_slice){ NULL, 0 },
                                           hands->err);
    else
        status = pgqrs_consumer_delete_on(hands->consumer, own, lease, hands->err);
    ts_sql(own, "COMMIT");
    PQfinish(own);
    return status;
}

static pgqrs_status
end_batch(struct hands *hands, enum way way, pgqrs_lease lease)
{
    pgqrs_status result = PGQRS_ENOMEM, status = PGQRS_OK;

    switch (way) {
    case WAY_ARCHIVE_BATCH:
        status =
            pgqrs_consumer_archive_batch(hands->consumer, &lease, NULL, 1, &result, hands->err);
        break;
    case WAY_DELETE_BATCH:
        status = pgqrs_consumer_delete_batch(hands->consumer, &lease, 1, &result, hands->err);
        break;
    case WAY_EXTEND_BATCH:
        status = pgqrs_consumer_extend_visibility_batch(hands->consumer, &lease, 1, 1000, &result,
                                                        hands->err);
        break;
    default:
        status = pgqrs_consumer_release_batch(hands->consumer, &lease, 1, 0, &result, hands->err);
        break;
    }
    TS_OK(status, hands->err);
    return result;
}

static pgqrs_status
end_lease(struct story *story, struct hands *hands, enum way way, pgqrs_lease lease)
{
    pgqrs_fail_options for_good = PGQRS_FAIL_OPTIONS_INIT;

    for_good.mode = PGQRS_FAIL_FOR_GOOD;
    switch (way) {
    case WAY_ARCHIVE:
        return pgqrs_consumer_archive(hands->consumer, lease, pgqrs_slice_of("{}"), hands->err);
    case WAY_DELETE:
        return pgqrs_consumer_delete(hands->consumer, lease, hands->err);
    case WAY_EXTEND:
        return pgqrs_consumer_extend_visibility(hands->consumer, lease, 1000, hands->err);
    case WAY_RELEASE:
        return pgqrs_consumer_release(hands->consumer, lease, 0, hands->err);
    case WAY_FAIL:
        return pgqrs_consumer_fail(hands->consumer, lease, NULL, NULL, hands->err);
    case WAY_FAIL_FOR_GOOD:
        return pgqrs_consumer_fail(hands->consumer, lease, &for_good, NULL, hands->err);
    case WAY_ARCHIVE_ON:
    case WAY_DELETE_ON:
        return end_in_transaction(story, hands, way, lease);
    default:
        return end_batch(hands, way, lease);
    }
}

/* Takes the message, freezes, and when woken up does what it was told to. */
static void
freeze(void *context, int number)
{
    struct story *story = context;
    pgqrs_message_list *list = NULL;
    struct hands hands;

    (void)number;
    hands_open(&hands, story->dsn, LEASE_MS);
    TS_OK(pgqrs_consumer_dequeue(hands.consumer, &list, hands.err), hands.err);
    TS_TRUE(pgqrs_message_list_count(list) == 1);
    story->shared->lease = pgqrs_message_lease(pgqrs_message_list_at(list, 0));
    pgqrs_message_list_free(list);
    raise(SIGSTOP);
    for (int way = story->shared->first_way; way <= story->shared->last_way; way++)
        story->shared->said[way] = end_lease(story, &hands, (enum way)way, story->shared->lease);
    hands_close(&hands);
}

/* A process that holds the message and has been frozen for longer than its lease. */
static pid_t
frozen_holder(struct story *story, int first_way, int last_way)
{
    pid_t holder;
    int status;

    story->shared->first_way = first_way;
    story->shared->last_way = last_way;
    holder = crowd_spawn(freeze, story, 0);
    assert_int_equal(crowd_wait(holder, &status, WUNTRACED), holder);
    assert_true(WIFSTOPPED(status));
    ts_wait_until(story->sql, WAIT_MS, "SELECT vt < clock_timestamp() FROM pgqrs_messages");
    return holder;
}

static void
wake_up(pid_t holder)
{
    assert_int_equal(kill(holder, SIGCONT), 0);
    crowd_join(&holder, 1, WAIT_MS);
}

static void
send_one(struct story *story, int32_t priority)
{
    pgqrs_enqueue_options options = PGQRS_ENQUEUE_OPTIONS_INIT;

    options.priority = priority;
    TS_OK(pgqrs_producer_enqueue(story->hands.producer, pgqrs_slice_of("{\"n\": 1}"), &options,
                                 NULL, story->hands.err),
          story->hands.err);
}

/* Another consumer dequeues until it gets the message. */
static pgqrs_lease
replace(struct story *story)
{
    int64_t deadline = crowd_now_us() + WAIT_MS * 1000;
    pgqrs_lease lease = { 0, 0 };

    while (lease.id == 0) {
        pgqrs_message_list *list = NULL;

        TS_OK(pgqrs_consumer_dequeue(story->hands.consumer, &list, story->hands.err),
              story->hands.err);
        if (pgqrs_message_list_count(list) > 0)
            lease = pgqrs_message_lease(pgqrs_message_list_at(list, 0));
        pgqrs_message_list_free(list);
        if (crowd_now_us() > deadline)
            ts_fail("the expired message was not handed out again within %d ms", WAIT_MS);
    }
    return lease;
}

static char *
fingerprint(struct story *story)
{
    return ts_text(story->sql, "SELECT md5(string_agg(m::text || m.ctid || m.xmin, '')) FROM "
                               "pgqrs_messages AS m");
}

static void
replaced_holder_changes_nothing(struct story *story, int32_t priority)
{
    pgqrs_lease replacement;
    char *before, *after;
    pid_t holder;

    /* Given a holder that was frozen past its lease, and another consumer that has the message by
     * now */
    send_one(story, priority);
    holder = frozen_holder(story, 0, WAY_COUNT - 1);
    replacement = replace(story);
    assert_int_equal(replacement.id, story->shared->lease.id);
    assert_int_not_equal(replacement.token, story->shared->lease.token);
    assert_int_equal(ts_int(story->sql, "SELECT crash_ct FROM pgqrs_messages"), 1);
    assert_int_equal(ts_int(story->sql, "SELECT read_ct FROM pgqrs_messages"), 2);
    before = fingerprint(story);
    /* when it wakes up and tries everything */
    wake_up(holder);
    /* then all calls are refused, the row has not changed, and the new holder still has its
     * lease. */
    for (int way = 0; way < WAY_COUNT; way++)
        assert_int_equal(story->shared->said[way], PGQRS_ELEASELOST);
    after = fingerprint(story);
    assert_string_equal(before, after);
    assert_int_equal(ts_int(story->sql, "SELECT count(*) FROM pgqrs_archive"), 0);
    TS_OK(end_lease(story, &story->hands, WAY_ARCHIVE, replacement), story->hands.err);
    free(before);
    free(after);
}

STORY_TEST(a_holder_that_was_replaced_changes_nothing_in_the_ready_lane)
{
    replaced_holder_changes_nothing(*state, 0);
}

STORY_TEST(a_holder_that_was_replaced_changes_nothing_in_the_held_lane)
{
    replaced_holder_changes_nothing(*state, 5);
}

/* The message may be gone altogether by the time that its old holder wakes up. */
STORY_TEST(a_holder_whose_message_was_finished_by_another_changes_nothing)
{
    struct story *story = *state;
    char *before, *after;
    pid_t holder;

    send_one(story, 0);
    holder = frozen_holder(story, 0, WAY_COUNT - 1);
    TS_OK(end_lease(story, &story->hands, WAY_ARCHIVE, replace(story)), story->hands.err);
    before = ts_text(story->sql, "SELECT a::text FROM pgqrs_archive AS a");
    wake_up(holder);
    for (int way = 0; way < WAY_COUNT; way++)
        assert_int_equal(story->shared->said[way], PGQRS_ELEASELOST);
    after = ts_text(story->sql, "SELECT a::text FROM pgqrs_archive AS a");
    assert_string_equal(before, after);
    free(before);
    free(after);
}

STORY_TEST(an_administrator_who_takes_over_fences_the_holder)
{
    struct story *story = *state;
    pgqrs_message_list *list = NULL;
    char *before, *after;
    pid_t holder;

    send_one(story, 0);
    holder = frozen_holder(story, 0, WAY_COUNT - 1);
    TS_OK(pgqrs_consumer_lease(story->hands.consumer, story->shared->lease.id,
                               PGQRS_LEASE_TAKE_OVER, &list, story->hands.err),
          story->hands.err);
    before = fingerprint(story);
    wake_up(holder);
    for (int way = 0; way < WAY_COUNT; way++)
        assert_int_equal(story->shared->said[way], PGQRS_ELEASELOST);
    after = fingerprint(story);
    assert_string_equal(before, after);
    pgqrs_message_list_free(list);
    free(before);
    free(after);
}

STORY_TEST(a_late_holder_that_nobody_replaced_is_accepted)
{
    struct story *story = *state;

    for (int32_t priority = 0; priority <= 1; priority++) {
        for (int way = 0; way < WAY_COUNT; way++) {
            pid_t holder;

            send_one(story, priority);
            holder = frozen_holder(story, way, way);
            wake_up(holder);
            if (story->shared->said[way] != PGQRS_OK)
                ts_fail("way %d with priority %d: a late call returned %s", way, priority,
                        pgqrs_status_name(story->shared->said[way]));
            ts_sql(story->sql, "TRUNCATE pgqrs_messages");
        }
    }
    assert_int_equal(
        ts_int(story->sql, "SELECT count(*) FROM pgqrs_archive WHERE outcome = 'done'"), 6);
    assert_int_equal(
        ts_int(story->sql, "SELECT count(*) FROM pgqrs_archive WHERE outcome = 'dead'"), 2);
}

/* Messages of one claim. Ids that lie further apart than this by far are looked up one by one. */
#define BATCH 3
#define FAR_APART 100

/* One batch of a holder that lost the message in the middle to the test's own consumer. */
struct batch {
    struct hands holder;
    pgqrs_lease leases[BATCH];
    pgqrs_status said[BATCH];
    pgqrs_message_list *replacement;
};

static void
send_batch(struct story *story, int32_t priority, int distance)
{
    for (int i = 0; i < BATCH; i++) {
        ts_sql(story->sql, "SELECT nextval('pgqrs_message_id_seq') FROM generate_series(2, %d)",
               distance);
        send_one(story, priority);
    }
}

static void
take_batch(struct story *story, struct batch *batch)
{
    size_t count = 0;

    hands_open(&batch->holder, story->dsn, LONG_LEASE_MS);
    while (count < BATCH) {
        pgqrs_message_list *list = NULL;

        TS_OK(pgqrs_consumer_dequeue_batch(batch->holder.consumer, BATCH - count, NULL, &list,
                                           batch->holder.err),
              batch->holder.err);
        for (size_t i = 0; i < pgqrs_message_list_count(list); i++)
            batch->leases[count++] = pgqrs_message_lease(pgqrs_message_list_at(list, i));
        pgqrs_message_list_free(list);
    }
}

static void
take_over(struct story *story, struct batch *batch, int64_t id)
{
    TS_OK(pgqrs_consumer_lease(story->hands.consumer, id, PGQRS_LEASE_TAKE_OVER,
                               &batch->replacement, story->hands.err),
          story->hands.err);
}

static void
drop_batch(struct batch *batch)
{
    pgqrs_message_list_free(batch->replacement);
    hands_close(&batch->holder);
}

static void
end_all(struct batch *batch, enum way way, const pgqrs_lease *leases)
{
    struct hands *holder = &batch->holder;
    pgqrs_status status;

    switch (way) {
    case WAY_ARCHIVE_BATCH:
        status = pgqrs_consumer_archive_batch(holder->consumer, leases, NULL, BATCH, batch->said,
                                              holder->err);
        break;
    case WAY_DELETE_BATCH:
        status =
            pgqrs_consumer_delete_batch(holder->consumer, leases, BATCH, batch->said, holder->err);
        break;
    case WAY_EXTEND_BATCH:
        status = pgqrs_consumer_extend_visibility_batch(holder->consumer, leases, BATCH, 1000,
                                                        batch->said, holder->err);
        break;
    default:
        status = pgqrs_consumer_release_batch(holder->consumer, leases, BATCH, 60000, batch->said,
                                              holder->err);
        break;
    }
    TS_OK(status, holder->err);
}

static char *
fingerprint_of(struct story *story, int64_t id)
{
    return ts_text(
        story->sql,
        "SELECT coalesce((SELECT m::text || m.tableoid || m.ctid || m.xmin FROM pgqrs_messages AS "
        "m WHERE id = %lld), 'gone') || (SELECT count(*) FROM pgqrs_archive WHERE id = %lld)",
        (long long)id, (long long)id);
}

/* Given a holder of three messages of which another consumer has taken the second, when the holder
 * ends all three by one call, then the second is refused and untouched, and the others are
 * ended. */
static void
only_what_is_held_is_ended(struct story *story, enum way way, int32_t priority, int distance)
{
    struct batch batch;
    char *before, *after;

    send_batch(story, priority, distance);
    take_batch(story, &batch);
    take_over(story, &batch, batch.leases[1].id);
    before = fingerprint_of(story, batch.leases[1].id);
    end_all(&batch, way, batch.leases);
    after = fingerprint_of(story, batch.leases[1].id);
    for (int i = 0; i < BATCH; i++)
        if (batch.said[i] != (i == 1 ? PGQRS_ELEASELOST : PGQRS_OK))
            ts_fail("way %d, priority %d, %d ids apart: message %d was answered %s", way, priority,
                    distance, i, pgqrs_status_name(batch.said[i]));
    if (strcmp(before, after) != 0)
        ts_fail("way %d, priority %d, %d ids apart: a message of another consumer was changed", way,
                priority, distance);
    ts_sql(story->sql, "TRUNCATE pgqrs_messages, pgqrs_archive");
    free(before);
    free(after);
    drop_batch(&batch);
}

STORY_TEST(a_batch_ends_only_what_its_caller_still_holds_whether_ids_are_near_or_far)
{
    for (int way = WAY_ARCHIVE_BATCH; way <= WAY_RELEASE_BATCH; way++)
        for (int32_t priority = 0; priority <= 5; priority += 5)
            for (int distance = 1; distance <= FAR_APART; distance += FAR_APART - 1)
                only_what_is_held_is_ended(*state, (enum way)way, priority, distance);
}

/* Given a holder whose three leases have tokens of their own, when it names each message with the
 * token of the next one, then nothing is ended. */
static void
only_its_own_token_ends_a_message(struct story *story, enum way way, int32_t priority, int distance)
{
    pgqrs_lease mixed[BATCH];
    struct batch batch;
    char *before, *after;

    send_batch(story, priority, distance);
    take_batch(story, &batch);
    for (int i = 0; i < BATCH; i++) {
        batch.replacement = NULL;
        TS_OK(pgqrs_consumer_lease(batch.holder.consumer, batch.leases[i].id, PGQRS_LEASE_TAKE_OVER,
                                   &batch.replacement, batch.holder.err),
              batch.holder.err);
        batch.leases[i] = pgqrs_message_lease(pgqrs_message_list_at(batch.replacement, 0));
        if (i + 1 < BATCH)
            pgqrs_message_list_free(batch.replacement);
    }
    for (int i = 0; i < BATCH; i++)
        mixed[i] = (pgqrs_lease){ batch.leases[i].id, batch.leases[(i + 1) % BATCH].token };
    before = fingerprint(story);
    end_all(&batch, way, mixed);
    after = fingerprint(story);
    for (int i = 0; i < BATCH; i++)
        if (batch.said[i] != PGQRS_ELEASELOST)
            ts_fail(
                "way %d, priority %d, %d ids apart: message %d was ended by the token of another",
                way, priority, distance, i);
    assert_string_equal(before, after);
    ts_sql(story->sql, "TRUNCATE pgqrs_messages, pgqrs_archive");
    free(before);
    free(after);
    drop_batch(&batch);
}

STORY_TEST(a_token_counts_for_its_own_message_only)
{
    for (int way = WAY_ARCHIVE_BATCH; way <= WAY_RELEASE_BATCH; way++)
        for (int32_t priority = 0; priority <= 5; priority += 5)
            for (int distance = 1; distance <= FAR_APART; distance += FAR_APART - 1)
                only_its_own_token_ends_a_message(*state, (enum way)way, priority, distance);
}

/* The ids of a run may enclose messages that the batch does not name. */
STORY_TEST(what_lies_between_the_ids_of_a_batch_stays)
{
    struct story *story = *state;

    for (int32_t priority = 0; priority <= 5; priority += 5) {
        for (int way = WAY_ARCHIVE_BATCH; way <= WAY_DELETE_BATCH; way++) {
            struct batch batch = { .replacement = NULL };
            pgqrs_status said[2];
            pgqrs_lease ends[2];
            struct hands *holder = &batch.holder;

            send_batch(story, priority, 1);
            take_batch(story, &batch);
            ends[0] = batch.leases[0];
            ends[1] = batch.leases[2];
            if (way == WAY_ARCHIVE_BATCH)
                TS_OK(pgqrs_consumer_archive_batch(holder->consumer, ends, NULL, 2, said,
                                                   holder->err),
                      holder->err);
            else
                TS_OK(pgqrs_consumer_delete_batch(holder->consumer, ends, 2, said, holder->err),
                      holder->err);
            assert_int_equal(said[0], PGQRS_OK);
            assert_int_equal(said[1], PGQRS_OK);
            assert_int_equal(ts_int(story->sql, "SELECT id FROM pgqrs_messages"),
                             batch.leases[1].id);
            ts_sql(story->sql, "TRUNCATE pgqrs_messages, pgqrs_archive");
            drop_batch(&batch);
        }
    }
}

TEST_MAIN(NULL, NULL)
