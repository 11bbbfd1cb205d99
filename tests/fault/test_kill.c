/*
 * Processes die by SIGKILL at random moments: nothing that was enqueued is lost, nothing is
 * archived twice, and what a dead consumer held is handed out again.
 */
#include "../concurrency/crowd.h"

#define CONSUMERS 4
#define PRODUCERS 4
#define MAX_BATCH 10
#define LEASE_MS 500
/* A lease runs out, the next sweep comes within a second or so, and the machine may be busy. */
#define REDELIVERY_MS (LEASE_MS + 1500 + 10000)

struct story {
    char *dsn;
    uint64_t seed;
    struct {
        atomic_int stop;
        atomic_int next[PRODUCERS]; /* the number of the next key of each */
        atomic_long refused;        /* leases that were lost to slowness rather than to a kill */
        atomic_long started;        /* processes that have got to work */
    } * shared;
};

static void
story_begin(struct story *story)
{
    story->dsn = ts_database();
    story->seed = crowd_seed();
    story->shared = crowd_memory(sizeof(*story->shared));
    crowd_make_queue(story->dsn);
}

static void
story_end(struct story *story)
{
    munmap(story->shared, sizeof(*story->shared));
    free(story->dsn);
}

/* Archives what it gets, after a random time, until told to stop. */
static void
consume(void *context, int number)
{
    struct story *story = context;
    uint64_t random = crowd_state(story->seed, number);
    struct hands hands;

    hands_open(&hands, story->dsn, LEASE_MS);
    atomic_fetch_add(&story->shared->started, 1);
    while (!atomic_load(&story->shared->stop)) {
        pgqrs_lease leases[MAX_BATCH];
        pgqrs_status results[MAX_BATCH];
        pgqrs_message_list *list = NULL;
        size_t count;

        TS_OK(pgqrs_consumer_dequeue_batch(hands.consumer,
                                           (size_t)crowd_random(&random, 1, MAX_BATCH), NULL, &list,
                                           hands.err),
              hands.err);
        count = pgqrs_message_list_count(list);
        for (size_t i = 0; i < count; i++)
            leases[i] = pgqrs_message_lease(pgqrs_message_list_at(list, i));
        pgqrs_message_list_free(list);
        usleep((useconds_t)crowd_random(&random, 0, 8000));
        if (count == 0)
            continue;
        TS_OK(pgqrs_consumer_archive_batch(hands.consumer, leases, NULL, count, results, hands.err),
              hands.err);
        for (size_t i = 0; i < count; i++)
            atomic_fetch_add(&story->shared->refused, results[i] != PGQRS_OK);
    }
    hands_close(&hands);
}

/* Kills one of the children at a random moment and starts another in its place. */
static void
kill_one(struct story *story, void (*work)(void *, int), pid_t *children, int count, int round,
         uint64_t *random)
{
    int victim = crowd_random(random, 0, count - 1);
    int status;

    usleep((useconds_t)crowd_random(random, 0, 60000));
    assert_int_equal(kill(children[victim], SIGKILL), 0);
    assert_int_equal(crowd_wait(children[victim], &status, 0), children[victim]);
    if (!WIFSIGNALED(status) && WEXITSTATUS(status) != 0)
        ts_fail("a process had failed before it was killed; what it said is above");
    children[victim] = crowd_spawn(work, story, victim + 100 * (round + 1));
}

