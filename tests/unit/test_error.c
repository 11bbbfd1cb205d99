/*
 * Failures as the caller sees them.
 */
#include "found.h"

#include <string.h>

#include "base/error.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static int
set_up(void **state)
{
    *state = pgqrs_error_new();
    return *state != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
    pgqrs_error_free(*state);
    return 0;
}

#define ERROR_TEST(name) TEST_WITH(name, set_up, tear_down)

ERROR_TEST(test_a_new_error_tells_of_no_failure)
{
    pgqrs_error *err = *state;

    assert_int_equal(pgqrs_error_status(err), PGQRS_OK);
    assert_string_equal(pgqrs_error_message(err), "");
    assert_string_equal(pgqrs_error_sqlstate(err), "");
    assert_false(pgqrs_error_is_transient(err));
}

ERROR_TEST(test_no_error_object_is_fine_everywhere)
{
    (void)state;
    assert_int_equal(pgqrsi_error_set(NULL, PGQRS_ENOQUEUE, "there is no queue \"%s\"", "q"),
                     PGQRS_ENOQUEUE);
    assert_int_equal(pgqrsi_error_memory(NULL), PGQRS_ENOMEM);
    pgqrsi_error_set_sqlstate(NULL, "40001");
    assert_int_equal(pgqrs_error_status(NULL), PGQRS_OK);
    assert_string_equal(pgqrs_error_message(NULL), "");
    assert_string_equal(pgqrs_error_sqlstate(NULL), "");
    assert_false(pgqrs_error_is_transient(NULL));
    pgqrs_error_free(NULL);
}

ERROR_TEST(test_a_failure_is_kept_with_its_message)
{
    pgqrs_error *err = *state;
    pgqrs_slice name = { "emails and more", 6 };

    assert_int_equal(
        pgqrsi_error_set(err, PGQRS_ENOQUEUE, "there is no queue \"%.*s\"", PGQRS_SLICE_ARG(name)),
        PGQRS_ENOQUEUE);
    assert_int_equal(pgqrs_error_status(err), PGQRS_ENOQUEUE);
    assert_string_equal(pgqrs_error_message(err), "there is no queue \"emails\"");
}

ERROR_TEST(test_the_next_failure_replaces_all_of_the_last)
{
    pgqrs_error *err = *state;

    pgqrsi_error_set(err, PGQRS_ESERVER, "first");
    pgqrsi_error_set_sqlstate(err, "40001");
    pgqrsi_error_set(err, PGQRS_EINVAL, "second");

    assert_int_equal(pgqrs_error_status(err), PGQRS_EINVAL);
    assert_string_equal(pgqrs_error_message(err), "second");
    assert_string_equal(pgqrs_error_sqlstate(err), "");
}

ERROR_TEST(test_a_message_may_quote_the_message_that_it_replaces)
{
    pgqrs_error *err = *state;

    pgqrsi_error_set(err, PGQRS_ESERVER, "inner");
    pgqrsi_error_set(err, PGQRS_ESERVER, "outer: %s", pgqrs_error_message(err));
    assert_string_equal(pgqrs_error_message(err), "outer: inner");
}

ERROR_TEST(test_a_long_message_is_kept_whole)
{
    pgqrs_error *err = *state;
    char text[5001];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    pgqrsi_error_set(err, PGQRS_ESERVER, "%s", text);
    assert_string_equal(pgqrs_error_message(err), text);
}

ERROR_TEST(test_a_message_is_one_line_and_cannot_drive_a_terminal)
{
    static const struct {
        const char *given, *shown;
    } cases[] = {
        { "two\nlines", "two lines" },
        { "a\ttab", "a tab" },
        { "carriage\rreturn", "carriage?return" },
        { "\x1b[31mred\x1b[0m", "?[31mred?[0m" },
        { "bell\a", "bell?" },
        { "delete\x7f", "delete?" },
        { "rtl \xe2\x80\xae isolate \xe2\x81\xa6 alm \xd8\x9c line \xe2\x80\xa8 dots \xe2\x80\xa6",
          "rtl ??? isolate ??? alm ?? line ??? dots \xe2\x80\xa6" },
        { "c1 \xc2\x9b"
          "2J \xc2\x80 \xc2\x9f",
          "c1 ??2J ?? ??" },
        { "caf\xc3\xa9 \xc2\xa0 \xe6\x97\xa5 \xf0\x9f\x98\x80",
          "caf\xc3\xa9 \xc2\xa0 \xe6\x97\xa5 \xf0\x9f\x98\x80" },
        { "cut \xc2", "cut \xc2" },
    };
    pgqrs_error *err = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        pgqrsi_error_set(err, PGQRS_EINVAL, "%s", cases[i].given);
        assert_string_equal(pgqrs_error_message(err), cases[i].shown);
    }
}

