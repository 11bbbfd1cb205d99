#include "base/rate.h"

void
pgqrsi_rate_init(pgqrsi_rate *rate, int64_t per_second, int64_t now_ms)
{
    rate->per_second = per_second;
    rate->credit = per_second * 1000;
    rate->filled_ms = now_ms;
}

int
pgqrsi_rate_take(pgqrsi_rate *rate, int64_t count, int64_t now_ms)
{
    int64_t full = rate->per_second * 1000;
    int64_t elapsed = now_ms - rate->filled_ms;

    if (rate->per_second == 0)
        return 1;
    /* Beyond this the bucket is full, and the product below could overflow. */
    if (elapsed > (full - rate->credit) / rate->per_second)
        rate->credit = full;
    else if (elapsed > 0)
        rate->credit += elapsed * rate->per_second;
    if (elapsed > 0) /* threads may ask in another order than they read the clock */
        rate->filled_ms = now_ms;
    if (rate->credit < count * 1000 && rate->credit < full)
        return 0;
    rate->credit -= count * 1000;
    return 1;
}
