#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static const char *const hold_names[] = { "none", "read-only", "xid", NULL };
static const char *const finish_names[] = { "delete", "archive", NULL };

/* One row an option with a number. */
static const struct row {
    const char *name;
    size_t offset; /* in bench_options */
    int64_t default_value, min, max;
    const char *description;
} rows[] = {
    { "jobs", offsetof(bench_options, jobs), 200000, 1, 100000000, "messages to enqueue and finish" },
    { "batch", offsetof(bench_options, batch), 100, 1, 10000, "messages in one enqueue, claim and finish" },
    { "producers", offsetof(bench_options, producers), 1, 1, 256, "threads that enqueue" },
    { "workers", offsetof(bench_options, workers), 4, 1, 256, "threads that claim and finish" },
    { "payload-bytes", offsetof(bench_options, payload_bytes), 100, 16, 67108864, "size of a payload" },
    { "rounds", offsetof(bench_options, rounds), 1, 1, 100, "measure so often, report medians" },
    { "rate", offsetof(bench_options, rate), 8000, 1, 10000000,
      "with --hold-transaction: messages a second" },
    { "seconds", offsetof(bench_options, seconds), 60, 2, 86400, "with --hold-transaction: for how long" },
    { "delayed", offsetof(bench_options, delayed), 0, 1, 100000000,
      "compare a claim with and without so many messages that are due in an hour" },
    { "backlog", offsetof(bench_options, backlog), 0, 1, 100000000,
      "compare a claim with and without so many messages that wait in the queue" },
    { "enqueuers", offsetof(bench_options, enqueuers), 0, 1, 256,
      "compare so many threads that enqueue one message a call with as many connections" },
    { "threads", offsetof(bench_options, threads), 0, 1, 256,
      "one job a call: so many callers, and a worker with so many threads" },
};

#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

/* The options without a value: each is a mode. */
static const struct flag {
    const char *name;
    bench_mode mode;
    const char *description;
} flags[] = {
    { "pickup", BENCH_MODE_PICKUP, "how soon an idle and a half busy worker have a job" },
    { "wake-ups", BENCH_MODE_WAKE_UPS, "compare enqueues with wake-ups on and off, nobody asleep" },
    { "idle", BENCH_MODE_IDLE, "what a worker costs that has nothing to do" },
};

#define FLAG_COUNT (sizeof(flags) / sizeof(flags[0]))

/* For --pickup and --idle, unless --threads is given. */
#define DEFAULT_THREADS 8

enum { OPTION_FLAG = 500, OPTION_FINISH = 1000, OPTION_HOLD, OPTION_HELP };

const char *
bench_hold_name(bench_hold hold)
{
    return hold_names[hold];
}

const char *
bench_finish_name(bench_finish finish)
{
    return finish_names[finish];
}

static int64_t *
field(bench_options *options, const struct row *row)
{
    return (int64_t *)(void *)((char *)options + row->offset);
}

static void
print_help(void)
{
    printf("Usage: pgqrs bench [OPTION...]\n\n"
           "Measures jobs a second on a queue of its own, which it removes again; prints JSON.\n\n");
    for (size_t i = 0; i < ROW_COUNT; i++) {
        printf("  --%-18s N  %s", rows[i].name, rows[i].description);
        if (rows[i].default_value > 0)
            printf(" (default %lld)", (long long)rows[i].default_value);
        printf("\n");
    }
    for (size_t i = 0; i < FLAG_COUNT; i++)
        printf("  --%-18s    %s\n", flags[i].name, flags[i].description);
    printf("  --%-18s W  delete or archive (default delete)\n", "finish");
    printf("  --%-18s W  read-only, xid or none: a fixed rate with such a transaction open\n",
           "hold-transaction");
}

static int
parse_number(const struct row *row, const char *text, int64_t max, int64_t *out)
{
    char *end;
    long long number;

    errno = 0;
    number = strtoll(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || number < row->min || number > max) {
        fprintf(stderr, "pgqrs bench: --%s takes a whole number from %lld to %lld, not \"%.40s\"\n",
                row->name, (long long)row->min, (long long)max, text);
        return EX_USAGE;
    }
    *out = number;
    return 0;
}

