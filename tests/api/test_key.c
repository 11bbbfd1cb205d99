/*
 * Idempotency keys: the same key enqueues once, for all producers, until it expires.
 */
#include "story.h"

#include <pgqrs/transaction.h>

#include <unistd.h>

#include "../../src/client.h"
#include "queue/queue.h"

static pgqrs_enqueued
send_keyed(struct story *s, pgqrs_producer *producer, const char *json, const char *key)
{
    pgqrs_enqueue_options options = PGQRS_ENQUEUE_OPTIONS_INIT;
    pgqrs_enqueued enqueued;

    options.idempotency_key = text(key);
    TS_OK(pgqrs_producer_enqueue(producer, text(json), &options, &enqueued, s->err), s->err);
    return enqueued;
}

STORY_TEST(the_same_key_enqueues_once)
{
    struct story *s = *state;
    pgqrs_enqueued first = send_keyed(s, s->producer, "1", "order 1"), again, other;

    assert_int_equal(first.duplicate, 0);
    again = send_keyed(s, s->producer, "2", "order 1");
    assert_int_equal(again.duplicate, 1);
    assert_int_equal(again.id, first.id);
    other = send_keyed(s, s->producer, "3", "order 2");
    assert_int_equal(other.duplicate, 0);
    assert_int_equal(story_stored(s), 2);
    assert_int_equal(ts_int(s->sql, "SELECT payload::int FROM pgqrs_messages WHERE id = %lld",
                            (long long)first.id),
                     1);
}

STORY_TEST(a_key_outlives_its_message)
{
    struct story *s = *state;
    pgqrs_enqueued first = send_keyed(s, s->producer, "1", "k"), again;

    TS_OK(pgqrs_consumer_delete(s->consumer, story_take_one(s, s->consumer), s->err), s->err);
    again = send_keyed(s, s->producer, "1", "k");
    assert_int_equal(again.duplicate, 1);
    assert_int_equal(again.id, first.id);
    assert_int_equal(story_stored(s), 0);
}

STORY_TEST(a_key_belongs_to_one_queue)
{
    struct story *s = *state;
    pgqrs_producer *elsewhere;

    TS_OK(pgqrs_queue_create(s->client, text("other"), NULL, NULL, s->err), s->err);
    TS_OK(pgqrs_producer_open(s->client, text("other"), NULL, &elsewhere, s->err), s->err);
    send_keyed(s, s->producer, "1", "k");
    assert_int_equal(send_keyed(s, elsewhere, "1", "k").duplicate, 0);
    assert_int_equal(story_stored(s), 2);
    pgqrs_producer_close(elsewhere);
}

STORY_TEST(a_key_twice_in_one_batch_enqueues_the_first)
{
    struct story *s = *state;
    pgqrs_slice payloads[] = { text("0"), text("1"), text("2"), text("3"), text("4") };
    pgqrs_enqueue_options a = PGQRS_ENQUEUE_OPTIONS_INIT, b = PGQRS_ENQUEUE_OPTIONS_INIT;
    const pgqrs_enqueue_options *options[] = { &b, &a, NULL, &a, &b };
    pgqrs_enqueued enqueued[5];

    a.idempotency_key = text("a");
    b.idempotency_key = text("b");
    TS_OK(pgqrs_producer_enqueue_batch(s->producer, payloads, options, 5, enqueued, s->err),
          s->err);
    assert_int_equal(enqueued[0].duplicate + enqueued[1].duplicate + enqueued[2].duplicate, 0);
    assert_int_equal(enqueued[3].duplicate, 1);
    assert_int_equal(enqueued[3].id, enqueued[1].id);
    assert_int_equal(enqueued[4].duplicate, 1);
    assert_int_equal(enqueued[4].id, enqueued[0].id);
    assert_int_equal(
        ts_int(s->sql, "SELECT string_agg(payload::text, '' ORDER BY id)::int FROM pgqrs_messages"),
        12);
}

