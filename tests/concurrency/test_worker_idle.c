/*
 * Many workers with nothing to do: they cost next to nothing, and one message does not wake them
 * all.
 *
 * On a server of their own, so that no other work is counted.
 */
#include "running.h"

#define CREW_MAX 50
#define ROUNDS 20
#define IDLERS 20
#define IDLE_SECONDS 20

/* Workers for each client, whose connections are their own. */
#define PER_CLIENT 10

/* Nothing but clients writes WAL there for a while. */
#define QUIET                                                                                      \
    "fsync = off\nautovacuum = off\ncheckpoint_timeout = '1h'\n"                                   \
    "wal_level = minimal\nmax_wal_senders = 0\nmax_connections = 400\nlog_statement = all\n"

struct crew {
    struct story story;
    ts_cluster *cluster;
    pgqrs_client *clients[CREW_MAX / PER_CLIENT];
    pgqrs_worker *workers[CREW_MAX];
    int count;
};

static void
crew_gather(struct crew *crew, int count, const pgqrs_worker_options *options,
            const pgqrs_worker_queue_options *queue)
{
    struct story *s = &crew->story;

    crew->count = count;
    for (int i = 0; i < count; i++) {
        if (i % PER_CLIENT == 0)
            crew->clients[i / PER_CLIENT] = ts_client(s->dsn, "max_connections", "40", NULL);
        crew->workers[i] = running_new_on(s, crew->clients[i / PER_CLIENT], options);
        running_add(s, crew->workers[i], "jobs", queue, running_done, NULL);
        TS_OK(pgqrs_worker_start(crew->workers[i], s->err), s->err);
    }
    running_await_asleep(s, count);
    for (int i = 0; i < count; i++)
        running_await_idle(crew->workers[i]);
}

/* What all of them have done together. */
static pgqrs_worker_counts
crew_counts(const struct crew *crew)
{
    pgqrs_worker_counts sum = PGQRS_WORKER_COUNTS_INIT;

    for (int i = 0; i < crew->count; i++) {
        pgqrs_worker_counts counts = PGQRS_WORKER_COUNTS_INIT;

        pgqrs_worker_count(crew->workers[i], &counts);
        sum.claimed += counts.claimed;
        sum.claims += counts.claims;
        sum.empty_claims += counts.empty_claims;
        sum.round_trips += counts.round_trips;
        sum.done += counts.done;
    }
    return sum;
}

static int
crew_open(void **state)
{
    struct crew *crew = calloc(1, sizeof(*crew));
    struct story *s = &crew->story;

    crew->cluster = ts_cluster_start(QUIET);
    s->dsn = ts_database_on(ts_cluster_server(crew->cluster));
    s->sql = ts_connect(s->dsn);
    s->client = ts_client(s->dsn, NULL);
    s->err = pgqrs_error_new();
    TS_OK(pgqrs_queue_create(s->client, text("jobs"), NULL, NULL, s->err), s->err);
    TS_OK(pgqrs_producer_open(s->client, text("jobs"), NULL, &s->producer, s->err), s->err);
    *state = crew;
    return 0;
}

static int
crew_close(void **state)
{
    struct crew *crew = *state;
    struct story *s = &crew->story;

    for (int i = 0; i < crew->count; i++)
        running_forget(crew->workers[i]);
    for (int i = 0; i < CREW_MAX / PER_CLIENT; i++)
        pgqrs_client_close(crew->clients[i]);
    pgqrs_producer_close(s->producer);
    pgqrs_client_close(s->client);
    pgqrs_error_free(s->err);
    PQfinish(s->sql);
    ts_cluster_free(crew->cluster);
    free((void *)(uintptr_t)s->dsn);
    free(crew);
    return 0;
}

#define CREW_TEST(name) TEST_WITH(name, crew_open, crew_close)

