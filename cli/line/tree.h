/*
 * The command tree, as data. What a command is called, takes, does and looks like is written down
 * once, here; the parser (arguments.c), the help (help.c), the manual page (man.c) and the
 * completions (completion.c) all read it.
 */
#ifndef PGQRS_CLI_TREE_H
#define PGQRS_CLI_TREE_H

#include <stddef.h>
#include <stdint.h>

#include "print/value.h"

typedef struct cli_context cli_context;
typedef struct cli_node cli_node;

/** What may be written after an option, or as an argument. */
typedef enum cli_kind {
    CLI_FLAG = 0,    /* nothing: it is there or not */
    CLI_TEXT = 1,    /* any text; completed as a file if `argument` ends in FILE */
    CLI_CHOICE = 2,  /* one of the words of `argument`, which "|" separates */
    CLI_NUMBER = 3,  /* a whole number from min to max */
    CLI_DURATION = 4 /* such as 30s; min and max are milliseconds */
} cli_kind;

/** How a duration is written, for help and messages. */
#define CLI_DURATION_FORM "250ms, 30s, 5m, 1h or 7d; a number without a unit is in seconds"

/** An option; a list of them ends with one whose name is NULL. */
typedef struct cli_option {
    const char *name;
    char letter; /* 0: it has none */
    cli_kind kind;
    const char *argument; /* how help calls what follows, such as "DURATION" */
    int64_t min, max;
    const char *description;
    const char *default_text; /* NULL: none */
    int required;
} cli_option;

typedef enum cli_presence {
    CLI_REQUIRED = 0,
    CLI_OPTIONAL = 1,
    CLI_REST = 2,        /* any number of words */
    CLI_REST_BEHIND = 3, /* at least one, and only after "--": another program's command line */
    CLI_MANY = 4,        /* at least one word, up to "--" */
} cli_presence;

/** The names that a shell offers for an argument. */
typedef enum cli_completes {
    CLI_COMPLETES_NOTHING = 0,
    CLI_COMPLETES_QUEUES = 1,
    CLI_COMPLETES_SERVERS = 2,  /* private ones */
    CLI_COMPLETES_COMMANDS = 3, /* the words of a command, from the root on */
    CLI_COMPLETES_DSN = 4,      /* local:NAME for each private server */
} cli_completes;

/** An argument, by its place; a list of them ends with one whose name is NULL. */
typedef struct cli_argument {
    const char *name;
    cli_presence presence;
    cli_kind kind;
    const char *choices; /* of a choice */
    int64_t min, max;
    const char *description;
    cli_completes completes;
} cli_argument;

/** A line to try, and what it does; a list of them ends with one whose command is NULL. */
typedef struct cli_example {
    const char *command;
    const char *purpose;
} cli_example;

typedef enum cli_needs {
    CLI_NEEDS_NOTHING = 0,
    CLI_NEEDS_CLIENT = 1, /* connected before `run` is called */
    /* the settings, for the name of a private server, unless an argument names it */
    CLI_NEEDS_SERVER = 2,
} cli_needs;

/** A command or a group of commands; a list of them ends with one whose name is NULL. */
struct cli_node {
    const char *name;
    const char *summary;      /* one line */
    const char *details;      /* paragraphs, separated by an empty line; NULL: none */
    const cli_node *children; /* NULL: a command */
    const cli_argument *arguments;
    const cli_option *options;
    const cli_example *examples;
    const cli_column *columns; /* of the table that it prints; NULL: none that needs a word */
    cli_needs needs;
    int (*tell_loss)(cli_context *context, char *text,
                     /* writes what is lost for good, or done to many, to be asked about unless
                      * --yes, and "" if there is no need to ask; returns 0 or the exit code of a
                      * failure; NULL: nothing is lost */
                     size_t size);
    int (*check)(
        /* what options alone cannot say, before anything is opened; NULL: nothing */
        cli_context *context);
    int (*run)(cli_context *context); /* returns the exit code */
};

/** The tree: a node whose children are the commands, and whose options may stand anywhere on the
 * line. */
extern const cli_node cli_root;

/** How many options the root, and how many one command may have. */
#define CLI_MAX_OPTIONS 24

/** Fails to compile if `options`, an array that ends with an empty one, holds more. */
#define CLI_OPTIONS_FIT(options)                                                                   \
    _Static_assert(sizeof(options) / sizeof((options)[0]) <= CLI_MAX_OPTIONS + 1,                  \
                   "raise CLI_MAX_OPTIONS")

/** The most that tell_loss writes. */
#define CLI_LOSS_SIZE 600

/** --yes, the same for all that ask. */
#define CLI_OPTION_YES                                                                             \
    {                                                                                              \
        .name = "yes", .letter = 'y', .kind = CLI_FLAG, .description = "do not ask"                \
    }

/** The number of milliseconds in ten years, the longest delay, and in seven days, the longest
 * lease. */
#define CLI_TEN_YEARS_MS INT64_C(315360000000)
#define CLI_SEVEN_DAYS_MS INT64_C(604800000)

/** The child of `node` called `name`, or NULL. */
const cli_node *cli_node_child(const cli_node *node, const char *name);

#endif
