#include "print/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "print/json.h"
#include "print/utf8.h"

static const char *const level_names[] = { "error", "warn", "info", "debug", "trace" };

static int
wait_unless_fifo(int fd)
{
    struct stat info;

    if (fstat(fd, &info) != 0)
        return -1;
    return S_ISFIFO(info.st_mode) ? 0 : fcntl(fd, F_SETFL, O_APPEND);
}

int
cli_log_open(cli_log *log, const char *path)
{
    /* Not to wait for a reader of a FIFO, nor for one that is slow: then lines are lost. */
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0666);
    FILE *file = fd >= 0 && wait_unless_fifo(fd) == 0 ? fdopen(fd, "a") : NULL;

    if (file == NULL) {
        int saved = errno;

        if (fd >= 0)
            close(fd);
        errno = saved;
        return -1;
    }
    setvbuf(file, NULL, _IOLBF, 0);
    log->file = file;
    return 0;
}

void
cli_log_close(cli_log *log)
{
    if (log->file != NULL)
        fclose(log->file);
    log->file = NULL;
}

cli_log_level
cli_log_level_named(const char *name)
{
    int level = CLI_LOG_ERROR;

    while (level < CLI_LOG_TRACE && strcmp(level_names[level], name) != 0)
        level++;
    return (cli_log_level)level;
}

/* What people typed is quoted back to them; it stays on one line and cannot drive a terminal. */
static void
replace_control_characters(char *text)
{
    unsigned char *p = (unsigned char *)text, *end = p + strlen(text);
    size_t length;

    for (; p < end; p += length) {
        length = cli_utf8_length(p, (size_t)(end - p));
        if (*p == '\n' || *p == '\t')
            *p = ' ';
        else if (*p < 0x20 || *p == 0x7f || length == 0)
            *p = '?';
        else if (cli_utf8_is_harmful(p, length))
            memset(p, '?', length);
        length += length == 0;
    }
}

#define STAMP_SIZE 40

static void
print_now(char stamp[STAMP_SIZE])
{
    struct timespec now = { 0 };
    struct tm parts = { 0 };
    size_t length;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    length = strftime(stamp, STAMP_SIZE, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(stamp + length, STAMP_SIZE - length, ".%03ldZ", now.tv_nsec / 1000000);
}

static void
write_json(FILE *file, cli_log_level level, const char *stamp, const char *text)
{
    fprintf(file, "{\"time\": \"%s\", \"level\": \"%s\", \"message\": ", stamp, level_names[level]);
    cli_json_string(file, pgqrs_slice_of(text));
    fputs("}\n", file);
}

/* To the file of `log`, else to standard error. */
static void
write_line(const cli_log *log, cli_log_level level, const char *text)
{
    char stamp[STAMP_SIZE];

    print_now(stamp);
    if (log->json)
        write_json(log->file != NULL ? log->file : stderr, level, stamp, text);
    else if (log->file != NULL)
        fprintf(log->file, "%s %-5s %s\n", stamp, level_names[level], text);
    else if (isatty(STDERR_FILENO))
        fprintf(stderr, "pgqrs: %s: %s\n", level_names[level], text);
    else
        fprintf(stderr, "%s pgqrs: %s: %s\n", stamp, level_names[level], text);
}

/* The text made from `format`, cleaned. */
struct line {
    const char *text;
    char *owned; /* NULL when out of memory */
};

static struct line make_line(const char *format, va_list args)
    __attribute__((format(printf, 1, 0)));

static struct line
make_line(const char *format, va_list args)
{
    char *text = NULL;

    if (vasprintf(&text, format, args) < 0)
        return (struct line){ "out of memory", NULL };
    replace_control_characters(text);
    return (struct line){ text, text };
}

void
cli_log_vwrite(cli_log *log, cli_log_level level, const char *format, va_list args)
{
    struct line line;

    if (level > log->level)
        return;
    line = make_line(format, args);
    write_line(log, level, line.text);
    free(line.owned);
}

void
cli_log_write(cli_log *log, cli_log_level level, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    cli_log_vwrite(log, level, format, args);
    va_end(args);
}

void
cli_log_prompt(const char *format, ...)
{
    struct line line;
    va_list args;

    va_start(args, format);
    line = make_line(format, args);
    va_end(args);
    fprintf(stderr, "pgqrs: %s", line.text);
    fflush(stderr);
    free(line.owned);
}

void
cli_log_vfailure(cli_log *log, const char *format, va_list args)
{
    struct line line = make_line(format, args);

    if (log == NULL || log->file != NULL || !log->json)
        fprintf(stderr, "pgqrs: %s\n", line.text);
    if (log != NULL && (log->file != NULL || log->json))
        write_line(log, CLI_LOG_ERROR, line.text);
    free(line.owned);
}

void
cli_log_failure(cli_log *log, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    cli_log_vfailure(log, format, args);
    va_end(args);
}
