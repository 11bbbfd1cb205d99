#include "throughput.h"

#include <math.h>
#include <stdlib.h>
#include <sysexits.h>

#include "bare.h"
#include "flow.h"
#include "measure.h"
#include "team.h"

/* What one round measured. Everything is of our part, but for `bare`. */
struct round {
    bench_usage enqueue, finish;
    bench_samples claims, finishes;
    bench_counts after_enqueue, after_finish;
    bench_updates updates;
    bench_audit audit;
    int64_t finished, leases_lost, empty_claims, leftover, wal_images;
    bench_bare_result bare;
};

static int
measure(bench_flow *flow, const bench_server *server, size_t threads, bench_work *work, bench_usage *usage)
{
    bench_usage before = { 0 }, after = { 0 };
    double seconds = 0;

    if (bench_usage_read(flow->run, server, &before) != 0 ||
        bench_team_run(flow->run, threads, work, flow, &seconds) != 0 ||
        bench_usage_read(flow->run, server, &after) != 0)
        return -1;
    bench_usage_add(usage, &before, &after, seconds);
    return 0;
}

static int
collect(bench_flow *flow, struct round *round)
{
    int result = bench_flow_claims(flow, 0, INT64_MAX, &round->claims);

    for (size_t i = 0; result == 0 && i < flow->workers; i++)
        result = bench_samples_add_between(&round->finishes, &flow->finishes[i], 0, INT64_MAX);
    round->finished = atomic_load(&flow->finished);
    round->leases_lost = atomic_load(&flow->leases_lost);
    round->empty_claims = atomic_load(&flow->empty_claims);
    round->audit = bench_flow_audit(flow);
    return result == 0 ? 0 : bench_fail(flow->run, EX_OSERR, "could not keep the samples: out of memory");
}

static int
run_phases(bench_run *run, bench_queue *queue, bench_flow *flow, const bench_server *server,
           struct round *round)
{
    const bench_options *options = &run->options;
    int64_t images = 0;

    if (bench_queue_open(queue, run) != 0 || bench_flow_init(flow, queue, options->jobs) != 0 ||
        bench_flow_warm_up(flow) != 0 || bench_checkpoint(run) != 0 || bench_wal_images(run, &images) != 0)
        return -1;
    bench_note(run, "enqueueing %lld messages", (long long)options->jobs);
    if (measure(flow, server, (size_t)options->producers, bench_flow_produce, &round->enqueue) != 0 ||
        bench_count(queue, &round->after_enqueue) != 0)
        return -1;
    bench_note(run, "claiming and finishing them");
    if (measure(flow, server, (size_t)options->workers, bench_flow_work, &round->finish) != 0)
        return -1;
    round->leftover = bench_flow_claim_leftover(flow);
    if (round->leftover < 0 || bench_count(queue, &round->after_finish) != 0 || collect(flow, round) != 0)
        return -1;
    bench_queue_disconnect(queue);
    if (bench_updates_read(queue, options->jobs, &round->updates) != 0 ||
        bench_wal_images(run, &round->wal_images) != 0)
        return -1;
    round->wal_images -= images;
    return 0;
}

static int
run_round(bench_run *run, const bench_server *server, struct round *round)
{
    bench_queue queue = { 0 };
    bench_flow flow = { 0 };
    int result = run_phases(run, &queue, &flow, server, round);

    bench_flow_release(&flow);
    bench_queue_drop(&queue);
    return result != 0 ? result : bench_bare_run(run, server, &round->bare);
}

/* 1 if the database and the client agree that each message was enqueued, handed out and finished once. */
static int
is_right(const bench_options *options, const struct round *round)
{
    int64_t archived = options->finish == BENCH_FINISH_ARCHIVE ? options->jobs : 0;

    return round->after_enqueue.messages == options->jobs && round->after_finish.messages == 0 &&
           round->after_finish.archived == archived && round->finished == options->jobs &&
           round->leases_lost == 0 && round->leftover == 0 && round->audit.lost == 0 &&
           round->audit.twice == 0;
}

static int
is_bare_right(const bench_options *options, const struct round *round)
{
    return round->bare.enqueued == options->jobs && round->bare.returned == options->jobs &&
           round->bare.left == 0;
}

static double
per_job(const bench_options *options, double value)
{
    return value / (double)options->jobs;
}

static bench_usage
sum(const bench_usage *a, const bench_usage *b)
{
    bench_usage both = *a;

    bench_usage_add(&both, &(bench_usage){ 0 }, b, b->seconds);
    return both;
}

/* One figure of one round; the table below says which. */
typedef double figure(const bench_options *options, struct round *round);

