/* Idempotency keys made from JSON: one for each value, whatever its spelling, and none for two. */
#include "found.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../cli/input/key.c"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Made from a copy of exactly this size, into memory of exactly the size that is promised. */
static size_t
make(size_t (*key_of)(pgqrs_slice, char *), const char *text, char out[CLI_KEY_MAX_BYTES + 1])
{
    size_t size = strlen(text), length;
    char *copy = malloc(size + 1), *key = malloc(CLI_KEY_MAX_BYTES);

    memcpy(copy + 1, text, size);
    length = key_of((pgqrs_slice){ copy + 1, size }, key);
    if (length <= CLI_KEY_MAX_BYTES) {
        memcpy(out, key, length);
        out[length] = '\0';
    }
    free(copy);
    free(key);
    return length;
}

static void
expect_number(const char *text, const char *wanted)
{
    char key[CLI_KEY_MAX_BYTES + 1] = "";

    make(cli_key_of_number, text, key);
    if (strcmp(key, wanted) != 0)
        fail_msg("%s gives \"%s\", not \"%s\"", text, key, wanted);
}

TEST(all_spellings_of_a_number_are_one_key)
{
    static const char *const ones[] = { "1",     "1.0",   "1.000",    "1e0",   "1E+0",
                                        "10e-1", "0.1e1", "0.0001e4", "100e-2" };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ones); i++)
        expect_number(ones[i], "number:1");
    expect_number("0", "number:0");
    expect_number("-0", "number:0");
    expect_number("-0.00e17", "number:0");
    expect_number("-17", "number:-17");
    expect_number("1.50", "number:1.5");
    expect_number("15e-1", "number:1.5");
    expect_number("0.0015", "number:0.0015");
    expect_number("1.5e-3", "number:0.0015");
    expect_number("1002003", "number:1002003");
    expect_number("10020.03e2", "number:1002003");
    expect_number("120", "number:120");
    expect_number("1.2e2", "number:120");
    expect_number("12345678901234567890123", "number:12345678901234567890123");
    expect_number("12345678901234567890123.0", "number:12345678901234567890123");
    expect_number("9007199254740993", "number:9007199254740993");
    expect_number("1e300", "number:1e300");
    expect_number("10e299", "number:1e300");
    expect_number("0.1e301", "number:1e300");
    expect_number("-2.50e-300", "number:-25e-301");
    expect_number("1e-42", "number:1e-42");
    expect_number("1e40", "number:10000000000000000000000000000000000000000");
}

TEST(numbers_that_differ_have_keys_that_differ)
{
    static const char *const numbers[] = { "1",
                                           "-1",
                                           "10",
                                           "0.1",
                                           "11",
                                           "1.1",
                                           "101",
                                           "1.01",
                                           "0",
                                           "1e40",
                                           "1e41",
                                           "1e42",
                                           "-1e41",
                                           "1e-39",
                                           "1e-40",
                                           "1e-41",
                                           "1e-42",
                                           "9007199254740993",
                                           "9007199254740992" };
    char a[CLI_KEY_MAX_BYTES + 1], b[CLI_KEY_MAX_BYTES + 1];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        for (size_t j = 0; j < i; j++) {
            make(cli_key_of_number, numbers[i], a);
            make(cli_key_of_number, numbers[j], b);
            if (strcmp(a, b) == 0)
                fail_msg("%s and %s are both \"%s\"", numbers[i], numbers[j], a);
        }
}

TEST(a_string_is_its_own_key_and_never_that_of_a_number)
{
    static const char *const cases[][2] = {
        { "1", "1" },
        { "order-17", "order-17" },
        { "", "" },
        { "number", "number" },
        { "number:", "string:number:" },
        { "number:1", "string:number:1" },
        { "string:", "string:string:" },
        { "string:number:1", "string:string:number:1" },
        { "NUMBER:1", "NUMBER:1" },
    };
    char key[CLI_KEY_MAX_BYTES + 1];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(make(cli_key_of_string, cases[i][0], key), strlen(cases[i][1]));
        assert_string_equal(key, cases[i][1]);
    }
}

TEST(what_is_too_long_is_told_and_not_cut)
{
    char text[600], key[CLI_KEY_MAX_BYTES + 1];

    (void)state;
    memset(text, '7', sizeof(text));
    for (size_t size = 1; size < sizeof(text); size++) {
        text[size] = '\0';
        assert_int_equal(make(cli_key_of_string, text, key) > CLI_KEY_MAX_BYTES, size > 255);
        assert_int_equal(make(cli_key_of_number, text, key) > CLI_KEY_MAX_BYTES, size > 255 - 7);
        text[size] = '7';
    }
}

/* They are refused later, as JSON; here they only must do no harm. */
TEST(what_is_no_number_does_no_harm)
{
    static const char *const texts[] = { "-",    "",    ".",     "1e",
                                         "e",    "--1", "1.2.3", "1e99999999999999999999999999",
                                         "-.e-", "1x2" };
    char key[CLI_KEY_MAX_BYTES + 1];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        assert_true(make(cli_key_of_number, texts[i], key) >= strlen("number:0"));
}

TEST_MAIN(NULL, NULL)
