/*
 * The measurement of a claim with many messages in the queue, delayed ones or a backlog, next to a twin queue
 * without them. One thread works on both in turn, so that whatever else the machine does hits both alike.
 */
#ifndef BENCH_TWINS_H
#define BENCH_TWINS_H

#include "json.h"
#include "run.h"

/** As bench_throughput_run. */
int bench_twins_run(bench_run *run, bench_json *json);

#endif
