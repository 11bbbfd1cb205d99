/*
 * Many processes share a queue: each message is leased to one at a time, none is lost, and none is
 * finished twice.
 */
#include "crowd.h"

#define CONSUMERS 8
#define MAX_BATCH 200
#define LEASE_MS 60000

/* What the processes of one story see. */
struct story {
    char *dsn;
    uint64_t seed;
    int ledger;
    int total;    /* messages that will have to be finished */
    int each;     /* messages that each producer makes */
    int short_ms; /* the lease of those who sleep too long */
    struct {
        atomic_long finished;
        atomic_long transient; /* calls that failed and were repeated */
        atomic_llong results;  /* the sum of what was archived */
    } * shared;
};

static void
story_begin(struct story *story, char *dsn, int total)
{
    crowd_make_queue(dsn);
    *story = (struct story){ .dsn = dsn, .total = total, .short_ms = 30 };
    story->seed = crowd_seed();
    story->ledger = ledger_open();
    story->shared = crowd_memory(sizeof(*story->shared));
}

static void
story_end(struct story *story)
{
    munmap(story->shared, sizeof(*story->shared));
}

/* Under a strict isolation level a call may fail because of another transaction: the caller repeats
 * it. */
static int
done(struct story *story, struct hands *hands, pgqrs_status status)
{
    if (status == PGQRS_OK)
        return 1;
    if (!pgqrs_error_is_transient(hands->err) || status == PGQRS_EUNKNOWN)
        TS_OK(status, hands->err);
    atomic_fetch_add(&story->shared->transient, 1);
    return 0;
}

static void
note_claims(struct claim *claims, const pgqrs_message_list *list, int64_t asked_us)
{
    int64_t got_us = crowd_now_us();

    for (size_t i = 0; i < pgqrs_message_list_count(list); i++) {
        const pgqrs_message *message = pgqrs_message_list_at(list, i);

        claims[i] = (struct claim){
            .id = message->id, .token = message->lease_token, .asked_us = asked_us, .got_us = got_us
        };
    }
}

/* Archives all of a batch, each with its payload as its result. */
static void
archive_all(struct story *story, struct hands *hands, const pgqrs_message_list *list,
            struct claim *claims)
{
    pgqrs_lease leases[MAX_BATCH];
    pgqrs_slice results[MAX_BATCH];
    pgqrs_status statuses[MAX_BATCH];
    size_t count = pgqrs_message_list_count(list);

    for (size_t i = 0; i < count; i++) {
        leases[i] = pgqrs_message_lease(pgqrs_message_list_at(list, i));
        results[i] = pgqrs_message_list_at(list, i)->payload;
        claims[i].ended_us = crowd_now_us();
    }
    while (!done(story, hands,
                 pgqrs_consumer_archive_batch(hands->consumer, leases, results, count, statuses,
                                              hands->err)))
        ;
    for (size_t i = 0; i < count; i++) {
        TS_IS(PGQRS_OK, statuses[i], NULL);
        claims[i].accepted = claims[i].finished = 1;
    }
    ledger_write(story->ledger, claims, count);
    atomic_fetch_add(&story->shared->finished, (long)count);
}

/* Claims batches of random sizes until all messages are done, by any process. */
static void
consume_batches(void *context, int number)
{
    struct story *story = context;
    uint64_t random = crowd_state(story->seed, number);
    struct claim claims[MAX_BATCH];
    struct hands hands;

    hands_open(&hands, story->dsn, LEASE_MS);
    while (atomic_load(&story->shared->finished) < story->total) {
        size_t asked = (size_t)crowd_random(&random, 1, MAX_BATCH);
        int64_t asked_us = crowd_now_us();
        pgqrs_message_list *list = NULL;

        if (!done(story, &hands,
                  pgqrs_consumer_dequeue_batch(hands.consumer, asked, NULL, &list, hands.err)))
            continue;
        TS_TRUE(pgqrs_message_list_count(list) <= asked);
        note_claims(claims, list, asked_us);
        if (pgqrs_message_list_count(list) > 0)
            archive_all(story, &hands, list, claims);
        pgqrs_message_list_free(list);
    }
    hands_close(&hands);
}

