/*
 * The server is away for longer than a lease: jobs that ran in the meantime keep their leases and
 * are not charged a crash.
 */
#include "outage.h"

#include "outcome.h"

#define LEASE_MS 2000
#define JOBS 5

/* Two workers run jobs, one of them some and the other one the rest. */
static void
start_two(struct outage *outage, ts_gate *gate)
{
    pgqrs_worker_queue_options queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;

    queue.lease_ms = LEASE_MS;
    outage->options.concurrency = 3;
    outage->options.prefetch_max = -1;
    for (int i = 0; i < 2; i++)
        running_start(&outage->story, &outage->options, &queue, running_at_gate, gate);
    story_send_many(&outage->story, JOBS, NULL);
    ts_gate_await(gate, JOBS);
    /* A claim does not wait for the disk: one that a crash undoes would be made again, rightly. */
    ts_sql(outage->story.sql, "CHECKPOINT");
}

/* The server is there again. Nothing is started elsewhere in a time in which each lease would have
 * run out again. */
static void
expect_no_harm(struct outage *outage, ts_gate *gate)
{
    struct story *s = &outage->story;

    ts_journal_await(outage->journal, "CONNECTED", 2);
    ts_sql(s->sql, "SELECT pg_sleep(%d)", 2 * LEASE_MS / 1000);
    ts_outcome_expect_no_crash(s->sql);
    assert_int_equal(ts_gate_arrived(gate), JOBS);
    ts_gate_open(gate);
    ts_outcome_await(s->sql, JOBS, "outcome = 'done' AND read_ct = 1 AND crash_ct = 0");
    assert_int_equal(ts_journal_count(outage->journal, "LOST"), 0);
}

OUTAGE_TEST(a_crash_of_the_server_is_charged_to_nobody)
{
    struct outage *outage = *state;
    ts_gate *gate = ts_gate_new();

    start_two(outage, gate);
    ts_cluster_stop(outage->cluster, TS_STOP_IMMEDIATE);
    ts_journal_await(outage->journal, "CANCELLED", JOBS); /* so it outlasts the leases */
    usleep(LEASE_MS * 1000 / 4);                          /* by the server's clock as well */
    outage_restart(outage);
    expect_no_harm(outage, gate);
}

OUTAGE_TEST(a_restart_of_the_server_is_charged_to_nobody)
{
    struct outage *outage = *state;
    ts_gate *gate = ts_gate_new();

    start_two(outage, gate);
    ts_cluster_stop(outage->cluster, TS_STOP_FAST);
    ts_journal_await(outage->journal, "CANCELLED", JOBS);
    usleep(LEASE_MS * 1000 / 4);
    outage_restart(outage);
    expect_no_harm(outage, gate);
}

TEST_MAIN(NULL, NULL)
