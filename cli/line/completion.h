/*
 * Completion in shells. The scripts that `pgqrs completion` prints hold no words of their own: at
 * each Tab they run `pgqrs __complete WORD...` with the words of the line after the command, the
 * last one being the one at the cursor. Each line of its output is a candidate and, after a tab,
 * what it means; the one line ":files" asks for files instead.
 */
#ifndef PGQRS_CLI_COMPLETION_H
#define PGQRS_CLI_COMPLETION_H

#include "line/context.h"

/** The word at the cursor, and what is known of it. */
typedef struct cli_completion {
    cli_output *output;
    const char *before; /* of the word: "--format=", which is no part of the value */
    size_t before_size;
    const char *typed;  /* the rest of the word */
    cli_completes kind; /* the names that belong here besides */
} cli_completion;

/**
 * Prints the candidates that the command tree has for the last of `words`. What those before it say
 * is in *call: the command that was reached, and the options of the root, unchecked. The names that
 * the caller may look up besides are in *out.
 */
void cli_completion_find(cli_completion *out, cli_output *output, cli_call *call, char **words,
                         int count);

/** Prints the candidate `name` if it begins as the word does; `meaning` may be NULL. */
void cli_completion_offer(const cli_completion *completion, pgqrs_slice name, const char *meaning);

/** The command `completion`. */
int cli_print_completion(cli_context *context);

#endif
