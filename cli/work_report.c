#include "work_report.h"

#include <stdarg.h>
#include <stdio.h>

/* How often an outage that lasts is mentioned. */
#define REMIND_MS 60000

void
work_report_line(struct work_report *report, cli_log_level level, const char *format, ...)
{
    va_list args;

    if (level > report->log->level)
        return;
    progress_clear(report->progress);
    va_start(args, format);
    cli_log_vwrite(report->log, level, format, args);
    va_end(args);
}

void
work_report_failure(struct work_report *report, const char *format, ...)
{
    va_list args;

    progress_clear(report->progress);
    va_start(args, format);
    cli_log_vfailure(report->log, format, args);
    va_end(args);
}

void
work_report_cancellation(struct work_report *report, long long id, pgqrs_job_cancellation why)
{
    static const char *const texts[] = {
        [PGQRS_JOB_GOES_ON] = "it is not wanted any more",
        [PGQRS_JOB_LEASE_LOST] = "its lease could not be extended in time",
        [PGQRS_JOB_CANCELLED] = "it was cancelled",
        [PGQRS_JOB_TIMED_OUT] = "it took too long",
        [PGQRS_JOB_STOPPING] = "the worker stops",
    };

    work_report_line(report, CLI_LOG_WARN, "stopped the child of message %lld: %s", id, texts[why]);
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

void
work_report_reminder(struct work_report *report, int64_t now_ms)
{
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
        work_report_line(report, CLI_LOG_INFO, "message %lld failed and will be tried again: %.200s", id,
                         event->message);
        break;
    case PGQRS_EVENT_DEAD:
        work_report_line(report, CLI_LOG_WARN, "message %lld failed for the last time and is dead: %.200s",
                         id, event->message);
        break;
    case PGQRS_EVENT_LOST:
        work_report_line(
            report, CLI_LOG_WARN,
            "lost the lease of message %lld: it has been given to somebody else or is gone; dropped "
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
    default:
        break;
    }
}

void
work_report_progress(struct work_report *report, pgqrs_worker *worker, int running)
{
    pgqrs_worker_counts counts;
    char note[160];

    if (report->progress == NULL)
        return;
    pgqrs_worker_count(worker, &counts);
    snprintf(note, sizeof(note), "done %lld  failed %lld  dead %lld  running %d", (long long)counts.done,
             (long long)counts.failed, (long long)counts.dead, running);
    progress_update(report->progress, counts.done + counts.failed + counts.dead, note);
}

void
work_report_sum(struct work_report *report, pgqrs_worker *worker, int64_t now_ms)
{
    double seconds = (double)(now_ms - report->started_ms) / 1000;
    pgqrs_worker_counts counts;
    cli_log log = *report->log;
    int64_t handled;

    /* Whoever has watched the progress line wants to know how it ended, whatever the level. */
    if (report->progress != NULL && log.level < CLI_LOG_INFO)
        log.level = CLI_LOG_INFO;
    progress_end(report->progress);
    report->progress = NULL;
    pgqrs_worker_count(worker, &counts);
    handled = counts.done + counts.failed + counts.dead;
    cli_log_write(&log, CLI_LOG_INFO,
                  "%lld done, %lld failed, %lld dead, %lld lost, %lld released in %.1f s (%.1f a second)",
                  (long long)counts.done, (long long)counts.failed, (long long)counts.dead,
                  (long long)counts.lost, (long long)(counts.snoozed + counts.released), seconds,
                  seconds > 0 ? (double)handled / seconds : 0.0);
}
