/* Numbers that people type are taken whole or not at all. */
#include "found.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../cli/line/number.c"

TEST(whole_numbers_are_read_to_the_edges)
{
    static const struct {
        const char *text;
        int64_t number;
    } cases[] = {
        { "0", 0 },
        { "-0", 0 },
        { "007", 7 },
        { "-32768", -32768 },
        { "9223372036854775807", INT64_MAX },
        { "-9223372036854775808", INT64_MIN },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t number = 42;

        assert_int_equal(cli_number_parse(cases[i].text, INT64_MIN, INT64_MAX, &number), 0);
        assert_true(number == cases[i].number);
    }
}

TEST(anything_else_is_refused)
{
    static const char *const cases[] = { "",
                                         "-",
                                         "+1",
                                         " 1",
                                         "1 ",
                                         "1y",
                                         "0.5ms",
                                         "30S",
                                         "5 m",
                                         "1h30m",
                                         "ms",
                                         "5mm",
                                         "106751991168d",
                                         "1.0",
                                         "1e3",
                                         "0x10",
                                         "1e308",
                                         "--1",
                                         "9223372036854775808",
                                         "-9223372036854775809",
                                         "99999999999999999999999",
                                         "nan",
                                         "\xd9\xa1" };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t number = 42;

        assert_int_equal(cli_number_parse(cases[i], INT64_MIN, INT64_MAX, &number), -1);
        assert_true(number == 42);
    }
}

TEST(a_range_is_kept)
{
    int64_t number = 42;

    (void)state;
    assert_int_equal(cli_number_parse("0", 1, 10, &number), -1);
    assert_int_equal(cli_number_parse("11", 1, 10, &number), -1);
    assert_int_equal(cli_number_parse("-1", 0, 10, &number), -1);
    assert_true(number == 42);
    assert_int_equal(cli_number_parse("10", 1, 10, &number), 0);
    assert_true(number == 10);
}

TEST(durations_become_milliseconds)
{
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        { "0", 0 },
        { "5", 5000 },
        { "0.5", 500 },
        { "0.001", 1 },
        { "1.25", 1250 },
        { "90.100", 90100 },
        { "315360000", INT64_C(315360000000) },
        { "250ms", 250 },
        { "30s", 30000 },
        { "1.5s", 1500 },
        { "5m", 300000 },
        { "5min", 300000 },
        { "0.5m", 30000 },
        { "1.001h", 3603600 },
        { "7d", 604800000 },
        { "106751991167d", INT64_C(9223372036828800000) },
    };
    static const char *const refused[] = { "",
                                           ".",
                                           ".5",
                                           "5.",
                                           "-1",
                                           "+1",
                                           "1.0005",
                                           "0.0001",
                                           "1,5",
                                           "1e3",
                                           "1y",
                                           "0.5ms",
                                           "30S",
                                           "5 m",
                                           "1h30m",
                                           "ms",
                                           "5mm",
                                           "106751991168d",
                                           " 1",
                                           "1 ",
                                           "inf",
                                           "1..2",
                                           "9223372036854775807",
                                           "9223372036854775.808",
                                           "1e308" };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t ms = -7;

        assert_int_equal(cli_duration_parse(cases[i].text, 0, INT64_MAX, &ms), 0);
        assert_true(ms == cases[i].ms);
    }
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        int64_t ms = -7;

        assert_int_equal(cli_duration_parse(refused[i], 0, INT64_MAX, &ms), -1);
        assert_true(ms == -7);
    }
}

TEST(a_duration_is_written_in_its_largest_unit)
{
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = { { 0, "0" },        { 1, "1ms" },        { 1500, "1500ms" },
                  { 1000, "1s" },    { 90000, "90s" },    { 60000, "1m" },
                  { 3600000, "1h" }, { 604800000, "7d" }, { INT64_C(315360000000), "3650d" } };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[CLI_DURATION_SIZE];

        cli_duration_format(cases[i].ms, text);
        assert_string_equal(text, cases[i].text);
    }
}

TEST_MAIN(NULL, NULL)
