#include "print/value.h"

#include <stdio.h>
#include <time.h>

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
