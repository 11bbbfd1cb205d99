#include "cluster.h"

#include <errno.h>
#include <libpq-fe.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "folder.h"
#include "keeper.h"
#include "process.h"

#define STOP_TIMEOUT_MS 60000

struct ts_cluster {
    ts_keeper *keeper;
    const char *folder;
    char *server;
    char *dsn;
    int runs;
};

struct ts_pgbouncer {
    ts_keeper *keeper;
    char *dsn;
};

/* A server that with-server makes as `option` and `value` say. */
static ts_cluster *
start(const char *option, const char *value)
{
    ts_cluster *cluster = calloc(1, sizeof(*cluster));

    if (cluster == NULL)
        ts_fail("out of memory");
    cluster->keeper = ts_keeper_start("with-server", option, value, "PGQRS_TEST_SERVER_DIR");
    cluster->folder = ts_keeper_text(cluster->keeper);
    cluster->server = ts_format("host=%s port=5432 user=postgres", cluster->folder);
    cluster->dsn = ts_format("%s dbname=postgres", cluster->server);
    cluster->runs = 1;
    return cluster;
}

ts_cluster *
ts_cluster_start(const char *extra_conf)
{
    char *conf = ts_file("test.conf", extra_conf != NULL ? extra_conf : "");
    ts_cluster *cluster = start("--conf", conf);

    free(conf);
    return cluster;
}

ts_cluster *
ts_cluster_standby(const ts_cluster *primary)
{
    return start("--standby-of", primary->folder);
}

const char *
ts_cluster_server(const ts_cluster *cluster)
{
    return cluster->server;
}

const char *
ts_cluster_dsn(const ts_cluster *cluster)
{
    return cluster->dsn;
}

pid_t
ts_cluster_pid(const ts_cluster *cluster)
{
    char *path = ts_format("%s/data/postmaster.pid", cluster->folder);
    FILE *file = fopen(path, "r");
    int pid = 0;

    if (file == NULL || fscanf(file, "%d", &pid) != 1)
        ts_fail("found no process number in \"%s\"", path);
    fclose(file);
    free(path);
    return (pid_t)pid;
}

static void
call(const ts_cluster *cluster, const char *verb, const char *mode)
{
    char *script = ts_path("tests/support/cluster");
    ts_result result;

    ts_run_args(&result, NULL, script, verb, cluster->folder, mode, NULL);
    if (result.exit_code != 0)
        ts_fail("could not %s the server in \"%s\": %s", verb, cluster->folder, result.err);
    ts_result_release(&result);
    free(script);
}

/* Like a crash, without the time that a program to stop it takes. */
static void
crash(const ts_cluster *cluster)
{
    const struct timespec pause = { .tv_nsec = 1000000 };
    pid_t pid = ts_cluster_pid(cluster);

    if (kill(pid, SIGQUIT) != 0)
        ts_fail("could not crash the server in \"%s\": %s", cluster->folder, strerror(errno));
    for (int waited_ms = 0; ts_is_running(pid); waited_ms++) {
        if (waited_ms > STOP_TIMEOUT_MS)
            ts_fail("the server in \"%s\" did not end", cluster->folder);
        nanosleep(&pause, NULL);
    }
}

void
ts_cluster_stop(ts_cluster *cluster, ts_stop mode)
{
    if (mode == TS_STOP_IMMEDIATE)
        crash(cluster);
    else
        call(cluster, "stop", "fast");
    cluster->runs = 0;
}

void
ts_cluster_restart(ts_cluster *cluster)
{
    if (cluster->runs)
        ts_cluster_stop(cluster, TS_STOP_FAST);
    call(cluster, "start", NULL);
    cluster->runs = 1;
}

void
ts_cluster_promote(ts_cluster *standby)
{
    call(standby, "promote", NULL);
}

void
ts_cluster_free(ts_cluster *cluster)
{
    if (cluster == NULL)
        return;
    ts_keeper_free(cluster->keeper);
    free(cluster->server);
    free(cluster->dsn);
    free(cluster);
}

ts_pgbouncer *
ts_pgbouncer_start(const char *dsn)
{
    ts_pgbouncer *pooler = calloc(1, sizeof(*pooler));
    PQconninfoOption *options = PQconninfoParse(dsn, NULL);
    const char *host = NULL, *database = NULL;

    if (pooler == NULL || options == NULL)
        ts_fail("could not read the connection string \"%s\"", dsn);
    for (PQconninfoOption *option = options; option->keyword != NULL; option++) {
        if (strcmp(option->keyword, "host") == 0)
            host = option->val;
        else if (strcmp(option->keyword, "dbname") == 0)
            database = option->val;
    }
    if (host == NULL || database == NULL)
        ts_fail("the connection string \"%s\" does not name a host and a database", dsn);
    pooler->keeper = ts_keeper_start("with-pooler", host, NULL, "PGQRS_TEST_POOLER");
    pooler->dsn = ts_format("%s dbname=%s", ts_keeper_text(pooler->keeper), database);
    PQconninfoFree(options);
    return pooler;
}

const char *
ts_pgbouncer_dsn(const ts_pgbouncer *pooler)
{
    return pooler->dsn;
}

void
ts_pgbouncer_stop(ts_pgbouncer *pooler)
{
    if (pooler == NULL)
        return;
    ts_keeper_free(pooler->keeper);
    free(pooler->dsn);
    free(pooler);
}
