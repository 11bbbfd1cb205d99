#include "output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "json.h"
#include "table.h"

cli_value
cli_value_number(int64_t number)
{
    return (cli_value){ .kind = CLI_VALUE_NUMBER, .number = number };
}

cli_value
cli_value_id(int64_t id)
{
    return (cli_value){ .kind = id != 0 ? CLI_VALUE_NUMBER : CLI_VALUE_NULL, .number = id };
}

cli_value
cli_value_token(int64_t token)
{
    return (cli_value){ .kind = token != 0 ? CLI_VALUE_TOKEN : CLI_VALUE_NULL, .number = token };
}

cli_value
cli_value_boolean(int truth)
{
    return (cli_value){ .kind = CLI_VALUE_BOOLEAN, .number = truth != 0 };
}

cli_value
cli_value_time(int64_t time_ms)
{
    return (cli_value){ .kind = time_ms != 0 ? CLI_VALUE_TIME : CLI_VALUE_NULL, .number = time_ms };
}

cli_value
cli_value_text(pgqrs_slice text)
{
    return (cli_value){ .kind = text.data != NULL ? CLI_VALUE_TEXT : CLI_VALUE_NULL, .text = text };
}

cli_value
cli_value_json(pgqrs_slice json)
{
    return (cli_value){ .kind = json.data != NULL ? CLI_VALUE_JSON : CLI_VALUE_NULL, .text = json };
}

void
cli_time_format(int64_t time_ms, char text[CLI_TIME_SIZE])
{
    int64_t ms = ((time_ms % 1000) + 1000) % 1000;
    time_t seconds = (time_t)((time_ms - ms) / 1000);
    struct tm parts = { 0 };
    size_t length;

    gmtime_r(&seconds, &parts);
    length = strftime(text, CLI_TIME_SIZE, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text + length, CLI_TIME_SIZE - length, ".%03dZ", (int)ms);
}

/* Notes the first failure of a write; the command goes on, because its work is done in the database. */
static void
check(cli_output *output, int failed)
{
    if (failed && output->failed == 0)
        output->failed = errno != 0 ? errno : EIO;
}

void
cli_output_item(cli_output *output, const cli_column *columns, const cli_value *values)
{
    if (output->json) {
        check(output, cli_json_object(stdout, columns, values) < 0 || putc('\n', stdout) == EOF);
        return;
    }
    check(output, cli_table_item(stdout, columns, values) != 0);
}

void
cli_output_result(cli_output *output, const cli_column *columns, const cli_value *values,
                  const char *sentence)
{
    if (output->json)
        cli_output_item(output, columns, values);
    else
        cli_output_text(output, "%s\n", sentence);
}

void
cli_output_list_begin(cli_output *output, const cli_column *columns)
{
    output->columns = columns;
    output->rows = 0;
    if (output->json) {
        check(output, putc('[', stdout) == EOF);
        return;
    }
    output->table = cli_table_new(columns);
    check(output, output->table == NULL);
}

void
cli_output_list_row(cli_output *output, const cli_value *values)
{
    if (output->json) {
        check(output, fputs(output->rows > 0 ? ",\n" : "\n", stdout) < 0 ||
                          cli_json_object(stdout, output->columns, values) < 0);
    } else if (output->table != NULL) {
        check(output, cli_table_add(output->table, output->columns, values) != 0);
    }
    output->rows++;
}

void
cli_output_list_end(cli_output *output, const char *nothing)
{
    if (output->json)
        check(output, fputs(output->rows > 0 ? "\n]\n" : "]\n", stdout) < 0);
    else if (output->rows == 0)
        cli_output_text(output, "%s\n", nothing);
    else if (output->table != NULL)
        check(output, cli_table_print(output->table, stdout) != 0);
    cli_table_free(output->table);
    output->table = NULL;
    output->columns = NULL;
}

void
cli_output_text(cli_output *output, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    check(output, vfprintf(stdout, format, args) < 0);
    va_end(args);
}

int
cli_output_finish(cli_output *output)
{
    errno = 0;
    check(output, ferror(stdout));
    check(output, fclose(stdout) != 0);
    return output->failed;
}