#define FIGURE(name, expression)                                                                             \
    static double name(const bench_options *options, struct round *round)                                    \
    {                                                                                                        \
        (void)options;                                                                                       \
        return (expression);                                                                                 \
    }

/* The three figures of jobs a second, and of each phase and of both what a job costs; ours and the
 * yardstick's. */
#define RATES(prefix, enqueue, finish)                                                                       \
    FIGURE(prefix##_enqueue_rate, (double)options->jobs / (enqueue).seconds)                                 \
    FIGURE(prefix##_finish_rate, (double)options->jobs / (finish).seconds)                                   \
    FIGURE(prefix##_life_rate, (double)options->jobs / ((enqueue).seconds + (finish).seconds))

#define COSTS(prefix, part, of)                                                                              \
    FIGURE(prefix##_##part##_wal, per_job(options, (double)(of).wal_bytes))                                  \
    FIGURE(prefix##_##part##_server_cpu, (of).server_cpu_seconds)                                            \
    FIGURE(prefix##_##part##_client_cpu, (of).client_cpu_seconds)

RATES(our, round->enqueue, round->finish)
COSTS(our, enqueue, round->enqueue)
COSTS(our, finish, round->finish)
COSTS(our, life, sum(&round->enqueue, &round->finish))
RATES(bare, round->bare.enqueue, round->bare.finish)
COSTS(bare, enqueue, round->bare.enqueue)
COSTS(bare, finish, round->bare.finish)
COSTS(bare, life, sum(&round->bare.enqueue, &round->bare.finish))
FIGURE(claim_p50, bench_samples_quantile_ms(&round->claims, 0.5))
FIGURE(claim_p99, bench_samples_quantile_ms(&round->claims, 0.99))
FIGURE(finish_p50, bench_samples_quantile_ms(&round->finishes, 0.5))
FIGURE(finish_p99, bench_samples_quantile_ms(&round->finishes, 0.99))
FIGURE(messages_a_claim, (double)options->jobs / (double)round->claims.count)
FIGURE(empty_claims, (double)round->empty_claims)
FIGURE(wal_images, (double)round->wal_images)
FIGURE(hot_ratio,
       round->updates.updates > 0 ? (double)round->updates.hot_updates / (double)round->updates.updates : NAN)
FIGURE(table_bytes, (double)round->updates.table_bytes)
FIGURE(index_bytes, (double)round->updates.index_bytes)
FIGURE(ratio, our_life_rate(options, round) / bare_life_rate(options, round))

static const struct row {
    const char *name;
    figure *compute;
    int decimals;
} our_rows[] = {
    { "enqueue_per_second", our_enqueue_rate, 0 },
    { "claim_finish_per_second", our_finish_rate, 0 },
    { "whole_life_per_second", our_life_rate, 0 },
    { "claim_p50_ms", claim_p50, 3 },
    { "claim_p99_ms", claim_p99, 3 },
    { "finish_p50_ms", finish_p50, 3 },
    { "finish_p99_ms", finish_p99, 3 },
    { "messages_per_claim", messages_a_claim, 1 },
    { "empty_claims", empty_claims, 0 },
    { "wal_bytes_per_job", our_life_wal, 1 },
    { "wal_full_page_images", wal_images, 0 },
    { "server_cpu_seconds", our_life_server_cpu, 2 },
    { "client_cpu_seconds", our_life_client_cpu, 2 },
    { "hot_update_ratio", hot_ratio, 4 },
    { "ready_table_bytes", table_bytes, 0 },
    { "ready_index_bytes", index_bytes, 0 },
}, bare_rows[] = {
    { "enqueue_per_second", bare_enqueue_rate, 0 },
    { "claim_finish_per_second", bare_finish_rate, 0 },
    { "whole_life_per_second", bare_life_rate, 0 },
    { "wal_bytes_per_job", bare_life_wal, 1 },
    { "server_cpu_seconds", bare_life_server_cpu, 2 },
    { "client_cpu_seconds", bare_life_client_cpu, 2 },
};

#define COST_ROWS(prefix, part)                                                                              \
    {                                                                                                        \
        { "wal_bytes_per_job", prefix##_##part##_wal, 1 },                                                   \
            { "server_cpu_seconds", prefix##_##part##_server_cpu, 2 },                                       \
            { "client_cpu_seconds", prefix##_##part##_client_cpu, 2 },                                       \
    }

static const struct row our_enqueue_rows[] = COST_ROWS(our, enqueue);
static const struct row our_finish_rows[] = COST_ROWS(our, finish);
static const struct row bare_enqueue_rows[] = COST_ROWS(bare, enqueue);
static const struct row bare_finish_rows[] = COST_ROWS(bare, finish);

static double
median_of(bench_run *run, struct round *rounds, figure *compute)
{
    double numbers[100] = { 0 };
    size_t count = (size_t)run->options.rounds;

    for (size_t i = 0; i < count; i++)
        numbers[i] = compute(&run->options, &rounds[i]);
    return bench_median(numbers, count);
}

static void
print_rows(bench_run *run, bench_json *json, struct round *rounds, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        bench_json_number(json, rows[i].name, median_of(run, rounds, rows[i].compute), rows[i].decimals);
}

static void
print_costs(bench_run *run, bench_json *json, struct round *rounds, const char *name, const struct row *rows)
{
    bench_json_begin(json, name, '{');
    print_rows(run, json, rounds, rows, 3);
    bench_json_end(json, '}');
}

/* Sums, for these must be right in every round. */
static void
print_counts(bench_run *run, bench_json *json, const struct round *rounds)
{
    struct round sum = { 0 };

    for (int64_t i = 0; i < run->options.rounds; i++) {
        sum.after_enqueue.messages += rounds[i].after_enqueue.messages;
        sum.after_finish.messages += rounds[i].after_finish.messages;
        sum.after_finish.archived += rounds[i].after_finish.archived;
        sum.finished += rounds[i].finished;
        sum.leases_lost += rounds[i].leases_lost;
        sum.audit.lost += rounds[i].audit.lost;
        sum.audit.twice += rounds[i].audit.twice;
    }
    bench_json_begin(json, "counted_in_database", '{');
    bench_json_integer(json, "enqueued", sum.after_enqueue.messages);
    bench_json_integer(json, "left", sum.after_finish.messages);
    bench_json_integer(json, "archived", sum.after_finish.archived);
    bench_json_end(json, '}');
    bench_json_begin(json, "counted_by_client", '{');
    bench_json_integer(json, "finished", sum.finished);
    bench_json_integer(json, "leases_lost", sum.leases_lost);
    bench_json_integer(json, "lost", sum.audit.lost);
    bench_json_integer(json, "handed_out_twice", sum.audit.twice);
    bench_json_end(json, '}');
}

static void
print_rounds(bench_run *run, bench_json *json, struct round *rounds)
{
    bench_json_begin(json, "rounds", '[');
    for (int64_t i = 0; i < run->options.rounds; i++) {
        bench_json_begin(json, NULL, '{');
        bench_json_number(json, "whole_life_per_second", our_life_rate(&run->options, &rounds[i]), 0);
        bench_json_number(json, "bare_whole_life_per_second", bare_life_rate(&run->options, &rounds[i]), 0);
        bench_json_number(json, "ratio", ratio(&run->options, &rounds[i]), 3);
        bench_json_end(json, '}');
    }
    bench_json_end(json, ']');
}

static int
print(bench_run *run, bench_json *json, struct round *rounds)
{
    int wrong = 0;

    for (int64_t i = 0; i < run->options.rounds; i++)
        wrong |= !is_right(&run->options, &rounds[i]) || !is_bare_right(&run->options, &rounds[i]);
    print_rows(run, json, rounds, our_rows, sizeof(our_rows) / sizeof(our_rows[0]));
    print_costs(run, json, rounds, "enqueue", our_enqueue_rows);
    print_costs(run, json, rounds, "claim_finish", our_finish_rows);
    print_counts(run, json, rounds);
    bench_json_begin(json, "bare", '{');
    print_rows(run, json, rounds, bare_rows, sizeof(bare_rows) / sizeof(bare_rows[0]));
    print_costs(run, json, rounds, "enqueue", bare_enqueue_rows);
    print_costs(run, json, rounds, "claim_finish", bare_finish_rows);
    bench_json_end(json, '}');
    bench_json_number(json, "ratio", median_of(run, rounds, ratio), 3);
    print_rounds(run, json, rounds);
    bench_json_flag(json, "complete", !wrong);
    return wrong;
}

int
bench_throughput_run(bench_run *run, bench_json *json)
{
    size_t count = (size_t)run->options.rounds;
    struct round *rounds = calloc(count, sizeof(*rounds));
    bench_server server;
    int result = 0;

    if (rounds == NULL)
        return bench_fail(run, EX_OSERR, "could not start %zu rounds: out of memory", count);
    result = bench_server_find(run, &server);
    for (size_t i = 0; result == 0 && i < count; i++)
        result = run_round(run, &server, &rounds[i]);
    if (result == 0)
        result = print(run, json, rounds);
    for (size_t i = 0; i < count; i++) {
        bench_samples_release(&rounds[i].claims);
        bench_samples_release(&rounds[i].finishes);
    }
    free(rounds);
    return result;
}
