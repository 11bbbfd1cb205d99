/*
 * Who makes a message claimable wakes those who sleep: at most one test in a few milliseconds, and
 * no sleeper that keeps to its side of the protocol is missed.
 */
#include "fixture.h"

#include <poll.h>
#include <pthread.h>

#include "src/client.h" /* by its full path: the support has one of that name */

#include "base/clock.h"
#include "proxy.h"
#include "queue/coalesce.h"
#include "queue/producer.h"
#include "queue/wake.h"

/* A sleeper looks a second time so long after it locked itself in. */
#define SECOND_LOOK_MS 8

/* As a worker's listener connection. */
struct sleeper {
    PGconn *pg;
    char queue[24];
    const pgqrsi_statement *sleep, *awake;
};

static void
run(struct sleeper *sleeper, const char *text)
{
    const char *const values[] = { sleeper->queue };
    PGresult *result = PQexecParams(sleeper->pg, text, 1, NULL, values, NULL, NULL, 0);

    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        ts_fail("a sleeper's statement failed: %s", PQerrorMessage(sleeper->pg));
    PQclear(result);
}

static void
open_sleeper(struct story *story, struct sleeper *sleeper)
{
    sleeper->pg = ts_connect(story->dsn);
    snprintf(sleeper->queue, sizeof(sleeper->queue), "%lld", (long long)story->scope.queue_id);
    TS_OK(pgqrsi_scope_statement(&story->scope, PGQRSI_SQL_WAKE_SLEEP, PGQRSI_LANE_READY,
                                 &sleeper->sleep, NULL),
          NULL);
    TS_OK(pgqrsi_scope_statement(&story->scope, PGQRSI_SQL_WAKE_AWAKE, PGQRSI_LANE_READY,
                                 &sleeper->awake, NULL),
          NULL);
    ts_sql(sleeper->pg, "LISTEN pgqrs_wake_%d; LISTEN pgqrs_cancel", PQbackendPID(sleeper->pg));
}

/* How many notifications come until none has come for `quiet_ms`; at most `max`. */
static int
hear(struct sleeper *sleeper, int max, int quiet_ms)
{
    int count = 0;

    for (;;) {
        struct pollfd entry = { .fd = PQsocket(sleeper->pg), .events = POLLIN };
        PGnotify *notify;

        TS_TRUE(PQconsumeInput(sleeper->pg));
        for (notify = PQnotifies(sleeper->pg); notify != NULL; notify = PQnotifies(sleeper->pg)) {
            PQfreemem(notify);
            count++;
        }
        if (count >= max || poll(&entry, 1, quiet_ms) == 0)
            return count;
    }
}

/* As if a test had been sent then, and carried out if `is_answered`. */
static void
set_last_test_of(pgqrs_producer *producer, int64_t sent_ms, int is_answered)
{
    pgqrsi_client_lock(producer->client);
    producer->queue->wakes.sent_ms = sent_ms;
    producer->queue->wakes.covered_ms = is_answered ? sent_ms : 0;
    pgqrsi_client_unlock(producer->client);
}

static void
set_last_test(struct story *story, int64_t sent_ms)
{
    set_last_test_of(story->hands.producer, sent_ms, 1);
}

static void
let_the_test_become_due(struct story *story)
{
    set_last_test(story, 0);
}

static void
enqueue(struct story *story, const char *payload)
{
    TS_OK(pgqrs_producer_enqueue(story->hands.producer, pgqrs_slice_of(payload), NULL, NULL,
                                 story->hands.err),
          story->hands.err);
}

STORY_TEST(an_enqueue_wakes_a_sleeper_and_nobody_else)
{
    struct story *story = *state;
    struct sleeper sleeper;

    open_sleeper(story, &sleeper);
    enqueue(story, "1");
    assert_int_equal(hear(&sleeper, 1, 100), 0);
    run(&sleeper, sleeper.sleep->text);
    let_the_test_become_due(story);
    enqueue(story, "2");
    assert_int_equal(hear(&sleeper, 1, WAIT_MS), 1);
    run(&sleeper, sleeper.awake->text);
    let_the_test_become_due(story);
    enqueue(story, "3");
    assert_int_equal(hear(&sleeper, 1, 100), 0);
    PQfinish(sleeper.pg);
}

