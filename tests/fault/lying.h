/*
 * What the tests with a fake server share.
 *
 * A server that answers wrongly: whatever it says, and whenever, no call crashes, none outlasts its
 * deadline, each failure says what happened, and the client goes on when the server tells the truth
 * again.
 *
 * Each lie of the fake server is told at the first place of a call where it can be, then at the
 * second, and so on until the call ends without it.
 */
#ifndef TESTS_FAULT_LYING_H
#define TESTS_FAULT_LYING_H

#include "running.h"

#include <signal.h>

#include "fake_server.h"

#define PATIENCE_S 60 /* beyond that a call is taken to hang */
#define BATCH 100     /* is copied */
#define TRIES 20
#define PLACES 8
#define ENDLESS_PLACES 2

static ts_fake_server *fake;

/* For the message of a call that hangs. */
static volatile const char *present_call = "", *present_lie = "";
static volatile int present_place;

struct lied {
    struct story *s;
    pgqrs_client *client;
    pgqrs_producer *producer;
    pgqrs_consumer *consumer;
};

typedef pgqrs_status call(struct lied *l, pgqrs_error *err);

/* SIGALRM: written without stdio, then ended as by a crash. */
static inline void
hangs(int number)
{
    const char *parts[] = { "\nhangs: ", (const char *)(uintptr_t)present_call, ", lie ",
                            (const char *)(uintptr_t)present_lie, ", place " };
    char digit = (char)('a' + present_place);

    (void)number;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (write(STDERR_FILENO, parts[i], strlen(parts[i])) < 0)
            break;
    if (write(STDERR_FILENO, &digit, 1) > 0)
        abort();
    abort();
}

static inline pgqrs_client *
try_client(struct story *s, pgqrs_error *err)
{
    pgqrs_client *client = NULL;
    pgqrs_config *config;

    TS_OK(pgqrs_config_new(&config, s->err), s->err);
    TS_OK(pgqrs_config_set(config, text("dsn"), text(ts_fake_server_dsn(fake)), s->err), s->err);
    TS_OK(pgqrs_config_set(config, text("connection_timeout_seconds"), text("1"), s->err), s->err);
    TS_OK(pgqrs_config_set(config, text("operation_timeout_ms"), text("400"), s->err), s->err);
    TS_OK(pgqrs_config_set(config, text("max_connections"), text("1"), s->err), s->err);
    (void)pgqrs_client_open(config, &client, err);
    pgqrs_config_free(config);
    return client;
}

static inline pgqrs_status
open_client(struct lied *l, pgqrs_error *err)
{
    pgqrs_client *client = try_client(l->s, err);

    pgqrs_client_close(client);
    return client != NULL ? PGQRS_OK : pgqrs_error_status(err);
}

static inline pgqrs_status
open_queue(struct lied *l, pgqrs_error *err)
{
    pgqrs_producer *producer = NULL;
    pgqrs_client *client = try_client(l->s, err);
    pgqrs_status status;

    if (client == NULL)
        return pgqrs_error_status(err);
    status = pgqrs_producer_open(client, text("jobs"), NULL, &producer, err);
    pgqrs_producer_close(producer);
    pgqrs_client_close(client);
    return status;
}

static inline pgqrs_status
enqueue(struct lied *l, pgqrs_error *err)
{
    return pgqrs_producer_enqueue(l->producer, text("1"), NULL, NULL, err);
}

static inline pgqrs_status
enqueue_batch(struct lied *l, pgqrs_error *err)
{
    static const pgqrs_slice payloads[3] = { { "1", 1 }, { "2", 1 }, { "3", 1 } };
    pgqrs_enqueued out[3];

    return pgqrs_producer_enqueue_batch(l->producer, payloads, NULL, 3, out, err);
}

static inline pgqrs_status
copy(struct lied *l, pgqrs_error *err)
{
    pgqrs_slice payloads[BATCH];
    pgqrs_enqueued out[BATCH];

    for (size_t i = 0; i < BATCH; i++)
        payloads[i] = text("1");
    return pgqrs_producer_enqueue_batch(l->producer, payloads, NULL, BATCH, out, err);
}

static inline pgqrs_status
dequeue(struct lied *l, pgqrs_error *err)
{
    pgqrs_message_list *list = NULL;
    pgqrs_status status;

    ts_sql(l->s->sql,
           "INSERT INTO " READY " (payload) SELECT '{\"a\": 1}' FROM generate_series(1, 3)");
    status = pgqrs_consumer_dequeue_batch(l->consumer, 2, NULL, &list, err);
    pgqrs_message_list_free(list);
    return status;
}