/* "none, read-only or xid" */
static void
print_words(FILE *out, const char *const *names)
{
    for (int i = 0; names[i] != NULL; i++)
        fprintf(out, "%s%s", i == 0 ? "" : names[i + 1] != NULL ? ", " : " or ", names[i]);
}

static int
refuse_word(const char *option, const char *text, const char *const *names)
{
    fprintf(stderr, "pgqrs bench: --%s takes ", option);
    print_words(stderr, names);
    if (text != NULL)
        fprintf(stderr, ", not \"%.40s\"\n", text);
    else
        fprintf(stderr, "; the value is missing\n");
    return EX_USAGE;
}

static int
parse_word(const char *option, const char *text, const char *const *names, int *out)
{
    for (int i = 0; names[i] != NULL; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = i;
            return 0;
        }
    }
    return refuse_word(option, text, names);
}

static int
refuse(const char *what, const char *argument)
{
    fprintf(stderr, "pgqrs bench: %s \"%.40s\"; see pgqrs bench --help\n", what,
            argument != NULL ? argument : "");
    return EX_USAGE;
}

static int
parse_one(int found, int64_t max_payload_bytes, bench_options *options)
{
    int word = 0, status;

    if (found >= OPTION_FLAG && found < OPTION_FLAG + (int)FLAG_COUNT) {
        options->flags |= 1U << flags[found - OPTION_FLAG].mode;
        return 0;
    }
    switch (found) {
    case OPTION_FINISH:
        status = parse_word("finish", optarg, finish_names, &word);
        options->finish = (bench_finish)word;
        return status;
    case OPTION_HOLD:
        status = parse_word("hold-transaction", optarg, hold_names, &word);
        options->hold = (bench_hold)word;
        options->mode = BENCH_MODE_PACED;
        return status;
    case OPTION_HELP:
        options->help = 1;
        return 0;
    default: {
        const struct row *row = &rows[found];
        int is_payload = row->offset == offsetof(bench_options, payload_bytes);
        int64_t max = is_payload && max_payload_bytes < row->max ? max_payload_bytes : row->max;

        return parse_number(row, optarg, max, field(options, row));
    }
    }
}

static const char *
mode_option(const bench_options *options)
{
    for (size_t i = 0; i < FLAG_COUNT; i++)
        if (flags[i].mode == options->mode)
            return flags[i].name;
    return "threads";
}

/* 1 if the option of `row` means something in the mode, which is one of those that measure a worker, or
 * wake-ups. */
static int
is_used(const struct row *row, bench_mode mode)
{
    switch (row->offset) {
    case offsetof(bench_options, threads):
        return mode != BENCH_MODE_WAKE_UPS;
    case offsetof(bench_options, jobs):
    case offsetof(bench_options, payload_bytes):
        return mode != BENCH_MODE_IDLE;
    case offsetof(bench_options, producers):
    case offsetof(bench_options, batch):
        return mode == BENCH_MODE_WAKE_UPS;
    default:
        return 0;
    }
}

/* The modes that measure a worker, and wake-ups: after all others are known. */
static int
choose_mode(bench_options *options, int64_t given)
{
    char text[80];

    if (options->threads == 0 && options->flags == 0)
        return 0;
    if ((options->flags & (options->flags - 1)) != 0)
        return refuse("only one can be measured at a time:", "--pickup, --wake-ups or --idle");
    if (options->mode == BENCH_MODE_PACED)
        return refuse("--threads, --pickup, --wake-ups and --idle cannot be combined with",
                      "--hold-transaction");
    options->mode = BENCH_MODE_THREADS;
    for (size_t i = 0; i < FLAG_COUNT; i++)
        if (options->flags == 1U << flags[i].mode)
            options->mode = flags[i].mode;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if ((given & INT64_C(1) << i) == 0 || is_used(&rows[i], options->mode))
            continue;
        snprintf(text, sizeof(text), "--%s cannot be combined with --%s:", rows[i].name,
                 mode_option(options));
        return refuse(text, "it would mean nothing");
    }
    if (options->mode == BENCH_MODE_WAKE_UPS)
        return 0;
    if (options->threads == 0)
        options->threads = DEFAULT_THREADS;
    options->producers = options->workers = options->threads;
    options->batch = 1;
    return 0;
}

