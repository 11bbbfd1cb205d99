/*
 * The JSON check: the corpus in fuzz/corpus/json/, with PostgreSQL's answers; the position of a
 * fault; the limits.
 */
#include "found.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Checks a copy of exactly this size, so that AddressSanitizer sees a byte read too far. */
static int
check(const char *data, size_t size, pgqrsi_json_fault *fault)
{
    char *copy = malloc(size > 0 ? size : 1);
    int answer;

    assert_non_null(copy);
    memcpy(copy, data, size);
    *fault = (pgqrsi_json_fault){ NULL, SIZE_MAX };
    answer = pgqrsi_json_check((pgqrs_slice){ copy, size }, NULL, fault);
    free(copy);
    if (!answer) {
        assert_non_null(fault->problem);
        assert_true(fault->offset <= size);
    }
    return answer;
}

static int
accepts(const pgqrsi_buffer *text)
{
    pgqrsi_json_fault fault;

    assert_false(text->failed);
    return check(text->data, text->size, &fault);
}

static void
append_repeated(pgqrsi_buffer *text, const char *unit, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pgqrsi_buffer_append_text(text, unit);
}

static void
read_file(const char *path, pgqrsi_buffer *out)
{
    FILE *file = fopen(path, "rb");
    char chunk[4096];
    size_t got;

    if (file == NULL)
        fail_msg("cannot open %s", path);
    while ((got = fread(chunk, 1, sizeof(chunk), file)) > 0)
        pgqrsi_buffer_append(out, chunk, got);
    if (ferror(file) || out->failed)
        fail_msg("cannot read %s", path);
    fclose(file);
}

/* Calls `look` with every file of the folder; returns how many there were and adds up what it
 * returns. */
static size_t
walk(const char *folder, size_t (*look)(const char *name, const pgqrsi_buffer *text), size_t *wrong)
{
    const char *root = getenv("PGQRS_TEST_SOURCE_DIR");
    char path[4096], file[8192];
    struct dirent *entry;
    size_t count = 0;
    DIR *dir;

    if (root == NULL)
        fail_msg("PGQRS_TEST_SOURCE_DIR is not set: set it to the folder of the sources");
    snprintf(path, sizeof(path), "%s/fuzz/corpus/json/%s", root, folder);
    dir = opendir(path);
    if (dir == NULL)
        fail_msg("cannot open %s", path);
    while ((entry = readdir(dir)) != NULL) {
        pgqrsi_buffer text = PGQRSI_BUFFER_INIT;

        if (strstr(entry->d_name, ".json") == NULL)
            continue;
        snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
        read_file(file, &text);
        *wrong += look(entry->d_name, &text);
        pgqrsi_buffer_release(&text);
        count++;
    }
    closedir(dir);
    return count;
}

static size_t
look_at_good(const char *name, const pgqrsi_buffer *text)
{
    pgqrsi_buffer wrapped = PGQRSI_BUFFER_INIT;
    pgqrsi_json_fault fault;
    size_t wrong = 0;

    if (!check(text->data, text->size, &fault)) {
        print_error("%s was refused at byte %zu: %s\n", name, fault.offset, fault.problem);
        wrong++;
    }
    pgqrsi_buffer_append_text(&wrapped, " \r\n\t");
    pgqrsi_buffer_append(&wrapped, text->data, text->size);
    pgqrsi_buffer_append_text(&wrapped, "\t\n\r ");
    if (!accepts(&wrapped)) {
        print_error("%s was refused with white space around it\n", name);
        wrong++;
    }
    pgqrsi_buffer_append_text(&wrapped, "x");
    if (check(wrapped.data, wrapped.size, &fault) || fault.offset != wrapped.size - 1) {
        print_error("%s with an x behind it was not refused there\n", name);
        wrong++;
    }
    pgqrsi_buffer_release(&wrapped);
    return wrong;
}

