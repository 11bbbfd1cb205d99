#include "pickup.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "callers.h"
#include "crew.h"
#include "samples.h"
#include "statement.h"
#include "team.h"
#include "threads.h"

/* As the peers are measured: see compare/pickup.js. */
#define IDLE_JOBS 120
#define IDLE_GAP_MIN_S 0.05
#define IDLE_GAP_MORE_S 0.08
#define HALF_SECONDS 5
#define HALF_JOBS_MIN 20
#define PROBE_EVERY_S 0.02
#define TIGHT_TRIPS 200
#define REST_S 0.3

/* What one load said. */
struct load {
    int64_t jobs;
    double rate; /* jobs a second of all callers; 0: idle */
    bench_usage usage;
    double tight_trip_us;
    bench_samples from_return, from_call, trips;
    bench_audit audit;
};

struct pickup {
    bench_run *run;
    bench_queue queue;
    bench_server server;
    PGconn *connection; /* asks the least, and does nothing else */
};

/* What the threads of one load share. */
struct team {
    struct pickup *pickup;
    struct load *load;
    bench_callers callers;
};

static int64_t
later_ns(double seconds)
{
    return bench_now_ns() + (int64_t)(seconds * 1e9);
}

/* One round trip of the least. */
static int
probe(struct pickup *pickup, bench_samples *out)
{
    int64_t from_ns = bench_now_ns(), to_ns;
    PGresult *result = PQexec(pickup->connection, bench_sql_texts[BENCH_SQL_PING].text);
    ExecStatusType status = PQresultStatus(result);

    to_ns = bench_now_ns();
    PQclear(result);
    if (status != PGRES_TUPLES_OK)
        return bench_fail_libpq(pickup->run, "ask the server for nothing",
                                PQerrorMessage(pickup->connection));
    if (bench_samples_add(out, to_ns, to_ns - from_ns) != 0)
        return bench_fail(pickup->run, EX_OSERR, "could not keep the samples: out of memory");
    return 0;
}

static int
measure_tight_trip(struct pickup *pickup, double *out_us)
{
    bench_samples trips = { 0 };
    int result = 0;

    for (int i = 0; i < TIGHT_TRIPS && result == 0; i++)
        result = probe(pickup, &trips);
    *out_us = bench_samples_quantile_ms(&trips, 0.5) * 1000;
    bench_samples_release(&trips);
    return result;
}

/* One after the other, with a probe in the middle of each gap. */
static int
enqueue_idle(struct team *team)
{
    bench_run *run = team->pickup->run;
    unsigned short state[3] = { (unsigned short)bench_now_ns(), 2, 3 };

    for (int64_t i = 0; i < team->load->jobs; i++) {
        double gap = IDLE_GAP_MIN_S + erand48(state) * IDLE_GAP_MORE_S;

        bench_wait_until(later_ns(gap / 2));
        if (bench_run_stopped(run) || probe(team->pickup, &team->load->trips) != 0)
            return -1;
        bench_wait_until(later_ns(gap / 2));
        if (bench_callers_call(&team->callers, 0, 1) != 0)
            return -1;
    }
    return 0;
}

/* The callers, and one more thread that probes. */
static void
enqueue_or_probe(void *shared, size_t index, int64_t start_ns)
{
    struct team *team = shared;

    if (index < team->callers.threads) {
        bench_callers_work(&team->callers, index, start_ns);
        return;
    }
    while (atomic_load(&team->callers.left) > 0 && !bench_run_stopped(team->pickup->run)) {
        bench_wait_until(later_ns(PROBE_EVERY_S));
        if (probe(team->pickup, &team->load->trips) != 0)
            return;
    }
}

static int
enqueue(struct team *team)
{
    double seconds;

    if (team->load->rate <= 0)
        return enqueue_idle(team);
    team->callers.rate = team->load->rate;
    return bench_team_run(team->pickup->run, team->callers.threads + 1, enqueue_or_probe, team, &seconds);
}

/* From each message's enqueue to its handler. */
static int
compare_moments(struct team *team, const bench_crew *crew)
{
    struct load *load = team->load;
    bench_moments in = { 0 }, handled = { 0 };
    int result = bench_callers_moments(&team->callers, &in);

    if (result == 0)
        result = bench_crew_moments(crew, &handled);
    if (result == 0)
        load->audit = bench_moments_audit(&in, &handled);
    for (size_t i = 0; result == 0 && load->audit.lost + load->audit.twice == 0 && i < in.count; i++) {
        int64_t at_ns = handled.values[i].from_ns;

        if (bench_samples_add(&load->from_return, at_ns, at_ns - in.values[i].to_ns) != 0 ||
            bench_samples_add(&load->from_call, at_ns, at_ns - in.values[i].from_ns) != 0)
            result = bench_fail(team->pickup->run, EX_OSERR, "could not keep the samples: out of memory");
    }
    bench_moments_release(&in);
    bench_moments_release(&handled);
    return result;
}

