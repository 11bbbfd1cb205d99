/*
 * The sweep: one call is repeated, each time in a fresh client, with the first allocation failing,
 * then the second, and so on until none is left to fail. Whatever fails, the call must say what
 * happened, leave its outputs alone, agree with what the database holds, and succeed when memory is
 * back.
 */
#ifndef TESTS_MEMORY_SWEEP_H
#define TESTS_MEMORY_SWEEP_H

#include "support.h"

#include <pgqrs/admin.h>
#include <pgqrs/archive.h>
#include <pgqrs/transaction.h>
#include <pgqrs/registration.h>
#include <pgqrs/replay.h>

#include "failing.h"

#define BATCH 3
#define LARGE_BATCH 100 /* is copied */
#define SLOW_STEP 20
#define MAX_ALLOCATIONS 5000
#define POISON 0x5a

/* Everything that a call may hand out. */
struct outputs {
    pgqrs_config *config;
    pgqrs_client *client;
    pgqrs_producer *producer;
    pgqrs_consumer *consumer;
    pgqrs_queue_list *queues;
    pgqrs_message_list *messages;
    pgqrs_archive_list *archived;
    pgqrs_metrics_list *metrics;
    pgqrs_dead_group_list *groups;
    pgqrs_report *report;
    pgqrs_enqueued enqueued[LARGE_BATCH];
    pgqrs_queue_counts counts;
    pgqrs_archive_counts archive_counts;
    pgqrs_installed installed;
    int64_t id;
    bool dead;
};

/* What a scenario finds: the queue "jobs", and whatever its `given` adds. */
struct world {
    char *dsn;
    PGconn *sql;
    PGconn *own; /* in a transaction, if the scenario wants one */
    pgqrs_config *config;
    pgqrs_client *client;
    pgqrs_producer *producer;
    pgqrs_consumer *consumer;
    pgqrs_lease leases[BATCH]; /* of messages in both lanes */
    pgqrs_status results[BATCH];
    struct outputs out;
};

struct scenario {
    pgqrs_status (*call)(struct world *w, pgqrs_error *err);
    void (*given)(struct world *w); /* may be NULL */
    int writes;                     /* OK means that what is stored has changed */
    int does_housekeeping; /* may change rows that the caller did not name: rows are not compared */
    int on_own;            /* in a transaction of the caller's */
    int is_slow;           /* only with an error to write to and one failure at a time */
};

/* Which allocations fail. */
struct variant {
    failing_circle circle;
    int forever;
    int has_error;
};

static inline pgqrs_slice
text(const char *zero_terminated)
{
    return pgqrs_slice_of(zero_terminated);
}

/* All that the schema holds, and which tables there are. */
static inline char *
stored(PGconn *sql)
{
    return ts_text(
        sql,
        "SELECT concat("
        "(SELECT string_agg(m::text, ' ' ORDER BY m.id) FROM pgqrs_messages AS m), "
        "(SELECT string_agg(a::text, ' ' ORDER BY a.id) FROM pgqrs_archive AS a), "
        "(SELECT string_agg(k::text, ' ' ORDER BY k.message_id) FROM pgqrs_keys AS k), (SELECT "
        "string_agg(q::text, ' ' ORDER BY q.id) FROM pgqrs_queues AS q), (SELECT "
        "string_agg(w::text, ' ' ORDER BY w.id) FROM pgqrs_workers AS w), (SELECT count(*) FROM "
        "pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace WHERE nspname = 'other'))");
}

/* As outputs are before a call: poisoned, but for the sizes of the structs that are written
 * into. */
static inline void
poison_outputs(struct outputs *out)
{
    memset(out, POISON, sizeof(*out));
    out->counts.size = sizeof(out->counts);
    out->archive_counts.size = sizeof(out->archive_counts);
    out->installed.size = sizeof(out->installed);
}

