#include "work.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "exit.h"
#include "work_loop.h"

/* How the process was, to be put back. */
struct signals {
    sigset_t mask;
    struct sigaction child, pipe;
};

/* Signals that are ignored, as nohup ignores SIGHUP and a shell SIGINT for what it starts in the background,
 * stay so. */
static int
take_over_signals(struct signals *before)
{
    struct sigaction standard = { .sa_handler = SIG_DFL }, ignore = { .sa_handler = SIG_IGN };
    sigset_t ours;

    sigemptyset(&ours);
    sigaddset(&ours, SIGCHLD);
    sigaddset(&ours, SIGTERM);
    sigaddset(&ours, SIGINT);
    sigaddset(&ours, SIGHUP);
    sigprocmask(SIG_BLOCK, &ours, &before->mask);
    sigaction(SIGCHLD, &standard, &before->child);
    sigaction(SIGPIPE, &ignore, &before->pipe);
    return signalfd(-1, &ours, SFD_NONBLOCK | SFD_CLOEXEC);
}

static void
give_signals_back(const struct signals *before)
{
    sigaction(SIGCHLD, &before->child, NULL);
    sigaction(SIGPIPE, &before->pipe, NULL);
    sigprocmask(SIG_SETMASK, &before->mask, NULL);
}

static int
refuse_program(struct work_report *report, const struct work_options *options, int problem)
{
    if (problem == EMFILE)
        work_report_failure(
            report,
            "could not make room for %d children: the limit of open files is too low; raise it "
            "(ulimit -n) or lower the concurrency",
            options->concurrency);
    else
        work_report_failure(report, "could not find the program \"%s\": %s; nothing was claimed",
                            options->command[0], strerror(problem));
    return problem == EMFILE || problem == ENOMEM ? CLI_EXIT_OSERR : CLI_EXIT_UNAVAILABLE;
}

static int
work(pgqrs_client *client, const struct work_options *options, struct work_loop *loop)
{
    struct work_server server;
    pgqrs_status status = work_server_open(&server, client, options->queue, options->lease_ms, loop->report);
    int exit_code;

    if (status == PGQRS_OK) {
        loop->server = &server;
        if (options->progress)
            loop->report->progress = progress_start("work", 0);
        exit_code = work_loop_run(loop);
        work_report_sum(loop->report, slot_clock_ms());
    } else {
        work_report_failure(loop->report, "%s", pgqrs_error_message(server.err));
        exit_code = cli_exit_of(status);
    }
    work_server_close(&server);
    return exit_code;
}

int
work_run(pgqrs_client *client, const struct work_options *options)
{
    cli_log standard_error = { NULL, CLI_LOG_INFO };
    struct work_report report = { .log = options->log != NULL ? options->log : &standard_error };
    struct work_loop loop = { .options = options, .report = &report };
    struct signals before;
    int problem, exit_code;

    if (options->concurrency < 1 || options->concurrency > WORK_CONCURRENCY_MAX) {
        work_report_failure(&report, "refused a concurrency of %d: give 1 to %d", options->concurrency,
                            WORK_CONCURRENCY_MAX);
        return CLI_EXIT_USAGE;
    }
    report.started_ms = slot_clock_ms();
    loop.work.queue = options->queue;
    loop.work.lease_ms = options->lease_ms;
    loop.signal_fd = take_over_signals(&before);
    problem = loop.signal_fd < 0 ? errno
                                 : child_program_prepare(&loop.work.program, options->command, &before.mask,
                                                         options->concurrency);
    if (problem == 0)
        exit_code = work(client, options, &loop);
    else
        exit_code = refuse_program(&report, options, problem);
    child_program_release(&loop.work.program);
    if (loop.signal_fd >= 0)
        close(loop.signal_fd);
    give_signals_back(&before);
    return exit_code;
}
