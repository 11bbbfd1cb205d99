/*
 * Calls that are denied to the roles of docs/security.md, and to a role that may only connect to
 * the database.
 */
#include "roles.h"

/* Statements by which a producer would set, change or see what it may not. */
static const char *const not_a_producers[] = {
    "INSERT INTO pgqrs_messages_7_ready (payload, read_ct) VALUES ('1', 2147483647)",
    "INSERT INTO pgqrs_messages_7_ready (payload, failed_ct) VALUES ('1', 32767)",
    "INSERT INTO pgqrs_messages_7_ready (payload, crash_ct) VALUES ('1', 32767)",
    "INSERT INTO pgqrs_messages_7_ready (payload, lease_token) VALUES ('1', 1)",
    "INSERT INTO pgqrs_messages_7_ready (payload, dequeued_at) VALUES ('1', now())",
    "INSERT INTO pgqrs_messages_7_ready (payload, enqueued_at) VALUES ('1', '-infinity')",
    "INSERT INTO pgqrs_messages_7_ready (payload, vt) VALUES ('1', 'infinity')",
    "INSERT INTO pgqrs_messages_7_ready (payload, priority) VALUES ('1', 1)",
    "INSERT INTO pgqrs_messages_7_ready (payload, consumer_worker_id) VALUES ('1', 1)",
    "INSERT INTO pgqrs_messages_7_held (payload, read_ct) VALUES ('1', 2147483647)",
    "INSERT INTO pgqrs_messages_7_held (payload, crash_ct) VALUES ('1', 32767)",
    "INSERT INTO pgqrs_messages_7_held (payload, lease_token) VALUES ('1', 1)",
    "INSERT INTO pgqrs_messages_7_held (payload, enqueued_at) VALUES ('1', '-infinity')",
    "INSERT INTO pgqrs_messages (queue_id, lane, payload) VALUES (7, 'r', '1')",
    "INSERT INTO pgqrs_messages_7 (lane, payload) VALUES ('r', '1')",
    "INSERT INTO pgqrs_messages_6_ready (payload) VALUES ('1')",
    "INSERT INTO pgqrs_archive_7 SELECT",
    "UPDATE pgqrs_messages_7_ready SET payload = '2'",
    "UPDATE pgqrs_messages_7_ready SET vt = 'infinity'",
    "DELETE FROM pgqrs_messages_7_ready",
    "DELETE FROM pgqrs_messages_7_held",
    "SELECT payload FROM pgqrs_messages_7_ready",
    "SELECT payload FROM pgqrs_messages_6_ready",
    "SELECT id FROM pgqrs_messages_7_held",
    "SELECT count(*) FROM pgqrs_archive_7",
    "SELECT id FROM pgqrs_messages_7_ready FOR UPDATE",
    "DO $d$ BEGIN LOCK TABLE pgqrs_messages_7_ready IN SHARE MODE; END $d$",
    "TRUNCATE pgqrs_messages_7_ready",
    "INSERT INTO pgqrs_keys_6 (idempotency_key, message_id, payload_hash, expires_at) VALUES ('k', "
    "1, 1, 'infinity')",
    "INSERT INTO pgqrs_keys (queue_id, idempotency_key, message_id, payload_hash, expires_at) "
    "VALUES (6, 'k', 1, 1, 'infinity')",
    "INSERT INTO pgqrs_keys_7 (queue_id, idempotency_key, message_id, payload_hash, expires_at) "
    "VALUES (6, 'k', 1, 1, 'infinity')",
    "UPDATE pgqrs_keys_7 SET queue_id = 6",
    "UPDATE pgqrs_keys_7 SET idempotency_key = 'other'",
    "DELETE FROM pgqrs_keys_7",
    "SELECT setval('pgqrs_message_id_seq', 9223372036854775807)",
    "SELECT setval('pgqrs_frontier_7', 9223372036854775807)",
    "SELECT nextval('pgqrs_frontier_7')",
    "UPDATE pgqrs_queues SET max_attempts = 1",
    "SELECT id FROM pgqrs_queues FOR UPDATE",
    "INSERT INTO pgqrs_migrations (version, name) VALUES (99, 'x')",
    "INSERT INTO pgqrs_workers (queue_id, host_name, process_id) VALUES (7, 'h', 1)",
    "CREATE TABLE pgqrs_mine ()",
    "CREATE TRIGGER t BEFORE INSERT ON pgqrs_messages_7_ready EXECUTE FUNCTION "
    "pgqrs_wake_on_insert()",
    "SELECT pgqrs_purge_queue('queue 7')",
    "SELECT pgqrs_delete_queue('queue 7')",
    "SELECT pgqrs_create_queue('queue 8')",
    "SELECT pgqrs_prepare_archive(7)",
};