STORY_TEST(an_expired_key_enqueues_anew)
{
    struct story *s = *state;
    pgqrs_producer_options options = PGQRS_PRODUCER_OPTIONS_INIT;
    pgqrs_producer *forgetful;
    pgqrs_enqueued first, second;

    options.key_retention_ms = 50;
    TS_OK(pgqrs_producer_open(s->client, text("jobs"), &options, &forgetful, s->err), s->err);
    first = send_keyed(s, forgetful, "1", "k");
    ts_wait_until(s->sql, STORY_WAIT_MS, "SELECT expires_at < clock_timestamp() FROM pgqrs_keys");
    second = send_keyed(s, forgetful, "2", "k");
    assert_int_equal(second.duplicate, 0);
    assert_true(second.id > first.id);
    assert_int_equal(ts_int(s->sql, "SELECT message_id FROM pgqrs_keys"), second.id);
    assert_int_equal(story_stored(s), 2);
    pgqrs_producer_close(forgetful);
}

STORY_TEST(a_key_is_kept_for_a_day_unless_told_otherwise)
{
    struct story *s = *state;

    send_keyed(s, s->producer, "1", "k");
    assert_int_equal(ts_int(s->sql, "SELECT expires_at - clock_timestamp() BETWEEN interval '23 h "
                                    "59 min' AND interval '24 h' FROM pgqrs_keys"),
                     1);
}

struct sender {
    struct story *s;
    pgqrs_enqueued enqueued;
    pgqrs_status status;
};

static void *
send_the_key(void *argument)
{
    struct sender *sender = argument;
    pgqrs_enqueue_options options = PGQRS_ENQUEUE_OPTIONS_INIT;

    options.idempotency_key = text("k");
    sender->status = pgqrs_producer_enqueue(sender->s->producer, text("\"late\""), &options,
                                            &sender->enqueued, NULL);
    return NULL;
}

/* Another transaction holds the key "k" open while a producer sends it; how it ends is `verb`. */
static pgqrs_enqueued
send_while_another_holds_the_key(struct story *s, const char *verb)
{
    struct sender sender = { .s = s };
    PGconn *other = ts_connect(s->dsn);
    pthread_t thread;

    ts_sql(other,
           "BEGIN; INSERT INTO pgqrs_keys VALUES (1, 'k', 4711, 0, now() + interval '1 day')");
    pthread_create(&thread, NULL, send_the_key, &sender);
    ts_wait_until(s->sql, STORY_WAIT_MS,
                  "SELECT count(*) > 0 FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE "
                  "datname = current_database() AND NOT granted");
    ts_sql(other, "%s", verb);
    pthread_join(thread, NULL);
    TS_OK(sender.status, NULL);
    PQfinish(other);
    return sender.enqueued;
}

STORY_TEST(who_waits_for_a_key_that_is_committed_gets_its_message)
{
    struct story *s = *state;
    pgqrs_enqueued enqueued = send_while_another_holds_the_key(s, "COMMIT");

    assert_int_equal(enqueued.duplicate, 1);
    assert_int_equal(enqueued.differs, 1);
    assert_int_equal(enqueued.id, 4711);
    assert_int_equal(story_stored(s), 0);
}

STORY_TEST(who_waits_for_a_key_that_is_rolled_back_enqueues)
{
    struct story *s = *state;
    pgqrs_enqueued enqueued = send_while_another_holds_the_key(s, "ROLLBACK");

    assert_int_equal(enqueued.duplicate, 0);
    assert_int_equal(ts_int(s->sql, "SELECT id FROM pgqrs_messages"), enqueued.id);
}

/* Many threads, one key: one message, and every thread gets its id. */
STORY_TEST(of_many_who_send_a_key_at_once_one_enqueues)
{
    enum { THREADS = 8 };
    struct story *s = *state;

    for (int round = 0; round < 10; round++) {
        struct sender senders[THREADS];
        pthread_t threads[THREADS];
        int fresh = 0;

        ts_sql(s->sql, "DELETE FROM pgqrs_keys; DELETE FROM pgqrs_messages");
        for (int i = 0; i < THREADS; i++) {
            senders[i].s = s;
            pthread_create(&threads[i], NULL, send_the_key, &senders[i]);
        }
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        for (int i = 0; i < THREADS; i++) {
            TS_OK(senders[i].status, NULL);
            assert_int_equal(senders[i].enqueued.id, senders[0].enqueued.id);
            fresh += !senders[i].enqueued.duplicate;
        }
        assert_int_equal(fresh, 1);
        assert_int_equal(story_stored(s), 1);
    }
}

