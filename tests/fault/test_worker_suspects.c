/*
 * Messages with one crash left are run alone. That is a precaution: it neither stops the others for
 * as long as such a message takes, nor does it bury one that was never started.
 */
#include "running.h"

#include <signal.h>

#include "outcome.h"
#include "worker_program.h"

#define SUSPECTS 5
#define PATIENCE_MS 3000

/* Puts messages there that lost two of their three leases. */
static void
send_suspects(struct story *s, int count, const char *payload)
{
    ts_sql(s->sql,
           "INSERT INTO pgqrs_messages (queue_id, lane, payload, read_ct, crash_ct) SELECT id, "
           "'h', '%s', 2, 2 FROM pgqrs_queues, generate_series(1, %d)",
           payload, count);
}

/* How many suspects have begun, and whether they may end. */
static atomic_int begun, may_end;

/* A gate does not wait that long. */
static pgqrs_job_outcome
work_long_on_suspects(pgqrs_job *job, void *arg)
{
    int64_t until = story_now_ms() + TS_OUTCOME_WAIT_MS;

    (void)arg;
    if (pgqrs_job_message(job)->crash_ct == 0)
        return PGQRS_JOB_DONE;
    atomic_fetch_add(&begun, 1);
    while (!atomic_load(&may_end) && story_now_ms() < until)
        usleep(2000);
    return PGQRS_JOB_DONE;
}

static int
open_suspects(void **state)
{
    atomic_store(&begun, 0);
    atomic_store(&may_end, 0);
    return story_open(state);
}

static int
close_suspects(void **state)
{
    atomic_store(&may_end, 1);
    return running_close(state);
}

#define SUSPECTS_TEST(name) TEST_WITH(name, open_suspects, close_suspects)

/* A suspect that works long is no reason for all others to wait for its end. */
SUSPECTS_TEST(others_go_on_beside_a_suspect_that_takes_long)
{
    struct story *s = *state;
    pgqrs_worker *worker;

    send_suspects(s, 1, "{}");
    worker = running_start(s, NULL, NULL, work_long_on_suspects, NULL);
    running_await_number(&begun, 1);
    story_send_many(s, 50, NULL);
    ts_outcome_await(s->sql, 50, "crash_ct = 0 AND outcome = 'done' AND read_ct = 1");
    /* It still runs. */
    assert_int_equal(
        ts_int(
            s->sql,
            "SELECT count(*) FROM pgqrs_messages WHERE crash_ct = 2 AND lease_token IS NOT NULL"),
        1);
    atomic_store(&may_end, 1);
    ts_outcome_await(s->sql, 51, "outcome = 'done'");
    running_end(s, worker);
}

/* Several of them, one after the other, each of which takes long. */
SUSPECTS_TEST(others_go_on_beside_several_suspects)
{
    struct story *s = *state;
    pgqrs_worker *worker;

    send_suspects(s, 3, "{}");
    worker = running_start(s, NULL, NULL, work_long_on_suspects, NULL);
    running_await_number(&begun, 1);
    story_send_many(s, 50, NULL);
    ts_outcome_await(s->sql, 50, "crash_ct = 0 AND outcome = 'done'");
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_messages WHERE crash_ct = 2"), 3);
    atomic_store(&may_end, 1);
    ts_outcome_await(s->sql, 53, "outcome = 'done'");
    ts_outcome_expect(s->sql, 3, "crash_ct = 2");
    running_end(s, worker);
}

/* The process dies of another cause while suspects wait for their turn. */
RUNNING_TEST(a_suspect_that_was_not_started_is_not_buried)
{
    struct story *s = *state;
    ts_worker_setup setup = { .dsn = s->dsn, .lease_ms = 1000 };
    int64_t long_one, until;
    ts_process *process;

    ts_ledger_create(s->sql);
    long_one = story_send(s, "600000");
    process = ts_worker_spawn(&setup);
    ts_wait_until(s->sql, TS_OUTCOME_WAIT_MS,
                  "SELECT count(*) = 1 FROM ledger WHERE what = 'began'");
    send_suspects(s, SUSPECTS, "1");
    /* They may be claimed, and released at once, or not: there is no need to. */
    until = story_now_ms() + PATIENCE_MS;
    while (story_now_ms() < until &&
           ts_int(s->sql, "SELECT (count(*) FILTER (WHERE read_ct > 2) > 0 AND count(lease_token) "
                          "= 0)::int FROM pgqrs_messages WHERE crash_ct = 2") == 0)
        usleep(2000);
    ts_kill(process, SIGKILL);
    ts_wait(process, TS_OUTCOME_WAIT_MS, NULL);
    /* The suspect would run long again. */
    ts_sql(s->sql, "DELETE FROM pgqrs_messages WHERE id = %lld", (long long)long_one);
    process = ts_worker_spawn(&setup);
    ts_wait_until(s->sql, TS_OUTCOME_WAIT_MS, "SELECT count(*) = %d FROM pgqrs_archive", SUSPECTS);
    ts_outcome_expect(s->sql, SUSPECTS, "outcome = 'done'");
    ts_kill(process, SIGTERM);
    ts_wait(process, TS_OUTCOME_WAIT_MS, NULL);
    ts_sql(s->sql, "DROP TABLE ledger");
}

int
main(int argc, char **argv)
{
    ts_worker_program(argc, argv);
    return found_run(argc, argv, NULL, NULL);
}
