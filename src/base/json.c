/*
 * The scanner is a loop over two questions: "which value starts here?" and "what may follow it?".
 * The open arrays and objects are a stack of bits, so no text can make it recurse or allocate.
 *
 *      value ---> after ---- , in an array -----> value
 *        ^          |  \---- , in an object ----> key, then value
 *        |          |  \---- ] or } ------------> after
 *        [ or {     \------- nothing is open ---> end of text
 *
 * Where jsonb's limits come from its storage (numeric's weight and scale, memory for one array),
 * they were measured on PostgreSQL 15; tests/db/json_differential.c asks a server again.
 */
#include "base/json.h"

#include <stdint.h>
#include <string.h>

#include "base/name.h"

/* numeric: digits before the decimal point, digits behind it, and what an exponent may be at
 * all. */
#define NUMERIC_MAX_WEIGHT 131071
#define NUMERIC_MAX_SCALE 16383
#define NUMERIC_EXPONENT_BOUND 1073741823

/* Stricter than jsonb, whose own limit on the elements of a container and on its bytes depends on
 * what they are: with no more values than this in a text of at most 64 MiB, neither can be
 * reached. */
#define MAX_VALUES 8388608

/* 64 is the width of the stack. */
_Static_assert(PGQRSI_JSON_MAX_DEPTH == 64, "the open containers are the bits of one word");

struct scan {
    const unsigned char *start, *at, *end;
    /* bit 0: the innermost open container is an object; bit 1: the one around it ... */
    uint64_t objects;
    int depth; /* how many bits count */
    size_t values;
    uint64_t printed; /* bytes of jsonb's text of what was passed so far, or a few more */
    pgqrsi_json_fault *fault;
};

static int
refuse(struct scan *scan, const unsigned char *where, const char *problem)
{
    scan->fault->problem = problem;
    scan->fault->offset = (size_t)(where - scan->start);
    return 0;
}

/* Of a byte that does not belong there, or of the end of the text if it came too early. */
static int
refuse_next(struct scan *scan, const char *problem)
{
    return refuse(scan, scan->at, scan->at < scan->end ? problem : "unexpected end of the text");
}

static int
next_is(const struct scan *scan, unsigned char byte)
{
    return scan->at < scan->end && *scan->at == byte;
}

static int
next_is_digit(const struct scan *scan)
{
    return scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9';
}

