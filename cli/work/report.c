#include "work/report.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* How often an outage that lasts is mentioned. */
#define REMIND_MS 60000

/* So many failed messages are shown in such a time, so that a queue of bad ones does not flood a
 * log. */
#define FAILURES_SHOWN 10
#define FAILURES_MS 10000

/* Takes whatever is in the way of a new line off standard error. */
static void
make_room(struct work_report *report)
{
    progress_clear(report->progress);
    if (report->is_in_line)
        putc('\n', stderr);
    report->is_in_line = 0;
}

void
work_report_line(struct work_report *report, cli_log_level level, const char *format, ...)
{
    va_list args;

    if (level > report->log->level)
        return;
    make_room(report);
    va_start(args, format);
    cli_log_vwrite(report->log, level, format, args);
    va_end(args);
}

void
work_report_failure(struct work_report *report, const char *format, ...)
{
    va_list args;

    make_room(report);
    va_start(args, format);
    cli_log_vfailure(report->log, format, args);
    va_end(args);
}

/* A pipe that is ready has room for PIPE_BUF bytes; a whole chunk could wait for its reader, and
 * leases do not wait. */
void
work_report_pass_on(struct work_report *report, const char *bytes, size_t size)
{
    struct pollfd ready = { .fd = STDERR_FILENO, .events = POLLOUT };

    if (report->is_quiet || size == 0)
        return;
    progress_clear(report->progress);
    while (size > 0) {
        size_t piece = size < PIPE_BUF ? size : PIPE_BUF;
        ssize_t written = -1;

        if (poll(&ready, 1, 0) == 1 && (ready.revents & POLLOUT) != 0)
            written = write(STDERR_FILENO, bytes, piece);
        if (written <= 0) {
            report->lost_bytes += (int64_t)size;
            return;
        }
        report->is_in_line = bytes[written - 1] != '\n';
        bytes += written;
        size -= (size_t)written;
    }
}

void
work_report_signal(struct work_report *report, int number, int is_second, size_t running)
{
    /* Somebody who has pressed Ctrl-C looks for an answer, whatever the level. */
    cli_log_level level =
        is_second || number == SIGINT || report->progress != NULL ? CLI_LOG_WARN : CLI_LOG_INFO;
    const char *noun = running == 1 ? "program" : "programs";

    report->is_watched |= level == CLI_LOG_WARN;
    if (is_second)
        work_report_line(report, level,
                         "stopped %zu %s at once after a second signal, SIG%s; what was not done "
                         "is given back",
                         running, noun, sigabbrev_np(number));
    else if (running == 0)
        work_report_line(report, level, "claiming no more after SIG%s: no program runs",
                         sigabbrev_np(number));
    else
        work_report_line(
            report, level,
            "claiming no more after SIG%s: waiting for %zu %s; a second signal stops %s",
            sigabbrev_np(number), running, noun, running == 1 ? "it" : "them");
}

void
work_report_cancellation(struct work_report *report, long long id, pgqrs_job_cancellation why)
{
    static const char *const texts[] = {
        [PGQRS_JOB_NOT_CANCELLED] = "it is not wanted any more",
        [PGQRS_JOB_LEASE_LOST] = "its lease could not be extended in time",
        [PGQRS_JOB_CANCELLED] = "it was cancelled",
        [PGQRS_JOB_TIMED_OUT] = "it took too long",
        [PGQRS_JOB_STOPPING] = "the worker stops",
    };

    work_report_line(report, CLI_LOG_WARN, "stopped the program of message %lld: %s", id,
                     texts[why]);
}

static void
begin_outage(struct work_report *report, const char *why, int64_t now_ms)
{
    if (report->outage_ms != 0)
        return;
    report->outage_ms = now_ms;
    report->reminder_ms = now_ms + REMIND_MS;
    work_report_line(report, CLI_LOG_WARN, "%s; trying again", why);
}

static void
say_hidden(struct work_report *report)
{
    if (report->failures_hidden > 0)
        work_report_line(report, CLI_LOG_WARN, "%lld more message%s failed in the last %d s",
                         (long long)report->failures_hidden,
                         report->failures_hidden == 1 ? "" : "s", FAILURES_MS / 1000);
    report->failures_hidden = 0;
}

/* Whether a failure is within the limit. Whoever looks for details is shown all. */
static int
is_shown(struct work_report *report, int64_t now_ms)
{
    if (now_ms >= report->failures_ms) {
        say_hidden(report);
        report->failures_ms = now_ms + FAILURES_MS;
        report->failures_shown = 0;
    }
    if (report->log->level >= CLI_LOG_INFO || report->failures_shown < FAILURES_SHOWN) {
        report->failures_shown++;
        return 1;
    }
    report->failures_hidden++;
    return 0;
}