static inline pgqrs_status
archive(struct lied *l, pgqrs_error *err)
{
    pgqrs_message_list *list = NULL;
    pgqrs_lease leases[2];
    pgqrs_status results[2], status;
    size_t count;

    for (int i = 0; i < 2; i++)
        story_send(l->s, "1");
    list = story_take(l->s, l->s->consumer, 2);
    count = pgqrs_message_list_count(list);
    for (size_t i = 0; i < count; i++)
        leases[i] = pgqrs_message_lease(pgqrs_message_list_at(list, i));
    status = pgqrs_consumer_archive_batch(l->consumer, leases, NULL, count, results, err);
    pgqrs_message_list_free(list);
    return status;
}

static inline pgqrs_status
look(struct lied *l, pgqrs_error *err)
{
    pgqrs_queue_list *list = NULL;
    pgqrs_status status = pgqrs_queue_list_all(l->client, &list, err);

    pgqrs_queue_list_free(list);
    return status;
}

/* A client, a producer and a consumer that are told the truth so far. On a busy machine their short
 * deadlines may pass all the same. */
static inline struct lied
begin(struct story *s)
{
    struct lied l = {
        .s = s,
    };
    pgqrs_consumer_options options = PGQRS_CONSUMER_OPTIONS_INIT;

    options.lease_ms = STORY_LEASE_MS;
    for (int i = 0; i < TRIES && l.client == NULL; i++)
        l.client = try_client(s, s->err);
    TS_TRUE(l.client != NULL);
    for (int i = 0; i < TRIES && l.producer == NULL; i++)
        (void)pgqrs_producer_open(l.client, text("jobs"), NULL, &l.producer, s->err);
    for (int i = 0; i < TRIES && l.consumer == NULL; i++)
        (void)pgqrs_consumer_open(l.client, text("jobs"), &options, &l.consumer, s->err);
    TS_TRUE(l.producer != NULL && l.consumer != NULL);
    return l;
}

static inline void
end(struct lied *l)
{
    pgqrs_producer_close(l->producer);
    pgqrs_consumer_close(l->consumer);
    pgqrs_client_close(l->client);
}

/* A connection that took a lie and looked intact is closed when the next call runs. */
static inline void
expect_truth(struct lied *l, pgqrs_error *err)
{
    pgqrs_status status = PGQRS_EUNKNOWN;

    for (int i = 0; i < TRIES && status != PGQRS_OK; i++)
        status = enqueue(l, err);
    TS_IS(PGQRS_OK, status, err);
}

/* One fake server for all stories. */
static inline void
ready_to_lie(struct story *s)
{
    if (fake == NULL)
        fake = ts_fake_server_start(s->dsn);
    signal(SIGALRM, hangs);
}

/* Tells the lie at one place. Returns 0 if the call ended without it. */
static inline int
lie_once(struct story *s, const char *name, call *function, int lie, int place)
{
    struct lied l = begin(s);
    pgqrs_error *err = pgqrs_error_new();
    pgqrs_status status;
    int lied;

    present_call = name;
    present_lie = ts_lie_at(lie)->name;
    present_place = place;
    ts_fake_server_arm(fake, lie, place);
    alarm(PATIENCE_S);
    status = function(&l, err);
    alarm(0);
    lied = ts_fake_server_has_lied(fake);
    if (!lied && status != PGQRS_OK && strstr(pgqrs_error_message(err), "deadline") == NULL)
        ts_fail("%s without a lie: %s", name, pgqrs_error_message(err));
    if (status != PGQRS_OK &&
        (strlen(pgqrs_error_message(err)) < 20 || status != pgqrs_error_status(err)))
        ts_fail("%s, lie %s, place %d: \"%s\"", name, ts_lie_at(lie)->name, place,
                pgqrs_error_message(err));
    ts_fake_server_disarm(fake);
    expect_truth(&l, err);
    pgqrs_error_free(err);
    end(&l);
    return lied;
}

static inline void
tell_all_lies(struct story *s, const char *name, call *function)
{
    int told = 0;

    ready_to_lie(s);
    for (int lie = 0; lie < ts_lie_count; lie++) {
        int places = ts_lie_at(lie)->is_endless ? ENDLESS_PLACES : PLACES;

        for (int place = 0; place < places && lie_once(s, name, function, lie, place); place++)
            told++;
        ts_sql(s->sql, "DELETE FROM pgqrs_messages");
    }
    TS_TRUE(told >= 40);
}

/* libpq drops the result that it is making when the server begins a COPY or another result in the
 * middle of it. What this library does with whole results is looked at by the memory suite. */
const char *__lsan_default_suppressions(void);

const char *
__lsan_default_suppressions(void)
{
    return "leak:libpq.so";
}

#endif
