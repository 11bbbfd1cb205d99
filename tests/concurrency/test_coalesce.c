/*
 * Concurrent enqueues of one message each fly together, and what happens to one of them happens to no other.
 * To be run with -Db_sanitize=thread as well.
 *
 * A message {"lock": n} waits, while it is stored, for the advisory lock n: so a test holds batches under way
 * for as long as it likes.
 */
#include "fixture.h"

#include <poll.h>
#include <pthread.h>

#include "src/client.h" /* by its full path: the support has one of that name */

#include "base/clock.h"
#include "queue/coalesce.h"
#include "queue/producer.h"

#define TIMEOUT_MS 30000
#define GRACE_MS 10000 /* generous: without a deadline it would be the 27 s of statement_timeout */
#define PASSENGERS 20

struct caller {
    pthread_t thread;
    pgqrs_producer *producer;
    pgqrs_slice payload;
    pgqrs_enqueue_options options;
    int has_options;
    int64_t timeout_ms;
    int64_t took_ms;
    pgqrs_status status;
    pgqrs_enqueued enqueued;
    pgqrs_error *err;
};

/* The deadline is the caller's own, where the public function takes the client's. */
static void *
call(void *context)
{
    struct caller *caller = context;
    const pgqrsi_outgoing message = { &caller->payload, caller->has_options ? &caller->options : NULL, 1,
                                      caller->has_options };
    int64_t began_ms = pgqrsi_clock_ms();

    caller->status = pgqrsi_coalesce_enqueue(caller->producer, &message, began_ms + caller->timeout_ms,
                                             &caller->enqueued, caller->err);
    caller->took_ms = pgqrsi_clock_ms() - began_ms;
    return NULL;
}

static void
prepare(struct caller *caller, struct story *story, const char *payload)
{
    *caller = (struct caller){ .producer = story->hands.producer,
                               .payload = pgqrs_slice_of(payload),
                               .options = PGQRS_ENQUEUE_OPTIONS_INIT,
                               .timeout_ms = TIMEOUT_MS,
                               .err = pgqrs_error_new() };
}

static void
start(struct caller *caller)
{
    TS_TRUE(pthread_create(&caller->thread, NULL, call, caller) == 0);
}

static void
join(struct caller *caller)
{
    TS_TRUE(pthread_join(caller->thread, NULL) == 0);
}

static void
release(struct caller *callers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pgqrs_error_free(callers[i].err);
}

static void
await_waiting(struct story *story, size_t count)
{
    pgqrs_producer *producer = story->hands.producer;
    int64_t until_ms = pgqrsi_clock_ms() + WAIT_MS;
    size_t waiting;

    do {
        pgqrsi_client_lock(producer->client);
        waiting = producer->queue->coalescing.count;
        pgqrsi_client_unlock(producer->client);
        if (pgqrsi_clock_ms() > until_ms)
            ts_fail("%zu threads wait instead of %zu", waiting, count);
        usleep(500);
    } while (waiting != count);
}

static void
await_held(struct story *story, int count)
{
    ts_wait_until(story->sql, WAIT_MS,
                  "SELECT count(*) = %d FROM pg_stat_activity "
                  "WHERE datname = current_database() AND wait_event = 'advisory'",
                  count);
}

static void
hold(struct story *story, int lock)
{
    ts_sql(story->sql, "SELECT pg_advisory_lock(%d)", lock);
}

static void
let_go(struct story *story, int lock)
{
    ts_sql(story->sql, "SELECT pg_advisory_unlock(%d)", lock);
}

/* As many batches as there can be are under way, until lock 1 is let go. */
static void
fill_runways(struct story *story, struct caller *callers)
{
    hold(story, 1);
    for (int i = 0; i < PGQRSI_COALESCED_BATCHES; i++) {
        prepare(&callers[i], story, "{\"lock\": 1}");
        start(&callers[i]);
        await_held(story, i + 1);
    }
}

static void
join_runways(struct caller *callers)
{
    for (int i = 0; i < PGQRSI_COALESCED_BATCHES; i++) {
        join(&callers[i]);
        TS_OK(callers[i].status, callers[i].err);
    }
    release(callers, PGQRSI_COALESCED_BATCHES);
}