#define DATABASE_STATISTIC(what)                                                                   \
    "SELECT " what " FROM pg_stat_database WHERE datname = current_database()"

struct crossing {
    struct story *s;
    int backwards;
    int failures;
};

enum { CROSSING_ROUNDS = 60, CROSSING_KEYS = 40 };

static void *
send_keys_in_order(void *argument)
{
    struct crossing *crossing = argument;
    char keys[CROSSING_KEYS][32];
    pgqrs_enqueue_options options[CROSSING_KEYS];
    const pgqrs_enqueue_options *pointers[CROSSING_KEYS];
    pgqrs_slice payloads[CROSSING_KEYS];

    for (int round = 0; round < CROSSING_ROUNDS; round++) {
        for (int i = 0; i < CROSSING_KEYS; i++) {
            int number = crossing->backwards ? CROSSING_KEYS - 1 - i : i;

            snprintf(keys[i], sizeof(keys[i]), "%d-%d", round, number);
            options[i] = (pgqrs_enqueue_options)PGQRS_ENQUEUE_OPTIONS_INIT;
            options[i].idempotency_key = text(keys[i]);
            pointers[i] = &options[i];
            payloads[i] = text("1");
        }
        if (pgqrs_producer_enqueue_batch(crossing->s->producer, payloads, pointers, CROSSING_KEYS,
                                         NULL, NULL) != PGQRS_OK)
            crossing->failures++;
    }
    return NULL;
}

/* The library repeats what a deadlock rolled back, so the server is asked whether there was one. */
STORY_TEST(batches_with_keys_in_opposite_orders_do_not_deadlock)
{
    struct story *s = *state;
    struct crossing crossings[2] = { { s, 0, 0 }, { s, 1, 0 } };
    long long commits = ts_int(s->sql, DATABASE_STATISTIC("xact_commit"));
    long long deadlocks = ts_int(s->sql, DATABASE_STATISTIC("deadlocks"));
    pthread_t threads[2];

    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, send_keys_in_order, &crossings[i]);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(crossings[0].failures + crossings[1].failures, 0);
    assert_int_equal(story_stored(s), CROSSING_ROUNDS * CROSSING_KEYS);
    pgqrs_producer_close(s->producer);
    s->producer = NULL;
    pgqrs_consumer_close(s->consumer);
    s->consumer = NULL;
    pgqrs_client_close(s->client); /* its sessions report their statistics when they end */
    s->client = NULL;
    ts_wait_until(s->sql, STORY_WAIT_MS, DATABASE_STATISTIC("xact_commit > %lld"),
                  commits + 2 * CROSSING_ROUNDS);
    assert_int_equal(ts_int(s->sql, DATABASE_STATISTIC("deadlocks")), deadlocks);
}

