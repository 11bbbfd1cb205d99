#include "fake_lies.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

#define HEAD TS_MESSAGE_HEAD
#define MANY 2000

typedef void tell(ts_teller *teller, const char *data, size_t size);

#define ADD(bytes, type, body) ts_bytes_message((bytes), (type), (body), sizeof(body) - 1)

/* A message whose length is a lie, too. */
static void
add_with_length(ts_bytes *bytes, char type, long length)
{
    ts_bytes_add(bytes, &type, 1);
    ts_bytes_int32(bytes, length);
    ts_bytes_add(bytes, "lies", 4);
}

/* A lie that changes all rows of the result that this row description begins. */
#define RESHAPES(name, how)                                                                        \
    static void name(ts_teller *teller, const char *data, size_t size)                             \
    {                                                                                              \
        teller->reshape = (how);                                                                   \
        ts_lie_pass(teller, data, size);                                                           \
    }

RESHAPES(fewer_columns, TS_RESHAPE_FEWER)
RESHAPES(no_columns, TS_RESHAPE_NONE)
RESHAPES(more_columns, TS_RESHAPE_MORE)
RESHAPES(other_types, TS_RESHAPE_TYPES)
RESHAPES(text_format, TS_RESHAPE_TEXT)
RESHAPES(no_rows, TS_RESHAPE_NO_ROWS)

/* A message more, before the one of the real server. */
#define INSERTS(name, type, body)                                                                  \
    static void name(ts_teller *teller, const char *data, size_t size)                             \
    {                                                                                              \
        ADD(&teller->out, type, body);                                                             \
        ts_lie_pass(teller, data, size);                                                           \
    }

/* Another message in its place. */
#define REPLACES(name, type, body)                                                                 \
    static void name(ts_teller *teller, const char *data, size_t size)                             \
    {                                                                                              \
        (void)data, (void)size;                                                                    \
        ADD(&teller->out, type, body);                                                             \
    }

/* A message again and again. */
#define REPEATS(name, type, body)                                                                  \
    static void name(ts_teller *teller, const char *data, size_t size)                             \
    {                                                                                              \
        (void)data, (void)size;                                                                    \
        ADD(&teller->again, type, body);                                                           \
    }

/* A message whose length does not fit it, in place of the real one. */
#define MISMEASURES(name, type, length)                                                            \
    static void name(ts_teller *teller, const char *data, size_t size)                             \
    {                                                                                              \
        (void)data, (void)size;                                                                    \
        add_with_length(&teller->out, type, length);                                               \
    }

#define LIE_ERROR "SERROR\0VERROR\0CXX000\0Ma lie\0\0"

