/*
 * Traps that queues on PostgreSQL have fallen into. Each test is named after what it rules out.
 * Those about how much a claim reads are in test_reading.c, those about rows that move in
 * test_lanes.c.
 */
#include "fixture.h"

static void
ask_for_seven(void *context, int number)
{
    struct story *story = context;
    struct hands hands;
    size_t count;

    (void)number;
    hands_open(&hands, story->dsn, LEASE_MS);
    do {
        pgqrs_message_list *list = NULL;

        TS_OK(pgqrs_consumer_dequeue_batch(hands.consumer, 7, NULL, &list, hands.err), hands.err);
        count = pgqrs_message_list_count(list);
        TS_TRUE(count <= 7);
        atomic_fetch_add(&story->shared->handed_out, (long)count);
        pgqrs_message_list_free(list);
    } while (count > 0);
    hands_close(&hands);
}

STORY_TEST(no_claim_takes_more_rows_than_it_was_asked_for)
{
    struct story *story = *state;
    pid_t children[4];

    /* Plain messages, and due ones of several priorities; the claim must be exact with any plan. */
    crowd_send(&story->hands, 1, 3000);
    ts_sql(story->sql,
           "INSERT INTO pgqrs_messages_%lld_held (priority, payload) SELECT n %% 7 - 3, '1' "
           "FROM generate_series(1, 1500) AS n",
           (long long)story->scope.queue_id);
    ts_sql(story->sql, "ANALYZE pgqrs_messages");
    for (int i = 0; i < 4; i++)
        children[i] = crowd_spawn(ask_for_seven, story, i);
    crowd_join(children, 4, CROWD_TIMEOUT_MS);
    /* Every message that is leased on the server was returned to a client: no claim took more than
     * it asked for. */
    assert_int_equal(ts_int(story->sql, "SELECT sum(read_ct) FROM pgqrs_messages"),
                     atomic_load(&story->shared->handed_out));
    assert_int_equal(atomic_load(&story->shared->handed_out), 4500);
}

/* A session that listens and stays in a transaction keeps every notification in the queue, which is
 * the server's: so this server is nobody else's. */
TEST(an_enqueue_does_not_notify_when_nobody_sleeps)
{
    ts_cluster *cluster = ts_cluster_start("fsync = off\n");
    char *dsn = ts_database_on(ts_cluster_server(cluster));
    PGconn *listener = ts_connect(dsn), *sql = ts_connect(dsn);
    struct hands hands;

    (void)state;
    crowd_make_queue(dsn);
    hands_open(&hands, dsn, LEASE_MS);
    ts_sql(listener, "LISTEN anything");
    ts_sql(listener, "BEGIN");
    for (int i = 0; i < 1000; i++)
        TS_OK(pgqrs_producer_enqueue(hands.producer, pgqrs_slice_of("1"), NULL, NULL, hands.err),
              hands.err);
    assert_int_equal(ts_int(sql, "SELECT pg_notification_queue_usage() > 0"), 0);
    /* A notification would show here: */
    for (int i = 0; i < 1000; i++)
        ts_sql(sql, "NOTIFY anything, '1'");
    assert_int_equal(ts_int(sql, "SELECT pg_notification_queue_usage() > 0"), 1);
    hands_close(&hands);
    PQfinish(listener);
    PQfinish(sql);
    ts_cluster_free(cluster);
    free(dsn);
}

/* In a transaction that began long ago, now() is long ago as well. */
STORY_TEST(a_time_is_the_clocks_and_not_the_transactions)
{
    struct story *story = *state;
    PGconn *own = ts_connect(story->dsn);
    char *before;

    ts_sql(own, "BEGIN");
    ts_sql(own, "SELECT pg_sleep(0.3)");
    before = ts_text(own, "SELECT clock_timestamp()");
    for (int delayed = 0; delayed <= 1; delayed++) {
        pgqrs_enqueue_options options = PGQRS_ENQUEUE_OPTIONS_INIT;

        options.delay_ms = delayed * 60000;
        TS_OK(pgqrs_producer_enqueue_on(story->hands.producer, own, pgqrs_slice_of("1"), &options,
                                        NULL, story->hands.err),
              story->hands.err);
    }
    assert_int_equal(
        ts_int(own,
               "SELECT count(*) FROM pgqrs_messages WHERE enqueued_at BETWEEN '%s' AND "
               "clock_timestamp() AND vt BETWEEN '%s'::timestamptz + CASE WHEN lane = 'h' THEN "
               "interval '60 s' ELSE interval '0' END AND clock_timestamp() + interval '60 s'",
               before, before),
        2);
    ts_sql(own, "COMMIT");
    PQfinish(own);
    free(before);
}

