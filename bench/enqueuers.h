/*
 * Many threads that enqueue one message a call through one client, next to as many connections that each run
 * one INSERT a message into the same table: what it gains that the client gathers concurrent calls.
 */
#ifndef BENCH_ENQUEUERS_H
#define BENCH_ENQUEUERS_H

#include "json.h"
#include "run.h"

/** Prints its fields into `json`. Returns 0; 1 if messages were lost; -1 with the failure recorded. */
int bench_enqueuers_run(bench_run *run, bench_json *json);

#endif
