/*
 * What `pgqrs work` says to people: log lines, the progress line, the sum at the end.
 */
#ifndef PGQRS_CLI_WORK_REPORT_H
#define PGQRS_CLI_WORK_REPORT_H

#include <stdint.h>

#include "log.h"
#include "progress.h"

/** What became of messages. */
struct work_counts {
    int64_t done;     /* archived with their result */
    int64_t failed;   /* to be tried again */
    int64_t dead;     /* failed for the last time */
    int64_t lost;     /* their lease was lost: somebody else has them */
    int64_t released; /* given back */
};

struct work_report {
    cli_log *log;
    struct progress *progress; /* NULL: none */
    struct work_counts counts;
    int64_t started_ms; /* of slot_clock_ms */
};

/** Writes one line to the log, above the progress line. */
void work_report_line(struct work_report *report, cli_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Writes one line that says why the command ends. */
void work_report_failure(struct work_report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Draws the progress line, with `running` children. */
void work_report_progress(struct work_report *report, int running);

/** Takes the progress line away and logs the sum; if there was such a line, at any level. */
void work_report_sum(struct work_report *report, int64_t now_ms);

#endif
