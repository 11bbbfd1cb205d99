/*
 * The roles of docs/security.md, word for word: each can do its work and nothing else.
 */
#include <libpq-fe.h>
#include <unistd.h>

#include "support.h"

/* What docs/security.md calls its schema and its queue. */
#define SCHEMA "jobs"
#define QUEUE_ID 7

/* So many plain messages are copied. */
enum { MANY = 100 };

struct fixture {
    char *dsn;
    PGconn *sql;
    pgqrs_client *owner;
    pgqrs_error *err;
};

/* The SQL block of the page. */
static char *
read_grants(void)
{
    const char *root = getenv("PGQRS_TEST_SOURCE_DIR");
    char path[4096];
    char *text = calloc(1, 65536);
    char *begin, *end;
    FILE *file;

    snprintf(path, sizeof(path), "%s/docs/security.md", root != NULL ? root : ".");
    file = fopen(path, "r");
    assert_non_null(file);
    assert_true(fread(text, 1, 65535, file) > 0);
    fclose(file);
    begin = strstr(text, "```sql\n");
    assert_non_null(begin);
    end = strstr(begin + 7, "```");
    assert_non_null(end);
    *end = '\0';
    memmove(text, begin + 7, strlen(begin + 7) + 1);
    return text;
}

static void
drop_roles(PGconn *sql)
{
    static const char *const roles[] = { "a_producer", "a_consumer", "mail_producer", "mail_consumer" };

    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
        if (ts_int(sql, "SELECT count(*) FROM pg_roles WHERE rolname = '%s'", roles[i]) > 0)
            ts_sql(sql, "DROP OWNED BY %s; DROP ROLE %s", roles[i], roles[i]);
}

static int
set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    char *grants = read_grants();
    int64_t id = 0;

    f->dsn = ts_empty_database();
    f->err = pgqrs_error_new();
    f->sql = ts_connect(f->dsn);
    drop_roles(f->sql);
    ts_sql(f->sql, "CREATE SCHEMA " SCHEMA);
    f->owner = ts_client(f->dsn, "schema", SCHEMA, NULL);
    TS_OK(pgqrs_admin_install(f->owner, NULL, f->err), f->err);
    ts_number_queues(f->sql, SCHEMA);
    for (int i = 1; i <= QUEUE_ID; i++) {
        char name[16];

        snprintf(name, sizeof(name), "queue %d", i);
        TS_OK(pgqrs_queue_create(f->owner, pgqrs_slice_of(name), NULL, &id, f->err), f->err);
    }
    assert_int_equal(id, QUEUE_ID);
    ts_sql(f->sql, "%s", grants);
    ts_sql(f->sql, "CREATE ROLE a_producer LOGIN IN ROLE mail_producer; CREATE ROLE a_consumer LOGIN IN ROLE "
                   "mail_consumer");
    free(grants);
    *state = f;
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *f = *state;

    pgqrs_client_close(f->owner);
    drop_roles(f->sql);
    PQfinish(f->sql);
    pgqrs_error_free(f->err);
    free(f->dsn);
    free(f);
    return 0;
}

static pgqrs_client *
client_as(const struct fixture *f, const char *role)
{
    char dsn[4096];

    snprintf(dsn, sizeof(dsn), "%s user=%s", f->dsn, role);
    return ts_client(dsn, "schema", SCHEMA, NULL);
}

static void
a_producer_can_enqueue_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    pgqrs_client *client = client_as(f, "a_producer");
    pgqrs_enqueue_options options = PGQRS_ENQUEUE_OPTIONS_INIT;
    pgqrs_producer *producer = NULL;
    pgqrs_consumer *consumer = NULL;
    pgqrs_message_list *list = NULL;
    pgqrs_slice many[MANY];

    for (size_t i = 0; i < MANY; i++)
        many[i] = pgqrs_slice_of("3");
    TS_OK(pgqrs_producer_open(client, pgqrs_slice_of("queue 7"), NULL, &producer, f->err), f->err);
    TS_OK(pgqrs_producer_enqueue(producer, pgqrs_slice_of("1"), NULL, NULL, f->err), f->err);
    options.priority = 1;
    options.idempotency_key = pgqrs_slice_of("once");
    TS_OK(pgqrs_producer_enqueue(producer, pgqrs_slice_of("2"), &options, NULL, f->err), f->err);
    TS_OK(pgqrs_producer_enqueue(producer, pgqrs_slice_of("2"), &options, NULL, f->err), f->err);
    TS_OK(pgqrs_producer_enqueue_batch(producer, many, NULL, MANY, NULL, f->err), f->err);
    assert_int_equal(ts_int(f->sql, "SELECT count(*) FROM jobs.pgqrs_messages"), 2 + MANY);

    TS_OK(pgqrs_consumer_open(client, pgqrs_slice_of("queue 7"), NULL, &consumer, f->err), f->err);
    TS_IS(PGQRS_EDENIED, pgqrs_consumer_dequeue(consumer, &list, f->err), f->err);
    TS_IS(PGQRS_EDENIED, pgqrs_queue_create(client, pgqrs_slice_of("mine"), NULL, NULL, f->err), f->err);
    TS_IS(PGQRS_EDENIED, pgqrs_queue_purge(client, pgqrs_slice_of("queue 7"), f->err), f->err);
    pgqrs_producer_close(producer);
    TS_OK(pgqrs_producer_open(client, pgqrs_slice_of("queue 6"), NULL, &producer, f->err), f->err);
    TS_IS(PGQRS_EDENIED, pgqrs_producer_enqueue(producer, pgqrs_slice_of("1"), NULL, NULL, f->err), f->err);
    TS_IS(PGQRS_EDENIED, pgqrs_producer_enqueue_batch(producer, many, NULL, MANY, NULL, f->err), f->err);
    pgqrs_producer_close(producer);
    pgqrs_consumer_close(consumer);
    pgqrs_client_close(client);
}

