/*
 * Does pgqrsi_json_check accept exactly what a server's jsonb accepts, and is what jsonb prints
 * never longer than pgqrsi_json_check says? Generates texts, most of them damaged a little, and
 * compares the two answers. A difference is shrunk to the smallest text that still shows it.
 *
 * Use: PGQRS_TEST_DSN=... json_differential [COUNT [SEED]]
 *
 * The defaults are 20,000 texts and a seed from the clock. The database's encoding must be UTF8.
 * Exit: 0 no difference, 1 a difference, 2 could not be run.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libpq-fe.h>

#include "base/buffer.h"
#include "base/json.h"

#define BATCH 500
#define BYTEA_OID 17
#define BYTEA_ARRAY_OID 1001

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* The SQLSTATE of the refusal, or "=" and how many bytes are printed. Bytes that are not UTF-8 are
 * refused as they would be on their way in. */
static const char create_function[] =
    "CREATE FUNCTION pg_temp.json_refusal(bytes bytea) RETURNS text LANGUAGE plpgsql AS $$ "
    "BEGIN RETURN '=' || octet_length(convert_from(bytes, 'UTF8')::jsonb::text); "
    "EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE; END $$";
static const char ask_batch[] = "SELECT pg_temp.json_refusal(bytes) FROM unnest($1::bytea[]) WITH "
                                "ORDINALITY AS u (bytes, n) ORDER BY n";

static uint64_t random_state;

