/* The idempotency key of a line is the member that --key-field names, decoded, the last of
 * several. */
#include "found.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../cli/input/json_member.c"
#include "../../cli/print/utf8.c"

/* An exact copy in memory of its own, so that a sanitizer sees a read beyond the end. */
static cli_json_member_result
find_in_copy(const char *text, size_t size, const char *name, char **key, size_t *length)
{
    char *copy = malloc(size + 1);
    size_t capacity = 0;
    cli_json_member_result result;

    assert_non_null(copy);
    memcpy(copy + 1, text, size);
    *key = NULL;
    result = cli_json_member((pgqrs_slice){ copy + 1, size }, pgqrs_slice_of(name), key, &capacity,
                             length);
    free(copy);
    return result;
}

static void
expect(const char *text, const char *name, const char *wanted)
{
    size_t length = 0;
    char *key;
    cli_json_member_result result = find_in_copy(text, strlen(text), name, &key, &length);

    if ((result != CLI_JSON_MEMBER_FOUND && result != CLI_JSON_MEMBER_NUMBER) ||
        length != strlen(wanted) || memcmp(key, wanted, length) != 0)
        fail_msg("%s in %s: result %d, not \"%s\"", name, text, (int)result, wanted);
    free(key);
}

static void
refuse(const char *text, const char *name, cli_json_member_result wanted)
{
    size_t length = 0;
    char *key;
    cli_json_member_result result = find_in_copy(text, strlen(text), name, &key, &length);

    if (result != wanted)
        fail_msg("%s in %s: result %d, not %d", name, text, (int)result, (int)wanted);
    free(key);
}

TEST(strings_and_numbers_are_found)
{
    (void)state;
    expect("{\"id\":\"a\"}", "id", "a");
    expect(" { \"x\" : [1,{\"id\":2},\"]}\"] , \"id\" : \"b\" } ", "id", "b");
    expect("{\"id\":17}", "id", "17");
    expect("{\"id\":-1.5e+10,\"z\":{}}", "id", "-1.5e+10");
    expect("{\"id\":12345678901234567890123}", "id", "12345678901234567890123");
    expect("{\"a\":{\"id\":1},\"id\":\"outer\"}", "id", "outer");
    expect("{\"path\":\"/usr/share/doc/\xc3\xa4\"}", "path", "/usr/share/doc/\xc3\xa4");
    expect("{\"\":\"nameless\"}", "", "nameless");
    expect("{\"a\":\"\\\\\",\"id\":\"c\"}", "id", "c");
    expect("{\"a\":\"\\\"id\\\":1\",\"id\":\"d\"}", "id", "d");
}

TEST(escapes_are_decoded)
{
    (void)state;
    expect("{\"id\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}", "id", "\"\\/\b\f\n\r\t");
    expect("{\"id\":\"\\u0041\\u00e9\\u20AC\"}", "id", "A\xc3\xa9\xe2\x82\xac");
    expect("{\"id\":\"\\ud83d\\ude00\"}", "id", "\xf0\x9f\x98\x80");
    expect("{\"\\u0069d\":\"by escaped name\"}", "id", "by escaped name");
}

TEST(of_several_the_last_one_counts)
{
    (void)state;
    expect("{\"id\":1,\"id\":\"two\"}", "id", "two");
    expect("{\"id\":1,\"i\\u0064\":2}", "id", "2");
    refuse("{\"id\":1,\"id\":null}", "id", CLI_JSON_MEMBER_NOT_SCALAR);
}

TEST(what_is_no_key_is_refused)
{
    (void)state;
    refuse("{}", "id", CLI_JSON_MEMBER_MISSING);
    refuse("{\"ID\":1}", "id", CLI_JSON_MEMBER_MISSING);
    refuse("{\"idx\":1,\"i\":2}", "id", CLI_JSON_MEMBER_MISSING);
    refuse("{\"id\":true}", "id", CLI_JSON_MEMBER_NOT_SCALAR);
    refuse("{\"id\":[1]}", "id", CLI_JSON_MEMBER_NOT_SCALAR);
    refuse("{\"id\":{\"id\":1}}", "id", CLI_JSON_MEMBER_NOT_SCALAR);
    refuse("[{\"id\":1}]", "id", CLI_JSON_MEMBER_NOT_OBJECT);
    refuse("\"id\"", "id", CLI_JSON_MEMBER_NOT_OBJECT);
    refuse("", "id", CLI_JSON_MEMBER_NOT_OBJECT);
    refuse("{\"id\":1} {\"id\":2}", "id", CLI_JSON_MEMBER_NOT_OBJECT);
    refuse("{\"id\":\"\\ud800\"}", "id", CLI_JSON_MEMBER_NOT_OBJECT);
    refuse("{\"id\":\"\\u0000\"}", "id", CLI_JSON_MEMBER_NOT_OBJECT);
    refuse("{\"id\":\"\\x\"}", "id", CLI_JSON_MEMBER_NOT_OBJECT);
}

/* Whatever is cut off, nothing beyond the end is read. */
TEST(every_beginning_of_a_text_is_safe)
{
    static const char text[] =
        "{\"a\":[{\"b\":\"\\u00e9\\\"\"},-1e5],\"\\u0069d\":\"\\ud83d\\ude00\\n\",\"c\":null}";
    size_t length = 0;
    char *key;

    (void)state;
    for (size_t size = 0; size + 1 < sizeof(text) - 1; size++) {
        assert_int_not_equal(find_in_copy(text, size, "id", &key, &length), CLI_JSON_MEMBER_FOUND);
        free(key);
    }
    assert_int_equal(find_in_copy(text, sizeof(text) - 1, "id", &key, &length),
                     CLI_JSON_MEMBER_FOUND);
    free(key);
}

/* Texts made of the characters that have a meaning in JSON: each may be refused, none may do
 * harm. */
TEST(random_texts_are_safe)
{
    static const char alphabet[] = "{}[]\",:\\u0d8idab1-e. \xc3\xa9";
    char text[40], *key;
    size_t length = 0;

    (void)state;
    srand(1);
    for (int round = 0; round < 200000; round++) {
        size_t size = (size_t)rand() % sizeof(text);

        for (size_t i = 0; i < size; i++)
            text[i] = alphabet[(size_t)rand() % (sizeof(alphabet) - 1)];
        if (size > 0)
            text[0] = '{';
        find_in_copy(text, size, "id", &key, &length);
        free(key);
    }
}

TEST_MAIN(NULL, NULL)
