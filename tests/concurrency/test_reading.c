/*
 * How much a claim reads, counted and not timed: neither a plan that was chosen for an empty table,
 * nor dead rows that a long-running transaction keeps, nor delayed messages in large numbers make
 * claims slow.
 */
#include "fixture.h"

/* Of the queue's tables and their indexes: blocks that were looked at, index entries that were
 * walked over, those of dead rows included, and rows read by sequential scans. */
struct reading {
    long long blocks, entries, rows_scanned;
};

static struct reading
read_so_far(struct story *story)
{
    struct reading reading;

    reading.blocks = ts_int(
        story->sql, "SELECT sum(heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit) "
                    "FROM pg_statio_user_tables WHERE relname ~ '_(ready|held)$'");
    reading.entries = ts_int(story->sql, "SELECT sum(idx_tup_read) FROM pg_stat_user_indexes "
                                         "WHERE relname ~ '_(ready|held)$'");
    reading.rows_scanned = ts_int(story->sql, "SELECT sum(seq_tup_read) FROM pg_stat_user_tables "
                                              "WHERE relname ~ '_(ready|held)$'");
    return reading;
}

/* A session reports its statistics at the latest when it ends, so the client's session is ended. */
static struct reading
read_since(struct story *story, struct hands *hands, struct reading before)
{
    struct reading after;

    hands_close(hands);
    ts_wait_until(story->sql, WAIT_MS,
                  "SELECT count(*) = 0 FROM pg_stat_activity "
                  "WHERE application_name = 'measured' AND datname = current_database()");
    after = read_so_far(story);
    after.blocks -= before.blocks;
    after.entries -= before.entries;
    after.rows_scanned -= before.rows_scanned;
    return after;
}

/* A session that ends when it is done, and has then reported what it read. */
static void
run_apart(struct story *story, const char *statements)
{
    char *dsn = ts_format("%s application_name=apart", story->dsn);
    PGconn *own = ts_connect(dsn);

    ts_sql(own, "%s", statements);
    PQfinish(own);
    ts_wait_until(story->sql, WAIT_MS,
                  "SELECT count(*) = 0 FROM pg_stat_activity "
                  "WHERE datname = current_database() AND application_name = 'apart'");
    free(dsn);
}

/* Before anything is measured. Autovacuum, which reads as well, does not interfere. */
static void
prepare(struct story *story, const char *statements)
{
    char *all =
        ts_format("ALTER TABLE pgqrs_messages_%lld_ready SET (autovacuum_enabled = off); "
                  "ALTER TABLE pgqrs_messages_%lld_held SET (autovacuum_enabled = off); %s",
                  (long long)story->scope.queue_id, (long long)story->scope.queue_id, statements);

    run_apart(story, all);
    free(all);
}

static void
open_measured(struct story *story, struct hands *hands)
{
    char *dsn = ts_format("%s application_name=measured", story->dsn);

    hands_open(hands, dsn, LEASE_MS);
    free(dsn);
}

static size_t
claim(struct hands *hands, size_t max, pgqrs_lease *leases)
{
    pgqrs_message_list *list = NULL;
    size_t count;

    TS_OK(pgqrs_consumer_dequeue_batch(hands->consumer, max, NULL, &list, hands->err), hands->err);
    count = pgqrs_message_list_count(list);
    for (size_t i = 0; i < count && leases != NULL; i++)
        leases[i] = pgqrs_message_lease(pgqrs_message_list_at(list, i));
    pgqrs_message_list_free(list);
    return count;
}

STORY_TEST(a_plan_chosen_for_an_empty_table_does_not_stay)
{
    struct story *story = *state;
    struct reading before, reading;
    pgqrs_lease leases[10];
    struct hands hands;
    int claims = 200;

    /* Given statements that were prepared and planned while the tables were empty, and known to be
     * so, */
    prepare(story, "ANALYZE pgqrs_messages");
    open_measured(story, &hands);
    for (int i = 0; i < 20; i++) {
        crowd_send(&hands, 1, 1);
        assert_int_equal(claim(&hands, 10, leases), 1);
        TS_OK(pgqrs_consumer_delete(hands.consumer, leases[0], hands.err), hands.err);
    }
    /* when there is a lot to claim */
    prepare(story, "INSERT INTO pgqrs_messages (queue_id, lane, payload) "
                   "SELECT id, 'r', '1' FROM pgqrs_queues, generate_series(1, 50000)");
    before = read_so_far(story);
    for (int i = 0; i < claims; i++) {
        pgqrs_status results[10];

        assert_int_equal(claim(&hands, 10, leases), 10);
        TS_OK(pgqrs_consumer_delete_batch(hands.consumer, leases, 10, results, hands.err),
              hands.err);
    }
    /* then the table is never scanned, and each claim with its deletion looks at some pages for
     * each message.
     */
    reading = read_since(story, &hands, before);
    print_message("%lld blocks for each claim\n", reading.blocks / claims);
    assert_int_equal(reading.rows_scanned, 0);
    assert_true(reading.blocks / claims < 500);
}

