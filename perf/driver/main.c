/*
 * What perf/compare and perf/soak measure in C:
 *
 *   perf-driver MODE NAME=VALUE...
 *
 *   life, threads, pickup    as `pgqrs bench`, and server_cpu_us_per_job; WAY=pgqrs, plain or
 *                            plain-unflushed
 *   wake-ups                 enqueue with wake-ups on and off
 *   held                     a fixed rate, RATE messages a second for SECONDS, while a transaction
 *                            is open
 *   twins                    a claim with BACKLOG waiting or DELAYED delayed messages in the queue
 *
 * Other names: jobs, batch, callers, workers, rounds, warm-up. PGQRS_DSN says where the database
 * is, with pgqrs installed; PERF_SERVER_PID which process the server is. Prints one JSON object;
 * exit code 1 after a failure.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"

struct command {
    const char *mode;
    bench_options options;
    driver_numbers numbers;
    int64_t warm_up;
    const char *way;
};

static volatile sig_atomic_t ended_by;

static void
note_signal(int number)
{
    ended_by = number;
}

static int
interrupted(void)
{
    return ended_by;
}

static int
exit_code(pgqrs_status status)
{
    return status == PGQRS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void
die(const char *what, const char *argument)
{
    fprintf(stderr, "perf-driver: %s \"%s\"; see the head of perf/driver/main.c\n", what, argument);
    exit(EXIT_FAILURE);
}

static void
parse_one(struct command *command, const char *word)
{
    const struct {
        const char *name;
        int64_t *number;
        const char **text;
    } names[] = {
        { "jobs=", &command->options.jobs, NULL },
        { "batch=", &command->options.batch, NULL },
        { "callers=", &command->options.callers, NULL },
        { "workers=", &command->options.workers, NULL },
        { "rounds=", &command->options.rounds, NULL },
        { "warm-up=", &command->warm_up, NULL },
        { "rate=", &command->numbers.rate, NULL },
        { "seconds=", &command->numbers.seconds, NULL },
        { "backlog=", &command->numbers.backlog, NULL },
        { "delayed=", &command->numbers.delayed, NULL },
        { "way=", NULL, &command->way },

    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        size_t size = strlen(names[i].name);
        char *end = NULL;

        if (strncmp(word, names[i].name, size) != 0)
            continue;
        if (names[i].text != NULL)
            *names[i].text = word + size;
        else
            *names[i].number = strtoll(word + size, &end, 10);
        if (end != NULL && (end == word + size || *end != '\0'))
            die("this takes a whole number:", word);
        return;
    }
    die("there is no such setting:", word);
}

static struct command
parse(int argc, char **argv)
{
    struct command command = { .mode = argc > 1 ? argv[1] : "",
                               .options = { .jobs = 200000,
                                            .batch = 1,
                                            .callers = 1,
                                            .workers = 1,
                                            .payload_bytes = 100,
                                            .rounds = 1 },
                               .way = "pgqrs" };

    for (int i = 2; i < argc; i++)
        parse_one(&command, argv[i]);
    return command;
}

static pgqrs_client *
open_client(const struct command *command, const char *wake_ups)
{
    pgqrs_error *err = pgqrs_error_new();
    pgqrs_config *config = NULL;
    pgqrs_client *client = NULL;
    pgqrs_status status = pgqrs_config_new(&config, err);
    char connections[24];

    snprintf(connections, sizeof(connections), "%lld",
             (long long)(command->options.callers + command->options.workers + 2));
    if (status == PGQRS_OK)
        status = pgqrs_config_load_environment(config, err);
    if (status == PGQRS_OK)
        status = pgqrs_config_set(config, pgqrs_slice_of("max_connections"),
                                  pgqrs_slice_of(connections), err);
    if (status == PGQRS_OK)
        status =
            pgqrs_config_set(config, pgqrs_slice_of("wake_ups"), pgqrs_slice_of(wake_ups), err);
    if (status == PGQRS_OK)
        status = pgqrs_client_open(config, &client, err);
    if (status != PGQRS_OK)
        die("could not begin:", pgqrs_error_message(err));
    pgqrs_config_free(config);
    pgqrs_error_free(err);
    return client;
}

static const bench_way *
find_way(const struct command *command)
{
    if (strcmp(command->way, "plain") == 0)
        return &driver_plain;
    if (strcmp(command->way, "plain-unflushed") == 0)
        return &driver_plain_unflushed;
    return strcmp(command->mode, "life") == 0 ? &bench_batches : &bench_jobs;
}

static bool
measure(bench_run *run, const struct command *command, FILE *out)
{
    bench_contest contest = { { find_way(command), NULL }, true, command->warm_up };
    const char *mode = command->mode;

    if (contest.ways[0] == &bench_batches)
        contest.ways[1] = &bench_bare;
    if (strcmp(mode, "life") == 0 || strcmp(mode, "threads") == 0)
        return bench_contest_run(run, &contest, out);
    if (strcmp(mode, "pickup") == 0)
        return bench_pickup_run(run, contest.ways[0], out);
    if (strcmp(mode, "held") == 0)
        return driver_held_run(run, &command->numbers, out);
    if (strcmp(mode, "twins") == 0)
        return driver_twins_run(run, &command->numbers, out);
    pgqrs_client *quiet = open_client(command, "false");
    bool is_right = driver_wakes_run(run, quiet, out);

    pgqrs_client_close(quiet);
    return is_right;
}

int
main(int argc, char **argv)
{
    const struct sigaction action = { .sa_handler = note_signal };
    struct command command = parse(argc, argv);
    bench_host host = { .conninfo = getenv("PGQRS_DSN"),
                        .exit_code = exit_code,
                        .interrupted = interrupted,
                        .server_cpu = driver_server_cpu };
    bench_run run;
    bool is_right;
    int code;

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    host.client = open_client(&command, "true");
    bench_run_init(&run, &host, &command.options);
    printf("{\n  \"mode\": \"%s\"", command.mode);
    is_right = measure(&run, &command, stdout);
    printf(",\n  \"complete\": %s\n}\n", is_right ? "true" : "false");
    code = bench_run_release(&run);
    pgqrs_client_close(host.client);
    return code != 0 || is_right ? code : EXIT_FAILURE;
}
