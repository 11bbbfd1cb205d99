/*
 * The command line, taken apart by the command tree: which command, its arguments, its options.
 * Everything is checked, numbers included, before anything is opened or connected.
 */
#ifndef PGQRS_CLI_ARGUMENTS_H
#define PGQRS_CLI_ARGUMENTS_H

#include <pgqrs/slice.h>

#include "line/tree.h"

#define CLI_MAX_DEPTH 3 /* root, group, command */

/** What was given for one option or argument. */
typedef struct cli_given {
    char *text;     /* one of the arguments; NULL: not given. A flag has "" */
    int64_t number; /* of a number; milliseconds of a duration */
} cli_given;

/** A command line that was understood. */
typedef struct cli_call {
    const cli_node *path[CLI_MAX_DEPTH]; /* path[0] is the root */
    int depth;                           /* path[depth - 1] is the command */
    int wants_help;                      /* --help: nothing else was checked */
    int is_short;                        /* the help that is wanted is the short one */
    int wants_version;
    cli_given global[CLI_MAX_OPTIONS]; /* in the order of the root's options */
    cli_given local[CLI_MAX_OPTIONS];  /* in the order of the command's options */
    char **words;                      /* the arguments, ended by NULL */
    int word_count;
    /* words[behind] is the first one after "--"; -1: there was none */
    int behind;
    int64_t word_numbers[CLI_MAX_OPTIONS]; /* of those arguments that are numbers */
} cli_call;

/**
 * Takes `argv`, which must outlive *out, apart. 0, or an exit code after a line on standard error.
 * Release *out in either case.
 */
int cli_call_parse(cli_call *out, int argc, char **argv);

void cli_call_release(cli_call *call);

/** The command that was called. */
const cli_node *cli_call_node(const cli_call *call);

/** What was given for the option `name`, which the command or the root must have. */
const cli_given *cli_call_option(const cli_call *call, const char *name);

/** 1 if the option `name` was given, else 0. */
int cli_call_has(const cli_call *call, const char *name);

/** The text of the option `name`; NULL if it was not given. */
const char *cli_call_text(const cli_call *call, const char *name);

/** The number of the option `name`, `fallback` if it was not given. */
int64_t cli_call_number(const cli_call *call, const char *name, int64_t fallback);

/** The argument called `name`, { NULL, 0 } if it was not given. */
pgqrs_slice cli_call_argument(const cli_call *call, const char *name);

/** The number given as the argument called `name`, which must be a required one. */
int64_t cli_call_argument_number(const cli_call *call, const char *name);

/** The words of the first argument, which takes all up to "--"; *out_count is how many. */
char *const *cli_call_many(const cli_call *call, size_t *out_count);

/** The words of the last argument, which takes the rest of the line; ended by NULL. */
char *const *cli_call_rest(const cli_call *call);

#endif
