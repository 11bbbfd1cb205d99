/*
 * A refused report or a broken queue stops nothing else: other messages, other queues and the
 * worker itself go on, and the worker reports what is wrong.
 */
#include "running.h"

#include <sys/resource.h>
#include <sys/wait.h>

/* A refused report becomes a failure after a quarter of a minute; machines may be busy. */
#define REFUSED_WAIT_MS 60000

/* Refuses to archive the messages whose payloads have the key "bad" as done. */
#define REFUSE_BAD                                                                                 \
    "CREATE OR REPLACE FUNCTION refuse_bad() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "        \
    "IF NEW.payload ? 'bad' AND NEW.outcome = 'done' THEN RAISE EXCEPTION 'bad is refused'; END "  \
    "IF; "                                                                                         \
    "RETURN NEW; END $$; "                                                                         \
    "CREATE TRIGGER refuse_bad BEFORE INSERT ON pgqrs_archive FOR EACH ROW EXECUTE FUNCTION "      \
    "refuse_bad()"

struct trouble {
    struct story *s;
    ts_journal *events;
    pgqrs_worker_options options;
    pgqrs_worker_queue_options queue;
};

static struct trouble
trouble_new(struct story *s, int64_t lease_ms)
{
    struct trouble trouble = { .s = s, .events = ts_journal_new() };

    trouble.options = (pgqrs_worker_options)PGQRS_WORKER_OPTIONS_INIT;
    trouble.options.on_event = ts_journal_event;
    trouble.options.event_arg = trouble.events;
    trouble.queue = (pgqrs_worker_queue_options)PGQRS_WORKER_QUEUE_OPTIONS_INIT;
    trouble.queue.lease_ms = lease_ms;
    return trouble;
}

RUNNING_TEST(a_refused_report_stops_no_other_message_and_is_not_run_again)
{
    struct story *s = *state;
    struct trouble trouble = trouble_new(s, 2000);
    int64_t bad = story_send(s, "{\"bad\": 1}");
    pgqrs_worker *worker;

    ts_sql(s->sql, REFUSE_BAD);
    trouble.options.concurrency = 1;
    trouble.queue.max_attempts = 1;
    worker = running_start(s, &trouble.options, &trouble.queue, running_done, NULL);
    ts_journal_await(trouble.events, "TROUBLE", 1);
    for (int i = 0; i < 5; i++)
        story_send(s, "1");
    running_await(s, 5);
    ts_sql(s->sql, "SELECT pg_sleep(6)"); /* three leases */
    story_send(s, "1");
    running_await(s, 6);
    assert_int_equal(ts_int(s->sql,
                            "SELECT read_ct + 10 * crash_ct FROM pgqrs_messages WHERE id = %lld",
                            (long long)bad),
                     1);
    /* At last it is a failure, and says why. */
    ts_wait_until(s->sql, REFUSED_WAIT_MS,
                  "SELECT count(*) = 1 FROM pgqrs_archive WHERE outcome = 'dead' AND failed_ct = 1 "
                  "AND crash_ct = 0 AND read_ct = 1 AND error LIKE '%%bad is refused%%'");
    ts_sql(s->sql, "DROP TRIGGER refuse_bad ON pgqrs_archive");
    running_end(s, worker);
    assert_int_equal(ts_journal_count(trouble.events, "STARTED"), 7);
}

RUNNING_TEST(what_waits_for_a_locked_archive_is_run_once)
{
    struct story *s = *state;
    struct trouble trouble = trouble_new(s, 2000);
    PGconn *other = ts_connect(s->dsn);
    pgqrs_worker *worker;

    ts_sql(other, "BEGIN; LOCK TABLE pgqrs_archive_1 IN ACCESS EXCLUSIVE MODE");
    story_send_many(s, 6, NULL);
    worker = running_start(s, &trouble.options, &trouble.queue, running_done, NULL);
    ts_journal_await(trouble.events, "TROUBLE", 1);
    ts_sql(s->sql, "SELECT pg_sleep(8)"); /* four leases */
    ts_sql(other, "COMMIT");
    running_await(s, 6);
    running_end(s, worker);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive WHERE outcome = 'done' AND "
                                    "read_ct = 1 AND crash_ct = 0"),
                     6);
    assert_int_equal(ts_journal_count(trouble.events, "STARTED"), 6);
    PQfinish(other);
}

