/*
 * Enqueue and finish in a transaction of the caller's own: both are committed, or neither.
 */
#include "story.h"

#include <pgqrs/transaction.h>

STORY_TEST(what_is_enqueued_comes_with_the_commit)
{
    struct story *s = *state;
    PGconn *own = ts_connect(s->dsn);
    pgqrs_enqueued enqueued;
    pgqrs_message_list *list;

    ts_sql(own, "BEGIN");
    TS_OK(pgqrs_producer_enqueue_on(s->producer, own, text("{\"a\": 1}"), NULL, &enqueued, s->err),
          s->err);
    list = story_take(s, s->consumer, 1);
    assert_int_equal(pgqrs_message_list_count(list), 0);
    pgqrs_message_list_free(list);
    assert_int_equal(PQtransactionStatus(own), PQTRANS_INTRANS);
    ts_sql(own, "COMMIT");
    list = story_await(s, s->consumer);
    assert_int_equal(story_only(list)->id, enqueued.id);
    assert_true(story_slice_is(story_only(list)->payload, "{\"a\": 1}"));
    pgqrs_message_list_free(list);
    PQfinish(own);
}

STORY_TEST(what_is_rolled_back_was_never_there)
{
    struct story *s = *state;
    PGconn *own = ts_connect(s->dsn);
    pgqrs_enqueue_options options = PGQRS_ENQUEUE_OPTIONS_INIT;
    pgqrs_enqueued enqueued;

    options.idempotency_key = text("k");
    options.priority = 3;
    ts_sql(own, "BEGIN");
    TS_OK(pgqrs_producer_enqueue_on(s->producer, own, text("1"), NULL, NULL, s->err), s->err);
    TS_OK(pgqrs_producer_enqueue_on(s->producer, own, text("1"), &options, &enqueued, s->err),
          s->err);
    ts_sql(own, "ROLLBACK");
    assert_int_equal(story_stored(s), 0);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_keys"), 0);
    TS_OK(pgqrs_producer_enqueue(s->producer, text("1"), &options, &enqueued, s->err), s->err);
    assert_int_equal(enqueued.duplicate, 0);
    PQfinish(own);
}

/* One pass of a worker that writes the sum of its messages; whether it commits is up to the
 * caller. */
static pgqrs_status
work(struct story *s, PGconn *own, pgqrs_lease lease, int archive)
{
    ts_sql(own, "BEGIN");
    ts_sql(own, "UPDATE effects SET total = total + 1");
    return archive ? pgqrs_consumer_archive_on(s->consumer, own, lease, text("\"done\""), s->err)
                   : pgqrs_consumer_delete_on(s->consumer, own, lease, s->err);
}

STORY_TEST(effects_happen_once_however_often_a_worker_gives_up)
{
    struct story *s = *state;
    PGconn *own = ts_connect(s->dsn);

    ts_sql(own, "DROP TABLE IF EXISTS effects; CREATE TABLE effects AS SELECT 0 AS total");
    for (int archive = 0; archive < 2; archive++) {
        pgqrs_lease lease;

        story_send(s, "1");
        lease = story_take_one(s, s->consumer);
        for (int i = 0; i < 3; i++) {
            TS_OK(work(s, own, lease, archive), s->err);
            ts_sql(own, "ROLLBACK");
            assert_int_equal(story_stored(s), 1);
        }
        TS_OK(work(s, own, lease, archive), s->err);
        ts_sql(own, "COMMIT");
        assert_int_equal(ts_int(s->sql, "SELECT total FROM effects"), archive + 1);
        assert_int_equal(story_stored(s), 0);
        assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive"), archive);
    }
    PQfinish(own);
}

STORY_TEST(who_lost_his_lease_rolls_back_and_has_no_effect)
{
    struct story *s = *state;
    PGconn *own = ts_connect(s->dsn), *others = ts_connect(s->dsn);

    ts_sql(own, "DROP TABLE IF EXISTS effects; CREATE TABLE effects AS SELECT 0 AS total");
    for (int archive = 0; archive < 2; archive++) {
        pgqrs_lease lost, current;
        pgqrs_message_list *list;

        story_send(s, "1");
        lost = story_take_one(s, s->consumer);
        story_expire(s, lost.id);
        list = story_await(s, s->consumer);
        current = pgqrs_message_lease(story_only(list));
        pgqrs_message_list_free(list);
        TS_IS(PGQRS_ELEASELOST, work(s, own, lost, archive), s->err);
        assert_int_equal(PQtransactionStatus(own),
                         PQTRANS_INTRANS); /* it has not failed: the choice is the caller's */
        ts_sql(own, "ROLLBACK");
        TS_OK(work(s, others, current, archive), s->err);
        ts_sql(others, "COMMIT");
        assert_int_equal(ts_int(s->sql, "SELECT total FROM effects"), archive + 1);
    }
    PQfinish(own);
    PQfinish(others);
}

