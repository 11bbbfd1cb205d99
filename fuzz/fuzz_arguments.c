/*
 * Any command line goes through what main does with it first: every --dsn that the parser finds was
 * overwritten before in the memory that the kernel shows, and the parser gets each argument as it
 * was. An argument ends with a line end.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "line/arguments.h"
#include "line/dsn.h"

#define MAX_ARGUMENTS 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
demand(int holds)
{
    if (!holds)
        abort();
}

/* Returns how many arguments there are; argv[0] is "pgqrs", and each is in memory of exactly its
 * size. */
static int
split(const uint8_t *data, size_t size, char *argv[MAX_ARGUMENTS + 1])
{
    int argc = 1;

    argv[0] = strdup("pgqrs");
    while (size > 0 && argc < MAX_ARGUMENTS) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t length = end != NULL ? (size_t)(end - data) : size;

        argv[argc++] = strndup((const char *)data, length);
        data += end != NULL ? length + 1 : length;
        size -= end != NULL ? length + 1 : length;
    }
    argv[argc] = NULL;
    return argc;
}

/* Whether the text is nothing but what overwrites it. */
static int
is_overwritten(const char *text)
{
    return text[strspn(text, "x")] == '\0';
}

static int
ends_with(const char *text, const char *end)
{
    return strlen(text) >= strlen(end) && strcmp(text + strlen(text) - strlen(end), end) == 0;
}

/* The DSN is one of the arguments, or the end of one. Which of those that look like it was meant
 * cannot be told, so the texts must be rare enough. */
static void
check_hidden(const char *dsn, int argc, char *const *argv, char *const *copies)
{
    int candidates = 0, hidden = 0;

    for (int i = 1; i < argc; i++) {
        candidates += ends_with(copies[i], dsn);
        hidden += ends_with(copies[i], dsn) && !ends_with(argv[i], dsn);
    }
    demand(candidates > 0);
    if (candidates == 1 && !is_overwritten(dsn))
        demand(hidden == 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *argv[MAX_ARGUMENTS + 1], *before[MAX_ARGUMENTS + 1], **copies;
    int argc = split(data, size, argv);
    cli_call call;

    for (int i = 0; i < argc; i++)
        before[i] = strdup(argv[i]);
    copies = cli_dsn_hide(argc, argv);
    demand(copies != NULL);
    for (int i = 0; i < argc; i++)
        demand(strcmp(copies[i], before[i]) == 0 && strlen(argv[i]) == strlen(before[i]));
    if (cli_call_parse(&call, argc, copies) == 0 && cli_call_text(&call, "dsn") != NULL)
        check_hidden(cli_call_text(&call, "dsn"), argc, argv, copies);
    cli_call_release(&call);
    cli_dsn_release(copies);
    for (int i = 0; i < argc; i++) {
        free(argv[i]);
        free(before[i]);
    }
    return 0;
}
