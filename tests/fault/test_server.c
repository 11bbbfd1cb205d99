/*
 * The server crashes under load, on a durable cluster of its own: every enqueue that was confirmed
 * is still there, every effect that was written beside a deletion is there once, and the clients go
 * on by themselves.
 */
#include "../concurrency/crowd.h"

#include <pgqrs/transaction.h>

#define PRODUCERS 2
#define CONSUMERS 3
#define WORKERS (PRODUCERS + CONSUMERS)
#define LEASE_MS 1000
#define WAIT_MS 60000

struct story {
    ts_cluster *cluster;
    char *dsn;
    uint64_t seed;
    pid_t children[WORKERS];
    struct {
        atomic_int stop_producing, stop;
        atomic_int confirmed[PRODUCERS]; /* the keys 0 to confirmed - 1 of each were confirmed */
        atomic_long done[WORKERS];       /* how much each has achieved */
        atomic_long failed;              /* calls that were repeated */
    } * shared;
};

/* What a client may be told when its server goes away, and comes back. */
static int
is_outage(const struct hands *hands, pgqrs_status status)
{
    return status == PGQRS_ECONNECT || status == PGQRS_ETIMEDOUT || status == PGQRS_EUNKNOWN ||
           (status == PGQRS_ESERVER && pgqrs_error_is_transient(hands->err));
}

/* Returns whether it went well; a short pause if the server was not there. */
static int
went_well(struct story *story, struct hands *hands, pgqrs_status status)
{
    if (status == PGQRS_OK)
        return 1;
    if (!is_outage(hands, status))
        TS_OK(status, hands->err);
    atomic_fetch_add(&story->shared->failed, 1);
    usleep(20000);
    return 0;
}

/* Each message under a key of its own, until it is confirmed. */
static void
produce(void *context, int number)
{
    struct story *story = context;
    atomic_int *confirmed = &story->shared->confirmed[number];
    struct hands hands;

    hands_open(&hands, story->dsn, LEASE_MS);
    while (!atomic_load(&story->shared->stop_producing)) {
        char *key = ts_format("%d-%d", number, atomic_load(confirmed));
        char *payload = ts_format("\"%s\"", key);
        pgqrs_enqueue_options options = PGQRS_ENQUEUE_OPTIONS_INIT;

        options.idempotency_key = pgqrs_slice_of(key);
        while (!went_well(story, &hands,
                          pgqrs_producer_enqueue(hands.producer, pgqrs_slice_of(payload), &options,
                                                 NULL, hands.err)))
            ;
        atomic_fetch_add(confirmed, 1);
        atomic_fetch_add(&story->shared->done[number], 1);
        usleep(500);
        free(key);
        free(payload);
    }
    hands_close(&hands);
}

static int
run_sql(PGconn *own, const char *sql)
{
    PGresult *result = PQexec(own, sql);
    int fine =
        PQresultStatus(result) == PGRES_COMMAND_OK || PQresultStatus(result) == PGRES_TUPLES_OK;

    PQclear(result);
    return fine;
}

/* Drops the notices of a server that shuts down. */
static void
ignore_notice(void *context, const PGresult *notice)
{
    (void)context;
    (void)notice;
}

static void
connect_own(struct story *story, PGconn **own)
{
    PQfinish(*own);
    *own = PQconnectdb(story->dsn);
    PQsetNoticeReceiver(*own, ignore_notice, NULL);
}

/* The effect and the deletion, in one transaction of our own. Whether it was committed may stay
 * unknown. */
