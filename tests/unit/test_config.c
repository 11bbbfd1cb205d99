/*
 * The table of settings: defaults, ranges, the environment, copies.
 */
#include "found.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

struct fixture {
    pgqrs_config *config;
    pgqrs_error *err;
};

static const struct range {
    const char *name;
    int64_t min, max, default_value;
} ranges[] = {
    { "max_connections", 1, 1000, 16 },
    { "connection_timeout_seconds", 1, 3600, 30 },
    { "operation_timeout_ms", 100, 3600000, 10000 },
    { "default_lock_time_seconds", 1, 604800, 5 },
    { "default_max_batch_size", 1, 10000, 100 },
    { "max_payload_bytes", 1, 67108864, 1048576 },
};

/* The environment of the tests may set some of them. */
static int
set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    if (fixture == NULL)
        return -1;
    for (size_t i = 0; pgqrs_config_setting(i) != NULL; i++)
        unsetenv(pgqrs_config_setting(i)->environment);
    fixture->err = pgqrs_error_new();
    *state = fixture;
    return fixture->err != NULL && pgqrs_config_new(&fixture->config, fixture->err) == PGQRS_OK
               ? 0
               : -1;
}

static int
tear_down(void **state)
{
    struct fixture *fixture = *state;

    pgqrs_config_free(fixture->config);
    pgqrs_error_free(fixture->err);
    free(fixture);
    return 0;
}

#define CONFIG_TEST(name) TEST_WITH(name, set_up, tear_down)

static pgqrs_status
set(struct fixture *fixture, const char *name, const char *value)
{
    return pgqrs_config_set(fixture->config, pgqrs_slice_of(name), pgqrs_slice_of(value),
                            fixture->err);
}

static pgqrs_status
set_number(struct fixture *fixture, const char *name, int64_t value)
{
    char text[32];

    snprintf(text, sizeof(text), "%lld", (long long)value);
    return set(fixture, name, text);
}

CONFIG_TEST(test_the_table_describes_each_setting_once)
{
    size_t count = 0;

    (void)state;
    for (; pgqrs_config_setting(count) != NULL; count++) {
        const pgqrs_setting *setting = pgqrs_config_setting(count);

        assert_true(strlen(setting->name) > 0);
        assert_int_equal(strncmp(setting->environment, "PGQRS_", 6), 0);
        assert_true(strlen(setting->description) > 10);
        assert_null(strchr(setting->description, '\n'));
        for (size_t i = 0; i < count; i++) {
            assert_string_not_equal(setting->name, pgqrs_config_setting(i)->name);
            assert_string_not_equal(setting->environment, pgqrs_config_setting(i)->environment);
        }
    }

    /* The numbers below, the connection string, the schema and words: a new setting needs its own
     * test. */
    assert_int_equal(count, COUNT_OF(ranges) + 5);
    assert_null(pgqrs_config_setting(SIZE_MAX));
}

CONFIG_TEST(test_a_new_configuration_holds_the_defaults)
{
    struct fixture *fixture = *state;

    for (size_t i = 0; i < COUNT_OF(ranges); i++)
        assert_int_equal(pgqrs_config_get_int(fixture->config, ranges[i].name),
                         ranges[i].default_value);
    assert_string_equal(pgqrs_config_get(fixture->config, "schema"), "public");
    assert_null(pgqrs_config_get(fixture->config, "dsn"));
    assert_string_equal(pgqrs_config_get(fixture->config, "max_connections"), "16");
}

CONFIG_TEST(test_the_ends_of_each_range_are_taken_and_what_is_beyond_is_not)
{
    struct fixture *fixture = *state;

    for (size_t i = 0; i < COUNT_OF(ranges); i++) {
        const struct range *range = &ranges[i];

        assert_int_equal(set_number(fixture, range->name, range->min), PGQRS_OK);
        assert_int_equal(pgqrs_config_get_int(fixture->config, range->name), range->min);
        assert_int_equal(set_number(fixture, range->name, range->max), PGQRS_OK);
        assert_int_equal(pgqrs_config_get_int(fixture->config, range->name), range->max);

        assert_int_equal(set_number(fixture, range->name, range->min - 1), PGQRS_ECONFIG);
        assert_int_equal(set_number(fixture, range->name, range->max + 1), PGQRS_ECONFIG);
        assert_int_equal(pgqrs_config_get_int(fixture->config, range->name), range->max);
    }
}

