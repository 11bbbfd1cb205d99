/*
 * What the server and this process spent, and what the database really holds.
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include "queue.h"
#include "run.h"

/** Where the server's processes are: 0 if they are out of sight (another machine, a pooler, no /proc). */
typedef struct bench_server {
    int64_t postmaster_pid;
} bench_server;

/** A reading, or the sum of differences of readings. */
typedef struct bench_usage {
    double seconds; /* of phases */
    int64_t wal_bytes;
    double client_cpu_seconds;
    double server_cpu_seconds; /* NaN: out of sight */
} bench_usage;

/** What SQL counts in a queue. */
typedef struct bench_counts {
    int64_t messages; /* in both lanes */
    int64_t archived;
} bench_counts;

/** The server's statistics of a queue's ready leaf. */
typedef struct bench_updates {
    int64_t updates, hot_updates, dead_rows, table_bytes, index_bytes;
} bench_updates;

/** 0 or -1. */
int bench_server_find(bench_run *run, bench_server *out);

/** CPU seconds of all of the server's processes, ended ones included; NaN if they are out of sight. */
double bench_server_cpu(const bench_server *server);

/** Takes a reading. 0 or -1. */
int bench_usage_read(bench_run *run, const bench_server *server, bench_usage *out);

/** Adds what was spent between two readings, in a phase of `seconds`. */
void bench_usage_add(bench_usage *total, const bench_usage *before, const bench_usage *after, double seconds);

/** 0 or -1. */
int bench_count(bench_queue *queue, bench_counts *out);

/** Full page images in the log, as far as reported: disconnect first. 0 or -1. */
int bench_wal_images(bench_run *run, int64_t *out);

/** Waits a few seconds at most until the server's statistics show at least `expected` updates. 0 or -1. */
int bench_updates_read(bench_queue *queue, int64_t expected, bench_updates *out);

/** So that parts start alike; where the server refuses it, the run notes that. 0 or -1. */
int bench_checkpoint(bench_run *run);

#endif
