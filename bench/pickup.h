/*
 * How soon a worker has a job: from the enqueue's return, and from its call, to the handler's start; beside
 * it the round trip of the least that the server can be asked, at the same pace.
 */
#ifndef BENCH_PICKUP_H
#define BENCH_PICKUP_H

#include "json.h"
#include "run.h"

/** Prints its fields into `json`. Returns 0; 1 if something was lost or handed out twice; -1 with the failure
 * recorded. */
int bench_pickup_run(bench_run *run, bench_json *json);

#endif