CONFIG_TEST(test_each_description_states_the_range_that_is_checked)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(ranges); i++) {
        const pgqrs_setting *setting = NULL;
        char text[64];

        for (size_t j = 0; pgqrs_config_setting(j) != NULL; j++)
            if (strcmp(pgqrs_config_setting(j)->name, ranges[i].name) == 0)
                setting = pgqrs_config_setting(j);
        assert_non_null(setting);
        snprintf(text, sizeof(text), "%lld to %lld", (long long)ranges[i].min,
                 (long long)ranges[i].max);
        assert_non_null(strstr(setting->description, text));
    }
}

CONFIG_TEST(test_what_is_not_a_whole_number_is_refused_and_changes_nothing)
{
    static const char *const values[] = {
        "",    " ",   "ten",     "1.5", "1e2", "0x10", " 5",
        "5 ",  "+5",  "-5",      "5s",  "5\n", "--1",  "99999999999999999999999",
        "NaN", "1,0", "\xd9\xa1"
    };
    struct fixture *fixture = *state;

    assert_int_equal(set(fixture, "max_connections", "7"), PGQRS_OK);
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        if (set(fixture, "max_connections", values[i]) != PGQRS_ECONFIG)
            fail_msg("\"%s\" was taken", values[i]);
        assert_string_equal(pgqrs_config_get(fixture->config, "max_connections"), "7");
    }
}

CONFIG_TEST(test_a_refusal_names_the_setting_the_value_and_the_range)
{
    struct fixture *fixture = *state;

    assert_int_equal(set(fixture, "max_connections", "5000"), PGQRS_ECONFIG);
    assert_int_equal(pgqrs_error_status(fixture->err), PGQRS_ECONFIG);
    assert_non_null(strstr(pgqrs_error_message(fixture->err), "max_connections"));
    assert_non_null(strstr(pgqrs_error_message(fixture->err), "\"5000\""));
    assert_non_null(strstr(pgqrs_error_message(fixture->err), "1 to 1000"));
}

CONFIG_TEST(test_an_unknown_setting_is_refused_by_name)
{
    static const char *const names[] = { "max_connection", "max_connections ", "MAX_CONNECTIONS",
                                         "", "colour" };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        assert_int_equal(set(fixture, names[i], "5"), PGQRS_ECONFIG);
        assert_non_null(strstr(pgqrs_error_message(fixture->err), names[i]));
        assert_null(pgqrs_config_get(fixture->config, names[i]));
        assert_int_equal(pgqrs_config_get_int(fixture->config, names[i]), 0);
    }
    assert_int_equal(
        pgqrs_config_set(fixture->config, (pgqrs_slice){ NULL, 0 }, pgqrs_slice_of("5"), NULL),
        PGQRS_ECONFIG);
}

CONFIG_TEST(test_name_and_value_need_no_closing_zero)
{
    struct fixture *fixture = *state;
    pgqrs_slice name = { "max_connections_and_more", 15 }, value = { "123456", 2 };

    assert_int_equal(pgqrs_config_set(fixture->config, name, value, fixture->err), PGQRS_OK);
    assert_int_equal(pgqrs_config_get_int(fixture->config, "max_connections"), 12);
}

CONFIG_TEST(test_a_value_with_a_zero_byte_is_refused)
{
    struct fixture *fixture = *state;
    pgqrs_slice value = { "host=a\0password=secret", 22 };

    assert_int_equal(pgqrs_config_set(fixture->config, pgqrs_slice_of("dsn"), value, fixture->err),
                     PGQRS_ECONFIG);
    assert_null(strstr(pgqrs_error_message(fixture->err), "secret"));
    assert_null(pgqrs_config_get(fixture->config, "dsn"));
}