INSERTS(copy_in, 'G', "\1\0\1\0\1")
INSERTS(copy_out, 'H', "\1\0\1\0\1")
INSERTS(copy_both, 'W', "\1\0\1\0\1")
REPLACES(copy_in_instead, 'G', "\0\0\0")
REPLACES(copy_out_instead, 'H', "\0\0\0")
REPLACES(copy_both_instead, 'W', "\0\0\0")
INSERTS(copy_data, 'd', "lies")
INSERTS(copy_done, 'c', "")
INSERTS(early_ready, 'Z', "I")
REPLACES(ready_in_transaction, 'Z', "T")
REPLACES(ready_in_failure, 'Z', "E")
REPLACES(ready_oddly, 'Z', "?")
REPLACES(ready_without_state, 'Z', "")
INSERTS(error_before, 'E', LIE_ERROR)
REPLACES(error_instead, 'E', LIE_ERROR)
REPLACES(error_without_sqlstate, 'E', "SERROR\0VERROR\0Ma lie\0\0")
REPLACES(error_with_odd_sqlstate, 'E', "SERROR\0VERROR\0C\0Ma lie\0\0")
REPLACES(error_with_long_sqlstate, 'E', "SERROR\0VERROR\0C22000222222222222222\0Ma lie\0\0")
REPLACES(error_without_fields, 'E', "\0")
REPLACES(error_without_end, 'E', "SERROR\0Ma lie")
REPLACES(error_of_old, 'E', "a lie\n\0")
REPLACES(fatal_error, 'E', "SFATAL\0VFATAL\0C57P01\0Ma lie\0\0")
REPLACES(panic_and_on, 'E', "SPANIC\0VPANIC\0CXX000\0Ma lie\0\0")
REPLACES(read_only, 'E', "SERROR\0VERROR\0C25006\0Ma lie\0\0")
REPLACES(unknown_type, '!', "lies")
INSERTS(function_result, 'V', "\0\0\0\1x")
INSERTS(no_data, 'n', "")
INSERTS(parameter_description, 't', "\0\1\0\0\0\x14")
INSERTS(parameter_description_short, 't', "\0\7")
INSERTS(bind_complete, '2', "")
INSERTS(parse_complete, '1', "")
INSERTS(close_complete, '3', "")
INSERTS(backend_key, 'K', "\0\0\0\1\0\0\0\2")
INSERTS(backend_key_short, 'K', "\0")
REPLACES(empty_query, 'I', "")
REPLACES(suspended_portal, 's', "")
INSERTS(other_encoding, 'S', "client_encoding\0LATIN1\0")
INSERTS(parameter_without_value, 'S', "client_encoding\0")
INSERTS(odd_notification, 'A', "\0\0\0\1pgqrs\0999999999999999999999999999\0")
INSERTS(notification_without_end, 'A', "\0\0\0\1pgqrs")
INSERTS(notice_without_end, 'N', "SFATAL")
INSERTS(fatal_notice, 'N', "SFATAL\0VFATAL\0C57P01\0Ma lie\0\0")
INSERTS(authentication_again, 'R', "\0\0\0\0")
INSERTS(password_again, 'R', "\0\0\0\3")
REPLACES(authentication_unknown, 'R', "\0\0\0\x63")
REPLACES(authentication_clear, 'R', "\0\0\0\3")
REPLACES(authentication_md5_short, 'R', "\0\0\0\5x")
REPLACES(authentication_sasl_nothing, 'R', "\0\0\0\xa\0")
REPLACES(authentication_sasl_odd, 'R', "\0\0\0\xaSCRAM-LIES\0\0")
REPLACES(authentication_sasl_continued, 'R', "\0\0\0\xbr=lies,s=lies,i=1")
REPLACES(authentication_sasl_final, 'R', "\0\0\0\xcv=lies")
REPLACES(authentication_gss, 'R', "\0\0\0\7")
REPLACES(authentication_sspi, 'R', "\0\0\0\x9")
REPLACES(authentication_short, 'R', "\0")
INSERTS(other_version, 'v', "\0\3\0\0\0\0\0\1_lies\0")
REPEATS(notifications, 'A', "\0\0\0\1pgqrs\0wake 1 1\0")
REPEATS(parameters, 'S', "application_name\0lies\0")
REPEATS(notices, 'N', "SNOTICE\0VNOTICE\0C00000\0Ma lie\0\0")
MISMEASURES(huge_row, 'D', 0x7ffffff0)
MISMEASURES(huge_tag, 'C', 0x7ffffff0)
MISMEASURES(length_zero, 'C', 0)
MISMEASURES(length_negative, 'D', -2)

static void
more_rows(ts_teller *teller, const char *data, size_t size)
{
    ts_lie_pass(teller, data, size);
    ts_lie_pass(teller, data, size);
}

static void
many_more_rows(ts_teller *teller, const char *data, size_t size)
{
    for (int i = 0; i < MANY; i++)
        ts_lie_pass(teller, data, size);
}

static void
endless_rows(ts_teller *teller, const char *data, size_t size)
{
    ts_bytes_add(&teller->again, data, size);
}

static void
skip(ts_teller *teller, const char *data, size_t size)
{
    (void)teller, (void)data, (void)size;
}

static void
twice(ts_teller *teller, const char *data, size_t size)
{
    ts_bytes_add(&teller->out, data, size);
    ts_bytes_add(&teller->out, data, size);
}

/* The whole result again. */
static void
two_results(ts_teller *teller, const char *data, size_t size)
{
    ts_bytes_add(&teller->out, data, size);
    ts_bytes_add(&teller->out, teller->result.data, teller->result.size);
    ts_bytes_add(&teller->out, data, size);
}

static void
description_again(ts_teller *teller, const char *data, size_t size)
{
    if (*data == 'D' && teller->result.size > 0)
        ts_bytes_add(&teller->out, teller->result.data, teller->result.size);
    ts_lie_pass(teller, data, size);
}