TEST(messages_survive_the_death_of_their_consumers)
{
    const int total = crowd_scale(5000), kills = crowd_scale(60);
    pid_t children[CONSUMERS];
    struct story story;
    struct hands hands;
    uint64_t random;
    PGconn *sql;

    (void)state;
    story_begin(&story);
    sql = ts_connect(story.dsn);
    random = crowd_state(story.seed, 99);
    hands_open(&hands, story.dsn, LEASE_MS);
    crowd_send(&hands, 1, total);
    hands_close(&hands);
    /* Given consumers at work, when they are killed again and again */
    for (int i = 0; i < CONSUMERS; i++)
        children[i] = crowd_spawn(consume, &story, i);
    for (int i = 0; i < kills; i++)
        kill_one(&story, consume, children, CONSUMERS, i, &random);
    /* then what the last of them held is handed out again as soon as its lease has run out, */
    ts_wait_until(sql, CROWD_TIMEOUT_MS,
                  "SELECT count(*) = 0 FROM pgqrs_messages WHERE dequeued_at IS NULL");
    ts_wait_until(sql, REDELIVERY_MS, "SELECT count(*) = 0 FROM pgqrs_messages");
    atomic_store(&story.shared->stop, 1);
    crowd_join(children, CONSUMERS, CROWD_TIMEOUT_MS);
    /* all are archived once, and no more crashes are counted than leases were lost. */
    crowd_check_archive(sql, total);
    assert_int_equal(ts_int(sql, "SELECT count(DISTINCT payload) FROM pgqrs_archive"), total);
    print_message("%d kills, %lld crashes counted, %ld leases lost to slowness, %ld starts\n",
                  kills, ts_int(sql, "SELECT sum(crash_ct) FROM pgqrs_archive"),
                  atomic_load(&story.shared->refused), atomic_load(&story.shared->started));
    assert_true(ts_int(sql, "SELECT sum(crash_ct) FROM pgqrs_archive") <=
                kills * MAX_BATCH + atomic_load(&story.shared->refused));
    assert_true(ts_int(sql, "SELECT sum(crash_ct) FROM pgqrs_archive") > 0);
    PQfinish(sql);
    story_end(&story);
}

/* Each message has its own key; the successor of a killed process sends again what was not
 * confirmed. */
static void
produce(void *context, int number)
{
    struct story *story = context;
    atomic_int *next = &story->shared->next[number % 100];
    struct hands hands;

    hands_open(&hands, story->dsn, LEASE_MS);
    atomic_fetch_add(&story->shared->started, 1);
    /* At least one: the key that its predecessor died with. */
    do {
        char *key = ts_format("%d-%d", number % 100, atomic_load(next));
        char *payload = ts_format("\"%s\"", key);
        pgqrs_enqueue_options options = PGQRS_ENQUEUE_OPTIONS_INIT;

        options.idempotency_key = pgqrs_slice_of(key);
        TS_OK(pgqrs_producer_enqueue(hands.producer, pgqrs_slice_of(payload), &options, NULL,
                                     hands.err),
              hands.err);
        atomic_fetch_add(next, 1);
        free(key);
        free(payload);
    } while (!atomic_load(&story->shared->stop));
    hands_close(&hands);
}

TEST(a_producer_that_died_repeats_its_keys_without_doubling_a_message)
{
    const int kills = crowd_scale(60);
    pid_t children[PRODUCERS];
    struct story story;
    uint64_t random;
    long sent = 0;
    PGconn *sql;

    (void)state;
    story_begin(&story);
    sql = ts_connect(story.dsn);
    random = crowd_state(story.seed, 98);
    for (int i = 0; i < PRODUCERS; i++)
        children[i] = crowd_spawn(produce, &story, i);
    for (int i = 0; i < kills; i++)
        kill_one(&story, produce, children, PRODUCERS, i, &random);
    atomic_store(&story.shared->stop, 1);
    crowd_join(children, PRODUCERS, CROWD_TIMEOUT_MS);
    for (int i = 0; i < PRODUCERS; i++)
        sent += atomic_load(&story.shared->next[i]);
    print_message("%d kills, %ld keys\n", kills, sent);
    /* Each producer ended in good order, so every key that it began has been confirmed by now. */
    assert_true(sent > PRODUCERS);
    assert_int_equal(ts_int(sql, "SELECT count(*) FROM pgqrs_messages"), sent);
    assert_int_equal(ts_int(sql, "SELECT count(DISTINCT payload) FROM pgqrs_messages"), sent);
    assert_int_equal(ts_int(sql,
                            "SELECT count(*) FROM pgqrs_keys AS k JOIN pgqrs_messages AS m "
                            "ON m.id = k.message_id AND m.payload #>> '{}' = k.idempotency_key"),
                     sent);
    PQfinish(sql);
    story_end(&story);
}

TEST_MAIN(NULL, NULL)
