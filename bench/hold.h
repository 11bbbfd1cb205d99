/*
 * The endurance measurement: a fixed rate for a fixed time while somebody holds a transaction open, so that
 * no dead row can be removed. A queue that walks over them slows down from second to second.
 *
 * Each producer has a schedule: its batches are due at fixed moments. One that is late sends at once, but
 * never more than one batch late: what it could not send in time is skipped and counted, so that a server
 * that cannot keep up shows as a lower rate and not as a burst later.
 */
#ifndef BENCH_HOLD_H
#define BENCH_HOLD_H

#include "json.h"
#include "run.h"

/** As bench_throughput_run. */
int bench_hold_run(bench_run *run, bench_json *json);

#endif
