#include "complete.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <unistd.h>

#include "commands/commands.h"
#include "line/completion.h"
#include "line/dsn.h"
#include "settings.h"

/* Somebody waits at a terminal. */
#define PATIENCE_SECONDS 1

static void
give_up(int signal_number)
{
    (void)signal_number;
    _exit(0);
}

/* From now on the time is bounded, whatever the server does: what the tree has is printed. */
static void
bound_time(void)
{
    struct sigaction action = { .sa_handler = give_up };
    struct itimerval patience = { .it_value = { PATIENCE_SECONDS, 0 } };

    fflush(stdout);
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &patience, NULL);
}

static void
silence_errors(void)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    if (null >= 0)
        dup2(null, STDERR_FILENO);
}

/* A Tab starts no private server: the library connects only to one that runs. */
static void
offer_queues(cli_context *context, const cli_completion *completion)
{
    pgqrs_queue_list *list = NULL;
    const pgqrs_queue_info *queue;

    if (cli_settings_load(context) != 0 ||
        pgqrs_client_open(context->config, &context->client, NULL) != PGQRS_OK ||
        pgqrs_queue_list_all(context->client, &list, NULL) != PGQRS_OK)
        return;
    for (size_t i = 0; (queue = pgqrs_queue_list_at(list, i)) != NULL; i++)
        cli_completion_offer(completion, queue->name, NULL);
    pgqrs_queue_list_free(list);
}

static void
offer_server(void *completion, const char *name, const pgqrs_local_info *info)
{
    cli_completion_offer(completion, pgqrs_slice_of(name),
                         info->state == PGQRS_LOCAL_RUNNING ? "running" : "stopped");
}

static void
offer_dsn(void *completion, const char *name, const pgqrs_local_info *info)
{
    char dsn[64];

    snprintf(dsn, sizeof(dsn), CLI_LOCAL_DSN "%s", name);
    offer_server(completion, dsn, info);
}

int
cli_complete(cli_context *context, char **words, int count)
{
    cli_completion completion;
    cli_call call;

    silence_errors();
    context->call = &call;
    cli_completion_find(&completion, &context->output, &call, words, count);
    bound_time();
    if (completion.kind == CLI_COMPLETES_QUEUES)
        offer_queues(context, &completion);
    else if (completion.kind == CLI_COMPLETES_SERVERS)
        cli_local_visit(context, offer_server, &completion);
    else if (completion.kind == CLI_COMPLETES_DSN)
        cli_local_visit(context, offer_dsn, &completion);
    return CLI_EXIT_OK;
}
