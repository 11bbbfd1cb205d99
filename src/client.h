/*
 * The client, for the layers above: runs statements on its pool, and keeps facts about its queues.
 */
#ifndef PGQRSI_CLIENT_H
#define PGQRSI_CLIENT_H

#include <pgqrs/client.h>

#include <pthread.h>

#include "db/conn.h"
#include "db/copy.h"
#include "db/pipe.h"
#include "db/pool.h"

struct pgqrsi_queue; /* queue/queue.h */

struct pgqrs_client {
    pgqrs_config *config;
    char *conninfo; /* may hold a password: wiped when freed */
    pgqrsi_conn_settings settings;
    pgqrsi_pool *pool;
    int pooled;
    size_t max_payload_bytes;
    int wakes;             /* 1: what makes a message claimable wakes those who sleep */
    pthread_mutex_t mutex; /* pgqrsi_client_lock: guards what follows, and the queues' memory */
    uint64_t next_serial;
    pgqrsi_scope scope;
    int schema_checked;
    struct pgqrsi_queue *queues; /* every queue that was opened, until the client is closed */
    void (*free_queues)(struct pgqrsi_queue *queues); /* the layer above knows how */
};

typedef enum pgqrsi_effect {
    PGQRSI_READS, /* may be repeated at will */
    PGQRSI_WRITES
} pgqrsi_effect;

/** One statement to run. */
typedef struct pgqrsi_call {
    pgqrsi_scope *scope; /* NULL: the client's schema */
    pgqrsi_conn *conn;   /* NULL: one of the pool */
    pgqrsi_sql sql;
    pgqrsi_lane lane;
    pgqrsi_effect effect;
    const pgqrsi_params *params;
    /* sent after it, in a transaction of its own. Only its scope, sql, lane, params and out_after
     * count; NULL: nothing */
    const struct pgqrsi_call *after;
    /* of a call that is sent after another: what became of it; PGQRS_EUNKNOWN if there was no
     * answer */
    pgqrsi_outcome *out_after;
    /* the rows of a statement that copies: neither `conn`, `params`, `after` nor rows returned;
     * NULL: it does not copy */
    const pgqrsi_copy *copy;
    /* of a call that makes `claimable` messages of `queue` claimable, now or later: who runs it is
     * queue/wake.h, which also calls `answered` with the outcome; NULL: nothing is to be called */
    struct pgqrsi_queue *queue;
    size_t claimable;
    void (*answered)(const struct pgqrsi_call *call, pgqrs_status status, const pgqrsi_rows *rows,
                     const pgqrs_error *err);
} pgqrsi_call;

/** Guards what a client remembers of its queues and statements. Never held while the server is
 * asked. */
void pgqrsi_client_lock(pgqrs_client *client);
void pgqrsi_client_unlock(pgqrs_client *client);

/** When a call that begins now must have ended, by this process's clock. */
int64_t pgqrsi_client_deadline(const pgqrs_client *client);

/**
 * Runs one statement before `deadline_ms`. What certainly did not happen is tried again within the
 * deadline: a lost reading statement, a serialization failure, a deadlock. `out` may be NULL. A
 * table of a queue that is gone gives PGQRS_ENOQUEUE.
 */
pgqrs_status pgqrsi_client_run(pgqrs_client *client, const pgqrsi_call *call, int64_t deadline_ms,
                               pgqrsi_rows **out, pgqrs_error *err);

/** The statement of a call, which belongs to its scope. */
pgqrs_status pgqrsi_client_statement(pgqrs_client *client, const pgqrsi_call *call,
                                     const pgqrsi_statement **out, pgqrs_error *err);

/** A failure of a queue's statement because its table is gone becomes PGQRS_ENOQUEUE. */
pgqrs_status pgqrsi_client_explain(const pgqrsi_call *call, const pgqrsi_statement *statement,
                                   pgqrs_status status, pgqrs_error *err);

/** What is installed. */
typedef struct pgqrsi_installed {
    int32_t version;        /* of the schema; 0: none */
    int32_t oldest_library; /* the lowest schema version whose libraries may use it */
} pgqrsi_installed;

/** PGQRS_ENEWSCHEMA if the schema was upgraded by a library that says that this one cannot use
 * it. */
pgqrs_status pgqrsi_client_check_newer(const char *schema, const pgqrsi_installed *installed,
                                       pgqrs_error *err);

/** Looks, once for each client, whether the installed schema is this library's. PGQRS_ENOSCHEMA,
 * PGQRS_ENOTINSTALLED, PGQRS_EOLDSCHEMA, PGQRS_ENEWSCHEMA. */
pgqrs_status pgqrsi_client_check_schema(pgqrs_client *client, int64_t deadline_ms,
                                        pgqrs_error *err);

/** PGQRS_ENOSCHEMA. `conn` NULL: one of the pool. */
pgqrs_status pgqrsi_client_read_installed(pgqrs_client *client, pgqrsi_conn *conn,
                                          int64_t deadline_ms, pgqrsi_installed *out,
                                          pgqrs_error *err);

#endif
