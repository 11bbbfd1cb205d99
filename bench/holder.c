#include "holder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "statement.h"

int
bench_holder_begin(bench_run *run, PGconn **out)
{
    int read_only = run->options.hold == BENCH_HOLD_READ_ONLY;
    bench_sql begin = read_only ? BENCH_SQL_HOLD_READ_ONLY : BENCH_SQL_HOLD_XID;
    bench_sql take = read_only ? BENCH_SQL_HOLD_TAKE_SNAPSHOT : BENCH_SQL_HOLD_TAKE_XID;
    PGconn *holder;

    *out = NULL;
    if (run->options.hold == BENCH_HOLD_NONE)
        return 0;
    holder = bench_run_connect(run);
    if (holder == NULL)
        return -1;
    if (bench_statement_do(run, holder, begin, 0, "begin the transaction to hold") != 0 ||
        bench_statement_do(run, holder, BENCH_SQL_HOLD_STAY, 0, "keep the transaction from timing out") !=
            0 ||
        bench_statement_do(run, holder, take, 0, "take the snapshot or transaction id to hold") != 0) {
        PQfinish(holder);
        return -1;
    }
    *out = holder;
    return 0;
}

int
bench_holder_prove(bench_run *run, PGconn *holder)
{
    char pid[24];
    const char *const parameters[] = { pid };
    PGresult *result;
    int is_held;

    /* A pooler's process ids are its own. */
    if (holder == NULL || run->pooled)
        return 0;
    snprintf(pid, sizeof(pid), "%d", PQbackendPID(holder));
    result = bench_statement_run(run, run->observer, BENCH_SQL_HOLD_PROOF, 0, parameters, 1,
                                 "look at the held transaction");
    if (result == NULL)
        return -1;
    is_held = PQntuples(result) == 1 && strcmp(PQgetvalue(result, 0, 0), "t") == 0;
    PQclear(result);
    return is_held ? 0
                   : bench_fail(run, EXIT_FAILURE, "the transaction was not held open: nothing was measured");
}

void
bench_holder_end(PGconn *holder)
{
    if (holder == NULL)
        return;
    PQclear(PQexec(holder, bench_sql_texts[BENCH_SQL_HOLD_END].text));
    PQfinish(holder);
}