static int
hear_all(struct sleeper *sleepers, size_t count)
{
    int heard = 0;

    for (size_t i = 0; i < count; i++)
        heard += hear(&sleepers[i], INT32_MAX, 50);
    return heard;
}

static void
insert_with_plain_sql(struct story *story, int count)
{
    ts_sql(story->sql,
           "INSERT INTO pgqrs_messages (queue_id, lane, payload) SELECT %lld, 'r', '{}' FROM "
           "generate_series(1, %d)",
           (long long)story->scope.queue_id, count);
}

/* Whoever is not named hears nothing: it sleeps on another queue, or is awake. */
STORY_TEST(one_message_is_heard_by_one_sleeper_and_two_by_two)
{
    enum { SLEEPERS = 5 };
    struct story *story = *state;
    const pgqrs_slice two[2] = { pgqrs_slice_of("1"), pgqrs_slice_of("2") };
    struct sleeper sleepers[SLEEPERS], others[2];

    for (int i = 0; i < SLEEPERS; i++) {
        open_sleeper(story, &sleepers[i]);
        run(&sleepers[i], sleepers[i].sleep->text);
    }
    open_sleeper(story, &others[0]);
    open_sleeper(story, &others[1]);
    snprintf(others[0].queue, sizeof(others[0].queue), "%d", INT32_MAX);
    run(&others[0], others[0].sleep->text);

    let_the_test_become_due(story);
    enqueue(story, "1");
    assert_int_equal(hear_all(sleepers, SLEEPERS), 1);
    let_the_test_become_due(story);
    TS_OK(pgqrs_producer_enqueue_batch(story->hands.producer, two, NULL, 2, NULL, story->hands.err),
          story->hands.err);
    assert_int_equal(hear_all(sleepers, SLEEPERS), 2);
    insert_with_plain_sql(story, 2);
    assert_in_range(hear_all(sleepers, SLEEPERS), 2, 4);
    assert_int_equal(hear_all(others, 2), 0);
    for (int i = 0; i < SLEEPERS; i++)
        PQfinish(sleepers[i].pg);
    PQfinish(others[0].pg);
    PQfinish(others[1].pg);
}

STORY_TEST(without_wake_ups_an_enqueue_wakes_nobody)
{
    struct story *story = *state;
    pgqrs_client *client = ts_client(story->dsn, "wake_ups", "false", NULL);
    pgqrs_producer *producer = NULL;
    struct sleeper sleeper;

    TS_OK(pgqrs_producer_open(client, pgqrs_slice_of(story->hands.producer->queue->name), NULL,
                              &producer, story->hands.err),
          story->hands.err);
    open_sleeper(story, &sleeper);
    run(&sleeper, sleeper.sleep->text);
    TS_OK(pgqrs_producer_enqueue(producer, pgqrs_slice_of("1"), NULL, NULL, story->hands.err),
          story->hands.err);
    assert_int_equal(hear(&sleeper, 1, 100), 0);
    enqueue(story, "2");
    assert_int_equal(hear(&sleeper, 1, WAIT_MS), 1);
    PQfinish(sleeper.pg);
    pgqrs_producer_close(producer);
    pgqrs_client_close(client);
}

STORY_TEST(whatever_is_enqueued_wakes)
{
    struct story *story = *state;
    pgqrs_enqueue_options options = PGQRS_ENQUEUE_OPTIONS_INIT;
    const pgqrs_slice payloads[2] = { pgqrs_slice_of("1"), pgqrs_slice_of("2") };
    struct sleeper sleeper;

    open_sleeper(story, &sleeper);
    run(&sleeper, sleeper.sleep->text);
    options.delay_ms = 50;
    TS_OK(pgqrs_producer_enqueue(story->hands.producer, payloads[0], &options, NULL,
                                 story->hands.err),
          story->hands.err);
    assert_int_equal(hear(&sleeper, 1, WAIT_MS), 1);
    let_the_test_become_due(story);
    TS_OK(pgqrs_producer_enqueue_batch(story->hands.producer, payloads, NULL, 2, NULL,
                                       story->hands.err),
          story->hands.err);
    assert_int_equal(hear(&sleeper, 1, WAIT_MS), 1);
    PQfinish(sleeper.pg);
}

