#include "wakes.h"

#include <stdlib.h>
#include <sysexits.h>

#include "callers.h"
#include "samples.h"
#include "measure.h"
#include "team.h"

/* Short ones, so that whatever else the machine does hits both alike. */
#define SLICE_JOBS 1500
#define SLICES_MAX 101

/* Two clients of one queue. */
struct wakes {
    bench_run *run;
    bench_queue queue; /* whose client has wake-ups on */
    pgqrs_config *config;
    pgqrs_client *client; /* has wake-ups off */
    pgqrs_producer *producer;
    int64_t slices, slice_jobs;
    double on_rates[SLICES_MAX], off_rates[SLICES_MAX], ratios[SLICES_MAX];
};

static pgqrs_status
set(pgqrs_config *config, const char *name, const char *value, pgqrs_error *err)
{
    return pgqrs_config_set(config, pgqrs_slice_of(name), pgqrs_slice_of(value), err);
}

static pgqrs_status
open_other(struct wakes *wakes, pgqrs_error *err)
{
    const pgqrs_config *ours = wakes->run->config;
    pgqrs_status status = pgqrs_config_new(&wakes->config, err);

    for (size_t i = 0; status == PGQRS_OK && pgqrs_config_setting(i) != NULL; i++) {
        const char *name = pgqrs_config_setting(i)->name;
        const char *value = pgqrs_config_get(ours, name);

        if (value != NULL)
            status = set(wakes->config, name, value, err);
    }
    if (status == PGQRS_OK)
        status = set(wakes->config, "wake_ups", "false", err);
    if (status == PGQRS_OK)
        status = pgqrs_client_open(wakes->config, &wakes->client, err);
    if (status == PGQRS_OK)
        status = pgqrs_producer_open(wakes->client, pgqrs_slice_of(wakes->queue.name), NULL, &wakes->producer,
                                     err);
    return status;
}

static int
open_wakes(struct wakes *wakes)
{
    bench_run *run = wakes->run;
    pgqrs_error *err = pgqrs_error_new();
    pgqrs_status status = set(run->config, "wake_ups", "true", err);
    int result = 0;

    if (status == PGQRS_OK)
        result = bench_queue_open(&wakes->queue, run);
    if (status == PGQRS_OK && result == 0)
        status = open_other(wakes, err);
    if (status != PGQRS_OK)
        result = bench_fail_library(run, status, err);
    pgqrs_error_free(err);
    return result;
}

static void
close_wakes(struct wakes *wakes)
{
    pgqrs_producer_close(wakes->producer);
    pgqrs_client_close(wakes->client);
    pgqrs_config_free(wakes->config);
    bench_queue_drop(&wakes->queue);
}

/* Enqueues one slice: *rate is messages a second. */
static int
measure(struct wakes *wakes, pgqrs_producer *producer, double *rate)
{
    bench_callers callers = { 0 };
    double seconds = 0;
    int result = bench_callers_init(&callers, wakes->run, producer, wakes->slice_jobs);

    if (result == 0)
        result = bench_team_run(wakes->run, callers.threads, bench_callers_work, &callers, &seconds);
    *rate = (double)wakes->slice_jobs / seconds;
    bench_callers_release(&callers);
    return result;
}

/* The one that goes first is another one each time. */
static int
measure_pair(struct wakes *wakes, int64_t i)
{
    pgqrs_producer *on = wakes->queue.producer, *off = wakes->producer;

    if (i % 2 == 0 && measure(wakes, on, &wakes->on_rates[i]) != 0)
        return -1;
    if (measure(wakes, off, &wakes->off_rates[i]) != 0)
        return -1;
    if (i % 2 != 0 && measure(wakes, on, &wakes->on_rates[i]) != 0)
        return -1;
    wakes->ratios[i] = wakes->on_rates[i] / wakes->off_rates[i];
    return 0;
}

static int
run_slices(struct wakes *wakes)
{
    bench_run *run = wakes->run;

    wakes->slices = run->options.jobs / SLICE_JOBS;
    if (wakes->slices < 1)
        wakes->slices = 1;
    if (wakes->slices > SLICES_MAX)
        wakes->slices = SLICES_MAX;
    wakes->slice_jobs = run->options.jobs / wakes->slices;
    if (open_wakes(wakes) != 0 || bench_checkpoint(run) != 0 || measure_pair(wakes, 0) != 0)
        return -1; /* the first one is for connections and statements, and measured again */
    bench_note(run, "enqueueing %lld slices of %lld messages", (long long)wakes->slices * 2,
               (long long)wakes->slice_jobs);
    for (int64_t i = 0; i < wakes->slices; i++)
        if (measure_pair(wakes, i) != 0)
            return -1;
    return 0;
}

int
bench_wakes_run(bench_run *run, bench_json *json)
{
    struct wakes wakes = { .run = run };
    bench_counts counts = { 0 };
    int result = run_slices(&wakes);

    if (result == 0)
        result = bench_count(&wakes.queue, &counts);
    if (result == 0) {
        size_t slices = (size_t)wakes.slices;

        bench_json_begin(json, "wake_ups", '{');
        bench_json_number(json, "on_per_second", bench_median(wakes.on_rates, slices), 0);
        bench_json_number(json, "off_per_second", bench_median(wakes.off_rates, slices), 0);
        bench_json_number(json, "ratio", bench_median(wakes.ratios, slices), 3);
        bench_json_end(json, '}');
        bench_json_integer(json, "slices", wakes.slices);
        result = counts.messages != (wakes.slices + 1) * wakes.slice_jobs * 2;
        bench_json_flag(json, "complete", !result);
    }
    close_wakes(&wakes);
    return result;
}