static uint64_t
random_bits(void)
{
    uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static size_t
below(size_t bound)
{
    return (size_t)(random_bits() % bound);
}

static _Noreturn void
stop(const char *attempt, const char *why)
{
    fprintf(stderr, "json_differential: %s failed: %s\n", attempt, why);
    exit(2);
}

static void
add_digits(pgqrsi_buffer *text, size_t count)
{
    char digit = (char)('0' + below(3)); /* zeros often: they count differently */

    for (size_t i = 0; i < count; i++) {
        if (below(64) == 0)
            digit = (char)('0' + below(10));
        pgqrsi_buffer_append(text, &digit, 1);
    }
}

/* Numbers gather around numeric's limits: 131072 digits before the point, 16383 behind it. */
static void
add_number(pgqrsi_buffer *text)
{
    static const size_t lengths[] = { 1, 2, 5, 17, 16382, 16383, 16384, 131071, 131072, 147455 };
    static const long exponents[] = { 0,     1,      5,      400,    16382,     16383,
                                      16384, 131070, 131071, 131072, 1073741823 };
    int is_long = below(200) == 0;
    char exponent[32];

    if (below(3) == 0)
        pgqrsi_buffer_append_text(text, "-");
    if (below(4) == 0) {
        pgqrsi_buffer_append_text(text, "0");
    } else {
        pgqrsi_buffer_append_text(text, "1");
        add_digits(text, is_long ? lengths[below(COUNT_OF(lengths))] - 1 : below(6));
    }
    if (below(3) == 0) {
        pgqrsi_buffer_append_text(text, ".");
        add_digits(text, is_long ? lengths[below(COUNT_OF(lengths))] : 1 + below(6));
    }
    if (below(2) == 0) {
        long value = exponents[below(COUNT_OF(exponents))] + (long)below(9) - 4;

        snprintf(exponent, sizeof(exponent), "%c%s%ld", below(2) ? 'e' : 'E', below(2) ? "-" : "",
                 value < 0 ? -value : value);
        pgqrsi_buffer_append_text(text, exponent);
    }
}

static const char *const string_parts[] = {
    "a",       "path/to",        "\\n",     "\\\"",     "\\\\",         "\\/",
    "\\b",     "\\u0041",        " ",       "\xc3\xa9", "\xe6\x97\xa5", "\xf0\x9f\x98\x80",
    "\x7f",    "\\ud83d\\ude00", "\\u0001", "\\u001F",  "\\u00e9",      "\\u007f",
    "\\u0022", "\\u005c",        "%s;",     "\xc2\x80", "\\uFFFF",      "\xef\xbf\xbf",
};

static void
add_string(pgqrsi_buffer *text)
{
    pgqrsi_buffer_append_text(text, "\"");
    for (size_t i = below(6); i > 0; i--)
        pgqrsi_buffer_append_text(text, string_parts[below(COUNT_OF(string_parts))]);
    pgqrsi_buffer_append_text(text, "\"");
}

static void
add_space(pgqrsi_buffer *text)
{
    static const char *const spaces[] = { "", "", "", "", " ", "\n", "\t\r\n " };

    pgqrsi_buffer_append_text(text, spaces[below(COUNT_OF(spaces))]);
}

static void
add_value(pgqrsi_buffer *text, int depth)
{
    static const char *const words[] = { "true", "false", "null" };
    size_t kind = below(depth < 4 ? 6 : 4), members = below(4);

    add_space(text);
    if (kind == 0) {
        pgqrsi_buffer_append_text(text, words[below(3)]);
    } else if (kind == 1) {
        add_string(text);
    } else if (kind <= 3) {
        add_number(text);
    } else {
        pgqrsi_buffer_append_text(text, kind == 4 ? "[" : "{");
        for (size_t i = 0; i < members; i++) {
            pgqrsi_buffer_append_text(text, i > 0 ? "," : "");
            add_space(text);
            if (kind == 5) {
                add_string(text);
                add_space(text);
                pgqrsi_buffer_append_text(text, ":");
            }
            add_value(text, depth + 1);
        }
        add_space(text);
        pgqrsi_buffer_append_text(text, kind == 4 ? "]" : "}");
    }
    add_space(text);
}

/* Replaces `removed` bytes at `at` by `size` others. */
static void
splice(pgqrsi_buffer *text, size_t at, size_t removed, const char *bytes, size_t size)
{
    pgqrsi_buffer result = PGQRSI_BUFFER_INIT;

    pgqrsi_buffer_append(&result, text->data, at);
    pgqrsi_buffer_append(&result, bytes, size);
    pgqrsi_buffer_append(&result, text->data + at + removed, text->size - at - removed);
    pgqrsi_buffer_release(text);
    *text = result;
}

static const char *const tokens[] = {
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "\"",
    "\\",
    "\\u",
    "\\u0000",
    "\\ud83d",
    "\\ude00",
    "\\uDbFf",
    "\\uDC00",
    "\\x",
    "0",
    "-",
    "+",
    ".",
    "e",
    "E-",
    "1e131072",
    "1e-16384",
    "0e-16384",
    "true",
    "nul",
    "NaN",
    "Infinity",
    "\f",
    "\v",
    "\xc2\xa0",
    "\xef\xbb\xbf",
    "\xc0\x80",
    "\xed\xa0\x80",
    "\xf4\x90\x80\x80",
    "\xff",
    "\x80",
    "\xe6\x97",
    "\x1f",
    "/**/",
    "\x7f",
    "'a'",
    "\\u00e9",
    "_",
    "1E+5",
    "\"\":",
    "[[[[[[[[",
    "]]]]]]]]",
};

static void
damage(pgqrsi_buffer *text)
{
    size_t at = below(text->size + 1), left = text->size - at,
           length = left > 0 ? 1 + below(left < 8 ? left : 8) : 0;
    const char *token = tokens[below(COUNT_OF(tokens))];
    char byte = (char)below(256), copy[8];

    if (text->size == 0) {
        pgqrsi_buffer_append_text(text, token);
        return;
    }
    switch (below(6)) {
    case 0:
        splice(text, at, left > 0, &byte, 1);
        break;
    case 1:
        splice(text, at, length, "", 0);
        break;
    case 2:
        if (length > 0)
            memcpy(copy, text->data + at, length);
        splice(text, below(text->size + 1), 0, copy, length);
        break;
    case 3:
        splice(text, at, left, "", 0);
        break;
    default:
        splice(text, at, below(2) ? length : 0, token, strlen(token));
    }
}

static void
generate(pgqrsi_buffer *text)
{
    size_t damages = below(5) < 2 ? 0 : 1 + below(3);

    add_value(text, 0);
    for (size_t i = 0; i < damages; i++)
        damage(text);
    if (text->failed)
        stop("generating a text", "out of memory");
}

/* answers[i]: how many bytes texts[i] has when the server prints it; 0 if the server refuses it. */
static void
ask(PGconn *conn, const pgqrsi_buffer *texts, size_t count, uint64_t *answers)
{
    static const Oid type = BYTEA_ARRAY_OID;
    static const int format = 1;
    pgqrsi_buffer array = PGQRSI_BUFFER_INIT;
    const char *value;
    int length;
    PGresult *result;

    /* The number of dimensions, "may hold NULL", the type, the number of elements, the first
     * index. */
    pgqrsi_buffer_append_int32(&array, 1);
    pgqrsi_buffer_append_int32(&array, 0);
    pgqrsi_buffer_append_int32(&array, BYTEA_OID);
    pgqrsi_buffer_append_int32(&array, (int32_t)count);
    pgqrsi_buffer_append_int32(&array, 1);
    for (size_t i = 0; i < count; i++) {
        pgqrsi_buffer_append_int32(&array, (int32_t)texts[i].size);
        pgqrsi_buffer_append(&array, texts[i].data, texts[i].size);
    }
    if (array.failed || array.size > INT32_MAX)
        stop("building the statement's parameter", "out of memory");
    value = array.data;
    length = (int)array.size;
    result = PQexecParams(conn, ask_batch, 1, &type, &value, &length, &format, 0);
    pgqrsi_buffer_release(&array);
    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != (int)count)
        stop("asking the server", PQerrorMessage(conn));
    for (int i = 0; i < (int)count; i++) {
        const char *sqlstate = PQgetvalue(result, i, 0);

        /* Class 22 says that the text is wrong; anything else says nothing about the text. */
        if (*sqlstate != '=' && strncmp(sqlstate, "22", 2) != 0)
            stop("the server's check of a text", sqlstate);
        answers[i] = *sqlstate == '=' ? strtoull(sqlstate + 1, NULL, 10) : 0;
    }
    PQclear(result);
}