static void
share_out(char *dsn, const char *through, int total)
{
    pid_t children[CONSUMERS];
    PGconn *sql = ts_connect(dsn);
    struct story story;
    struct hands hands;

    story_begin(&story, dsn, total);
    hands_open(&hands, dsn, LEASE_MS);
    crowd_send(&hands, 1, total);
    hands_close(&hands);
    if (through != NULL)
        story.dsn = (char *)(uintptr_t)through;
    for (int i = 0; i < CONSUMERS; i++)
        children[i] = crowd_spawn(consume_batches, &story, i);
    crowd_join(children, CONSUMERS, CROWD_TIMEOUT_MS);
    ledger_check(story.ledger, total);
    crowd_check_archive(sql, total);
    assert_int_equal(ts_int(sql, "SELECT sum(result::bigint) FROM pgqrs_archive"),
                     (long long)total * (total + 1) / 2);
    assert_int_equal(ts_int(sql, "SELECT max(read_ct) FROM pgqrs_archive"), 1);
    print_message("%ld calls had to be repeated\n", atomic_load(&story.shared->transient));
    story_end(&story);
    PQfinish(sql);
    free(dsn);
}

TEST(eight_processes_share_twenty_thousand_messages)
{
    (void)state;
    share_out(ts_database(), NULL, crowd_scale(20000));
}

/* Plain, delayed or with a priority, alone or a few at a time. */
static void
produce_mixture(void *context, int number)
{
    struct story *story = context;
    uint64_t random = crowd_state(story->seed, 100 + number);
    struct hands hands;

    hands_open(&hands, story->dsn, LEASE_MS);
    for (int sent = 0; sent < story->each;) {
        pgqrs_enqueue_options options[8];
        const pgqrs_enqueue_options *given[8];
        pgqrs_slice payloads[8];
        int count = crowd_random(&random, 1, 8);

        if (count > story->each - sent)
            count = story->each - sent;
        for (int i = 0; i < count; i++) {
            options[i] = (pgqrs_enqueue_options)PGQRS_ENQUEUE_OPTIONS_INIT;
            payloads[i] = pgqrs_slice_of("1");
            given[i] = crowd_random(&random, 0, 2) == 0 ? &options[i] : NULL;
            if (crowd_random(&random, 0, 1) == 0)
                options[i].delay_ms = crowd_random(&random, 1, 200);
            if (crowd_random(&random, 0, 1) == 0)
                options[i].priority = crowd_random(&random, -3, 3);
        }
        if (done(story, &hands,
                 pgqrs_producer_enqueue_batch(hands.producer, payloads, given, (size_t)count, NULL,
                                              hands.err)))
            sent += count;
    }
    hands_close(&hands);
}

/* One message ends in one of many ways. Returns what the library said. */
static pgqrs_status
end_somehow(struct hands *hands, pgqrs_lease lease, uint64_t *random, int *finishes)
{
    pgqrs_fail_options options = PGQRS_FAIL_OPTIONS_INIT;
    int way = crowd_random(random, 0, 19);

    *finishes = 0;
    if (way < 2)
        return pgqrs_consumer_release(hands->consumer, lease, crowd_random(random, 0, 20),
                                      hands->err);
    if (way < 4) {
        options.delay_ms = crowd_random(random, 0, 20);
        return pgqrs_consumer_fail(hands->consumer, lease, &options, NULL, hands->err);
    }
    *finishes = 1;
    return pgqrs_consumer_archive(hands->consumer, lease, pgqrs_slice_of("1"), hands->err);
}

static void
end_mixture(struct story *story, struct hands *hands, const pgqrs_message_list *list,
            struct claim *claims, uint64_t *random)
{
    for (size_t i = 0; i < pgqrs_message_list_count(list); i++) {
        pgqrs_lease lease = pgqrs_message_lease(pgqrs_message_list_at(list, i));
        pgqrs_status status;
        int finishes;

        do {
            claims[i].ended_us = crowd_now_us();
            status = end_somehow(hands, lease, random, &finishes);
        } while (status != PGQRS_ELEASELOST && !done(story, hands, status));
        claims[i].accepted = status == PGQRS_OK;
        claims[i].finished = claims[i].accepted && finishes;
        ledger_write(story->ledger, &claims[i], 1);
        atomic_fetch_add(&story->shared->finished, claims[i].finished);
    }
}