/* From when it is given, by the server's clock. */
STORY_TEST(a_lease_lasts_as_long_as_was_asked_for)
{
    struct story *story = *state;
    char *before = ts_text(story->sql, "SELECT clock_timestamp()");

    take_many(story, 10);
    assert_int_equal(
        ts_int(story->sql,
               "SELECT count(*) FROM pgqrs_messages WHERE vt - interval '%d ms' BETWEEN '%s' AND "
               "clock_timestamp()",
               LEASE_MS, before),
        10);
    free(before);
    before = ts_text(story->sql, "SELECT clock_timestamp()");
    for (int i = 0; i < 10; i++)
        TS_OK(pgqrs_consumer_extend_visibility(story->hands.consumer, story->leases[i], 5000,
                                               story->hands.err),
              story->hands.err);
    assert_int_equal(ts_int(story->sql,
                            "SELECT count(*) FROM pgqrs_messages WHERE vt - interval '5 s' BETWEEN "
                            "'%s' AND clock_timestamp()",
                            before),
                     10);
    free(before);
}

/* What sets a time from now on, by the server's clock. */
enum timed {
    CLAIM_READY,
    CLAIM_TYPE,
    CLAIM_RUNS,
    CLAIM_HELD,
    CLAIM_ONE,
    CLAIM_LOCKED,
    CLAIM_CHANGED,
    EXTEND,
    EXTEND_BATCH,
    EXTEND_LOCKED,
    EXTEND_CHANGED,
    RELEASE,
    FAIL,
    TIMED_COUNT
};

/* Messages. After a claim that got as many as it asked for, and as many as this, comes one by
 * runs. */
#define RUN 40

/* Claims, after which the statement is prepared: preparing it would wait for the lock as well. */
#define WARM 3

static void
claim_of(struct hands *hands, size_t max, const char *type)
{
    pgqrs_dequeue_options options = PGQRS_DEQUEUE_OPTIONS_INIT;
    pgqrs_message_list *list = NULL;

    if (type != NULL)
        options.type = pgqrs_slice_of(type);
    TS_OK(pgqrs_consumer_dequeue_batch(hands->consumer, max, &options, &list, hands->err),
          hands->err);
    TS_TRUE(pgqrs_message_list_count(list) == max);
    pgqrs_message_list_free(list);
}

static void
set_a_time(struct story *story, struct hands *hands, enum timed what)
{
    pgqrs_fail_options failure = PGQRS_FAIL_OPTIONS_INIT;
    pgqrs_message_list *list = NULL;
    pgqrs_lease lease = story->leases[0];
    pgqrs_status result = PGQRS_OK;

    failure.delay_ms = LEASE_MS;
    switch (what) {
    case CLAIM_ONE:
    case CLAIM_LOCKED:
    case CLAIM_CHANGED:
        TS_OK(pgqrs_consumer_lease(hands->consumer, lease.id, PGQRS_LEASE_TAKE_OVER, &list,
                                   hands->err),
              hands->err);
        pgqrs_message_list_free(list);
        break;
    case EXTEND:
    case EXTEND_LOCKED:
    case EXTEND_CHANGED:
        TS_OK(pgqrs_consumer_extend_visibility(hands->consumer, lease, LEASE_MS, hands->err),
              hands->err);
        break;
    case EXTEND_BATCH:
        TS_OK(pgqrs_consumer_extend_visibility_batch(hands->consumer, story->leases, 1, LEASE_MS,
                                                     &result, hands->err),
              hands->err);
        TS_TRUE(result == PGQRS_OK);
        break;
    case RELEASE:
        TS_OK(pgqrs_consumer_release(hands->consumer, lease, LEASE_MS, hands->err), hands->err);
        break;
    case FAIL:
        TS_OK(pgqrs_consumer_fail(hands->consumer, lease, &failure, NULL, hands->err), hands->err);
        break;
    default:
        claim_of(hands, what == CLAIM_RUNS ? RUN : 1, what == CLAIM_TYPE ? "timed" : NULL);
        break;
    }
}

/* Another process, which has connected and, if it is to claim, claimed before the tables are
 * locked. */
static void
set_a_time_when_told(void *context, int what)
{
    struct story *story = context;
    struct hands hands;

    hands_open(&hands, story->dsn, LEASE_MS);
    for (int i = 0; what < CLAIM_ONE && i < (what == CLAIM_RUNS ? 1 : WARM); i++)
        set_a_time(story, &hands, (enum timed)what);
    atomic_fetch_add(&story->shared->arrived, 1);
    while (!atomic_load(&story->shared->stop))
        usleep(500);
    set_a_time(story, &hands, (enum timed)what);
    hands_close(&hands);
}

static void
prepare_for(struct story *story, enum timed what)
{
    pgqrs_enqueue_options options = PGQRS_ENQUEUE_OPTIONS_INIT;

    take_many(story, 1); /* for those that need a lease */
    if (what == CLAIM_RUNS)
        crowd_send(&story->hands, 1, 2 * RUN);
    else if (what < CLAIM_ONE) {
        options.type = pgqrs_slice_of("timed");
        options.priority = what == CLAIM_HELD;
        for (int i = 0; i <= WARM; i++)
            TS_OK(pgqrs_producer_enqueue(story->hands.producer, pgqrs_slice_of("1"), &options, NULL,
                                         story->hands.err),
                  story->hands.err);
    }
}

