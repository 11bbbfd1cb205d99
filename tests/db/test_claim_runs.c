/*
 * The claim that locks no rows before it updates them, in every order in which other transactions
 * can come between its snapshot, its search and its update. Each test is named after what must come
 * of it.
 *
 * A claim is stopped in the middle by functions that hide those of pg_catalog behind the search
 * path of its session: set_config() is called before the search, clock_timestamp() between search
 * and update. The statement's text is the library's own.
 */
#include "support.h"

#include <pthread.h>
#include <stdatomic.h>

#include "db/statement.h"

#define WAIT_MS 20000
#define GATE 4711 /* the advisory lock that a stopped claim waits for */

static char *dsn;
static PGconn *sql, *other;
static uint64_t serials;
static pgqrsi_scope queue;

/* Replaces `old` by `new`, which is no longer, and which must occur once. */
static void
replace(char *text, const char *old, const char *new)
{
    char *at = strstr(text, old);

    if (at == NULL || strstr(at + 1, old) != NULL)
        ts_fail("\"%s\" does not occur once in %s", old, text);
    memset(at, ' ', strlen(old));
    memcpy(at, new, strlen(new));
}

/* A server that finds a row changed while it waited tests the conditions again. Whether the row
 * still lies where the search has seen it is among them on newer servers only; on older ones what
 * is said of the lease decides alone. By ids it does so everywhere. */
static void
look_for_ids(char *text)
{
    replace(text, "WHERE m.ctid = ANY", "WHERE m.id = ANY");
    replace(text, "SELECT r.ctid FROM", "SELECT r.id FROM");
}

static void
prepare(PGconn *connection, const char *name, pgqrsi_sql which)
{
    const pgqrsi_statement *rendered;
    PGresult *result;
    char *text;

    TS_OK(pgqrsi_scope_statement(&queue, which, PGQRSI_LANE_READY, &rendered, NULL), NULL);
    text = ts_format("%s", rendered->text);
    /* The library names the schema of functions; here they are looked up, so that a claim can be
     * stopped. */
    for (char *at; (at = strstr(text, "pg_catalog.")) != NULL;)
        memmove(at, at + 11, strlen(at + 11) + 1);
    if (strcmp(name, "by_id") == 0)
        look_for_ids(text);
    result = PQprepare(connection, name, text, 0, NULL);
    free(text);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        ts_fail("%s could not be prepared: %s", name, PQerrorMessage(connection));
    PQclear(result);
}

/* `search_path` chooses where its claims stop. */
static PGconn *
connect_with(const char *search_path)
{
    PGconn *connection = ts_connect(dsn);

    ts_sql(connection, "SET search_path = %s", search_path);
    ts_sql(connection, "SET enable_seqscan = off; SET enable_bitmapscan = off; "
                       "SET plan_cache_mode = force_generic_plan");
    prepare(connection, "runs", PGQRSI_SQL_CONSUMER_CLAIM_READY_RUNS);
    prepare(connection, "by_id", PGQRSI_SQL_CONSUMER_CLAIM_READY_RUNS);
    prepare(connection, "locked", PGQRSI_SQL_CONSUMER_CLAIM_READY);
    prepare(connection, "sweep", PGQRSI_SQL_CONSUMER_SWEEP);
    ts_sql(connection,
           "PREPARE finish(bigint, bigint, bigint) AS DELETE FROM pgqrs_messages_1_ready WHERE id "
           "BETWEEN $1 AND $2 AND lease_token = $3 RETURNING id");
    return connection;
}

static int
open_queue(void **state)
{
    pgqrs_client *client;

    (void)state;
    dsn = ts_database();
    client = ts_client(dsn, NULL);
    TS_OK(pgqrs_queue_create(client, pgqrs_slice_of("jobs"), NULL, NULL, NULL), NULL);
    pgqrs_client_close(client);
    pgqrsi_scope_init(&queue, "public", &serials);
    queue.queue_id = 1;
    queue.queue_name = "jobs";
    sql = ts_connect(dsn);
    ts_sql(sql, "CREATE SCHEMA before_search; CREATE SCHEMA before_update");
    ts_sql(sql,
           "CREATE FUNCTION before_search.set_config(text, text, boolean) RETURNS text LANGUAGE "
           "plpgsql AS 'BEGIN PERFORM pg_advisory_lock_shared(%d); PERFORM "
           "pg_advisory_unlock_shared(%d); "
           "RETURN pg_catalog.set_config($1, $2, $3); END'",
           GATE, GATE);
    ts_sql(sql,
           "CREATE FUNCTION before_update.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql "
           "AS 'BEGIN PERFORM pg_advisory_lock_shared(%d); PERFORM pg_advisory_unlock_shared(%d); "
           "RETURN pg_catalog.clock_timestamp(); END'",
           GATE, GATE);
    ts_sql(sql, "ALTER TABLE pgqrs_messages_1_ready SET (autovacuum_enabled = off)");
    other = connect_with("public");
    return 0;
}