/* The key was given to two messages: the one that is stored, and another, which is not. */
STORY_TEST(the_same_key_with_another_payload_is_told)
{
    struct story *s = *state;
    pgqrs_slice payloads[] = { text("{\"a\": 1, \"b\": 2}"), text("{\"b\":2,\"a\":1}"), text("3"),
                               text("4") };
    pgqrs_enqueue_options k = PGQRS_ENQUEUE_OPTIONS_INIT, l = PGQRS_ENQUEUE_OPTIONS_INIT;
    const pgqrs_enqueue_options *options[] = { &k, &k, &k, &l };
    PGconn *own = ts_connect(s->dsn);
    pgqrs_enqueued enqueued[4];

    k.idempotency_key = text("k");
    l.idempotency_key = text("l");
    /* In one batch: the spelling of a value is no difference. */
    TS_OK(pgqrs_producer_enqueue_batch(s->producer, payloads, options, 4, enqueued, s->err),
          s->err);
    assert_int_equal(enqueued[0].differs + enqueued[1].differs + enqueued[3].differs, 0);
    assert_int_equal(enqueued[1].duplicate, 1);
    assert_int_equal(enqueued[2].duplicate + enqueued[2].differs, 2);
    /* One by one, and in another batch, */
    assert_int_equal(send_keyed(s, s->producer, "{\"b\": 2, \"a\": 1}", "k").differs, 0);
    assert_int_equal(send_keyed(s, s->producer, "5", "k").differs, 1);
    TS_OK(pgqrs_producer_enqueue_batch(s->producer, payloads, options, 4, enqueued, s->err),
          s->err);
    assert_int_equal(enqueued[0].differs + enqueued[1].differs + enqueued[3].differs, 0);
    assert_int_equal(enqueued[2].duplicate + enqueued[2].differs, 2);
    /* in a transaction of the caller's, */
    ts_sql(own, "BEGIN");
    TS_OK(pgqrs_producer_enqueue_on(s->producer, own, text("4"), &l, enqueued, s->err), s->err);
    assert_int_equal(enqueued[0].duplicate, 1);
    assert_int_equal(enqueued[0].differs, 0);
    TS_OK(pgqrs_producer_enqueue_on(s->producer, own, text("6"), &l, enqueued, s->err), s->err);
    assert_int_equal(enqueued[0].duplicate + enqueued[0].differs, 2);
    ts_sql(own, "ROLLBACK");
    PQfinish(own);
    /* and long after the message is done. */
    TS_OK(pgqrs_consumer_delete(s->consumer, story_take_one(s, s->consumer), s->err), s->err);
    assert_int_equal(send_keyed(s, s->producer, "{\"b\": 2, \"a\": 1}", "k").differs, 0);
    assert_int_equal(send_keyed(s, s->producer, "5", "k").differs, 1);
}

