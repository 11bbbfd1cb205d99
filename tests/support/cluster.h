/*
 * Servers of a test's own: a PostgreSQL cluster to crash and to freeze, and a PgBouncer in
 * transaction mode.
 *
 * Each is kept by a helper process that removes it when it is freed or when the test executable
 * ends, however that happens.
 */
#ifndef TS_CLUSTER_H
#define TS_CLUSTER_H

#include <sys/types.h>

typedef struct ts_cluster ts_cluster;
typedef struct ts_pgbouncer ts_pgbouncer;

typedef enum ts_stop {
    TS_STOP_FAST,     /* in order: checkpoint, then exit */
    TS_STOP_IMMEDIATE /* as in a crash: the next start recovers */
} ts_stop;

/** Starts a durable cluster, with lines of postgresql.conf added; NULL for none. Free it, or leave
 * it to the exit. */
ts_cluster *ts_cluster_start(const char *extra_conf);

/** Its connection string without a database's name, valid as long as `cluster`; the same after a
 * restart. */
const char *ts_cluster_server(const ts_cluster *cluster);

/** The connection string of its database "postgres", where pgqrs is not installed. See
 * ts_database_on as well. */
const char *ts_cluster_dsn(const ts_cluster *cluster);

/** The server's first process, to send signals to. Its number changes with a restart. */
pid_t ts_cluster_pid(const ts_cluster *cluster);

void ts_cluster_stop(ts_cluster *cluster, ts_stop mode);

/** Starts it again, after a stop in order if it still runs; returns when it accepts connections. */
void ts_cluster_restart(ts_cluster *cluster);

/** Starts a streaming standby of `primary`, which is then a cluster like any other: it can be read,
 * stopped, frozen and restarted. Free it before `primary`. See standby.h as well. */
ts_cluster *ts_cluster_standby(const ts_cluster *primary);

/** Makes a standby a server of its own that can be written; returns when it can. Stop its primary
 * first. */
void ts_cluster_promote(ts_cluster *standby);

/** Stops it at once and removes it; NULL is fine. */
void ts_cluster_free(ts_cluster *cluster);

/** Starts a pooler in front of the server of `dsn`, a connection string that names a unix socket
 * and a database. */
ts_pgbouncer *ts_pgbouncer_start(const char *dsn);

/** The same database through the pooler, valid as long as `pooler`. */
const char *ts_pgbouncer_dsn(const ts_pgbouncer *pooler);

/** Stops it; NULL is fine. */
void ts_pgbouncer_stop(ts_pgbouncer *pooler);

#endif
