#include "worker/notification.h"

#include <string.h>

/* The digits of a number, whose value is at most `limit`. */
static int
read_magnitude(const char **text, uint64_t limit, uint64_t *out)
{
    const char *at = *text;
    uint64_t value = 0;

    if (*at == '0' && at[1] >= '0' && at[1] <= '9')
        return 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        uint64_t digit = (uint64_t)(*at - '0');

        if (value > (limit - digit) / 10)
            return 0;
        value = value * 10 + digit;
    }
    if (at == *text)
        return 0;
    *text = at;
    *out = value;
    return 1;
}

/* A bigint as the server writes it, followed by a space or the end. The magnitude of a negative one
 * can be greater by one. */
static int
read_number(const char **text, int64_t *out)
{
    const char *at = *text;
    int is_negative = *at == '-';
    uint64_t magnitude;

    at += is_negative;
    if (!read_magnitude(&at, (uint64_t)INT64_MAX + (uint64_t)is_negative, &magnitude))
        return 0;
    if ((is_negative && magnitude == 0) || (*at != ' ' && *at != '\0'))
        return 0;
    *out = is_negative ? -(int64_t)(magnitude - 1) - 1 : (int64_t)magnitude;
    *text = at;
    return 1;
}

static int
skip(const char **text, const char *beginning)
{
    size_t length = strlen(beginning);

    if (strncmp(*text, beginning, length) != 0)
        return 0;
    *text += length;
    return 1;
}

static int
read_kind(const char **text, pgqrsi_notification_kind *out)
{
    *out = PGQRSI_NOTIFICATION_WAKE;
    if (skip(text, "1 wake "))
        return 1;
    *out = PGQRSI_NOTIFICATION_CANCEL;
    return skip(text, "1 cancel ");
}

int
pgqrsi_notification_parse(const char *text, pgqrsi_notification *out)
{
    pgqrsi_notification read = { PGQRSI_NOTIFICATION_WAKE, 0, 0 };

    if (!read_kind(&text, &read.kind) || !read_number(&text, &read.key))
        return 0;
    if (read.kind == PGQRSI_NOTIFICATION_CANCEL &&
        !(skip(&text, " ") && read_number(&text, &read.id)))
        return 0;
    if (*text != '\0')
        return 0;
    *out = read;
    return 1;
}
