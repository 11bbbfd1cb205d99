/* bench: hands the options that were given to the benchmark, which is a program part of its own */
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "commands/commands.h"

#define MAX_WORDS (2 * CLI_MAX_OPTIONS + 2)

/* The options as a command line again: the benchmark reads one. The texts are the tree's and ours. */
static int
make_words(const cli_call *call, char *words[MAX_WORDS])
{
    static char name[] = "bench";
    const cli_option *options = cli_call_node(call)->options;
    int count = 0;

    words[count++] = name;
    for (int i = 0; options[i].name != NULL; i++) {
        int is_flag = options[i].kind == CLI_FLAG;

        if (call->local[i].text == NULL)
            continue;
        if (asprintf(&words[count], "--%s%s%s", options[i].name, is_flag ? "" : "=",
                     is_flag ? "" : call->local[i].text) < 0) {
            words[count] = NULL;
            return -1;
        }
        count++;
    }
    words[count] = NULL;
    return count;
}

int
cli_bench(cli_context *context)
{
    char *words[MAX_WORDS] = { NULL };
    int count = make_words(context->call, words), code = CLI_EXIT_OSERR;

    if (count > 0)
        code = bench_main(context->client, context->config, count, words);
    else
        cli_log_failure(&context->log, "%s", pgqrs_status_text(PGQRS_ENOMEM));
    for (int i = 1; i < MAX_WORDS; i++)
        free(words[i]);
    return code;
}