static void
finish_one(struct story *story, struct hands *hands, PGconn **own, const pgqrs_message *message,
           int number)
{
    char *effect =
        ts_format("INSERT INTO ledger VALUES (%lld, '%.*s'::jsonb)", (long long)message->id,
                  (int)message->payload.size, message->payload.data);

    if (PQstatus(*own) != CONNECTION_OK)
        connect_own(story, own);
    if (run_sql(*own, "BEGIN") && run_sql(*own, effect)) {
        pgqrs_status status = pgqrs_consumer_delete_on(hands->consumer, *own,
                                                       pgqrs_message_lease(message), hands->err);

        if (status != PGQRS_OK && status != PGQRS_ELEASELOST && !is_outage(hands, status))
            TS_OK(status, hands->err);
        if (status == PGQRS_OK && run_sql(*own, "COMMIT"))
            atomic_fetch_add(&story->shared->done[number], 1);
    }
    if (PQtransactionStatus(*own) != PQTRANS_IDLE)
        run_sql(*own, "ROLLBACK");
    free(effect);
}

static void
consume(void *context, int number)
{
    struct story *story = context;
    uint64_t random = crowd_state(story->seed, number);
    PGconn *own = NULL;
    struct hands hands;

    connect_own(story, &own);
    hands_open(&hands, story->dsn, LEASE_MS);
    while (!atomic_load(&story->shared->stop)) {
        pgqrs_message_list *list = NULL;

        if (!went_well(story, &hands,
                       pgqrs_consumer_dequeue_batch(hands.consumer,
                                                    (size_t)crowd_random(&random, 1, 10), NULL,
                                                    &list, hands.err)))
            continue;
        for (size_t i = 0; i < pgqrs_message_list_count(list); i++)
            finish_one(story, &hands, &own, pgqrs_message_list_at(list, i), number);
        if (pgqrs_message_list_count(list) == 0)
            usleep(5000);
        pgqrs_message_list_free(list);
    }
    hands_close(&hands);
    PQfinish(own);
}

/* One cluster for all, removed at exit. */
static int
story_begin(void **state)
{
    static ts_cluster *cluster;
    static struct story story;
    PGconn *sql;

    memset(&story, 0, sizeof(story));
    if (cluster == NULL)
        cluster = ts_cluster_start("fsync = on\n");
    story.cluster = cluster;
    story.dsn = ts_database_on(ts_cluster_server(story.cluster));
    story.shared = crowd_memory(sizeof(*story.shared));
    story.seed = crowd_seed();
    crowd_make_queue(story.dsn);
    sql = ts_connect(story.dsn);
    assert_int_equal(ts_int(sql, "SELECT current_setting('fsync') = 'on' AND "
                                 "current_setting('synchronous_commit') = 'on'"),
                     1);
    ts_sql(sql, "CREATE TABLE ledger (id bigint UNIQUE, payload jsonb UNIQUE)");
    PQfinish(sql);
    for (int i = 0; i < WORKERS; i++)
        story.children[i] = crowd_spawn(i < PRODUCERS ? produce : consume, &story, i);
    *state = &story;
    return 0;
}

static int
story_end(void **state)
{
    struct story *story = *state;

    munmap(story->shared, sizeof(*story->shared));
    free(story->dsn);
    return 0;
}

#define STORY_TEST(name) TEST_WITH(name, story_begin, story_end)

/* Waits until each worker has finished another message: all are connected again. */
static void
await_progress(struct story *story)
{
    int64_t deadline = crowd_now_us() + WAIT_MS * INT64_C(1000);
    long before[WORKERS];
    int waiting = 1;

    for (int i = 0; i < WORKERS; i++)
        before[i] = atomic_load(&story->shared->done[i]);
    while (waiting) {
        waiting = 0;
        for (int i = 0; i < WORKERS; i++)
            waiting |= atomic_load(&story->shared->done[i]) <= before[i];
        if (crowd_now_us() > deadline)
            ts_fail("not every client had gone on %d ms after the server was back", WAIT_MS);
        usleep(5000);
    }
}

/* A connection to a server that may still be recovering. */
static PGconn *
connect_again(struct story *story)
{
    int64_t deadline = crowd_now_us() + WAIT_MS * INT64_C(1000);
    PGconn *sql = PQconnectdb(story->dsn);

    while (PQstatus(sql) != CONNECTION_OK) {
        PQfinish(sql);
        if (crowd_now_us() > deadline)
            ts_fail("the server had not come back after %d ms", WAIT_MS);
        usleep(20000);
        sql = PQconnectdb(story->dsn);
    }
    return sql;
}