static void
a_consumer_can_do_all_of_its_work_and_nothing_else(void **state)
{
    static const char *const payloads[] = { "1", "2", "3", "4", "5" };
    struct fixture *f = *state;
    pgqrs_client *client = client_as(f, "a_consumer");
    pgqrs_producer *producer = NULL;
    pgqrs_consumer *consumer = NULL;
    pgqrs_message_list *list = NULL;
    pgqrs_fail_options for_good = PGQRS_FAIL_OPTIONS_INIT;
    pgqrs_lease leases[5];
    int64_t worker = 0;

    TS_OK(pgqrs_producer_open(f->owner, pgqrs_slice_of("queue 7"), NULL, &producer, f->err), f->err);
    for (size_t i = 0; i < 5; i++)
        TS_OK(pgqrs_producer_enqueue(producer, pgqrs_slice_of(payloads[i]), NULL, NULL, f->err), f->err);
    pgqrs_producer_close(producer);

    TS_OK(pgqrs_registration_add(client, pgqrs_slice_of("queue 7"), &worker, f->err), f->err);
    TS_OK(pgqrs_consumer_open(client, pgqrs_slice_of("queue 7"), NULL, &consumer, f->err), f->err);
    TS_OK(pgqrs_consumer_dequeue_batch(consumer, 5, NULL, &list, f->err), f->err);
    assert_int_equal(pgqrs_message_list_count(list), 5);
    for (size_t i = 0; i < 5; i++)
        leases[i] = pgqrs_message_lease(pgqrs_message_list_at(list, i));
    pgqrs_message_list_free(list);
    for_good.mode = PGQRS_FAIL_FOR_GOOD;
    TS_OK(pgqrs_consumer_extend_visibility(consumer, leases[0], 10000, f->err), f->err);
    TS_OK(pgqrs_consumer_delete(consumer, leases[0], f->err), f->err);
    TS_OK(pgqrs_consumer_archive(consumer, leases[1], pgqrs_slice_of("true"), f->err), f->err);
    TS_OK(pgqrs_consumer_archive(consumer, leases[1], pgqrs_slice_of("true"), f->err), f->err);
    TS_OK(pgqrs_consumer_release(consumer, leases[2], 0, f->err), f->err);
    TS_OK(pgqrs_consumer_fail(consumer, leases[3], NULL, NULL, f->err), f->err);
    TS_OK(pgqrs_consumer_fail(consumer, leases[4], &for_good, NULL, f->err), f->err);
    TS_OK(pgqrs_consumer_dequeue(consumer, &list, f->err), f->err);
    assert_int_equal(pgqrs_message_list_at(list, 0)->id, leases[2].id);
    pgqrs_message_list_free(list);
    TS_OK(pgqrs_registration_remove(client, worker, f->err), f->err);

    TS_OK(pgqrs_producer_open(client, pgqrs_slice_of("queue 6"), NULL, &producer, f->err), f->err);
    TS_IS(PGQRS_EDENIED, pgqrs_producer_enqueue(producer, pgqrs_slice_of("1"), NULL, NULL, f->err), f->err);
    pgqrs_producer_close(producer);
    TS_IS(PGQRS_EDENIED, pgqrs_queue_delete(client, pgqrs_slice_of("queue 7"), f->err), f->err);
    TS_IS(PGQRS_EDENIED, pgqrs_admin_uninstall(client, f->err), f->err);
    pgqrs_consumer_close(consumer);
    pgqrs_client_close(client);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_producer_can_enqueue_and_nothing_else, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_consumer_can_do_all_of_its_work_and_nothing_else, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
