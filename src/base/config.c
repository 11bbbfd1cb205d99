#include "base/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/name.h"

/* One row a setting; everything else about settings is made from this table. */
static const struct row {
    pgqrs_setting setting;
    int64_t min, max;    /* of a whole number; 0, 0: text */
    const char *choices; /* the words that are allowed, with "|" between them; NULL: any */
    int64_t unit_ms;     /* of a duration: what a number without a unit is; 0: no duration */
} rows[] = {
    { { "dsn", "PGQRS_DSN", NULL,
        "PostgreSQL connection string (URI or key=value), or local: or local:NAME for a private "
        "server" },
      0,
      0 },
    { { "schema", "PGQRS_SCHEMA", "public", "schema that holds pgqrs' tables; 1 to 63 bytes" },
      0,
      0 },
    { { "max_connections", "PGQRS_MAX_CONNECTIONS", "16",
        "most connections of one client, 1 to 1000" },
      1,
      1000 },
    { { "connection_timeout_seconds", "PGQRS_CONNECTION_TIMEOUT", "30",
        "longest time to connect, in seconds, 1 to 3600, or as 30s, 5m" },
      1,
      3600,
      NULL,
      1000 },
    { { "operation_timeout_ms", "PGQRS_OPERATION_TIMEOUT", "10000",
        "longest time for one call, in milliseconds, 100 to 3600000, or as 10s, 5m" },
      100,
      3600000,
      NULL,
      1 },
    { { "default_lock_time_seconds", "PGQRS_DEFAULT_LOCK_TIME", "5",
        "lease of a message if the call names none, in seconds, 1 to 604800, or as 30s, 5m, 1h, "
        "7d" },
      1,
      604800,
      NULL,
      1000 },
    { { "default_max_batch_size", "PGQRS_DEFAULT_BATCH_SIZE", "100",
        "messages in a batch if the call names no number, 1 to 10000" },
      1,
      10000 },
    { { "max_payload_bytes", "PGQRS_MAX_PAYLOAD", "1048576",
        "longest payload, in bytes, 1 to 67108864" },
      1,
      67108864 },
    { { "wake_ups", "PGQRS_WAKE_UPS", "true",
        "whether messages wake the workers that sleep over their queue, true or false; if not, "
        "those look by "
        "themselves" },
      0,
      0,
      "true|false" },
    { { "log_level", "PGQRS_LOG_LEVEL", "warn",
        "of the command: how much it logs, error, warn, info, debug or trace" },
      0,
      0,
      "error|warn|info|debug|trace" },
    { { "log_format", "PGQRS_LOG_FORMAT", "text",
        "of the command: how its log lines and failures are written, text or json" },
      0,
      0,
      "text|json" },
};

#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))
#define SCHEMA_MAX_BYTES 63

struct pgqrs_config {
    char *values[ROW_COUNT]; /* NULL: the default */
};

/* A connection string may hold a password. */
static void
wipe(char *text)
{
    if (text == NULL)
        return;
    explicit_bzero(text, strlen(text));
    free(text);
}

pgqrs_status
pgqrs_config_new(pgqrs_config **out, pgqrs_error *err)
{
    pgqrs_config *config = calloc(1, sizeof(*config));

    if (config == NULL)
        return pgqrsi_error_memory(err);
    *out = config;
    return PGQRS_OK;
}

void
pgqrs_config_free(pgqrs_config *config)
{
    if (config == NULL)
        return;
    for (size_t i = 0; i < ROW_COUNT; i++)
        wipe(config->values[i]);
    free(config);
}

static size_t
find(pgqrs_slice name)
{
    size_t i = 0;

    while (i < ROW_COUNT && !(strlen(rows[i].setting.name) == name.size && name.size > 0 &&
                              memcmp(rows[i].setting.name, name.data, name.size) == 0))
        i++;
    return i;
}

/* A value that is quoted must be plain: what was meant for another setting may hold a password. */
static pgqrs_status
refuse(const char *source, const char *value, const char *wanted, pgqrs_error *err)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ._+-";

    if (value[strspn(value, plain)] == '\0')
        return pgqrsi_error_set(err, PGQRS_ECONFIG, "refused %s = \"%.40s\": %s", source, value,
                                wanted);
    return pgqrsi_error_set(err, PGQRS_ECONFIG, "refused %s: %s", source, wanted);
}

static pgqrs_status
check_choice(const struct row *row, const char *value, const char *source, pgqrs_error *err)
{
    const char *choice = row->choices;
    char wanted[64];

    while (*choice != '\0') {
        size_t length = strcspn(choice, "|");

        if (strlen(value) == length && memcmp(choice, value, length) == 0)
            return PGQRS_OK;
        choice += length + (choice[length] == '|');
    }
    snprintf(wanted, sizeof(wanted), "give one of %s", row->choices);
    return refuse(source, value, wanted, err);
}

