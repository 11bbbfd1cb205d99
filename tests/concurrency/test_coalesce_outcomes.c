/*
 * What happens to one message of a shared statement happens to no other: refusals, lost answers,
 * deadlines, and the test whether a worker sleeps.
 */
#include "coalesce.h"

#include <poll.h>

COALESCE_TEST(a_message_that_the_server_refuses_keeps_no_other_out)
{
    struct story *story = *state;
    struct caller first[PGQRSI_COALESCED_BATCHES], callers[CALLERS];

    fill_batches(story, first);
    for (int i = 0; i < CALLERS; i++) {
        prepare(&callers[i], story, i == 7 ? "\"bad\"" : "\"good\"");
        start(&callers[i]);
    }
    await_waiting(story, CALLERS);
    let_go(story, 1);
    join_batches(first);
    for (int i = 0; i < CALLERS; i++) {
        join(&callers[i]);
        if (i != 7)
            TS_OK(callers[i].status, callers[i].err);
    }
    TS_IS(PGQRS_ESERVER, callers[7].status, callers[7].err);
    assert_string_equal(pgqrs_error_sqlstate(callers[7].err), "P4711");
    assert_non_null(strstr(pgqrs_error_message(callers[7].err), "no such thing"));
    assert_int_equal(
        ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages WHERE payload = '\"good\"'"),
        CALLERS - 1);
    assert_int_equal(
        ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages WHERE payload = '\"bad\"'"), 0);
    release(callers, CALLERS);
}

COALESCE_TEST(a_deleted_queue_is_told_to_all_and_another_queue_goes_on)
{
    struct story *story = *state;
    PGconn *own = ts_connect(story->dsn);
    struct caller first[PGQRSI_COALESCED_BATCHES], callers[3];
    pgqrs_producer *side;
    char *query;

    TS_OK(pgqrs_queue_create(story->hands.client, pgqrs_slice_of("side"), NULL, NULL,
                             story->hands.err),
          story->hands.err);
    TS_OK(pgqrs_producer_open(story->hands.client, pgqrs_slice_of("side"), NULL, &side,
                              story->hands.err),
          story->hands.err);
    fill_batches(story, first);
    for (int i = 0; i < 3; i++) {
        prepare(&callers[i], story, "1");
        start(&callers[i]);
    }
    await_waiting(story, 3);
    TS_OK(pgqrs_producer_enqueue(side, pgqrs_slice_of("1"), NULL, NULL, story->hands.err),
          story->hands.err);
    /* The deletion waits for the batches under way, and the callers that wait for them, for the
     * deletion. */
    query = ts_format("BEGIN; LOCK TABLE pgqrs_messages_%lld_ready IN ACCESS EXCLUSIVE MODE; "
                      "SELECT pgqrs_delete_queue('jobs'); COMMIT",
                      (long long)story->scope.queue_id);
    TS_TRUE(PQsendQuery(own, query) == 1);
    free(query);
    ts_wait_until(
        story->sql, WAIT_MS,
        "SELECT count(*) = 1 FROM pg_stat_activity WHERE pid = %d AND wait_event_type = 'Lock'",
        PQbackendPID(own));
    let_go(story, 1);
    join_batches(first);
    for (int i = 0; i < 3; i++) {
        join(&callers[i]);
        TS_IS(PGQRS_ENOQUEUE, callers[i].status, callers[i].err);
    }
    release(callers, 3);
    PQfinish(own);
    pgqrs_producer_close(side);
}

COALESCE_TEST(an_unknown_outcome_is_told_to_the_whole_batch_and_repeated_for_none)
{
    struct story *story = *state;
    struct caller first[PGQRSI_COALESCED_BATCHES], callers[5];
    char keys[5][8];

    fill_batches(story, first);
    hold(story, 2);
    for (int i = 0; i < 5; i++) {
        prepare(&callers[i], story, i == 2 ? "{\"lock\": 2}" : "{\"lock\": 0}");
        snprintf(keys[i], sizeof(keys[i]), "key %d", i);
        callers[i].has_options = 1;
        callers[i].options.idempotency_key = pgqrs_slice_of(keys[i]);
        callers[i].options.type = pgqrs_slice_of("together");
    }
    /* A lock that is waited for is reason enough to fly apart: this is about those that stay
     * together. */
    ts_sql(
        story->sql,
        "CREATE OR REPLACE FUNCTION wait_or_refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN "
        "SET LOCAL lock_timeout = 0; "
        "PERFORM pg_advisory_xact_lock_shared((NEW.payload->>'lock')::int); RETURN NEW; END$$");
    for (int i = 0; i < 5; i++)
        start(&callers[i]);
    await_waiting(story, 5);
    let_go(story, 1);
    join_batches(first);
    await_held(story, 1);
    ts_sql(story->sql, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                       "WHERE datname = current_database() AND wait_event = 'advisory'");
    for (int i = 0; i < 5; i++)
        join(&callers[i]);
    let_go(story, 2);
    for (int i = 0; i < 5; i++) {
        /* Those in another batch are stored. */
        int stored = (int)ts_int(
            story->sql, "SELECT count(*) FROM pgqrs_keys WHERE idempotency_key = '%s'", keys[i]);

        TS_IS(stored ? PGQRS_OK : PGQRS_EUNKNOWN, callers[i].status, callers[i].err);
        callers[i].status =
            pgqrs_producer_enqueue(callers[i].producer, callers[i].payload, &callers[i].options,
                                   &callers[i].enqueued, callers[i].err);
        TS_OK(callers[i].status, callers[i].err);
        assert_int_equal(callers[i].enqueued.duplicate, stored);
    }
    assert_int_equal(
        ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages WHERE message_type = 'together'"),
        5);
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
    TS_OK(pgqrsi_scope_statement(&story->scope, PGQRSI_SQL_WAKE_SLEEP, PGQRSI_LANE_READY, &sleep,
                                 NULL),
          NULL);
    ts_sql(sleeper, "LISTEN pgqrs_wake_%d", PQbackendPID(sleeper));
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
COALESCE_TEST(batches_that_are_stored_wake_whatever_becomes_of_the_next_ones)
{
    struct story *story = *state;
    pgqrs_producer_options options = PGQRS_PRODUCER_OPTIONS_INIT;
    struct caller first[PGQRSI_COALESCED_BATCHES], next[PGQRSI_COALESCED_BATCHES];
    pgqrs_producer *producers[PGQRSI_COALESCED_BATCHES];
    PGconn *sleeper;

    pretend_a_test_is_fresh(story);
    fill_batches(story, first);
    hold(story, 2);
    for (int i = 0; i < PGQRSI_COALESCED_BATCHES; i++) {
        options.worker_id = i + 1; /* they cannot share a statement */
        TS_OK(pgqrs_producer_open(story->hands.client, pgqrs_slice_of("jobs"), &options,
                                  &producers[i], story->hands.err),
              story->hands.err);
        prepare(&next[i], story, "{\"lock\": 2}");
        next[i].producer = producers[i];
        start(&next[i]);
    }
    await_waiting(story, PGQRSI_COALESCED_BATCHES);
    sleeper = fall_asleep(story);
    let_go(story, 1);
    join_batches(first);
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

COALESCE_TEST(a_deadline_that_passes_in_line_stores_nothing)
{
    struct story *story = *state;
    struct caller first[PGQRSI_COALESCED_BATCHES], callers[3];

    fill_batches(story, first);
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
    join_batches(first);
    assert_int_equal(ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages"),
                     PGQRSI_COALESCED_BATCHES);
    release(callers, 3);
}

COALESCE_TEST(a_deadline_that_passes_after_sending_is_unknown_and_ends_no_other)
{
    struct story *story = *state;
    struct caller first[PGQRSI_COALESCED_BATCHES], early, late;

    fill_batches(story, first);
    hold(story, 2);
    prepare(&early, story, "{\"lock\": 2, \"is\": \"early\"}");
    prepare(&late, story, "{\"lock\": 2, \"is\": \"late\"}");
    early.timeout_ms = 1000;
    start(&early);
    await_waiting(story, 1);
    start(&late);
    await_waiting(story, 2);
    let_go(story, 1);
    join_batches(first);
    join(&early);
    TS_IS(PGQRS_EUNKNOWN, early.status, early.err);
    TS_TRUE(early.took_ms >= 1000 && early.took_ms < 1000 + GRACE_MS);
    let_go(story, 2);
    join(&late);
    TS_OK(late.status, late.err);
    assert_int_equal(
        ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages WHERE payload->>'is' = 'late'"), 1);
    release(&early, 1);
    release(&late, 1);
}

TEST_MAIN(NULL, NULL)
