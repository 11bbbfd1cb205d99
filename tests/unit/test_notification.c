/*
 * What the text of a notification says: what the server writes is read, and anything else says
 * nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/notification.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Reads a copy of exactly this size, so that AddressSanitizer sees a byte read too far. Writes what
 * was read as the server would write it, or "" if it says nothing. */
static void
retell(const char *text, char *out, size_t size)
{
    char *copy = strdup(text);
    pgqrsi_notification said;
    int64_t id;
    int length = 0;

    assert_non_null(copy);
    out[0] = '\0';
    if (pgqrsi_notification_parse(copy, &said)) {
        length = snprintf(out, size, "1 %s %lld",
                          said.kind == PGQRSI_NOTIFICATION_WAKE ? "wake" : "cancel",
                          (long long)said.key);
        while (pgqrsi_notification_next(&said, &id)) {
            assert_in_range(length, 1, size - 1);
            length += snprintf(out + length, size - (size_t)length, " %lld", (long long)id);
        }
    }
    free(copy);
}

static void
what_the_server_writes_is_read(void **state)
{
    static const char *const texts[] = {
        "1 wake 5 1",
        "1 wake 0 4194304",
        "1 wake -1 17 18 19",
        "1 wake 9223372036854775807 2147483647 1 1 1",
        "1 wake -9223372036854775808 9223372036854775807",
        "1 cancel 5 1",
        "1 cancel -10 9223372036854775807",
        "1 cancel -9223372036854775808 1000000",
        "1 cancel 5 0",
        "1 cancel 5 -9223372036854775808",
    };
    char told[100];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        retell(texts[i], told, sizeof(told));
        assert_string_equal(told, texts[i]);
    }
}

static void
anything_else_says_nothing(void **state)
{
    static const char *const texts[] = {
        /* another version, another kind, no more than a beginning */
        "",
        " ",
        "1",
        "1 ",
        "1 wake",
        "1 wake ",
        "1 wake 5",
        "1 wake 5 ",
        "1 cancel",
        "1 cancel ",
        "1 cancel 5",
        "1 cancel 5 ",
        "2 wake 5 1",
        "10 wake 5 1",
        "01 wake 5 1",
        "1 waken 5 1",
        "1 WAKE 5 1",
        "1 sleep 5 1",
        "wake 5 1",
        "1  wake 5 1",
        " 1 wake 5 1",
        "1 wake  5 1",
        "1\twake\t5\t1",
        "1 wake5 1",
        /* overflow */
        "1 wake 9223372036854775808 1",
        "1 wake -9223372036854775809 1",
        "1 wake 18446744073709551616 1",
        "1 wake 18446744073709551621 1",
        "1 wake 5 9223372036854775808",
        "1 wake 5 18446744073709551617",
        "1 cancel 5 9223372036854775808",
        "1 cancel 99999999999999999999999999 1",
        "1 cancel 5 99999999999999999999999999",
        /* signs, and forms that no bigint has */
        "1 wake +5 1",
        "1 wake -0 1",
        "1 wake - 1",
        "1 wake --5 1",
        "1 wake 5 +1",
        "1 wake 5 -1",
        "1 wake 5 0",
        "1 wake 05 1",
        "1 wake 5 01",
        "1 wake 0x5 1",
        "1 wake 5 0x1",
        "1 wake 5.0 1",
        "1 wake 5e3 1",
        "1 cancel 5 +1",
        "1 cancel 5 00",
        "1 cancel 5 -0",
        "1 cancel 5 -9223372036854775809",
        "1 cancel 05 1",
        /* junk after a number, between numbers, after all */
        "1 wake 5x 1",
        "1 wake 5 1x",
        "1 wake 5 1,2",
        "1 wake 5 1 x",
        "1 wake 5 1 2x 3",
        "1 wake 5 1  2",
        "1 wake 5 1 ",
        "1 wake 5 1\n",
        "1 wake 5 1\n2",
        "1 wake 5\t1",
        "1 wake 5 1\f2",
        "1 wake 5 1 +2",
        "1 wake 5 1 99999999999999999999",
        "1 wake 5 1 -2",
        "1 wake 5 1 wake",
        "1 cancel 5 1 2",
        "1 cancel 5 1x",
        "1 cancel 5 1 ",
        "1 cancel 5 1\n",
        "1 cancel 5 1;",
        "1 cancel 5, 1",
        "1 wake 5 \xd9\xa1",
        "1 wake \xc2\xa0"
        "5 1",
    };
    char told[100];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        retell(texts[i], told, sizeof(told));
        if (told[0] != '\0')
            fail_msg("\"%s\" was taken for \"%s\"", texts[i], told);
    }
}

static void
what_says_nothing_writes_nothing(void **state)
{
    const pgqrsi_notification before = { PGQRSI_NOTIFICATION_CANCEL, 7, "untouched" };
    pgqrsi_notification said = before;

    (void)state;
    assert_int_equal(pgqrsi_notification_parse("1 wake 5 1 2 x", &said), 0);
    assert_int_equal(said.kind, before.kind);
    assert_int_equal(said.key, before.key);
    assert_ptr_equal(said.list, before.list);
}

static void
a_list_that_was_taken_stays_empty(void **state)
{
    pgqrsi_notification said;
    int64_t id = 0;

    (void)state;
    assert_int_equal(pgqrsi_notification_parse("1 cancel 5 12", &said), 1);
    assert_int_equal(pgqrsi_notification_next(&said, &id), 1);
    assert_int_equal(id, 12);
    assert_int_equal(pgqrsi_notification_next(&said, &id), 0);
    assert_int_equal(pgqrsi_notification_next(&said, &id), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_server_writes_is_read),
        cmocka_unit_test(anything_else_says_nothing),
        cmocka_unit_test(what_says_nothing_writes_nothing),
        cmocka_unit_test(a_list_that_was_taken_stays_empty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
