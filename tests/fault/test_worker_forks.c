/*
 * A handler forks a child that outlives the connections it got with it: their end does not keep the
 * worker busy.
 */
#include "running.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "outcome.h"

#define WATCHED_MS 3000

/* Far more turns than an idle worker takes in that time, and far fewer than one takes that never
 * waits. */
#define TURNS_MAX 1000

static pid_t child;

/* The first job forks; the child holds copies of all descriptors until it is killed. */
static pgqrs_job_outcome
fork_once(pgqrs_job *job, void *arg)
{
    (void)job;
    (void)arg;
    if (child > 0)
        return PGQRS_JOB_DONE;
    child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            pause();
    }
    return PGQRS_JOB_DONE;
}

/* One turn of an event loop. */
static void
turn(struct story *s, pgqrs_worker *worker)
{
    struct pollfd readable = { .fd = pgqrs_worker_fd(worker), .events = POLLIN };
    bool over;

    poll(&readable, 1, (int)pgqrs_worker_timeout_ms(worker));
    TS_OK(pgqrs_worker_process(worker, &over, s->err), s->err);
}

static void
turn_until_done(struct story *s, pgqrs_worker *worker, int count)
{
    int64_t until = story_now_ms() + TS_OUTCOME_WAIT_MS;

    while (ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive") < count) {
        if (story_now_ms() > until)
            ts_fail("%d messages were not done within %d ms", count, TS_OUTCOME_WAIT_MS);
        turn(s, worker);
    }
}

/* How many turns it takes in a while in which there is nothing to do. */
static int
count_turns(struct story *s, pgqrs_worker *worker)
{
    int64_t until = story_now_ms() + WATCHED_MS;
    int turns = 0;

    for (; story_now_ms() < until; turns++)
        turn(s, worker);
    return turns;
}

/* The child also holds the pipe whose end stops the tests' server. */
static int
close_child(void **state)
{
    if (child > 0) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    return running_close(state);
}

#define FORK_TEST(name) TEST_WITH(name, story_open, close_child)

FORK_TEST(a_lost_connection_that_a_child_holds_is_not_watched)
{
    struct story *s = *state;
    pgqrs_worker *worker = running_new(s, NULL);
    int turns;

    running_add(s, worker, "jobs", NULL, fork_once, NULL);
    story_send(s, "{}");
    turn_until_done(s, worker, 1);
    TS_TRUE(child > 0);
    ts_sql(s->sql,
           "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = "
           "current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()");
    while (pgqrs_producer_enqueue(s->producer, text("{}"), NULL, NULL, s->err) != PGQRS_OK)
        usleep(10000);
    turn_until_done(s, worker, 2);
    turns = count_turns(s, worker);
    if (turns > TURNS_MAX)
        ts_fail("the worker took %d turns in %d ms without anything to do", turns, WATCHED_MS);
}

TEST_MAIN(NULL, NULL)