/* Statements that are denied to every role. */
static const char *const nobodys[] = {
    "SELECT setval('pgqrs_message_id_seq', 9223372036854775807)",
    "UPDATE pgqrs_queues SET max_attempts = 1",
    "INSERT INTO pgqrs_migrations (version, name) VALUES (99, 'x')",
    "TRUNCATE pgqrs_messages_7_ready",
    "SELECT payload FROM pgqrs_messages_6_ready",
    "SELECT payload FROM pgqrs_messages",
    "SELECT count(*) FROM pgqrs_archive_6",
    "UPDATE pgqrs_archive_7 SET outcome = 'done'",
    "DELETE FROM pgqrs_archive_7",
    "INSERT INTO pgqrs_messages_6_ready (payload) VALUES ('1')",
    "DELETE FROM pgqrs_keys_6",
    "CREATE TABLE pgqrs_mine ()",
    "SELECT pgqrs_purge_queue('queue 7')",
    "SELECT pgqrs_delete_queue('queue 7')",
    "SELECT pgqrs_create_queue('queue 8')",
    "DROP TABLE pgqrs_messages_6",
};

/* Runs each statement as `role` and asserts that it is denied. */
static void
expect_denied(const struct fixture *f, const char *role, const char *const *statements,
              size_t count)
{
    PGconn *connection = connect_as(f, role);

    PQclear(PQexec(connection, "SET search_path = " SCHEMA));
    for (size_t i = 0; i < count; i++) {
        PGresult *result = PQexec(connection, statements[i]);
        const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);

        if (sqlstate == NULL || strcmp(sqlstate, "42501") != 0)
            ts_fail("%s was not denied \"%s\": %s", role, statements[i],
                    PQresultErrorMessage(result));
        PQclear(result);
    }
    PQfinish(connection);
}

ROLES_TEST(no_role_can_give_or_change_what_is_not_its_to_give)
{
    struct fixture *f = *state;

    expect_denied(f, "a_producer", not_a_producers,
                  sizeof(not_a_producers) / sizeof(not_a_producers[0]));
    expect_denied(f, "a_producer", nobodys, sizeof(nobodys) / sizeof(nobodys[0]));
    expect_denied(f, "a_consumer", nobodys, sizeof(nobodys) / sizeof(nobodys[0]));
    expect_denied(f, "an_observer", nobodys, sizeof(nobodys) / sizeof(nobodys[0]));
    expect_denied(f, "an_observer", not_a_producers + 17, 4); /* updates and deletions */
}

/* The stranger may connect, and nothing else. */
ROLES_TEST(a_stranger_sees_nothing_through_the_library_either)
{
    struct fixture *f = *state;
    pgqrs_client *client = client_as(f, "a_stranger");
    pgqrs_queue_list *list;
    pgqrs_report *report;
    pgqrs_producer *producer;

    TS_IS(PGQRS_EDENIED, pgqrs_queue_list_all(client, &list, f->err), f->err);
    TS_IS(PGQRS_EDENIED,
          pgqrs_producer_open(client, pgqrs_slice_of("queue 7"), NULL, &producer, f->err), f->err);
    TS_IS(PGQRS_EDENIED, pgqrs_admin_verify(client, &report, f->err), f->err);
    TS_IS(PGQRS_EDENIED, pgqrs_admin_install(client, NULL, f->err), f->err);
    TS_IS(PGQRS_EDENIED, pgqrs_admin_uninstall(client, f->err), f->err);
    pgqrs_client_close(client);
}

