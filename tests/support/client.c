#include "client.h"

#include <stdarg.h>

#include "check.h"

pgqrs_client *
ts_client(const char *dsn, ...)
{
    pgqrs_error *err = pgqrs_error_new();
    pgqrs_config *config;
    pgqrs_client *client;
    const char *name;
    va_list settings;

    TS_OK(pgqrs_config_new(&config, err), err);
    TS_OK(pgqrs_config_set(config, pgqrs_slice_of("dsn"), pgqrs_slice_of(dsn), err), err);
    va_start(settings, dsn);
    for (name = va_arg(settings, const char *); name != NULL; name = va_arg(settings, const char *))
        TS_OK(pgqrs_config_set(config, pgqrs_slice_of(name),
                               pgqrs_slice_of(va_arg(settings, const char *)), err),
              err);
    va_end(settings);
    TS_OK(pgqrs_client_open(config, &client, err), err);
    pgqrs_config_free(config);
    pgqrs_error_free(err);
    return client;
}
