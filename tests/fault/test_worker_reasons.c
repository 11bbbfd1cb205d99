/*
 * The worker reports why it cannot reach the server whenever the reason changes, in the server's
 * own words.
 */
#include "running.h"

#include "outcome.h"
#include "role.h"

#define ROLE "ts_reasons"

static void
note_event(const pgqrs_event *event, void *journal)
{
    if (event->job != NULL)
        return;
    ts_journal_event(event, journal);
    if (strstr(event->message, "is not permitted to log in") != NULL)
        ts_journal_add(journal, "told no login");
    if (strstr(event->message, "too many connections for role") != NULL)
        ts_journal_add(journal, "told the limit");
    if (strstr(event->message, "is not currently accepting connections") != NULL)
        ts_journal_add(journal, "told closed");
}

/* Of the role alone, not those of the test. */
static void
end_sessions(struct story *s)
{
    ts_sql(s->sql,
           "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = '" ROLE
           "'");
}

RUNNING_TEST(each_new_reason_is_told)
{
    struct story *s = *state;
    char *dsn = ts_role(s->sql, s->dsn, ROLE);
    pgqrs_client *client = ts_client(dsn, NULL);
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;
    ts_journal *journal = ts_journal_new();
    pgqrs_worker *worker;

    options.on_event = note_event;
    options.event_arg = journal;
    worker = running_new_on(s, client, &options);
    running_add(s, worker, "jobs", NULL, running_done, NULL);
    TS_OK(pgqrs_worker_start(worker, s->err), s->err);
    story_send(s, "{}");
    ts_outcome_await(s->sql, 1, "outcome = 'done'");

    ts_sql(s->sql, "ALTER ROLE " ROLE " NOLOGIN");
    end_sessions(s);
    ts_journal_await(journal, "DISCONNECTED", 1);
    ts_journal_await(journal, "told no login", 1);
    ts_sql(s->sql, "ALTER ROLE " ROLE " LOGIN CONNECTION LIMIT 0");
    ts_journal_await(journal, "told the limit", 1);
    ts_sql(s->sql, "ALTER ROLE " ROLE " NOLOGIN");
    ts_journal_await(journal, "told no login", 2);
    /* And it is not told twice a second. */
    assert_true(ts_journal_count(journal, "told no login") < 10);
    ts_sql(s->sql, "ALTER ROLE " ROLE " LOGIN CONNECTION LIMIT -1");
    ts_journal_await(journal, "CONNECTED", 1);
    story_send(s, "{}");
    ts_outcome_await(s->sql, 2, "outcome = 'done'");
    running_end(s, worker);
    pgqrs_client_close(client);
    free(dsn);
}

TEST_MAIN(NULL, NULL)
