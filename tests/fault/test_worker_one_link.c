/*
 * The server grants a worker fewer connections than it wants, or refuses some of its statements:
 * the worker goes on with the rest, reports what is missing, and is not idle before it knows that
 * nothing is due.
 */
#include "running.h"

#include "outcome.h"
#include "role.h"

#define ROLE "ts_one_link"
#define SOON_MS 1000

struct linked {
    char *dsn; /* as ROLE */
    pgqrs_client *client;
    ts_journal *words; /* what the worker said */
};

static void
note_event(const pgqrs_event *event, void *words)
{
    ts_journal_add(words, "%s", event->message);
    if (strstr(event->message, "too many connections") != NULL)
        ts_journal_add(words, "told the limit");
    if (strstr(event->message, "permission denied") != NULL)
        ts_journal_add(words, "told the grant");
}

/* A role with a connection in use, that of the client. */
static struct linked
begin(struct story *s)
{
    struct linked l = { .dsn = ts_role(s->sql, s->dsn, ROLE), .words = ts_journal_new() };

    l.client = ts_client(l.dsn, NULL);
    return l;
}

static pgqrs_worker *
start(struct story *s, struct linked *l)
{
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;
    pgqrs_worker *worker;

    options.on_event = note_event;
    options.event_arg = l->words;
    worker = running_new_on(s, l->client, &options);
    running_add(s, worker, "jobs", NULL, running_done, NULL);
    TS_OK(pgqrs_worker_start(worker, s->err), s->err);
    return worker;
}

static void
end(struct story *s, struct linked *l, pgqrs_worker *worker)
{
    running_end(s, worker);
    pgqrs_client_close(l->client);
    free(l->dsn);
}

static void
send_later(struct story *s)
{
    TS_OK(pgqrs_producer_enqueue_delayed(s->producer, text("{}"), SOON_MS, NULL, s->err), s->err);
}

static void
limit_connections(struct story *s, int limit)
{
    ts_sql(s->sql, "ALTER ROLE " ROLE " CONNECTION LIMIT %d", limit);
}

RUNNING_TEST(a_delayed_message_comes_without_the_second_connection)
{
    struct story *s = *state;
    struct linked l = begin(s);
    pgqrs_worker *worker;

    limit_connections(s, 2);
    worker = start(s, &l);
    send_later(s);
    story_send(s, "{}");
    ts_outcome_await(s->sql, 2, "outcome = 'done' AND read_ct = 1");
    ts_journal_await(l.words, "told the limit", 1);
    end(s, &l, worker);
}

RUNNING_TEST(it_is_not_idle_before_it_knows)
{
    struct story *s = *state;
    struct linked l = begin(s);
    int64_t until = story_now_ms() + TS_OUTCOME_WAIT_MS;
    pgqrs_worker *worker;
    int idle;

    limit_connections(s, 2);
    story_send_priority(s, 7);
    worker = start(s, &l);
    do {
        idle = pgqrs_worker_is_idle(worker);
        usleep(2000);
    } while (!idle && story_now_ms() < until &&
             ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive") == 0);
    ts_outcome_expect(s->sql, 1, "outcome = 'done'");
    end(s, &l, worker);
}

/* When it sleeps, its main connection is known by its lock. */
RUNNING_TEST(it_goes_on_when_it_loses_the_second_connection)
{
    struct story *s = *state;
    struct linked l = begin(s);
    pgqrs_worker *worker = start(s, &l);

    story_send(s, "{}");
    ts_outcome_await(s->sql, 1, "outcome = 'done'");
    running_await_asleep(s, 1);
    limit_connections(s, 1);
    ts_sql(s->sql,
           "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = '" ROLE
           "' AND pid NOT IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND mode = "
           "'ShareLock')");
    ts_journal_await(l.words, "told the limit", 1);
    story_send_priority(s, 7);
    send_later(s);
    ts_outcome_await(s->sql, 3, "outcome = 'done' AND read_ct = 1");
    /* And when it is allowed again it is as before. */
    limit_connections(s, -1);
    story_send_priority(s, 7);
    ts_outcome_await(s->sql, 4, "outcome = 'done' AND read_ct = 1");
    end(s, &l, worker);
}

RUNNING_TEST(a_delayed_message_comes_without_a_grant_for_looking)
{
    struct story *s = *state;
    struct linked l = begin(s);
    pgqrs_worker *worker;

    ts_sql(s->sql, "REVOKE ALL ON SEQUENCE pgqrs_message_id_seq FROM " ROLE);
    worker = start(s, &l);
    send_later(s);
    story_send_priority(s, 7);
    ts_outcome_await(s->sql, 2, "outcome = 'done' AND read_ct = 1");
    ts_journal_await(l.words, "told the grant", 1);
    end(s, &l, worker);
}

TEST_MAIN(NULL, NULL)
