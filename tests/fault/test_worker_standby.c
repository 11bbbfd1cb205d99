/*
 * Commits wait for a standby that is away: a worker starts and works all the same, and goes on when
 * they are confirmed.
 */
#include "running.h"

#include "outcome.h"
#include "standby.h"

TEST(a_worker_starts_while_commits_wait)
{
    ts_cluster *primary = ts_cluster_start("fsync = on\n"), *standby;
    struct story story = { .dsn = ts_database_on(ts_cluster_server(primary)),
                           .err = pgqrs_error_new() };
    struct story *s = &story;
    ts_journal *handler = ts_journal_new();
    pgqrs_worker *worker;

    (void)state;
    s->client = ts_client(s->dsn, "operation_timeout_ms", "2000", NULL);
    s->sql = ts_connect(s->dsn);
    TS_OK(pgqrs_queue_create(s->client, text("jobs"), NULL, NULL, s->err), s->err);
    TS_OK(pgqrs_producer_open(s->client, text("jobs"), NULL, &s->producer, s->err), s->err);
    story_send(s, "{}");
    standby = ts_cluster_standby(primary);
    ts_standby_require(primary);
    ts_cluster_stop(standby, TS_STOP_IMMEDIATE);
    worker = running_start(s, NULL, NULL, running_until_told, handler);
    ts_journal_await(handler, "began", 1);
    ts_standby_release(primary);
    pgqrs_worker_stop(worker); /* which the handler is told, so that it ends */
    TS_OK(pgqrs_worker_wait(worker, TS_OUTCOME_WAIT_MS, s->err), s->err);
    ts_outcome_expect(s->sql, 1, "outcome = 'done' AND read_ct = 1");
    running_forget(worker);
    pgqrs_producer_close(s->producer);
    pgqrs_client_close(s->client);
    pgqrs_error_free(s->err);
    PQfinish(s->sql);
    free((void *)(uintptr_t)s->dsn);
    ts_cluster_free(standby);
    ts_cluster_free(primary);
}

TEST_MAIN(NULL, NULL)