static pgqrs_lease
take_one(struct story *story)
{
    pgqrs_message_list *list = NULL;
    pgqrs_lease lease;

    TS_OK(pgqrs_consumer_dequeue_batch(story->hands.consumer, 1, NULL, &list, story->hands.err),
          story->hands.err);
    assert_int_equal(pgqrs_message_list_count(list), 1);
    lease = pgqrs_message_lease(pgqrs_message_list_at(list, 0));
    pgqrs_message_list_free(list);
    return lease;
}

STORY_TEST(what_is_released_or_tried_again_wakes_and_what_is_dead_wakes_nobody)
{
    struct story *story = *state;
    pgqrs_consumer *consumer = story->hands.consumer;
    pgqrs_fail_options for_good = PGQRS_FAIL_OPTIONS_INIT;
    pgqrs_lease leases[3];
    struct sleeper sleeper;

    for_good.mode = PGQRS_FAIL_FOR_GOOD;
    for (int i = 0; i < 3; i++)
        enqueue(story, "1");
    for (int i = 0; i < 3; i++)
        leases[i] = take_one(story);
    open_sleeper(story, &sleeper);
    run(&sleeper, sleeper.sleep->text);
    let_the_test_become_due(story);
    TS_OK(pgqrs_consumer_fail(consumer, leases[0], &for_good, NULL, story->hands.err),
          story->hands.err);
    assert_int_equal(hear(&sleeper, 1, 100), 0);
    let_the_test_become_due(story);
    TS_OK(pgqrs_consumer_release(consumer, leases[1], 0, story->hands.err), story->hands.err);
    assert_int_equal(hear(&sleeper, 1, WAIT_MS), 1);
    let_the_test_become_due(story);
    TS_OK(pgqrs_consumer_fail(consumer, leases[2], NULL, NULL, story->hands.err), story->hands.err);
    assert_int_equal(hear(&sleeper, 1, WAIT_MS), 1);
    PQfinish(sleeper.pg);
}

STORY_TEST(a_transaction_of_the_callers_wakes_nobody)
{
    struct story *story = *state;
    PGconn *own = ts_connect(story->dsn);
    struct sleeper sleeper;

    open_sleeper(story, &sleeper);
    run(&sleeper, sleeper.sleep->text);
    ts_sql(own, "BEGIN");
    TS_OK(pgqrs_producer_enqueue_on(story->hands.producer, own, pgqrs_slice_of("1"), NULL, NULL,
                                    story->hands.err),
          story->hands.err);
    ts_sql(own, "COMMIT");
    assert_int_equal(hear(&sleeper, 1, 100), 0);
    PQfinish(own);
    PQfinish(sleeper.pg);
}

/* While workers sleep, an enqueue is followed by a test sooner: they are the ones who wait. */
STORY_TEST(many_enqueues_in_a_row_send_few_tests)
{
    struct story *story = *state;
    struct sleeper sleeper;
    int64_t began_ms, took_ms;
    int heard, count = crowd_scale(300);

    open_sleeper(story, &sleeper);
    run(&sleeper, sleeper.sleep->text);
    began_ms = pgqrsi_clock_ms();
    for (int i = 0; i < count; i++)
        enqueue(story, "1");
    took_ms = pgqrsi_clock_ms() - began_ms;
    heard = hear(&sleeper, INT32_MAX, 200);
    if (heard < 1 || heard > took_ms / PGQRSI_WAKE_FOUND_MS + 1)
        ts_fail("%d tests were sent in %lld ms", heard, (long long)took_ms);
    PQfinish(sleeper.pg);
}

