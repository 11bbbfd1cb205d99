#include "holder.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "sql.h"

#define HOLDER_WAIT_MS 60000

PGconn *
ts_hold(const char *dsn, const char *format, ...)
{
    PGconn *holder = ts_connect(dsn);
    va_list arguments;
    char *sql;
    int size;

    va_start(arguments, format);
    size = vasprintf(&sql, format, arguments);
    va_end(arguments);
    if (size < 0)
        ts_fail("out of memory");
    ts_sql(holder, "BEGIN");
    ts_sql(holder, "%s", sql);
    free(sql);
    return holder;
}

void
ts_hold_await(PGconn *holder, int count)
{
    ts_wait_until(holder, HOLDER_WAIT_MS,
                  "SELECT count(*) >= %d FROM pg_locks WHERE NOT granted AND "
                  "pg_backend_pid() = ANY (pg_blocking_pids(pid))",
                  count);
}

void
ts_hold_end(PGconn *holder)
{
    ts_sql(holder, "ROLLBACK");
    PQfinish(holder);
}
