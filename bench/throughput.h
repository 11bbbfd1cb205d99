/*
 * The default measurement: all jobs in, all jobs out, as fast as it goes, next to the bare statements.
 */
#ifndef BENCH_THROUGHPUT_H
#define BENCH_THROUGHPUT_H

#include "json.h"
#include "run.h"

/** Prints its fields into `json`. Returns 0; 1 if something was lost or handed out twice; -1 with the failure
 * recorded. */
int bench_throughput_run(bench_run *run, bench_json *json);

#endif