/* A row whose first value has that length, and as many bytes as `bytes`. */
static void
misvalue(ts_teller *teller, const char *data, size_t size, long length, size_t bytes)
{
    int32_t real = ts_int32_at(data + HEAD + 2);
    size_t skipped = HEAD + 2 + 4 + (real > 0 ? (size_t)real : 0);
    ts_bytes body = { NULL, 0, 0 };

    ts_bytes_int16(&body, ts_int16_at(data + HEAD));
    ts_bytes_int32(&body, length);
    ts_bytes_add(&body,
                 "liesliesliesliesliesliesliesliesliesliesliesliesliesliesliesliesliesliesliesl",
                 bytes);
    ts_bytes_add(&body, data + skipped, size - skipped);
    ts_bytes_message(&teller->out, 'D', body.data, body.size);
    free(body.data);
}

#define MISVALUES(name, length, bytes)                                                             \
    static void name(ts_teller *teller, const char *data, size_t size)                             \
    {                                                                                              \
        misvalue(teller, data, size, length, bytes);                                               \
    }

MISVALUES(short_value, 3, 3)
MISVALUES(empty_value, 0, 0)
MISVALUES(long_value, 64, 64)
MISVALUES(negative_value, -7, 0)
MISVALUES(huge_value, 0x7fffffff, 8)
MISVALUES(null_value, -1, 0)

/* Every value of the row, whatever it is. */
static void
null_values(ts_teller *teller, const char *data, size_t size)
{
    ts_bytes body = { NULL, 0, 0 };

    (void)size;
    ts_bytes_int16(&body, ts_int16_at(data + HEAD));
    for (int i = 0; i < ts_int16_at(data + HEAD); i++)
        ts_bytes_int32(&body, -1);
    ts_bytes_message(&teller->out, 'D', body.data, body.size);
    free(body.data);
}

/* The first bytes of the values, where they are: the version of a jsonb, the sign of a number. */
static void
spoilt_values(ts_teller *teller, const char *data, size_t size)
{
    char *copy = malloc(size);
    size_t at = HEAD + 2;

    if (copy == NULL)
        ts_fail("out of memory");
    memcpy(copy, data, size);
    for (int i = 0; i < ts_int16_at(data + HEAD); i++) {
        int32_t length = ts_int32_at(data + at);

        at += 4;
        if (length > 0) {
            copy[at] = (char)0xee;
            at += (size_t)length;
        }
    }
    ts_bytes_add(&teller->out, copy, size);
    free(copy);
}

static void
silence(ts_teller *teller, const char *data, size_t size)
{
    (void)data, (void)size;
    teller->is_silent = 1;
}

static void
silence_in_the_middle(ts_teller *teller, const char *data, size_t size)
{
    ts_bytes_add(&teller->out, data, size - 1);
    teller->is_silent = 1;
}

static void
close_before(ts_teller *teller, const char *data, size_t size)
{
    (void)data, (void)size;
    teller->is_over = 1;
}

static void
close_in_the_middle(ts_teller *teller, const char *data, size_t size)
{
    ts_bytes_add(&teller->out, data, size - 1);
    teller->is_over = 1;
}

static void
close_after(ts_teller *teller, const char *data, size_t size)
{
    ts_bytes_add(&teller->out, data, size);
    teller->is_over = 1;
}

static void
noise(ts_teller *teller, const char *data, size_t size)
{
    static const char other[] = "HTTP/1.1 400 Bad Request\r\nlies, lies\r\n\r\n";

    (void)data, (void)size;
    ts_bytes_add(&teller->out, other, sizeof(other) - 1);
}

/* Of several kinds of messages, or of all of those that answer a statement. */
#define ANSWERS "12TDCZGt"