static void
skip_space(struct scan *scan)
{
    while (scan->at < scan->end &&
           (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\t' || *scan->at == '\r'))
        scan->at++;
}

/* Passes over bytes that stand for themselves, eight at a time: a byte of `special` has its top bit
 * set if the byte of the text is a quote, a backslash, a control character or not ASCII. A borrow
 * may also mark a byte behind such a one; the loop over single bytes decides. */
static void
skip_plain(struct scan *scan)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = UINT64_C(0x8080808080808080);
    const unsigned char *p = scan->at;

    while (scan->end - p >= 8) {
        uint64_t word, quote, backslash, special;

        memcpy(&word, p, sizeof(word));
        quote = word ^ (ones * '"');
        backslash = word ^ (ones * '\\');
        special = (word | (word - ones * 0x20) | (quote - ones) | (backslash - ones)) & tops;
        if (special != 0)
            break;
        p += 8;
    }
    while (p < scan->end && *p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\')
        p++;
    scan->at = p;
}

/* A run of bytes beyond ASCII. A sequence never extends into ASCII, so the run can be checked by
 * itself. */
static int
check_utf8(struct scan *scan)
{
    pgqrs_slice run = { (const char *)scan->at, 0 };
    size_t valid;

    while (scan->at < scan->end && *scan->at >= 0x80)
        scan->at++;
    run.size = (size_t)(scan->at - (const unsigned char *)run.data);
    valid = pgqrsi_utf8_valid_prefix(run);
    if (valid < run.size)
        return refuse(scan, (const unsigned char *)run.data + valid, "not valid UTF-8");
    return 1;
}

static int
hex_value(unsigned char byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    if (byte >= 'a' && byte <= 'f')
        return byte - 'a' + 10;
    if (byte >= 'A' && byte <= 'F')
        return byte - 'A' + 10;
    return -1;
}

/* The four digits behind \u. */
static int
check_hex(struct scan *scan, unsigned *out)
{
    unsigned unit = 0;

    for (int i = 0; i < 4; i++) {
        int digit = scan->at < scan->end ? hex_value(*scan->at) : -1;

        if (digit < 0)
            return refuse_next(scan, "expected four hexadecimal digits behind \\u");
        unit = unit * 16 + (unsigned)digit;
        scan->at++;
    }
    *out = unit;
    return 1;
}

/* \uXXXX, of which `backslash` is the start and XXXX comes next. */
static int
check_unicode(struct scan *scan, const unsigned char *backslash)
{
    unsigned unit = 0, low = 0;
    const unsigned char *second;

    if (!check_hex(scan, &unit))
        return 0;
    if (unit == 0)
        return refuse(scan, backslash, "\\u0000 cannot be stored");
    if (unit >= 0xdc00 && unit <= 0xdfff)
        return refuse(scan, backslash, "a low surrogate without a high one before it");
    if (unit < 0xd800 || unit > 0xdbff)
        return 1;
    second = scan->at;
    if (scan->end - second < 2 || second[0] != '\\' || second[1] != 'u')
        return refuse(scan, backslash, "a high surrogate without a low one behind it");
    scan->at += 2;
    if (!check_hex(scan, &low))
        return 0;
    if (low < 0xdc00 || low > 0xdfff)
        return refuse(scan, backslash, "a high surrogate without a low one behind it");
    return 1;
}

static int
check_escape(struct scan *scan)
{
    const unsigned char *backslash = scan->at++;

    if (scan->at == scan->end)
        return refuse_next(scan, NULL);
    switch (*scan->at) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        scan->at++;
        return 1;
    case 'u':
        scan->at++;
        return check_unicode(scan, backslash);
    default:
        return refuse(scan, scan->at, "no such escape sequence");
    }
}

/* A string, whose opening quote comes next. It is printed no longer than it was written: an escape
 * is printed as the character it stands for, or as an escape that is as long or shorter. */
static int
check_string(struct scan *scan)
{
    const unsigned char *start = scan->at++;

    for (;;) {
        skip_plain(scan);
        if (scan->at == scan->end)
            return refuse(scan, scan->at, "unexpected end of the text in a string");
        if (*scan->at == '"')
            break;
        if (*scan->at < 0x20)
            return refuse(scan, scan->at, "a control character in a string must be escaped");
        if (!(*scan->at == '\\' ? check_escape(scan) : check_utf8(scan)))
            return 0;
    }
    scan->at++;
    scan->printed += (uint64_t)(scan->at - start);
    return 1;
}

/* Passes over digits, of which there must be one; reports how many and where the first one above
 * zero is. */
static int
check_digits(struct scan *scan, int64_t *count, const unsigned char **nonzero)
{
    const unsigned char *first = scan->at;

    if (!next_is_digit(scan))
        return refuse_next(scan, "expected a digit");
    for (; next_is_digit(scan); scan->at++)
        if (*nonzero == NULL && *scan->at != '0')
            *nonzero = scan->at;
    *count = scan->at - first;
    return 1;
}

/* The part of a number behind its "e". A value beyond what numeric takes stays beyond, however long
 * it is. */
static int
check_exponent(struct scan *scan, int64_t *exponent)
{
    int negative = next_is(scan, '-');
    int64_t value = 0;

    if (negative || next_is(scan, '+'))
        scan->at++;
    if (!next_is_digit(scan))
        return refuse_next(scan, "expected a digit");
    for (; next_is_digit(scan); scan->at++)
        if (value < NUMERIC_EXPONENT_BOUND)
            value = value * 10 + (*scan->at - '0');
    *exponent = negative ? -value : value;
    return 1;
}

/* A number is printed without an exponent: `weight` is the place of its first digit, 0 for the one
 * before the point, and `scale` how many digits stand behind the point. */
static void
add_printed_number(struct scan *scan, int is_negative, int64_t weight, int64_t scale)
{
    scan->printed +=
        (uint64_t)(is_negative + (weight > 0 ? weight + 1 : 1) + (scale > 0 ? 1 + scale : 0));
}

/* jsonb keeps numbers as numeric, which counts the digits behind the point that were written, even
 * if all are zero, and before it those from the first one above zero. */
static int
check_number(struct scan *scan)
{
    const unsigned char *start = scan->at, *first, *nonzero = NULL;
    int64_t before = 0, behind = 0, exponent = 0, weight = 0;

    if (*scan->at == '-')
        scan->at++;
    first = scan->at;
    if (next_is(scan, '0')) {
        scan->at++;
        before = 1;
        if (next_is_digit(scan))
            return refuse(scan, scan->at, "a number must not start with 0");
    } else if (!check_digits(scan, &before, &nonzero)) {
        return 0;
    }
    if (next_is(scan, '.')) {
        scan->at++;
        if (!check_digits(scan, &behind, &nonzero))
            return 0;
    }
    if (next_is(scan, 'e') || next_is(scan, 'E')) {
        scan->at++;
        if (!check_exponent(scan, &exponent))
            return 0;
    }
    if (exponent >= NUMERIC_EXPONENT_BOUND || exponent <= -NUMERIC_EXPONENT_BOUND)
        return refuse(scan, start, "the number's exponent is out of range");
    if (behind - exponent > NUMERIC_MAX_SCALE)
        return refuse(scan, start,
                      "the number has more than 16383 digits behind the decimal point");
    if (nonzero != NULL) {
        /* the point is no digit */
        int64_t skipped = nonzero - first - (nonzero > first + before ? 1 : 0);

        weight = before - 1 - skipped + exponent;
    }
    if (weight > NUMERIC_MAX_WEIGHT)
        return refuse(scan, start,
                      "the number has more than 131072 digits before the decimal point");
    add_printed_number(scan, first > start, weight, behind - exponent);
    return 1;
}

static int
check_word(struct scan *scan, const char *word)
{
    size_t length = strlen(word);

    for (; *word != '\0'; word++, scan->at++)
        if (!next_is(scan, (unsigned char)*word))
            return refuse_next(scan, "expected true, false or null");
    scan->printed += length;
    return 1;
}

static int
check_key(struct scan *scan)
{
    skip_space(scan);
    if (!next_is(scan, '"'))
        return refuse_next(scan, "expected a key, in double quotes");
    if (!check_string(scan))
        return 0;
    skip_space(scan);
    if (!next_is(scan, ':'))
        return refuse_next(scan, "expected \":\"");
    scan->at++;
    scan->printed += 2; /* a space follows the colon */
    return 1;
}

/* An array or an object starts. *awaits_value says whether its first value comes next; otherwise it
 * is empty, and its end comes next. */
static int
open_container(struct scan *scan, int *awaits_value)
{
    int is_object = *scan->at == '{';

    if (scan->depth == PGQRSI_JSON_MAX_DEPTH)
        return refuse(scan, scan->at, "arrays and objects nest more than 64 deep");
    scan->at++;
    scan->printed += 2; /* with its end */
    scan->depth++;
    scan->objects = scan->objects << 1 | (uint64_t)is_object;
    skip_space(scan);
    *awaits_value = !next_is(scan, is_object ? '}' : ']');
    return is_object && *awaits_value ? check_key(scan) : 1;
}

static int
check_value(struct scan *scan, int *awaits_value)
{
    *awaits_value = 0;
    skip_space(scan);
    if (scan->at == scan->end)
        return refuse_next(scan, NULL);
    if (++scan->values > MAX_VALUES)
        return refuse(scan, scan->at, "more than 8388608 values");
    switch (*scan->at) {
    case '[':
    case '{':
        return open_container(scan, awaits_value);
    case '"':
        return check_string(scan);
    case 't':
        return check_word(scan, "true");
    case 'f':
        return check_word(scan, "false");
    case 'n':
        return check_word(scan, "null");
    default:
        if (*scan->at == '-' || next_is_digit(scan))
            return check_number(scan);
        return refuse(scan, scan->at, "expected a value");
    }
}

/* What follows a value: the ends of any number of containers, then a comma or the end of the
 * text. */
static int
check_after(struct scan *scan, int *awaits_value)
{
    *awaits_value = 0;
    for (;;) {
        int in_object = (int)(scan->objects & 1);

        skip_space(scan);
        if (scan->depth == 0)
            break;
        if (next_is(scan, ',')) {
            scan->at++;
            scan->printed += 2; /* a space follows the comma */
            *awaits_value = 1;
            return in_object ? check_key(scan) : 1;
        }
        if (!next_is(scan, in_object ? '}' : ']'))
            return refuse_next(scan,
                               in_object ? "expected \",\" or \"}\"" : "expected \",\" or \"]\"");
        scan->at++;
        scan->depth--;
        scan->objects >>= 1;
    }
    return scan->at == scan->end ? 1 : refuse(scan, scan->at, "expected the end of the text");
}

int
pgqrsi_json_check(pgqrs_slice text, uint64_t *out_printed, pgqrsi_json_fault *fault)
{
    static const char empty[] = "";
    struct scan scan = { .fault = fault };
    int awaits_value = 1;

    scan.start = (const unsigned char *)(text.data != NULL ? text.data : empty);
    scan.at = scan.start;
    scan.end = scan.start + (text.data != NULL ? text.size : 0);
    while (awaits_value) {
        if (!check_value(&scan, &awaits_value))
            return 0;
        if (!awaits_value && !check_after(&scan, &awaits_value))
            return 0;
    }
    if (out_printed != NULL)
        *out_printed = scan.printed;
    return 1;
}

int
pgqrsi_json_is_object(pgqrs_slice text)
{
    size_t i = 0;

    while (i < text.size && (text.data[i] == ' ' || text.data[i] == '\n' || text.data[i] == '\t' ||
                             text.data[i] == '\r'))
        i++;
    return i < text.size && text.data[i] == '{';
}