/* How many index entries a claim without a lower bound would walk over now: those of every dead row
 * that is still there. */
static long long
read_without_bound(struct story *story)
{
    struct reading before = read_so_far(story);
    const pgqrsi_statement *statement = NULL;
    char *statements;

    TS_OK(pgqrsi_scope_statement(&story->scope, PGQRSI_SQL_CONSUMER_CLAIM_READY, PGQRSI_LANE_READY,
                                 &statement, NULL),
          NULL);
    statements = ts_format("SET enable_seqscan = off; SET enable_bitmapscan = off; "
                           "SET plan_cache_mode = force_generic_plan; "
                           "PREPARE claim (bigint, bigint, bigint, bigint, bigint, bigint) AS %s; "
                           "EXECUTE claim (0, 10, 1, 1, NULL, 1)",
                           statement->text);
    run_apart(story, statements);
    free(statements);
    return read_so_far(story).entries - before.entries;
}

/* `count` messages go through the queue, a few at a time; returns the number of claims. */
static int
flow(struct hands *hands, int count)
{
    int claims = 0;

    for (int done = 0; done < count;) {
        pgqrs_lease leases[50];
        pgqrs_status results[50];
        size_t got;

        if (done % 1000 == 0)
            crowd_send(hands, 1, 1000);
        got = claim(hands, 50, leases);
        claims++;
        if (got == 0)
            continue;
        TS_OK(pgqrs_consumer_delete_batch(hands->consumer, leases, got, results, hands->err),
              hands->err);
        done += (int)got;
    }
    return claims;
}

static void
flow_past_a_holder(struct story *story, const char *begin, const char *stay)
{
    PGconn *holder = ts_connect(story->dsn);
    struct reading before, reading;
    struct hands hands;
    long long without;
    int claims;

    /* Given a transaction that stays open, so that no dead row can be removed, */
    prepare(story, "ANALYZE pgqrs_messages");
    ts_sql(holder, "%s", begin);
    ts_sql(holder, "%s", stay);
    open_measured(story, &hands);
    before = read_so_far(story);
    /* when many messages go through the queue meanwhile, */
    claims = flow(&hands, 50000);
    reading = read_since(story, &hands, before);
    without = read_without_bound(story);
    print_message("%lld index entries for each claim of 50 and its deletion; without a bound %lld "
                  "for a claim\n",
                  reading.entries / claims, without);
    /* then the dead rows are really there, and claims do not read them again and again. */
    assert_true(without > 40000);
    assert_int_equal(reading.rows_scanned, 0);
    assert_true(reading.entries / claims < without / 4);
    ts_sql(holder, "ROLLBACK");
    PQfinish(holder);
}

STORY_TEST(a_long_read_only_transaction_does_not_make_claims_slow)
{
    flow_past_a_holder(*state, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
                       "SELECT count(*) FROM pgqrs_queues");
}

STORY_TEST(a_long_writing_transaction_does_not_make_claims_slow)
{
    flow_past_a_holder(*state, "BEGIN", "SELECT pg_current_xact_id()");
}

STORY_TEST(a_hundred_thousand_delayed_messages_do_not_make_claims_slow)
{
    struct story *story = *state;
    struct reading before, reading;
    struct hands hands;
    int claims = 100;

    /* Given delayed messages of many priorities, and few due ones after all of them, */
    prepare(story, "INSERT INTO pgqrs_messages (queue_id, lane, payload, priority, vt) "
                   "SELECT id, 'h', '1', n % 10 - 4, clock_timestamp() + interval '1 day' "
                   "FROM pgqrs_queues, generate_series(1, 100000) AS n; "
                   "INSERT INTO pgqrs_messages (queue_id, lane, payload, priority) "
                   "SELECT id, 'h', '1', -5 FROM pgqrs_queues, generate_series(1, 100); "
                   "ANALYZE pgqrs_messages");
    before = read_so_far(story);
    open_measured(story, &hands);
    /* when those are claimed one by one */
    for (int i = 0; i < claims; i++)
        while (claim(&hands, 1, NULL) == 0)
            ;
    /* then a claim does not read the others. */
    reading = read_since(story, &hands, before);
    print_message("%lld blocks for each claim\n", reading.blocks / claims);
    assert_int_equal(reading.rows_scanned, 0);
    assert_true(reading.blocks / claims < 1000);
    assert_int_equal(
        ts_int(
            story->sql,
            "SELECT count(*) FROM pgqrs_messages WHERE lease_token IS NOT NULL AND priority = -5"),
        100);
}

TEST_MAIN(NULL, NULL)
