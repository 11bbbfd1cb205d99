/*
 * Out of memory: in every call, whichever allocation fails.
 */
#include "sweep.h"

static void
given_sent(struct world *w)
{
    static const pgqrs_enqueue_options urgent = { .size = sizeof(urgent), .priority = 1 };
    static const pgqrs_enqueue_options *const options[BATCH] = { NULL, NULL, &urgent };
    const pgqrs_slice payloads[BATCH] = { text("1"), text("2"), text("3") };

    TS_OK(pgqrs_producer_enqueue_batch(w->producer, payloads, options, BATCH, NULL, NULL), NULL);
}

/* Two in the ready lane and one in the held lane, so that ending them takes two statements. */
static void
given_leased(struct world *w)
{
    pgqrs_message_list *list;

    given_sent(w);
    TS_OK(pgqrs_consumer_dequeue_batch(w->consumer, BATCH, NULL, &list, NULL), NULL);
    assert_int_equal(pgqrs_message_list_count(list), BATCH);
    for (size_t i = 0; i < BATCH; i++)
        w->leases[i] = pgqrs_message_lease(pgqrs_message_list_at(list, i));
    pgqrs_message_list_free(list);
}

static void
given_archived(struct world *w)
{
    given_leased(w);
    TS_OK(pgqrs_consumer_archive_batch(w->consumer, w->leases, NULL, BATCH, w->results, NULL),
          NULL);
}

#define OF_CLIENT "datname = current_database() AND application_name = 'pgqrs'"