RUNNING_TEST(a_locked_queue_costs_no_other_queue_its_leases)
{
    struct story *s = *state;
    struct trouble trouble = trouble_new(s, 4000);
    PGconn *other = ts_connect(s->dsn);
    ts_gate *gate = ts_gate_new();
    pgqrs_producer *producers[3];
    pgqrs_worker *worker = running_new(s, &trouble.options);

    running_add(s, worker, "jobs", &trouble.queue, running_at_gate, gate);
    for (int i = 0; i < 3; i++) {
        char *name = ts_format("locked%d", i);

        TS_OK(pgqrs_queue_create(s->client, text(name), NULL, NULL, s->err), s->err);
        TS_OK(pgqrs_producer_open(s->client, text(name), NULL, &producers[i], s->err), s->err);
        TS_OK(pgqrs_producer_enqueue(producers[i], text("1"), NULL, NULL, s->err), s->err);
        running_add(s, worker, name, &trouble.queue, running_at_gate, gate);
        free(name);
    }
    story_send(s, "1");
    TS_OK(pgqrs_worker_start(worker, s->err), s->err);
    ts_gate_await(gate, 4);
    ts_sql(other, "BEGIN");
    for (int i = 2; i <= 4; i++)
        ts_sql(
            other,
            "LOCK TABLE pgqrs_messages_%d_ready, pgqrs_messages_%d_held IN ACCESS EXCLUSIVE MODE",
            i, i);
    for (int i = 0; i < 10; i++) {
        usleep(1000000);
        if (ts_int(s->sql,
                   "SELECT count(*) FROM pgqrs_messages_1_ready WHERE vt < clock_timestamp()") +
                ts_int(s->sql,
                       "SELECT count(*) FROM pgqrs_messages_1_held WHERE vt < clock_timestamp()") !=
            0)
            ts_fail("the lease of the queue that nobody locked ran out after %d s", i + 1);
    }
    assert_int_equal(ts_journal_count(trouble.events, "DISCONNECTED"), 0);
    ts_sql(other, "COMMIT");
    ts_gate_open(gate);
    ts_journal_await(trouble.events, "DONE 4", 1);
    running_end(s, worker);
    for (int i = 0; i < 3; i++)
        pgqrs_producer_close(producers[i]);
    PQfinish(other);
}

RUNNING_TEST(a_queue_that_is_deleted_and_made_again_is_served_again)
{
    struct story *s = *state;
    struct trouble trouble = trouble_new(s, 2000);
    ts_gate *gate = ts_gate_new();
    pgqrs_producer *producer;
    pgqrs_worker *worker;

    story_send(s, "1");
    worker = running_start(s, &trouble.options, &trouble.queue, running_at_gate, gate);
    ts_gate_await(gate, 1);
    TS_OK(pgqrs_queue_delete(s->client, text("jobs"), s->err), s->err);
    ts_journal_await(trouble.events, "LOST", 1);
    ts_gate_open(gate);
    TS_OK(pgqrs_queue_create(s->client, text("jobs"), NULL, NULL, s->err), s->err);
    ts_journal_await(trouble.events, "REOPENED", 1);
    TS_OK(pgqrs_producer_open(s->client, text("jobs"), NULL, &producer, s->err), s->err);
    for (int i = 1; i <= 2; i++) {
        running_await_asleep(s, 1);
        TS_OK(pgqrs_producer_enqueue(producer, text("1"), NULL, NULL, s->err), s->err);
        ts_journal_await(trouble.events, "DONE", i);
    }
    ts_wait_until(s->sql, RUNNING_WAIT_MS, "SELECT count(*) = 1 FROM pgqrs_workers");
    running_end(s, worker);
    pgqrs_producer_close(producer);
}

/* A role that may have one session less than its client and worker want. */
RUNNING_TEST(with_one_connection_it_does_everything)
{
    struct story *s = *state;
    struct trouble trouble = trouble_new(s, 0);
    pgqrs_enqueue_options later = PGQRS_ENQUEUE_OPTIONS_INIT;
    pgqrs_client *client;
    pgqrs_worker *worker;
    char *dsn;

    later.delay_ms = 1000;
    ts_sql(s->sql, "DROP ROLE IF EXISTS narrow; CREATE ROLE narrow LOGIN CONNECTION LIMIT 2; "
                   "GRANT ALL ON ALL TABLES IN SCHEMA public TO narrow; "
                   "GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO narrow; "
                   "GRANT USAGE ON SCHEMA public TO narrow");
    dsn = ts_format("%s user=narrow", s->dsn);
    client = ts_client(dsn, NULL);
    worker = running_new_on(s, client, &trouble.options);
    running_add(s, worker, "jobs", &trouble.queue, running_done, NULL);
    TS_OK(pgqrs_worker_start(worker, s->err), s->err);
    ts_journal_await(trouble.events, "TROUBLE", 1);
    story_send_with(s, "1", &later);
    story_send(s, "1");
    running_await(s, 2);
    running_await_idle(worker);
    running_end(s, worker);
    pgqrs_client_close(client);
    ts_sql(s->sql, "DROP OWNED BY narrow; DROP ROLE narrow");
    free(dsn);
}