CONFIG_TEST(test_a_schema_is_a_name_of_1_to_63_bytes)
{
    struct fixture *fixture = *state;
    char name[65] = "";

    memset(name, 's', 63);
    assert_int_equal(set(fixture, "schema", name), PGQRS_OK);
    assert_string_equal(pgqrs_config_get(fixture->config, "schema"), name);
    assert_int_equal(set(fixture, "schema", "Weird \"schema\"; --"), PGQRS_OK);

    name[63] = 's';
    assert_int_equal(set(fixture, "schema", name), PGQRS_ECONFIG);
    assert_int_equal(set(fixture, "schema", ""), PGQRS_ECONFIG);
    assert_int_equal(set(fixture, "schema", "a\nb"), PGQRS_ECONFIG);
    assert_int_equal(set(fixture, "schema", "caf\xe9"), PGQRS_ECONFIG);
    assert_string_equal(pgqrs_config_get(fixture->config, "schema"), "Weird \"schema\"; --");
}

CONFIG_TEST(test_text_is_no_number)
{
    struct fixture *fixture = *state;

    assert_int_equal(set(fixture, "schema", "42"), PGQRS_OK);
    assert_int_equal(pgqrs_config_get_int(fixture->config, "schema"), 0);
    assert_int_equal(set(fixture, "dsn", ""), PGQRS_ECONFIG);
}

CONFIG_TEST(test_the_environment_sets_what_is_there_and_not_empty)
{
    struct fixture *fixture = *state;

    /* Given one variable with a value, one that is empty, and a setting made before */
    setenv("PGQRS_DSN", "host=db.example", 1);
    setenv("PGQRS_SCHEMA", "", 1);
    setenv("PGQRS_DEFAULT_BATCH_SIZE", "250", 1);
    assert_int_equal(set(fixture, "max_connections", "3"), PGQRS_OK);

    /* when the environment is loaded */
    assert_int_equal(pgqrs_config_load_environment(fixture->config, fixture->err), PGQRS_OK);

    /* then only those with a value changed. */
    assert_string_equal(pgqrs_config_get(fixture->config, "dsn"), "host=db.example");
    assert_string_equal(pgqrs_config_get(fixture->config, "schema"), "public");
    assert_int_equal(pgqrs_config_get_int(fixture->config, "default_max_batch_size"), 250);
    assert_int_equal(pgqrs_config_get_int(fixture->config, "max_connections"), 3);
}

CONFIG_TEST(test_each_setting_has_the_variable_that_the_manual_names)
{
    static const char *const pairs[][2] = {
        { "dsn", "PGQRS_DSN" },
        { "schema", "PGQRS_SCHEMA" },
        { "max_connections", "PGQRS_MAX_CONNECTIONS" },
        { "connection_timeout_seconds", "PGQRS_CONNECTION_TIMEOUT" },
        { "operation_timeout_ms", "PGQRS_OPERATION_TIMEOUT" },
        { "default_lock_time_seconds", "PGQRS_DEFAULT_LOCK_TIME" },
        { "default_max_batch_size", "PGQRS_DEFAULT_BATCH_SIZE" },
        { "max_payload_bytes", "PGQRS_MAX_PAYLOAD" },
    };
    struct fixture *fixture = *state;
    char value[8];

    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        snprintf(value, sizeof(value), "%zu", 200 + i);
        setenv(pairs[i][1], value, 1);
    }
    setenv("PGQRS_WAKE_UPS", "false", 1);
    assert_int_equal(pgqrs_config_load_environment(fixture->config, fixture->err), PGQRS_OK);
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        snprintf(value, sizeof(value), "%zu", 200 + i);
        assert_string_equal(pgqrs_config_get(fixture->config, pairs[i][0]), value);
    }
    assert_string_equal(pgqrs_config_get(fixture->config, "wake_ups"), "false");
}

CONFIG_TEST(test_a_switch_is_true_or_false)
{
    static const char *const wrong[] = { "", "1", "yes", "True", "false " };
    struct fixture *fixture = *state;

    assert_string_equal(pgqrs_config_get(fixture->config, "wake_ups"), "true");
    assert_int_equal(set(fixture, "wake_ups", "false"), PGQRS_OK);
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_int_equal(set(fixture, "wake_ups", wrong[i]), PGQRS_ECONFIG);
        assert_string_equal(pgqrs_config_get(fixture->config, "wake_ups"), "false");
    }
}

