/*
 * Any file goes through the reader of configuration files: it is taken or refused, with 78, and
 * what was taken holds what the settings allow.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
demand(int holds)
{
    if (!holds)
        abort();
}

static void
check_settings(const pgqrs_config *config)
{
    const pgqrs_setting *setting;

    for (size_t i = 0; (setting = pgqrs_config_setting(i)) != NULL; i++) {
        const char *value = pgqrs_config_get(config, setting->name);

        demand(value == NULL || *value != '\0');
    }
    demand(pgqrs_config_get_int(config, "max_connections") >= 1);
    demand(pgqrs_config_get_int(config, "max_connections") <= 1000);
    demand(strlen(pgqrs_config_get(config, "schema")) <= 63);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cli_context context = { .log = { .level = CLI_LOG_ERROR } };
    int fd = memfd_create("config", MFD_CLOEXEC), code;
    char path[32];

    context.err = pgqrs_error_new();
    demand(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    demand(pgqrs_config_new(&context.config, NULL) == PGQRS_OK);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    code = cli_config_file_load(&context, path);
    demand(code == 0 || code == CLI_EXIT_CONFIG);
    check_settings(context.config);
    pgqrs_config_free(context.config);
    pgqrs_error_free(context.err);
    close(fd);
    return 0;
}
