/*
 * What the tests of the public API share: an empty queue "jobs", a producer and a consumer
 * on it, and a connection past the library to see what is really stored.
 */
#ifndef TESTS_API_STORY_H
#define TESTS_API_STORY_H

#include "support.h"

#include <pthread.h>
#include <time.h>

#define STORY_WAIT_MS 10000
#define STORY_LEASE_MS 60000

#define STORY_TEST(name) TEST_WITH(name, story_open, story_close)

/* The tables of the queue "jobs", whose number is always 1. */
#define READY "pgqrs_messages_1_ready"
#define HELD "pgqrs_messages_1_held"

struct story {
    const char *dsn;
    PGconn *sql;
    pgqrs_client *client;
    pgqrs_error *err;
    pgqrs_producer *producer;
    pgqrs_consumer *consumer;
};

static inline pgqrs_slice
text(const char *zero_terminated)
{
    return pgqrs_slice_of(zero_terminated);
}

static inline pgqrs_consumer *
story_consumer(const struct story *s, pgqrs_client *client, int64_t lease_ms)
{
    pgqrs_consumer_options options = PGQRS_CONSUMER_OPTIONS_INIT;
    pgqrs_consumer *consumer;

    options.lease_ms = lease_ms;
    TS_OK(pgqrs_consumer_open(client, text("jobs"), &options, &consumer, s->err), s->err);
    return consumer;
}

/* One database for all stories of an executable: creating one takes much longer than emptying it.
 * This also removes the rows of an earlier story that failed. */
static inline void
story_open_database(struct story *s)
{
    static char *dsn;

    if (dsn == NULL)
        dsn = ts_database();
    s->dsn = dsn;
    s->sql = ts_connect(dsn);
    ts_sql(s->sql, "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
                   "WHERE datname = current_database() AND backend_type = 'client backend' AND "
                   "pid <> pg_backend_pid()");
    ts_sql(s->sql,
           "SELECT pgqrs_delete_queue(queue_name) FROM pgqrs_queues; "
           "TRUNCATE pgqrs_queues, pgqrs_workers, pgqrs_keys RESTART IDENTITY; "
           "ALTER SEQUENCE ts_queue_id RESTART; ALTER SEQUENCE pgqrs_message_id_seq RESTART");
}

/* Opens the story on a queue with those options. */
static inline int
story_open_with(void **state, const pgqrs_queue_options *options)
{
    struct story *s = calloc(1, sizeof(*s));

    if (s == NULL)
        ts_fail("out of memory");
    story_open_database(s);
    s->client = ts_client(s->dsn, NULL);
    s->err = pgqrs_error_new();
    TS_OK(pgqrs_queue_create(s->client, text("jobs"), options, NULL, s->err), s->err);
    TS_OK(pgqrs_producer_open(s->client, text("jobs"), NULL, &s->producer, s->err), s->err);
    s->consumer = story_consumer(s, s->client, STORY_LEASE_MS);
    *state = s;
    return 0;
}

static inline int
story_open(void **state)
{
    return story_open_with(state, NULL);
}

static inline int
story_close(void **state)
{
    struct story *s = *state;

    pgqrs_producer_close(s->producer);
    pgqrs_consumer_close(s->consumer);
    pgqrs_client_close(s->client);
    pgqrs_error_free(s->err);
    PQfinish(s->sql);
    free(s);
    return 0;
}

static inline int64_t
story_send(struct story *s, const char *json)
{
    pgqrs_enqueued enqueued;

    TS_OK(pgqrs_producer_enqueue(s->producer, text(json), NULL, &enqueued, s->err), s->err);
    return enqueued.id;
}

static inline int64_t
story_send_with(struct story *s, const char *json, const pgqrs_enqueue_options *options)
{
    pgqrs_enqueued enqueued;

    TS_OK(pgqrs_producer_enqueue(s->producer, text(json), options, &enqueued, s->err), s->err);
    return enqueued.id;
}

static inline int64_t
story_send_priority(struct story *s, int32_t priority)
{
    pgqrs_enqueue_options options = PGQRS_ENQUEUE_OPTIONS_INIT;

    options.priority = priority;
    return story_send_with(s, "{}", &options);
}