static int
finds(struct story *story)
{
    int result;

    pgqrsi_client_lock(story->hands.producer->client);
    result = story->hands.producer->queue->wakes.finds;
    pgqrsi_client_unlock(story->hands.producer->client);
    return result;
}

STORY_TEST(a_client_remembers_whether_its_last_test_found_a_sleeper)
{
    struct story *story = *state;
    struct sleeper sleeper;

    open_sleeper(story, &sleeper);
    let_the_test_become_due(story);
    enqueue(story, "1");
    assert_int_equal(finds(story), 0);
    run(&sleeper, sleeper.sleep->text);
    let_the_test_become_due(story);
    enqueue(story, "2");
    assert_int_equal(finds(story), 1);
    run(&sleeper, sleeper.awake->text);
    let_the_test_become_due(story);
    enqueue(story, "3");
    assert_int_equal(finds(story), 0);
    PQfinish(sleeper.pg);
}

/* A test that never reached the server does not count. */
STORY_TEST(a_failed_call_leaves_the_test_to_the_next_one)
{
    struct story *story = *state;
    struct sleeper sleeper;

    open_sleeper(story, &sleeper);
    run(&sleeper, sleeper.sleep->text);
    ts_sql(story->sql,
           "ALTER TABLE pgqrs_messages_%lld_ready ADD CONSTRAINT never CHECK (payload <> '1')",
           (long long)story->scope.queue_id);
    TS_IS(PGQRS_EINVAL,
          pgqrs_producer_enqueue(story->hands.producer, pgqrs_slice_of("1"), NULL, NULL,
                                 story->hands.err),
          story->hands.err);
    hear(&sleeper, INT32_MAX, 100); /* the test may have been carried out, or not */
    enqueue(story, "2");
    assert_int_equal(hear(&sleeper, 1, WAIT_MS), 1);
    PQfinish(sleeper.pg);
}

STORY_TEST(a_call_just_behind_a_test_sends_none)
{
    struct story *story = *state;
    struct sleeper sleeper;

    open_sleeper(story, &sleeper);
    run(&sleeper, sleeper.sleep->text);
    set_last_test(story, pgqrsi_clock_ms() + 60000);
    enqueue(story, "1");
    assert_int_equal(hear(&sleeper, 1, 100), 0);
    PQfinish(sleeper.pg);
}

/* From now on a message "slow" waits, while it is stored, until let_slow_ones_go(). */
static void
hold_slow_ones(struct story *story)
{
    ts_sql(
        story->sql,
        "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = 0 AS $$BEGIN "
        "PERFORM pg_advisory_xact_lock_shared(1); RETURN NEW; END$$; "
        "CREATE TRIGGER wait BEFORE INSERT ON pgqrs_messages_%lld_ready FOR EACH ROW "
        "WHEN (NEW.payload = '\"slow\"') EXECUTE FUNCTION wait(); SELECT pg_advisory_lock(1)",
        (long long)story->scope.queue_id);
}

static void
await_slow_ones(struct story *story, int count)
{
    ts_wait_until(story->sql, WAIT_MS,
                  "SELECT count(*) = %d FROM pg_stat_activity "
                  "WHERE datname = current_database() AND wait_event = 'advisory'",
                  count);
}

static void
let_slow_ones_go(struct story *story)
{
    ts_sql(story->sql, "SELECT pg_advisory_unlock(1)");
}

static void *
enqueue_slow(void *context)
{
    struct story *story = context;
    pgqrs_error *err = pgqrs_error_new();

    TS_OK(
        pgqrs_producer_enqueue(story->hands.producer, pgqrs_slice_of("\"slow\""), NULL, NULL, err),
        err);
    pgqrs_error_free(err);
    return NULL;
}

