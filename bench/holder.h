/*
 * A transaction that is held open on a connection of its own.
 */
#ifndef BENCH_HOLDER_H
#define BENCH_HOLDER_H

#include "run.h"

/** Opens it as the run's options ask; *out is NULL for BENCH_HOLD_NONE. 0 or -1. */
int bench_holder_begin(bench_run *run, PGconn **out);

/** Fails if the server does not see a horizon or transaction id of `holder` any more: then nothing was
 * measured. */
int bench_holder_prove(bench_run *run, PGconn *holder);

/** Rolls back and disconnects; NULL is fine. */
void bench_holder_end(PGconn *holder);

#endif
