/*
 * What the primary of a standby waits for when it commits.
 *
 *     ts_cluster *primary = ts_cluster_start("fsync = on\n");
 *     ts_cluster *standby = ts_cluster_standby(primary);
 *     ts_standby_require(primary);                    from now on a commit waits for the standby
 *     ts_cluster_stop(standby, TS_STOP_IMMEDIATE);    ... in vain
 *     ts_standby_cancel_waits(primary);
 *     ts_cluster_stop(primary, TS_STOP_IMMEDIATE);
 *     ts_cluster_restart(standby);
 *     ts_cluster_promote(standby);                    what a client was told must be there
 *
 * A standby that was frozen instead still reads what had been sent to it when it is thawed.
 */
#ifndef TS_STANDBY_H
#define TS_STANDBY_H

#include "cluster.h"

/** Makes commits of `primary` wait until its standby has them on disk; returns when a standby is
 * there that they wait for. Also after the standby was away. */
void ts_standby_require(const ts_cluster *primary);

/** Commits wait for no standby any more; also those that wait already. */
void ts_standby_release(const ts_cluster *primary);

/** Returns when `standby` shows everything that `primary` had committed when this was called. */
void ts_standby_await_replay(const ts_cluster *primary, const ts_cluster *standby);

/** Returns when at least `count` sessions of `primary` wait for the standby to confirm their
 * commits. */
void ts_standby_await_waiting(const ts_cluster *primary, int count);

/** Cancels these waits, as an administrator or a statement's timeout does: each session is told
 * that its commit is done, with a warning that it may not be on the standby. Returns how many. */
int ts_standby_cancel_waits(const ts_cluster *primary);

#endif
