/*
 * Any file goes through what `message send --file` does before it sends: lines, the member that is
 * the key, the key. What the library takes for a JSON object is one here, too, and a key made of a
 * key's number is that key.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/json.h"
#include "input/json_member.h"
#include "input/key.h"
#include "input/lines.h"

#define MAX_LINE_BYTES 300
#define PREFIX "number:"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
demand(int holds)
{
    if (!holds)
        abort();
}

static void
check_number_key(const char *key, size_t length)
{
    pgqrs_slice number = { key + strlen(PREFIX), length - strlen(PREFIX) };
    char again[CLI_KEY_MAX_BYTES];

    demand(length > strlen(PREFIX) && memcmp(key, PREFIX, strlen(PREFIX)) == 0);
    demand(cli_key_of_number(number, again) == length && memcmp(again, key, length) == 0);
}

static void
check_line(pgqrs_slice line)
{
    pgqrsi_json_fault fault;
    char *member = NULL, *copy = malloc(line.size > 0 ? line.size : 1), key[CLI_KEY_MAX_BYTES];
    size_t capacity = 0, length = 0;
    pgqrs_slice exact = { copy, line.size };
    cli_json_member_result result;

    demand(copy != NULL);
    if (line.size > 0)
        memcpy(copy, line.data, line.size);
    result = cli_json_member(exact, pgqrs_slice_of("id"), &member, &capacity, &length);
    if (pgqrsi_json_check(exact, NULL, &fault))
        demand((result != CLI_JSON_MEMBER_NOT_OBJECT) == pgqrsi_json_is_object(exact));
    if (result == CLI_JSON_MEMBER_FOUND)
        length = cli_key_of_string((pgqrs_slice){ member, length }, key);
    if (result == CLI_JSON_MEMBER_NUMBER) {
        length = cli_key_of_number((pgqrs_slice){ member, length }, key);
        if (length <= CLI_KEY_MAX_BYTES)
            check_number_key(key, length);
    }
    free(member);
    free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = memfd_create("lines", MFD_CLOEXEC);
    cli_lines_result result;
    cli_lines lines;
    pgqrs_slice line;

    demand(fd >= 0 && write(fd, data, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0);
    demand(cli_lines_init(&lines, fd, MAX_LINE_BYTES) == 0);
    for (;;) {
        result = cli_lines_next(&lines, &line);
        if (result != CLI_LINES_LINE)
            break;
        demand(line.size <= MAX_LINE_BYTES);
        check_line(line);
    }
    demand(result == CLI_LINES_TOO_LONG ||
           (result == CLI_LINES_END && lines.bytes == (int64_t)size));
    cli_lines_release(&lines);
    close(fd);
    return 0;
}