/* Takes, as a stranger, every advisory lock that pgqrs uses, or used. */
static PGconn *
hold_locks(const struct fixture *f)
{
    PGconn *stranger = connect_as(f, "a_stranger");

    for (int queue = 1; queue <= QUEUE_ID + 1; queue++)
        ts_sql(stranger,
               "SELECT pg_advisory_lock(hashtextextended('pgqrs sweep " SCHEMA " %d', 0)), "
               "pg_advisory_lock(hashtextextended('pgqrs archive " SCHEMA " %d', 0)), "
               "pg_advisory_lock(hashtextextended('pgqrs wake " SCHEMA " %d', 0))",
               queue, queue, queue);
    ts_sql(stranger, "SELECT pg_advisory_lock(hashtextextended('pgqrs wake " SCHEMA
                     " many ' || n, 0)) FROM generate_series(0, 7) AS n");
    ts_sql(stranger, "SELECT pg_advisory_lock(hashtextextended('pgqrs install " SCHEMA "', 0)), "
                     "pg_advisory_lock(hashtextextended('pgqrs create " SCHEMA "', 0))");
    return stranger;
}

ROLES_TEST(a_stranger_who_holds_every_lock_stops_nothing)
{
    struct fixture *f = *state;
    PGconn *stranger = hold_locks(f);
    pgqrs_producer *producer;
    pgqrs_consumer *consumer;
    pgqrs_message_list *list;
    int64_t id = 0;

    TS_OK(pgqrs_producer_open(f->owner, pgqrs_slice_of("queue 7"), NULL, &producer, f->err),
          f->err);
    TS_OK(pgqrs_consumer_open(f->owner, pgqrs_slice_of("queue 7"), NULL, &consumer, f->err),
          f->err);
    for (int i = 0; i < 10; i++)
        TS_OK(pgqrs_producer_enqueue(producer, pgqrs_slice_of("1"), NULL, NULL, f->err), f->err);
    TS_OK(pgqrs_consumer_dequeue_batch(consumer, 10, NULL, &list, f->err), f->err);
    assert_int_equal(pgqrs_message_list_count(list), 10);
    pgqrs_message_list_free(list);
    ts_sql(f->sql, "UPDATE jobs.pgqrs_messages SET vt = clock_timestamp() - interval '1 ms'");
    for (int got = 0, asked = 0; got < 10; asked++) {
        if (asked == 2000)
            ts_fail("only %d of 10 messages came back", got);
        TS_OK(pgqrs_consumer_dequeue_batch(consumer, 10, NULL, &list, f->err), f->err);
        got += (int)pgqrs_message_list_count(list);
        pgqrs_message_list_free(list);
    }
    TS_OK(pgqrs_queue_create(f->owner, pgqrs_slice_of("queue 8"), NULL, &id, f->err), f->err);
    assert_int_equal(id, QUEUE_ID + 1);
    ts_sql(f->sql, "SELECT jobs.pgqrs_prepare_archive(7, interval '40 days')");
    TS_OK(pgqrs_queue_delete(f->owner, pgqrs_slice_of("queue 8"), f->err), f->err);
    TS_OK(pgqrs_admin_install(f->owner, NULL, f->err), f->err);
    pgqrs_consumer_close(consumer);
    pgqrs_producer_close(producer);
    PQfinish(stranger);
}

/* Row security without a policy hides messages, which would look like an empty queue. */
ROLES_TEST(a_queue_whose_rows_are_hidden_is_not_opened)
{
    static const char *const leaves[] = { "ready", "held" };
    struct fixture *f = *state;
    pgqrs_client *client = client_as(f, "a_consumer");
    pgqrs_consumer *consumer;
    pgqrs_producer *producer;

    for (size_t i = 0; i < 2; i++) {
        ts_sql(f->sql, "ALTER TABLE jobs.pgqrs_messages_7_%s ENABLE ROW LEVEL SECURITY", leaves[i]);
        TS_IS(PGQRS_EDENIED,
              pgqrs_consumer_open(client, pgqrs_slice_of("queue 7"), NULL, &consumer, f->err),
              f->err);
        assert_non_null(strstr(pgqrs_error_message(f->err), "row security"));
        TS_OK(pgqrs_producer_open(f->owner, pgqrs_slice_of("queue 7"), NULL, &producer, f->err),
              f->err); /* exempt */
        pgqrs_producer_close(producer);
        ts_sql(f->sql, "ALTER TABLE jobs.pgqrs_messages_7_%s DISABLE ROW LEVEL SECURITY",
               leaves[i]);
        TS_OK(pgqrs_consumer_open(client, pgqrs_slice_of("queue 7"), NULL, &consumer, f->err),
              f->err);
        pgqrs_consumer_close(consumer);
    }
    pgqrs_client_close(client);
}

TEST_MAIN(NULL, NULL)
