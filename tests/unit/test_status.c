/*
 * The table of statuses, whose values are part of the ABI.
 */
#include "found.h"

#include <stdio.h>
#include <string.h>

#include <pgqrs/status.h>
#include <pgqrs/version.h>

static const struct row {
    const char *name;
    int value;
    const char *text;
} rows[] = {
#define ROW(name, value, text) { "PGQRS_" #name, value, text },
    PGQRS_STATUS_MAP(ROW)
#undef ROW
};

#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

TEST(test_success_is_zero_and_failures_count_down_without_a_gap)
{
    (void)state;
    assert_string_equal(rows[0].name, "PGQRS_OK");
    for (size_t i = 0; i < ROW_COUNT; i++)
        assert_int_equal(rows[i].value, -(int)i);
}

/* A program that was compiled against an older header relies on these. */
TEST(test_values_that_were_released_stay)
{
    (void)state;
    assert_int_equal(PGQRS_ENOMEM, -1);
    assert_int_equal(PGQRS_EINVAL, -2);
    assert_int_equal(PGQRS_ETIMEDOUT, -6);
    assert_int_equal(PGQRS_EUNKNOWN, -7);
    assert_int_equal(PGQRS_ENOQUEUE, -12);
    assert_int_equal(PGQRS_ELEASELOST, -15);
    assert_int_equal(PGQRS_ESERVER, -19);
    assert_int_equal(PGQRS_ESYSTEM, -20);
}

TEST(test_each_status_has_a_name_and_a_text_of_its_own)
{
    (void)state;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        pgqrs_status status = (pgqrs_status)rows[i].value;

        assert_string_equal(pgqrs_status_name(status), rows[i].name);
        assert_string_equal(pgqrs_status_text(status), rows[i].text);
        assert_true(strlen(rows[i].text) > 0);
        assert_null(strchr(rows[i].text, '\n'));
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(rows[i].name, rows[j].name);
            assert_string_not_equal(rows[i].text, rows[j].text);
        }
    }
}

TEST(test_an_unknown_status_is_said_to_be_unknown)
{
    static const int unknown[] = { 1, -(int)ROW_COUNT, -1000 };

    (void)state;
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        assert_string_equal(pgqrs_status_name((pgqrs_status)unknown[i]), "PGQRS_?");
        assert_string_equal(pgqrs_status_text((pgqrs_status)unknown[i]), "unknown status");
    }
}

TEST(test_library_and_header_are_of_one_version)
{
    unsigned major, minor, patch;
    char rest;

    (void)state;
    assert_string_equal(pgqrs_version(), PGQRS_VERSION);
    assert_int_equal(sscanf(pgqrs_version(), "%u.%u.%u%c", &major, &minor, &patch, &rest), 3);
}

TEST_MAIN(NULL, NULL)