static size_t
look_at_bad(const char *name, const pgqrsi_buffer *text)
{
    pgqrsi_json_fault fault;

    if (!check(text->size > 0 ? text->data : "", text->size, &fault))
        return 0;
    print_error("%s was accepted\n", name);
    return 1;
}

TEST(test_the_corpus_gets_the_verdicts_of_postgresql)
{
    size_t wrong = 0, good, bad;

    (void)state;
    good = walk("accept", look_at_good, &wrong);
    bad = walk("reject", look_at_bad, &wrong);

    assert_int_equal(wrong, 0);
    assert_true(good >= 100);
    assert_true(bad >= 200);
}

TEST(test_a_fault_is_reported_at_the_byte_at_fault)
{
    static const struct {
        const char *text, *problem; /* the problem starts with this */
        size_t offset;
    } cases[] = {
        { "", "unexpected end", 0 },
        { "  ", "unexpected end", 2 },
        { "[1,2", "unexpected end", 4 },
        { "[1,2,]", "expected a value", 5 },
        { "[1 2]", "expected \",\" or \"]\"", 3 },
        { "{\"a\":1 \"b\"}", "expected \",\" or \"}\"", 7 },
        { "{\"a\" 1}", "expected \":\"", 5 },
        { "{\"a\":1,}", "expected a key", 7 },
        { "{a:1}", "expected a key", 1 },
        { "{\"a\":}", "expected a value", 5 },
        { "[1}", "expected \",\" or \"]\"", 2 },
        { "1 2", "expected the end", 2 },
        { "[]]", "expected the end", 2 },
        { "trux", "expected true", 3 },
        { "tru", "unexpected end", 3 },
        { "truex", "expected the end", 4 },
        { "nan", "expected true", 1 },
        { "+1", "expected a value", 0 },
        { "[01]", "a number must not start with 0", 2 },
        { "-a", "expected a digit", 1 },
        { "-", "unexpected end", 1 },
        { "[1.]", "expected a digit", 3 },
        { "[1e+]", "expected a digit", 4 },
        { "[1, 1e131072]", "the number has more than 131072 digits before", 4 },
        { "[1, -1e-16384]", "the number has more than 16383 digits behind", 4 },
        { "[1, 1e9999999999]", "the number's exponent is out of range", 4 },
        { "\"abc", "unexpected end of the text in a string", 4 },
        { "\"ab\ncd\"", "a control character", 3 },
        { "\"ab\\x\"", "no such escape", 4 },
        { "\"ab\\", "unexpected end", 4 },
        { "\"\\u00g0\"", "expected four hexadecimal digits", 5 },
        { "\"ab\\u0000\"", "\\u0000 cannot be stored", 3 },
        { "\"ab\\ud83d\"", "a high surrogate", 3 },
        { "\"ab\\ud83d\\n\"", "a high surrogate", 3 },
        { "\"ab\\ud83d\\u0041\"", "a high surrogate", 3 },
        { "\"ab\\ude00\"", "a low surrogate", 3 },
        { "\"ab\\ud83d\\u12\"", "expected four hexadecimal digits", 13 },
        { "\"ab\xff\"", "not valid UTF-8", 3 },
        { "\"\xe6\x97\xa5\xe6\x97\"", "not valid UTF-8", 4 },
        { "\xef\xbb\xbf[]", "expected a value", 0 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        pgqrsi_json_fault fault;

        if (check(cases[i].text, strlen(cases[i].text), &fault))
            fail_msg("accepted %s", cases[i].text);
        if (fault.offset != cases[i].offset ||
            strncmp(fault.problem, cases[i].problem, strlen(cases[i].problem)) != 0)
            fail_msg("%s: \"%s\" at byte %zu, not \"%s\" at byte %zu", cases[i].text, fault.problem,
                     fault.offset, cases[i].problem, cases[i].offset);
    }
}

TEST(test_a_text_that_was_not_given_is_refused)
{
    pgqrsi_json_fault fault = { NULL, 1 };

    (void)state;
    assert_int_equal(pgqrsi_json_check((pgqrs_slice){ NULL, 0 }, NULL, &fault), 0);
    assert_non_null(fault.problem);
    assert_int_equal(fault.offset, 0);
}

/* The check reads eight bytes in one step: every byte at every place of two such steps must get the
 * right answer. */
TEST(test_every_byte_is_seen_wherever_it_stands_in_a_string)
{
    char text[26];

    (void)state;
    for (size_t at = 1; at < sizeof(text) - 1; at++) {
        for (int byte = 0; byte < 256; byte++) {
            int plain = byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
            pgqrsi_json_fault fault;

            memset(text, 'a', sizeof(text));
            text[0] = text[sizeof(text) - 1] = '"';
            text[at] = (char)byte;
            if (check(text, sizeof(text), &fault) != plain)
                fail_msg("byte 0x%02x at %zu got the wrong answer", (unsigned)byte, at);
            if ((byte < 0x20 || byte >= 0x80) && fault.offset != at)
                fail_msg("byte 0x%02x at %zu was reported at %zu", (unsigned)byte, at,
                         fault.offset);
        }
    }
}

TEST(test_no_beginning_of_a_text_is_taken_for_the_whole)
{
    static const char text[] =
        "{\"k\\u00e9y\":[-1.5e+3,true,null,\"\\ud83d\\ude00 \xe6\x97\xa5\",{\"a\":{}}]}";
    pgqrsi_json_fault fault;

    (void)state;
    assert_true(check(text, sizeof(text) - 1, &fault));
    for (size_t size = 0; size < sizeof(text) - 1; size++)
        assert_false(check(text, size, &fault));
}

TEST(test_nesting_ends_at_64)
{
    static const char *const opens[] = { "[", "{\"a\":" };
    static const char *const closes[] = { "]", "}" };

    (void)state;
    for (size_t kind = 0; kind < 2; kind++) {
        for (size_t depth = 64; depth <= 65; depth++) {
            pgqrsi_buffer text = PGQRSI_BUFFER_INIT;
            pgqrsi_json_fault fault;

            append_repeated(&text, opens[kind], depth);
            pgqrsi_buffer_append_text(&text, "0");
            append_repeated(&text, closes[kind], depth);

            assert_int_equal(check(text.data, text.size, &fault), depth == 64);
            if (depth == 65)
                assert_int_equal(fault.offset, 64 * strlen(opens[kind]));
            pgqrsi_buffer_release(&text);
        }
    }
}

TEST(test_siblings_do_not_count_as_nesting)
{
    pgqrsi_buffer text = PGQRSI_BUFFER_INIT;

    (void)state;
    pgqrsi_buffer_append_text(&text, "[[]");
    append_repeated(&text, ",[{\"a\":[]}],{}", 1000);
    pgqrsi_buffer_append_text(&text, "]");
    assert_true(accepts(&text));
    pgqrsi_buffer_release(&text);
}

/* Every answer in this table is PostgreSQL 15's. */
TEST(test_long_numbers_end_where_numeric_ends)
{
    static const struct {
        const char *head, *digit;
        size_t count;
        const char *tail;
        int is_good;
    } cases[] = {
        { "", "9", 131072, "", 1 },           { "", "9", 131073, "", 0 },
        { "-", "9", 131072, "", 1 },          { "-", "9", 131073, ".5", 0 },
        { "", "9", 131071, "e1", 1 },         { "", "9", 131071, "e2", 0 },
        { "0.", "0", 16382, "1", 1 },         { "0.", "0", 16383, "1", 0 },
        { "0.", "0", 16383, "", 1 },          { "0.", "0", 16384, "", 0 },
        { "1.", "7", 16383, "", 1 },          { "1.", "7", 16384, "", 0 },
        { "1.", "7", 16384, "e1", 1 },        { "1.", "7", 16383, "e-1", 0 },
        { "0.", "0", 20000, "1e20000", 1 },   { "0.", "0", 200000, "1e331072", 1 },
        { "0.", "0", 200000, "1e331073", 0 }, { "0.", "0", 200000, "e331073", 1 },
        { "1", "0", 200000, "e-100000", 0 },  { "1", "0", 147454, "e-16383", 1 },
        { "1", "0", 147455, "e-16383", 0 },   { "", "1", 1000000, "", 0 },
        { "1e", "0", 1000000, "5", 1 },       { "1e-", "0", 1000000, "5", 1 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        pgqrsi_buffer text = PGQRSI_BUFFER_INIT;

        pgqrsi_buffer_append_text(&text, cases[i].head);
        append_repeated(&text, cases[i].digit, cases[i].count);
        pgqrsi_buffer_append_text(&text, cases[i].tail);
        if (accepts(&text) != cases[i].is_good)
            fail_msg("%s%s{%zu}%s got the wrong answer", cases[i].head, cases[i].digit,
                     cases[i].count, cases[i].tail);
        pgqrsi_buffer_release(&text);
    }
}

TEST(test_a_text_holds_at_most_8388608_values)
{
    pgqrsi_buffer text = PGQRSI_BUFFER_INIT;
    pgqrsi_json_fault fault;

    (void)state;
    /* Given an array of one less, which is itself a value */
    pgqrsi_buffer_append_text(&text, "[0");
    append_repeated(&text, ",1", 8388606);
    pgqrsi_buffer_append_text(&text, "]");
    assert_true(accepts(&text));

    /* When there is one more, then that one is refused. */
    text.size--;
    pgqrsi_buffer_append_text(&text, ",7]");
    assert_false(check(text.data, text.size, &fault));
    assert_int_equal(fault.offset, text.size - 2);
    pgqrsi_buffer_release(&text);
}

/* Every length in this table was what PostgreSQL 15 printed, but for -0.00 (a sign less) and a name
 * that is given twice (kept once). */
TEST(test_the_printed_length_counts_numbers_without_exponents)
{
    static const struct {
        const char *text;
        uint64_t printed;
    } cases[] = {
        { "0", 1 },
        { "-0.00", 4 + 1 },
        { "1e131071", 131072 },
        { "-1e131071", 131073 },
        { "1e-16383", 16385 },
        { "-1.5E-3", 7 },
        { "0e131071", 1 },
        { "0e-16383", 16385 },
        { "0.0001e5", 2 },
        { "0.0001e2", 4 },
        { "123.456e1", 7 },
        { "123.456e3", 6 },
        { "[1,2,3]", 9 },
        { "{\"a\":1,\"b\":[]}", 17 },
        { "[ true , false , null ]", 19 },
        { "\"plain\"", 7 },
        { "{\"a\":1e3,\"a\":[1e3,1e3]}", 30 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        pgqrsi_json_fault fault;
        uint64_t printed = 0;

        assert_true(pgqrsi_json_check(pgqrs_slice_of(cases[i].text), &printed, &fault));
        if (printed != cases[i].printed)
            fail_msg("%s is printed in %llu bytes, not %llu", cases[i].text,
                     (unsigned long long)printed, (unsigned long long)cases[i].printed);
    }
}

TEST(test_only_objects_are_objects)
{
    (void)state;
    assert_true(pgqrsi_json_is_object(pgqrs_slice_of("{}")));
    assert_true(pgqrsi_json_is_object(pgqrs_slice_of(" \t\r\n{\"a\":1}")));
    assert_false(pgqrsi_json_is_object(pgqrs_slice_of("[{}]")));
    assert_false(pgqrsi_json_is_object(pgqrs_slice_of("\"{}\"")));
    assert_false(pgqrsi_json_is_object(pgqrs_slice_of(" null")));
    assert_false(pgqrsi_json_is_object((pgqrs_slice){ NULL, 0 }));
}

TEST_MAIN(NULL, NULL)