/* The depth is the one bound of ours that the server does not have and that texts of this size
 * reach. */
static int
differs(const pgqrsi_buffer *text, uint64_t printed)
{
    pgqrsi_json_fault fault = { NULL, 0 };
    uint64_t bound = 0;
    int accepts = pgqrsi_json_check((pgqrs_slice){ text->data, text->size }, &bound, &fault);

    if (!accepts && strstr(fault.problem, "deep") != NULL)
        return 0;
    return accepts != (printed > 0) || bound < printed;
}

static void
print_difference(const pgqrsi_buffer *text, uint64_t printed)
{
    pgqrsi_json_fault fault = { "accepted", 0 };
    uint64_t bound = 0;

    pgqrsi_json_check((pgqrs_slice){ text->data, text->size }, &bound, &fault);
    printf("difference: the server %s and prints %" PRIu64
           " bytes, pgqrsi_json_check says \"%s\" at byte %zu "
           "and at most %" PRIu64 ", of %zu bytes:\n",
           printed > 0 ? "accepts" : "refuses", printed, fault.problem, fault.offset, bound,
           text->size);
    for (size_t i = 0; i < text->size; i++) {
        unsigned char byte = (unsigned char)text->data[i];

        printf(byte >= 0x20 && byte < 0x7f && byte != '\\' ? "%c" : "\\x%02x", byte);
    }
    printf("\n");
}

