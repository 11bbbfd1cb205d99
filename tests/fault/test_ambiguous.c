/*
 * The connection ends in the middle of a call: the status that the caller gets agrees with what the server
 * did, and repeating the call does the work exactly once. The cut is made after any number of bytes, in both
 * directions.
 */
#include "../concurrency/crowd.h"
#include "proxy.h"

#define CUTS_EACH crowd_scale(10) /* for each operation, direction and state of the connection */
#define DEADLINE_MS 3000
#define MUTE_DEADLINE_MS 300
#define GRACE_MS 500
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

static int
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

static int
story_end(void **state)
{
    struct story *story = *state;

    hands_close(&story->direct);
    ts_proxy_stop(story->proxy);
    PQfinish(story->sql);
    free(story->dsn);
    return 0;
}

/* Nothing was stored, whatever happened to the connection. */
static int
means_nothing_stored(pgqrs_status status)
{
    return status == PGQRS_ECONNECT || status == PGQRS_ETIMEDOUT;
}

/* `stored` is what the server has. */
static void
check_agreement(const struct story *story, pgqrs_status status, int stored)
{
    if (status == PGQRS_OK && !stored)
        ts_fail("case %d: the call succeeded, and the server knows nothing of it", story->number);
    if (means_nothing_stored(status) && stored)
        ts_fail("case %d: %s says that nothing was stored, and it was", story->number,
                pgqrs_status_name(status));
    if (status != PGQRS_OK && status != PGQRS_EUNKNOWN && !means_nothing_stored(status))
        ts_fail("case %d: a lost connection was reported as %s: %s", story->number, pgqrs_status_name(status),
                pgqrs_error_message(story->cut.err));
}

static void
nothing(struct story *story)
{
    (void)story;
}

static pgqrs_status
enqueue(struct story *story, struct hands *hands)
{
    pgqrs_enqueue_options options = PGQRS_ENQUEUE_OPTIONS_INIT;

    options.idempotency_key = pgqrs_slice_of(story->key);
    return pgqrs_producer_enqueue(hands->producer, pgqrs_slice_of(story->payload), &options, NULL,
                                  hands->err);
}