static void
given_lost_connections(struct world *w)
{
    given_sent(w);
    ts_sql(w->sql, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE " OF_CLIENT);
    ts_wait_until(w->sql, 10000, "SELECT count(*) = 0 FROM pg_stat_activity WHERE " OF_CLIENT);
}

/* Their leases have expired more often than max_crashes allows. */
static void
given_crashed(struct world *w)
{
    given_leased(w);
    ts_sql(w->sql,
           "UPDATE pgqrs_messages SET vt = clock_timestamp() - interval '1 s', crash_ct = 1000");
}

/* The key of another transaction that commits while ours runs: there, and not visible to the
 * statement. */
static void
given_rival(struct world *w)
{
    ts_sql(w->sql, "CREATE OR REPLACE FUNCTION rival() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN "
                   "INSERT INTO public.pgqrs_keys SELECT NEW.queue_id, NEW.idempotency_key, 4711, "
                   "0, NEW.expires_at; "
                   "RETURN NULL; END$$; "
                   "CREATE OR REPLACE TRIGGER rival BEFORE INSERT ON pgqrs_keys FOR EACH ROW "
                   "WHEN (pg_trigger_depth() = 0 AND NEW.idempotency_key = 'contested') "
                   "EXECUTE FUNCTION rival()");
    (void)w;
}

static void
given_empty_schema(struct world *w)
{
    pgqrs_client_close(w->client);
    ts_sql(w->sql, "SET client_min_messages = warning; DROP SCHEMA IF EXISTS other CASCADE; "
                   "CREATE SCHEMA other");
    pgqrs_producer_close(w->producer);
    pgqrs_consumer_close(w->consumer);
    w->producer = NULL;
    w->consumer = NULL;
    w->client = ts_client(w->dsn, "schema", "other", NULL);
}

static void
given_no_schema(struct world *w)
{
    given_empty_schema(w);
    ts_sql(w->sql, "DROP SCHEMA other");
}

static void
given_installed_schema(struct world *w)
{
    given_empty_schema(w);
    TS_OK(pgqrs_admin_install(w->client, NULL, NULL), NULL);
}

static pgqrs_status
config_new(struct world *w, pgqrs_error *err)
{
    return pgqrs_config_new(&w->out.config, err);
}

static pgqrs_status
config_set(struct world *w, pgqrs_error *err)
{
    pgqrs_status status = pgqrs_config_set(w->config, text("schema"), text("elsewhere"), err);

    TS_TRUE(strcmp(pgqrs_config_get(w->config, "schema"),
                   status == PGQRS_OK ? "elsewhere" : "public") == 0);
    return status;
}

static pgqrs_status
client_open(struct world *w, pgqrs_error *err)
{
    return pgqrs_client_open(w->config, &w->out.client, err);
}

static pgqrs_status
install(struct world *w, pgqrs_error *err)
{
    return pgqrs_admin_install(w->client, &w->out.installed, err);
}

static pgqrs_status
create_schema(struct world *w, pgqrs_error *err)
{
    return pgqrs_admin_create_schema(w->client, err);
}

static pgqrs_status
uninstall(struct world *w, pgqrs_error *err)
{
    pgqrs_status status = pgqrs_admin_uninstall(w->client, err);

    /* Without a schema there is no queue either. */
    return status == PGQRS_ENOTINSTALLED ? PGQRS_ENOQUEUE : status;
}

static pgqrs_status
verify(struct world *w, pgqrs_error *err)
{
    return pgqrs_admin_verify(w->client, &w->out.report, err);
}

static pgqrs_status
queue_create(struct world *w, pgqrs_error *err)
{
    pgqrs_queue_options options = PGQRS_QUEUE_OPTIONS_INIT;

    options.max_attempts = 3;
    return pgqrs_queue_create(w->client, text("new"), &options, &w->out.id, err);
}

static pgqrs_status
queue_delete(struct world *w, pgqrs_error *err)
{
    return pgqrs_queue_delete(w->client, text("new"), err);
}

static void
given_new_queue(struct world *w)
{
    TS_OK(pgqrs_queue_create(w->client, text("new"), NULL, NULL, NULL), NULL);
}

static pgqrs_status
queue_purge(struct world *w, pgqrs_error *err)
{
    return pgqrs_queue_purge(w->client, text("jobs"), err);
}

static pgqrs_status
queue_get(struct world *w, pgqrs_error *err)
{
    return pgqrs_queue_get(w->client, text("jobs"), &w->out.queues, err);
}

static pgqrs_status
queue_list(struct world *w, pgqrs_error *err)
{
    return pgqrs_queue_list_all(w->client, &w->out.queues, err);
}

static pgqrs_status
queue_count(struct world *w, pgqrs_error *err)
{
    return pgqrs_queue_count(w->client, text("jobs"), &w->out.counts, err);
}

static pgqrs_status
producer_open(struct world *w, pgqrs_error *err)
{
    return pgqrs_producer_open(w->client, text("jobs"), NULL, &w->out.producer, err);
}

static pgqrs_status
enqueue(struct world *w, pgqrs_error *err)
{
    return pgqrs_producer_enqueue(w->producer, text("{\"a\": [1, 2]}"), NULL, &w->out.enqueued[0],
                                  err);
}

static pgqrs_status
enqueue_batch(struct world *w, pgqrs_error *err)
{
    const pgqrs_slice payloads[BATCH] = { text("1"), text("2"), text("3") };

    return pgqrs_producer_enqueue_batch(w->producer, payloads, NULL, BATCH, w->out.enqueued, err);
}

static pgqrs_status
enqueue_large_batch(struct world *w, pgqrs_error *err)
{
    pgqrs_slice payloads[LARGE_BATCH];

    for (size_t i = 0; i < LARGE_BATCH; i++)
        payloads[i] = text("1");
    return pgqrs_producer_enqueue_batch(w->producer, payloads, NULL, LARGE_BATCH, w->out.enqueued,
                                        err);
}

static pgqrs_status
enqueue_options(struct world *w, pgqrs_error *err)
{
    pgqrs_enqueue_options options = PGQRS_ENQUEUE_OPTIONS_INIT;
    const pgqrs_enqueue_options *const given[BATCH] = { NULL, &options, NULL };
    const pgqrs_slice payloads[BATCH] = { text("1"), text("2"), text("3") };

    options.delay_ms = 1000;
    options.priority = 7;
    options.idempotency_key = text("key");
    options.headers = text("{\"trace\": \"1\"}");
    options.type = text("type");
    return pgqrs_producer_enqueue_batch(w->producer, payloads, given, BATCH, w->out.enqueued, err);
}

/* The second message's key turns out to be taken after the first message has been stored. */
static pgqrs_status
enqueue_contested(struct world *w, pgqrs_error *err)
{
    pgqrs_enqueue_options options = PGQRS_ENQUEUE_OPTIONS_INIT;
    const pgqrs_enqueue_options *const given[BATCH] = { NULL, &options, NULL };
    const pgqrs_slice payloads[BATCH] = { text("1"), text("2"), text("3") };

    options.idempotency_key = text("contested");
    return pgqrs_producer_enqueue_batch(w->producer, payloads, given, BATCH, w->out.enqueued, err);
}

static pgqrs_status
enqueue_on(struct world *w, pgqrs_error *err)
{
    pgqrs_enqueue_options options = PGQRS_ENQUEUE_OPTIONS_INIT;

    options.idempotency_key = text("key");
    return pgqrs_producer_enqueue_on(w->producer, w->own, text("1"), &options, &w->out.enqueued[0],
                                     err);
}

/* A client that knows nothing yet. */
static void
given_new_client(struct world *w)
{
    pgqrs_producer_close(w->producer);
    pgqrs_consumer_close(w->consumer);
    pgqrs_client_close(w->client);
    w->producer = NULL;
    w->consumer = NULL;
    w->client = ts_client(w->dsn, NULL);
}

static pgqrs_status
consumer_open(struct world *w, pgqrs_error *err)
{
    return pgqrs_consumer_open(w->client, text("jobs"), NULL, &w->out.consumer, err);
}

static pgqrs_status
dequeue(struct world *w, pgqrs_error *err)
{
    return pgqrs_consumer_dequeue_batch(w->consumer, 10, NULL, &w->out.messages, err);
}

static pgqrs_status
dequeue_type(struct world *w, pgqrs_error *err)
{
    pgqrs_dequeue_options options = PGQRS_DEQUEUE_OPTIONS_INIT;

    options.type = text("type");
    return pgqrs_consumer_dequeue_batch(w->consumer, 10, &options, &w->out.messages, err);
}

static void
given_typed(struct world *w)
{
    pgqrs_enqueue_options options = PGQRS_ENQUEUE_OPTIONS_INIT;

    options.type = text("type");
    TS_OK(pgqrs_producer_enqueue(w->producer, text("1"), &options, NULL, NULL), NULL);
}

static pgqrs_status
lease(struct world *w, pgqrs_error *err)
{
    return pgqrs_consumer_lease(w->consumer, w->leases[0].id, PGQRS_LEASE_TAKE_OVER,
                                &w->out.messages, err);
}

static pgqrs_status delete (struct world *w, pgqrs_error *err)
{
    return pgqrs_consumer_delete(w->consumer, w->leases[0], err);
}

static pgqrs_status
delete_batch(struct world *w, pgqrs_error *err)
{
    return pgqrs_consumer_delete_batch(w->consumer, w->leases, BATCH, w->results, err);
}

static pgqrs_status
delete_on(struct world *w, pgqrs_error *err)
{
    return pgqrs_consumer_delete_on(w->consumer, w->own, w->leases[0], err);
}

static pgqrs_status
archive(struct world *w, pgqrs_error *err)
{
    return pgqrs_consumer_archive(w->consumer, w->leases[0], text("{\"done\": true}"), err);
}

/* Repeated with the same leases it always ends well. */
static pgqrs_status
archive_batch(struct world *w, pgqrs_error *err)
{
    const pgqrs_slice results[BATCH] = { text("1"), text("2"), text("3") };
    pgqrs_status status =
        pgqrs_consumer_archive_batch(w->consumer, w->leases, results, BATCH, w->results, err);

    for (size_t i = 0; status == PGQRS_OK && i < BATCH; i++)
        TS_IS(PGQRS_OK, w->results[i], err);
    return status;
}

static pgqrs_status
archive_on(struct world *w, pgqrs_error *err)
{
    return pgqrs_consumer_archive_on(w->consumer, w->own, w->leases[0], text("1"), err);
}

static pgqrs_status
extend(struct world *w, pgqrs_error *err)
{
    return pgqrs_consumer_extend_visibility_batch(w->consumer, w->leases, BATCH, 7200000,
                                                  w->results, err);
}

static pgqrs_status
release(struct world *w, pgqrs_error *err)
{
    return pgqrs_consumer_release_batch(w->consumer, w->leases, BATCH, 0, w->results, err);
}

static pgqrs_status
report_failure(struct world *w, pgqrs_error *err)
{
    pgqrs_fail_options options = PGQRS_FAIL_OPTIONS_INIT;

    options.error = text("it does not work");
    return pgqrs_consumer_fail(w->consumer, w->leases[0], &options, &w->out.dead, err);
}

static pgqrs_status
archive_page(struct world *w, pgqrs_error *err)
{
    return pgqrs_archive_page(w->client, text("jobs"), NULL, &w->out.archived, err);
}

static pgqrs_status
archive_get(struct world *w, pgqrs_error *err)
{
    return pgqrs_archive_get(w->client, text("jobs"), w->leases[0].id, &w->out.archived, err);
}

static pgqrs_status
metrics_all(struct world *w, pgqrs_error *err)
{
    return pgqrs_metrics_all(w->client, NULL, &w->out.metrics, err);
}

static pgqrs_status
metrics_get(struct world *w, pgqrs_error *err)
{
    return pgqrs_metrics_get(w->client, text("jobs"), NULL, &w->out.metrics, err);
}

static pgqrs_status
archive_count(struct world *w, pgqrs_error *err)
{
    return pgqrs_archive_count(w->client, text("jobs"), &w->out.archive_counts, err);
}

static void
given_dead(struct world *w)
{
    pgqrs_fail_options for_good = { .size = sizeof(for_good), .mode = PGQRS_FAIL_FOR_GOOD };

    given_leased(w);
    for (size_t i = 0; i < BATCH; i++)
        TS_OK(pgqrs_consumer_fail(w->consumer, w->leases[i], &for_good, NULL, NULL), NULL);
}

static void
given_dead_and_another_queue(struct world *w)
{
    given_dead(w);
    given_new_queue(w);
}

static pgqrs_status
archive_errors(struct world *w, pgqrs_error *err)
{
    return pgqrs_archive_errors(w->client, text("jobs"), NULL, &w->out.groups, err);
}

static pgqrs_status
replay(struct world *w, pgqrs_error *err)
{
    return pgqrs_archive_replay(w->client, text("jobs"), w->leases[0].id, NULL, &w->out.enqueued[0],
                                err);
}

static pgqrs_status
replay_edited(struct world *w, pgqrs_error *err)
{
    pgqrs_replay_options options = PGQRS_REPLAY_OPTIONS_INIT;

    options.payload = text("{\"new\": 1}");
    options.to_queue = text("new");
    return pgqrs_archive_replay(w->client, text("jobs"), w->leases[0].id, &options,
                                &w->out.enqueued[0], err);
}

/* Its numbers are written after a failure, too. */
static pgqrs_status
replay_all(struct world *w, pgqrs_error *err)
{
    return pgqrs_archive_replay_all(w->client, text("jobs"), NULL, NULL, err);
}

static pgqrs_status
message_get(struct world *w, pgqrs_error *err)
{
    return pgqrs_message_get(w->client, text("jobs"), w->leases[0].id, &w->out.messages, err);
}

static pgqrs_status
worker_register(struct world *w, pgqrs_error *err)
{
    return pgqrs_registration_add(w->client, text("jobs"), &w->out.id, err);
}

/* clang-format off */
#define SCENARIO(name, ...) { name, sweep, NULL, NULL, &(struct scenario){ __VA_ARGS__ } }
static const struct CMUnitTest tests[] = {
    SCENARIO("config_new", config_new),
    SCENARIO("config_set", config_set),
    SCENARIO("client_open", client_open),
    SCENARIO("install", install, given_empty_schema, .writes = 1, .is_slow = 1),
    SCENARIO("create_schema", create_schema, given_no_schema),
    SCENARIO("uninstall", uninstall, given_installed_schema, .writes = 1, .is_slow = 1),
    SCENARIO("verify", verify),
    SCENARIO("queue_create", queue_create, .writes = 1),
    SCENARIO("queue_delete", queue_delete, given_new_queue, .writes = 1),
    SCENARIO("queue_purge", queue_purge, given_leased, .writes = 1),
    SCENARIO("queue_get", queue_get),
    SCENARIO("queue_list", queue_list),
    SCENARIO("queue_count", queue_count),
    SCENARIO("producer_open", producer_open, given_new_client),
    SCENARIO("enqueue", enqueue, .writes = 1),
    SCENARIO("enqueue over a new connection",
        enqueue, given_lost_connections, .writes = 1, .is_slow = 1),
    SCENARIO("enqueue_batch", enqueue_batch, .writes = 1),
    SCENARIO("enqueue_batch of many", enqueue_large_batch, .writes = 1),
    SCENARIO("enqueue_batch with options", enqueue_options, .writes = 1),
    SCENARIO("enqueue_batch with a contested key", enqueue_contested, given_rival, .writes = 1),
    SCENARIO("enqueue_on", enqueue_on, .writes = 1, .on_own = 1),
    SCENARIO("consumer_open", consumer_open),
    SCENARIO("dequeue_batch", dequeue, given_sent, .writes = 1),
    SCENARIO("dequeue_batch of a type", dequeue_type, given_typed, .writes = 1),
    SCENARIO("dequeue_batch over a new connection",
        dequeue, given_lost_connections, .writes = 1, .is_slow = 1),
    SCENARIO("dequeue_batch of what crashed too often",
        dequeue, given_crashed, .does_housekeeping = 1, .is_slow = 1),
    SCENARIO("lease", lease, given_leased, .writes = 1),
    SCENARIO("delete", delete, given_leased, .writes = 1),
    SCENARIO("delete_batch", delete_batch, given_leased, .writes = 1),
    SCENARIO("delete_on", delete_on, given_leased, .writes = 1, .on_own = 1),
    SCENARIO("archive", archive, given_leased, .writes = 1),
    SCENARIO("archive_batch", archive_batch, given_leased, .writes = 1),
    SCENARIO("archive_on", archive_on, given_leased, .writes = 1, .on_own = 1),
    SCENARIO("extend_visibility_batch", extend, given_leased, .writes = 1),
    SCENARIO("release_batch", release, given_leased, .writes = 1),
    SCENARIO("fail", report_failure, given_leased, .writes = 1),
    SCENARIO("archive_page", archive_page, given_archived),
    SCENARIO("archive_get", archive_get, given_archived),
    SCENARIO("archive_count", archive_count, given_archived),
    SCENARIO("metrics_all", metrics_all, given_archived),
    SCENARIO("metrics_get", metrics_get, given_archived),
    SCENARIO("archive_errors", archive_errors, given_dead),
    SCENARIO("archive_replay", replay, given_dead, .writes = 1),
    SCENARIO("archive_replay into another queue", replay_edited, given_dead_and_another_queue, .writes = 1),
    SCENARIO("archive_replay_all", replay_all, given_dead, .writes = 1),
    SCENARIO("message_get", message_get, given_leased),
    SCENARIO("worker_register", worker_register, .writes = 1),
};
/* clang-format on */

int
main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
