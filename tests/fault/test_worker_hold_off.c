/*
 * After an outage a worker leaves expired leases to their holders for a while: holders that were
 * cut off too come back and extend them.
 */
#include "running.h"

#include "outcome.h"
#include "proxy.h"

#define NAME "worker_behind_a_proxy"
#define HOLDERS_LEASE_MS 300
#define LEASE_MS 500 /* of the worker: shorter than the pauses in which others try to come back */

static pgqrs_worker *
start_behind(struct story *s, pgqrs_client *client, ts_journal *events)
{
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;
    pgqrs_worker_queue_options queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;
    pgqrs_worker *worker;

    options.poll_ms = 50; /* so that it soon notices what happens to its connections */
    options.on_event = ts_journal_event;
    options.event_arg = events;
    worker = running_new_on(s, client, &options);
    queue.lease_ms = LEASE_MS;
    running_add(s, worker, "jobs", &queue, running_done, NULL);
    TS_OK(pgqrs_worker_start(worker, s->err), s->err);
    running_await_idle(worker);
    return worker;
}

/* No new connection is let through, and the old ones end: first the one in use, then all others. */
static void
cut_off(struct story *s, ts_proxy *proxy, ts_journal *events)
{
    ts_proxy_arm(proxy, TS_PROXY_TO_SERVER, 0, TS_PROXY_REFUSE);
    ts_journal_await(events, "TROUBLE", 1);
    ts_sql(s->sql, "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE "
                   "application_name = '" NAME "'");
    ts_journal_await(events, "DISCONNECTED", 1);
}

/* Two of each lane. After the outage the worker works, but takes none of them. One of each is
 * extended and finished by its holder; the other one is taken at last. */
RUNNING_TEST(leases_that_ran_out_in_an_outage_are_left_to_their_holders)
{
    struct story *s = *state;
    ts_proxy *proxy = ts_proxy_start(s->dsn);
    char *dsn = ts_format("%s application_name=" NAME, ts_proxy_dsn(proxy));
    pgqrs_client *client = ts_client(dsn, NULL);
    pgqrs_consumer *holder = story_consumer(s, s->client, HOLDERS_LEASE_MS);
    ts_journal *events = ts_journal_new();
    pgqrs_lease high[2], plain[2];
    pgqrs_worker *worker = start_behind(s, client, events);

    cut_off(s, proxy, events);
    for (int i = 0; i < 2; i++) {
        story_send_priority(s, 5);
        high[i] = story_take_one(s, holder);
        story_send(s, "1");
        plain[i] = story_take_one(s, holder);
    }
    ts_wait_until(s->sql, RUNNING_WAIT_MS,
                  "SELECT count(*) = 4 FROM pgqrs_messages WHERE vt < clock_timestamp()");
    ts_proxy_pass(proxy);
    ts_journal_await(events, "CONNECTED", 1);
    ts_sql(s->sql, "SELECT pg_sleep(%d)", 4 * LEASE_MS / 1000);
    for (int i = 1; i <= 3; i++) {
        story_send_priority(s, 5);
        ts_outcome_await(s->sql, i, "outcome = 'done'");
    }
    ts_outcome_expect(s->sql, 0, "crash_ct > 0");
    TS_OK(pgqrs_consumer_archive(holder, high[0], (pgqrs_slice){ NULL, 0 }, s->err), s->err);
    TS_OK(pgqrs_consumer_archive(holder, plain[0], (pgqrs_slice){ NULL, 0 }, s->err), s->err);
    ts_outcome_await(s->sql, 7, "outcome = 'done'");
    ts_outcome_expect(s->sql, 2, "crash_ct = 1 AND read_ct = 2");
    TS_IS(PGQRS_ELEASELOST, pgqrs_consumer_delete(holder, high[1], s->err), s->err);
    TS_IS(PGQRS_ELEASELOST, pgqrs_consumer_delete(holder, plain[1], s->err), s->err);
    running_end(s, worker);
    pgqrs_consumer_close(holder);
    pgqrs_client_close(client);
    ts_proxy_stop(proxy);
    free(dsn);
}

/* From now on the server refuses to send {"bad": ...} of the held lane, as it refuses what is too
 * large, and at once. */
static void
make_unreadable(struct story *s)
{
    ts_sql(s->sql, "CREATE FUNCTION too_large() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                   "RAISE EXCEPTION 'too large' USING ERRCODE = 'program_limit_exceeded'; END $$;"
                   "CREATE TRIGGER too_large BEFORE UPDATE ON " HELD
                   " FOR EACH ROW WHEN (NEW.payload ? 'bad' AND current_query() LIKE '%%RETURNING "
                   "m.id, m.payload%%') EXECUTE FUNCTION too_large()");
}

/* The unreadable message is claimed without being read; that claim must not take an expired lease,
 * which would come first, either. */
RUNNING_TEST(what_cannot_be_read_is_not_taken_for_a_lease_that_ran_out)
{
    struct story *s = *state;
    ts_proxy *proxy = ts_proxy_start(s->dsn);
    char *dsn = ts_format("%s application_name=" NAME, ts_proxy_dsn(proxy));
    pgqrs_client *client = ts_client(dsn, NULL);
    pgqrs_consumer *holder = story_consumer(s, s->client, HOLDERS_LEASE_MS);
    ts_journal *events = ts_journal_new();
    pgqrs_worker *worker = start_behind(s, client, events);
    pgqrs_lease lease;

    make_unreadable(s);
    cut_off(s, proxy, events);
    story_send_priority(s, 5);
    lease = story_take_one(s, holder);
    ts_wait_until(s->sql, RUNNING_WAIT_MS,
                  "SELECT count(*) = 1 FROM " HELD " WHERE vt < clock_timestamp()");
    ts_sql(s->sql, "INSERT INTO " HELD " (payload, priority) VALUES ('{\"bad\": 1}', 5)");
    ts_proxy_pass(proxy);
    ts_outcome_await(s->sql, 1, "outcome = 'dead'");
    ts_outcome_expect(s->sql, 1,
                      "outcome = 'dead' AND payload ? 'bad' AND error LIKE '%too large%'");
    TS_OK(pgqrs_consumer_archive(holder, lease, (pgqrs_slice){ NULL, 0 }, s->err), s->err);
    ts_outcome_expect(s->sql, 1, "outcome = 'done' AND crash_ct = 0 AND read_ct = 1");
    running_end(s, worker);
    pgqrs_consumer_close(holder);
    pgqrs_client_close(client);
    ts_proxy_stop(proxy);
    free(dsn);
}

TEST_MAIN(NULL, NULL)