static int
coalesce_begin(void **state)
{
    struct story *story;

    story_begin(state);
    story = *state;
    ts_sql(
        story->sql,
        "CREATE FUNCTION wait_or_refuse() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = 0 AS $$BEGIN "
        "IF NEW.payload = '\"bad\"' THEN RAISE EXCEPTION 'no such thing' USING ERRCODE = 'P4711'; END IF; "
        "IF jsonb_typeof(NEW.payload) = 'object' AND NEW.payload ? 'lock' THEN "
        "PERFORM pg_advisory_xact_lock_shared((NEW.payload->>'lock')::int); END IF; "
        "RETURN NEW; END$$; "
        "CREATE TRIGGER wait_or_refuse BEFORE INSERT ON pgqrs_messages_%lld_ready FOR EACH ROW "
        "EXECUTE FUNCTION wait_or_refuse()",
        (long long)story->scope.queue_id);
    return 0;
}

static void
threads_that_wait_share_a_statement_and_each_gets_its_own_id(void **state)
{
    struct story *story = *state;
    struct caller first[PGQRSI_COALESCED_BATCHES], callers[PASSENGERS];
    char texts[PASSENGERS][24];

    fill_runways(story, first);
    for (int i = 0; i < PASSENGERS; i++) {
        snprintf(texts[i], sizeof(texts[i]), "{\"number\": %d}", i);
        prepare(&callers[i], story, texts[i]);
        start(&callers[i]);
    }
    await_waiting(story, PASSENGERS);
    assert_int_equal(ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages"), 0);
    let_go(story, 1);
    join_runways(first);
    for (int i = 0; i < PASSENGERS; i++) {
        join(&callers[i]);
        TS_OK(callers[i].status, callers[i].err);
        assert_false(callers[i].enqueued.duplicate);
        assert_int_equal(ts_int(story->sql,
                                "SELECT (payload->>'number')::int FROM pgqrs_messages WHERE id = %lld",
                                (long long)callers[i].enqueued.id),
                         i);
    }
    assert_int_equal(ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages"),
                     PASSENGERS + PGQRSI_COALESCED_BATCHES);
    TS_TRUE(ts_int(story->sql,
                   "SELECT count(DISTINCT xmin::text) FROM pgqrs_messages WHERE payload ? 'number'") <=
            PGQRSI_COALESCED_BATCHES);
    release(callers, PASSENGERS);
}

static void
a_message_that_the_server_refuses_keeps_no_other_out(void **state)
{
    struct story *story = *state;
    struct caller first[PGQRSI_COALESCED_BATCHES], callers[PASSENGERS];

    fill_runways(story, first);
    for (int i = 0; i < PASSENGERS; i++) {
        prepare(&callers[i], story, i == 7 ? "\"bad\"" : "\"good\"");
        start(&callers[i]);
    }
    await_waiting(story, PASSENGERS);
    let_go(story, 1);
    join_runways(first);
    for (int i = 0; i < PASSENGERS; i++) {
        join(&callers[i]);
        if (i != 7)
            TS_OK(callers[i].status, callers[i].err);
    }
    TS_IS(PGQRS_ESERVER, callers[7].status, callers[7].err);
    assert_string_equal(pgqrs_error_sqlstate(callers[7].err), "P4711");
    assert_non_null(strstr(pgqrs_error_message(callers[7].err), "no such thing"));
    assert_int_equal(ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages WHERE payload = '\"good\"'"),
                     PASSENGERS - 1);
    assert_int_equal(ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages WHERE payload = '\"bad\"'"), 0);
    release(callers, PASSENGERS);
}

static void
a_deleted_queue_is_told_to_all_and_another_queue_goes_on(void **state)
{
    struct story *story = *state;
    PGconn *own = ts_connect(story->dsn);
    struct caller first[PGQRSI_COALESCED_BATCHES], callers[3];
    pgqrs_producer *side;
    char *query;

    TS_OK(pgqrs_queue_create(story->hands.client, pgqrs_slice_of("side"), NULL, NULL, story->hands.err),
          story->hands.err);
    TS_OK(pgqrs_producer_open(story->hands.client, pgqrs_slice_of("side"), NULL, &side, story->hands.err),
          story->hands.err);
    fill_runways(story, first);
    for (int i = 0; i < 3; i++) {
        prepare(&callers[i], story, "1");
        start(&callers[i]);
    }
    await_waiting(story, 3);
    TS_OK(pgqrs_producer_enqueue(side, pgqrs_slice_of("1"), NULL, NULL, story->hands.err), story->hands.err);
    /* The deletion waits for the batches under way, and the callers that wait for them, for the deletion. */
    query = ts_format("BEGIN; LOCK TABLE pgqrs_messages_%lld_ready IN ACCESS EXCLUSIVE MODE; "
                      "SELECT pgqrs_delete_queue('jobs'); COMMIT",
                      (long long)story->scope.queue_id);
    TS_TRUE(PQsendQuery(own, query) == 1);
    free(query);
    ts_wait_until(story->sql, WAIT_MS,
                  "SELECT count(*) = 1 FROM pg_stat_activity WHERE pid = %d AND wait_event_type = 'Lock'",
                  PQbackendPID(own));
    let_go(story, 1);
    join_runways(first);
    for (int i = 0; i < 3; i++) {
        join(&callers[i]);
        TS_IS(PGQRS_ENOQUEUE, callers[i].status, callers[i].err);
    }
    release(callers, 3);
    PQfinish(own);
    pgqrs_producer_close(side);
}

static void
messages_with_keys_fly_together_too(void **state)
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
    fill_runways(story, first);
    for (int i = 0; i < 4; i++) {
        prepare(&callers[i], story, "1");
        callers[i].has_options = 1;
        callers[i].options.idempotency_key = pgqrs_slice_of(keys[i]);
        start(&callers[i]);
    }
    await_waiting(story, 4);
    let_go(story, 1);
    join_runways(first);
    for (int i = 0; i < 4; i++) {
        join(&callers[i]);
        TS_OK(callers[i].status, callers[i].err);
    }
    assert_int_equal(callers[0].enqueued.id, callers[2].enqueued.id);
    assert_int_equal(callers[0].enqueued.duplicate + callers[2].enqueued.duplicate, 1);
    assert_false(callers[1].enqueued.duplicate);
    assert_true(callers[3].enqueued.duplicate);
    assert_int_equal(callers[3].enqueued.id, known.id);
    assert_int_equal(ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages WHERE payload = '1'"), 2);
    release(callers, 4);
}

static void
nobody_waits_for_the_transaction_that_has_the_key_of_another(void **state)
{
    struct story *story = *state;
    PGconn *own = ts_connect(story->dsn);
    struct caller first[PGQRSI_COALESCED_BATCHES], callers[6];
    pgqrs_enqueued held;

    prepare(&callers[0], story, "1");
    callers[0].options.idempotency_key = pgqrs_slice_of("held");
    ts_sql(own, "BEGIN");
    TS_OK(pgqrs_producer_enqueue_on(story->hands.producer, own, pgqrs_slice_of("0"), &callers[0].options,
                                    &held, callers[0].err),
          callers[0].err);
    fill_runways(story, first);
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
    join_runways(first);
    for (int i = 1; i < 6; i++) {
        join(&callers[i]);
        TS_OK(callers[i].status, callers[i].err);
    }
    ts_sql(own, "COMMIT");
    join(&callers[0]);
    TS_OK(callers[0].status, callers[0].err);
    assert_true(callers[0].enqueued.duplicate);
    assert_int_equal(callers[0].enqueued.id, held.id);
    assert_int_equal(ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages WHERE payload = '2'"), 5);
    release(callers, 6);
    PQfinish(own);
}

static void
an_unknown_outcome_is_told_to_the_whole_batch_and_repeated_for_none(void **state)
{
    struct story *story = *state;
    struct caller first[PGQRSI_COALESCED_BATCHES], callers[5];
    char keys[5][8];

    fill_runways(story, first);
    hold(story, 2);
    for (int i = 0; i < 5; i++) {
        prepare(&callers[i], story, i == 2 ? "{\"lock\": 2}" : "{\"lock\": 0}");
        snprintf(keys[i], sizeof(keys[i]), "key %d", i);
        callers[i].has_options = 1;
        callers[i].options.idempotency_key = pgqrs_slice_of(keys[i]);
        callers[i].options.type = pgqrs_slice_of("together");
    }
    /* A lock that is waited for is reason enough to fly apart: this is about those that stay together. */
    ts_sql(story->sql,
           "CREATE OR REPLACE FUNCTION wait_or_refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN "
           "SET LOCAL lock_timeout = 0; "
           "PERFORM pg_advisory_xact_lock_shared((NEW.payload->>'lock')::int); RETURN NEW; END$$");
    for (int i = 0; i < 5; i++)
        start(&callers[i]);
    await_waiting(story, 5);
    let_go(story, 1);
    join_runways(first);
    await_held(story, 1);
    ts_sql(story->sql, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                       "WHERE datname = current_database() AND wait_event = 'advisory'");
    for (int i = 0; i < 5; i++)
        join(&callers[i]);
    let_go(story, 2);
    for (int i = 0; i < 5; i++) {
        /* Those in another batch are stored. */
        int stored =
            (int)ts_int(story->sql, "SELECT count(*) FROM pgqrs_keys WHERE idempotency_key = '%s'", keys[i]);

        TS_IS(stored ? PGQRS_OK : PGQRS_EUNKNOWN, callers[i].status, callers[i].err);
        callers[i].status = pgqrs_producer_enqueue(callers[i].producer, callers[i].payload,
                                                   &callers[i].options, &callers[i].enqueued, callers[i].err);
        TS_OK(callers[i].status, callers[i].err);
        assert_int_equal(callers[i].enqueued.duplicate, stored);
    }
    assert_int_equal(
        ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages WHERE message_type = 'together'"), 5);
    release(callers, 5);
}

/* As if a test whether a worker sleeps had been sent just now, of which nothing is known yet. */
static void
pretend_a_test_is_fresh(struct story *story)
{
    pgqrs_producer *producer = story->hands.producer;

    pgqrsi_client_lock(producer->client);
    producer->queue->wakes.sent_ms = pgqrsi_clock_ms() + 60000;
    pgqrsi_client_unlock(producer->client);
}

/* A worker's listener, asleep over the queue. */
static PGconn *
fall_asleep(struct story *story)
{
    PGconn *sleeper = ts_connect(story->dsn);
    const pgqrsi_statement *sleep = NULL;
    char queue[24];
    const char *const values[] = { queue };
    PGresult *result;

    snprintf(queue, sizeof(queue), "%lld", (long long)story->scope.queue_id);
    TS_OK(pgqrsi_scope_statement(&story->scope, PGQRSI_SQL_WAKE_SLEEP, PGQRSI_LANE_READY, &sleep, NULL),
          NULL);
    ts_sql(sleeper, "LISTEN pgqrs");
    result = PQexecParams(sleeper, sleep->text, 1, NULL, values, NULL, NULL, 0);
    TS_TRUE(PQresultStatus(result) == PGRES_TUPLES_OK);
    PQclear(result);
    return sleeper;
}

static void
await_notification(PGconn *sleeper)
{
    int64_t until_ms = pgqrsi_clock_ms() + WAIT_MS;
    PGnotify *notify;

    while ((notify = PQnotifies(sleeper)) == NULL) {
        struct pollfd entry = { .fd = PQsocket(sleeper), .events = POLLIN };

        if (pgqrsi_clock_ms() > until_ms)
            ts_fail("a sleeper was not woken, though messages are stored");
        poll(&entry, 1, 100);
        TS_TRUE(PQconsumeInput(sleeper));
    }
    PQfreemem(notify);
}

/* Each batch that is stored is followed by one that waits for a lock, and is never answered. */
static void
batches_that_are_stored_wake_whatever_becomes_of_the_next_ones(void **state)
{
    struct story *story = *state;
    pgqrs_producer_options options = PGQRS_PRODUCER_OPTIONS_INIT;
    struct caller first[PGQRSI_COALESCED_BATCHES], next[PGQRSI_COALESCED_BATCHES];
    pgqrs_producer *producers[PGQRSI_COALESCED_BATCHES];
    PGconn *sleeper;

    pretend_a_test_is_fresh(story);
    fill_runways(story, first);
    hold(story, 2);
    for (int i = 0; i < PGQRSI_COALESCED_BATCHES; i++) {
        options.worker_id = i + 1; /* they cannot fly together */
        TS_OK(pgqrs_producer_open(story->hands.client, pgqrs_slice_of("jobs"), &options, &producers[i],
                                  story->hands.err),
              story->hands.err);
        prepare(&next[i], story, "{\"lock\": 2}");
        next[i].producer = producers[i];
        start(&next[i]);
    }
    await_waiting(story, PGQRSI_COALESCED_BATCHES);
    sleeper = fall_asleep(story);
    let_go(story, 1);
    join_runways(first);
    await_held(story, PGQRSI_COALESCED_BATCHES);
    await_notification(sleeper);
    ts_sql(story->sql, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                       "WHERE datname = current_database() AND wait_event = 'advisory'");
    for (int i = 0; i < PGQRSI_COALESCED_BATCHES; i++) {
        join(&next[i]);
        TS_IS(PGQRS_EUNKNOWN, next[i].status, next[i].err);
        pgqrs_producer_close(producers[i]);
    }
    let_go(story, 2);
    release(next, PGQRSI_COALESCED_BATCHES);
    PQfinish(sleeper);
}

static void
a_deadline_that_passes_in_line_stores_nothing(void **state)
{
    struct story *story = *state;
    struct caller first[PGQRSI_COALESCED_BATCHES], callers[3];

    fill_runways(story, first);
    for (int i = 0; i < 3; i++) {
        prepare(&callers[i], story, "1");
        callers[i].timeout_ms = 200;
        start(&callers[i]);
    }
    for (int i = 0; i < 3; i++) {
        join(&callers[i]);
        TS_IS(PGQRS_ETIMEDOUT, callers[i].status, callers[i].err);
        TS_TRUE(callers[i].took_ms >= 200 && callers[i].took_ms < 200 + GRACE_MS);
    }
    await_waiting(story, 0);
    let_go(story, 1);
    join_runways(first);
    assert_int_equal(ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages"), PGQRSI_COALESCED_BATCHES);
    release(callers, 3);
}

static void
a_deadline_that_passes_after_sending_is_unknown_and_ends_no_other(void **state)
{
    struct story *story = *state;
    struct caller first[PGQRSI_COALESCED_BATCHES], early, late;

    fill_runways(story, first);
    hold(story, 2);
    prepare(&early, story, "{\"lock\": 2, \"is\": \"early\"}");
    prepare(&late, story, "{\"lock\": 2, \"is\": \"late\"}");
    early.timeout_ms = 1000;
    start(&early);
    await_waiting(story, 1);
    start(&late);
    await_waiting(story, 2);
    let_go(story, 1);
    join_runways(first);
    join(&early);
    TS_IS(PGQRS_EUNKNOWN, early.status, early.err);
    TS_TRUE(early.took_ms >= 1000 && early.took_ms < 1000 + GRACE_MS);
    let_go(story, 2);
    join(&late);
    TS_OK(late.status, late.err);
    assert_int_equal(ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages WHERE payload->>'is' = 'late'"),
                     1);
    release(&early, 1);
    release(&late, 1);
}

static void
large_messages_fly_apart(void **state)
{
    enum { COUNT = 7, BYTES = 1 << 20 };
    struct story *story = *state;
    struct caller first[PGQRSI_COALESCED_BATCHES], callers[COUNT];
    char *payload = malloc(BYTES);

    memset(payload, 'x', BYTES);
    payload[0] = payload[BYTES - 1] = '"';
    fill_runways(story, first);
    for (int i = 0; i < COUNT; i++) {
        prepare(&callers[i], story, "");
        callers[i].payload = (pgqrs_slice){ payload, BYTES };
        start(&callers[i]);
    }
    await_waiting(story, COUNT);
    let_go(story, 1);
    join_runways(first);
    for (int i = 0; i < COUNT; i++) {
        join(&callers[i]);
        TS_OK(callers[i].status, callers[i].err);
    }
    TS_TRUE(ts_int(story->sql,
                   "SELECT max(count) FROM (SELECT count(*) FROM pgqrs_messages "
                   "WHERE jsonb_typeof(payload) = 'string' GROUP BY xmin::text) AS batches") <= 4);
    assert_int_equal(
        ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages WHERE jsonb_typeof(payload) = 'string'"),
        COUNT);
    release(callers, COUNT);
    free(payload);
}

static void *
call_limited(void *context)
{
    struct caller *caller = context;

    caller->status = pgqrs_producer_enqueue(caller->producer, caller->payload, NULL, NULL, caller->err);
    return NULL;
}

static void
a_rate_holds_for_all_threads_together(void **state)
{
    struct story *story = *state;
    pgqrs_producer_options options = PGQRS_PRODUCER_OPTIONS_INIT;
    struct caller callers[PASSENGERS];
    pgqrs_producer *limited;
    int64_t began_ms = pgqrsi_clock_ms(), seconds;
    int accepted = 0;

    options.max_messages_per_second = 1;
    TS_OK(pgqrs_producer_open(story->hands.client, pgqrs_slice_of("jobs"), &options, &limited,
                              story->hands.err),
          story->hands.err);
    for (int i = 0; i < PASSENGERS; i++) {
        prepare(&callers[i], story, "1");
        callers[i].producer = limited;
        TS_TRUE(pthread_create(&callers[i].thread, NULL, call_limited, &callers[i]) == 0);
    }
    for (int i = 0; i < PASSENGERS; i++) {
        join(&callers[i]);
        if (callers[i].status != PGQRS_OK)
            TS_IS(PGQRS_ERATE, callers[i].status, callers[i].err);
        accepted += callers[i].status == PGQRS_OK;
    }
    seconds = (pgqrsi_clock_ms() - began_ms) / 1000;
    assert_int_equal(ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages"), accepted);
    TS_TRUE(accepted >= 1 && accepted <= 2 + seconds);
    release(callers, PASSENGERS);
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

static void
many_threads_of_all_kinds_get_what_the_server_has(void **state)
{
    enum { THREADS = 12 };
    struct story *story = *state;
    struct mixer mixers[THREADS];
    pthread_t threads[THREADS];
    pgqrs_producer_options options = PGQRS_PRODUCER_OPTIONS_INIT;
    pgqrs_producer *own;
    int64_t stored = 0, unknown = 0, counted;

    options.worker_id = 7;
    TS_OK(pgqrs_producer_open(story->hands.client, pgqrs_slice_of("jobs"), &options, &own, story->hands.err),
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
    /* What was cut off may still be on its way. */
    ts_wait_until(story->sql, WAIT_MS,
                  "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = current_database() AND "
                  "state = 'active' AND pid <> pg_backend_pid()");
    counted = ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages");
    if (counted < stored || counted > stored + unknown)
        ts_fail("%lld messages are stored; %lld calls succeeded, %lld are unknown", (long long)counted,
                (long long)stored, (long long)unknown);
    pgqrs_producer_close(own);
}

#define COALESCE(test) cmocka_unit_test_setup_teardown(test, coalesce_begin, story_end)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        COALESCE(threads_that_wait_share_a_statement_and_each_gets_its_own_id),
        COALESCE(a_message_that_the_server_refuses_keeps_no_other_out),
        COALESCE(a_deleted_queue_is_told_to_all_and_another_queue_goes_on),
        COALESCE(messages_with_keys_fly_together_too),
        COALESCE(nobody_waits_for_the_transaction_that_has_the_key_of_another),
        COALESCE(an_unknown_outcome_is_told_to_the_whole_batch_and_repeated_for_none),
        COALESCE(batches_that_are_stored_wake_whatever_becomes_of_the_next_ones),
        COALESCE(a_deadline_that_passes_in_line_stores_nothing),
        COALESCE(a_deadline_that_passes_after_sending_is_unknown_and_ends_no_other),
        COALESCE(large_messages_fly_apart),
        COALESCE(a_rate_holds_for_all_threads_together),
        COALESCE(many_threads_of_all_kinds_get_what_the_server_has),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
