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
    char loss[CLI_LOSS_SIZE] = "";
    int code;

    if (cli_call_has(context->call, "yes"))
        return 0;
    code = cli_call_node(context->call)->tell_loss(context, loss, sizeof(loss));
    if (code != 0 || loss[0] == '\0')
        return code;
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
        return cli_fail_usage(context, "this %s: give --yes, since there is no terminal to ask on",
                              loss);
    cli_log_prompt("this %s. Go on? [y/N] ", loss);
    if (read_answer())
        return 0;
    cli_log_failure(&context->log, "nothing was changed");
    return CLI_EXIT_FAILED;
}
