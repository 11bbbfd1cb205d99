#include "worker/notification.h"

#include <stddef.h>
#include <string.h>

/* Of a number below zero the magnitude may be greater by one. */
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

/* A bigint as the server writes it, with nothing before it, and a space or the end after it. */
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
read_id(const char **list, int64_t *out)
{
    return skip(list, " ") && read_number(list, out);
}

/* Up to the end; 0 if anything else is there. */
static size_t
count_ids(const char *list, int64_t lowest)
{
    size_t count = 0;
    int64_t id;

    for (; *list != '\0'; count++)
        if (!read_id(&list, &id) || id < lowest)
            return 0;
    return count;
}

int
pgqrsi_notification_parse(const char *text, pgqrsi_notification *out)
{
    pgqrsi_notification read = { PGQRSI_NOTIFICATION_WAKE, 0, NULL };
    size_t count;

    if (!skip(&text, "1 wake ")) {
        if (!skip(&text, "1 cancel "))
            return 0;
        read.kind = PGQRSI_NOTIFICATION_CANCEL;
    }
    if (!read_number(&text, &read.key))
        return 0;
    read.list = text;
    /* Plain SQL can give a message any id. */
    count = count_ids(text, read.kind == PGQRSI_NOTIFICATION_WAKE ? 1 : INT64_MIN);
    if (count == 0 || (read.kind == PGQRSI_NOTIFICATION_CANCEL && count > 1))
        return 0;
    *out = read;
    return 1;
}

int
pgqrsi_notification_next(pgqrsi_notification *notification, int64_t *out_id)
{
    const char *list = notification->list;

    if (!read_id(&list, out_id))
        return 0;
    notification->list = list;
    return 1;
}
