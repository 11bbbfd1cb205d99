/*
 * Many threads share one client, with a producer and a consumer between them: all calls at once,
 * and each message is finished once. To be run with -Db_sanitize=thread as well.
 */
#include "crowd.h"

#include <pthread.h>

#include <pgqrs/admin.h>
#include <pgqrs/archive.h>
#include <pgqrs/registration.h>

#define THREADS 8
#define LEASE_MS 60000
#define MAX_BATCH 16

/* What all threads see. */
struct story {
    struct hands hands; /* but for the error, which is not shared */
    int each, total;
    uint64_t seed;
    int ledger;
    atomic_long finished;
};

struct thread {
    pthread_t id;
    int number;
    struct story *story;
    pgqrs_error *err;
    uint64_t random;
    int left; /* messages that it has still to send */
};

static void
send_some(struct thread *thread)
{
    struct story *story = thread->story;
    pgqrs_enqueue_options options[MAX_BATCH];
    const pgqrs_enqueue_options *given[MAX_BATCH] = { NULL };
    pgqrs_slice payloads[MAX_BATCH] = { { NULL, 0 } };
    pgqrs_enqueued enqueued[MAX_BATCH];
    char keys[MAX_BATCH][32];
    int count = crowd_random(&thread->random, 1, MAX_BATCH);

    if (count > thread->left)
        count = thread->left;
    for (int i = 0; i < count; i++) {
        options[i] = (pgqrs_enqueue_options)PGQRS_ENQUEUE_OPTIONS_INIT;
        snprintf(keys[i], sizeof(keys[i]), "%d-%d", thread->number, thread->left - i);
        payloads[i] = pgqrs_slice_of("1");
        given[i] = crowd_random(&thread->random, 0, 2) == 0 ? &options[i] : NULL;
        options[i].priority = crowd_random(&thread->random, -1, 1);
        options[i].delay_ms = crowd_random(&thread->random, 0, 30);
        if (crowd_random(&thread->random, 0, 1) == 0)
            options[i].idempotency_key = pgqrs_slice_of(keys[i]);
    }
    TS_OK(pgqrs_producer_enqueue_batch(story->hands.producer, payloads, given, (size_t)count,
                                       enqueued, thread->err),
          thread->err);
    for (int i = 0; i < count; i++)
        TS_TRUE(enqueued[i].id > 0 && !enqueued[i].duplicate);
    thread->left -= count;
}

/* Releases some, fails some, and finishes the rest. Returns 1 if the message is finished. */
static int
end_one(struct thread *thread, pgqrs_lease lease)
{
    pgqrs_consumer *consumer = thread->story->hands.consumer;
    pgqrs_fail_options options = PGQRS_FAIL_OPTIONS_INIT;
    pgqrs_message_list *list = NULL;

    options.delay_ms = crowd_random(&thread->random, 1, 20);
    switch (crowd_random(&thread->random, 0, 9)) {
    case 0:
        TS_OK(pgqrs_consumer_release(consumer, lease, options.delay_ms, thread->err), thread->err);
        return 0;
    case 1:
        TS_OK(pgqrs_consumer_fail(consumer, lease, &options, NULL, thread->err), thread->err);
        return 0;
    case 2:
        TS_OK(pgqrs_consumer_extend_visibility(consumer, lease, LEASE_MS, thread->err),
              thread->err);
        break;
    case 3:
        TS_OK(pgqrs_consumer_lease(consumer, lease.id, PGQRS_LEASE_TAKE_OVER, &list, thread->err),
              thread->err);
        TS_IS(PGQRS_ELEASELOST, pgqrs_consumer_delete(consumer, lease, thread->err), thread->err);
        lease = pgqrs_message_lease(pgqrs_message_list_at(list, 0));
        pgqrs_message_list_free(list);
        break;
    default:
        break;
    }
    TS_OK(pgqrs_consumer_archive(consumer, lease, pgqrs_slice_of("1"), thread->err), thread->err);
    return 1;
}

static void
take_some(struct thread *thread)
{
    struct story *story = thread->story;
    int64_t asked_us = crowd_now_us(), got_us;
    pgqrs_message_list *list = NULL;

    TS_OK(pgqrs_consumer_dequeue_batch(story->hands.consumer,
                                       (size_t)crowd_random(&thread->random, 1, MAX_BATCH), NULL,
                                       &list, thread->err),
          thread->err);
    got_us = crowd_now_us();
    for (size_t i = 0; i < pgqrs_message_list_count(list); i++) {
        const pgqrs_message *message = pgqrs_message_list_at(list, i);
        struct claim claim = {
            .id = message->id, .token = message->lease_token, .asked_us = asked_us, .got_us = got_us
        };

        claim.ended_us = crowd_now_us();
        claim.finished = end_one(thread, pgqrs_message_lease(message));
        claim.accepted = 1;
        ledger_write(story->ledger, &claim, 1);
        atomic_fetch_add(&story->finished, claim.finished);
    }
    pgqrs_message_list_free(list);
}

