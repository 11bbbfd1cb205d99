#include "work/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "print/json.h"
#include "print/utf8.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

pgqrs_slice
work_text_trim(pgqrs_slice output)
{
    if (output.size > 0 && output.data[output.size - 1] == '\n')
        output.size--;
    if (output.size > 0 && output.data[output.size - 1] == '\r')
        output.size--;
    return output;
}

int
work_text_may_be_json(pgqrs_slice output)
{
    size_t first = 0, last = output.size;
    char begin, end;

    while (first < last && strchr(" \t\r\n", output.data[first]) != NULL &&
           output.data[first] != '\0')
        first++;
    while (last > first && strchr(" \t\r\n", output.data[last - 1]) != NULL &&
           output.data[last - 1] != '\0')
        last--;
    if (first == last)
        return 0;
    begin = output.data[first];
    end = output.data[last - 1];
    switch (begin) {
    case '{':
        return end == '}';
    case '[':
        return end == ']';
    case '"':
        return end == '"' && last - first > 1;
    case 't':
    case 'f':
        return end == 'e';
    case 'n':
        return end == 'l';
    default:
        return (begin == '-' || (begin >= '0' && begin <= '9')) && end >= '0' && end <= '9';
    }
}

/* Writes the character at `p`, or what stands for it, to `out`; no character is longer than the
 * longest escape. Returns how many bytes it took and sets how many it gave. */
static size_t
copy_character(const unsigned char *p, size_t left, char out[CLI_JSON_ESCAPE_SIZE],
               size_t *out_size)
{
    size_t length = cli_utf8_length(p, left);

    if (length == 0 || p[0] == '\0') {
        memcpy(out, REPLACEMENT, 3);
        *out_size = 3;
        return 1;
    }
    memcpy(out, p, length);
    *out_size = length;
    return length;
}

/* The same inside a JSON string. */
static size_t
copy_escaped(const unsigned char *p, size_t left, char out[CLI_JSON_ESCAPE_SIZE], size_t *out_size)
{
    size_t length = cli_utf8_length(p, left);

    if (length > 0 && p[0] != '\0') {
        *out_size = cli_json_escape(p, length, out);
        if (*out_size > 0)
            return length;
    }
    return copy_character(p, left, out, out_size);
}

char *
work_text_to_json(pgqrs_slice output, size_t max_bytes, size_t *out_size)
{
    const unsigned char *p = (const unsigned char *)output.data;
    size_t size = 0, taken = 0, given;
    char piece[CLI_JSON_ESCAPE_SIZE];
    char *json;

    /* Once to measure and once to write: output is a mebibyte, its escapes could be six. */
    while (taken < output.size) {
        size_t took = copy_escaped(p + taken, output.size - taken, piece, &given);

        if (size + given + 2 > max_bytes)
            break;
        taken += took;
        size += given;
    }
    json = malloc(size + 2);
    if (json == NULL)
        return NULL;
    output.size = taken;
    size = 1;
    for (taken = 0; taken < output.size; size += given) {
        taken += copy_escaped(p + taken, output.size - taken, piece, &given);
        memcpy(json + size, piece, given);
    }
    json[0] = json[size] = '"';
    *out_size = size + 1;
    return json;
}

static int
print_ending(int status, char *out, size_t size)
{
    if (WIFSIGNALED(status))
        return snprintf(out, size, "killed by signal %d (%s)", WTERMSIG(status),
                        strsignal(WTERMSIG(status)));
    return snprintf(out, size, "exit status %d", WEXITSTATUS(status));
}

char *
work_text_of_failure(int status, pgqrs_slice tail)
{
    size_t size, given;
    char *text;

    /* The tail may begin in the middle of a character. */
    for (int i = 0; i < 3 && tail.size > 0 && ((unsigned char)tail.data[0] & 0xc0) == 0x80; i++) {
        tail.data++;
        tail.size--;
    }
    while (tail.size > 0 && strchr(" \t\r\n", tail.data[tail.size - 1]) != NULL &&
           tail.data[tail.size - 1] != '\0')
        tail.size--;
    text = malloc(128 + 3 * tail.size);
    if (text == NULL)
        return NULL;
    size = (size_t)print_ending(status, text, 120);
    if (size > 119)
        size = 119;
    if (tail.size > 0) {
        memcpy(text + size, ": ", 2);
        size += 2;
    }
    for (size_t taken = 0; taken < tail.size; size += given)
        taken += copy_character((const unsigned char *)tail.data + taken, tail.size - taken,
                                text + size, &given);
    text[size] = '\0';
    return text;
}