static const struct {
    ts_lie lie;
    tell *tell;
} lies[] = {
#define LIE(function, at)                                                                          \
    {                                                                                              \
        { #function, at, 0 }, function                                                             \
    }
#define ENDLESS(function, at)                                                                      \
    {                                                                                              \
        { #function, at, 1 }, function                                                             \
    }
    LIE(more_rows, "D"),
    LIE(many_more_rows, "D"),
    ENDLESS(endless_rows, "D"),
    LIE(no_rows, "T"),
    LIE(fewer_columns, "T"),
    LIE(no_columns, "T"),
    LIE(more_columns, "T"),
    LIE(other_types, "T"),
    LIE(text_format, "T"),
    LIE(short_value, "D"),
    LIE(empty_value, "D"),
    LIE(long_value, "D"),
    LIE(negative_value, "D"),
    LIE(huge_value, "D"),
    LIE(null_value, "D"),
    LIE(null_values, "D"),
    LIE(spoilt_values, "D"),
    LIE(copy_in, "TC"),
    LIE(copy_out, "TC"),
    LIE(copy_both, "TC"),
    LIE(copy_in_instead, "TDC"),
    LIE(copy_out_instead, "TDC"),
    LIE(copy_both_instead, "TDC"),
    LIE(copy_data, ANSWERS),
    LIE(copy_done, ANSWERS),
    LIE(early_ready, "12TDC"),
    LIE(ready_in_transaction, "Z"),
    LIE(ready_in_failure, "Z"),
    LIE(ready_oddly, "Z"),
    LIE(ready_without_state, "Z"),
    LIE(error_before, ANSWERS),
    LIE(error_instead, "TCG"),
    LIE(error_without_sqlstate, "TCG"),
    LIE(error_with_odd_sqlstate, "TCG"),
    LIE(error_with_long_sqlstate, "TCG"),
    LIE(error_without_fields, "CG"),
    LIE(error_without_end, "CG"),
    LIE(error_of_old, "CG"),
    LIE(fatal_error, "TCG"),
    LIE(panic_and_on, "CG"),
    LIE(read_only, "CG"),
    LIE(unknown_type, "TDCZG"),
    LIE(function_result, "TC"),
    LIE(no_data, "TD"),
    LIE(parameter_description, "TC"),
    LIE(parameter_description_short, "TC"),
    LIE(bind_complete, "TC"),
    LIE(parse_complete, "TC"),
    LIE(close_complete, "TC"),
    LIE(backend_key, "C"),
    LIE(backend_key_short, "C"),
    LIE(empty_query, "TCG"),
    LIE(suspended_portal, "CG"),
    LIE(other_encoding, "TZ"),
    LIE(parameter_without_value, "TZ"),
    LIE(odd_notification, "TZ"),
    LIE(notification_without_end, "TZ"),
    LIE(notice_without_end, "TZ"),
    LIE(fatal_notice, "TZ"),
    LIE(authentication_again, "TCZ"),
    LIE(password_again, "TCZ"),
    LIE(other_version, "RTZ"),
    ENDLESS(notifications, "TCZ"),
    ENDLESS(parameters, "RTCZ"),
    ENDLESS(notices, "RTCZ"),
    LIE(huge_row, "TDC"),
    LIE(huge_tag, "CR"),
    LIE(length_zero, "TCR"),
    LIE(length_negative, "DCR"),
    { { "no_description", "T", 0 }, skip },
    { { "no_end", "C", 0 }, skip },
    { { "no_ready", "Z", 1 }, skip },
    { { "no_row", "D", 0 }, skip },
    { { "no_copy", "G", 1 }, skip },
    { { "twice", ANSWERS, 0 }, twice },
    LIE(two_results, "C"),
    LIE(description_again, "DC"),
    ENDLESS(silence, "RS12TDCZG"),
    ENDLESS(silence_in_the_middle, "R1TDCZG"),
    LIE(close_before, "RS12TDCZG"),
    LIE(close_in_the_middle, "R1TDCZG"),
    LIE(close_after, "R12TDCZG"),
    LIE(noise, "RTDCZG"),
    LIE(authentication_unknown, "R"),
    LIE(authentication_clear, "R"),
    LIE(authentication_md5_short, "R"),
    LIE(authentication_sasl_nothing, "R"),
    LIE(authentication_sasl_odd, "R"),
    LIE(authentication_sasl_continued, "R"),
    LIE(authentication_sasl_final, "R"),
    LIE(authentication_gss, "R"),
    LIE(authentication_sspi, "R"),
    LIE(authentication_short, "R"),
};

const int ts_lie_count = sizeof(lies) / sizeof(lies[0]);

const ts_lie *
ts_lie_at(int lie)
{
    return &lies[lie].lie;
}

int
ts_lie_find(const char *name)
{
    for (int i = 0; i < ts_lie_count; i++)
        if (strcmp(lies[i].lie.name, name) == 0)
            return i;
    ts_fail("there is no lie \"%s\"", name);
}

int
ts_lie_fits(int lie, char type)
{
    return strchr(lies[lie].lie.at, type) != NULL;
}

void
ts_lie_tell(int lie, ts_teller *teller, const char *data, size_t size)
{
    lies[lie].tell(teller, data, size);
}
