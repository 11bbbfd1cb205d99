/*
 * Many threads and workers share one client: producers, handlers that end their jobs in every way,
 * others that finish them later, look at everything, and workers that come and go. Each message
 * comes to one end. To be run with -Db_sanitize=thread as well.
 */
#include "running.h"

#define PRODUCERS 4
#define EACH 250
#define WORKERS 3
#define FINISHERS 2
#define LATER 256

struct crowd {
    struct story *s;
    pthread_mutex_t lock; /* guards later and pending */
    pgqrs_job *later[LATER];
    int pending;
    atomic_int over; /* nothing more will be pending */
    /* By message id: how often its handler ended it as done. */
    atomic_int ended[EACH * PRODUCERS + 1];
    atomic_long started, events;
    pgqrs_worker *workers[WORKERS];
};

/* Leaves a job to the finishers; 0 if they have enough. */
static int
leave(struct crowd *crowd, pgqrs_job *job)
{
    int left;

    pthread_mutex_lock(&crowd->lock);
    left = crowd->pending < LATER;
    if (left)
        crowd->later[crowd->pending++] = job;
    pthread_mutex_unlock(&crowd->lock);
    return left;
}

static pgqrs_job *
take_left(struct crowd *crowd)
{
    pgqrs_job *job = NULL;

    pthread_mutex_lock(&crowd->lock);
    if (crowd->pending > 0)
        job = crowd->later[--crowd->pending];
    pthread_mutex_unlock(&crowd->lock);
    return job;
}

static void *
finish(void *context)
{
    struct crowd *crowd = context;

    for (;;) {
        int over = atomic_load(&crowd->over);
        pgqrs_job *job = take_left(crowd);

        if (job == NULL && over)
            return NULL;
        if (job == NULL) {
            usleep(1000);
            continue;
        }
        (void)pgqrs_job_cancelled(job);
        (void)pgqrs_job_left_ms(job);
        TS_OK(pgqrs_job_set_result(job, text("\"later\""), NULL), NULL);
        atomic_fetch_add(&crowd->ended[pgqrs_job_message(job)->id], 1);
        pgqrs_job_finish(job, PGQRS_JOB_DONE);
    }
}

/* Ends each message in a way of its own: of ten, one is failed at first, one snoozed, one too slow,
 * two pending. */
static pgqrs_job_outcome
handle(pgqrs_job *job, void *arg)
{
    struct crowd *crowd = arg;
    const pgqrs_message *message = pgqrs_job_message(job);

    switch (message->id % 10) {
    case 0:
        TS_OK(pgqrs_job_set_error(job, text("not yet"), NULL), NULL);
        TS_OK(pgqrs_job_set_delay(job, 1, NULL), NULL);
        if (message->failed_ct == 0)
            return PGQRS_JOB_FAILED;
        break;
    case 1:
        TS_OK(pgqrs_job_set_delay(job, 1, NULL), NULL);
        if (message->read_ct == 1)
            return PGQRS_JOB_SNOOZED;
        break;
    case 2:
    case 3:
        if (leave(crowd, job))
            return PGQRS_JOB_PENDING;
        break;
    case 4:
        usleep(2000);
        break;
    default:
        break;
    }
    atomic_fetch_add(&crowd->ended[message->id], 1);
    return PGQRS_JOB_DONE;
}

static pgqrs_job_outcome
pass_on(pgqrs_job *job, void *arg)
{
    atomic_fetch_add(&((struct crowd *)arg)->started, 1);
    pgqrs_job_set_data(job, arg);
    return pgqrs_job_next(job);
}

static void
note(const pgqrs_event *event, void *arg)
{
    struct crowd *crowd = arg;

    atomic_fetch_add(&crowd->events, 1);
    if (event->job != NULL)
        TS_TRUE(pgqrs_job_message(event->job)->id > 0);
}

static void *
produce(void *context)
{
    struct crowd *crowd = context;
    pgqrs_error *err = pgqrs_error_new();
    pgqrs_producer *producer;

    TS_OK(pgqrs_producer_open(crowd->s->client, text("jobs"), NULL, &producer, err), err);
    for (int i = 0; i < EACH; i++)
        TS_OK(pgqrs_producer_enqueue(producer, text("{}"), NULL, NULL, err), err);
    pgqrs_producer_close(producer);
    pgqrs_error_free(err);
    return NULL;
}

/* Looks at all workers all the time. */
static void *
look(void *context)
{
    struct crowd *crowd = context;

    while (!atomic_load(&crowd->over)) {
        for (int i = 1; i < WORKERS; i++) {
            pgqrs_worker_counts counts = PGQRS_WORKER_COUNTS_INIT;

            pgqrs_worker_count(crowd->workers[i], &counts);
            TS_TRUE(counts.claimed >= counts.done);
            (void)pgqrs_worker_is_idle(crowd->workers[i]);
        }
        usleep(500);
    }
    return NULL;
}

