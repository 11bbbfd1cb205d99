/*
 * What `pgqrs work` says to people: log lines, the progress line, the sum at the end.
 */
#ifndef PGQRS_CLI_WORK_REPORT_H
#define PGQRS_CLI_WORK_REPORT_H

#include <stdint.h>

#include <pgqrs/worker.h>

#include "print/log.h"
#include "print/progress.h"

struct work_report {
    cli_log *log;
    struct progress *progress; /* NULL: none */
    int64_t started_ms;        /* of slot_clock_ms */
    int64_t outage_ms;         /* since when the server cannot be reached; 0: it can */
    int64_t reminder_ms;       /* during an outage: when to mention it again */
    int64_t trouble_ms;        /* no word of what the server refuses before this */
    int64_t failures_ms;       /* until then failures are counted against the limit */
    int failures_shown;        /* since the limit began to count */
    int64_t failures_hidden;   /* the same, beyond the limit */
    int is_watched;            /* 1: somebody has pressed Ctrl-C */
    int is_quiet;              /* 1: what programs write to standard error is not passed on */
    int is_in_line;            /* 1: what was passed on did not end with a line feed */
    int64_t lost_bytes;        /* of what was to be passed on */
};

/** Writes one line to the log, above the progress line. */
void work_report_line(struct work_report *report, cli_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Writes one line that says why the command ends. */
void work_report_failure(struct work_report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Passes on what a program wrote to standard error. Never waits: what nobody reads in time is
 * lost, and counted. */
void work_report_pass_on(struct work_report *report, const char *bytes, size_t size);

/** Says that signal `number` was taken, and what happens to `running` programs now; `is_second`:
 * they are killed. */
void work_report_signal(struct work_report *report, int number, int is_second, size_t running);

/** Says why the program of message `id` is stopped. */
void work_report_cancellation(struct work_report *report, long long id, pgqrs_job_cancellation why);

/** Says what became of a message, or that the server is away, or back. */
void work_report_event(struct work_report *report, const pgqrs_event *event, int64_t now_ms);

/** Says now and then that an outage lasts, and how many failures were not shown. */
void work_report_reminder(struct work_report *report, int64_t now_ms);

/** Draws the progress line, with `running` programs. */
void work_report_progress(struct work_report *report, pgqrs_worker *worker, int running);

/** Takes the progress line away and logs the sum; if somebody watches, at any level. */
void work_report_sum(struct work_report *report, pgqrs_worker *worker, int64_t now_ms);

#endif
