/*
 * A batch needs a second question when one of its keys was taken by another transaction meanwhile:
 * losing the connection just then does not make the batch unstored.
 */
#include "../concurrency/crowd.h"
#include "proxy.h"

#include <pgqrs/transaction.h>

#define WAIT_MS 20000

struct story {
    char *dsn;
    ts_proxy *proxy;
    pgqrs_status *said; /* by the child, in memory that is shared with it */
};

/* In a process of its own, since it waits for the key that the test's transaction holds. */
static void
enqueue_two(void *context, int number)
{
    struct story *story = context;
    pgqrs_enqueue_options options = PGQRS_ENQUEUE_OPTIONS_INIT;
    const pgqrs_enqueue_options *given[2] = { NULL, &options };
    const pgqrs_slice payloads[2] = { pgqrs_slice_of("\"fresh\""), pgqrs_slice_of("\"raced\"") };
    char *dsn = ts_format("%s application_name=cut", ts_proxy_dsn(story->proxy));
    pgqrs_enqueued out[2];
    struct hands hands;

    (void)number;
    hands_open(&hands, dsn, 1000);
    options.idempotency_key = pgqrs_slice_of("raced");
    *story->said = pgqrs_producer_enqueue_batch(hands.producer, payloads, given, 2, out, hands.err);
    hands_close(&hands);
    free(dsn);
}

TEST(a_stored_batch_is_not_called_unstored_when_a_raced_key_cannot_be_looked_up)
{
    struct story story = { .dsn = ts_database(), .said = crowd_memory(sizeof(pgqrs_status)) };
    pgqrs_enqueue_options options = PGQRS_ENQUEUE_OPTIONS_INIT;
    PGconn *own = ts_connect(story.dsn), *sql = ts_connect(story.dsn);
    struct hands hands;
    pid_t child;

    (void)state;
    crowd_make_queue(story.dsn);
    story.proxy = ts_proxy_start(story.dsn);
    hands_open(&hands, story.dsn, 1000);
    /* Given a batch that waits for a transaction with one of its keys */
    options.idempotency_key = pgqrs_slice_of("raced");
    ts_sql(own, "BEGIN");
    TS_OK(pgqrs_producer_enqueue_on(hands.producer, own, pgqrs_slice_of("\"raced\""), &options,
                                    NULL, hands.err),
          hands.err);
    child = crowd_spawn(enqueue_two, &story, 0);
    ts_wait_until(sql, WAIT_MS,
                  "SELECT count(*) = 1 FROM pg_stat_activity "
                  "WHERE datname = current_database() AND application_name = 'cut' AND "
                  "wait_event_type = 'Lock'");
    /* when that commits, and the batch with it, and the server is out of reach from then on */
    ts_proxy_arm(story.proxy, TS_PROXY_TO_SERVER, 0, TS_PROXY_REFUSE);
    ts_sql(own, "COMMIT");
    crowd_join(&child, 1, WAIT_MS);
    ts_proxy_pass(story.proxy);
    /* then the caller is not told that nothing was stored. */
    assert_int_equal(ts_int(sql, "SELECT count(*) FROM pgqrs_messages WHERE payload = '\"fresh\"'"),
                     1);
    if (*story.said != PGQRS_OK && *story.said != PGQRS_EUNKNOWN)
        ts_fail("%s says that nothing was stored, and it was", pgqrs_status_name(*story.said));
    PQfinish(own);
    PQfinish(sql);
    hands_close(&hands);
    ts_proxy_stop(story.proxy);
    munmap(story.said, sizeof(*story.said));
    free(story.dsn);
}

TEST_MAIN(NULL, NULL)
