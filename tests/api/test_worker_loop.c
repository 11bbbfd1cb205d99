/*
 * A worker in an event loop of the program's own: a descriptor, a time to wait, and a call; no
 * thread.
 */
#include "running.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>

#include "frost.h"

#define HOUR_MS INT64_C(3600000)

struct loop {
    struct story *s;
    pgqrs_worker *worker;
    ts_journal *journal;   /* of events and handlers */
    ts_watchdog *watchdog; /* perhaps */
    bool over;
    int turns;
};

static int
count_threads(void)
{
    DIR *folder = opendir("/proc/self/task");
    int count = 0;

    TS_TRUE(folder != NULL);
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

/* Given a worker that does not look by itself for a minute */
static struct loop
loop_new(struct story *s, const pgqrs_worker_queue_options *queue, pgqrs_job_handler handler,
         void *arg)
{
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;
    struct loop loop = { .s = s, .journal = ts_journal_new() };

    options.on_event = ts_journal_event;
    options.event_arg = loop.journal;
    options.poll_ms = 60000;
    loop.worker = running_new(s, &options);
    running_add(s, loop.worker, "jobs", queue, handler, arg != NULL ? arg : loop.journal);
    return loop;
}

/* Waits for the worker's descriptor or timeout, at most until `until_ms`, and calls process. */
static void
loop_turn(struct loop *loop, int64_t until_ms)
{
    struct pollfd entry = { .fd = pgqrs_worker_fd(loop->worker), .events = POLLIN };
    int64_t timeout_ms = pgqrs_worker_timeout_ms(loop->worker), left_ms = until_ms - story_now_ms();

    TS_TRUE(timeout_ms >= 0);
    if (timeout_ms > left_ms)
        timeout_ms = left_ms > 0 ? left_ms : 0;
    TS_TRUE(poll(&entry, 1, (int)timeout_ms) >= 0 || errno == EINTR);
    if (loop->watchdog != NULL)
        ts_watchdog_enter(loop->watchdog);
    TS_OK(pgqrs_worker_process(loop->worker, &loop->over, loop->s->err), loop->s->err);
    if (loop->watchdog != NULL)
        ts_watchdog_leave(loop->watchdog);
    loop->turns++;
}

/* Until `count` lines of the journal begin with `start`. */
static void
loop_until(struct loop *loop, const char *start, int count)
{
    int64_t until = story_now_ms() + RUNNING_WAIT_MS;

    while (ts_journal_count(loop->journal, start) < count) {
        if (story_now_ms() > until)
            ts_journal_await(loop->journal, start, count); /* for its message */
        loop_turn(loop, until);
    }
}

static void
loop_for(struct loop *loop, int64_t ms)
{
    int64_t until = story_now_ms() + ms;

    while (story_now_ms() < until)
        loop_turn(loop, until);
}

/* Until it has nothing to do. */
static void
loop_until_idle(struct loop *loop)
{
    int64_t until = story_now_ms() + RUNNING_WAIT_MS;

    while (!pgqrs_worker_is_idle(loop->worker)) {
        TS_TRUE(story_now_ms() < until);
        loop_turn(loop, until);
    }
    loop_for(loop, 200); /* and has sent what it sends before it sleeps */
}

/* Until it is over; stop it first. */
static void
loop_end(struct loop *loop)
{
    int64_t until = story_now_ms() + RUNNING_WAIT_MS;

    while (!loop->over) {
        TS_TRUE(story_now_ms() < until);
        loop_turn(loop, until);
    }
    running_forget(loop->worker);
}

RUNNING_TEST(jobs_are_done_without_any_thread)
{
    struct story *s = *state;
    int before = count_threads();
    struct loop loop = loop_new(s, NULL, running_done, NULL);

    story_send_many(s, 300, NULL);
    loop_until(&loop, "DONE", 300);
    assert_int_equal(count_threads(), before);
    running_await(s, 300);
    assert_int_equal(ts_journal_count(loop.journal, "STARTED"), 300);
    pgqrs_worker_stop(loop.worker);
    loop_end(&loop);
    assert_int_equal(count_threads(), before);
}

static pgqrs_job_outcome
fail_at_first(pgqrs_job *job, void *arg)
{
    (void)arg;
    TS_OK(pgqrs_job_set_delay(job, 300, NULL), NULL);
    return pgqrs_job_message(job)->attempt < 3 ? PGQRS_JOB_FAILED : PGQRS_JOB_DONE;
}

RUNNING_TEST(a_retry_comes_when_it_is_due)
{
    struct story *s = *state;
    struct loop loop = loop_new(s, NULL, fail_at_first, NULL);

    story_send(s, "1");
    loop_until(&loop, "DONE", 1);
    ts_journal_expect(loop.journal,
                      "STARTED 1\nFAILED 1\nSTARTED 1\nFAILED 1\nSTARTED 1\nDONE 1\n");
    pgqrs_worker_stop(loop.worker);
    loop_end(&loop);
}

RUNNING_TEST(an_idle_loop_sleeps_and_is_woken_by_a_producer)
{
    struct story *s = *state;
    pgqrs_worker_queue_options queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;
    struct loop loop;
    int64_t sent_ms;

    queue.lease_ms = HOUR_MS; /* a worker with a short lease looks more often */
    loop = loop_new(s, &queue, running_done, NULL);
    loop_until_idle(&loop);
    loop.turns = 0;
    loop_for(&loop, 1000);
    assert_true(loop.turns < 20);
    story_send(s, "1");
    sent_ms = story_now_ms();
    loop_until(&loop, "DONE", 1);
    assert_true(story_now_ms() - sent_ms < 10000);
    pgqrs_worker_stop(loop.worker);
    loop_end(&loop);
}

struct other {
    pthread_t thread;
    struct loop *loop;
    pgqrs_job *job;
    ts_gate *gate;
};

static void *
finish_after_a_while(void *context)
{
    struct other *other = context;

    ts_gate_pass(other->gate);
    usleep(300000); /* by now the loop waits */
    pgqrs_job_finish(other->job, PGQRS_JOB_DONE);
    return NULL;
}

static pgqrs_job_outcome
leave_it_pending(pgqrs_job *job, void *arg)
{
    struct other *other = arg;

    other->job = job;
    ts_gate_open(other->gate);
    return PGQRS_JOB_PENDING;
}

RUNNING_TEST(a_pending_job_that_is_finished_elsewhere_wakes_the_loop)
{
    struct story *s = *state;
    struct other other = { .gate = ts_gate_new() };
    pgqrs_worker_queue_options queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;
    struct loop loop;

    queue.lease_ms = HOUR_MS; /* no heartbeat wakes it either */
    loop = loop_new(s, &queue, leave_it_pending, &other);
    TS_TRUE(pthread_create(&other.thread, NULL, finish_after_a_while, &other) == 0);
    story_send(s, "1");
    loop_until(&loop, "DONE", 1);
    TS_TRUE(pthread_join(other.thread, NULL) == 0);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive WHERE read_ct = 1"), 1);
    pgqrs_worker_stop(loop.worker);
    loop_end(&loop);
}

RUNNING_TEST(the_lease_of_a_pending_job_is_extended)
{
    struct story *s = *state;
    struct other other = { .gate = ts_gate_new() };
    pgqrs_worker_queue_options queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;
    struct loop loop;

    queue.lease_ms = 1000;
    loop = loop_new(s, &queue, leave_it_pending, &other);
    story_send(s, "1");
    loop_until(&loop, "STARTED", 1);
    loop_for(&loop, 2500);
    assert_int_equal(pgqrs_job_cancelled(other.job), PGQRS_JOB_NOT_CANCELLED);
    pgqrs_job_finish(other.job, PGQRS_JOB_DONE);
    loop_until(&loop, "DONE", 1);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive WHERE read_ct = 1"), 1);
    pgqrs_worker_stop(loop.worker);
    loop_end(&loop);
}

RUNNING_TEST(a_pending_job_is_told_that_its_time_is_over)
{
    struct story *s = *state;
    struct other other = { .gate = ts_gate_new() };
    pgqrs_worker_queue_options queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;
    struct loop loop;

    queue.job_timeout_ms = 200;
    queue.retry = PGQRS_RETRY_FIXED;
    queue.retry_base_ms = HOUR_MS;
    loop = loop_new(s, &queue, leave_it_pending, &other);
    story_send(s, "1");
    loop_until(&loop, "FAILED", 1);
    assert_int_equal(pgqrs_job_cancelled(other.job), PGQRS_JOB_TIMED_OUT);
    pgqrs_job_finish(other.job, PGQRS_JOB_DONE);
    loop_until_idle(&loop);
    ts_journal_expect(loop.journal, "STARTED 1\nCANCELLED 1\nFAILED 1\n");
    pgqrs_worker_stop(loop.worker);
    loop_end(&loop);
}

RUNNING_TEST(a_pending_job_is_told_that_it_is_cancelled)
{
    struct story *s = *state;
    struct other other = { .gate = ts_gate_new() };
    pgqrs_worker_queue_options queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;
    struct loop loop;
    int64_t id = story_send(s, "1");

    queue.lease_ms = HOUR_MS;
    loop = loop_new(s, &queue, leave_it_pending, &other);
    loop_until(&loop, "STARTED", 1);
    TS_OK(pgqrs_message_cancel(s->client, text("jobs"), id, s->err), s->err);
    loop_until(&loop, "CANCELLED", 1);
    assert_int_equal(pgqrs_job_cancelled(other.job), PGQRS_JOB_CANCELLED);
    pgqrs_job_finish(other.job, PGQRS_JOB_DONE);
    pgqrs_worker_stop(loop.worker);
    loop_end(&loop);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive WHERE error = 'cancelled'"),
                     1);
}

