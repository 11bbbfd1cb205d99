#include "base/name.h"

#include <stdint.h>

#include "base/error.h"

/* Bytes of the well-formed sequence at `p` (Unicode 15, table 3-7), or 0. */
static size_t
sequence_length(const unsigned char *p, size_t left)
{
    unsigned char low = 0x80, high = 0xbf;
    size_t length;

    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xc2 && p[0] <= 0xdf)
        length = 2;
    else if (p[0] >= 0xe0 && p[0] <= 0xef)
        length = 3;
    else if (p[0] >= 0xf0 && p[0] <= 0xf4)
        length = 4;
    else
        return 0;
    if (left < length)
        return 0;
    if (p[0] == 0xe0)
        low = 0xa0; /* shorter forms exist */
    else if (p[0] == 0xed)
        high = 0x9f; /* surrogates */
    else if (p[0] == 0xf0)
        low = 0x90;
    else if (p[0] == 0xf4)
        high = 0x8f; /* beyond U+10FFFF */
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if (p[i] < 0x80 || p[i] > 0xbf)
            return 0;
    return length;
}

size_t
pgqrsi_utf8_valid_prefix(pgqrs_slice text)
{
    const unsigned char *p = (const unsigned char *)text.data;
    size_t i = 0;

    while (i < text.size) {
        size_t length = sequence_length(p + i, text.size - i);

        if (length == 0)
            break;
        i += length;
    }
    return i;
}

static int
has_control_character(pgqrs_slice text)
{
    const unsigned char *p = (const unsigned char *)text.data;

    for (size_t i = 0; i < text.size; i++) {
        if (p[i] < 0x20 || p[i] == 0x7f)
            return 1;
        if (p[i] == 0xc2 && i + 1 < text.size && p[i + 1] >= 0x80 && p[i + 1] <= 0x9f)
            return 1;
    }
    return 0;
}

pgqrs_status
pgqrsi_name_check(const char *what, pgqrs_slice name, size_t max_bytes, pgqrs_error *err)
{
    size_t valid;

    if (name.data == NULL || name.size == 0)
        return pgqrsi_error_set(err, PGQRS_EINVAL, "refused an empty %s: give 1 to %zu bytes", what,
                                max_bytes);
    if (name.size > max_bytes)
        return pgqrsi_error_set(err, PGQRS_EINVAL,
                                "refused the %s: it has %zu bytes and at most %zu are allowed",
                                what, name.size, max_bytes);
    valid = pgqrsi_utf8_valid_prefix(name);
    if (valid < name.size)
        return pgqrsi_error_set(err, PGQRS_EINVAL, "refused the %s: it is not UTF-8 at byte %zu",
                                what, valid + 1);
    if (has_control_character(name))
        return pgqrsi_error_set(err, PGQRS_EINVAL,
                                "refused the %s \"%.*s\": it holds a control character", what,
                                PGQRS_SLICE_ARG(name));
    return PGQRS_OK;
}
