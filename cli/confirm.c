#include "confirm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* Reads one line; 1 if it says yes. */
static int
read_answer(void)
{
    char *line = NULL;
    size_t size = 0;
    int yes;

    if (getline(&line, &size, stdin) < 0) {
        putc('\n', stderr); /* nobody has typed one */
        free(line);
        return 0;
    }
    line[strcspn(line, "\r\n")] = '\0';
    yes = strcasecmp(line, "y") == 0 || strcasecmp(line, "yes") == 0;
    free(line);
    return yes;
}

int
cli_confirm(cli_context *context)
{
    const cli_node *node = cli_call_node(context->call);
    const char *group = context->call->depth > 2 ? context->call->path[1]->name : "";
    const char *gap = *group != '\0' ? " " : "", *object;

    if (cli_call_has(context->call, "yes"))
        return 0;
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
        return cli_fail_usage(context, "%s%s%s %s: give --yes, since there is no terminal to ask on", group,
                              gap, node->name, node->loses);
    object = context->call->word_count > 0 ? context->call->words[0] : NULL;
    cli_log_prompt("%s%s%s%s%s%s %s. Go on? [y/N] ", group, gap, node->name, object != NULL ? " \"" : "",
                   object != NULL ? object : "", object != NULL ? "\"" : "", node->loses);
    if (read_answer())
        return 0;
    cli_log_failure(&context->log, "nothing was changed");
    return CLI_EXIT_FAILED;
}
