/*
 * A pooler in front of the server has fewer sessions than a worker would like, or takes fewer
 * clients: the worker works with what it gets, says what is missing, and is not idle before it
 * knows that there is nothing to do.
 */
#include "running.h"

#include "cluster.h"
#include "outcome.h"

#define SOON_MS 1000
#define QUEUED "it did not answer in time" /* a pooler lets clients wait for a session */
#define REFUSED "no more connections allowed"

struct pooled {
    ts_pgbouncer *pooler;
    pgqrs_client *client; /* through the pooler; it keeps a session in session mode */
    ts_journal *words;    /* what the worker said */
};

static void
note_event(const pgqrs_event *event, void *words)
{
    if (event->message == NULL)
        return;
    ts_journal_add(words, "%s", event->message);
    if (strstr(event->message, QUEUED) != NULL)
        ts_journal_add(words, "told that it waits");
    if (strstr(event->message, REFUSED) != NULL)
        ts_journal_add(words, "told the limit");
}

static ts_pgbouncer *
start_pooler(const char *dsn, const char *mode, const char *sessions, const char *clients)
{
    ts_pgbouncer *pooler;

    setenv("PGQRS_TEST_POOL_MODE", mode, 1);
    setenv("PGQRS_TEST_POOL_SIZE", sessions, 1);
    setenv("PGQRS_TEST_POOL_CLIENTS", clients, 1);
    pooler = ts_pgbouncer_start(dsn);
    unsetenv("PGQRS_TEST_POOL_MODE");
    unsetenv("PGQRS_TEST_POOL_SIZE");
    unsetenv("PGQRS_TEST_POOL_CLIENTS");
    return pooler;
}

static struct pooled
begin(struct story *s, const char *mode, const char *sessions, const char *clients)
{
    struct pooled p = { .pooler = start_pooler(s->dsn, mode, sessions, clients),
                        .words = ts_journal_new() };

    p.client = ts_client(ts_pgbouncer_dsn(p.pooler), "connection_timeout_seconds", "2", NULL);
    return p;
}

static pgqrs_worker *
start(struct story *s, struct pooled *p)
{
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;
    pgqrs_worker *worker;

    options.on_event = note_event;
    options.event_arg = p->words;
    worker = running_new_on(s, p->client, &options);
    running_add(s, worker, "jobs", NULL, running_done, NULL);
    TS_OK(pgqrs_worker_start(worker, s->err), s->err);
    return worker;
}

static void
end(struct story *s, struct pooled *p, pgqrs_worker *worker)
{
    running_end(s, worker);
    pgqrs_client_close(p->client);
    ts_pgbouncer_stop(p->pooler);
}

/* One of each kind: what is due now, what comes first, what is due later. */
static void
send_all_kinds(struct story *s)
{
    TS_OK(pgqrs_producer_enqueue_delayed(s->producer, text("{}"), SOON_MS, NULL, s->err), s->err);
    story_send_priority(s, 7);
    story_send(s, "{}");
}

/* Whenever it says that it is idle, nothing is left to do. */
static void
expect_not_idle_before(struct story *s, pgqrs_worker *worker, int done)
{
    int64_t until = story_now_ms() + TS_OUTCOME_WAIT_MS;
    long long count;
    int idle;

    do {
        idle = pgqrs_worker_is_idle(worker);
        usleep(2000);
        count = ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive");
    } while (!idle && story_now_ms() < until && count < done);
    assert_int_equal(count, done);
}

/* A worker whose second connection cannot be had does everything over the first one, and says
 * why. */
static void
expect_all_done_with_one(struct story *s, const char *sessions, const char *clients,
                         const char *words)
{
    struct pooled p = begin(s, "session", sessions, clients);
    pgqrs_worker *worker;

    story_send_priority(s, 7);
    worker = start(s, &p);
    expect_not_idle_before(s, worker, 1);
    send_all_kinds(s);
    ts_outcome_await(s->sql, 4, "outcome = 'done' AND read_ct = 1");
    ts_journal_await(p.words, words, 1);
    end(s, &p, worker);
}

RUNNING_TEST(a_session_that_is_waited_for_keeps_no_message)
{
    /* One session is the client's. */
    expect_all_done_with_one(*state, "2", "300", "told that it waits");
}

RUNNING_TEST(a_connection_that_is_refused_keeps_no_message)
{
    expect_all_done_with_one(*state, "20", "2", "told the limit");
}

/* The worker waits for both connections, is not idle, and reports why; then it gets one. */
RUNNING_TEST(without_any_session_it_says_so_and_is_not_idle)
{
    struct story *s = *state;
    struct pooled p = begin(s, "session", "2", "300");
    PGconn *holder = ts_connect(ts_pgbouncer_dsn(p.pooler));
    pgqrs_worker *worker;

    ts_sql(holder, "SELECT 1");
    send_all_kinds(s);
    worker = start(s, &p);
    ts_journal_await(p.words, "told that it waits", 1);
    assert_int_equal(pgqrs_worker_is_idle(worker), 0);
    ts_outcome_expect(s->sql, 0, "true");
    PQfinish(holder);
    ts_outcome_await(s->sql, 3, "outcome = 'done' AND read_ct = 1");
    end(s, &p, worker);
}

RUNNING_TEST(one_session_in_transaction_mode_is_enough)
{
    struct story *s = *state;
    struct pooled p = begin(s, "transaction", "1", "300");
    pgqrs_worker *worker;

    story_send_priority(s, 7);
    worker = start(s, &p);
    expect_not_idle_before(s, worker, 1);
    send_all_kinds(s);
    ts_outcome_await(s->sql, 4, "outcome = 'done' AND read_ct = 1");
    end(s, &p, worker);
}

TEST_MAIN(NULL, NULL)