/* Hints need the sequence; without a grant on it there are none. */
RUNNING_TEST(without_hints_it_serves_every_message_and_is_not_idle)
{
    struct story *s = *state;
    struct trouble trouble = trouble_new(s, 0);
    pgqrs_enqueue_options later = PGQRS_ENQUEUE_OPTIONS_INIT;
    pgqrs_client *client;
    pgqrs_worker *worker;
    char *dsn;

    later.delay_ms = 1000;
    ts_sql(
        s->sql,
        "DROP ROLE IF EXISTS blind; CREATE ROLE blind LOGIN; "
        "GRANT ALL ON ALL TABLES IN SCHEMA public TO blind; GRANT USAGE ON SCHEMA public TO blind");
    ts_sql(s->sql, "GRANT USAGE ON SEQUENCE pgqrs_workers_id_seq TO blind");
    dsn = ts_format("%s user=blind", s->dsn);
    client = ts_client(dsn, NULL);
    worker = running_new_on(s, client, &trouble.options);
    running_add(s, worker, "jobs", &trouble.queue, running_done, NULL);
    TS_OK(pgqrs_worker_start(worker, s->err), s->err);
    ts_journal_await(trouble.events, "TROUBLE", 1);
    story_send_with(s, "1", &later);
    running_await(s, 1);
    usleep(500000);
    assert_int_equal(pgqrs_worker_is_idle(worker), 0);
    running_end(s, worker);
    pgqrs_client_close(client);
    ts_sql(s->sql, "DROP OWNED BY blind; DROP ROLE blind");
    free(dsn);
}

RUNNING_TEST(a_worker_that_cannot_be_registered_works_and_is_registered_later)
{
    struct story *s = *state;
    struct trouble trouble = trouble_new(s, 0);
    pgqrs_worker *worker;

    ts_sql(s->sql,
           "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
           "RAISE EXCEPTION 'refused'; END $$; "
           "CREATE TRIGGER refuse BEFORE INSERT ON pgqrs_workers FOR EACH ROW EXECUTE FUNCTION "
           "refuse()");
    worker = running_start(s, &trouble.options, &trouble.queue, running_done, NULL);
    story_send(s, "1");
    running_await(s, 1);
    ts_sql(s->sql, "DROP TRIGGER refuse ON pgqrs_workers");
    ts_wait_until(s->sql, REFUSED_WAIT_MS, "SELECT count(*) = 1 FROM pgqrs_workers");
    running_end(s, worker);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_workers"), 0);
}

/* Leaves a child behind that has inherited all descriptors, the worker's connections among them. */
static pgqrs_job_outcome
leave_a_child(pgqrs_job *job, void *arg)
{
    pid_t child = fork();

    (void)job;
    if (child == 0) {
        pause();
        _exit(0);
    }
    for (pid_t *children = arg; child != 0; children++) {
        if (*children != 0)
            continue;
        *children = child;
        child = 0;
    }
    return PGQRS_JOB_DONE;
}

static double
processor_seconds(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

RUNNING_TEST(a_child_that_inherited_a_lost_connection_keeps_no_loop_busy)
{
    struct story *s = *state;
    struct trouble trouble = trouble_new(s, 0);
    pid_t children[3] = { 0 };
    pgqrs_worker *worker;
    double before;

    story_send(s, "1");
    trouble.options.concurrency = 1; /* one handler at a time writes to `children` */
    worker = running_start(s, &trouble.options, &trouble.queue, leave_a_child, children);
    running_await(s, 1);
    running_await_idle(worker);
    ts_sql(s->sql, "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE "
                   "datname = current_database() AND backend_type = 'client backend' AND "
                   "pid <> pg_backend_pid()");
    story_send(s, "1"); /* it is connected again */
    running_await(s, 2);
    running_await_idle(worker);
    before = processor_seconds();
    usleep(2000000);
    if (processor_seconds() - before > 0.1)
        ts_fail("an idle worker used %.1f s of processor in 2 s", processor_seconds() - before);
    running_end(s, worker);
    for (int i = 0; children[i] != 0; i++) {
        kill(children[i], SIGKILL);
        waitpid(children[i], NULL, 0);
    }
}

TEST_MAIN(NULL, NULL)
