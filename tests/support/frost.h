/*
 * A server that does not answer any more, and a watchdog for threads that wait for it.
 */
#ifndef TS_FROST_H
#define TS_FROST_H

#include "cluster.h"

/** Stops all processes of a server where they are; they keep their connections. */
void ts_cluster_freeze(const ts_cluster *cluster);

/** Lets them go on. */
void ts_cluster_thaw(const ts_cluster *cluster);

typedef struct ts_watchdog ts_watchdog;

/** Begins to watch the calling thread, from a thread of its own. */
ts_watchdog *ts_watchdog_start(void);

/** The thread that is watched enters a call that must not block, and leaves it. */
void ts_watchdog_enter(ts_watchdog *watchdog);
void ts_watchdog_leave(ts_watchdog *watchdog);

/** The longest time in milliseconds that the thread slept in one such call. Time in which it had no
 * processor does not count, so this is the same on a busy machine. */
long ts_watchdog_worst_ms(const ts_watchdog *watchdog);

/** Ends the watch and frees it. */
void ts_watchdog_stop(ts_watchdog *watchdog);

#endif
