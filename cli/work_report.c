#include "work_report.h"

#include <stdarg.h>
#include <stdio.h>

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
work_report_progress(struct work_report *report, int running)
{
    const struct work_counts *counts = &report->counts;
    char note[160];

    if (report->progress == NULL)
        return;
    snprintf(note, sizeof(note), "done %lld  failed %lld  dead %lld  running %d", (long long)counts->done,
             (long long)counts->failed, (long long)counts->dead, running);
    progress_update(report->progress, counts->done + counts->failed + counts->dead, note);
}

void
work_report_sum(struct work_report *report, int64_t now_ms)
{
    const struct work_counts *counts = &report->counts;
    double seconds = (double)(now_ms - report->started_ms) / 1000;
    int64_t handled = counts->done + counts->failed + counts->dead;
    cli_log log = *report->log;

    /* Whoever has watched the progress line wants to know how it ended, whatever the level. */
    if (report->progress != NULL && log.level < CLI_LOG_INFO)
        log.level = CLI_LOG_INFO;
    progress_end(report->progress);
    report->progress = NULL;
    cli_log_write(&log, CLI_LOG_INFO,
                  "%lld done, %lld failed, %lld dead, %lld lost, %lld released in %.1f s (%.1f a second)",
                  (long long)counts->done, (long long)counts->failed, (long long)counts->dead,
                  (long long)counts->lost, (long long)counts->released, seconds,
                  seconds > 0 ? (double)handled / seconds : 0.0);
}