static inline void
forget(struct outputs *out)
{
    struct outputs poison;

    poison_outputs(&poison);
#define FORGET(member, release)                                                                    \
    if (out->member != poison.member)                                                              \
    release(out->member)
    FORGET(config, pgqrs_config_free);
    FORGET(producer, pgqrs_producer_close);
    FORGET(consumer, pgqrs_consumer_close);
    FORGET(client, pgqrs_client_close);
    FORGET(queues, pgqrs_queue_list_free);
    FORGET(messages, pgqrs_message_list_free);
    FORGET(archived, pgqrs_archive_list_free);
    FORGET(metrics, pgqrs_metrics_list_free);
    FORGET(groups, pgqrs_dead_group_list_free);
    FORGET(report, pgqrs_report_free);
#undef FORGET
    *out = poison;
}

static inline int
is_untouched(const struct outputs *out)
{
    struct outputs poison;

    poison_outputs(&poison);
    return memcmp(out, &poison, sizeof(poison)) == 0;
}

static inline void
enter(struct world *w)
{
    pgqrs_consumer_options options = PGQRS_CONSUMER_OPTIONS_INIT;

    options.lease_ms = 3600000;
    ts_sql(w->sql, "DELETE FROM pgqrs_messages; DELETE FROM pgqrs_archive; DELETE FROM pgqrs_keys; "
                   "DELETE FROM pgqrs_workers; SELECT pgqrs_delete_queue(queue_name) FROM "
                   "pgqrs_queues WHERE queue_name <> 'jobs'");
    w->client = ts_client(w->dsn, "operation_timeout_ms", "5000", NULL);
    TS_OK(pgqrs_producer_open(w->client, text("jobs"), NULL, &w->producer, NULL), NULL);
    TS_OK(pgqrs_consumer_open(w->client, text("jobs"), &options, &w->consumer, NULL), NULL);
    TS_OK(pgqrs_config_new(&w->config, NULL), NULL);
    TS_OK(pgqrs_config_set(w->config, text("dsn"), text(w->dsn), NULL), NULL);
    TS_OK(pgqrs_config_set(w->config, text("schema"), text("public"), NULL), NULL);
}

static inline void
leave(struct world *w)
{
    pgqrs_config_free(w->config);
    pgqrs_producer_close(w->producer);
    pgqrs_consumer_close(w->consumer);
    pgqrs_client_close(w->client);
}

/* Calls with failing memory (`nth` > 0) or without. */
static inline pgqrs_status
try(struct world *w, const struct scenario *scenario, const struct variant *variant, long nth,
    long *failed, pgqrs_error *err)
{
    pgqrs_status status;

    if (scenario->on_own) {
        w->own = ts_connect(w->dsn);
        ts_sql(w->own, "BEGIN");
    }
    poison_outputs(&w->out);
    if (nth > 0)
        failing_arm(variant->circle, variant->forever, nth);
    status = scenario->call(w, err);
    *failed = failing_disarm();
    if (scenario->on_own) {
        /* The caller might not look at the status: what was refused is not there even then. */
        PQclear(PQexec(w->own, "COMMIT"));
        PQfinish(w->own);
    }
    return status;
}

/* libpq reports most of its own trouble as a connection that cannot be had; if there is no memory
 * for the server's word that a COPY may begin, it waits for more of that, until the deadline. */
static inline int
may_return(const struct variant *variant, pgqrs_status status)
{
    return status == PGQRS_OK || status == PGQRS_ENOMEM || status == PGQRS_EUNKNOWN ||
           (variant->circle == FAILING_ALL &&
            (status == PGQRS_ECONNECT || status == PGQRS_ETIMEDOUT));
}

/* After PGQRS_EUNKNOWN the work may turn out to be done. */
static inline int
may_return_again(pgqrs_status first, pgqrs_status again)
{
    return again == PGQRS_OK ||
           (first == PGQRS_EUNKNOWN && (again == PGQRS_ELEASELOST || again == PGQRS_EEXISTS ||
                                        again == PGQRS_ENOQUEUE || again == PGQRS_ELEASED));
}