static void
expect_refused(struct story *s, PGconn *own, pgqrs_lease lease)
{
    TS_IS(PGQRS_EINVAL, pgqrs_producer_enqueue_on(s->producer, own, text("1"), NULL, NULL, s->err),
          s->err);
    TS_IS(PGQRS_EINVAL, pgqrs_consumer_delete_on(s->consumer, own, lease, s->err), s->err);
    TS_IS(PGQRS_EINVAL, pgqrs_consumer_archive_on(s->consumer, own, lease, text("1"), s->err),
          s->err);
    assert_int_equal(story_stored(s), 1);
}

STORY_TEST(without_an_open_transaction_nothing_is_done)
{
    struct story *s = *state;
    PGconn *own = ts_connect(s->dsn), *broken;
    pgqrs_lease lease;

    story_send(s, "1");
    lease = story_take_one(s, s->consumer);
    expect_refused(s, own, lease);
    story_expect_message(s, "BEGIN");
    ts_sql(own, "BEGIN");
    PQclear(PQexec(own, "SELECT 1 / 0"));
    expect_refused(s, own, lease); /* it has failed */
    ts_sql(own, "ROLLBACK; BEGIN");
    PQenterPipelineMode(own);
    expect_refused(s, own, lease);
    PQexitPipelineMode(own);
    PQclear(PQexec(own, "COPY pgqrs_keys FROM stdin"));
    expect_refused(s, own, lease);
    broken = PQconnectdb("host=/nonexistent");
    expect_refused(s, broken, lease);
    expect_refused(s, NULL, lease);
    PQfinish(broken);
    PQfinish(own);
}

STORY_TEST(what_is_refused_leaves_the_transaction_as_it_is)
{
    struct story *s = *state;
    PGconn *own = ts_connect(s->dsn);

    ts_sql(own, "BEGIN");
    TS_OK(pgqrs_producer_enqueue_on(s->producer, own, text("1"), NULL, NULL, s->err), s->err);
    TS_IS(PGQRS_EINVAL, pgqrs_producer_enqueue_on(s->producer, own, text("{"), NULL, NULL, s->err),
          s->err);
    assert_int_equal(PQtransactionStatus(own), PQTRANS_INTRANS);
    ts_sql(own, "COMMIT");
    assert_int_equal(story_stored(s), 1);
    PQfinish(own);
}

/* Nothing is prepared or set on a connection that is not ours. */
STORY_TEST(the_callers_connection_stays_as_it_was)
{
    struct story *s = *state;
    PGconn *own = ts_connect(s->dsn);
    pgqrs_lease lease;
    char *before, *after;

    before = ts_text(own, "SELECT string_agg(name || setting, ',' ORDER BY name) FROM pg_settings");
    for (int i = 0; i < 4; i++) {
        ts_sql(own, "BEGIN");
        TS_OK(pgqrs_producer_enqueue_on(s->producer, own, text("1"), NULL, NULL, s->err), s->err);
        ts_sql(own, "COMMIT");
        lease = story_take_one(s, s->consumer);
        ts_sql(own, "BEGIN");
        TS_OK(pgqrs_consumer_delete_on(s->consumer, own, lease, s->err), s->err);
        ts_sql(own, "COMMIT");
    }
    after = ts_text(own, "SELECT string_agg(name || setting, ',' ORDER BY name) FROM pg_settings");
    assert_string_equal(before, after);
    assert_int_equal(ts_int(own, "SELECT count(*) FROM pg_prepared_statements"), 0);
    assert_int_equal(PQisnonblocking(own), 0);
    free(before);
    free(after);
    PQfinish(own);
}

STORY_TEST(finishing_leaves_the_callers_commit_durable)
{
    struct story *s = *state;
    PGconn *own = ts_connect(s->dsn);

    story_send(s, "1");
    ts_sql(own, "BEGIN");
    TS_OK(pgqrs_consumer_archive_on(s->consumer, own, story_take_one(s, s->consumer), text("1"),
                                    s->err),
          s->err);
    assert_int_equal(ts_int(own, "SELECT current_setting('synchronous_commit') = 'on'"), 1);
    ts_sql(own, "COMMIT");
    PQfinish(own);
}

TEST_MAIN(NULL, NULL)
