/* What handlers ask of a parsed command line. A name that the tree does not have is a mistake in
 * this program. */
#include "line/arguments.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const cli_given *
find(const cli_option *options, const cli_given *given, const char *name)
{
    for (size_t i = 0; options != NULL && options[i].name != NULL; i++)
        if (strcmp(options[i].name, name) == 0)
            return &given[i];
    return NULL;
}

const cli_given *
cli_call_option(const cli_call *call, const char *name)
{
    const cli_given *given = find(cli_root.options, call->global, name);

    if (given == NULL && call->depth > 1)
        given = find(cli_call_node(call)->options, call->local, name);
    if (given == NULL) {
        fprintf(stderr, "pgqrs: the command tree has no option --%s here\n", name);
        abort();
    }
    return given;
}

int
cli_call_has(const cli_call *call, const char *name)
{
    return cli_call_option(call, name)->text != NULL;
}

const char *
cli_call_text(const cli_call *call, const char *name)
{
    return cli_call_option(call, name)->text;
}

int64_t
cli_call_number(const cli_call *call, const char *name, int64_t fallback)
{
    const cli_given *given = cli_call_option(call, name);

    return given->text != NULL ? given->number : fallback;
}

/* The place of the argument `name`. */
static int
place_of(const cli_call *call, const char *name)
{
    const cli_argument *arguments = cli_call_node(call)->arguments;
    int i = 0;

    while (arguments != NULL && arguments[i].name != NULL && strcmp(arguments[i].name, name) != 0)
        i++;
    if (arguments == NULL || arguments[i].name == NULL) {
        fprintf(stderr, "pgqrs: the command tree has no argument %s here\n", name);
        abort();
    }
    return i;
}

pgqrs_slice
cli_call_argument(const cli_call *call, const char *name)
{
    int place = place_of(call, name);

    return pgqrs_slice_of(place < call->word_count ? call->words[place] : NULL);
}

int64_t
cli_call_argument_number(const cli_call *call, const char *name)
{
    return call->word_numbers[place_of(call, name)];
}

char *const *
cli_call_many(const cli_call *call, size_t *out_count)
{
    *out_count = (size_t)(call->behind >= 0 ? call->behind : call->word_count);
    return call->words;
}

char *const *
cli_call_rest(const cli_call *call)
{
    const cli_argument *arguments = cli_call_node(call)->arguments;
    int place = 0;

    if (arguments[0].presence == CLI_MANY)
        return call->words + call->behind;
    while (arguments[place + 1].name != NULL)
        place++;
    return call->words + (place < call->word_count ? place : call->word_count);
}