static void *
stop_after_a_while(void *context)
{
    usleep(300000);
    pgqrs_worker_stop(((struct other *)context)->loop->worker);
    return NULL;
}

RUNNING_TEST(another_thread_stops_a_sleeping_loop)
{
    struct story *s = *state;
    struct loop loop = loop_new(s, NULL, running_done, NULL);
    struct other other = { .loop = &loop };

    loop_until_idle(&loop);
    TS_TRUE(pthread_create(&other.thread, NULL, stop_after_a_while, &other) == 0);
    while (!loop.over)
        loop_turn(&loop, story_now_ms() + RUNNING_WAIT_MS);
    TS_TRUE(pthread_join(other.thread, NULL) == 0);
    /* Once over, always over. */
    loop.over = 0;
    loop_turn(&loop, story_now_ms());
    assert_int_equal(loop.over, 1);
    running_forget(loop.worker);
}

static pgqrs_job_outcome
stop_from_inside(pgqrs_job *job, void *arg)
{
    (void)job;
    pgqrs_worker_stop(((struct other *)arg)->loop->worker);
    return PGQRS_JOB_DONE;
}

RUNNING_TEST(a_handler_stops_the_loop_that_runs_it)
{
    struct story *s = *state;
    struct other other = { 0 };
    struct loop loop = loop_new(s, NULL, stop_from_inside, &other);

    other.loop = &loop;
    story_send_many(s, 50, NULL);
    loop_end(&loop);
    assert_int_equal(ts_journal_count(loop.journal, "STARTED"),
                     ts_journal_count(loop.journal, "DONE"));
    assert_true(ts_journal_count(loop.journal, "DONE") >= 1);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_messages WHERE lease_token IS NULL "
                                    "AND failed_ct = 0 AND crash_ct = 0"),
                     50 - ts_journal_count(loop.journal, "DONE"));
}

