/*
 * The measurement of a claim with many delayed messages in the queue, next to a twin queue without them. One
 * thread claims from both in turn, so that whatever else the machine does hits both alike.
 */
#ifndef BENCH_DELAYED_H
#define BENCH_DELAYED_H

#include "json.h"
#include "run.h"

/** As bench_throughput_run. */
int bench_delayed_run(bench_run *run, bench_json *json);

#endif
