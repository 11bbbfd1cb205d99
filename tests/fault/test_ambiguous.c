/*
 * The connection ends in the middle of a call: the status that the caller gets agrees with what the
 * server did, and repeating the call does the work exactly once. The cut is made after any number
 * of bytes, in both directions.
 */
#include "cutting.h"

#define MUTE_DEADLINE_MS 300

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
    int stored = (int)ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages WHERE payload = '%s'",
                             story->payload);
    pgqrs_enqueued repeated = { 0, 0 };

    check_agreement(story, status, stored);
    options.idempotency_key = pgqrs_slice_of(story->key);
    TS_OK(pgqrs_producer_enqueue(story->direct.producer, pgqrs_slice_of(story->payload), &options,
                                 &repeated, story->direct.err),
          story->direct.err);
    assert_int_equal(repeated.duplicate, stored);
    assert_int_equal(ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages WHERE payload = '%s'",
                            story->payload),
                     1);
    assert_int_equal(
        ts_int(story->sql, "SELECT id FROM pgqrs_messages WHERE payload = '%s'", story->payload),
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
    TS_OK(pgqrs_consumer_dequeue(story->direct.consumer, &list, story->direct.err),
          story->direct.err);
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

    assert_int_equal(ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages WHERE id = %lld", id),
                     !stored);
    check_agreement(story, status, stored);
    TS_OK(archive(story, &story->direct), story->direct.err);
    assert_int_equal(ts_int(story->sql, "SELECT count(*) FROM pgqrs_archive WHERE id = %lld", id),
                     1);
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
    TS_IS(deleted ? PGQRS_ELEASELOST : PGQRS_OK, delete_one(story, &story->direct),
          story->direct.err);
    assert_int_equal(ts_int(story->sql, "SELECT count(*) FROM pgqrs_messages"), 0);
}

static pgqrs_status
claim(struct story *story, struct hands *hands)
{
    return pgqrs_consumer_dequeue(hands->consumer, &story->claimed, hands->err);
}

/* Whether the consumer got the message or not, the next one gets it when the lease has expired. */
static void
check_claim(struct story *story, pgqrs_status status)
{
    int leased = (int)ts_int(story->sql,
                             "SELECT count(*) FROM pgqrs_messages WHERE lease_token IS NOT NULL");
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
        TS_OK(pgqrs_consumer_dequeue(story->direct.consumer, &list, story->direct.err),
              story->direct.err);
        if (crowd_now_us() > deadline)
            ts_fail("case %d: the message was not handed out again", story->number);
    }
    assert_int_equal(pgqrs_message_list_at(list, 0)->read_ct, 1 + leased);
    TS_OK(pgqrs_consumer_delete(story->direct.consumer,
                                pgqrs_message_lease(pgqrs_message_list_at(list, 0)),
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

STORY_TEST(an_enqueue_that_is_cut_anywhere_can_be_repeated)
{
    cut(*state, &operations[0]);
}

STORY_TEST(an_archiving_that_is_cut_anywhere_can_be_repeated)
{
    cut(*state, &operations[1]);
}

STORY_TEST(a_deletion_that_is_cut_anywhere_is_told_truly)
{
    cut(*state, &operations[2]);
}

STORY_TEST(a_claim_that_is_cut_anywhere_loses_nothing)
{
    cut(*state, &operations[3]);
}

STORY_TEST(no_call_outlasts_its_deadline_on_a_silent_connection)
{
    char deadline[16];

    snprintf(deadline, sizeof(deadline), "%d", MUTE_DEADLINE_MS);
    for (size_t i = 0; i < OPERATION_COUNT; i++) {
        ts_sql(((struct story *)*state)->sql, "TRUNCATE pgqrs_messages");
        for (int direction = 0; direction < 2; direction++) {
            for (int late = 0; late < 2; late++) {
                struct fault fault = { (ts_proxy_direction)direction, TS_PROXY_MUTE,
                                       late ? 60 : 0 };

                assert_true(run_case(*state, &operations[i], late, &fault, deadline, NULL));
            }
        }
    }
}

/* Longer than what the kernel takes on its own. */
STORY_TEST(a_large_payload_that_nobody_reads_does_not_outlast_its_deadline)
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
    hands->client =
        ts_client(dsn, "operation_timeout_ms", "2000", "max_payload_bytes", "67108864", NULL);
    TS_OK(pgqrs_producer_open(hands->client, pgqrs_slice_of("jobs"), NULL, &hands->producer,
                              hands->err),
          hands->err);
    ts_proxy_arm(story->proxy, TS_PROXY_TO_SERVER, 1000, TS_PROXY_STALL);
    began = crowd_now_us();
    status = pgqrs_producer_enqueue(hands->producer, (pgqrs_slice){ payload, size }, NULL, NULL,
                                    hands->err);
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

STORY_TEST(opening_a_client_on_a_silent_server_ends_in_time)
{
    struct story *story = *state;

    for (int direction = 0; direction < 2; direction++) {
        for (long bytes = 0; bytes <= 400; bytes += 200) {
            pgqrs_client *client = NULL;
            pgqrs_config *config = NULL;
            int64_t began = crowd_now_us();
            pgqrs_status status;

            TS_OK(pgqrs_config_new(&config, NULL), NULL);
            TS_OK(pgqrs_config_set(config, pgqrs_slice_of("dsn"),
                                   pgqrs_slice_of(ts_proxy_dsn(story->proxy)), NULL),
                  NULL);
            TS_OK(pgqrs_config_set(config, pgqrs_slice_of("connection_timeout_seconds"),
                                   pgqrs_slice_of("1"), NULL),
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

TEST_MAIN(NULL, NULL)