/* One allocation fails. Returns whether there was one to fail. */
static inline int
fail_nth(struct world *w, const struct scenario *scenario, const struct variant *variant, long nth)
{
    pgqrs_error *err = variant->has_error ? pgqrs_error_new() : NULL;
    char *before, *after;
    pgqrs_status status, again;
    long failed, none;

    enter(w);
    if (scenario->given != NULL)
        scenario->given(w);
    before = stored(w->sql);
    status = try(w, scenario, variant, nth, &failed, err);
    after = stored(w->sql);
    if (!may_return(variant, status) || (failed == 0 && status != PGQRS_OK))
        ts_fail("allocation %ld: it returned %s: %s", nth, pgqrs_status_name(status),
                pgqrs_error_message(err));
    if (err != NULL && pgqrs_error_status(err) != status)
        ts_fail("allocation %ld: it returned %s and the error says %s", nth,
                pgqrs_status_name(status), pgqrs_status_name(pgqrs_error_status(err)));
    if (status != PGQRS_OK && !is_untouched(&w->out))
        ts_fail("allocation %ld: it returned %s and has written an output", nth,
                pgqrs_status_name(status));
    if (status == PGQRS_OK && scenario->writes && strcmp(before, after) == 0)
        ts_fail("allocation %ld: it returned PGQRS_OK and nothing is stored", nth);
    if (status != PGQRS_OK && status != PGQRS_EUNKNOWN && !scenario->does_housekeeping &&
        strcmp(before, after) != 0)
        ts_fail("allocation %ld: it returned %s, but what was stored has changed:\n%s\n%s", nth,
                pgqrs_status_name(status), before, after);
    if (status != PGQRS_OK) {
        again = try(w, scenario, variant, 0, &none, err);
        if (!may_return_again(status, again))
            ts_fail("allocation %ld: it returned %s, and with memory back %s: %s", nth,
                    pgqrs_status_name(status), pgqrs_status_name(again), pgqrs_error_message(err));
    }
    forget(&w->out);
    free(before);
    free(after);
    pgqrs_error_free(err);
    leave(w);
    return failed > 0;
}

/* One database for all scenarios of an executable. */
static inline void
make_world(struct world *w)
{
    pgqrs_client *client;

    memset(w, 0, sizeof(*w));
    w->dsn = ts_database();
    w->sql = ts_connect(w->dsn);
    client = ts_client(w->dsn, NULL);
    TS_OK(pgqrs_queue_create(client, text("jobs"), NULL, NULL, NULL), NULL);
    pgqrs_client_close(client);
}

/* A cmocka test, whose initial state is the scenario. */
static inline void
sweep(void **state)
{
    static const struct variant variants[] = {
        { FAILING_LIBRARY, 0, 1 }, { FAILING_LIBRARY, 1, 1 }, { FAILING_LIBRARY, 1, 0 },
#ifdef FAILING_REACHES_LIBPQ
        { FAILING_ALL, 0, 1 },     { FAILING_ALL, 1, 0 },
#endif
    };
    static struct world w;

    if (w.dsn == NULL)
        make_world(&w);
    for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++) {
        const struct scenario *scenario = *state;
        /* Where each try takes long, of libpq's many allocations some are enough. */
        long step = scenario->is_slow && variants[i].circle == FAILING_ALL ? SLOW_STEP : 1;
        long nth = 1;

        if (scenario->is_slow && variants[i].forever)
            continue;
        while (fail_nth(&w, scenario, &variants[i], nth)) {
            nth += step;
            if (nth >= MAX_ALLOCATIONS)
                ts_fail("there is no end to the allocations");
        }
        print_message("%s %s of %ld allocations fails%s\n",
                      variants[i].circle == FAILING_ALL ? "with libpq, each" : "each",
                      variants[i].forever ? "and all later" : "alone", nth - 1,
                      variants[i].has_error ? "" : ", without an error to write to");
        if (nth == 1)
            ts_fail("nothing was allocated, so nothing was tested");
    }
}

#endif
