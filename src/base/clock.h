/*
 * This process's clock, for deadlines of calls and for pacing. Leases and due times use the
 * server's clock.
 */
#ifndef PGQRSI_BASE_CLOCK_H
#define PGQRSI_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/** "No deadline", and "never" of a point in time. */
#define PGQRSI_CLOCK_NEVER INT64_MAX

/** Milliseconds of the monotonic clock. */
int64_t pgqrsi_clock_ms(void);

/** Milliseconds of the clock that goes on while the machine sleeps: how long a lease has been
 * held. */
int64_t pgqrsi_clock_boot_ms(void);

/** Microseconds of the monotonic clock. */
int64_t pgqrsi_clock_us(void);

/** Milliseconds left until `deadline_ms`, at least 0, at most INT_MAX: what poll(2) takes. */
int pgqrsi_clock_left_ms(int64_t deadline_ms);

/** A time or a pause as system calls take it. */
struct timespec pgqrsi_clock_timespec(int64_t ms);

#endif