static pgqrs_status
check_value(const struct row *row, const char *value, const char *source, pgqrs_error *err)
{
    char *end;
    long long number;

    if (strcmp(row->setting.name, "schema") == 0) {
        if (pgqrsi_name_check("schema name", pgqrs_slice_of(value), SCHEMA_MAX_BYTES, err) !=
            PGQRS_OK)
            return pgqrsi_error_set(
                err, PGQRS_ECONFIG,
                "refused %s: a schema name is 1 to 63 bytes of UTF-8 without control "
                "characters",
                source);
        return PGQRS_OK;
    }
    if (row->choices != NULL)
        return check_choice(row, value, source, err);
    if (row->max == 0)
        return *value != '\0' ? PGQRS_OK
                              : pgqrsi_error_set(err, PGQRS_ECONFIG, "refused an empty %s", source);
    number = strtoll(value, &end, 10);
    if (*value < '0' || *value > '9' || *end != '\0' || number < row->min || number > row->max)
        return refuse(source, value, row->setting.description, err);
    return PGQRS_OK;
}

/* The number that `text`, such as "5m", is in the unit of `row`; -1 if it is no duration with a
 * unit, or no whole number of those. */
static long long
read_duration(const struct row *row, const char *text)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = { { "ms", 1 },      { "s", 1000 },    { "m", 60000 },
                  { "min", 60000 }, { "h", 3600000 }, { "d", 86400000 } };
    char *end;
    long long number = strtoll(text, &end, 10);

    if (*text < '0' || *text > '9')
        return -1;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strcmp(units[i].name, end) == 0 && number <= INT64_MAX / units[i].ms &&
            number * units[i].ms % row->unit_ms == 0)
            return number * units[i].ms / row->unit_ms;
    return -1;
}

/* Returns `value`, or in its place, if it is a duration with a unit, the number without; NULL if
 * memory is out. */
static char *
settle_duration(const struct row *row, char *value)
{
    long long number = read_duration(row, value);
    char *settled = NULL;

    if (number < row->min || number > row->max)
        return value;
    if (asprintf(&settled, "%lld", number) < 0)
        settled = NULL;
    free(value);
    return settled;
}

static pgqrs_status
set_row(pgqrs_config *config, size_t i, pgqrs_slice value, const char *source, pgqrs_error *err)
{
    char *copy;
    pgqrs_status status;

    if (value.size > 0 && memchr(value.data, '\0', value.size) != NULL)
        return pgqrsi_error_set(err, PGQRS_ECONFIG, "refused %s: it holds a zero byte", source);
    copy = strndup(value.data != NULL ? value.data : "", value.size);
    if (copy != NULL && rows[i].unit_ms != 0)
        copy = settle_duration(&rows[i], copy);
    if (copy == NULL)
        return pgqrsi_error_memory(err);
    status = check_value(&rows[i], copy, source, err);
    if (status != PGQRS_OK) {
        wipe(copy);
        return status;
    }
    wipe(config->values[i]);
    config->values[i] = copy;
    return PGQRS_OK;
}

pgqrs_status
pgqrs_config_set(pgqrs_config *config, pgqrs_slice name, pgqrs_slice value, pgqrs_error *err)
{
    size_t i = find(name);

    if (i == ROW_COUNT)
        return pgqrsi_error_set(err, PGQRS_ECONFIG, "there is no setting \"%.*s\"",
                                PGQRS_SLICE_ARG(name));
    return set_row(config, i, value, rows[i].setting.name, err);
}

pgqrs_status
pgqrs_config_load_environment(pgqrs_config *config, pgqrs_error *err)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const char *value = getenv(rows[i].setting.environment);
        pgqrs_status status;

        if (value == NULL || *value == '\0')
            continue;
        status = set_row(config, i, pgqrs_slice_of(value), rows[i].setting.environment, err);
        if (status != PGQRS_OK)
            return status;
    }
    return PGQRS_OK;
}

const char *
pgqrs_config_get(const pgqrs_config *config, const char *name)
{
    size_t i = find(pgqrs_slice_of(name));

    if (i == ROW_COUNT)
        return NULL;
    return config->values[i] != NULL ? config->values[i] : rows[i].setting.default_value;
}

int64_t
pgqrs_config_get_int(const pgqrs_config *config, const char *name)
{
    size_t i = find(pgqrs_slice_of(name));

    if (i == ROW_COUNT || rows[i].max == 0)
        return 0;
    return strtoll(pgqrs_config_get(config, name), NULL, 10);
}

const pgqrs_setting *
pgqrs_config_setting(size_t index)
{
    return index < ROW_COUNT ? &rows[index].setting : NULL;
}

pgqrs_status
pgqrsi_config_copy(const pgqrs_config *config, pgqrs_config **out, pgqrs_error *err)
{
    pgqrs_config *copy = NULL;
    pgqrs_status status = pgqrs_config_new(&copy, err);

    if (status != PGQRS_OK)
        return status;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (config->values[i] == NULL)
            continue;
        copy->values[i] = strdup(config->values[i]);
        if (copy->values[i] == NULL) {
            pgqrs_config_free(copy);
            return pgqrsi_error_memory(err);
        }
    }
    *out = copy;
    return PGQRS_OK;
}
