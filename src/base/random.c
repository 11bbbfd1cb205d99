#include "base/random.h"

#include <errno.h>
#include <sys/random.h>

int64_t
pgqrsi_random_token(void)
{
    uint64_t bits = 0;
    ssize_t got;

    do {
        got = getrandom(&bits, sizeof(bits), 0);
        if (got < 0 && errno != EINTR)
            return 0;
        bits >>= 1;
    } while (got != (ssize_t)sizeof(bits) || bits == 0);
    return (int64_t)bits;
}

int64_t
pgqrsi_random_jitter(int64_t value)
{
    int64_t spread = value / 5;

    return spread > 0 ? value - spread + pgqrsi_random_token() % (2 * spread + 1) : value;
}
