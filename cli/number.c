#include "number.h"

/* Adds one decimal digit. Counting downward covers INT64_MIN, which has no positive twin. 0, or -1 on
 * overflow. */
static int
append_digit(int64_t *negative, int digit)
{
    if (*negative < (INT64_MIN + digit) / 10)
        return -1;
    *negative = *negative * 10 - digit;
    return 0;
}

static int
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int
finish(int64_t negative, int minus, int64_t min, int64_t max, int64_t *out)
{
    int64_t value;

    if (!minus && negative == INT64_MIN)
        return -1;
    value = minus ? negative : -negative;
    if (value < min || value > max)
        return -1;
    *out = value;
    return 0;
}

int
cli_number_parse(const char *text, int64_t min, int64_t max, int64_t *out)
{
    int minus = *text == '-';
    const char *p = text + minus;
    int64_t negative = 0;

    if (*p == '\0')
        return -1;
    for (; *p != '\0'; p++)
        if (!is_digit(*p) || append_digit(&negative, *p - '0') != 0)
            return -1;
    return finish(negative, minus, min, max, out);
}

int
cli_seconds_parse(const char *text, int64_t min, int64_t max, int64_t *out)
{
    const char *p = text;
    int64_t negative = 0;

    if (!is_digit(*p))
        return -1;
    for (; is_digit(*p); p++)
        if (append_digit(&negative, *p - '0') != 0)
            return -1;
    if (*p == '.' && !is_digit(*++p))
        return -1;
    for (int decimals = 0; decimals < 3; decimals++) {
        if (append_digit(&negative, is_digit(*p) ? *p - '0' : 0) != 0)
            return -1;
        p += is_digit(*p);
    }
    return *p == '\0' ? finish(negative, 0, min, max, out) : -1;
}
