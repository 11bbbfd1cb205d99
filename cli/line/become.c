#include "line/become.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

int
cli_become(cli_context *context, char *const *argv, const char *advice)
{
    signal(SIGPIPE, SIG_DFL); /* a pager that is left early is no failure to the program */
    execvp(argv[0], argv);
    cli_log_failure(&context->log, "could not run %s: %s; %s", argv[0], strerror(errno), advice);
    signal(SIGPIPE, SIG_IGN);
    return CLI_EXIT_UNAVAILABLE;
}
