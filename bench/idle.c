#include "idle.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "crew.h"
#include "samples.h"
#include "statement.h"

#define WINDOWS 3
#define WINDOW_SECONDS 20

/* Until all that was done before has been counted (backends report ten seconds later at the latest) and the
 * server has logged what it logs after some work. */
#define SETTLE_SECONDS 16

struct activity {
    int64_t transactions;
    int64_t wal_bytes;
};

/* On a connection of its own: it is counted when that ends, so that what a reading costs is known. */
static int
read_activity(bench_run *run, struct activity *out)
{
    PGconn *connection = bench_run_connect(run);
    PGresult *result;

    if (connection == NULL)
        return -1;
    result =
        bench_statement_run(run, connection, BENCH_SQL_ACTIVITY, 0, NULL, 0, "read what the server counted");
    if (result != NULL) {
        out->transactions = bench_statement_integer(result, 0);
        out->wal_bytes = bench_statement_integer(result, 1);
    }
    PQclear(result);
    PQfinish(connection);
    return result != NULL ? 0 : -1;
}

/* NaN where there is no /proc. */
static double
resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long long resident = 0;
    int found;

    if (file == NULL)
        return NAN;
    found = fscanf(file, "%*d %lld", &resident);
    fclose(file);
    return found == 1 ? (double)resident * (double)sysconf(_SC_PAGESIZE) : NAN;
}

static int
rest(bench_run *run, int seconds)
{
    int64_t end_ns = bench_now_ns() + seconds * INT64_C(1000000000);

    while (bench_now_ns() < end_ns && !bench_run_stopped(run))
        bench_wait_until(bench_now_ns() + 50000000);
    return bench_run_stopped(run) ? -1 : 0;
}

/* The median of several windows, for an autovacuum worker that comes by, once a minute, is counted, too. The
 * first readings say what one adds to the count. */
static int
measure(bench_run *run, bench_json *json)
{
    double queries[WINDOWS] = { 0 }, wal[WINDOWS] = { 0 }, own;
    struct activity first = { 0 }, last = { 0 };

    if (rest(run, SETTLE_SECONDS) != 0 || read_activity(run, &first) != 0 || rest(run, 1) != 0 ||
        read_activity(run, &last) != 0)
        return -1;
    own = (double)(last.transactions - first.transactions);
    for (int i = 0; i < WINDOWS; i++) {
        int64_t start_ns = bench_now_ns();
        struct activity start = last;
        double seconds;

        if (rest(run, WINDOW_SECONDS) != 0 || read_activity(run, &last) != 0)
            return -1;
        seconds = (double)(bench_now_ns() - start_ns) / 1e9;
        queries[i] = ((double)(last.transactions - start.transactions) - own) / seconds;
        wal[i] = (double)(last.wal_bytes - start.wal_bytes) / seconds;
    }
    bench_json_begin(json, "idle", '{');
    bench_json_number(json, "rss_bytes", resident_bytes(), 0);
    bench_json_number(json, "queries_per_second", bench_median(queries, WINDOWS), 3);
    bench_json_number(json, "wal_bytes_per_second", bench_median(wal, WINDOWS), 1);
    bench_json_end(json, '}');
    return 0;
}

int
bench_idle_run(bench_run *run, bench_json *json)
{
    bench_queue queue = { 0 };
    bench_crew crew = { 0 };
    int result = bench_queue_open(&queue, run);

    if (result == 0)
        result = bench_crew_start(&crew, &queue, BENCH_CREW_IDS);
    if (result == 0)
        result = bench_crew_wait_idle(&crew);
    if (result == 0)
        result = measure(run, json);
    if (result == 0)
        result = bench_crew_stop(&crew);
    if (result == 0)
        bench_json_flag(json, "complete", 1);
    bench_crew_release(&crew);
    bench_queue_drop(&queue);
    return result;
}
