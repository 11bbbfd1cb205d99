/*
 * Concurrent enqueues of one message each share statements, and each caller gets its own result.
 */
#include "coalesce.h"

COALESCE_TEST(threads_that_wait_share_a_statement_and_each_gets_its_own_id)
{
    struct story *story = *state;
    struct caller first[PGQRSI_COALESCED_BATCHES], callers[CALLERS];
    char texts[CALLERS][24];

    fill_batches(story, first);
    for (int i = 0; i < CALLERS; i++) {
        snprintf(texts[i], sizeof(texts[i]), "{\"number\": %d}", i);
        prepare(&callers[i], story, texts[i]);
        start(&callers[i]);
    }
    await_waiting(story, CALLERS);
    assert_int_equal(ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages"), 0);
    let_go(story, 1);
    join_batches(first);
    for (int i = 0; i < CALLERS; i++) {
        join(&callers[i]);
        TS_OK(callers[i].status, callers[i].err);
        assert_false(callers[i].enqueued.duplicate);
        assert_int_equal(
            ts_int(story->sql,
                   "SELECT (payload->>'number')::int FROM pgqrs_messages WHERE id = %lld",
                   (long long)callers[i].enqueued.id),
            i);
    }
    assert_int_equal(ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages"),
                     CALLERS + PGQRSI_COALESCED_BATCHES);
    TS_TRUE(
        ts_int(story->sql,
               "SELECT count(DISTINCT xmin::text) FROM pgqrs_messages WHERE payload ? 'number'") <=
        PGQRSI_COALESCED_BATCHES);
    release(callers, CALLERS);
}

COALESCE_TEST(messages_with_keys_share_a_statement_too)
{
    static const char *const keys[] = { "twice", "once", "twice", "known" };
    struct story *story = *state;
    struct caller first[PGQRSI_COALESCED_BATCHES], callers[4];
    pgqrs_enqueue_options options = PGQRS_ENQUEUE_OPTIONS_INIT;
    pgqrs_enqueued known;

    options.idempotency_key = pgqrs_slice_of("known");
    TS_OK(pgqrs_producer_enqueue(story->hands.producer, pgqrs_slice_of("0"), &options, &known,
                                 story->hands.err),
          story->hands.err);
    fill_batches(story, first);
    for (int i = 0; i < 4; i++) {
        prepare(&callers[i], story, "1");
        callers[i].has_options = 1;
        callers[i].options.idempotency_key = pgqrs_slice_of(keys[i]);
        start(&callers[i]);
    }
    await_waiting(story, 4);
    let_go(story, 1);
    join_batches(first);
    for (int i = 0; i < 4; i++) {
        join(&callers[i]);
        TS_OK(callers[i].status, callers[i].err);
    }
    assert_int_equal(callers[0].enqueued.id, callers[2].enqueued.id);
    assert_int_equal(callers[0].enqueued.duplicate + callers[2].enqueued.duplicate, 1);
    assert_false(callers[1].enqueued.duplicate);
    assert_true(callers[3].enqueued.duplicate);
    assert_int_equal(callers[3].enqueued.id, known.id);
    assert_int_equal(ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages WHERE payload = '1'"),
                     2);
    release(callers, 4);
}

COALESCE_TEST(nobody_waits_for_the_transaction_that_has_the_key_of_another)
{
    struct story *story = *state;
    PGconn *own = ts_connect(story->dsn);
    struct caller first[PGQRSI_COALESCED_BATCHES], callers[6];
    pgqrs_enqueued held;

    prepare(&callers[0], story, "1");
    callers[0].options.idempotency_key = pgqrs_slice_of("held");
    ts_sql(own, "BEGIN");
    TS_OK(pgqrs_producer_enqueue_on(story->hands.producer, own, pgqrs_slice_of("0"),
                                    &callers[0].options, &held, callers[0].err),
          callers[0].err);
    fill_batches(story, first);
    callers[0].has_options = 1;
    start(&callers[0]);
    for (int i = 1; i < 6; i++) {
        prepare(&callers[i], story, "2");
        callers[i].has_options = 1;
        callers[i].options.priority = 1;
        start(&callers[i]);
    }
    await_waiting(story, 6);
    let_go(story, 1);
    join_batches(first);
    for (int i = 1; i < 6; i++) {
        join(&callers[i]);
        TS_OK(callers[i].status, callers[i].err);
    }
    ts_sql(own, "COMMIT");
    join(&callers[0]);
    TS_OK(callers[0].status, callers[0].err);
    assert_true(callers[0].enqueued.duplicate);
    assert_int_equal(callers[0].enqueued.id, held.id);
    assert_int_equal(ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages WHERE payload = '2'"),
                     5);
    release(callers, 6);
    PQfinish(own);
}

COALESCE_TEST(large_messages_are_sent_apart)
{
    enum { COUNT = 7, BYTES = 1 << 20 };
    struct story *story = *state;
    struct caller first[PGQRSI_COALESCED_BATCHES], callers[COUNT];
    char *payload = malloc(BYTES);

    memset(payload, 'x', BYTES);
    payload[0] = payload[BYTES - 1] = '"';
    fill_batches(story, first);
    for (int i = 0; i < COUNT; i++) {
        prepare(&callers[i], story, "");
        callers[i].payload = (pgqrs_slice){ payload, BYTES };
        start(&callers[i]);
    }
    await_waiting(story, COUNT);
    let_go(story, 1);
    join_batches(first);
    for (int i = 0; i < COUNT; i++) {
        join(&callers[i]);
        TS_OK(callers[i].status, callers[i].err);
    }
    TS_TRUE(ts_int(story->sql,
                   "SELECT max(count) FROM (SELECT count(*) FROM pgqrs_messages "
                   "WHERE jsonb_typeof(payload) = 'string' GROUP BY xmin::text) AS batches") <= 4);
    assert_int_equal(
        ts_int(story->sql,
               "SELECT count(*) FROM pgqrs_messages WHERE jsonb_typeof(payload) = 'string'"),
        COUNT);
    release(callers, COUNT);
    free(payload);
}

static void *
call_limited(void *context)
{
    struct caller *caller = context;

    caller->status =
        pgqrs_producer_enqueue(caller->producer, caller->payload, NULL, NULL, caller->err);
    return NULL;
}

COALESCE_TEST(a_rate_holds_for_all_threads_together)
{
    struct story *story = *state;
    pgqrs_producer_options options = PGQRS_PRODUCER_OPTIONS_INIT;
    struct caller callers[CALLERS];
    pgqrs_producer *limited;
    int64_t began_ms = pgqrsi_clock_ms(), seconds;
    int accepted = 0;

    options.max_messages_per_second = 1;
    TS_OK(pgqrs_producer_open(story->hands.client, pgqrs_slice_of("jobs"), &options, &limited,
                              story->hands.err),
          story->hands.err);
    for (int i = 0; i < CALLERS; i++) {
        prepare(&callers[i], story, "1");
        callers[i].producer = limited;
        TS_TRUE(pthread_create(&callers[i].thread, NULL, call_limited, &callers[i]) == 0);
    }
    for (int i = 0; i < CALLERS; i++) {
        join(&callers[i]);
        if (callers[i].status != PGQRS_OK)
            TS_IS(PGQRS_ERATE, callers[i].status, callers[i].err);
        accepted += callers[i].status == PGQRS_OK;
    }
    seconds = (pgqrsi_clock_ms() - began_ms) / 1000;
    assert_int_equal(ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages"), accepted);
    TS_TRUE(accepted >= 1 && accepted <= 2 + seconds);
    release(callers, CALLERS);
    pgqrs_producer_close(limited);
}

/* All kinds at once, some with deadlines that pass. */
struct mixer {
    struct story *story;
    uint64_t random;
    int number, each;
    int64_t stored, unknown;
    pgqrs_producer *own;
};

static void *
mix(void *context)
{
    struct mixer *mixer = context;
    int64_t last = 0;

    for (int i = 0; i < mixer->each; i++) {
        char key[32], payload[32];
        struct caller caller;
        int kind = crowd_random(&mixer->random, 0, 9);

        snprintf(key, sizeof(key), "%d-%d", mixer->number, i);
        snprintf(payload, sizeof(payload), "{\"of\": %d}", mixer->number);
        prepare(&caller, mixer->story, payload);
        if (crowd_random(&mixer->random, 0, 3) == 0)
            caller.producer = mixer->own;
        caller.has_options = kind < 4;
        if (kind < 2)
            caller.options.idempotency_key = pgqrs_slice_of(key);
        if (kind == 3)
            caller.options.priority = 1;
        if (kind == 9)
            caller.payload = pgqrs_slice_of("\"bad\"");
        if (crowd_random(&mixer->random, 0, 20) == 0)
            caller.timeout_ms = crowd_random(&mixer->random, 0, 3);
        call(&caller);
        if (kind == 9 && caller.timeout_ms == TIMEOUT_MS) {
            TS_IS(PGQRS_ESERVER, caller.status, caller.err);
        } else if (caller.timeout_ms == TIMEOUT_MS) {
            TS_OK(caller.status, caller.err);
            TS_TRUE(caller.enqueued.id > last);
            last = caller.enqueued.id;
        }
        mixer->stored += caller.status == PGQRS_OK;
        mixer->unknown += caller.status == PGQRS_EUNKNOWN;
        release(&caller, 1);
    }
    return NULL;
}

COALESCE_TEST(many_threads_of_all_kinds_get_what_the_server_has)
{
    enum { THREADS = 12 };
    struct story *story = *state;
    struct mixer mixers[THREADS];
    pthread_t threads[THREADS];
    pgqrs_producer_options options = PGQRS_PRODUCER_OPTIONS_INIT;
    pgqrs_producer *own;
    int64_t stored = 0, unknown = 0, counted;

    options.worker_id = 7;
    TS_OK(pgqrs_producer_open(story->hands.client, pgqrs_slice_of("jobs"), &options, &own,
                              story->hands.err),
          story->hands.err);
    for (int i = 0; i < THREADS; i++) {
        mixers[i] = (struct mixer){ .story = story,
                                    .random = crowd_state(story->seed, i),
                                    .number = i,
                                    .each = crowd_scale(100),
                                    .own = own };
        TS_TRUE(pthread_create(&threads[i], NULL, mix, &mixers[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        TS_TRUE(pthread_join(threads[i], NULL) == 0);
        stored += mixers[i].stored;
        unknown += mixers[i].unknown;
    }
    await_waiting(story, 0);
    /* The statement that the deadline cut off may still reach the server. */
    ts_wait_until(story->sql, WAIT_MS,
                  "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = current_database() "
                  "AND state = 'active' AND pid <> pg_backend_pid()");
    counted = ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages");
    if (counted < stored || counted > stored + unknown)
        ts_fail("%lld messages are stored; %lld calls succeeded, %lld are unknown",
                (long long)counted, (long long)stored, (long long)unknown);
    pgqrs_producer_close(own);
}

TEST_MAIN(NULL, NULL)