/* One call sends the test by itself; of many, those that wait for the batches under way do. */
static void
slow_calls_wake(struct story *story, int count)
{
    enum { SOON_MS = 300 };
    pthread_t threads[8];
    struct sleeper sleeper;

    open_sleeper(story, &sleeper);
    /* Given calls that are sent when the last test is fresh, and are held up */
    hold_slow_ones(story);
    set_last_test(story, pgqrsi_clock_ms() + 60000);
    for (int i = 0; i < count; i++)
        TS_TRUE(pthread_create(&threads[i], NULL, enqueue_slow, story) == 0);
    await_slow_ones(story, count < PGQRSI_COALESCED_BATCHES ? count : PGQRSI_COALESCED_BATCHES);
    /* and a worker that falls asleep and looks twice meanwhile, */
    run(&sleeper, sleeper.sleep->text);
    set_last_test(story, pgqrsi_clock_ms());
    assert_int_equal(hear(&sleeper, 1, SOON_MS), 0);
    /* when they are stored, that worker is woken, by each batch if the machine is slow. */
    let_slow_ones_go(story);
    assert_int_not_equal(hear(&sleeper, 1, WAIT_MS), 0);
    for (int i = 0; i < count; i++)
        TS_TRUE(pthread_join(threads[i], NULL) == 0);
    PQfinish(sleeper.pg);
}

STORY_TEST(a_call_that_took_long_sends_the_test_behind_its_commit)
{
    slow_calls_wake(*state, 1);
}

STORY_TEST(calls_that_wait_for_others_send_the_test_too)
{
    slow_calls_wake(*state, 8);
}

/* A test was sent just now, after a call that waits for a lock: the commit of another call cannot
 * rely on it. */
STORY_TEST(a_call_does_not_rely_on_a_test_that_waits_behind_another)
{
    struct story *story = *state;
    struct sleeper sleeper;
    pthread_t thread;
    int heard;

    open_sleeper(story, &sleeper);
    hold_slow_ones(story);
    TS_TRUE(pthread_create(&thread, NULL, enqueue_slow, story) == 0);
    await_slow_ones(story, 1);
    run(&sleeper, sleeper.sleep->text);
    set_last_test_of(story->hands.producer, pgqrsi_clock_ms() + 60000, 0);
    enqueue(story, "2");
    heard = hear(&sleeper, 1, WAIT_MS);
    let_slow_ones_go(story);
    TS_TRUE(pthread_join(thread, NULL) == 0);
    assert_int_equal(heard, 1);
    PQfinish(sleeper.pg);
}

static void *
enqueue_plain(void *context)
{
    enqueue(context, "1");
    return NULL;
}

/* A client whose connection fails on demand. */
struct cut {
    ts_proxy *proxy;
    struct story story; /* only dsn and hands */
    struct sleeper sleeper;
};

static void
open_cut(struct story *story, struct cut *cut)
{
    memset(cut, 0, sizeof(*cut));
    cut->proxy = ts_proxy_start(story->dsn);
    cut->story.dsn = ts_format("%s application_name=cut", ts_proxy_dsn(cut->proxy));
    hands_open(&cut->story.hands, cut->story.dsn, LEASE_MS);
    for (int i = 0; i < 3; i++) { /* the statements are prepared then */
        set_last_test_of(cut->story.hands.producer, 0, 0);
        enqueue(&cut->story, "1");
    }
    open_sleeper(story, &cut->sleeper);
    run(&cut->sleeper, cut->sleeper.sleep->text);
}

static void
close_cut(struct cut *cut)
{
    PQfinish(cut->sleeper.pg);
    hands_close(&cut->story.hands);
    ts_proxy_stop(cut->proxy);
    free(cut->story.dsn);
}

