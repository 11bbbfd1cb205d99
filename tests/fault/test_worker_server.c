/*
 * The server crashes, and ends sessions, under a worker with much to do: nothing that was confirmed
 * is lost, each message is reported as done once, and none is done twice but under a lease that the
 * server had lost.
 *
 * PGQRS_TEST_SEED repeats the choices of a run.
 */
#include "../concurrency/crowd.h"
#include "outage.h"

#define MAX_ID 200000
#define LEASE_MS 2000

/* By message id: how often it was worked on to the end, reported as done, and not reported. */
struct load {
    struct outage *outage;
    atomic_int worked[MAX_ID], done[MAX_ID], lost[MAX_ID];
    atomic_int confirmed; /* enqueues */
    atomic_long all_done;
    atomic_int over;
    pthread_t producer;
    pgqrs_worker *worker;
};

static pgqrs_job_outcome
work(pgqrs_job *job, void *arg)
{
    struct load *load = arg;
    int64_t id = pgqrs_job_message(job)->id;

    TS_TRUE(id < MAX_ID);
    usleep((useconds_t)(id % 7 * 1000));
    if (pgqrs_job_cancelled(job) == PGQRS_JOB_NOT_CANCELLED)
        atomic_fetch_add(&load->worked[id], 1);
    return PGQRS_JOB_DONE;
}

static void
note(const pgqrs_event *event, void *arg)
{
    struct load *load = arg;
    int64_t id = event->job != NULL ? pgqrs_job_message(event->job)->id : 0;

    if (event->kind == PGQRS_EVENT_DONE) {
        atomic_fetch_add(&load->done[id], 1);
        atomic_fetch_add(&load->all_done, 1);
    } else if (event->kind == PGQRS_EVENT_LOST) {
        atomic_fetch_add(&load->lost[id], 1);
    } else if (event->kind == PGQRS_EVENT_FAILED || event->kind == PGQRS_EVENT_DEAD) {
        ts_fail("message %lld failed: %s", (long long)id, event->message);
    }
}

/* Each message under a key of its own, until it is confirmed. */
static void *
produce(void *context)
{
    struct load *load = context;
    pgqrs_producer *producer = load->outage->story.producer;

    while (!atomic_load(&load->over)) {
        char *key = ts_format("%d", atomic_load(&load->confirmed));
        pgqrs_enqueue_options options = PGQRS_ENQUEUE_OPTIONS_INIT;

        options.idempotency_key = text(key);
        while (pgqrs_producer_enqueue(producer, text(key), &options, NULL, NULL) != PGQRS_OK)
            usleep(20000);
        atomic_fetch_add(&load->confirmed, 1);
        free(key);
        usleep(2000);
    }
    return NULL;
}

static struct load *
load_begin(struct outage *outage)
{
    struct load *load = calloc(1, sizeof(*load));
    pgqrs_worker_queue_options queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;

    TS_TRUE(load != NULL);
    load->outage = outage;
    outage->options.on_event = note;
    outage->options.event_arg = load;
    queue.lease_ms = LEASE_MS;
    load->worker = running_start(&outage->story, &outage->options, &queue, work, load);
    TS_TRUE(pthread_create(&load->producer, NULL, produce, load) == 0);
    return load;
}

/* Waits until the worker has finished another message. */
static void
load_await_progress(struct load *load)
{
    long before = atomic_load(&load->all_done);
    int64_t until = story_now_ms() + RUNNING_WAIT_MS;

    while (atomic_load(&load->all_done) < before + 50) {
        if (story_now_ms() > until)
            ts_fail("the worker had not gone on after %d ms: %ld done", RUNNING_WAIT_MS, before);
        usleep(5000);
    }
}

static void
load_end(struct load *load)
{
    struct story *s = &load->outage->story;
    int confirmed, again = 0;

    atomic_store(&load->over, 1);
    TS_TRUE(pthread_join(load->producer, NULL) == 0);
    confirmed = atomic_load(&load->confirmed);
    PQreset(s->sql);
    ts_wait_until(s->sql, 60000, "SELECT count(*) = 0 FROM pgqrs_messages");
    running_end(s, load->worker);
    crowd_check_archive(s->sql, confirmed);
    assert_int_equal(ts_int(s->sql, "SELECT count(DISTINCT payload) FROM pgqrs_archive"),
                     confirmed);
    for (int id = 0; id < MAX_ID; id++) {
        if (load->done[id] > 1)
            ts_fail("message %d was reported as done %d times", id, load->done[id]);
        if (load->worked[id] - load->done[id] > load->lost[id])
            ts_fail("message %d was worked on %d times, and only %d leases were lost", id,
                    load->worked[id], load->lost[id]);
        again += load->worked[id] > 1;
    }
    print_message("%d messages, %d of them worked on again\n", confirmed, again);
    assert_int_equal(load->all_done, confirmed);
    free(load);
}

OUTAGE_TEST(it_goes_on_after_crashes_of_the_server)
{
    struct outage *outage = *state;
    uint64_t random = crowd_state(crowd_seed(), 1);
    struct load *load = load_begin(outage);

    for (int round = 0; round < crowd_scale(3); round++) {
        load_await_progress(load);
        usleep((useconds_t)crowd_random(&random, 0, 200000));
        ts_cluster_stop(outage->cluster, TS_STOP_IMMEDIATE);
        usleep((useconds_t)crowd_random(&random, 0, 200000));
        ts_cluster_restart(outage->cluster);
    }
    load_await_progress(load);
    load_end(load);
}

/* Any of the clients' backends, but the one that looks. */
#define VICTIM                                                                                     \
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> "              \
    "pg_backend_pid() "                                                                            \
    "AND backend_type = 'client backend' ORDER BY random() LIMIT 1"

OUTAGE_TEST(it_goes_on_after_the_death_of_server_processes)
{
    struct outage *outage = *state;
    struct load *load = load_begin(outage);

    for (int round = 0; round < crowd_scale(3); round++) {
        pid_t backend;

        load_await_progress(load);
        backend = (pid_t)ts_int(outage->story.sql, "SELECT coalesce((" VICTIM "), 0)");
        TS_TRUE(backend > 0 && kill(backend, SIGKILL) == 0);
        /* The server ends all sessions, ours as well, and starts anew. */
        while (PQstatus(outage->story.sql) == CONNECTION_OK)
            PQclear(PQexec(outage->story.sql, "SELECT pg_sleep(0.01)"));
        while (PQstatus(outage->story.sql) != CONNECTION_OK) {
            usleep(20000);
            PQreset(outage->story.sql);
        }
    }
    load_await_progress(load);
    load_end(load);
}

OUTAGE_TEST(it_goes_on_while_its_sessions_are_ended_again_and_again)
{
    struct outage *outage = *state;
    uint64_t random = crowd_state(crowd_seed(), 2);
    struct load *load = load_begin(outage);
    int ended = 0;

    load_await_progress(load);
    for (int64_t until = story_now_ms() + 30000; ended < crowd_scale(60);) {
        ended +=
            (int)ts_int(outage->story.sql,
                        "SELECT coalesce(bool_or(pg_terminate_backend(pid)), false) FROM (" VICTIM
                        ") AS victim");
        TS_TRUE(story_now_ms() < until);
        usleep((useconds_t)crowd_random(&random, 0, 60000));
    }
    load_await_progress(load);
    load_end(load);
}

TEST_MAIN(NULL, NULL)