void
work_report_reminder(struct work_report *report, int64_t now_ms)
{
    if (now_ms >= report->failures_ms)
        say_hidden(report);
    if (report->outage_ms == 0 || now_ms < report->reminder_ms)
        return;
    report->reminder_ms = now_ms + REMIND_MS;
    work_report_line(report, CLI_LOG_WARN, "the server has not answered for %.1f s; trying again",
                     (double)(now_ms - report->outage_ms) / 1000);
}

static void
end_outage(struct work_report *report, int64_t now_ms)
{
    if (report->outage_ms != 0)
        work_report_line(report, CLI_LOG_WARN, "the server answers again after %.1f s",
                         (double)(now_ms - report->outage_ms) / 1000);
    report->outage_ms = 0;
}

static void
report_trouble(struct work_report *report, const char *what, int64_t now_ms)
{
    if (now_ms < report->trouble_ms)
        return;
    report->trouble_ms = now_ms + REMIND_MS;
    work_report_line(report, CLI_LOG_WARN, "%s; trying again", what);
}

void
work_report_event(struct work_report *report, const pgqrs_event *event, int64_t now_ms)
{
    long long id = event->job != NULL ? (long long)pgqrs_job_message(event->job)->id : 0;

    switch (event->kind) {
    case PGQRS_EVENT_FAILED:
        if (is_shown(report, now_ms))
            work_report_line(report, CLI_LOG_WARN,
                             "message %lld failed and will be tried again: %.200s", id,
                             event->message);
        break;
    case PGQRS_EVENT_DEAD:
        if (is_shown(report, now_ms))
            work_report_line(report, CLI_LOG_WARN,
                             "message %lld failed for the last time and is dead: %.200s", id,
                             event->message);
        break;
    case PGQRS_EVENT_LOST:
        work_report_line(
            report, CLI_LOG_WARN,
            "lost the lease of message %lld: another consumer has it, or it is gone; dropped "
            "its outcome",
            id);
        break;
    case PGQRS_EVENT_DISCONNECTED:
        begin_outage(report, event->message, now_ms);
        break;
    case PGQRS_EVENT_CONNECTED:
        end_outage(report, now_ms);
        break;
    case PGQRS_EVENT_TROUBLE:
        report_trouble(report, event->message, now_ms);
        break;
    case PGQRS_EVENT_PAUSED:
        work_report_line(report, CLI_LOG_WARN, "the queue \"%s\" is paused: its messages wait",
                         event->message);
        break;
    case PGQRS_EVENT_UNPAUSED:
        work_report_line(report, CLI_LOG_INFO, "the queue \"%s\" is served again", event->message);
        break;
    default:
        break;
    }
}

void
work_report_progress(struct work_report *report, pgqrs_worker *worker, int running)
{
    pgqrs_worker_counts counts = PGQRS_WORKER_COUNTS_INIT;
    char note[160];

    if (report->progress == NULL)
        return;
    pgqrs_worker_count(worker, &counts);
    snprintf(note, sizeof(note), "done %lld  failed %lld  dead %lld  running %d",
             (long long)counts.done, (long long)counts.failed, (long long)counts.dead, running);
    progress_update(report->progress, counts.done + counts.failed + counts.dead, note);
}

void
work_report_sum(struct work_report *report, pgqrs_worker *worker, int64_t now_ms)
{
    double seconds = (double)(now_ms - report->started_ms) / 1000;
    pgqrs_worker_counts counts = PGQRS_WORKER_COUNTS_INIT;
    cli_log log = *report->log;
    int64_t handled;

    /* Somebody who has watched the progress line, or pressed Ctrl-C, wants to know how it ended,
     * whatever the level. */
    if ((report->progress != NULL || report->is_watched) && log.level < CLI_LOG_INFO)
        log.level = CLI_LOG_INFO;
    say_hidden(report);
    make_room(report);
    progress_end(report->progress);
    report->progress = NULL;
    if (report->lost_bytes > 0)
        work_report_line(
            report, CLI_LOG_WARN,
            "could not pass on %lld bytes of the programs' standard error: it was not read in time",
            (long long)report->lost_bytes);
    pgqrs_worker_count(worker, &counts);
    handled = counts.done + counts.failed + counts.dead;
    cli_log_write(
        &log, CLI_LOG_INFO,
        "%lld done, %lld failed, %lld dead, %lld lost, %lld released in %.1f s (%.1f a second)",
        (long long)counts.done, (long long)counts.failed, (long long)counts.dead,
        (long long)counts.lost, (long long)(counts.snoozed + counts.released), seconds,
        seconds > 0 ? (double)handled / seconds : 0.0);
}