/* A producer and a consumer of its own for a moment, on a queue that every thread opens. */
static void
come_and_go(struct thread *thread)
{
    pgqrs_client *client = thread->story->hands.client;
    pgqrs_producer_options limited = PGQRS_PRODUCER_OPTIONS_INIT;
    pgqrs_producer *producer;
    pgqrs_consumer *consumer;
    pgqrs_message_list *list;
    int64_t worker;

    limited.max_messages_per_second = 1000000;
    TS_OK(pgqrs_registration_add(client, pgqrs_slice_of("jobs"), &worker, thread->err),
          thread->err);
    TS_OK(pgqrs_producer_open(client, pgqrs_slice_of("side"), &limited, &producer, thread->err),
          thread->err);
    TS_OK(pgqrs_consumer_open(client, pgqrs_slice_of("side"), NULL, &consumer, thread->err),
          thread->err);
    TS_OK(pgqrs_producer_enqueue(producer, pgqrs_slice_of("1"), NULL, NULL, thread->err),
          thread->err);
    TS_OK(pgqrs_consumer_dequeue(consumer, &list, thread->err), thread->err);
    for (size_t i = 0; i < pgqrs_message_list_count(list); i++)
        TS_OK(pgqrs_consumer_delete(consumer, pgqrs_message_lease(pgqrs_message_list_at(list, i)),
                                    thread->err),
              thread->err);
    pgqrs_message_list_free(list);
    pgqrs_producer_close(producer);
    pgqrs_consumer_close(consumer);
    TS_OK(pgqrs_registration_touch(client, worker, thread->err), thread->err);
    TS_OK(pgqrs_registration_remove(client, worker, thread->err), thread->err);
}

static void
look_around(struct thread *thread)
{
    pgqrs_client *client = thread->story->hands.client;
    pgqrs_archive_list *archived;
    pgqrs_archive_counts done = PGQRS_ARCHIVE_COUNTS_INIT;
    pgqrs_queue_counts counts = PGQRS_QUEUE_COUNTS_INIT;
    pgqrs_queue_list *queues;
    pgqrs_report *report;

    TS_OK(pgqrs_queue_list_all(client, &queues, thread->err), thread->err);
    TS_TRUE(pgqrs_queue_list_count(queues) == 2);
    TS_OK(pgqrs_queue_count(client, pgqrs_slice_of("jobs"), &counts, thread->err), thread->err);
    TS_OK(pgqrs_archive_count(client, pgqrs_slice_of("jobs"), &done, thread->err), thread->err);
    TS_TRUE(done.dead == 0);
    TS_OK(pgqrs_archive_page(client, pgqrs_slice_of("jobs"), NULL, &archived, thread->err),
          thread->err);
    TS_OK(pgqrs_admin_verify(client, &report, thread->err), thread->err);
    pgqrs_archive_list_free(archived);
    pgqrs_queue_list_free(queues);
    pgqrs_report_free(report);
}

static void *
work(void *context)
{
    struct thread *thread = context;
    struct story *story = thread->story;

    while (atomic_load(&story->finished) < story->total) {
        int what = crowd_random(&thread->random, 0, 99);

        if (what < 4)
            come_and_go(thread);
        else if (what < 6)
            look_around(thread);
        else if (what < 50 && thread->left > 0)
            send_some(thread);
        else
            take_some(thread);
    }
    return NULL;
}

TEST(eight_threads_share_one_client_and_finish_each_message_once)
{
    char *dsn = ts_database();
    PGconn *sql = ts_connect(dsn);
    struct thread threads[THREADS];
    struct story story = { .each = crowd_scale(400) };

    (void)state;
    story.total = story.each * THREADS;
    story.seed = crowd_seed();
    story.ledger = ledger_open();
    crowd_make_queue(dsn);
    hands_open(&story.hands, dsn, LEASE_MS);
    TS_OK(
        pgqrs_queue_create(story.hands.client, pgqrs_slice_of("side"), NULL, NULL, story.hands.err),
        story.hands.err);
    for (int i = 0; i < THREADS; i++) {
        threads[i] = (struct thread){ .number = i,
                                      .story = &story,
                                      .err = pgqrs_error_new(),
                                      .random = crowd_state(story.seed, i),
                                      .left = story.each };
        TS_TRUE(pthread_create(&threads[i].id, NULL, work, &threads[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        TS_TRUE(pthread_join(threads[i].id, NULL) == 0);
        pgqrs_error_free(threads[i].err);
    }
    ledger_check(story.ledger, story.total);
    ts_sql(sql, "DELETE FROM pgqrs_messages WHERE queue_id <> (SELECT id FROM pgqrs_queues WHERE "
                "queue_name = 'jobs')");
    crowd_check_archive(sql, story.total);
    hands_close(&story.hands);
    PQfinish(sql);
    free(dsn);
}

TEST_MAIN(NULL, NULL)
