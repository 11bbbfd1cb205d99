/*
 * "Did you mean": the nearest of several names.
 */
#ifndef PGQRS_CLI_SUGGEST_H
#define PGQRS_CLI_SUGGEST_H

/** Keeps the best of what it was shown. Start with CLI_SUGGEST_INIT. */
typedef struct cli_suggest {
    const char *typed;
    const char *best; /* NULL: nothing was near enough */
    unsigned distance;
} cli_suggest;

#define CLI_SUGGEST_INIT(text)                                                                     \
    {                                                                                              \
        (text), (const char *)0, ~0u                                                               \
    }

/** Considers `name`, which must outlive `suggest`. */
void cli_suggest_consider(cli_suggest *suggest, const char *name);

#endif
