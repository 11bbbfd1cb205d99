#include "ways.h"

#include <math.h>
#include <stdlib.h>

/* As the peers are measured: see perf/compare. */
#define WARM_UP_JOBS 2000
#define IDLE_JOBS 120
#define IDLE_GAP_MIN_S 0.05
#define IDLE_GAP_MORE_S 0.08
#define HALF_SECONDS 5
#define HALF_JOBS_MIN 20
#define PROBE_EVERY_S 0.02
#define TIGHT_TRIPS 200
#define REST_S 0.5 /* until a worker that was started sleeps */
#define MOST_TRIPS 4096

/* Round trips of the least that the server can be asked. */
struct trips {
    PGconn *connection; /* does nothing else */
    size_t count;
    double us[MOST_TRIPS];
};

struct pickup {
    bench_side side;
    struct trips trips;
    bench_usage usage;
};

static void
wait_s(double seconds)
{
    bench_wait_until(bench_now_ns() + (int64_t)(seconds * 1e9));
}

static void
probe(bench_run *run, struct trips *trips)
{
    int64_t from_ns = bench_now_ns();

    PQclear(bench_query(run, trips->connection, BENCH_SQL(PING), "ask the server for nothing"));
    if (trips->count < MOST_TRIPS)
        trips->us[trips->count++] = (double)(bench_now_ns() - from_ns) / 1e3;
}

/* One after the other, with a probe in the middle of each gap. */
static void
enqueue_idle(struct pickup *pickup)
{
    unsigned short state[3] = { (unsigned short)bench_now_ns(), 2, 3 };

    for (int64_t i = 0; i < pickup->side.jobs && !bench_stopped(pickup->side.run); i++) {
        double gap = IDLE_GAP_MIN_S + erand48(state) * IDLE_GAP_MORE_S;

        wait_s(gap / 2);
        probe(pickup->side.run, &pickup->trips);
        wait_s(gap / 2);
        bench_side_call(&pickup->side, 0);
    }
}

/* The callers, and one more thread that probes. */
static void
enqueue_or_probe(void *shared, size_t index, int64_t start_ns)
{
    struct pickup *pickup = shared;
    bench_side *side = &pickup->side;

    if (index < (size_t)side->run->options.callers) {
        bench_side_produce(side, index, start_ns);
        return;
    }
    while (atomic_load(&side->next) < side->jobs && !bench_stopped(side->run)) {
        wait_s(PROBE_EVERY_S);
        probe(side->run, &pickup->trips);
    }
}

/* `rate` 0: idle. */
static double
measure(struct pickup *pickup, int64_t jobs, double rate)
{
    bench_side *side = &pickup->side;
    bench_run *run = side->run;
    double tight_us;
    int64_t start_ns;

    if (bench_stopped(run))
        return NAN;
    bench_side_begin(side, jobs);
    side->rate = rate;
    side->way->start(side);
    wait_s(REST_S);
    pickup->trips.count = 0;
    for (int i = 0; i < TIGHT_TRIPS; i++)
        probe(run, &pickup->trips);
    tight_us = bench_median(pickup->trips.us, TIGHT_TRIPS);
    pickup->trips.count = 0;
    bench_usage_begin(run, &pickup->usage);
    start_ns = bench_now_ns();
    if (rate > 0)
        bench_team_run(run, (size_t)run->options.callers + 1, enqueue_or_probe, pickup);
    else
        enqueue_idle(pickup);
    bench_side_wait(side);
    bench_usage_end(run, &pickup->usage, (double)(atomic_load(&side->end_ns) - start_ns) / 1e9);
    side->way->stop(side);
    return tight_us;
}

/* The handlers' starts, in microseconds since the calls or, `from_return`, since their returns.
 * Both lists are sorted by id, and have the same. */
static void
print_times(const bench_side *side, double *times, bool from_return, const char *const names[3],
            FILE *out)
{
    static const double fractions[] = { 0.5, 0.99, 1 };
    size_t jobs = (size_t)side->jobs;

    for (size_t i = 0; i < jobs; i++)
        times[i] = (double)(side->out[i].from_ns -
                            (from_return ? side->in[i].to_ns : side->in[i].from_ns)) /
                   1e3;
    for (int i = 0; i < 3; i++)
        bench_print(out, 3, names[i], bench_quantile(times, jobs, fractions[i]), 1);
}

static bool
measure_and_print(struct pickup *pickup, const char *name, int64_t jobs, double rate, FILE *out)
{
    bench_side *side = &pickup->side;
    double *times = bench_allocate(side->run, (size_t)jobs, sizeof(double)), tight_us;

    pickup->usage = (bench_usage){ 0 };
    tight_us = measure(pickup, jobs, rate);
    if (!bench_side_is_right(side) || atomic_load(&side->claimed) != jobs ||
        pickup->trips.count == 0)
        return false;
    fprintf(out, "%s\n    \"%s\": {\n      \"jobs\": %lld", rate > 0 ? "," : "", name,
            (long long)jobs);
    print_times(side, times, true, (const char *const[]){ "p50_us", "p99_us", "max_us" }, out);
    print_times(side, times, false,
                (const char *const[]){ "from_call_p50_us", "from_call_p99_us", "from_call_max_us" },
                out);
    bench_print(out, 3, "round_trip_us", bench_median(pickup->trips.us, pickup->trips.count), 1);
    bench_print(out, 3, "tight_round_trip_us", tight_us, 1);
    bench_usage_print(out, 3, &pickup->usage, 1, (double)jobs);
    fputs("\n    }", out);
    return true;
}

bool
bench_pickup_run(bench_run *run, const bench_way *way, FILE *out)
{
    struct pickup *pickup = bench_allocate(run, 1, sizeof(*pickup));
    int64_t jobs = run->options.jobs, half_jobs;
    bench_usage ignored = { 0 }, life = { 0 };
    bool is_right;
    double rate;

    if (pickup == NULL)
        return false;
    bench_side_open(&pickup->side, run, way);
    bench_checkpoint(run);
    bench_side_live(&pickup->side, jobs < WARM_UP_JOBS ? jobs : WARM_UP_JOBS, &ignored, &ignored);
    is_right = bench_side_live(&pickup->side, jobs, &life, &life);
    pickup->trips.connection = bench_connect(run);
    rate = (double)jobs / life.seconds / 2;
    half_jobs = llround(rate * HALF_SECONDS);
    fputs(",\n  \"pickup\": {", out);
    is_right = measure_and_print(pickup, "idle", IDLE_JOBS, 0, out) && is_right;
    is_right =
        measure_and_print(pickup, "half", half_jobs > HALF_JOBS_MIN ? half_jobs : HALF_JOBS_MIN,
                          rate, out) &&
        is_right;
    fputs("\n  }", out);
    PQfinish(pickup->trips.connection);
    bench_side_close(&pickup->side);
    return is_right;
}
