/*
 * "Nothing is due" needs a complete look, also for a new client, and whatever else is in the queue.
 */
#include "story.h"

/* A client that knows nothing, as every process of a shell script or a cron job is. */
struct newcomer {
    pgqrs_client *client;
    pgqrs_consumer *consumer;
};

static struct newcomer
arrive(const struct story *s)
{
    struct newcomer newcomer = { ts_client(s->dsn, NULL), NULL };

    newcomer.consumer = story_consumer(s, newcomer.client, STORY_LEASE_MS);
    return newcomer;
}

static void
leave(struct newcomer *newcomer)
{
    pgqrs_consumer_close(newcomer->consumer);
    pgqrs_client_close(newcomer->client);
}

/* Dequeues with a new client. Returns the message's id, or 0. */
static int64_t
handed_to_a_newcomer(struct story *s, const char *type)
{
    pgqrs_dequeue_options options = PGQRS_DEQUEUE_OPTIONS_INIT;
    struct newcomer newcomer = arrive(s);
    pgqrs_message_list *list;
    int64_t id = 0;

    options.type = text(type);
    TS_OK(pgqrs_consumer_dequeue_batch(newcomer.consumer, 1, &options, &list, s->err), s->err);
    if (pgqrs_message_list_count(list) == 1)
        id = pgqrs_message_list_at(list, 0)->id;
    pgqrs_message_list_free(list);
    leave(&newcomer);
    return id;
}

static void
let_leases_run_out(const struct story *s)
{
    ts_sql(s->sql, "UPDATE pgqrs_messages SET vt = clock_timestamp() - interval '1 ms' WHERE "
                   "lease_token IS NOT NULL");
}

STORY_TEST(a_newcomer_is_handed_a_message_whose_lease_ran_out)
{
    struct story *s = *state;
    int64_t id = story_send(s, "1");

    story_take_one(s, s->consumer);
    let_leases_run_out(s);
    assert_int_equal(handed_to_a_newcomer(s, NULL), id);
}

/* A new client finds the expired lease before the newer messages that are due. */
STORY_TEST(newer_messages_do_not_hide_it)
{
    struct story *s = *state;
    int64_t id = story_send(s, "1");

    story_take_one(s, s->consumer);
    story_send_many(s, 50, NULL);
    let_leases_run_out(s);
    assert_int_equal(handed_to_a_newcomer(s, NULL), id);
}

STORY_TEST(finished_messages_around_it_do_not_hide_it)
{
    struct story *s = *state;
    pgqrs_lease leases[100];
    int64_t ids[100];

    story_send_many(s, 100, ids);
    for (int i = 0; i < 100; i++)
        leases[i] = story_take_one(s, s->consumer);
    for (int i = 0; i < 100; i++)
        if (i != 40)
            TS_OK(pgqrs_consumer_delete(s->consumer, leases[i], s->err), s->err);
    let_leases_run_out(s);
    assert_int_equal(handed_to_a_newcomer(s, NULL), ids[40]);
}

STORY_TEST(a_batch_and_a_tool_see_it_too)
{
    struct story *s = *state;
    struct newcomer newcomer;
    pgqrs_message_list *list;

    story_send_many(s, 5, NULL);
    for (int i = 0; i < 5; i++)
        story_take_one(s, s->consumer);
    let_leases_run_out(s);
    newcomer = arrive(s);
    list = story_take(s, newcomer.consumer, 10);
    assert_int_equal(pgqrs_message_list_count(list), 5);
    pgqrs_message_list_free(list);
    leave(&newcomer);
}

/* Leases that end while a client asks again and again. */
STORY_TEST(an_old_client_is_handed_it_as_soon_as_it_has_run_out)
{
    struct story *s = *state;
    int64_t id = story_send(s, "1");

    story_take_one(s, s->consumer);
    for (int i = 0; i < 10; i++) {
        pgqrs_message_list *list = story_take(s, s->consumer, 1);

        assert_int_equal(pgqrs_message_list_count(list), 0);
        pgqrs_message_list_free(list);
    }
    let_leases_run_out(s);
    assert_int_equal(story_take_one(s, s->consumer).id, id);
}

