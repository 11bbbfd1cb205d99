/*
 * What the tests of single traps share: a database with the queue "jobs", one client, and the
 * library's own statements to run them at a chosen moment.
 */
#ifndef TESTS_CONCURRENCY_FIXTURE_H
#define TESTS_CONCURRENCY_FIXTURE_H

#include "crowd.h"

#include <pgqrs/admin.h>
#include <pgqrs/transaction.h>

#include "db/statement.h"

#define WAIT_MS 20000
#define LEASE_MS 600000

/* One test's database with the queue "jobs". */
struct story {
    char *dsn;
    PGconn *sql;
    struct hands hands;
    pgqrsi_scope scope; /* renders the library's own statements, to run them at a chosen moment */
    uint64_t serial;
    uint64_t seed;
    /* For stories with several processes: */
    pgqrs_lease *leases;
    size_t lease_count;
    int rounds, round_size;
    struct {
        atomic_int stop, arrived;
        atomic_long accepted, refused, moved, handed_out;
    } * shared;
};

static inline int
story_begin(void **state)
{
    static struct story story;

    memset(&story, 0, sizeof(story));
    story.dsn = ts_database();
    story.sql = ts_connect(story.dsn);
    crowd_make_queue(story.dsn);
    hands_open(&story.hands, story.dsn, LEASE_MS);
    pgqrsi_scope_init(&story.scope, "public", &story.serial);
    story.scope.queue_id = ts_int(story.sql, "SELECT id FROM pgqrs_queues");
    story.shared = crowd_memory(sizeof(*story.shared));
    story.seed = crowd_seed();
    *state = &story;
    return 0;
}

static inline int
story_end(void **state)
{
    struct story *story = *state;

    munmap(story->shared, sizeof(*story->shared));
    pgqrsi_scope_release(&story->scope);
    hands_close(&story->hands);
    PQfinish(story->sql);
    free(story->leases);
    free(story->dsn);
    return 0;
}

/* Sends the sweep over all ids, with this bound and limit of time in flight; returns at once. */
static inline void
send_sweep(struct story *story, PGconn *connection, const char *bound, const char *in_flight_ms)
{
    char queue[24];
    const char *const values[] = { "0", "9223372036854775807", bound, in_flight_ms, "1000", queue,
                                   "1" };
    const pgqrsi_statement *statement = NULL;

    snprintf(queue, sizeof(queue), "%lld", (long long)story->scope.queue_id);
    TS_OK(pgqrsi_scope_statement(&story->scope, PGQRSI_SQL_CONSUMER_SWEEP, PGQRSI_LANE_READY,
                                 &statement, NULL),
          NULL);
    if (!PQsendQueryParams(connection, statement->text, 7, NULL, values, NULL, NULL, 0))
        ts_fail("the sweep could not be sent: %s", PQerrorMessage(connection));
}

/* Waits for its answer: how many messages it has moved. */
static inline long
swept(PGconn *connection)
{
    PGresult *result = PQgetResult(connection);
    long moved;

    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        ts_fail("the sweep failed: %s", PQerrorMessage(connection));
    moved = atol(PQgetvalue(result, 0, 1));
    PQclear(result);
    TS_TRUE(PQgetResult(connection) == NULL);
    return moved;
}

/* Runs the sweep so that it moves everything that is leased, as if in flight for long, tokens
 * kept. */
static inline long
sweep(struct story *story, PGconn *connection)
{
    send_sweep(story, connection, "0", "0");
    return swept(connection);
}

/* Sends and claims `count` messages; their leases are then known to all processes that are
 * forked. */
static inline void
take_many(struct story *story, int count)
{
    story->leases = realloc(story->leases, (size_t)count * sizeof(*story->leases));
    story->lease_count = 0;
    crowd_send(&story->hands, 1, count);
    while (story->lease_count < (size_t)count) {
        size_t missing = (size_t)count - story->lease_count;
        pgqrs_message_list *list = NULL;

        TS_OK(pgqrs_consumer_dequeue_batch(story->hands.consumer, missing < 10000 ? missing : 10000,
                                           NULL, &list, story->hands.err),
              story->hands.err);
        for (size_t i = 0; i < pgqrs_message_list_count(list); i++)
            story->leases[story->lease_count++] =
                pgqrs_message_lease(pgqrs_message_list_at(list, i));
        pgqrs_message_list_free(list);
    }
}

#define STORY_TEST(name) TEST_WITH(name, story_begin, story_end)

#endif