RUNNING_TEST(a_loop_that_is_left_alone_can_be_closed)
{
    struct story *s = *state;
    struct other other = { .gate = ts_gate_new() };
    struct loop loop = loop_new(s, NULL, leave_it_pending, &other);

    story_send(s, "1");
    loop_until(&loop, "STARTED", 1);
    pgqrs_worker_stop(loop.worker);
    for (int i = 0; i < 3; i++)
        loop_turn(&loop, story_now_ms());
    pgqrs_job_finish(other.job, PGQRS_JOB_DONE);
    running_forget(loop.worker);
}

/* A worker on a server of its own, which is frozen for two seconds now and then. */
RUNNING_TEST(nothing_blocks_while_the_server_does_not_answer)
{
    struct story *s = *state;
    ts_cluster *cluster = ts_cluster_start("fsync = off\n");
    char *dsn = ts_database_on(ts_cluster_server(cluster));
    struct story frozen = { .dsn = dsn, .sql = ts_connect(dsn), .err = s->err };
    pgqrs_worker_queue_options queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;
    struct loop loop;

    frozen.client =
        ts_client(dsn, "operation_timeout_ms", "1000", "connection_timeout_seconds", "1", NULL);
    TS_OK(pgqrs_queue_create(frozen.client, text("jobs"), NULL, NULL, s->err), s->err);
    TS_OK(pgqrs_producer_open(frozen.client, text("jobs"), NULL, &frozen.producer, s->err), s->err);
    queue.lease_ms = 1000; /* so that there is something to send */
    loop = loop_new(&frozen, &queue, running_done, NULL);
    loop.watchdog = ts_watchdog_start();
    for (int round = 1; round <= 3; round++) {
        story_send_many(&frozen, 10, NULL);
        ts_cluster_freeze(cluster); /* the first time before it ever connected */
        loop_for(&loop, 2000);
        assert_int_equal(ts_journal_count(loop.journal, "DONE"), 10 * (round - 1));
        ts_cluster_thaw(cluster);
        loop_until(&loop, "DONE", 10 * round);
    }
    pgqrs_worker_stop(loop.worker);
    loop_end(&loop);
    print_message("slept for %ld ms at most\n", ts_watchdog_worst_ms(loop.watchdog));
    assert_true(ts_watchdog_worst_ms(loop.watchdog) < 100);
    ts_watchdog_stop(loop.watchdog);
    pgqrs_producer_close(frozen.producer);
    pgqrs_client_close(frozen.client);
    PQfinish(frozen.sql);
    ts_cluster_free(cluster);
    free(dsn);
}

TEST_MAIN(NULL, NULL)
