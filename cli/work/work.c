#include "work/work.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "work/early_stop.h"
#include "line/exit.h"
#include "work/loop.h"

/* How the process was, to be put back. */
struct signals {
    sigset_t mask;
    struct sigaction child, pipe;
};

/* Signals that are ignored, as nohup ignores SIGHUP and a shell SIGINT for what it starts in the
 * background, stay so. */
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
    early_stop_end();
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
            "could not make room for %d programs: the limit of open files is too low; raise it "
            "(ulimit -n) or lower the concurrency",
            options->concurrency);
    else
        work_report_failure(report, "could not find the program \"%s\": %s; nothing was claimed",
                            options->command[0], strerror(problem));
    return problem == EMFILE || problem == ENOMEM ? CLI_EXIT_OSERR : CLI_EXIT_UNAVAILABLE;
}

static pgqrs_status
add_queue(struct work_loop *loop, pgqrs_slice name)
{
    pgqrs_worker_queue_options queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;
    pgqrs_slice all_types = { NULL, 0 };
    pgqrs_status status;

    queue.lease_ms = loop->options->lease_ms;
    queue.job_timeout_ms = loop->options->timeout_ms;
    queue.done = loop->options->deletes ? PGQRS_DONE_DELETE : PGQRS_DONE_ARCHIVE;
    status = pgqrs_worker_add_queue(loop->worker, name, &queue, loop->work.err);
    if (status == PGQRS_OK)
        status = pgqrs_worker_handle(loop->worker, name, all_types, work_loop_take, loop,
                                     loop->work.err);
    return status;
}

static pgqrs_status
open_worker(struct work_loop *loop)
{
    const struct work_options *options = loop->options;
    pgqrs_worker_options worker = PGQRS_WORKER_OPTIONS_INIT;
    pgqrs_status status;

    worker.concurrency = options->concurrency;
    worker.prefetch_max = -1; /* programs take long: others may be free sooner */
    worker.grace_ms = options->grace_ms + WORK_STOPPING_MS;
    worker.on_event = work_loop_note;
    worker.event_arg = loop;
    status = pgqrs_worker_new(loop->client, &worker, &loop->worker, loop->work.err);
    for (size_t i = 0; i < options->queue_count && status == PGQRS_OK; i++)
        status = add_queue(loop, options->queues[i]);
    return status;
}

static int
work(struct work_loop *loop)
{
    struct work_report *report = loop->work.report;
    pgqrs_status status;
    int exit_code;

    if (work_loop_init(loop) != 0) {
        work_report_failure(report, "could not get ready for %d programs: out of memory",
                            loop->options->concurrency);
        return CLI_EXIT_OSERR;
    }
    work_loop_guard(loop);
    status = open_worker(loop);
    if (status == PGQRS_OK) {
        if (loop->options->progress)
            report->progress = progress_start("work", 0);
        exit_code = work_loop_run(loop);
        work_report_sum(report, loop->worker, slot_clock_ms());
    } else {
        work_report_failure(report, "%s", pgqrs_error_message(loop->work.err));
        exit_code = cli_exit_of(status);
    }
    work_loop_release(loop);
    work_guard_stop(&loop->guard);
    pgqrs_worker_close(loop->worker);
    return exit_code;
}

int
work_run(pgqrs_client *client, const struct work_options *options)
{
    cli_log standard_error = { NULL, CLI_LOG_INFO };
    struct work_report report = { .log = options->log != NULL ? options->log : &standard_error };
    struct work_loop loop = { .options = options, .client = client, .guard = WORK_GUARD_INIT };
    struct signals before;
    int problem, exit_code;

    if (options->concurrency < 1 || options->concurrency > WORK_CONCURRENCY_MAX) {
        work_report_failure(&report, "refused a concurrency of %d: give 1 to %d",
                            options->concurrency, WORK_CONCURRENCY_MAX);
        return CLI_EXIT_USAGE;
    }
    report.is_quiet = options->quiet;
    report.started_ms = slot_clock_ms();
    loop.guard.title = options->title;
    loop.guard.title_size = options->title_size;
    loop.work.report = &report;
    loop.work.keeps_results = !options->deletes;
    loop.work.err = pgqrs_error_new();
    loop.signal_fd = take_over_signals(&before);
    problem = loop.signal_fd < 0
                  ? errno
                  : child_program_prepare(&loop.work.program, options->command,
                                          options->environment, &before.mask, options->concurrency);
    exit_code = problem == 0 ? work(&loop) : refuse_program(&report, options, problem);
    child_program_release(&loop.work.program);
    pgqrs_error_free(loop.work.err);
    if (loop.signal_fd >= 0)
        close(loop.signal_fd);
    give_signals_back(&before);
    return exit_code;
}