/* Stored and told so, but the server never saw the test. */
STORY_TEST(a_test_that_is_lost_with_its_connection_is_sent_again)
{
    struct story *story = *state;
    pgqrs_producer *producer;
    struct cut cut;
    pthread_t thread;
    long bytes;

    open_cut(story, &cut);
    producer = cut.story.hands.producer;
    /* Given how long a call is that sends no test, */
    set_last_test_of(producer, pgqrsi_clock_ms() + 60000, 1);
    ts_proxy_pass(cut.proxy);
    enqueue(&cut.story, "1");
    bytes = ts_proxy_passed(cut.proxy, TS_PROXY_TO_SERVER);
    assert_int_equal(hear(&cut.sleeper, 1, 100), 0);
    /* when one is sent with a test, which does not arrive, */
    ts_sql(story->sql, "TRUNCATE pgqrs_messages");
    set_last_test_of(producer, 0, 0);
    ts_proxy_arm(cut.proxy, TS_PROXY_TO_SERVER, bytes, TS_PROXY_MUTE);
    TS_TRUE(pthread_create(&thread, NULL, enqueue_plain, &cut.story) == 0);
    ts_wait_until(story->sql, WAIT_MS, "SELECT count(*) = 1 FROM pgqrs_messages");
    while (ts_proxy_passed(cut.proxy, TS_PROXY_TO_CLIENT) == 0 || !ts_proxy_has_failed(cut.proxy))
        usleep(500);
    assert_int_equal(hear(&cut.sleeper, 1, 100), 0);
    ts_proxy_pass(cut.proxy);
    ts_sql(
        story->sql,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'cut' AND "
        "datname = current_database()");
    /* then it is sent again over another connection. */
    assert_int_equal(hear(&cut.sleeper, 1, WAIT_MS), 1);
    TS_TRUE(pthread_join(thread, NULL) == 0);
    assert_int_equal(ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages"), 1);
    close_cut(&cut);
}

/* Messages are stored, and all but the last byte of the answer comes. */
static void
lose_the_answer(struct story *story, struct cut *cut, pgqrs_producer *producer, size_t count)
{
    pgqrs_slice payloads[100];
    long bytes = 0;

    TS_TRUE(count <= 100);
    for (size_t i = 0; i < count; i++)
        payloads[i] = pgqrs_slice_of("1");
    for (int i = 0; i < 3; i++) { /* the last time the statements are prepared, as they will be */
        set_last_test_of(producer, pgqrsi_clock_ms() + 60000, 1);
        ts_proxy_pass(cut->proxy);
        TS_OK(pgqrs_producer_enqueue_batch(producer, payloads, NULL, count, NULL, story->hands.err),
              story->hands.err);
        bytes = ts_proxy_passed(cut->proxy, TS_PROXY_TO_CLIENT);
    }
    ts_sql(story->sql, "TRUNCATE pgqrs_messages");
    ts_proxy_arm(cut->proxy, TS_PROXY_TO_CLIENT, bytes - 1, TS_PROXY_MUTE);
    TS_IS(PGQRS_EUNKNOWN,
          pgqrs_producer_enqueue_batch(producer, payloads, NULL, count, NULL, story->hands.err),
          story->hands.err);
    assert_int_equal(ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages"), count);
    ts_proxy_pass(cut->proxy);
}

/* The caller had no time left for a test, so the next call sends it, however short ago the last one
 * was. */
static void
check_that_it_is_left_to_the_next_call(struct story *story, size_t count)
{
    pgqrs_client *client = NULL;
    pgqrs_producer *producer = NULL;
    struct cut cut;

    open_cut(story, &cut);
    client = ts_client(cut.story.dsn, "operation_timeout_ms", "2000", NULL);
    TS_OK(pgqrs_producer_open(client, pgqrs_slice_of("jobs"), NULL, &producer, story->hands.err),
          story->hands.err);
    lose_the_answer(story, &cut, producer, count);
    assert_int_equal(hear(&cut.sleeper, 1, 100), 0);
    set_last_test_of(producer, pgqrsi_clock_ms() + 60000, 1);
    TS_OK(pgqrs_producer_enqueue(producer, pgqrs_slice_of("2"), NULL, NULL, story->hands.err),
          story->hands.err);
    assert_int_equal(hear(&cut.sleeper, 1, WAIT_MS), 1);
    pgqrs_producer_close(producer);
    pgqrs_client_close(client);
    close_cut(&cut);
}

STORY_TEST(a_message_that_may_be_stored_is_left_to_the_next_call)
{
    check_that_it_is_left_to_the_next_call(*state, 1);
}

STORY_TEST(messages_that_may_have_been_copied_are_left_to_the_next_call)
{
    check_that_it_is_left_to_the_next_call(*state, 100);
}

/* What the threads that enqueue and the sleeper share. */
struct rounds {
    struct story *story;
    atomic_int round, over, stop; /* `over`: how many threads have ended their part of the round */
};

struct disturber {
    struct rounds *rounds;
    pthread_t thread;
    int number;
};

/* In each round some enqueues, at odd moments around the sleeper's falling asleep. */
static void *
disturb(void *context)
{
    struct disturber *disturber = context;
    struct rounds *rounds = disturber->rounds;
    pgqrs_producer *producer = rounds->story->hands.producer;
    pgqrs_error *err = pgqrs_error_new();
    uint64_t random = crowd_state(rounds->story->seed, disturber->number);
    int done = 0;

    while (!atomic_load(&rounds->stop)) {
        if (atomic_load(&rounds->round) == done) {
            usleep(100);
            continue;
        }
        usleep((useconds_t)crowd_random(&random, 0, 20000));
        for (int i = crowd_random(&random, 1, 8); i > 0; i--)
            TS_OK(pgqrs_producer_enqueue(producer, pgqrs_slice_of("1"), NULL, NULL, err), err);
        done++;
        atomic_fetch_add(&rounds->over, 1);
    }
    pgqrs_error_free(err);
    return NULL;
}

static long long
take_all(struct sleeper *sleeper)
{
    return ts_int(
        sleeper->pg,
        "WITH gone AS (DELETE FROM pgqrs_messages RETURNING 1) SELECT count(*) FROM gone");
}

/* Sleeps once, as a worker does, while `count` threads enqueue. When all their calls have returned,
 * either the sleeper has found everything by its two looks, or it is woken: no later call can make
 * up for a miss. */
static void
sleep_once(struct rounds *rounds, struct sleeper *sleeper, int count)
{
    int64_t until_ms = pgqrsi_clock_ms() + WAIT_MS;
    int is_asleep = 0;

    atomic_store(&rounds->over, 0);
    atomic_fetch_add(&rounds->round, 1);
    run(sleeper, sleeper->sleep->text);
    if (take_all(sleeper) == 0) {
        usleep(SECOND_LOOK_MS * 1000);
        is_asleep = take_all(sleeper) == 0;
    }
    while (atomic_load(&rounds->over) < count) {
        TS_TRUE(pgqrsi_clock_ms() < until_ms);
        usleep(100);
    }
    if (is_asleep && ts_int(rounds->story->sql, "SELECT count(*) FROM pgqrs_messages") > 0 &&
        hear(sleeper, 1, WAIT_MS) == 0)
        ts_fail("a sleeper was not woken");
    run(sleeper, sleeper->awake->text);
    hear(sleeper, INT32_MAX, 0);
    take_all(sleeper);
}

STORY_TEST(no_sleeper_is_missed)
{
    enum { DISTURBERS = 3 };
    struct story *story = *state;
    struct rounds rounds = { .story = story };
    struct disturber disturbers[DISTURBERS];
    struct sleeper sleeper;

    open_sleeper(story, &sleeper);
    for (int i = 0; i < DISTURBERS; i++) {
        disturbers[i] = (struct disturber){ .rounds = &rounds, .number = i };
        TS_TRUE(pthread_create(&disturbers[i].thread, NULL, disturb, &disturbers[i]) == 0);
    }
    for (int i = crowd_scale(150); i > 0; i--)
        sleep_once(&rounds, &sleeper, DISTURBERS);
    atomic_store(&rounds.stop, 1);
    for (int i = 0; i < DISTURBERS; i++)
        TS_TRUE(pthread_join(disturbers[i].thread, NULL) == 0);
    PQfinish(sleeper.pg);
}

TEST_MAIN(NULL, NULL)