/* One batch in twenty gets a short lease, and the process sleeps for longer. */
static void
consume_mixture(void *context, int number)
{
    struct story *story = context;
    uint64_t random = crowd_state(story->seed, 200 + number);
    struct claim claims[16];
    struct hands hands;

    hands_open(&hands, story->dsn, LEASE_MS);
    while (atomic_load(&story->shared->finished) < story->total) {
        pgqrs_dequeue_options options = PGQRS_DEQUEUE_OPTIONS_INIT;
        int64_t asked_us = crowd_now_us();
        pgqrs_message_list *list = NULL;
        int sleeps = crowd_random(&random, 0, 19) == 0;

        if (sleeps)
            options.lease_ms = story->short_ms;
        if (!done(story, &hands,
                  pgqrs_consumer_dequeue_batch(hands.consumer, (size_t)crowd_random(&random, 1, 16),
                                               &options, &list, hands.err)))
            continue;
        note_claims(claims, list, asked_us);
        if (sleeps)
            usleep((useconds_t)(story->short_ms * 2000));
        end_mixture(story, &hands, list, claims, &random);
        pgqrs_message_list_free(list);
    }
    hands_close(&hands);
}

static void
mix(char *dsn, const char *through, int each)
{
    pid_t children[8];
    PGconn *sql = ts_connect(dsn);
    struct story story;

    story_begin(&story, dsn, 4 * each);
    story.each = each;
    if (through != NULL)
        story.dsn = (char *)(uintptr_t)through;
    for (int i = 0; i < 4; i++) {
        children[i] = crowd_spawn(produce_mixture, &story, i);
        children[4 + i] = crowd_spawn(consume_mixture, &story, i);
    }
    crowd_join(children, 8, CROWD_TIMEOUT_MS);
    ledger_check(story.ledger, story.total);
    crowd_check_archive(sql, story.total);
    print_message(
        "%ld calls had to be repeated; %lld leases ran out, %lld failures, %lld hand-outs\n",
        atomic_load(&story.shared->transient),
        ts_int(sql, "SELECT sum(crash_ct) FROM pgqrs_archive"),
        ts_int(sql, "SELECT sum(failed_ct) FROM pgqrs_archive"),
        ts_int(sql, "SELECT sum(read_ct) FROM pgqrs_archive"));
    story_end(&story);
    PQfinish(sql);
    free(dsn);
}

TEST(whatever_happens_to_them_all_messages_are_archived_once)
{
    (void)state;
    mix(ts_database(), NULL, crowd_scale(1500));
}

TEST(through_a_pooler_each_is_finished_once)
{
    char *dsn = ts_database();
    ts_pgbouncer *pooler = ts_pgbouncer_start(dsn);

    (void)state;
    share_out(dsn, ts_pgbouncer_dsn(pooler), crowd_scale(5000));
    ts_pgbouncer_stop(pooler);
}

TEST(through_a_pooler_whatever_happens_all_are_archived_once)
{
    char *dsn = ts_database();
    ts_pgbouncer *pooler = ts_pgbouncer_start(dsn);

    (void)state;
    mix(dsn, ts_pgbouncer_dsn(pooler), crowd_scale(500));
    ts_pgbouncer_stop(pooler);
}

/* A database whose owner has chosen a stricter isolation level for all sessions. */
static char *
strict_database(const char *level)
{
    char *dsn = ts_database();
    PGconn *sql = ts_connect(dsn);

    ts_sql(sql, "ALTER DATABASE %s SET default_transaction_isolation = '%s'", PQdb(sql), level);
    PQfinish(sql);
    return dsn;
}

TEST(under_repeatable_read_each_is_finished_once)
{
    (void)state;
    share_out(strict_database("repeatable read"), NULL, crowd_scale(5000));
}

TEST(under_repeatable_read_whatever_happens_all_are_archived_once)
{
    (void)state;
    mix(strict_database("repeatable read"), NULL, crowd_scale(300));
}

TEST(under_serializable_each_is_finished_once)
{
    (void)state;
    share_out(strict_database("serializable"), NULL, crowd_scale(5000));
}

TEST(under_serializable_whatever_happens_all_are_archived_once)
{
    (void)state;
    mix(strict_database("serializable"), NULL, crowd_scale(300));
}

TEST_MAIN(NULL, NULL)