/* Takes out pieces of this size as long as the difference stays. Returns 1 if there was one. */
static int
shrink_by(PGconn *conn, pgqrsi_buffer *text, size_t piece)
{
    size_t at = 0;
    uint64_t answer;
    int was_shrunk = 0;

    while (at + piece <= text->size) {
        pgqrsi_buffer smaller = PGQRSI_BUFFER_INIT;

        pgqrsi_buffer_append(&smaller, text->data, text->size);
        splice(&smaller, at, piece, "", 0);
        ask(conn, &smaller, 1, &answer);
        if (differs(&smaller, answer)) {
            pgqrsi_buffer_release(text);
            *text = smaller;
            was_shrunk = 1;
        } else {
            pgqrsi_buffer_release(&smaller);
            at++;
            if (piece > 8)
                at += piece - 1;
        }
    }
    return was_shrunk;
}

static void
shrink(PGconn *conn, pgqrsi_buffer *text)
{
    size_t piece = text->size / 2;
    uint64_t answer;

    while (piece > 0) {
        int was_shrunk = shrink_by(conn, text, piece);

        if (piece > 8)
            piece /= 2;
        else
            piece = was_shrunk ? 8 : piece - 1;
    }
    ask(conn, text, 1, &answer);
    print_difference(text, answer);
}

static PGconn *
connect_to_server(void)
{
    const char *dsn = getenv("PGQRS_TEST_DSN");
    const char *encoding;
    PGconn *conn;
    PGresult *result;

    if (dsn == NULL || *dsn == '\0')
        stop("connecting",
             "PGQRS_TEST_DSN is not set; give the connection string of a test database");
    conn = PQconnectdb(dsn);
    if (PQstatus(conn) != CONNECTION_OK)
        stop("connecting", PQerrorMessage(conn));
    encoding = PQparameterStatus(conn, "server_encoding");
    if (encoding == NULL || strcmp(encoding, "UTF8") != 0)
        stop("connecting", "the database's encoding is not UTF8; give another database");
    result = PQexec(conn, create_function);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        stop("creating a function", PQerrorMessage(conn));
    PQclear(result);
    return conn;
}

/* Over all accepted texts: what the server printed, and at most printed according to us. */
static uint64_t all_printed, all_bounds;

static void
compare_lengths(const pgqrsi_buffer *text, uint64_t printed)
{
    pgqrsi_json_fault fault;
    uint64_t bound = 0;

    if (printed == 0 || !pgqrsi_json_check((pgqrs_slice){ text->data, text->size }, &bound, &fault))
        return;
    all_printed += printed;
    all_bounds += bound;
}

/* Compares up to BATCH texts. Returns how many of them the server accepts. */
static size_t
compare_batch(PGconn *conn, size_t count)
{
    static pgqrsi_buffer texts[BATCH];
    static uint64_t answers[BATCH];
    size_t accepted = 0;

    for (size_t i = 0; i < count; i++)
        generate(&texts[i]);
    ask(conn, texts, count, answers);
    for (size_t i = 0; i < count; i++) {
        if (differs(&texts[i], answers[i])) {
            shrink(conn, &texts[i]);
            exit(1);
        }
        accepted += answers[i] > 0;
        compare_lengths(&texts[i], answers[i]);
        pgqrsi_buffer_release(&texts[i]);
    }
    return accepted;
}

int
main(int argc, char **argv)
{
    size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : 20000, accepted = 0;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : (uint64_t)time(NULL);
    PGconn *conn = connect_to_server();

    printf("seed %" PRIu64 ", %zu texts\n", seed, count);
    fflush(stdout);
    random_state = seed;
    for (size_t done = 0; done < count; done += BATCH)
        accepted += compare_batch(conn, count - done < BATCH ? count - done : BATCH);
    printf("no difference; the server accepts %zu of them and prints %" PRIu64
           " bytes, of at most %" PRIu64 "\n",
           accepted, all_printed, all_bounds);
    PQfinish(conn);
    if (all_bounds > all_printed + all_printed / 20)
        stop("comparing lengths",
             "what is printed at most was overestimated by more than a twentieth");
    if (count >= 1000 && (accepted < count / 10 || accepted > count / 10 * 9))
        stop("generating a mixture",
             "nearly all texts got the same answer, so the comparison proves little");
    return 0;
}