/* Until all sleep again and nothing has been asked for a while. */
static void
crew_settle(const struct crew *crew)
{
    pgqrs_worker_counts before, after = crew_counts(crew);
    int64_t until = story_now_ms() + RUNNING_WAIT_MS;

    do {
        TS_TRUE(story_now_ms() < until);
        before = after;
        usleep(100000);
        after = crew_counts(crew);
    } while (before.claims != after.claims);
}

CREW_TEST(one_message_does_not_wake_the_whole_herd)
{
    struct crew *crew = *state;
    struct story *s = &crew->story;
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;
    pgqrs_worker_queue_options queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;
    int64_t worst = 0;

    queue.lease_ms = 3600000; /* a worker with a short lease looks more often */
    options.concurrency = 1;
    options.poll_ms = 60000;
    crew_gather(crew, CREW_MAX, &options, &queue);
    for (int round = 1; round <= ROUNDS; round++) {
        pgqrs_worker_counts before = PGQRS_WORKER_COUNTS_INIT, after = PGQRS_WORKER_COUNTS_INIT;

        running_await_asleep(s, CREW_MAX);
        crew_settle(crew);
        before = crew_counts(crew);
        story_send(s, "1");
        running_await(s, round);
        running_await_asleep(s, CREW_MAX);
        crew_settle(crew);
        after = crew_counts(crew);
        assert_int_equal(after.claimed - before.claimed, 1);
        if (after.empty_claims - before.empty_claims > worst)
            worst = after.empty_claims - before.empty_claims;
    }
    print_message("%lld empty claims for one message at most\n", (long long)worst);
    assert_true(worst <= 10);
}

CREW_TEST(a_herd_shares_what_comes_at_once)
{
    struct crew *crew = *state;
    struct story *s = &crew->story;
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;

    /* A woken worker wakes another one as long as there are more messages than it can take. */
    options.concurrency = 1;
    options.poll_ms = 60000;
    options.prefetch_max = -1;
    crew_gather(crew, 10, &options, NULL);
    story_send_many(s, 500, NULL);
    running_await(s, 500);
    crew_settle(crew);
    assert_int_equal(crew_counts(crew).done, 500);
}

/* How many statements the server has logged. Its statistics come up to ten seconds late. */
static int
count_statements(const struct crew *crew)
{
    char *path = ts_format("%s", ts_cluster_server(crew->cluster)), *name, line[4096];
    int count = 0;
    FILE *file;

    path[strcspn(path, " ")] = '\0';
    name = ts_format("%s/log", path + strlen("host="));
    file = fopen(name, "r");
    TS_TRUE(file != NULL);
    while (fgets(line, sizeof(line), file) != NULL)
        count +=
            strstr(line, "LOG:  execute ") != NULL || strstr(line, "LOG:  statement: ") != NULL;
    fclose(file);
    free(name);
    free(path);
    return count;
}

CREW_TEST(idle_workers_ask_little_and_write_nothing)
{
    struct crew *crew = *state;
    struct story *s = &crew->story;
    long long wal_bytes;
    int statements;
    char *lsn;

    crew_gather(crew, IDLERS, NULL, NULL);
    ts_sql(s->sql, "VACUUM"); /* after that nothing is left to be tidied up in passing */
    ts_sql(s->sql, "CHECKPOINT");
    crew_settle(crew);
    lsn = ts_text(s->sql, "SELECT pg_current_wal_insert_lsn()");
    statements = count_statements(crew);
    ts_sql(s->sql, "SELECT pg_sleep(%d)", IDLE_SECONDS);
    statements = count_statements(crew) - statements;
    wal_bytes = ts_int(s->sql, "SELECT (pg_current_wal_insert_lsn() - '%s'::pg_lsn)::bigint", lsn);
    print_message("%.3f statements a second and worker, %lld bytes of WAL\n",
                  (double)statements / IDLE_SECONDS / IDLERS, wal_bytes);
    assert_true(statements > 0);
    assert_true(statements <= IDLERS * IDLE_SECONDS / 4);
    assert_int_equal(wal_bytes, 0);
    /* And they still work. */
    story_send(s, "1");
    running_await(s, 1);
    free(lsn);
}

TEST_MAIN(NULL, NULL)
