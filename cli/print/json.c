#include "print/json.h"

#include <inttypes.h>

#include "print/utf8.h"

size_t
cli_json_escape(const unsigned char *p, size_t length, char out[CLI_JSON_ESCAPE_SIZE])
{
    static const char short_escapes[] = "\"\"\\\\\bb\ff\nn\rr\tt";

    for (size_t i = 0; length == 1 && i + 1 < sizeof(short_escapes); i += 2)
        if ((char)p[0] == short_escapes[i])
            return (size_t)snprintf(out, CLI_JSON_ESCAPE_SIZE, "\\%c", short_escapes[i + 1]);
    if ((length == 1 && (p[0] < 0x20 || p[0] == 0x7f)) || cli_utf8_is_harmful(p, length))
        return (size_t)snprintf(out, CLI_JSON_ESCAPE_SIZE, "\\u%04x", cli_utf8_decode(p, length));
    return 0;
}

/* Writes the character at `p`, which is `length` bytes long; 0 means that it is not UTF-8. */
static void
write_character(FILE *stream, const unsigned char *p, size_t length)
{
    char escape[CLI_JSON_ESCAPE_SIZE];

    if (length == 0)
        fputs("\\ufffd", stream);
    else if (cli_json_escape(p, length, escape) > 0)
        fputs(escape, stream);
    else
        fwrite(p, 1, length, stream);
}

int
cli_json_string(FILE *stream, pgqrs_slice text)
{
    const unsigned char *p = (const unsigned char *)text.data;

    putc('"', stream);
    for (size_t i = 0; i < text.size;) {
        size_t length = cli_utf8_length(p + i, text.size - i);

        write_character(stream, p + i, length);
        i += length > 0 ? length : 1;
    }
    putc('"', stream);
    return ferror(stream) ? -1 : 0;
}

/* JSON is put out as it is, but for DEL and what else would drive a terminal or mislead a reader,
 * which may stand in its strings. */
static void
write_json(FILE *stream, pgqrs_slice json)
{
    const unsigned char *p = (const unsigned char *)json.data;
    size_t start = 0;

    for (size_t i = 0; i < json.size;) {
        size_t length = p[i] < 0x7f ? 1 : cli_utf8_length(p + i, json.size - i);

        if (p[i] == 0x7f || cli_utf8_is_harmful(p + i, length)) {
            fwrite(p + start, 1, i - start, stream);
            fprintf(stream, "\\u%04x", cli_utf8_decode(p + i, length));
            start = i + length;
        }
        i += length > 0 ? length : 1;
    }
    fwrite(p + start, 1, json.size - start, stream);
}

static void
write_value(FILE *stream, const cli_value *value)
{
    char time[CLI_TIME_SIZE];

    switch (value->kind) {
    case CLI_VALUE_NULL:
        fputs("null", stream);
        break;
    case CLI_VALUE_NUMBER:
        fprintf(stream, "%" PRId64, value->number);
        break;
    case CLI_VALUE_TOKEN:
        fprintf(stream, "\"%" PRId64 "\"", value->number);
        break;
    case CLI_VALUE_BOOLEAN:
        fputs(value->number ? "true" : "false", stream);
        break;
    case CLI_VALUE_TIME:
        cli_time_format(value->number, time);
        fprintf(stream, "\"%s\"", time);
        break;
    case CLI_VALUE_TEXT:
        cli_json_string(stream, value->text);
        break;
    case CLI_VALUE_JSON:
        write_json(stream, value->text);
        break;
    }
}

int
cli_json_object(FILE *stream, const cli_column *columns, const cli_value *values)
{
    putc('{', stream);
    for (size_t i = 0; columns[i].name != NULL; i++) {
        fprintf(stream, "%s\"%s\": ", i > 0 ? ", " : "", columns[i].name);
        write_value(stream, &values[i]);
    }
    putc('}', stream);
    return ferror(stream) ? -1 : 0;
}