/* An option that would be ignored is a mistake of whoever gave it. */
static int
check_together(const bench_options *options, int64_t given)
{
    const char *twins = options->delayed > 0 ? "--delayed" : options->backlog > 0 ? "--backlog" : NULL;
    int64_t pace = 0;

    for (size_t i = 0; i < ROW_COUNT; i++)
        if (rows[i].offset == offsetof(bench_options, rate) ||
            rows[i].offset == offsetof(bench_options, seconds))
            pace |= INT64_C(1) << i;
    if ((given & pace) != 0 && options->mode != BENCH_MODE_PACED)
        return refuse("--rate and --seconds need", "--hold-transaction");
    if (options->delayed > 0 && options->backlog > 0)
        return refuse("--delayed cannot be combined with", "--backlog");
    if (twins != NULL && options->mode == BENCH_MODE_PACED)
        return refuse(options->delayed > 0 ? "--delayed cannot be combined with"
                                           : "--backlog cannot be combined with",
                      "--hold-transaction");
    if (options->enqueuers > 0 && options->mode != BENCH_MODE_ENQUEUERS)
        return refuse("--enqueuers cannot be combined with", twins != NULL ? twins : "--hold-transaction");
    if (options->rounds > 1 && options->mode != BENCH_MODE_THROUGHPUT &&
        options->mode != BENCH_MODE_ENQUEUERS)
        return refuse("--rounds cannot be combined with", twins != NULL ? twins : "--hold-transaction");
    return 0;
}

int
bench_options_parse(int argc, char **argv, int64_t max_payload_bytes, bench_options *out)
{
    struct option table[ROW_COUNT + FLAG_COUNT + 4] = { { 0 } };
    int64_t given = 0;
    int found, status;

    *out = (bench_options){ 0 };
    for (size_t i = 0; i < ROW_COUNT; i++) {
        table[i] = (struct option){ rows[i].name, required_argument, NULL, (int)i };
        *field(out, &rows[i]) = rows[i].default_value;
    }
    table[ROW_COUNT] = (struct option){ "finish", required_argument, NULL, OPTION_FINISH };
    table[ROW_COUNT + 1] = (struct option){ "hold-transaction", required_argument, NULL, OPTION_HOLD };
    table[ROW_COUNT + 2] = (struct option){ "help", no_argument, NULL, OPTION_HELP };
    for (size_t i = 0; i < FLAG_COUNT; i++)
        table[ROW_COUNT + 3 + i] = (struct option){ flags[i].name, no_argument, NULL, OPTION_FLAG + (int)i };
    opterr = 0;
    optind = 0; /* glibc: start anew, whoever parsed before */
    for (;;) {
        found = getopt_long(argc, argv, "+:h", table, NULL);
        if (found < 0)
            break;
        if (found == 'h')
            found = OPTION_HELP;
        if (found == ':' && optopt == OPTION_HOLD)
            return refuse_word("hold-transaction", NULL, hold_names);
        if (found == ':' && optopt == OPTION_FINISH)
            return refuse_word("finish", NULL, finish_names);
        if (found == ':')
            return refuse("a value is missing after", argv[optind - 1]);
        if (found == '?')
            return refuse("there is no option", argv[optind - 1]);
        if (found < (int)ROW_COUNT)
            given |= INT64_C(1) << found;
        status = parse_one(found, max_payload_bytes, out);
        if (status != 0)
            return status;
    }
    if (out->help) {
        print_help();
        return 0;
    }
    if (optind < argc)
        return refuse("did not expect", argv[optind]);
    if ((out->delayed > 0 || out->backlog > 0) && out->mode != BENCH_MODE_PACED)
        out->mode = BENCH_MODE_TWINS;
    if (out->enqueuers > 0 && out->mode == BENCH_MODE_THROUGHPUT)
        out->mode = BENCH_MODE_ENQUEUERS;
    status = choose_mode(out, given);
    return status != 0 ? status : check_together(out, given);
}
