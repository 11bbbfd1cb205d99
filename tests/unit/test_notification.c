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

#include "found.h"

#include "worker/notification.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Reads a copy of exactly this size, so that AddressSanitizer sees a byte read too far. Writes what
 * was read as the server would write it, or "" if it says nothing. */
static void
retell(const char *text, char *out, size_t size)
{
    char *copy = strdup(text);
    pgqrsi_notification said;

    assert_non_null(copy);
    out[0] = '\0';
    if (pgqrsi_notification_parse(copy, &said)) {
        if (said.kind == PGQRSI_NOTIFICATION_WAKE)
            snprintf(out, size, "1 wake %lld", (long long)said.key);
        else
            snprintf(out, size, "1 cancel %lld %lld", (long long)said.key, (long long)said.id);
    }
    free(copy);
}

TEST(what_the_server_writes_is_read)
{
    static const char *const texts[] = {
        "1 wake 5",
        "1 wake 0",
        "1 wake -1",
        "1 wake 9223372036854775807",
        "1 wake -9223372036854775808",
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

TEST(anything_else_says_nothing)
{
    static const char *const texts[] = {
        /* another version, another kind, no more than a beginning */
        "",
        " ",
        "1",
        "1 ",
        "1 wake",
        "1 wake ",
        "1 wake 5 ",
        "1 cancel",
        "1 cancel ",
        "1 cancel 5",
        "1 cancel 5 ",
        "0 wake 5",
        "2 wake 5",
        "10 wake 5",
        "01 wake 5",
        "2 cancel 5 1",
        "1 waken 5",
        "1 WAKE 5",
        "1 sleep 5",
        "1 cancelled 5 1",
        "wake 5",
        "1  wake 5",
        " 1 wake 5",
        "1 wake  5",
        "1\twake\t5",
        "1 wake5",
        "1 cancel 5  1",
        /* more than there is to say: that is another version's */
        "1 wake 5 1",
        "1 wake 5 17 18",
        "1 cancel 5 1 2",
        /* overflow */
        "1 wake 9223372036854775808",
        "1 wake -9223372036854775809",
        "1 wake 18446744073709551616",
        "1 wake 18446744073709551621",
        "1 cancel 5 9223372036854775808",
        "1 cancel 5 18446744073709551617",
        "1 cancel 99999999999999999999999999 1",
        "1 cancel 5 99999999999999999999999999",
        /* signs, and forms that no bigint has */
        "1 wake +5",
        "1 wake -0",
        "1 wake -",
        "1 wake - 5",
        "1 wake --5",
        "1 wake 00",
        "1 wake 05",
        "1 wake -05",
        "1 wake 0x5",
        "1 wake 5.0",
        "1 wake 5e3",
        "1 cancel 5 +1",
        "1 cancel 5 00",
        "1 cancel 5 01",
        "1 cancel 5 -0",
        "1 cancel 5 -9223372036854775809",
        "1 cancel 05 1",
        /* junk after a number, between numbers, after all */
        "1 wake 5x",
        "1 wake 5\n",
        "1 wake 5\t",
        "1 wake 5,",
        "1 wake 5 wake",
        "1 cancel 5x 1",
        "1 cancel 5\t1",
        "1 cancel 5\f1",
        "1 cancel 5 1x",
        "1 cancel 5 1 ",
        "1 cancel 5 1\n",
        "1 cancel 5 1;",
        "1 cancel 5, 1",
        "1 cancel 5 1,2",
        "1 wake \xd9\xa1",
        "1 wake \xc2\xa0"
        "5",
    };
    char told[100];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        retell(texts[i], told, sizeof(told));
        if (told[0] != '\0')
            fail_msg("\"%s\" was taken for \"%s\"", texts[i], told);
    }
}

TEST(what_says_nothing_writes_nothing)
{
    static const char *const texts[] = { "2 wake 5", "1 wake 5 x", "1 cancel 5 1 2", "1 cancel 5" };
    const pgqrsi_notification before = { PGQRSI_NOTIFICATION_CANCEL, 7, 8 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        pgqrsi_notification said = before;

        assert_int_equal(pgqrsi_notification_parse(texts[i], &said), 0);
        assert_int_equal(said.kind, before.kind);
        assert_int_equal(said.key, before.key);
        assert_int_equal(said.id, before.id);
    }
}

TEST_MAIN(NULL, NULL)