static int
close_queue(void **state)
{
    (void)state;
    PQfinish(other);
    PQfinish(sql);
    pgqrsi_scope_release(&queue);
    free(dsn);
    return 0;
}

static void
fill(int count)
{
    ts_sql(sql, "TRUNCATE pgqrs_messages_1_ready, pgqrs_messages_1_held");
    ts_sql(sql,
           "INSERT INTO pgqrs_messages_1_ready (id, payload) SELECT n, '1' FROM generate_series(1, "
           "%d) AS n",
           count);
}

/* Begins a claim of 10 with token 1 that stops where the schema `where` says. */
static PGconn *
stopped_claim_by(const char *statement, const char *where)
{
    char *path = ts_format("%s, pg_catalog, public", where);
    char *execute = ts_format("EXECUTE %s(0, 10, 60000, 1, NULL, 1)", statement);
    PGconn *claimer = connect_with(path);

    free(path);
    ts_sql(sql, "SELECT pg_advisory_lock(%d)", GATE);
    assert_int_equal(PQsendQuery(claimer, execute), 1);
    free(execute);
    ts_wait_until(sql, WAIT_MS,
                  "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = %d "
                  "AND pid = %d AND NOT granted)",
                  GATE, PQbackendPID(claimer));
    return claimer;
}

static PGconn *
stopped_claim(const char *where)
{
    return stopped_claim_by("runs", where);
}

static void
let_go_on(void)
{
    ts_sql(sql, "SELECT pg_advisory_unlock(%d)", GATE);
}

/* It waits for the end of a transaction. */
static void
expect_waiting(PGconn *claimer)
{
    ts_wait_until(sql, WAIT_MS, "SELECT cardinality(pg_blocking_pids(%d)) > 0",
                  PQbackendPID(claimer));
}

/* How many messages the claim that was stopped got in the end; ends its session. */
static int
outcome(PGconn *claimer)
{
    PGresult *result = PQgetResult(claimer);
    int count = PQntuples(result);

    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        ts_fail("the claim failed: %s", PQerrorMessage(claimer));
    PQclear(result);
    PQfinish(claimer);
    return count;
}

static void
expect_held(int token, const char *ids)
{
    char *held = ts_text(sql,
                         "SELECT coalesce(string_agg(id::text, ',' ORDER BY id), '') "
                         "FROM pgqrs_messages_1_ready WHERE lease_token = %d",
                         token);

    assert_string_equal(held, ids);
    free(held);
}

static void
expect_each_at_most_once(void)
{
    assert_int_equal(ts_int(sql, "SELECT count(*) FROM pgqrs_messages WHERE read_ct > 1"), 0);
}

#define FIRST_TEN "1,2,3,4,5,6,7,8,9,10"

TEST(two_claims_that_search_at_once_take_different_runs)
{
    PGconn *claimer;

    (void)state;
    fill(300);
    claimer = stopped_claim("before_update");
    ts_sql(other, "EXECUTE runs(0, 3, 60000, 2, NULL, 1)");
    let_go_on();
    assert_int_equal(outcome(claimer), 10);
    expect_held(1, FIRST_TEN);
    expect_held(2, "128,129,130");
}

TEST(what_was_claimed_between_snapshot_and_search_is_passed_over)
{
    PGconn *claimer;

    (void)state;
    fill(300);
    claimer = stopped_claim("before_search");
    ts_sql(other, "EXECUTE runs(0, 10, 60000, 2, NULL, 1)");
    let_go_on();
    assert_int_equal(outcome(claimer), 10);
    expect_held(2, FIRST_TEN);
    expect_held(1, "11,12,13,14,15,16,17,18,19,20");
    expect_each_at_most_once();
}

TEST(what_was_claimed_between_search_and_update_stays_with_the_other)
{
    PGconn *claimer;

    (void)state;
    fill(300);
    claimer = stopped_claim("before_update");
    ts_sql(other, "EXECUTE locked(0, 4, 60000, 2, NULL, 1)");
    let_go_on();
    assert_int_equal(outcome(claimer), 6);
    expect_held(2, "1,2,3,4");
    expect_held(1, "5,6,7,8,9,10");
    expect_each_at_most_once();
}

TEST(what_another_is_about_to_claim_is_waited_for_and_left_to_it)
{
    PGconn *claimer;

    (void)state;
    fill(300);
    claimer = stopped_claim("before_update");
    ts_sql(other, "BEGIN; EXECUTE locked(0, 4, 60000, 2, NULL, 1)");
    let_go_on();
    expect_waiting(claimer);
    ts_sql(other, "COMMIT");
    assert_int_equal(outcome(claimer), 6);
    expect_held(2, "1,2,3,4");
    expect_held(1, "5,6,7,8,9,10");
    expect_each_at_most_once();
}