static void
check_enqueue(struct story *story, pgqrs_status status)
{
    pgqrs_enqueue_options options = PGQRS_ENQUEUE_OPTIONS_INIT;
    int stored =
        (int)ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages WHERE payload = '%s'", story->payload);
    pgqrs_enqueued repeated = { 0, 0 };

    check_agreement(story, status, stored);
    options.idempotency_key = pgqrs_slice_of(story->key);
    TS_OK(pgqrs_producer_enqueue(story->direct.producer, pgqrs_slice_of(story->payload), &options, &repeated,
                                 story->direct.err),
          story->direct.err);
    assert_int_equal(repeated.duplicate, stored);
    assert_int_equal(
        ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages WHERE payload = '%s'", story->payload), 1);
    assert_int_equal(ts_int(story->sql, "SELECT id FROM pgqrs_messages WHERE payload = '%s'", story->payload),
                     repeated.id);
}

static void
send_one(struct story *story)
{
    TS_OK(pgqrs_producer_enqueue(story->direct.producer, pgqrs_slice_of(story->payload), NULL, NULL,
                                 story->direct.err),
          story->direct.err);
}

static void
take_one(struct story *story)
{
    pgqrs_message_list *list = NULL;

    send_one(story);
    TS_OK(pgqrs_consumer_dequeue(story->direct.consumer, &list, story->direct.err), story->direct.err);
    assert_int_equal(pgqrs_message_list_count(list), 1);
    story->lease = pgqrs_message_lease(pgqrs_message_list_at(list, 0));
    pgqrs_message_list_free(list);
}

static pgqrs_status
archive(struct story *story, struct hands *hands)
{
    return pgqrs_consumer_archive(hands->consumer, story->lease, pgqrs_slice_of("{\"done\": true}"),
                                  hands->err);
}

static void
check_archive(struct story *story, pgqrs_status status)
{
    long long id = story->lease.id;
    int stored = (int)ts_int(story->sql, "SELECT count(*) FROM pgqrs_archive WHERE id = %lld", id);

    assert_int_equal(ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages WHERE id = %lld", id), !stored);
    check_agreement(story, status, stored);
    TS_OK(archive(story, &story->direct), story->direct.err);
    assert_int_equal(ts_int(story->sql, "SELECT count(*) FROM pgqrs_archive WHERE id = %lld", id), 1);
    assert_int_equal(ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages"), 0);
}

static pgqrs_status
delete_one(struct story *story, struct hands *hands)
{
    return pgqrs_consumer_delete(hands->consumer, story->lease, hands->err);
}

static void
check_delete(struct story *story, pgqrs_status status)
{
    int deleted = ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages WHERE id = %lld",
                         (long long)story->lease.id) == 0;

    check_agreement(story, status, deleted);
    TS_IS(deleted ? PGQRS_ELEASELOST : PGQRS_OK, delete_one(story, &story->direct), story->direct.err);
    assert_int_equal(ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages"), 0);
}

static pgqrs_status
claim(struct story *story, struct hands *hands)
{
    return pgqrs_consumer_dequeue(hands->consumer, &story->claimed, hands->err);
}

/* Whoever was handed it, or was not, the next one gets it when the lease has run out. */
static void
check_claim(struct story *story, pgqrs_status status)
{
    int leased = (int)ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages WHERE lease_token IS NOT NULL");
    int64_t deadline = crowd_now_us() + WAIT_MS * 1000;
    pgqrs_message_list *list = NULL;

    check_agreement(story, status, leased);
    if (status == PGQRS_OK) {
        assert_int_equal(pgqrs_message_list_count(story->claimed), 1);
        assert_int_equal(ts_int(story->sql, "SELECT lease_token FROM pgqrs_messages"),
                         pgqrs_message_list_at(story->claimed, 0)->lease_token);
    }
    pgqrs_message_list_free(story->claimed);
    story->claimed = NULL;
    while (pgqrs_message_list_count(list) == 0) {
        pgqrs_message_list_free(list);
        TS_OK(pgqrs_consumer_dequeue(story->direct.consumer, &list, story->direct.err), story->direct.err);
        if (crowd_now_us() > deadline)
            ts_fail("case %d: the message was not handed out again", story->number);
    }
    assert_int_equal(pgqrs_message_list_at(list, 0)->read_ct, 1 + leased);
    TS_OK(pgqrs_consumer_delete(story->direct.consumer, pgqrs_message_lease(pgqrs_message_list_at(list, 0)),
                                story->direct.err),
          story->direct.err);
    pgqrs_message_list_free(list);
    assert_int_equal(ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages"), 0);
}

static const struct operation operations[] = {
    { "enqueue", LONG_LEASE_MS, nothing, enqueue, check_enqueue },
    { "archive", LONG_LEASE_MS, take_one, archive, check_archive },
    { "delete", LONG_LEASE_MS, take_one, delete_one, check_delete },
    { "claim", SHORT_LEASE_MS, send_one, claim, check_claim },
};

#define OPERATION_COUNT (sizeof(operations) / sizeof(operations[0]))

static void
open_through_proxy(struct story *story, const struct operation *operation, const char *deadline_ms)
{
    pgqrs_consumer_options options = PGQRS_CONSUMER_OPTIONS_INIT;
    char *dsn = ts_format("%s application_name=cut", ts_proxy_dsn(story->proxy));
    struct hands *hands = &story->cut;

    options.lease_ms = operation->lease_ms;
    hands->client = ts_client(dsn, "operation_timeout_ms", deadline_ms, NULL);
    hands->err = pgqrs_error_new();
    TS_OK(pgqrs_producer_open(hands->client, pgqrs_slice_of("jobs"), NULL, &hands->producer, hands->err),
          hands->err);
    TS_OK(pgqrs_consumer_open(hands->client, pgqrs_slice_of("jobs"), &options, &hands->consumer, hands->err),
          hands->err);
    free(dsn);
}

/* The server has done all that it will do for this client. */
static void
close_through_proxy(struct story *story)
{
    ts_proxy_pass(story->proxy);
    pgqrs_consumer_close(story->cut.consumer);
    pgqrs_producer_close(story->cut.producer);
    pgqrs_client_close(story->cut.client);
    ts_wait_until(story->sql, WAIT_MS,
                  "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = current_database() AND "
                  "application_name = 'cut'");
}

static void
begin_case(struct story *story)
{
    story->number++;
    snprintf(story->key, sizeof(story->key), "key %d", story->number);
    snprintf(story->payload, sizeof(story->payload), "\"%s\"", story->key);
}

/* Runs the operation undisturbed a few times, so that its statements are prepared on the connection. */
static void
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
static int
run_case(struct story *story, const struct operation *operation, int warm, const struct fault *fault,
         const char *deadline_ms, long passed[2])
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
static int
cut_everywhere(struct story *story, const struct operation *operation, int warm, ts_proxy_direction direction)
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

static void
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

static void
an_enqueue_that_is_cut_anywhere_can_be_repeated(void **state)
{
    cut(*state, &operations[0]);
}

static void
an_archiving_that_is_cut_anywhere_can_be_repeated(void **state)
{
    cut(*state, &operations[1]);
}

static void
a_deletion_that_is_cut_anywhere_is_told_truly(void **state)
{
    cut(*state, &operations[2]);
}

static void
a_claim_that_is_cut_anywhere_loses_nothing(void **state)
{
    cut(*state, &operations[3]);
}

static void
no_call_outlasts_its_deadline_on_a_silent_connection(void **state)
{
    char deadline[16];

    snprintf(deadline, sizeof(deadline), "%d", MUTE_DEADLINE_MS);
    for (size_t i = 0; i < OPERATION_COUNT; i++) {
        ts_sql(((struct story *)*state)->sql, "TRUNCATE pgqrs_messages");
        for (int direction = 0; direction < 2; direction++) {
            for (int late = 0; late < 2; late++) {
                struct fault fault = { (ts_proxy_direction)direction, TS_PROXY_MUTE, late ? 60 : 0 };

                assert_true(run_case(*state, &operations[i], late, &fault, deadline, NULL));
            }
        }
    }
}

/* Longer than what the kernel takes on its own. */
static void
a_large_payload_that_nobody_reads_does_not_outlast_its_deadline(void **state)
{
    struct story *story = *state;
    size_t size = 32 << 20;
    char *payload = malloc(size);
    char *dsn = ts_format("%s application_name=cut", ts_proxy_dsn(story->proxy));
    struct hands *hands = &story->cut;
    pgqrs_status status;
    int64_t began;

    assert_non_null(payload);
    memset(payload, 'x', size);
    payload[0] = payload[size - 1] = '"';
    *hands = (struct hands){ .err = pgqrs_error_new() };
    hands->client = ts_client(dsn, "operation_timeout_ms", "2000", "max_payload_bytes", "67108864", NULL);
    TS_OK(pgqrs_producer_open(hands->client, pgqrs_slice_of("jobs"), NULL, &hands->producer, hands->err),
          hands->err);
    ts_proxy_arm(story->proxy, TS_PROXY_TO_SERVER, 1000, TS_PROXY_STALL);
    began = crowd_now_us();
    status = pgqrs_producer_enqueue(hands->producer, (pgqrs_slice){ payload, size }, NULL, NULL, hands->err);
    TS_TRUE(crowd_now_us() - began < (2000 + GRACE_MS) * 1000);
    assert_int_not_equal(status, PGQRS_OK);
    began = crowd_now_us();
    close_through_proxy(story);
    TS_TRUE(crowd_now_us() - began < WAIT_MS * 1000);
    check_agreement(story, status, (int)ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages"));
    pgqrs_error_free(hands->err);
    free(payload);
    free(dsn);
}

static void
opening_a_client_on_a_silent_server_ends_in_time(void **state)
{
    struct story *story = *state;

    for (int direction = 0; direction < 2; direction++) {
        for (long bytes = 0; bytes <= 400; bytes += 200) {
            pgqrs_client *client = NULL;
            pgqrs_config *config = NULL;
            int64_t began = crowd_now_us();
            pgqrs_status status;

            TS_OK(pgqrs_config_new(&config, NULL), NULL);
            TS_OK(pgqrs_config_set(config, pgqrs_slice_of("dsn"), pgqrs_slice_of(ts_proxy_dsn(story->proxy)),
                                   NULL),
                  NULL);
            TS_OK(pgqrs_config_set(config, pgqrs_slice_of("connection_timeout_seconds"), pgqrs_slice_of("1"),
                                   NULL),
                  NULL);
            ts_proxy_arm(story->proxy, (ts_proxy_direction)direction, bytes, TS_PROXY_MUTE);
            status = pgqrs_client_open(config, &client, NULL);
            TS_TRUE(crowd_now_us() - began < (1000 + GRACE_MS) * 1000);
            if (ts_proxy_has_failed(story->proxy))
                TS_TRUE(means_nothing_stored(status));
            else
                TS_OK(status, NULL);
            ts_proxy_pass(story->proxy);
            pgqrs_client_close(client);
            pgqrs_config_free(config);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_enqueue_that_is_cut_anywhere_can_be_repeated, story_begin,
                                        story_end),
        cmocka_unit_test_setup_teardown(an_archiving_that_is_cut_anywhere_can_be_repeated, story_begin,
                                        story_end),
        cmocka_unit_test_setup_teardown(a_deletion_that_is_cut_anywhere_is_told_truly, story_begin,
                                        story_end),
        cmocka_unit_test_setup_teardown(a_claim_that_is_cut_anywhere_loses_nothing, story_begin, story_end),
        cmocka_unit_test_setup_teardown(no_call_outlasts_its_deadline_on_a_silent_connection, story_begin,
                                        story_end),
        cmocka_unit_test_setup_teardown(a_large_payload_that_nobody_reads_does_not_outlast_its_deadline,
                                        story_begin, story_end),
        cmocka_unit_test_setup_teardown(opening_a_client_on_a_silent_server_ends_in_time, story_begin,
                                        story_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