static int
measure_with(struct team *team, bench_crew *crew)
{
    struct pickup *pickup = team->pickup;
    struct load *load = team->load;
    bench_usage before = { 0 }, after = { 0 };
    int64_t start_ns;

    if (bench_callers_init(&team->callers, pickup->run, pickup->queue.producer, load->jobs) != 0 ||
        bench_crew_start(crew, &pickup->queue, BENCH_CREW_MOMENTS) != 0 || bench_crew_wait_idle(crew) != 0)
        return -1;
    bench_wait_until(later_ns(REST_S));
    if (measure_tight_trip(pickup, &load->tight_trip_us) != 0 ||
        bench_usage_read(pickup->run, &pickup->server, &before) != 0)
        return -1;
    start_ns = bench_now_ns();
    if (enqueue(team) != 0 || bench_crew_wait(crew, load->jobs) != 0)
        return -1;
    if (bench_usage_read(pickup->run, &pickup->server, &after) != 0)
        return -1;
    bench_usage_add(&load->usage, &before, &after, (double)(bench_now_ns() - start_ns) / 1e9);
    return bench_crew_stop(crew) == 0 ? compare_moments(team, crew) : -1;
}

static int
measure(struct pickup *pickup, struct load *load)
{
    struct team team = { .pickup = pickup, .load = load };
    bench_crew crew = { 0 };
    int result;

    bench_note(pickup->run, load->rate > 0 ? "pickup of %lld jobs at half load" : "pickup of %lld jobs, idle",
               (long long)load->jobs);
    result = measure_with(&team, &crew);
    bench_crew_release(&crew);
    bench_callers_release(&team.callers);
    return result;
}

static void
print_quantiles(bench_json *json, const char *prefix, bench_samples *samples)
{
    static const struct {
        const char *name;
        double fraction;
    } rows[] = { { "p50_us", 0.5 }, { "p99_us", 0.99 }, { "max_us", 1 } };
    char name[40];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        snprintf(name, sizeof(name), "%s%s", prefix, rows[i].name);
        bench_json_number(json, name, bench_samples_quantile_ms(samples, rows[i].fraction) * 1000, 1);
    }
}

static void
print_load(bench_json *json, const char *name, struct load *load)
{
    double jobs = (double)load->jobs;

    bench_json_begin(json, name, '{');
    bench_json_integer(json, "jobs", load->jobs);
    print_quantiles(json, "", &load->from_return);
    print_quantiles(json, "from_call_", &load->from_call);
    bench_json_number(json, "round_trip_us", bench_samples_quantile_ms(&load->trips, 0.5) * 1000, 1);
    bench_json_number(json, "tight_round_trip_us", load->tight_trip_us, 1);
    bench_json_number(json, "rate_per_second", jobs / load->usage.seconds, 0);
    bench_json_number(json, "wal_bytes_per_job", (double)load->usage.wal_bytes / jobs, 1);
    bench_json_number(json, "server_cpu_seconds", load->usage.server_cpu_seconds, 2);
    bench_json_number(json, "client_cpu_seconds", load->usage.client_cpu_seconds, 3);
    bench_json_end(json, '}');
}

static int
is_right(const struct load *load)
{
    return load->audit.lost == 0 && load->audit.twice == 0;
}

static int
run_loads(struct pickup *pickup, struct load *idle, struct load *half, int *life_is_right)
{
    bench_run *run = pickup->run;
    bench_life life;

    if (bench_server_find(run, &pickup->server) != 0 || bench_queue_open(&pickup->queue, run) != 0 ||
        bench_life_warm_up(&pickup->queue, &pickup->server) != 0 ||
        bench_life_run(&pickup->queue, &pickup->server, run->options.jobs, &life) != 0)
        return -1;
    *life_is_right = bench_life_is_right(run, &life);
    half->rate = bench_life_rate(&life) / 2;
    half->jobs = llround(half->rate * HALF_SECONDS);
    if (half->jobs < HALF_JOBS_MIN)
        half->jobs = HALF_JOBS_MIN;
    pickup->connection = bench_run_connect(run);
    if (pickup->connection == NULL)
        return -1;
    return measure(pickup, idle) == 0 ? measure(pickup, half) : -1;
}

static void
release(struct load *load)
{
    bench_samples_release(&load->from_return);
    bench_samples_release(&load->from_call);
    bench_samples_release(&load->trips);
}

int
bench_pickup_run(bench_run *run, bench_json *json)
{
    struct pickup pickup = { .run = run };
    struct load idle = { .jobs = IDLE_JOBS }, half = { 0 };
    int life_is_right = 0, result = run_loads(&pickup, &idle, &half, &life_is_right);

    if (result == 0) {
        bench_json_begin(json, "pickup", '{');
        print_load(json, "idle", &idle);
        print_load(json, "half", &half);
        bench_json_end(json, '}');
        result = !life_is_right || !is_right(&idle) || !is_right(&half);
        bench_json_flag(json, "complete", !result);
    }
    PQfinish(pickup.connection);
    bench_queue_drop(&pickup.queue);
    release(&idle);
    release(&half);
    return result;
}
