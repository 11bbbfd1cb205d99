#include "base/options.h"

#include <string.h>

#include "base/error.h"

/* No struct of any version is larger: what is larger was not initialised. */
#define MAX_SIZE 4096

static size_t
size_of(const void *any)
{
    size_t size;

    memcpy(&size, any, sizeof(size));
    return size;
}

static int
is_size(size_t size)
{
    return size > sizeof(size_t) && size <= MAX_SIZE;
}

static int
is_zero(const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != 0)
            return 0;
    return 1;
}

pgqrs_status
pgqrsi_options_read(const char *name, const char *init, const void *given, void *own,
                    pgqrs_error *err)
{
    size_t own_size = size_of(own), size, common;

    if (given == NULL)
        return PGQRS_OK;
    size = size_of(given);
    if (!is_size(size))
        return pgqrsi_error_set(err, PGQRS_EINVAL, "refused %s options: begin with %s", name, init);
    common = size < own_size ? size : own_size;
    if (!is_zero((const char *)given + common, size - common))
        return pgqrsi_error_set(
            err, PGQRS_EINVAL,
            "refused %s options: they set something that this library does not know: the "
            "program was built with a newer one",
            name);
    memcpy((char *)own + sizeof(size_t), (const char *)given + sizeof(size_t),
           common - sizeof(size_t));
    return PGQRS_OK;
}

pgqrs_status
pgqrsi_results_check(const char *name, const char *init, const void *out, pgqrs_error *err)
{
    if (is_size(size_of(out)))
        return PGQRS_OK;
    return pgqrsi_error_set(err, PGQRS_EINVAL, "refused to write %s: begin with %s", name, init);
}

void
pgqrsi_results_write(void *out, const void *own)
{
    size_t size = size_of(out), own_size = size_of(own);
    size_t common = size < own_size ? size : own_size;

    if (!is_size(size))
        return;
    memcpy((char *)out + sizeof(size_t), (const char *)own + sizeof(size_t),
           common - sizeof(size_t));
    memset((char *)out + common, 0, size - common);
}

const char *
pgqrsi_enum_name(const char *const *names, size_t count, int value)
{
    return value >= 0 && (size_t)value < count && names[value] != NULL ? names[value] : "unknown";
}
