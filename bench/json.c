#include "json.h"

#include <math.h>

static void
start(bench_json *json, const char *name)
{
    if (json->has_fields)
        fputc(',', json->out);
    if (json->depth > 0)
        fprintf(json->out, "\n%*s", json->depth * 2, "");
    if (name != NULL)
        fprintf(json->out, "\"%s\": ", name);
    json->has_fields = 1;
}

void
bench_json_begin(bench_json *json, const char *name, char bracket)
{
    start(json, name);
    fputc(bracket, json->out);
    json->depth++;
    json->has_fields = 0;
}

void
bench_json_end(bench_json *json, char bracket)
{
    json->depth--;
    if (json->has_fields)
        fprintf(json->out, "\n%*s", json->depth * 2, "");
    fputc(bracket, json->out);
    json->has_fields = 1;
    if (json->depth == 0)
        fputc('\n', json->out);
}

void
bench_json_text(bench_json *json, const char *name, const char *value)
{
    start(json, name);
    fputc('"', json->out);
    for (; *value != '\0'; value++) {
        if ((unsigned char)*value < 0x20)
            fprintf(json->out, "\\u%04x", (unsigned)(unsigned char)*value);
        else if (*value == '"' || *value == '\\')
            fprintf(json->out, "\\%c", *value);
        else
            fputc(*value, json->out);
    }
    fputc('"', json->out);
}

void
bench_json_integer(bench_json *json, const char *name, int64_t value)
{
    start(json, name);
    fprintf(json->out, "%lld", (long long)value);
}

void
bench_json_integers(bench_json *json, const char *name, const int64_t *values, int64_t count)
{
    start(json, name);
    fputc('[', json->out);
    for (int64_t i = 0; i < count; i++)
        fprintf(json->out, "%s%lld", i > 0 ? ", " : "", (long long)values[i]);
    fputc(']', json->out);
}

void
bench_json_flag(bench_json *json, const char *name, int value)
{
    start(json, name);
    fputs(value ? "true" : "false", json->out);
}

void
bench_json_number(bench_json *json, const char *name, double value, int decimals)
{
    start(json, name);
    if (isfinite(value))
        fprintf(json->out, "%.*f", decimals, value);
    else
        fputs("null", json->out);
}
