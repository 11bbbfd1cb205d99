/*
 * What the command says besides its results: failures, one line each on standard error, and the
 * log, which goes to standard error or, with --log-dest, to a file. On standard error a log line
 * has a time unless that is a terminal. Neither ever holds a connection string.
 */
#ifndef PGQRS_CLI_LOG_H
#define PGQRS_CLI_LOG_H

#include <stdarg.h>
#include <stdio.h>

typedef enum cli_log_level {
    CLI_LOG_ERROR = 0,
    CLI_LOG_WARN = 1,
    CLI_LOG_INFO = 2,
    CLI_LOG_DEBUG = 3,
    CLI_LOG_TRACE = 4
} cli_log_level;

/** Where log lines go. Zeroed it is standard error at level error. */
typedef struct cli_log {
    FILE *file; /* NULL: standard error */
    cli_log_level level;
    int json; /* each line is an object with time, level and message; failures too */
} cli_log;

/** Directs `log` to the file `path`, appending to it. It never waits for the reader of a FIFO. 0,
 * or -1 with errno set: ENXIO if nobody reads a FIFO. */
int cli_log_open(cli_log *log, const char *path);

/** Closes the file of `log`, if it has one. */
void cli_log_close(cli_log *log);

/** The level called `name`, such as "warn". It must be one of the names. */
cli_log_level cli_log_level_named(const char *name);

/** Writes one line if `log` is at `level` or above. */
void cli_log_write(cli_log *log, cli_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void cli_log_vwrite(cli_log *log, cli_log_level level, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

/** Writes "pgqrs: ..." on standard error, for an answer to be typed after it. */
void cli_log_prompt(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Writes "pgqrs: ..." on standard error, one line whatever the text, and to the file of `log`,
 * which may be NULL. */
void cli_log_failure(cli_log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));
void cli_log_vfailure(cli_log *log, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

#endif
