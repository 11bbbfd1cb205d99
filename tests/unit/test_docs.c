/*
 * Compares the tables in docs/ with the tables in the code.
 */
#include "found.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pgqrs.h>

static char *
read_doc(const char *name)
{
    const char *root = getenv("PGQRS_TEST_SOURCE_DIR");
    char path[4096];
    char *text = calloc(1, 65536);
    FILE *file;

    snprintf(path, sizeof(path), "%s/docs/%s", root != NULL ? root : ".", name);
    file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(text);
    assert_true(fread(text, 1, 65535, file) > 0);
    fclose(file);
    return text;
}

/* How many rows of tables there are, without the two of the head. */
static int
count_rows(const char *text)
{
    int count = -2;

    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (*line == '|')
            count++;
    }
    return count;
}

TEST(every_status_stands_in_its_doc)
{
    char *doc = read_doc("statuses.md");
    char row[512];
    int count = 0;

    (void)state;
#define CHECK_ROW(name, value, text)                                                               \
    snprintf(row, sizeof(row), "\n| `PGQRS_%s` | %d | %s |\n", #name, value, text);                \
    if (strstr(doc, row) == NULL)                                                                  \
        fail_msg("docs/statuses.md lacks this row: %s", row);                                      \
    count++;
    PGQRS_STATUS_MAP(CHECK_ROW)
    assert_int_equal(count_rows(doc), count);
    free(doc);
}

TEST(every_setting_stands_in_its_doc)
{
    char *doc = read_doc("configuration.md");
    char row[512];
    int count = 0;

    (void)state;
    for (const pgqrs_setting *setting = pgqrs_config_setting(0); setting != NULL;
         setting = pgqrs_config_setting((size_t)count)) {
        snprintf(
            row, sizeof(row), "\n| `%s` | `%s` | %s | %s |\n", setting->name, setting->environment,
            setting->default_value != NULL ? setting->default_value : "none", setting->description);
        if (strstr(doc, row) == NULL)
            fail_msg("docs/configuration.md lacks this row: %s", row);
        count++;
    }
    assert_int_equal(count_rows(doc), count);
    free(doc);
}

/* Whether `text` defines `test`: by a line such as STORY_TEST(`test`), or by a plain head if it
 * keeps a list. */
static bool
defines_test(const char *text, const char *test)
{
    char head[256];

    snprintf(head, sizeof(head), "TEST(%s)\n{", test);
    for (const char *at = strstr(text, head); at != NULL; at = strstr(at + 1, head)) {
        while (at > text && (isupper((unsigned char)at[-1]) || at[-1] == '_'))
            at--;
        if (at > text && at[-1] == '\n')
            return true;
    }
    snprintf(head, sizeof(head), "\n%s(void **", test);
    return strstr(text, "CMUnitTest") != NULL && strstr(text, head) != NULL;
}

/* Whether tests/`suite`/`file`.c defines `test`. */
static bool
has_test(const char *suite, const char *file, const char *test)
{
    const char *root = getenv("PGQRS_TEST_SOURCE_DIR");
    char path[4096];
    char *text = calloc(1, 262144);
    FILE *source;
    bool found = false;

    snprintf(path, sizeof(path), "%s/tests/%s/%s.c", root != NULL ? root : ".", suite, file);
    source = fopen(path, "r");
    assert_non_null(text);
    if (source != NULL) {
        found = fread(text, 1, 262143, source) > 0 && defines_test(text, test);
        fclose(source);
    }
    free(text);
    return found;
}

/* How many tests the page `name` names, which are all there. */
static int
count_named_tests(const char *name)
{
    char *doc = read_doc(name);
    int count = 0;

    for (char *begin = strchr(doc, '`'); begin != NULL; begin = strchr(begin + 1, '`')) {
        char *end = strchr(begin + 1, '`');
        char suite[64], file[64], test[128];

        assert_non_null(end);
        *end = '\0';
        if (sscanf(begin + 1, "%63[a-z]/%63[a-z_]:%127[a-z_0-9]", suite, file, test) == 3) {
            if (!has_test(suite, file, test) && strcmp(suite, "suite") != 0)
                fail_msg("docs/%s names a test that is not there: %s", name, begin + 1);
            count++;
        }
        begin = end;
    }
    free(doc);
    return count;
}

TEST(every_promise_has_its_test)
{
    (void)state;
    assert_true(count_named_tests("guarantees.md") > 40);
    assert_true(count_named_tests("conformance.md") > 10);
}

TEST_MAIN(NULL, NULL)
