/* The small pure parts of the command: JSON out, suggestions, exit codes. */
#include "found.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../cli/line/exit.c"
#include "../../cli/print/json.c"
#include "../../cli/line/suggest.c"
#include "../../cli/print/utf8.c"
#include "../../cli/print/value.c"

static void
expect_escaped(const char *text, const char *wanted)
{
    char *out = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&out, &size);

    assert_non_null(stream);
    assert_int_equal(cli_json_string(stream, pgqrs_slice_of(text)), 0);
    fclose(stream);
    assert_string_equal(out, wanted);
    free(out);
}

TEST(strings_are_escaped_for_json_and_for_terminals)
{
    (void)state;
    expect_escaped("", "\"\"");
    expect_escaped("a \"quoted\" back\\slash /", "\"a \\\"quoted\\\" back\\\\slash /\"");
    expect_escaped("\n\r\t\x01\x1b[31m\x7f", "\"\\n\\r\\t\\u0001\\u001b[31m\\u007f\"");
    expect_escaped("\b\f", "\"\\b\\f\"");
    expect_escaped("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
                   "\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"");
    expect_escaped("\xc2\x9b\x31m", "\"\\u009b1m\"");
    expect_escaped("\xff\xc0\x80\xed\xa0\x80"
                   "a\xe2\x82",
                   "\"\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffda\\ufffd\\ufffd\"");
}

static void
suggest_one(const char *typed, const char *wanted)
{
    static const char *const names[] = { "install", "uninstall", "verify",       "queue", "message",
                                         "archive", "work",      "max-attempts", "delay", "help" };
    cli_suggest suggest = CLI_SUGGEST_INIT(typed);

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        cli_suggest_consider(&suggest, names[i]);
    if (wanted == NULL)
        assert_null(suggest.best);
    else if (suggest.best == NULL)
        fail_msg("nothing for %s", typed);
    else
        assert_string_equal(suggest.best, wanted);
}

TEST(near_names_are_suggested_and_far_ones_are_not)
{
    (void)state;
    suggest_one("queu", "queue");
    suggest_one("qeuue", "queue");
    suggest_one("mesage", "message");
    suggest_one("max", "max-attempts");
    suggest_one("uninstal", "uninstall");
    suggest_one("wokr", "work");
    suggest_one("x", NULL);
    suggest_one("", NULL);
    suggest_one("frobnicate", NULL);
    suggest_one("a-name-that-is-longer-than-every-command-there-is", NULL);
}

TEST(every_status_has_an_exit_code_that_is_explained)
{
    static const pgqrs_status statuses[] = {
#define STATUS(name, value, text) PGQRS_##name,
        PGQRS_STATUS_MAP(STATUS)
#undef STATUS
    };
    const cli_exit_row *row;

    (void)state;
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        int code = cli_exit_of(statuses[i]), explained = 0;

        assert_int_equal(code == 0, statuses[i] == PGQRS_OK);
        for (size_t j = 0; (row = cli_exit_at(j)) != NULL; j++)
            explained += row->code == code;
        assert_int_equal(explained, 1);
    }
}

TEST_MAIN(NULL, NULL)