/* Most statements skip a locked row, or compute their values after they have it; a claim of one
 * message and an extension of one lease wait for it. */
static void
lock_for(struct story *story, PGconn *own, enum timed what)
{
    ts_sql(own, "BEGIN");
    if (what == EXTEND_LOCKED || what == CLAIM_LOCKED)
        ts_sql(own, "SELECT FROM pgqrs_messages FOR UPDATE");
    else if (what == EXTEND_CHANGED || what == CLAIM_CHANGED)
        ts_sql(own, "UPDATE pgqrs_messages SET headers = '{}'");
    else
        ts_sql(own, "LOCK TABLE pgqrs_messages_%lld_ready, pgqrs_messages_%lld_held IN SHARE MODE",
               (long long)story->scope.queue_id, (long long)story->scope.queue_id);
}

/* Given a statement that waits for a lock, whatever it sets begins when it goes on, not when it was
 * sent: a lease would else be shorter than was asked for, or over before it is known. */
STORY_TEST(a_time_is_counted_from_the_end_of_a_wait)
{
    struct story *story = *state;
    PGconn *own = ts_connect(story->dsn);

    for (int what = 0; what < TIMED_COUNT; what++) {
        int expected = what == CLAIM_RUNS ? RUN : 1;
        char *before;
        pid_t child;

        prepare_for(story, (enum timed)what);
        atomic_store(&story->shared->arrived, 0);
        atomic_store(&story->shared->stop, 0);
        child = crowd_spawn(set_a_time_when_told, story, what);
        while (atomic_load(&story->shared->arrived) == 0)
            usleep(500);
        lock_for(story, own, (enum timed)what);
        atomic_store(&story->shared->stop, 1);
        ts_wait_until(story->sql, WAIT_MS,
                      "SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = "
                      "current_database() AND wait_event_type = 'Lock'");
        before = ts_text(own, "SELECT clock_timestamp()");
        ts_sql(own, "COMMIT");
        crowd_join(&child, 1, WAIT_MS);
        if (ts_int(story->sql,
                   "SELECT count(*) FROM pgqrs_messages WHERE vt >= '%s'::timestamptz + interval "
                   "'%d ms'",
                   before, LEASE_MS) != expected)
            ts_fail("statement %d counts its time from before its wait for a lock", what);
        ts_sql(story->sql, "TRUNCATE pgqrs_messages");
        free(before);
    }
    PQfinish(own);
}

/* Both arrive before either goes on. */
static void
meet(struct story *story, int round)
{
    atomic_fetch_add(&story->shared->arrived, 1);
    while (atomic_load(&story->shared->arrived) < 2 * (round + 1))
        sched_yield();
}

static void
end_rounds(void *context, int number)
{
    struct story *story = context;
    size_t size = (size_t)story->round_size;
    struct hands hands;

    hands_open(&hands, story->dsn, LEASE_MS);
    for (int round = 0; round < story->rounds; round++) {
        const pgqrs_lease *leases = story->leases + (size_t)round * size;
        pgqrs_lease turned[64];
        pgqrs_status results[64], status;

        for (size_t i = 0; i < size; i++)
            turned[i] = leases[number == 0 ? i : size - 1 - i];
        meet(story, round);
        if (round % 3 == 0)
            status = pgqrs_consumer_archive_batch(hands.consumer, turned, NULL, size, results,
                                                  hands.err);
        else if (round % 3 == 1)
            status = pgqrs_consumer_delete_batch(hands.consumer, turned, size, results, hands.err);
        else
            status = pgqrs_consumer_extend_visibility_batch(hands.consumer, turned, size, 60000,
                                                            results, hands.err);
        TS_OK(status, hands.err);
        for (size_t i = 0; i < size && round % 3 == 1; i++)
            atomic_fetch_add(&story->shared->accepted, results[i] == PGQRS_OK);
    }
    hands_close(&hands);
}

STORY_TEST(batches_in_opposite_order_do_not_deadlock)
{
    struct story *story = *state;
    pid_t children[2];

    story->rounds = crowd_scale(500);
    story->round_size = 20;
    take_many(story, story->rounds * story->round_size);
    for (int i = 0; i < 2; i++)
        children[i] = crowd_spawn(end_rounds, story, i);
    crowd_join(children, 2, CROWD_TIMEOUT_MS);
    ts_wait_until(story->sql, WAIT_MS,
                  "SELECT count(*) <= 2 FROM pg_stat_activity WHERE datname = current_database()");
    assert_int_equal(
        ts_int(story->sql,
               "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"),
        0);
    assert_int_equal(atomic_load(&story->shared->accepted),
                     (story->rounds + 1) / 3 * story->round_size);
    assert_int_equal(ts_int(story->sql, "SELECT count(*) FROM pgqrs_archive"),
                     (story->rounds + 2) / 3 * story->round_size);
    assert_int_equal(ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages"),
                     story->rounds / 3 * story->round_size);
}

TEST_MAIN(NULL, NULL)
