/*
 * A worker is stopped while it is still starting, whatever it is waiting for: it is over at once.
 *
 * PGQRS_TEST_SEED repeats the choices of a run.
 */
#include "../concurrency/crowd.h"
#include "running.h"

#include "frost.h"
#include "proxy.h"

#define ROUNDS 200
#define PROXY_ROUNDS 60
#define FROZEN_ROUNDS 20
#define OVER_MS 2000

/* Starts a worker and stops it at a random moment. */
static void
start_and_stop(struct story *s, pgqrs_worker *worker, uint64_t *random)
{
    TS_OK(pgqrs_worker_start(worker, s->err), s->err);
    usleep((useconds_t)crowd_random(random, 0, 20000));
    pgqrs_worker_stop(worker);
    TS_OK(pgqrs_worker_wait(worker, OVER_MS, s->err), s->err);
}

static pgqrs_worker *
prepare(struct story *s, pgqrs_client *client)
{
    pgqrs_worker *worker = running_new_on(s, client, NULL);

    running_add(s, worker, "jobs", NULL, running_done, NULL);
    return worker;
}

RUNNING_TEST(it_is_over_at_every_stage_of_its_start)
{
    struct story *s = *state;
    uint64_t random = crowd_state(crowd_seed(), 1);

    for (int i = 0; i < ROUNDS; i++) {
        pgqrs_worker *worker = prepare(s, s->client);

        story_send(s, "1");
        start_and_stop(s, worker, &random);
        running_forget(worker);
        /* Messages that it had claimed are done or released. */
        assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_messages WHERE lease_token IS "
                                        "NOT NULL OR failed_ct + crash_ct > 0"),
                         0);
    }
    assert_int_equal(story_stored(s) + ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive"),
                     ROUNDS);
}

RUNNING_TEST(it_is_over_while_the_network_fails_in_any_way)
{
    struct story *s = *state;
    uint64_t random = crowd_state(crowd_seed(), 2);
    ts_proxy *proxy = ts_proxy_start(s->dsn);

    for (int i = 0; i < PROXY_ROUNDS; i++) {
        pgqrs_client *client = ts_client(ts_proxy_dsn(proxy), NULL);
        pgqrs_worker *worker = prepare(s, client);

        /* The connection fails during the first exchange; half of the time before its first
         * byte. */
        ts_proxy_arm(proxy, (ts_proxy_direction)crowd_random(&random, 0, 1),
                     i % 2 == 0 ? 0 : crowd_random(&random, 0, 2000),
                     (ts_proxy_fault)crowd_random(&random, TS_PROXY_CLOSE, TS_PROXY_REFUSE));
        start_and_stop(s, worker, &random);
        running_forget(worker);
        ts_proxy_pass(proxy);
        pgqrs_client_close(client);
    }
    ts_proxy_stop(proxy);
}

RUNNING_TEST(it_is_over_while_the_server_does_not_answer)
{
    struct story *s = *state;
    uint64_t random = crowd_state(crowd_seed(), 3);
    ts_cluster *cluster = ts_cluster_start("fsync = off\n");
    char *dsn = ts_database_on(ts_cluster_server(cluster));
    pgqrs_client *client = ts_client(dsn, NULL);
    pgqrs_worker *workers[FROZEN_ROUNDS];

    TS_OK(pgqrs_queue_create(client, text("jobs"), NULL, NULL, s->err), s->err);
    for (int i = 0; i < FROZEN_ROUNDS; i++)
        workers[i] = prepare(s, client);
    ts_cluster_freeze(cluster);
    for (int i = 0; i < FROZEN_ROUNDS; i++) {
        start_and_stop(s, workers[i], &random);
        running_forget(workers[i]);
    }
    ts_cluster_thaw(cluster);
    /* The same without any server. */
    for (int i = 0; i < FROZEN_ROUNDS; i++)
        workers[i] = prepare(s, client);
    ts_cluster_stop(cluster, TS_STOP_IMMEDIATE);
    for (int i = 0; i < FROZEN_ROUNDS; i++) {
        start_and_stop(s, workers[i], &random);
        running_forget(workers[i]);
    }
    pgqrs_client_close(client);
    ts_cluster_free(cluster);
    free(dsn);
}

RUNNING_TEST(it_starts_without_a_server_and_works_when_there_is_one)
{
    struct story *s = *state;
    ts_cluster *cluster = ts_cluster_start("fsync = off\n");
    struct story other = { .dsn = ts_database_on(ts_cluster_server(cluster)), .err = s->err };
    ts_journal *journal = ts_journal_new();
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;
    pgqrs_worker *worker;

    options.on_event = ts_journal_event;
    options.event_arg = journal;
    other.client = ts_client(other.dsn, NULL);
    TS_OK(pgqrs_queue_create(other.client, text("jobs"), NULL, NULL, s->err), s->err);
    TS_OK(pgqrs_producer_open(other.client, text("jobs"), NULL, &other.producer, s->err), s->err);
    story_send(&other, "1");
    worker = running_new(&other, &options);
    running_add(&other, worker, "jobs", NULL, running_done, NULL);
    ts_cluster_stop(cluster, TS_STOP_FAST);
    TS_OK(pgqrs_worker_start(worker, s->err), s->err);
    ts_journal_await(journal, "DISCONNECTED", 1);
    ts_cluster_restart(cluster);
    ts_journal_await(journal, "DONE", 1);
    running_end(s, worker);
    pgqrs_producer_close(other.producer);
    pgqrs_client_close(other.client);
    ts_cluster_free(cluster);
    free((void *)(uintptr_t)other.dsn);
}

TEST_MAIN(NULL, NULL)
