/*
 * A thousand queues on a server with the settings that it has when nobody changed any, from the
 * first to the last: the lock table of such a server is what limits them.
 */
#include "support.h"

#include <stdatomic.h>
#include <unistd.h>

enum { QUEUES = 1000 };

/* What one queue is made of: tables, indexes and TOAST tables. */
#define RELATIONS 24      /* without the months of its archive */
#define RELATIONS_MONTH 4 /* for each of them */

struct many {
    ts_cluster *cluster;
    const char *dsn;
    PGconn *sql;
    pgqrs_client *client;
    pgqrs_error *err;
};

static int
set_up(void **state)
{
    struct many *m = calloc(1, sizeof(*m));

    if (m == NULL)
        ts_fail("out of memory");
    m->cluster =
        ts_cluster_start("max_connections = 100\nmax_locks_per_transaction = 64\nfsync = off\n");
    m->dsn = ts_cluster_dsn(m->cluster);
    m->err = pgqrs_error_new();
    m->sql = ts_connect(m->dsn);
    m->client = ts_client(m->dsn, "operation_timeout_ms", "60000", NULL);
    TS_OK(pgqrs_admin_install(m->client, NULL, m->err), m->err);
    *state = m;
    return 0;
}

static int
tear_down(void **state)
{
    struct many *m = *state;

    pgqrs_client_close(m->client);
    PQfinish(m->sql);
    pgqrs_error_free(m->err);
    ts_cluster_free(m->cluster);
    free(m);
    return 0;
}

#define MANY_TEST(name) TEST_WITH(name, set_up, tear_down)

static void
create_all(struct many *m)
{
    for (int i = 0; i < QUEUES; i++) {
        char name[16];

        snprintf(name, sizeof(name), "queue %d", i);
        TS_OK(pgqrs_queue_create(m->client, pgqrs_slice_of(name), NULL, NULL, m->err), m->err);
    }
}

static void
send_to_all(struct many *m)
{
    for (int i = 0; i < QUEUES; i++) {
        pgqrs_producer *producer;
        char name[16];

        snprintf(name, sizeof(name), "queue %d", i);
        TS_OK(pgqrs_producer_open(m->client, pgqrs_slice_of(name), NULL, &producer, m->err),
              m->err);
        TS_OK(pgqrs_producer_enqueue(producer, pgqrs_slice_of("1"), NULL, NULL, m->err), m->err);
        pgqrs_producer_close(producer);
    }
}

static pgqrs_job_outcome
count_job(pgqrs_job *job, void *arg)
{
    (void)job;
    atomic_fetch_add((atomic_int *)arg, 1);
    return PGQRS_JOB_DONE;
}

/* One worker for all of them, which ends when each has had its message. */
static void
work_off_all(struct many *m)
{
    static atomic_int done;
    const pgqrs_slice any_type = { NULL, 0 };
    pgqrs_worker *worker;

    TS_OK(pgqrs_worker_new(m->client, NULL, &worker, m->err), m->err);
    for (int i = 0; i < QUEUES; i++) {
        char name[16];

        snprintf(name, sizeof(name), "queue %d", i);
        TS_OK(pgqrs_worker_add_queue(worker, pgqrs_slice_of(name), NULL, m->err), m->err);
        TS_OK(pgqrs_worker_handle(worker, pgqrs_slice_of(name), any_type, count_job, &done, m->err),
              m->err);
    }
    TS_OK(pgqrs_worker_start(worker, m->err), m->err);
    for (int waited = 0; atomic_load(&done) < QUEUES; waited++) {
        if (waited == 12000)
            ts_fail("only %d of %d messages were handled", atomic_load(&done), QUEUES);
        usleep(10000);
    }
    pgqrs_worker_stop(worker);
    TS_OK(pgqrs_worker_wait(worker, 60000, m->err), m->err);
    pgqrs_worker_close(worker);
    assert_int_equal(atomic_load(&done), QUEUES);
    assert_int_equal(ts_int(m->sql, "SELECT count(*) FROM pgqrs_messages"), 0);
}

static int
warnings_of_locks(struct many *m)
{
    pgqrs_report *report;
    int count = 0;

    TS_OK(pgqrs_admin_verify(m->client, &report, m->err), m->err);
    for (size_t i = 0; i < pgqrs_report_count(report); i++) {
        const pgqrs_finding *finding = pgqrs_report_at(report, i);

        if (finding->severity == PGQRS_SEVERITY_PROBLEM)
            ts_fail("verify found a problem: %.*s", (int)finding->problem.size,
                    finding->problem.data);
        count +=
            finding->object.size == strlen("max_locks_per_transaction") &&
            memcmp(finding->object.data, "max_locks_per_transaction", finding->object.size) == 0;
    }
    pgqrs_report_free(report);
    return count;
}

static void
dump(const struct many *m)
{
    char *folder = ts_tmpdir(), *file = ts_format("%s/dump.sql", folder);
    ts_result result;

    ts_run_args(&result, NULL, "pg_dump", "--schema-only", "--dbname", m->dsn, "--file", file,
                NULL);
    if (result.exit_code != 0)
        ts_fail("the dump failed: %s", result.err);
    ts_result_release(&result);
    free(file);
    free(folder);
}

MANY_TEST(a_queue_costs_so_many_relations)
{
    struct many *m = *state;
    long long before = ts_int(m->sql, "SELECT count(*) FROM pg_class"), months;

    TS_OK(pgqrs_queue_create(m->client, pgqrs_slice_of("one"), NULL, NULL, m->err), m->err);
    months = ts_int(m->sql, "SELECT count(*) FROM pg_class WHERE relname ~ "
                            "'^pgqrs_archive_[0-9]+_[0-9]{6}$' AND relkind = 'r'");
    assert_in_range(months, 1, 2);
    assert_int_equal(ts_int(m->sql, "SELECT count(*) FROM pg_class") - before,
                     RELATIONS + RELATIONS_MONTH * months);
    TS_OK(pgqrs_queue_delete(m->client, pgqrs_slice_of("one"), m->err), m->err);
    assert_int_equal(ts_int(m->sql, "SELECT count(*) FROM pg_class"), before);
}

MANY_TEST(a_thousand_queues_live_on_default_settings)
{
    struct many *m = *state;
    long long before = ts_int(m->sql, "SELECT count(*) FROM pg_class");

    create_all(m);
    assert_int_equal(warnings_of_locks(m), 0);
    send_to_all(m);
    assert_int_equal(ts_int(m->sql, "SELECT count(*) FROM pgqrs_messages"), QUEUES);
    assert_int_equal(ts_int(m->sql, "SELECT count(*) FROM pgqrs_keys"), 0);
    dump(m);
    work_off_all(m);
    assert_int_equal(ts_int(m->sql, "SELECT count(*) FROM pgqrs_archive"), QUEUES);
    /* More months make it too many to read at once, and verify says so before that. */
    ts_sql(m->sql,
           "DO $d$ DECLARE q record; BEGIN FOR q IN SELECT id FROM pgqrs_queues LIMIT 700 LOOP "
           "PERFORM pgqrs_prepare_archive(q.id, interval '100 days'); COMMIT; END LOOP; END $d$");
    assert_int_equal(warnings_of_locks(m), 1);
    TS_OK(pgqrs_admin_uninstall(m->client, m->err), m->err);
    TS_OK(pgqrs_admin_install(m->client, NULL, m->err), m->err);
    assert_int_equal(ts_int(m->sql, "SELECT count(*) FROM pg_class"), before);
}

TEST_MAIN(NULL, NULL)
