/*
 * What a worker costs that has nothing to do: memory, statements, log.
 */
#ifndef BENCH_IDLE_H
#define BENCH_IDLE_H

#include "json.h"
#include "run.h"

/** Prints its fields into `json`. Returns 0, or -1 with the failure
 * recorded. */
int bench_idle_run(bench_run *run, bench_json *json);

#endif