/* When the last message is done: every confirmed message is there, and each is there once. */
static void
settle(struct story *story)
{
    PGconn *sql = connect_again(story);
    long confirmed = 0;

    atomic_store(&story->shared->stop_producing, 1);
    crowd_join(story->children, PRODUCERS, WAIT_MS);
    ts_wait_until(sql, WAIT_MS, "SELECT count(*) = 0 FROM pgqrs_messages");
    atomic_store(&story->shared->stop, 1);
    crowd_join(story->children + PRODUCERS, CONSUMERS, WAIT_MS);
    for (int i = 0; i < PRODUCERS; i++) {
        long keys = atomic_load(&story->shared->confirmed[i]);

        confirmed += keys;
        /* A key that was not confirmed was tried again until it was, so none is missing and none is
         * too many.
         */
        assert_int_equal(ts_int(sql,
                                "SELECT count(*) FROM generate_series(0, %ld) AS n WHERE NOT "
                                "EXISTS (SELECT FROM ledger WHERE payload = to_jsonb('%d-' || n))",
                                keys - 1, i),
                         0);
    }
    assert_int_equal(ts_int(sql, "SELECT count(*) FROM ledger"), confirmed);
    assert_int_equal(ts_int(sql, "SELECT count(*) FROM pgqrs_archive"), 0);
    print_message("%ld messages; %ld calls were repeated\n", confirmed,
                  atomic_load(&story->shared->failed));
    PQfinish(sql);
}

STORY_TEST(an_immediate_stop_loses_nothing_that_was_confirmed)
{
    struct story *story = *state;
    uint64_t random = crowd_state(story->seed, 99);

    for (int round = 0; round < crowd_scale(3); round++) {
        await_progress(story);
        usleep((useconds_t)crowd_random(&random, 0, 300000));
        ts_cluster_stop(story->cluster, TS_STOP_IMMEDIATE);
        ts_cluster_restart(story->cluster);
    }
    await_progress(story);
    settle(story);
}

/* Any of the clients' backends. */
#define VICTIM                                                                                     \
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> "              \
    "pg_backend_pid() "                                                                            \
    "AND backend_type = 'client backend' ORDER BY random() LIMIT 1"

STORY_TEST(a_killed_server_process_loses_nothing_that_was_confirmed)
{
    struct story *story = *state;
    uint64_t random = crowd_state(story->seed, 98);

    for (int round = 0; round < crowd_scale(3); round++) {
        PGconn *sql;
        pid_t backend;

        await_progress(story);
        usleep((useconds_t)crowd_random(&random, 0, 300000));
        sql = connect_again(story);
        /* Between two connections of theirs the clients may have none. */
        ts_wait_until(sql, WAIT_MS, "SELECT count(*) > 0 FROM (" VICTIM ") AS victim");
        backend = (pid_t)ts_int(sql, "SELECT coalesce((" VICTIM "), 0)");
        PQfinish(sql);
        if (backend == 0)
            round--;
        else
            assert_int_equal(kill(backend, SIGKILL), 0);
    }
    await_progress(story);
    settle(story);
}

STORY_TEST(sessions_that_are_ended_again_and_again_lose_nothing)
{
    struct story *story = *state;
    uint64_t random = crowd_state(story->seed, 97);
    PGconn *sql = ts_connect(story->dsn);
    int ended = 0;

    await_progress(story);
    for (int64_t deadline = crowd_now_us() + WAIT_MS * INT64_C(1000); ended < crowd_scale(100);) {
        ended += (int)ts_int(
            sql, "SELECT coalesce(bool_or(pg_terminate_backend(pid)), false) FROM (" VICTIM
                 ") AS victim");
        TS_TRUE(crowd_now_us() < deadline);
        usleep((useconds_t)crowd_random(&random, 0, 30000));
    }
    PQfinish(sql);
    await_progress(story);
    settle(story);
}

TEST_MAIN(NULL, NULL)
