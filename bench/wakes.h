/*
 * Enqueue with wake-ups on and nobody asleep, next to the same with wake-ups off, in turn.
 */
#ifndef BENCH_WAKES_H
#define BENCH_WAKES_H

#include "json.h"
#include "run.h"

/** Prints its fields into `json`. Returns 0; 1 if something was lost or handed out twice; -1 with the failure
 * recorded. */
int bench_wakes_run(bench_run *run, bench_json *json);

#endif