CONFIG_TEST(test_the_log_settings_are_one_of_their_words)
{
    struct fixture *fixture = *state;

    assert_string_equal(pgqrs_config_get(fixture->config, "log_level"), "warn");
    assert_string_equal(pgqrs_config_get(fixture->config, "log_format"), "text");
    assert_int_equal(set(fixture, "log_level", "trace"), PGQRS_OK);
    assert_int_equal(set(fixture, "log_format", "json"), PGQRS_OK);
    assert_int_equal(set(fixture, "log_level", "err"), PGQRS_ECONFIG);
    assert_int_equal(set(fixture, "log_level", "error|warn"), PGQRS_ECONFIG);
    assert_int_equal(set(fixture, "log_format", ""), PGQRS_ECONFIG);
    assert_string_equal(pgqrs_config_get(fixture->config, "log_level"), "trace");
}

CONFIG_TEST(test_a_duration_may_have_a_unit)
{
    static const struct {
        const char *name, *value;
        int64_t number;
    } cases[] = {
        { "operation_timeout_ms", "250ms", 250 },
        { "operation_timeout_ms", "30s", 30000 },
        { "operation_timeout_ms", "1h", 3600000 },
        { "operation_timeout_ms", "700", 700 },
        { "connection_timeout_seconds", "5m", 300 },
        { "connection_timeout_seconds", "2000ms", 2 },
        { "default_lock_time_seconds", "7d", 604800 },
        { "default_lock_time_seconds", "5min", 300 },
    };
    static const char *const wrong[] = { "1500ms", "8d",  "0s", "5M",
                                         "5 m",    "-5m", "m",  "99999999999999999999d" };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(set(fixture, cases[i].name, cases[i].value), PGQRS_OK);
        assert_true(pgqrs_config_get_int(fixture->config, cases[i].name) == cases[i].number);
    }
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_int_equal(set(fixture, "default_lock_time_seconds", wrong[i]), PGQRS_ECONFIG);
        assert_int_equal(pgqrs_config_get_int(fixture->config, "default_lock_time_seconds"), 300);
    }
    assert_int_equal(set(fixture, "max_connections", "5m"), PGQRS_ECONFIG);
}

CONFIG_TEST(test_a_wrong_variable_is_named)
{
    struct fixture *fixture = *state;

    setenv("PGQRS_DEFAULT_LOCK_TIME", "soon", 1);
    assert_int_equal(pgqrs_config_load_environment(fixture->config, fixture->err), PGQRS_ECONFIG);
    assert_non_null(strstr(pgqrs_error_message(fixture->err), "PGQRS_DEFAULT_LOCK_TIME"));
    assert_int_equal(pgqrs_config_get_int(fixture->config, "default_lock_time_seconds"), 5);
}

CONFIG_TEST(test_a_copy_is_equal_and_independent)
{
    struct fixture *fixture = *state;
    pgqrs_config *copy = NULL;

    /* Given a configuration with some settings, when it is copied and then changed and freed */
    assert_int_equal(set(fixture, "dsn", "host=first"), PGQRS_OK);
    assert_int_equal(set(fixture, "max_connections", "9"), PGQRS_OK);
    assert_int_equal(pgqrsi_config_copy(fixture->config, &copy, fixture->err), PGQRS_OK);
    assert_int_equal(set(fixture, "dsn", "host=second"), PGQRS_OK);
    pgqrs_config_free(fixture->config);
    fixture->config = NULL;

    /* then the copy holds what was there, and the defaults of the rest. */
    assert_string_equal(pgqrs_config_get(copy, "dsn"), "host=first");
    assert_int_equal(pgqrs_config_get_int(copy, "max_connections"), 9);
    assert_int_equal(pgqrs_config_get_int(copy, "max_payload_bytes"), 1048576);
    pgqrs_config_free(copy);
}

TEST_MAIN(NULL, NULL)