/* The row's present version says that it is leased, wherever it is stored. */
TEST(the_lease_that_is_there_now_decides)
{
    (void)state;
    for (int waits = 0; waits <= 1; waits++) {
        PGconn *claimer;

        fill(300);
        claimer = stopped_claim_by("by_id", "before_update");
        ts_sql(other, "%sEXECUTE locked(0, 4, 60000, 2, NULL, 1)", waits ? "BEGIN; " : "");
        let_go_on();
        if (waits) {
            expect_waiting(claimer);
            ts_sql(other, "COMMIT");
        }
        assert_int_equal(outcome(claimer), 6);
        expect_held(2, "1,2,3,4");
        expect_held(1, "5,6,7,8,9,10");
        expect_each_at_most_once();
    }
}

TEST(what_another_failed_to_claim_is_claimed)
{
    PGconn *claimer;

    (void)state;
    fill(300);
    claimer = stopped_claim("before_update");
    ts_sql(other, "BEGIN; EXECUTE locked(0, 4, 60000, 2, NULL, 1)");
    let_go_on();
    expect_waiting(claimer);
    ts_sql(other, "ROLLBACK");
    assert_int_equal(outcome(claimer), 10);
    expect_held(1, FIRST_TEN);
    expect_each_at_most_once();
}

TEST(what_the_sweep_moved_is_not_claimed_as_well)
{
    PGconn *claimer;

    (void)state;
    fill(300);
    claimer = stopped_claim("before_update");
    ts_sql(other, "EXECUTE sweep(0, 300, 4, 5000, 1000, 1, 0)");
    let_go_on();
    assert_int_equal(outcome(claimer), 6);
    expect_held(1, "5,6,7,8,9,10");
    assert_int_equal(
        ts_int(sql, "SELECT count(*) FROM pgqrs_messages_1_held WHERE lease_token IS NULL"), 4);
    assert_int_equal(ts_int(sql, "SELECT count(DISTINCT id) FROM pgqrs_messages"), 300);
    expect_each_at_most_once();
}

TEST(the_sweep_leaves_alone_what_is_being_claimed)
{
    (void)state;
    fill(300);
    ts_sql(other, "BEGIN; EXECUTE runs(0, 10, 60000, 2, NULL, 1)");
    prepare(sql, "sweep", PGQRSI_SQL_CONSUMER_SWEEP);
    ts_sql(sql, "EXECUTE sweep(0, 300, 12, 5000, 1000, 1, 0)");
    ts_sql(sql, "DEALLOCATE sweep");
    ts_sql(other, "COMMIT");
    expect_held(2, FIRST_TEN);
    assert_int_equal(ts_int(sql, "SELECT count(*) FROM pgqrs_messages_1_held"), 2);
}

TEST(what_was_finished_meanwhile_does_not_come_back)
{
    PGconn *claimer;

    (void)state;
    fill(300);
    claimer = stopped_claim("before_update");
    ts_sql(other, "EXECUTE locked(0, 4, 60000, 2, NULL, 1)");
    ts_sql(other, "EXECUTE finish(1, 4, 2)");
    let_go_on();
    assert_int_equal(outcome(claimer), 6);
    expect_held(1, "5,6,7,8,9,10");
    assert_int_equal(ts_int(sql, "SELECT count(*) FROM pgqrs_messages"), 296);
}

/* A consumer may finish in a transaction of its caller's, which may last. */
TEST(a_finish_that_does_not_end_is_waited_for_no_longer_than_lock_timeout)
{
    PGconn *claimer;
    PGresult *result;

    (void)state;
    fill(300);
    ts_sql(sql, "ALTER FUNCTION before_update.clock_timestamp() SET lock_timeout = 0");
    ts_sql(sql, "ALTER DATABASE %s SET lock_timeout = 200", PQdb(sql));
    claimer = stopped_claim("before_update");
    ts_sql(sql, "ALTER DATABASE %s RESET lock_timeout", PQdb(sql));
    ts_sql(other, "EXECUTE locked(0, 4, 60000, 2, NULL, 1)");
    ts_sql(other, "BEGIN; EXECUTE finish(1, 4, 2)");
    let_go_on();
    result = PQgetResult(claimer);
    assert_int_equal(PQresultStatus(result), PGRES_FATAL_ERROR);
    assert_string_equal(PQresultErrorField(result, PG_DIAG_SQLSTATE), "55P03");
    PQclear(result);
    PQfinish(claimer);
    ts_sql(other, "COMMIT");
    expect_held(1, "");
    assert_int_equal(ts_int(sql, "SELECT count(*) FROM pgqrs_messages_1_ready WHERE read_ct = 0"),
                     296);
}