/* Those that wait for each other in one statement: see queue/coalesce.h. */
STORY_TEST(of_threads_with_one_key_those_with_another_payload_are_told)
{
    enum { THREADS = 8 };
    struct story *s = *state;
    struct sender senders[THREADS];
    pthread_t threads[THREADS];

    send_keyed(s, s->producer, "\"first\"", "k");
    for (int i = 0; i < THREADS; i++) {
        senders[i] = (struct sender){ .s = s };
        pthread_create(&threads[i], NULL, send_the_key, &senders[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        TS_OK(senders[i].status, NULL);
        assert_int_equal(senders[i].enqueued.duplicate + senders[i].enqueued.differs, 2);
    }
}

STORY_TEST(the_key_of_what_was_never_done_can_be_used_again)
{
    struct story *s = *state;
    pgqrs_fail_options for_good = PGQRS_FAIL_OPTIONS_INIT;
    pgqrs_lease lease;

    for_good.mode = PGQRS_FAIL_FOR_GOOD;
    for (int is_leased = 0; is_leased < 2; is_leased++) {
        int64_t id = send_keyed(s, s->producer, "1", "cancelled").id;

        if (is_leased)
            assert_int_equal(story_take_one(s, s->consumer).id, id);
        TS_OK(pgqrs_message_cancel(s->client, text("jobs"), id, s->err), s->err);
        id = send_keyed(s, s->producer, "1", "removed").id;
        if (is_leased)
            assert_int_equal(story_take_one(s, s->consumer).id, id);
        TS_OK(pgqrs_message_remove(s->client, text("jobs"), id, s->err), s->err);
        TS_IS(PGQRS_ENOMESSAGE, pgqrs_message_remove(s->client, text("jobs"), id, s->err), s->err);
        assert_int_equal(
            ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive WHERE id = %lld", (long long)id), 0);
    }
    assert_int_equal(send_keyed(s, s->producer, "1", "dead").duplicate, 0);
    lease = story_take_one(s, s->consumer);
    TS_OK(pgqrs_consumer_fail(s->consumer, lease, &for_good, NULL, s->err), s->err);
    assert_int_equal(send_keyed(s, s->producer, "2", "dead").duplicate, 0);
    TS_OK(pgqrs_consumer_archive(s->consumer, story_take_one(s, s->consumer), text("1"), s->err),
          s->err);
    assert_int_equal(send_keyed(s, s->producer, "2", "dead").duplicate, 1); /* which is done now */
}

/* A failed message keeps its key, and a cancelled one does not remove the key of another. */
STORY_TEST(a_key_is_forgotten_with_its_own_message_only)
{
    struct story *s = *state;
    int64_t first = send_keyed(s, s->producer, "1", "k").id;

    TS_OK(pgqrs_consumer_fail(s->consumer, story_take_one(s, s->consumer), NULL, NULL, s->err),
          s->err);
    assert_int_equal(send_keyed(s, s->producer, "1", "k").duplicate, 1);
    ts_sql(s->sql, "UPDATE pgqrs_keys SET message_id = 4711");
    TS_OK(pgqrs_message_cancel(s->client, text("jobs"), first, s->err), s->err);
    assert_int_equal(send_keyed(s, s->producer, "1", "k").id, 4711);
}

STORY_TEST(deleting_by_id_alone_frees_the_key_and_deleting_by_token_does_not)
{
    struct story *s = *state;
    char *id = ts_format("%lld", (long long)send_keyed(s, s->producer, "1", "k").id), *token;
    ts_result result;
    pgqrs_lease lease;

    ts_run_args(&result, NULL, ts_command(), "--dsn", s->dsn, "message", "delete", "jobs", id,
                NULL);
    assert_string_equal(result.err, "");
    ts_result_release(&result);
    free(id);
    assert_int_equal(send_keyed(s, s->producer, "1", "k").duplicate, 0);
    lease = story_take_one(s, s->consumer);
    id = ts_format("%lld", (long long)lease.id);
    token = ts_format("%lld", (long long)lease.token);
    ts_run_args(&result, NULL, ts_command(), "--dsn", s->dsn, "message", "delete", "jobs", id,
                "--token", token, NULL);
    assert_string_equal(result.err, "");
    ts_result_release(&result);
    assert_int_equal(send_keyed(s, s->producer, "1", "k").duplicate, 1);
    free(id);
    free(token);
}

/* As many expired keys as a busy day leaves. */
STORY_TEST(expired_keys_go_within_a_few_looks)
{
    struct story *s = *state;

    ts_sql(s->sql, "INSERT INTO pgqrs_keys SELECT 1, 'old ' || n, n, 0, now() - interval '1 s' "
                   "FROM generate_series(1, 25000) AS n");
    send_keyed(s, s->producer, "1", "new");
    s->client->queues->frontier.keys_ms = 0; /* it is time to look for them */
    for (int i = 0; i < 5; i++)
        pgqrs_message_list_free(story_take(s, s->consumer, 10));
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_keys"), 1);
    assert_int_equal(send_keyed(s, s->producer, "1", "new").duplicate, 1);
}

/* Its table is not even touched. */
STORY_TEST(purging_and_deleting_a_queue_leaves_the_keys_of_others)
{
    struct story *s = *state;
    PGconn *other = ts_connect(s->dsn);
    pgqrs_producer *elsewhere;

    TS_OK(pgqrs_queue_create(s->client, text("other"), NULL, NULL, s->err), s->err);
    TS_OK(pgqrs_producer_open(s->client, text("other"), NULL, &elsewhere, s->err), s->err);
    send_keyed(s, elsewhere, "1", "k");
    for (int i = 0; i < 2; i++) {
        send_keyed(s, s->producer, "1", "k");
        ts_sql(other, "BEGIN; LOCK TABLE pgqrs_keys_2 IN ACCESS EXCLUSIVE MODE");
        TS_OK((i == 0 ? pgqrs_queue_purge : pgqrs_queue_delete)(s->client, text("jobs"), s->err),
              s->err);
        ts_sql(other, "ROLLBACK");
        assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_keys"), 1);
    }
    assert_int_equal(send_keyed(s, elsewhere, "1", "k").duplicate, 1);
    pgqrs_producer_close(elsewhere);
    PQfinish(other);
}

TEST_MAIN(NULL, NULL)
