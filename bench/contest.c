#include "ways.h"

#include <stdlib.h>

enum { ENQUEUE, DRAIN, LIFE, PHASES };

/* What one side has measured. */
struct entry {
    const bench_way *way;
    bench_usage phases[PHASES][BENCH_MOST_ROUNDS];
    int64_t finished, left, archived; /* in all rounds */
};

/* Returns whether each message was enqueued, handed out and finished once. */
static bool
run_one(bench_run *run, const bench_contest *contest, struct entry *entry, int64_t round)
{
    bench_side side = { 0 };
    bench_usage ignored = { 0 }, *enqueue = &entry->phases[ENQUEUE][round];
    bench_usage *drain = &entry->phases[DRAIN][round], *life = &entry->phases[LIFE][round];
    int64_t archived = 0, left = 0, all = contest->warm_up + run->options.jobs;
    bool is_right;

    bench_side_open(&side, run, entry->way);
    bench_checkpoint(run);
    if (contest->warm_up > 0)
        bench_side_live(&side, contest->warm_up, &ignored, contest->drains ? &ignored : NULL);
    is_right = bench_side_live(&side, run->options.jobs, enqueue, contest->drains ? drain : NULL);
    if (!bench_stopped(run))
        left = side.way->count(&side, &archived);
    entry->finished += atomic_load(&side.finished);
    entry->left += left;
    entry->archived += archived;
    if (contest->drains)
        is_right = is_right && atomic_load(&side.finished) == side.jobs && left == 0 &&
                   (archived == 0 || archived == all) && bench_side_is_right(&side);
    *life = (bench_usage){ enqueue->seconds + drain->seconds, enqueue->wal_bytes + drain->wal_bytes,
                           enqueue->server_cpu + drain->server_cpu,
                           enqueue->client_cpu + drain->client_cpu };
    bench_side_close(&side);
    return is_right;
}

static void
print_entry(const bench_run *run, const struct entry *entry, int phases, FILE *out)
{
    static const char *const names[PHASES] = { "enqueue", "claim_finish", "whole_life" };
    size_t rounds = (size_t)run->options.rounds;
    double jobs = (double)run->options.jobs;

    fprintf(out, ",\n  \"%s\": {\n    \"rounds\": %zu", entry->way->name, rounds);
    for (int phase = 0; phase < phases; phase++) {
        fprintf(out, ",\n    \"%s\": {\n      \"jobs\": %.0f", names[phase], jobs);
        bench_usage_print(out, 3, entry->phases[phase], rounds, jobs);
        fputs("\n    }", out);
    }
    bench_print(out, 2, "finished", (double)entry->finished, 0);
    bench_print(out, 2, "left", (double)entry->left, 0);
    bench_print(out, 2, "archived", (double)entry->archived, 0);
    fputs("\n  }", out);
}

/* The first side's rate divided by the second's. */
static void
print_ratio(const struct entry *entries, size_t rounds, FILE *out)
{
    double ratios[BENCH_MOST_ROUNDS];

    for (size_t i = 0; i < rounds; i++) {
        ratios[i] = entries[1].phases[LIFE][i].seconds / entries[0].phases[LIFE][i].seconds;
        fprintf(out, i == 0 ? ",\n  \"ratios\": [%.3f" : ", %.3f", ratios[i]);
    }
    fputc(']', out);
    bench_print(out, 1, "ratio", bench_median(ratios, rounds), 3);
}

bool
bench_contest_run(bench_run *run, const bench_contest *contest, FILE *out)
{
    size_t count = contest->ways[1] != NULL ? 2 : 1, rounds = (size_t)run->options.rounds;
    struct entry *entries = bench_allocate(run, count, sizeof(*entries));
    bool is_right = true;

    for (size_t round = 0; round < rounds && !bench_stopped(run); round++)
        for (size_t i = 0; i < count; i++) {
            size_t at = (round + i) % count;

            entries[at].way = contest->ways[at];
            is_right = run_one(run, contest, &entries[at], (int64_t)round) && is_right;
        }
    if (bench_stopped(run))
        return false;
    for (size_t i = 0; i < count; i++)
        print_entry(run, &entries[i], contest->drains ? PHASES : DRAIN, out);
    if (count > 1)
        print_ratio(entries, rounds, out);
    return is_right;
}
