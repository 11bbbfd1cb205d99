/*
 * Callers whose one message each shares a statement with those of others.
 *
 * A message {"lock": n} waits, while it is stored, for the advisory lock n, so a test holds batches
 * in progress for as long as it likes.
 */
#ifndef COALESCE_H
#define COALESCE_H

#include "fixture.h"

#include <pthread.h>

#include "src/client.h" /* by its full path: the support has one of that name */

#include "base/clock.h"
#include "queue/coalesce.h"
#include "queue/producer.h"

#define TIMEOUT_MS 30000
#define GRACE_MS 10000 /* generous: without a deadline it would be the 27 s of statement_timeout */
#define CALLERS 20

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
static inline void *
call(void *context)
{
    struct caller *caller = context;
    const pgqrsi_outgoing message = { &caller->payload,
                                      caller->has_options ? &caller->options : NULL, 1,
                                      caller->has_options };
    int64_t began_ms = pgqrsi_clock_ms();

    caller->status = pgqrsi_coalesce_enqueue(
        caller->producer, &message, began_ms + caller->timeout_ms, &caller->enqueued, caller->err);
    caller->took_ms = pgqrsi_clock_ms() - began_ms;
    return NULL;
}

static inline void
prepare(struct caller *caller, struct story *story, const char *payload)
{
    *caller = (struct caller){ .producer = story->hands.producer,
                               .payload = pgqrs_slice_of(payload),
                               .options = PGQRS_ENQUEUE_OPTIONS_INIT,
                               .timeout_ms = TIMEOUT_MS,
                               .err = pgqrs_error_new() };
}

static inline void
start(struct caller *caller)
{
    TS_TRUE(pthread_create(&caller->thread, NULL, call, caller) == 0);
}

static inline void
join(struct caller *caller)
{
    TS_TRUE(pthread_join(caller->thread, NULL) == 0);
}

static inline void
release(struct caller *callers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pgqrs_error_free(callers[i].err);
}

static inline void
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

static inline void
await_held(struct story *story, int count)
{
    ts_wait_until(story->sql, WAIT_MS,
                  "SELECT count(*) = %d FROM pg_stat_activity "
                  "WHERE datname = current_database() AND wait_event = 'advisory'",
                  count);
}

static inline void
hold(struct story *story, int lock)
{
    ts_sql(story->sql, "SELECT pg_advisory_lock(%d)", lock);
}

static inline void
let_go(struct story *story, int lock)
{
    ts_sql(story->sql, "SELECT pg_advisory_unlock(%d)", lock);
}

/* Starts as many batches as there can be; they wait until lock 1 is released. */
static inline void
fill_batches(struct story *story, struct caller *callers)
{
    hold(story, 1);
    for (int i = 0; i < PGQRSI_COALESCED_BATCHES; i++) {
        prepare(&callers[i], story, "{\"lock\": 1}");
        start(&callers[i]);
        await_held(story, i + 1);
    }
}

static inline void
join_batches(struct caller *callers)
{
    for (int i = 0; i < PGQRSI_COALESCED_BATCHES; i++) {
        join(&callers[i]);
        TS_OK(callers[i].status, callers[i].err);
    }
    release(callers, PGQRSI_COALESCED_BATCHES);
}

static inline int
coalesce_begin(void **state)
{
    struct story *story;

    story_begin(state);
    story = *state;
    ts_sql(story->sql,
           "CREATE FUNCTION wait_or_refuse() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = 0 "
           "AS $$BEGIN IF NEW.payload = '\"bad\"' THEN RAISE EXCEPTION 'no such thing' USING "
           "ERRCODE = 'P4711'; END IF; "
           "IF jsonb_typeof(NEW.payload) = 'object' AND NEW.payload ? 'lock' THEN "
           "PERFORM pg_advisory_xact_lock_shared((NEW.payload->>'lock')::int); END IF; "
           "RETURN NEW; END$$; "
           "CREATE TRIGGER wait_or_refuse BEFORE INSERT ON pgqrs_messages_%lld_ready FOR EACH ROW "
           "EXECUTE FUNCTION wait_or_refuse()",
           (long long)story->scope.queue_id);
    return 0;
}

#define COALESCE_TEST(name) TEST_WITH(name, coalesce_begin, story_end)

#endif
