#include "line/number.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* Adds one decimal digit. Counting downward covers INT64_MIN, which has no positive twin. 0, or -1
 * on overflow. */
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

/* The milliseconds of the unit `text`, of a number without one too; 0 if there is no such unit. */
static int64_t
unit_ms(const char *text)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = { { "", 1000 },     { "ms", 1 },      { "s", 1000 },    { "m", 60000 },
                  { "min", 60000 }, { "h", 3600000 }, { "d", 86400000 } };

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strcmp(units[i].name, text) == 0)
            return units[i].ms;
    return 0;
}

/* Reads a number with at most three decimals, in thousandths and negative; returns what follows it,
 * NULL if there is no such number. */
static const char *
read_thousandths(const char *p, int64_t *negative)
{
    *negative = 0;
    if (!is_digit(*p))
        return NULL;
    for (; is_digit(*p); p++)
        if (append_digit(negative, *p - '0') != 0)
            return NULL;
    if (*p == '.' && !is_digit(*++p))
        return NULL;
    for (int decimals = 0; decimals < 3; decimals++) {
        if (append_digit(negative, is_digit(*p) ? *p - '0' : 0) != 0)
            return NULL;
        p += is_digit(*p);
    }
    return p;
}

int
cli_duration_parse(const char *text, int64_t min, int64_t max, int64_t *out)
{
    int64_t negative, unit;
    const char *end = read_thousandths(text, &negative);

    if (end == NULL)
        return -1;
    unit = unit_ms(end);
    if (unit == 0)
        return -1;
    if (unit >= 1000) {
        unit /= 1000;
        return negative < INT64_MIN / unit ? -1 : finish(negative * unit, 0, min, max, out);
    }
    return negative % 1000 == 0 ? finish(negative / 1000, 0, min, max, out) : -1;
}

void
cli_duration_format(int64_t ms, char text[CLI_DURATION_SIZE])
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = { { "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 } };
    size_t i = 0;

    while (ms % units[i].ms != 0)
        i++;
    if (ms == 0)
        snprintf(text, CLI_DURATION_SIZE, "0");
    else
        snprintf(text, CLI_DURATION_SIZE, "%" PRId64 "%s", ms / units[i].ms, units[i].name);
}
