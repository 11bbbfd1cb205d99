#include "input/json_member.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "print/utf8.h"

/* A place in the text. */
struct cursor {
    const char *p;
    const char *end;
};

static void
skip_space(struct cursor *cursor)
{
    while (cursor->p < cursor->end && memchr(" \t\r\n", *cursor->p, 4) != NULL)
        cursor->p++;
}

/* Skips `c`, and the space around it, if it is next. */
static int
take(struct cursor *cursor, char c)
{
    skip_space(cursor);
    if (cursor->p == cursor->end || *cursor->p != c)
        return 0;
    cursor->p++;
    skip_space(cursor);
    return 1;
}

/* Takes a string; *inside is what stands between its quotes, escapes and all. */
static int
take_string(struct cursor *cursor, pgqrs_slice *inside)
{
    const char *start = cursor->p + 1;

    if (cursor->p == cursor->end || *cursor->p != '"')
        return 0;
    for (cursor->p++; cursor->p < cursor->end && *cursor->p != '"'; cursor->p++)
        if (*cursor->p == '\\' && cursor->p + 1 < cursor->end)
            cursor->p++;
    if (cursor->p == cursor->end)
        return 0;
    inside->data = start;
    inside->size = (size_t)(cursor->p - start);
    cursor->p++;
    return 1;
}

/* Skips an array or an object with all that is in it, counting brackets of both kinds. */
static int
skip_nested(struct cursor *cursor)
{
    size_t depth = 0;
    pgqrs_slice ignored;

    while (cursor->p < cursor->end) {
        char c = *cursor->p;

        if (c == '"') {
            if (!take_string(cursor, &ignored))
                return 0;
            continue;
        }
        cursor->p++;
        if (c == '[' || c == '{')
            depth++;
        else if (c == ']' || c == '}')
            depth--;
        if (depth == 0)
            return 1;
    }
    return 0;
}

/* Skips one value; *text is its spelling. */
static int
take_value(struct cursor *cursor, pgqrs_slice *text)
{
    const char *start = cursor->p;
    pgqrs_slice ignored;

    if (start == cursor->end)
        return 0;
    if (*start == '"') {
        if (!take_string(cursor, &ignored))
            return 0;
    } else if (*start == '[' || *start == '{') {
        if (!skip_nested(cursor))
            return 0;
    } else {
        while (cursor->p < cursor->end && memchr(",}] \t\r\n", *cursor->p, 7) == NULL)
            cursor->p++;
    }
    text->data = start;
    text->size = (size_t)(cursor->p - start);
    return text->size > 0;
}

/* The number that four hexadecimal digits at `p` spell; -1 if they are not. */
static int32_t
hex4(const char *p, const char *end)
{
    int32_t code = 0;

    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = p[i];

        if (c >= '0' && c <= '9')
            code = code * 16 + (c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            code = code * 16 + ((c | 0x20) - 'a' + 10);
        else
            return -1;
    }
    return code;
}

/* Decodes the \uXXXX whose digits are at *p, with its second half if it needs one, and moves *p
 * after it. 0 if it is malformed. */
static size_t
decode_unicode(const char **p, const char *end, char *out)
{
    int32_t code = hex4(*p, end), low;

    if (code <= 0 || (code >= 0xdc00 && code <= 0xdfff))
        return 0;
    *p += 4;
    if (code >= 0xd800 && code <= 0xdbff) {
        if (end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u')
            return 0;
        low = hex4(*p + 2, end);
        if (low < 0xdc00 || low > 0xdfff)
            return 0;
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        *p += 6;
    }
    return cli_utf8_encode((uint32_t)code, out);
}

/* Decodes the escape behind the backslash at *p and moves *p after it. Returns the bytes written to
 * `out`, at most 4; 0 if it is malformed. */
static size_t
decode_escape(const char **p, const char *end, char *out)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    const char *letter;

    if (*p == end)
        return 0;
    if (**p == 'u') {
        (*p)++;
        return decode_unicode(p, end, out);
    }
    letter = memchr(letters, **p, sizeof(letters) - 1);
    if (letter == NULL)
        return 0;
    (*p)++;
    *out = meanings[letter - letters];
    return 1;
}

/* Decodes what stands between quotes into `out`, which has room for as many bytes; decoding never
 * makes it longer. */
static int
decode(pgqrs_slice inside, char *out, size_t *length)
{
    const char *p = inside.data, *end = inside.data + inside.size;
    size_t used = 0, written;

    while (p < end) {
        if (*p != '\\') {
            out[used++] = *p++;
            continue;
        }
        p++;
        written = decode_escape(&p, end, out + used);
        if (written == 0)
            return 0;
        used += written;
    }
    *length = used;
    return 1;
}

static int
reserve(char **out, size_t *size, size_t needed)
{
    char *larger;

    if (*size > needed)
        return 1;
    larger = realloc(*out, needed + 1);
    if (larger == NULL)
        return 0;
    *out = larger;
    *size = needed + 1;
    return 1;
}

/* Gives the value spelled `text` back as the result. */
static cli_json_member_result
give(pgqrs_slice text, char **out, size_t *size, size_t *length)
{
    char first = text.data[0];

    if (!reserve(out, size, text.size))
        return CLI_JSON_MEMBER_NO_MEMORY;
    if (first == '"') {
        pgqrs_slice inside = { text.data + 1, text.size - 2 };

        return decode(inside, *out, length) ? CLI_JSON_MEMBER_FOUND : CLI_JSON_MEMBER_NOT_OBJECT;
    }
    if (first != '-' && (first < '0' || first > '9'))
        return CLI_JSON_MEMBER_NOT_SCALAR;
    memcpy(*out, text.data, text.size);
    *length = text.size;
    return CLI_JSON_MEMBER_NUMBER;
}

/* 1 if the member's name, spelled `inside`, is `name`. `scratch` has room for the whole text. */
static int
is_named(pgqrs_slice inside, pgqrs_slice name, char *scratch)
{
    size_t length;

    if (memchr(inside.data, '\\', inside.size) == NULL)
        return inside.size == name.size && memcmp(inside.data, name.data, name.size) == 0;
    return decode(inside, scratch, &length) && length == name.size &&
           memcmp(scratch, name.data, length) == 0;
}

cli_json_member_result
cli_json_member(pgqrs_slice text, pgqrs_slice name, char **out, size_t *size, size_t *length)
{
    struct cursor cursor = { text.data, text.data + text.size };
    pgqrs_slice found = { NULL, 0 }, inside, value;

    if (!reserve(out, size, text.size))
        return CLI_JSON_MEMBER_NO_MEMORY;
    if (!take(&cursor, '{'))
        return CLI_JSON_MEMBER_NOT_OBJECT;
    if (!take(&cursor, '}')) {
        do {
            if (!take_string(&cursor, &inside) || !take(&cursor, ':') ||
                !take_value(&cursor, &value))
                return CLI_JSON_MEMBER_NOT_OBJECT;
            if (is_named(inside, name, *out))
                found = value;
        } while (take(&cursor, ','));
        if (!take(&cursor, '}'))
            return CLI_JSON_MEMBER_NOT_OBJECT;
    }
    if (cursor.p != cursor.end)
        return CLI_JSON_MEMBER_NOT_OBJECT;
    return found.data != NULL ? give(found, out, size, length) : CLI_JSON_MEMBER_MISSING;
}
