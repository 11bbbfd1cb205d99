/*
 * Calls whose connection is cut, after any number of bytes, in both directions: whether what the
 * caller is told agrees with what the server did. Included by one file of an executable.
 */
#ifndef TESTS_FAULT_CUTTING_H
#define TESTS_FAULT_CUTTING_H

#include "../concurrency/crowd.h"
#include "proxy.h"

#define CUTS_EACH crowd_scale(10) /* for each operation, direction and state of the connection */
#define DEADLINE_MS 3000
#define GRACE_MS 10000 /* generous: without a deadline a silent connection never ends a call */
#define SHORT_LEASE_MS 40
#define LONG_LEASE_MS 600000
#define WAIT_MS 20000

struct story {
    char *dsn;
    ts_proxy *proxy;
    PGconn *sql;
    struct hands direct; /* past the proxy */
    struct hands cut;    /* through it */
    int number;          /* of the case */
    char key[24];
    char payload[32];
    pgqrs_lease lease;
    pgqrs_message_list *claimed;
    uint64_t random;
};

/* One call that may be cut. */
struct operation {
    const char *name;
    int64_t lease_ms; /* of the consumer whose connection is cut */
    void (*given)(struct story *story);
    pgqrs_status (*when)(struct story *story, struct hands *hands);
    void (*then)(struct story *story, pgqrs_status status);
};

static inline int
story_begin(void **state)
{
    static struct story story;

    story.dsn = ts_database();
    story.proxy = ts_proxy_start(story.dsn);
    story.sql = ts_connect(story.dsn);
    story.random = crowd_state(crowd_seed(), 0);
    crowd_make_queue(story.dsn);
    hands_open(&story.direct, story.dsn, LONG_LEASE_MS);
    *state = &story;
    return 0;
}

static inline int
story_end(void **state)
{
    struct story *story = *state;

    hands_close(&story->direct);
    ts_proxy_stop(story->proxy);
    PQfinish(story->sql);
    free(story->dsn);
    return 0;
}

#define STORY_TEST(name) TEST_WITH(name, story_begin, story_end)

/* Nothing was stored, whatever happened to the connection. */
static inline int
means_nothing_stored(pgqrs_status status)
{
    return status == PGQRS_ECONNECT || status == PGQRS_ETIMEDOUT;
}

/* `stored` is what the server has. */
static inline void
check_agreement(const struct story *story, pgqrs_status status, int stored)
{
    if (status == PGQRS_OK && !stored)
        ts_fail("case %d: the call succeeded, and the server knows nothing of it", story->number);
    if (means_nothing_stored(status) && stored)
        ts_fail("case %d: %s says that nothing was stored, and it was", story->number,
                pgqrs_status_name(status));
    if (status != PGQRS_OK && status != PGQRS_EUNKNOWN && !means_nothing_stored(status))
        ts_fail("case %d: a lost connection was reported as %s: %s", story->number,
                pgqrs_status_name(status), pgqrs_error_message(story->cut.err));
}

static inline void
nothing(struct story *story)
{
    (void)story;
}

static inline void
open_through_proxy(struct story *story, const struct operation *operation, const char *deadline_ms)
{
    pgqrs_consumer_options options = PGQRS_CONSUMER_OPTIONS_INIT;
    char *dsn = ts_format("%s application_name=cut", ts_proxy_dsn(story->proxy));
    struct hands *hands = &story->cut;

    options.lease_ms = operation->lease_ms;
    hands->client = ts_client(dsn, "operation_timeout_ms", deadline_ms, NULL);
    hands->err = pgqrs_error_new();
    TS_OK(pgqrs_producer_open(hands->client, pgqrs_slice_of("jobs"), NULL, &hands->producer,
                              hands->err),
          hands->err);
    TS_OK(pgqrs_consumer_open(hands->client, pgqrs_slice_of("jobs"), &options, &hands->consumer,
                              hands->err),
          hands->err);
    free(dsn);
}

