#include "input/key.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define NUMBER_PREFIX "number:"
#define STRING_PREFIX "string:"

/* Numbers with no more zeros than this to be filled in are written without an exponent. */
#define MAX_ZEROS 40

/* Far beyond what the server takes, and far from where sums overflow. */
#define EXPONENT_BOUND INT64_C(1000000000000000)

/* A key on its way. */
struct key {
    char *out;
    size_t size; /* may be beyond what was written: then it is too long */
};

static void
append(struct key *key, const char *text, size_t size)
{
    if (key->size <= CLI_KEY_MAX_BYTES && size <= CLI_KEY_MAX_BYTES - key->size)
        memcpy(key->out + key->size, text, size);
    else
        size = CLI_KEY_MAX_BYTES + 1;
    key->size += size;
}

static int
begins_with(pgqrs_slice text, const char *prefix)
{
    return text.size >= strlen(prefix) && memcmp(text.data, prefix, strlen(prefix)) == 0;
}

size_t
cli_key_of_string(pgqrs_slice text, char out[CLI_KEY_MAX_BYTES])
{
    struct key key = { out, 0 };

    if (begins_with(text, NUMBER_PREFIX) || begins_with(text, STRING_PREFIX))
        append(&key, STRING_PREFIX, strlen(STRING_PREFIX));
    append(&key, text.data, text.size);
    return key.size;
}

/* A number is `digits`, of which the first and the last are not zero, times ten to the power of
 * `exponent`. */
struct decimal {
    int is_negative;
    char digits[CLI_KEY_MAX_BYTES];
    size_t count; /* 0: the number is zero. May be beyond what was written */
    int64_t exponent;
};

static void
take_digit(struct decimal *decimal, char digit, size_t *zeros)
{
    if (digit == '0') {
        *zeros += decimal->count > 0;
        return;
    }
    for (; *zeros > 0; (*zeros)--, decimal->count++)
        if (decimal->count < sizeof(decimal->digits))
            decimal->digits[decimal->count] = '0';
    if (decimal->count < sizeof(decimal->digits))
        decimal->digits[decimal->count] = digit;
    decimal->count++;
}

static int64_t
parse_exponent(pgqrs_slice text)
{
    int is_negative = text.size > 0 && text.data[0] == '-';
    int64_t value = 0;

    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] >= '0' && text.data[i] <= '9' && value < EXPONENT_BOUND)
            value = value * 10 + (text.data[i] - '0');
    return is_negative ? -value : value;
}

static void
parse(pgqrs_slice text, struct decimal *decimal)
{
    size_t zeros = 0, i = 0; /* zeros: held back, since they may be the last */
    int64_t behind = 0;
    int is_behind = 0;

    *decimal = (struct decimal){ .is_negative = begins_with(text, "-") };
    for (; i < text.size && text.data[i] != 'e' && text.data[i] != 'E'; i++) {
        is_behind |= text.data[i] == '.';
        if (text.data[i] < '0' || text.data[i] > '9')
            continue;
        behind += is_behind;
        take_digit(decimal, text.data[i], &zeros);
    }
    decimal->exponent = (int64_t)zeros - behind;
    if (i < text.size)
        decimal->exponent += parse_exponent((pgqrs_slice){ text.data + i + 1, text.size - i - 1 });
}

static void
append_zeros(struct key *key, int64_t count)
{
    for (; count > 0; count--)
        append(key, "0", 1);
}

static void
append_decimal(struct key *key, const struct decimal *decimal)
{
    int64_t before = (int64_t)decimal->count + decimal->exponent; /* digits before the point */
    char exponent[32];

    if (decimal->exponent > MAX_ZEROS || before < -MAX_ZEROS) {
        snprintf(exponent, sizeof(exponent), "e%" PRId64, decimal->exponent);
        append(key, decimal->digits, decimal->count);
        append(key, exponent, strlen(exponent));
    } else if (decimal->exponent >= 0) {
        append(key, decimal->digits, decimal->count);
        append_zeros(key, decimal->exponent);
    } else if (before > 0) {
        append(key, decimal->digits, (size_t)before);
        append(key, ".", 1);
        append(key, decimal->digits + before, decimal->count - (size_t)before);
    } else {
        append(key, "0.", 2);
        append_zeros(key, -before);
        append(key, decimal->digits, decimal->count);
    }
}

size_t
cli_key_of_number(pgqrs_slice text, char out[CLI_KEY_MAX_BYTES])
{
    struct key key = { out, 0 };
    struct decimal decimal;

    parse(text, &decimal);
    if (decimal.count > sizeof(decimal.digits))
        return CLI_KEY_MAX_BYTES + 1;
    append(&key, NUMBER_PREFIX, strlen(NUMBER_PREFIX));
    if (decimal.is_negative && decimal.count > 0)
        append(&key, "-", 1);
    if (decimal.count == 0)
        append(&key, "0", 1);
    else
        append_decimal(&key, &decimal);
    return key.size;
}
