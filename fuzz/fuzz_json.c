/*
 * Any bytes at all go through the JSON check: no byte is read beyond the text, the fault lies
 * within it, and what the check says of a text agrees with what it says of the same text in other
 * surroundings.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
demand(int holds)
{
    if (!holds)
        abort();
}

/* Checks `before`, the text and `after`, in a block of exactly that size. */
static int
check(const char *before, pgqrs_slice text, const char *after, pgqrsi_json_fault *fault)
{
    size_t head = strlen(before), tail = strlen(after), size = head + text.size + tail;
    char *block = malloc(size > 0 ? size : 1);
    int verdict;

    demand(block != NULL);
    memcpy(block, before, head);
    if (text.size > 0)
        memcpy(block + head, text.data, text.size);
    memcpy(block + head + text.size, after, tail);
    verdict = pgqrsi_json_check((pgqrs_slice){ block, size }, NULL, fault);
    if (!verdict)
        demand(fault->problem != NULL && fault->offset <= size);
    free(block);
    return verdict;
}

static char
first_byte(pgqrs_slice text)
{
    size_t i = 0;

    while (i < text.size && strchr(" \t\r\n", text.data[i]) != NULL)
        i++;
    return i < text.size ? text.data[i] : '\0';
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pgqrs_slice text = { (const char *)data, size };
    pgqrsi_json_fault fault = { NULL, 0 }, other = { NULL, 0 };

    if (check("", text, "", &fault)) {
        demand(size > 0 && memchr(data, '\0', size) == NULL);
        demand(pgqrsi_utf8_valid_prefix(text) == size);
        demand(check(" \t", text, "\r\n", &other));
        demand(check("[", text, "]", &other) || strstr(other.problem, "deep") != NULL);
        demand(check("[", text, ",", &other) == 0);
        demand(pgqrsi_json_is_object(text) == (first_byte(text) == '{'));
    }
    return 0;
}