/* The server has done all that it will do for this client. */
static inline void
close_through_proxy(struct story *story)
{
    ts_proxy_pass(story->proxy);
    pgqrs_consumer_close(story->cut.consumer);
    pgqrs_producer_close(story->cut.producer);
    pgqrs_client_close(story->cut.client);
    ts_wait_until(story->sql, WAIT_MS,
                  "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = current_database() "
                  "AND application_name = 'cut'");
}

static inline void
begin_case(struct story *story)
{
    story->number++;
    snprintf(story->key, sizeof(story->key), "key %d", story->number);
    snprintf(story->payload, sizeof(story->payload), "\"%s\"", story->key);
}

/* Runs the operation undisturbed a few times, so that its statements are prepared on the
 * connection. */
static inline void
warm_up(struct story *story, const struct operation *operation, int rounds)
{
    for (int i = 0; i < rounds; i++) {
        begin_case(story);
        operation->given(story);
        TS_OK(operation->when(story, &story->cut), story->cut.err);
        operation->then(story, PGQRS_OK);
    }
}

struct fault {
    ts_proxy_direction direction;
    ts_proxy_fault fault;
    long bytes;
};

/* One case. Returns whether the fault came about; `fault` may be NULL to count the bytes. */
static inline int
run_case(struct story *story, const struct operation *operation, int warm,
         const struct fault *fault, const char *deadline_ms, long passed[2])
{
    int64_t began;
    pgqrs_status status;
    int failed, limit_ms = atoi(deadline_ms) + GRACE_MS;

    open_through_proxy(story, operation, deadline_ms);
    warm_up(story, operation, warm ? 3 : 0);
    begin_case(story);
    operation->given(story);
    if (fault != NULL)
        ts_proxy_arm(story->proxy, fault->direction, fault->bytes, fault->fault);
    else
        ts_proxy_pass(story->proxy);
    began = crowd_now_us();
    status = operation->when(story, &story->cut);
    if (crowd_now_us() - began > limit_ms * 1000)
        ts_fail("%s: took %lld ms with a deadline of %s ms", operation->name,
                (long long)(crowd_now_us() - began) / 1000, deadline_ms);
    for (int i = 0; passed != NULL && i < 2; i++)
        passed[i] = ts_proxy_passed(story->proxy, (ts_proxy_direction)i);
    failed = ts_proxy_has_failed(story->proxy);
    if (!failed)
        TS_OK(status, story->cut.err);
    close_through_proxy(story);
    operation->then(story, status);
    pgqrs_error_free(story->cut.err);
    return failed;
}

/* Cuts spread over the whole exchange, its very ends included. */
static inline int
cut_everywhere(struct story *story, const struct operation *operation, int warm,
               ts_proxy_direction direction)
{
    char deadline[16];
    long passed[2];
    int failed = 0;

    snprintf(deadline, sizeof(deadline), "%d", DEADLINE_MS);
    run_case(story, operation, warm, NULL, deadline, passed);
    for (int i = 0; i < CUTS_EACH; i++) {
        long step = passed[direction] / CUTS_EACH + 1;
        struct fault fault = { direction, i % 2 == 0 ? TS_PROXY_CLOSE : TS_PROXY_RESET, 0 };

        fault.bytes = i * step + crowd_random(&story->random, 0, (int)step - 1);
        if (i == 0 || i == CUTS_EACH - 1)
            fault.bytes = i == 0 ? 0 : passed[direction] - 1;
        failed += run_case(story, operation, warm, &fault, deadline, NULL);
    }
    return failed;
}

static inline void
cut(struct story *story, const struct operation *operation)
{
    int failed = 0, cases = 4 * CUTS_EACH;

    for (int warm = 0; warm <= 1; warm++) {
        failed += cut_everywhere(story, operation, warm, TS_PROXY_TO_SERVER);
        failed += cut_everywhere(story, operation, warm, TS_PROXY_TO_CLIENT);
    }
    print_message("%d of %d connections were cut while they were used\n", failed, cases);
    /* A few are made so late that the call is over. */
    assert_true(failed > cases * 3 / 4);
}

#endif