static int64_t
take_type(struct story *s, pgqrs_consumer *consumer, const char *type)
{
    pgqrs_dequeue_options options = PGQRS_DEQUEUE_OPTIONS_INIT;
    pgqrs_message_list *list;
    int64_t id = 0;

    options.type = text(type);
    TS_OK(pgqrs_consumer_dequeue_batch(consumer, 1, &options, &list, s->err), s->err);
    if (pgqrs_message_list_count(list) == 1)
        id = pgqrs_message_list_at(list, 0)->id;
    pgqrs_message_list_free(list);
    return id;
}

static int64_t
send_type(struct story *s, const char *type)
{
    pgqrs_enqueue_options options = PGQRS_ENQUEUE_OPTIONS_INIT;

    options.type = text(type);
    return story_send_with(s, "1", &options);
}

/* Old and new clients that ask for one type only, with a backlog of another. */
STORY_TEST(consumers_of_one_type_get_leases_back_that_ran_out)
{
    struct story *s = *state;
    struct newcomer newcomer;
    int64_t id;

    for (int i = 0; i < 20; i++)
        send_type(s, "other");
    id = send_type(s, "mine");
    for (int i = 0; i < 20; i++)
        send_type(s, "other");
    newcomer = arrive(s);
    assert_int_equal(take_type(s, newcomer.consumer, "mine"), id);
    assert_int_equal(take_type(s, newcomer.consumer, "mine"), 0);
    let_leases_run_out(s);
    assert_int_equal(take_type(s, newcomer.consumer, "mine"), id);
    let_leases_run_out(s);
    assert_int_equal(handed_to_a_newcomer(s, "mine"), id);
    leave(&newcomer);
}

/* Messages that others put into the held lane just after this client looked there. */
STORY_TEST(what_another_client_gives_back_is_due_at_once)
{
    struct story *s = *state;
    struct newcomer other = arrive(s);
    pgqrs_enqueue_options urgent = PGQRS_ENQUEUE_OPTIONS_INIT;

    urgent.priority = 7;
    for (int i = 0; i < 20; i++) {
        int64_t id = story_send(s, "1");
        pgqrs_lease lease = story_take_one(s, other.consumer);
        pgqrs_message_list *nothing = story_take(s, s->consumer, 1);

        assert_int_equal(pgqrs_message_list_count(nothing), 0);
        pgqrs_message_list_free(nothing);
        TS_OK(pgqrs_consumer_release(other.consumer, lease, 0, s->err), s->err);
        lease = story_take_one(s, s->consumer);
        assert_int_equal(lease.id, id);
        TS_OK(pgqrs_consumer_delete(s->consumer, lease, s->err), s->err);
        id = story_send_with(s, "2", &urgent);
        lease = story_take_one(s, other.consumer);
        assert_int_equal(lease.id, id);
        TS_OK(pgqrs_consumer_delete(other.consumer, lease, s->err), s->err);
    }
    leave(&other);
}

/* A server that has given out fewer ids than this client has seen: restored, or a standby that
 * lacked the last ones. */
STORY_TEST(after_a_restore_new_messages_are_claimed_as_before)
{
    struct story *s = *state;
    int64_t ids[2000];
    size_t got = 0;

    story_send_many(s, 2000, NULL);
    for (int i = 0; i < 4; i++) {
        pgqrs_message_list *list = story_take(s, s->consumer, 500);

        pgqrs_message_list_free(list);
        ts_sql(s->sql, "SELECT pg_sleep(0.06)"); /* the bound follows what was seen so long ago */
    }
    ts_sql(s->sql, "DELETE FROM pgqrs_messages; ALTER SEQUENCE pgqrs_message_id_seq RESTART");
    story_send_many(s, 1500, ids);
    /* All messages come in order and in few calls: they are claimed in the ready lane, not swept in
     * small parts. */
    for (int i = 0; i < 4 && got < 1500; i++) {
        pgqrs_message_list *list = story_take(s, s->consumer, 1500);

        for (size_t k = 0; k < pgqrs_message_list_count(list); k++)
            assert_int_equal(pgqrs_message_list_at(list, k)->id, ids[got++]);
        pgqrs_message_list_free(list);
    }
    assert_int_equal(got, 1500);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM " HELD), 0);
}

TEST_MAIN(NULL, NULL)
