/*
 * What the tests of roles share: the roles of docs/security.md, word for word, and a user of each.
 */
#ifndef TESTS_API_ROLES_H
#define TESTS_API_ROLES_H

#include <libpq-fe.h>
#include <unistd.h>

#include "support.h"

/* What docs/security.md calls its schema and its queue. */
#define SCHEMA "jobs"
#define QUEUE_ID 7

#define ROLES_TEST(name) TEST_WITH(name, set_up, tear_down)

struct fixture {
    char *dsn;
    PGconn *sql;
    PGconn *lock; /* roles are of the whole server: one test at a time */
    pgqrs_client *owner;
    pgqrs_error *err;
};

/* The SQL block of the page. */
static inline char *
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

static inline void
drop_roles(PGconn *sql)
{
    static const char *const roles[] = { "a_producer",    "a_consumer",    "an_observer",
                                         "a_replayer",    "a_stranger",    "mail_producer",
                                         "mail_consumer", "mail_observer", "mail_replayer" };

    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
        if (ts_int(sql, "SELECT count(*) FROM pg_roles WHERE rolname = '%s'", roles[i]) > 0)
            ts_sql(sql, "DROP OWNED BY %s; DROP ROLE %s", roles[i], roles[i]);
}

static inline void
lock_roles(struct fixture *f)
{
    char *dsn = ts_format("%s dbname=postgres", ts_server());

    f->lock = ts_connect(dsn);
    ts_sql(f->lock, "SELECT pg_advisory_lock(hashtext('roles of the tests'))");
    free(dsn);
}

static inline int
set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    char *grants = read_grants();
    int64_t id = 0;

    f->dsn = ts_empty_database();
    f->err = pgqrs_error_new();
    f->sql = ts_connect(f->dsn);
    lock_roles(f);
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
    ts_sql(f->sql,
           "CREATE ROLE a_producer LOGIN IN ROLE mail_producer; CREATE ROLE a_consumer LOGIN IN "
           "ROLE mail_consumer; CREATE ROLE an_observer LOGIN IN ROLE mail_observer; "
           "CREATE ROLE a_replayer LOGIN IN ROLE mail_replayer; CREATE ROLE a_stranger LOGIN");
    free(grants);
    *state = f;
    return 0;
}

static inline int
tear_down(void **state)
{
    struct fixture *f = *state;

    pgqrs_client_close(f->owner);
    drop_roles(f->sql);
    PQfinish(f->sql);
    PQfinish(f->lock);
    pgqrs_error_free(f->err);
    free(f->dsn);
    free(f);
    return 0;
}

static inline pgqrs_client *
client_as(const struct fixture *f, const char *role)
{
    char dsn[4096];

    snprintf(dsn, sizeof(dsn), "%s user=%s", f->dsn, role);
    return ts_client(dsn, "schema", SCHEMA, NULL);
}

static inline PGconn *
connect_as(const struct fixture *f, const char *role)
{
    char dsn[4096];

    snprintf(dsn, sizeof(dsn), "%s user=%s", f->dsn, role);
    return ts_connect(dsn);
}

#endif