/* Enqueues `count` messages in one batch; `ids` may be NULL. */
static inline void
story_send_many(struct story *s, size_t count, int64_t *ids)
{
    pgqrs_slice *payloads = calloc(count, sizeof(*payloads));
    pgqrs_enqueued *enqueued = calloc(count, sizeof(*enqueued));

    if (payloads == NULL || enqueued == NULL)
        ts_fail("out of memory");
    for (size_t i = 0; i < count; i++)
        payloads[i] = text("{}");
    TS_OK(pgqrs_producer_enqueue_batch(s->producer, payloads, NULL, count, enqueued, s->err),
          s->err);
    for (size_t i = 0; ids != NULL && i < count; i++)
        ids[i] = enqueued[i].id;
    free(payloads);
    free(enqueued);
}

static inline int64_t
story_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Claims due messages; the list may be empty. */
static inline pgqrs_message_list *
story_take(struct story *s, pgqrs_consumer *consumer, size_t max)
{
    pgqrs_message_list *list;

    TS_OK(pgqrs_consumer_dequeue_batch(consumer, max, NULL, &list, s->err), s->err);
    TS_TRUE(pgqrs_message_list_count(list) <= max);
    return list;
}

/* The next message, which becomes due within STORY_WAIT_MS. */
static inline pgqrs_message_list *
story_await(struct story *s, pgqrs_consumer *consumer)
{
    const struct timespec pause = { .tv_nsec = 5000000 };
    int64_t until = story_now_ms() + STORY_WAIT_MS;

    for (;;) {
        pgqrs_message_list *list = story_take(s, consumer, 1);

        if (pgqrs_message_list_count(list) == 1)
            return list;
        pgqrs_message_list_free(list);
        if (story_now_ms() > until)
            ts_fail("no message became due within %d ms", STORY_WAIT_MS);
        nanosleep(&pause, NULL);
    }
}

/* Takes the next message, which must be there; its lease. */
static inline pgqrs_lease
story_take_one(struct story *s, pgqrs_consumer *consumer)
{
    pgqrs_message_list *list = story_take(s, consumer, 1);
    pgqrs_lease lease;

    if (pgqrs_message_list_count(list) != 1)
        ts_fail("no message is due");
    lease = pgqrs_message_lease(pgqrs_message_list_at(list, 0));
    pgqrs_message_list_free(list);
    return lease;
}

/* Asserts that the next messages are just `ids`, in that order, whether they come at once or one by
 * one. */
static inline void
story_expect_order(struct story *s, pgqrs_consumer *consumer, const int64_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        pgqrs_lease lease = story_take_one(s, consumer);

        if (lease.id != ids[i])
            ts_fail("message %lld came as number %zu, where %lld was due", (long long)lease.id, i,
                    (long long)ids[i]);
    }
}

static inline long long
story_stored(const struct story *s)
{
    return ts_int(s->sql, "SELECT count(*) FROM pgqrs_messages");
}

/* The only message of a list, which is freed with `list`. */
static inline const pgqrs_message *
story_only(const pgqrs_message_list *list)
{
    if (pgqrs_message_list_count(list) != 1)
        ts_fail("%zu messages came instead of one", pgqrs_message_list_count(list));
    return pgqrs_message_list_at(list, 0);
}

static inline int
story_slice_is(pgqrs_slice slice, const char *expected)
{
    return slice.data != NULL && slice.size == strlen(expected) &&
           memcmp(slice.data, expected, slice.size) == 0;
}

/* Asserts that the last failure's message has `part` in it. */
static inline void
story_expect_message(const struct story *s, const char *part)
{
    if (strstr(pgqrs_error_message(s->err), part) == NULL)
        ts_fail("\"%s\" does not say \"%s\"", pgqrs_error_message(s->err), part);
}

/* Makes the lease on message `id` run out, in whichever lane it is. */
static inline void
story_expire(const struct story *s, int64_t id)
{
    ts_sql(s->sql,
           "UPDATE pgqrs_messages SET vt = clock_timestamp() - interval '1 ms' WHERE id = %lld",
           (long long)id);
}

#endif
