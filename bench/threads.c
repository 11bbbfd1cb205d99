#include "threads.h"

#include "callers.h"
#include "crew.h"
#include "team.h"

#define WARM_UP_JOBS 2000

static int
enqueue(bench_queue *queue, bench_callers *callers, const bench_server *server, bench_life *out)
{
    bench_usage before = { 0 }, after = { 0 };
    double seconds = 0;

    if (bench_usage_read(queue->run, server, &before) != 0 ||
        bench_team_run(queue->run, callers->threads, bench_callers_work, callers, &seconds) != 0 ||
        bench_usage_read(queue->run, server, &after) != 0)
        return -1;
    bench_usage_add(&out->enqueue, &before, &after, seconds);
    return 0;
}

/* From the start of the worker, which has yet to connect, to the last finish that the server knows of. */
static int
work_off(bench_queue *queue, bench_crew *crew, const bench_server *server, bench_life *out)
{
    bench_usage before = { 0 }, after = { 0 };
    int64_t start_ns;
    double seconds;

    if (bench_usage_read(queue->run, server, &before) != 0)
        return -1;
    start_ns = bench_now_ns();
    if (bench_crew_start(crew, queue, BENCH_CREW_IDS) != 0 || bench_crew_wait(crew, out->jobs) != 0)
        return -1;
    seconds = (double)(bench_now_ns() - start_ns) / 1e9;
    if (bench_usage_read(queue->run, server, &after) != 0)
        return -1;
    bench_usage_add(&out->finish, &before, &after, seconds);
    out->counts = crew->counts;
    return bench_crew_stop(crew);
}

static int
audit(const bench_callers *callers, const bench_crew *crew, bench_life *out)
{
    bench_moments in = { 0 }, handled = { 0 };
    int result = bench_callers_moments(callers, &in);

    if (result == 0)
        result = bench_crew_moments(crew, &handled);
    if (result == 0)
        out->audit = bench_moments_audit(&in, &handled);
    bench_moments_release(&in);
    bench_moments_release(&handled);
    return result;
}

static int
run_life(bench_queue *queue, const bench_server *server, bench_callers *callers, bench_crew *crew,
         bench_life *out)
{
    bench_run *run = queue->run;

    if (bench_callers_init(callers, run, queue->producer, out->jobs) != 0)
        return -1;
    bench_note(run, "enqueueing %lld messages, one a call", (long long)out->jobs);
    if (enqueue(queue, callers, server, out) != 0 || bench_count(queue, &out->after_enqueue) != 0)
        return -1;
    bench_note(run, "working them off");
    if (work_off(queue, crew, server, out) != 0 || bench_count(queue, &out->after_finish) != 0)
        return -1;
    return audit(callers, crew, out);
}

int
bench_life_run(bench_queue *queue, const bench_server *server, int64_t jobs, bench_life *out)
{
    bench_callers callers = { 0 };
    bench_crew crew = { 0 };
    int64_t archived;
    int result;

    *out = (bench_life){ .jobs = jobs };
    result = bench_count(queue, &out->after_finish);
    archived = out->after_finish.archived;
    if (result == 0)
        result = run_life(queue, server, &callers, &crew, out);
    out->after_finish.archived -= archived;
    bench_callers_release(&callers);
    bench_crew_release(&crew);
    return result;
}

int
bench_life_warm_up(bench_queue *queue, const bench_server *server)
{
    int64_t jobs = queue->run->options.jobs;
    bench_life life;

    if (bench_checkpoint(queue->run) != 0)
        return -1;
    return bench_life_run(queue, server, jobs < WARM_UP_JOBS ? jobs : WARM_UP_JOBS, &life);
}

double
bench_life_rate(const bench_life *life)
{
    return (double)life->jobs / (life->enqueue.seconds + life->finish.seconds);
}

int
bench_life_is_right(const bench_run *run, const bench_life *life)
{
    int64_t archived = run->options.finish == BENCH_FINISH_ARCHIVE ? life->jobs : 0;

    return life->after_enqueue.messages == life->jobs && life->after_finish.messages == 0 &&
           life->after_finish.archived == archived && life->counts.done == life->jobs &&
           life->counts.lost == 0 && life->audit.lost == 0 && life->audit.twice == 0;
}

static void
print_costs(bench_json *json, const bench_usage *usage, int64_t jobs)
{
    bench_json_number(json, "wal_bytes_per_job", (double)usage->wal_bytes / (double)jobs, 1);
    bench_json_number(json, "server_cpu_seconds", usage->server_cpu_seconds, 2);
    bench_json_number(json, "client_cpu_seconds", usage->client_cpu_seconds, 2);
}

static void
print_worker(bench_json *json, const pgqrs_worker_counts *counts)
{
    bench_json_begin(json, "worker", '{');
    bench_json_integer(json, "round_trips", counts->round_trips);
    bench_json_integer(json, "claims", counts->claims);
    bench_json_integer(json, "empty_claims", counts->empty_claims);
    bench_json_integer(json, "released", counts->released);
    bench_json_number(json, "finished_per_round_trip", (double)counts->done / (double)counts->round_trips, 1);
    bench_json_end(json, '}');
}

static int
print(const bench_run *run, bench_json *json, const bench_life *life)
{
    const double jobs = (double)life->jobs;
    bench_usage whole = life->enqueue;
    int is_right = bench_life_is_right(run, life);

    bench_usage_add(&whole, &(bench_usage){ 0 }, &life->finish, life->finish.seconds);
    bench_json_number(json, "enqueue_per_second", jobs / life->enqueue.seconds, 0);
    bench_json_number(json, "claim_finish_per_second", jobs / life->finish.seconds, 0);
    bench_json_number(json, "whole_life_per_second", bench_life_rate(life), 0);
    print_costs(json, &whole, life->jobs);
    bench_json_begin(json, "enqueue", '{');
    print_costs(json, &life->enqueue, life->jobs);
    bench_json_end(json, '}');
    bench_json_begin(json, "claim_finish", '{');
    print_costs(json, &life->finish, life->jobs);
    bench_json_end(json, '}');
    print_worker(json, &life->counts);
    bench_json_begin(json, "counted_in_database", '{');
    bench_json_integer(json, "enqueued", life->after_enqueue.messages);
    bench_json_integer(json, "left", life->after_finish.messages);
    bench_json_integer(json, "archived", life->after_finish.archived);
    bench_json_end(json, '}');
    bench_json_begin(json, "counted_by_client", '{');
    bench_json_integer(json, "finished", life->counts.done);
    bench_json_integer(json, "leases_lost", life->counts.lost);
    bench_json_integer(json, "lost", life->audit.lost);
    bench_json_integer(json, "handed_out_twice", life->audit.twice);
    bench_json_end(json, '}');
    bench_json_flag(json, "complete", is_right);
    return !is_right;
}

int
bench_threads_run(bench_run *run, bench_json *json)
{
    bench_queue queue = { 0 };
    bench_server server;
    bench_life life;
    int result = bench_server_find(run, &server);

    if (result == 0)
        result = bench_queue_open(&queue, run);
    if (result == 0)
        result = bench_life_warm_up(&queue, &server);
    if (result == 0)
        result = bench_life_run(&queue, &server, run->options.jobs, &life);
    bench_queue_drop(&queue);
    return result == 0 ? print(run, json, &life) : -1;
}
