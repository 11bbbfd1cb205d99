/*
 * UTF-8 and names: valid names of queues, and the text of a refusal.
 */
#include "found.h"

#include <stdlib.h>
#include <string.h>

#include "base/name.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Checks a copy of exactly this size, so that AddressSanitizer sees a byte read too far. */
static size_t
valid_prefix(const char *data, size_t size)
{
    char *copy = malloc(size > 0 ? size : 1);
    size_t valid;

    assert_non_null(copy);
    memcpy(copy, data, size);
    valid = pgqrsi_utf8_valid_prefix((pgqrs_slice){ copy, size });
    free(copy);
    return valid;
}

/* Unicode's own rule, from a code point to bytes: the other way round than the code under test. */
static size_t
encode(uint32_t point, char *out)
{
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    if (point < 0x800) {
        out[0] = (char)(0xc0 | point >> 6);
        out[1] = (char)(0x80 | (point & 0x3f));
        return 2;
    }
    if (point < 0x10000) {
        out[0] = (char)(0xe0 | point >> 12);
        out[1] = (char)(0x80 | (point >> 6 & 0x3f));
        out[2] = (char)(0x80 | (point & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | point >> 18);
    out[1] = (char)(0x80 | (point >> 12 & 0x3f));
    out[2] = (char)(0x80 | (point >> 6 & 0x3f));
    out[3] = (char)(0x80 | (point & 0x3f));
    return 4;
}

TEST(test_every_code_point_is_valid_except_surrogates)
{
    char bytes[4];

    (void)state;
    for (uint32_t point = 0; point <= 0x10ffff; point++) {
        size_t size = encode(point, bytes);
        size_t expected = point >= 0xd800 && point <= 0xdfff ? 0 : size;

        if (pgqrsi_utf8_valid_prefix((pgqrs_slice){ bytes, size }) != expected)
            fail_msg("U+%04X got the wrong answer", point);
        if (pgqrsi_utf8_valid_prefix((pgqrs_slice){ bytes, size - 1 }) != 0)
            fail_msg("U+%04X without its last byte got the wrong answer", point);
    }
}

/* Nothing else is valid: there are as many sequences of each length as there are code points for
 * it. */
TEST(test_there_is_one_form_of_each_code_point)
{
    size_t two = 0, three = 0, four = 0;
    char bytes[4];

    (void)state;
    for (unsigned lead = 0x80; lead < 0x100; lead++) {
        for (unsigned tail = 0; tail < 0x10000; tail++) {
            bytes[0] = (char)lead;
            bytes[1] = (char)(tail >> 8);
            bytes[2] = (char)tail;
            two += (tail & 0xff) == 0 && pgqrsi_utf8_valid_prefix((pgqrs_slice){ bytes, 2 }) == 2;
            three += pgqrsi_utf8_valid_prefix((pgqrs_slice){ bytes, 3 }) == 3 &&
                     (tail & 0x80) != 0 && lead >= 0xe0;
            /* The validity of the first three bytes of four does not depend on the last. */
            bytes[3] = (char)0x80;
            four += pgqrsi_utf8_valid_prefix((pgqrs_slice){ bytes, 4 }) == 4 &&
                    (tail & 0x80) != 0 && lead >= 0xf0;
        }
    }

    assert_int_equal(two, 0x800 - 0x80);
    assert_int_equal(three, 0x10000 - 0x800 - 0x800);
    assert_int_equal(four, (0x110000 - 0x10000) / 64);
}

TEST(test_the_valid_prefix_ends_before_the_first_bad_sequence)
{
    static const struct {
        const char *text;
        size_t valid;
    } cases[] = {
        { "", 0 },
        { "plain", 5 },
        { "ab\xff", 2 },
        { "ab\x80", 2 },
        { "caf\xe9 noir", 3 },
        { "\xe6\x97\xa5\xe6\x97", 3 },
        { "\xf0\x9f\x98", 0 },
        { "a\xf0\x9f\x98\x80", 5 },
        { "a\xf0\x9f\x98\xc0", 1 },
        { "\xc0\x80", 0 },
        { "\xed\xa0\x80", 0 },
        { "\xf4\x90\x80\x80", 0 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (valid_prefix(cases[i].text, strlen(cases[i].text)) != cases[i].valid)
            fail_msg("\"%s\" got the wrong prefix", cases[i].text);
    assert_int_equal(valid_prefix("a\0b", 3), 3);
    assert_int_equal(pgqrsi_utf8_valid_prefix((pgqrs_slice){ NULL, 0 }), 0);
}

TEST(test_names_are_data_and_hold_any_text)
{
    static const char *const names[] = { "a",
                                         "emails",
                                         "Robert'); DROP TABLE pgqrs_queues;--",
                                         "%s%n%d",
                                         "\"quoted\"",
                                         " ",
                                         "a b",
                                         "\xf0\x9f\x98\x80",
                                         "\xe6\x97\xa5\xe6\x9c\xac",
                                         "../x",
                                         "a.b/c",
                                         "\\",
                                         "caf\xc3\xa9" };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        assert_int_equal(pgqrsi_name_check("queue name", pgqrs_slice_of(names[i]), 128, NULL),
                         PGQRS_OK);
}

TEST(test_a_name_has_1_to_its_most_bytes)
{
    char name[129];

    (void)state;
    memset(name, 'n', sizeof(name));
    assert_int_equal(pgqrsi_name_check("queue name", (pgqrs_slice){ name, 1 }, 128, NULL),
                     PGQRS_OK);
    assert_int_equal(pgqrsi_name_check("queue name", (pgqrs_slice){ name, 128 }, 128, NULL),
                     PGQRS_OK);
    assert_int_equal(pgqrsi_name_check("queue name", (pgqrs_slice){ name, 129 }, 128, NULL),
                     PGQRS_EINVAL);
    assert_int_equal(pgqrsi_name_check("queue name", (pgqrs_slice){ name, 0 }, 128, NULL),
                     PGQRS_EINVAL);
    assert_int_equal(pgqrsi_name_check("queue name", (pgqrs_slice){ NULL, 0 }, 128, NULL),
                     PGQRS_EINVAL);
}

TEST(test_bytes_count_not_characters)
{
    char name[130];

    (void)state;
    for (size_t i = 0; i < sizeof(name); i += 2)
        memcpy(name + i, "\xc3\xa9", 2);
    assert_int_equal(pgqrsi_name_check("queue name", (pgqrs_slice){ name, 128 }, 128, NULL),
                     PGQRS_OK);
    assert_int_equal(pgqrsi_name_check("queue name", (pgqrs_slice){ name, 130 }, 128, NULL),
                     PGQRS_EINVAL);
}

TEST(test_control_characters_are_refused_wherever_they_stand)
{
    (void)state;
    for (uint32_t point = 0; point < 0x200; point++) {
        int is_control = point < 0x20 || (point >= 0x7f && point < 0xa0);
        char name[16] = "ab";
        size_t size = 2 + encode(point, name + 2);
        pgqrs_status expected = is_control ? PGQRS_EINVAL : PGQRS_OK;

        if (pgqrsi_name_check("name", (pgqrs_slice){ name, size }, 128, NULL) != expected)
            fail_msg("U+%04X at the end got the wrong answer", point);
        name[size++] = 'c';
        if (pgqrsi_name_check("name", (pgqrs_slice){ name, size }, 128, NULL) != expected)
            fail_msg("U+%04X in the middle got the wrong answer", point);
        if (pgqrsi_name_check("name", (pgqrs_slice){ name + 2, size - 2 }, 128, NULL) != expected)
            fail_msg("U+%04X at the start got the wrong answer", point);
    }
}

TEST(test_a_refusal_says_what_was_refused_and_why)
{
    static const struct {
        pgqrs_slice name;
        const char *reason;
    } cases[] = {
        { { "", 0 }, "empty" },
        { { "123456789", 9 }, "9 bytes and at most 8" },
        { { "caf\xe9", 4 }, "not UTF-8 at byte 4" },
        { { "a\nb", 3 }, "control character" },
    };
    pgqrs_error *err = pgqrs_error_new();

    (void)state;
    assert_non_null(err);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(pgqrsi_name_check("message type", cases[i].name, 8, err), PGQRS_EINVAL);
        assert_int_equal(pgqrs_error_status(err), PGQRS_EINVAL);
        assert_non_null(strstr(pgqrs_error_message(err), "message type"));
        assert_non_null(strstr(pgqrs_error_message(err), cases[i].reason));
        assert_null(strchr(pgqrs_error_message(err), '\n'));
    }
    pgqrs_error_free(err);
}

TEST_MAIN(NULL, NULL)