TEST(what_a_claim_left_behind_is_found_by_the_others)
{
    (void)state;
    fill(300);
    ts_sql(other, "BEGIN; EXECUTE runs(0, 10, 60000, 2, NULL, 1); ROLLBACK");
    ts_sql(other, "EXECUTE runs(0, 2, 60000, 3, NULL, 1)");
    expect_held(3, "11,12");
    ts_sql(other, "EXECUTE locked(0, 4, 60000, 4, NULL, 1)");
    expect_held(4, "1,2,3,4");
    ts_sql(other, "EXECUTE sweep(0, 300, 10, 5000, 1000, 1, 0)");
    assert_int_equal(
        ts_int(sql, "SELECT count(*) FROM pgqrs_messages_1_held WHERE id BETWEEN 5 AND 10"), 6);
}

TEST(a_claim_takes_no_more_than_64_advisory_locks)
{
    (void)state;
    fill(20000);
    ts_sql(other, "BEGIN; EXECUTE runs(0, 10000, 60000, 2, NULL, 1)");
    assert_int_equal(
        ts_int(
            other,
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"),
        64);
    ts_sql(other, "COMMIT");
    assert_int_equal(
        ts_int(sql, "SELECT count(*) FROM pgqrs_messages_1_ready WHERE lease_token = 2"), 10000);
}

enum { SESSIONS = 6, ASKED = 40, MESSAGES = 12000, BELOW = 3000 };

static atomic_int handed_out[MESSAGES + 1];
static atomic_int claimers_left;

struct session {
    PGconn *connection;
    int number, failed;
};

/* Claims and finishes until nothing is left; every other session with the one statement or the
 * other. */
static void *
claim_all(void *argument)
{
    struct session *session = argument;
    int token = 100 + session->number, rows = 1;

    while (rows > 0 && !session->failed) {
        const char *name = session->number % 3 != 0 ? "runs" : "locked";

        for (int attempt = 0; attempt < 2; attempt++, name = "locked") {
            char *text = ts_format("EXECUTE %s(0, %d, 60000, %d, NULL, 1)", name, ASKED, token);
            PGresult *result = PQexec(session->connection, text);

            rows = PQntuples(result);
            session->failed |= PQresultStatus(result) != PGRES_TUPLES_OK || rows > ASKED;
            for (int row = 0; row < rows; row++)
                atomic_fetch_add(&handed_out[atoi(PQgetvalue(result, row, 0))], 1);
            PQclear(result);
            free(text);
            if (rows > 0)
                break;
        }
        if (rows > 0) {
            char *finish = ts_format("EXECUTE finish(1, %d, %d)", MESSAGES, token);
            PGresult *result = PQexec(session->connection, finish);

            session->failed |= PQntuples(result) != rows;
            PQclear(result);
            free(finish);
        }
    }
    atomic_fetch_sub(&claimers_left, 1);
    return NULL;
}

static void *
sweep_along(void *argument)
{
    struct session *session = argument;

    while (atomic_load(&claimers_left) > 0 && !session->failed) {
        char *text = ts_format("EXECUTE sweep(0, %d, %d, 600000, 50, 1, 0)", MESSAGES, BELOW);
        PGresult *result = PQexec(session->connection, text);

        session->failed = PQresultStatus(result) != PGRES_TUPLES_OK;
        PQclear(result);
        free(text);
    }
    return NULL;
}

TEST(among_claimers_of_both_kinds_and_a_sweep_each_message_goes_to_one)
{
    struct session sessions[SESSIONS + 1];
    pthread_t threads[SESSIONS + 1];
    int claimed = 0;

    (void)state;
    fill(MESSAGES);
    atomic_store(&claimers_left, SESSIONS);
    for (int i = 0; i <= SESSIONS; i++) {
        sessions[i] = (struct session){ .connection = connect_with("public"), .number = i };
        pthread_create(&threads[i], NULL, i < SESSIONS ? claim_all : sweep_along, &sessions[i]);
    }
    for (int i = 0; i <= SESSIONS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(sessions[i].failed, 0);
        PQfinish(sessions[i].connection);
    }
    for (int id = 1; id <= MESSAGES; id++) {
        assert_in_range(atomic_load(&handed_out[id]), 0, 1);
        claimed += atomic_load(&handed_out[id]);
    }
    /* Nothing is lost either: what was not handed out was moved. */
    assert_int_equal(claimed + ts_int(sql, "SELECT count(*) FROM pgqrs_messages_1_held"), MESSAGES);
    assert_int_equal(
        ts_int(sql, "SELECT count(*) FROM pgqrs_messages_1_ready WHERE lease_token IS NULL"), 0);
}

TEST_MAIN(open_queue, close_queue)
