#include "queue/payload.h"

#include <stdio.h>

#include "base/error.h"
#include "base/json.h"

/* Text without exponents is printed less than twice as long as it was written, so it is never
 * refused for that; with a low max_payload_bytes a few large numbers shall pass, too. */
#define PRINTED_FACTOR 2
#define PRINTED_FLOOR_BYTES 1048576

static uint64_t
max_printed_bytes(const pgqrs_client *client)
{
    uint64_t bytes = (uint64_t)client->max_payload_bytes * PRINTED_FACTOR;

    return bytes > PRINTED_FLOOR_BYTES ? bytes : PRINTED_FLOOR_BYTES;
}

static const char *
place(int64_t index, char *out, size_t size)
{
    if (index < 0)
        return "";
    snprintf(out, size, " of message %lld of the batch", (long long)index);
    return out;
}

pgqrs_status
pgqrsi_payload_check(const pgqrs_client *client, const char *what, pgqrs_slice json, int64_t index,
                     pgqrs_error *err)
{
    pgqrsi_json_fault fault;
    uint64_t printed = 0;
    char where[64];

    if (json.data == NULL)
        return pgqrsi_error_set(err, PGQRS_EINVAL, "refused a missing %s%s: give JSON", what,
                                place(index, where, sizeof(where)));
    if (json.size > client->max_payload_bytes)
        return pgqrsi_error_set(
            err, PGQRS_EINVAL, "refused the %s%s: it has %zu bytes and max_payload_bytes is %zu",
            what, place(index, where, sizeof(where)), json.size, client->max_payload_bytes);
    if (!pgqrsi_json_check(json, &printed, &fault))
        return pgqrsi_error_set(
            err, PGQRS_EINVAL,
            "refused the %s%s: it is not JSON that can be stored: %s at byte %zu", what,
            place(index, where, sizeof(where)), fault.problem, fault.offset + 1);
    if (printed > max_printed_bytes(client))
        return pgqrsi_error_set(
            err, PGQRS_EINVAL,
            "refused the %s%s: its numbers written without exponents make it %llu bytes "
            "long, and %llu is the most (twice max_payload_bytes, at least 1 MiB); send "
            "such numbers as strings",
            what, place(index, where, sizeof(where)), (unsigned long long)printed,
            (unsigned long long)max_printed_bytes(client));
    return PGQRS_OK;
}

pgqrs_status
pgqrsi_range_check(const char *what, int64_t value, int64_t min, int64_t max, pgqrs_error *err)
{
    if (value >= min && value <= max)
        return PGQRS_OK;
    return pgqrsi_error_set(err, PGQRS_EINVAL, "refused %s = %lld: %lld to %lld are allowed", what,
                            (long long)value, (long long)min, (long long)max);
}
