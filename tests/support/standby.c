#include "standby.h"

#include <libpq-fe.h>
#include <stdlib.h>

#include "sql.h"

#define STANDBY_WAIT_MS 60000

/* In the database "postgres"; none of these statements makes a commit that would wait itself. */
static PGconn *
connect_to(const ts_cluster *cluster)
{
    return ts_connect(ts_cluster_dsn(cluster));
}

static void
set_names(const ts_cluster *primary, const char *names)
{
    PGconn *sql = connect_to(primary);

    ts_sql(sql, "ALTER SYSTEM SET synchronous_standby_names = '%s'", names);
    ts_sql(sql, "SELECT pg_reload_conf()");
    ts_wait_until(sql, STANDBY_WAIT_MS,
                  "SELECT current_setting('synchronous_standby_names') = '%s'", names);
    PQfinish(sql);
}

void
ts_standby_require(const ts_cluster *primary)
{
    PGconn *sql;

    set_names(primary, "*");
    sql = connect_to(primary);
    ts_wait_until(sql, STANDBY_WAIT_MS,
                  "SELECT EXISTS (SELECT FROM pg_stat_replication WHERE sync_state = 'sync' AND "
                  "state = 'streaming')");
    PQfinish(sql);
}

void
ts_standby_release(const ts_cluster *primary)
{
    set_names(primary, "");
}

void
ts_standby_await_replay(const ts_cluster *primary, const ts_cluster *standby)
{
    PGconn *from = connect_to(primary), *to = connect_to(standby);
    char *position = ts_text(from, "SELECT pg_current_wal_flush_lsn()");

    ts_wait_until(to, STANDBY_WAIT_MS, "SELECT pg_last_wal_replay_lsn() >= '%s'::pg_lsn", position);
    free(position);
    PQfinish(from);
    PQfinish(to);
}

void
ts_standby_await_waiting(const ts_cluster *primary, int count)
{
    PGconn *sql = connect_to(primary);

    ts_wait_until(sql, STANDBY_WAIT_MS,
                  "SELECT count(*) >= %d FROM pg_stat_activity WHERE wait_event = 'SyncRep'",
                  count);
    PQfinish(sql);
}

int
ts_standby_cancel_waits(const ts_cluster *primary)
{
    PGconn *sql = connect_to(primary);
    int cancelled = (int)ts_int(sql, "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity "
                                     "WHERE wait_event = 'SyncRep'");

    PQfinish(sql);
    return cancelled;
}