ERROR_TEST(test_the_sqlstate_is_kept_and_bounded)
{
    pgqrs_error *err = *state;

    pgqrsi_error_set(err, PGQRS_ESERVER, "failed");
    pgqrsi_error_set_sqlstate(err, "23505");
    assert_string_equal(pgqrs_error_sqlstate(err), "23505");
    pgqrsi_error_set_sqlstate(err, NULL);
    assert_string_equal(pgqrs_error_sqlstate(err), "23505");
    pgqrsi_error_set_sqlstate(err, "longer than five");
    assert_string_equal(pgqrs_error_sqlstate(err), "longe");
}

ERROR_TEST(test_out_of_memory_has_a_text_without_allocating_one)
{
    pgqrs_error *err = *state;

    pgqrsi_error_set(err, PGQRS_ESERVER, "before");
    pgqrsi_error_set_sqlstate(err, "40001");
    assert_int_equal(pgqrsi_error_memory(err), PGQRS_ENOMEM);

    assert_int_equal(pgqrs_error_status(err), PGQRS_ENOMEM);
    assert_string_equal(pgqrs_error_message(err), pgqrs_status_text(PGQRS_ENOMEM));
    assert_string_equal(pgqrs_error_sqlstate(err), "");
}

static int
is_expected_to_pass(pgqrs_status status)
{
    static const pgqrs_status transient[] = { PGQRS_ENOMEM,   PGQRS_ECONNECT, PGQRS_ETIMEDOUT,
                                              PGQRS_EUNKNOWN, PGQRS_ELEASED,  PGQRS_ERATE };

    for (size_t i = 0; i < COUNT_OF(transient); i++)
        if (transient[i] == status)
            return 1;
    return 0;
}

ERROR_TEST(test_each_status_says_whether_a_retry_makes_sense)
{
    static const pgqrs_status all[] = {
#define STATUS(name, value, text) PGQRS_##name,
        PGQRS_STATUS_MAP(STATUS)
#undef STATUS
    };
    pgqrs_error *err = *state;

    for (size_t i = 1; i < COUNT_OF(all); i++) {
        pgqrsi_error_set(err, all[i], "failed");
        if (pgqrs_error_is_transient(err) != is_expected_to_pass(all[i]))
            fail_msg("%s got the wrong answer", pgqrs_status_name(all[i]));
    }
}

ERROR_TEST(test_of_the_servers_errors_the_sqlstate_decides)
{
    static const char *const passing[] = { "08006", "40001", "40P01", "53100", "53200", "53300",
                                           "55P03", "57014", "57P01", "57P03", "25006" };
    static const char *const lasting[] = { "",      "22P02", "23505", "25001", "28P01", "42501",
                                           "42P01", "42601", "54000", "55000", "55006", "XX000" };
    pgqrs_error *err = *state;

    for (size_t i = 0; i < COUNT_OF(passing); i++) {
        pgqrsi_error_set(err, PGQRS_ESERVER, "failed");
        pgqrsi_error_set_sqlstate(err, passing[i]);
        if (!pgqrs_error_is_transient(err))
            fail_msg("%s should be worth a retry", passing[i]);
    }
    for (size_t i = 0; i < COUNT_OF(lasting); i++) {
        pgqrsi_error_set(err, PGQRS_ESERVER, "failed");
        pgqrsi_error_set_sqlstate(err, lasting[i]);
        if (pgqrs_error_is_transient(err))
            fail_msg("%s should not be worth a retry", lasting[i]);
    }
}

ERROR_TEST(test_a_sqlstate_does_not_make_another_status_transient)
{
    pgqrs_error *err = *state;

    pgqrsi_error_set(err, PGQRS_EDENIED, "failed");
    pgqrsi_error_set_sqlstate(err, "40001");
    assert_false(pgqrs_error_is_transient(err));
}

TEST_MAIN(NULL, NULL)
