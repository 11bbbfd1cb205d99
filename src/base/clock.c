#include "base/clock.h"

#include <limits.h>
#include <time.h>

static int64_t
read_us(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t
pgqrsi_clock_ms(void)
{
    return read_us(CLOCK_MONOTONIC) / 1000;
}

int64_t
pgqrsi_clock_boot_ms(void)
{
    return read_us(CLOCK_BOOTTIME) / 1000;
}

int64_t
pgqrsi_clock_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int
pgqrsi_clock_left_ms(int64_t deadline_ms)
{
    int64_t now = pgqrsi_clock_ms();

    if (deadline_ms <= now)
        return 0;
    return deadline_ms - now > INT_MAX ? INT_MAX : (int)(deadline_ms - now);
}

struct timespec
pgqrsi_clock_timespec(int64_t ms)
{
    return (struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
}
