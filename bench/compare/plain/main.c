/*
 * The plain queue's client, told by peers/plain.js on standard input what to do, one command a line:
 *
 *   plain-client FOLDER CLAIM CALLERS WORKERS BATCH PAYLOAD
 *
 *   enqueue JOBS          {"seconds", "cpu_seconds"}
 *   drain JOBS            {"seconds", "cpu_seconds"}
 *   work, rest            {}: workers are started, and stopped again
 *   pickup COUNT RATE     the figures of plain_pickup_measure; between both
 *
 * FOLDER has the statements, CLAIM is "claim" or "claim_unflushed". Answers are one line of JSON each. The
 * server is the one that libpq's environment names; its table has been made already. Ends with its input.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plain.h"

static int64_t
number(const char *name, const char *text, int64_t most)
{
    char *end;
    long long value = strtoll(text, &end, 10);

    if (end == text || *end != '\0' || value < 1 || value > most)
        plain_die("%s must be a whole number from 1 to %lld, not \"%s\"", name, (long long)most, text);
    return value;
}

static void
obey(plain_queue *plain, struct plain_pickup **pickup, const char *line)
{
    plain_usage usage;
    long long count;
    double rate;

    if (strcmp(line, "work\n") == 0 && *pickup == NULL) {
        *pickup = plain_pickup_start(plain);
        puts("{}");
    } else if (strcmp(line, "rest\n") == 0 && *pickup != NULL) {
        plain_pickup_stop(*pickup);
        *pickup = NULL;
        puts("{}");
    } else if (sscanf(line, "pickup %lld %lf", &count, &rate) == 2 && count > 0 && rate >= 0 &&
               *pickup != NULL) {
        plain_pickup_measure(*pickup, count, rate);
    } else if (sscanf(line, "enqueue %lld", &count) == 1 && count > 0) {
        usage = plain_enqueue(plain, count);
        printf("{\"seconds\": %.6f, \"cpu_seconds\": %.6f}\n", usage.seconds, usage.cpu_seconds);
    } else if (sscanf(line, "drain %lld", &count) == 1 && count > 0) {
        usage = plain_drain(plain, count);
        printf("{\"seconds\": %.6f, \"cpu_seconds\": %.6f}\n", usage.seconds, usage.cpu_seconds);
    } else {
        plain_die("there is no command \"%.40s\" here; see the head of main.c", line);
    }
}

int
main(int argc, char **argv)
{
    plain_queue plain = { 0 };
    struct plain_pickup *pickup = NULL;
    char line[256];

    if (argc != 7)
        plain_die("expected FOLDER CLAIM CALLERS WORKERS BATCH PAYLOAD");
    plain.folder = argv[1];
    plain.claim = argv[2];
    plain.callers = (size_t)number("CALLERS", argv[3], 256);
    plain.workers = (size_t)number("WORKERS", argv[4], 256);
    plain.batch = (int32_t)number("BATCH", argv[5], 10000);
    plain.payload = argv[6];
    plain_open(&plain);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        obey(&plain, &pickup, line);
        if (fflush(stdout) != 0)
            plain_die("could not write to standard output");
    }
    if (pickup != NULL)
        plain_pickup_stop(pickup);
    plain_close(&plain);
    return 0;
}