static pgqrs_worker *
start(struct crowd *crowd)
{
    struct story *s = crowd->s;
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;
    pgqrs_worker *worker;

    options.on_event = note;
    options.event_arg = crowd;
    options.concurrency = 4;
    options.poll_ms = 200;
    worker = running_new(s, &options);
    TS_OK(pgqrs_worker_use(worker, pass_on, crowd, s->err), s->err);
    running_add(s, worker, "jobs", NULL, handle, crowd);
    TS_OK(pgqrs_worker_start(worker, s->err), s->err);
    return worker;
}

RUNNING_TEST(every_message_comes_to_one_end)
{
    static struct crowd crowd;
    pthread_t producers[PRODUCERS], finishers[FINISHERS], looker;
    struct story *s = *state;

    memset(&crowd, 0, sizeof(crowd));
    crowd.s = s;
    pthread_mutex_init(&crowd.lock, NULL);
    for (int i = 1; i < WORKERS; i++)
        crowd.workers[i] = start(&crowd);
    for (int i = 0; i < FINISHERS; i++)
        TS_TRUE(pthread_create(&finishers[i], NULL, finish, &crowd) == 0);
    TS_TRUE(pthread_create(&looker, NULL, look, &crowd) == 0);
    for (int i = 0; i < PRODUCERS; i++)
        TS_TRUE(pthread_create(&producers[i], NULL, produce, &crowd) == 0);
    /* Meanwhile another worker comes and goes. */
    for (int i = 0; i < 5; i++) {
        pgqrs_worker *worker = start(&crowd);

        usleep(20000);
        running_end(s, worker);
    }
    for (int i = 0; i < PRODUCERS; i++)
        TS_TRUE(pthread_join(producers[i], NULL) == 0);
    ts_wait_until(s->sql, 60000, "SELECT count(*) = %d FROM pgqrs_archive", EACH * PRODUCERS);
    atomic_store(&crowd.over, 1);
    for (int i = 0; i < FINISHERS; i++)
        TS_TRUE(pthread_join(finishers[i], NULL) == 0);
    TS_TRUE(pthread_join(looker, NULL) == 0);
    for (int i = 1; i < WORKERS; i++)
        running_end(s, crowd.workers[i]);
    for (int id = 1; id <= EACH * PRODUCERS; id++)
        if (crowd.ended[id] != 1)
            ts_fail("message %d was done %d times", id, crowd.ended[id]);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive WHERE outcome <> 'done'"),
                     0);
    assert_int_equal(ts_int(s->sql, "SELECT sum(failed_ct) FROM pgqrs_archive"),
                     EACH * PRODUCERS / 10);
    assert_int_equal(ts_int(s->sql, "SELECT sum(crash_ct) FROM pgqrs_archive"), 0);
    assert_int_equal(story_stored(s), 0);
    assert_true(crowd.events > 2 * EACH * PRODUCERS);
}

/* Starts a worker, which several threads stop at once, at random moments of its start. */
static void *
stop_soon(void *context)
{
    pgqrs_worker_stop(context);
    return NULL;
}

RUNNING_TEST(many_stop_at_once)
{
    struct story *s = *state;

    for (int round = 0; round < 30; round++) {
        pgqrs_worker *worker = running_new(s, NULL);
        pthread_t stoppers[3];

        story_send_many(s, 20, NULL);
        running_add(s, worker, "jobs", NULL, running_done, NULL);
        TS_OK(pgqrs_worker_start(worker, s->err), s->err);
        usleep((useconds_t)(round * 1000));
        for (int i = 0; i < 3; i++)
            TS_TRUE(pthread_create(&stoppers[i], NULL, stop_soon, worker) == 0);
        TS_OK(pgqrs_worker_wait(worker, RUNNING_WAIT_MS, s->err), s->err);
        for (int i = 0; i < 3; i++)
            TS_TRUE(pthread_join(stoppers[i], NULL) == 0);
        running_forget(worker);
        /* Whatever was not done is due at once and was charged nothing. */
        assert_int_equal(story_stored(s) + ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive"),
                         20 * (round + 1));
        assert_int_equal(
            ts_int(s->sql, "SELECT count(*) FROM pgqrs_messages WHERE lease_token IS NOT NULL OR "
                           "failed_ct + crash_ct > 0 OR vt > clock_timestamp()"),
            0);
    }
}

TEST_MAIN(NULL, NULL)
