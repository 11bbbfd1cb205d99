#include "print/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t
cli_utf8_length(const unsigned char *p, size_t left)
{
    /* The least code that needs so many bytes: a longer spelling of a smaller one is not UTF-8. */
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t length = p[0] < 0x80   ? 1
                    : p[0] < 0xc0 ? 0
                    : p[0] < 0xe0 ? 2
                    : p[0] < 0xf0 ? 3
                    : p[0] < 0xf8 ? 4
                                  : 0;
    uint32_t code;

    if (length <= 1)
        return length;
    if (length > left)
        return 0;
    code = p[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (p[i] & 0x3fu);
    }
    if (code < least[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return 0;
    return length;
}

int
cli_utf8_is_harmful(const unsigned char *p, size_t length)
{
    if (length == 2)
        return (p[0] == 0xc2 && p[1] <= 0x9f) || (p[0] == 0xd8 && p[1] == 0x9c);
    if (length != 3 || p[0] != 0xe2)
        return 0;
    if (p[1] == 0x80)
        return p[2] == 0x8e || p[2] == 0x8f || (p[2] >= 0xa8 && p[2] <= 0xae);
    return p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9;
}

unsigned
cli_utf8_decode(const unsigned char *p, size_t length)
{
    unsigned code = length == 1 ? p[0] : p[0] & (0x7fu >> length);

    for (size_t i = 1; i < length; i++)
        code = code << 6 | (p[i] & 0x3fu);
    return code;
}

size_t
cli_utf8_encode(uint32_t code, char *out)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

/* Writes what stands for the character at `p`, `length` bytes or 0 if it is not UTF-8, to `out`; 0
 * if it may stand for itself. */
static int
escape(const unsigned char *p, size_t length, int is_line, char *out)
{
    if (length == 0)
        return is_line ? sprintf(out, "\\x%02x", p[0]) : 0;
    if (is_line && (p[0] == '\n' || p[0] == '\t' || p[0] == '\r'))
        return sprintf(out, "\\%c", p[0] == '\n' ? 'n' : p[0] == '\t' ? 't' : 'r');
    if (cli_utf8_is_harmful(p, length) || (is_line && (p[0] < 0x20 || p[0] == 0x7f)))
        return sprintf(out, "\\u%04x", cli_utf8_decode(p, length));
    return 0;
}

static char *
escape_all(pgqrs_slice text, int is_line)
{
    const unsigned char *p = (const unsigned char *)text.data;
    char *escaped = malloc(6 * text.size + 1), *end = escaped;

    for (size_t i = 0; escaped != NULL && i < text.size;) {
        size_t length = cli_utf8_length(p + i, text.size - i), bytes = length > 0 ? length : 1;
        int written = escape(p + i, length, is_line, end);

        if (written == 0)
            memcpy(end, p + i, bytes);
        end += written > 0 ? (size_t)written : bytes;
        i += bytes;
    }
    if (escaped != NULL)
        *end = '\0';
    return escaped;
}

char *
cli_utf8_escape_harmful(pgqrs_slice text)
{
    return escape_all(text, 0);
}

char *
cli_utf8_escape_line(pgqrs_slice text)
{
    return escape_all(text, 1);
}
