#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "utf8.h"

static const char *const level_names[] = { "error", "warn", "info", "debug", "trace" };

int
cli_log_open(cli_log *log, const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    FILE *file = fd >= 0 ? fdopen(fd, "a") : NULL;

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

/* What people typed is quoted back to them; it stays on one line and cannot drive a terminal. C1 control
 * characters are two bytes in UTF-8, 0xC2 and 0x80 to 0x9F. */
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
        else if (p[0] == 0xc2 && p[1] <= 0x9f)
            p[0] = p[1] = '?';
        length += length == 0;
    }
}

static void
write_to_file(FILE *file, cli_log_level level, const char *text)
{
    struct timespec now = { 0 };
    struct tm parts = { 0 };
    char stamp[32];

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &parts);
    fprintf(file, "%s.%03ldZ %-5s %s\n", stamp, now.tv_nsec / 1000000, level_names[level], text);
}

/* The text made from `format`, cleaned; NULL when memory is short. The caller frees it. */
static char *make_text(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

static char *
make_text(const char *format, va_list args)
{
    char *text = NULL;

    if (vasprintf(&text, format, args) < 0)
        return NULL;
    replace_control_characters(text);
    return text;
}

void
cli_log_write(cli_log *log, cli_log_level level, const char *format, ...)
{
    va_list args;
    char *text;

    if (level > log->level)
        return;
    va_start(args, format);
    text = make_text(format, args);
    va_end(args);
    if (log->file != NULL)
        write_to_file(log->file, level, text != NULL ? text : "out of memory");
    else
        fprintf(stderr, "pgqrs: %s: %s\n", level_names[level], text != NULL ? text : "out of memory");
    free(text);
}

void
cli_log_prompt(const char *format, ...)
{
    va_list args;
    char *text;

    va_start(args, format);
    text = make_text(format, args);
    va_end(args);
    fprintf(stderr, "pgqrs: %s", text != NULL ? text : "");
    fflush(stderr);
    free(text);
}

void
cli_log_failure(cli_log *log, const char *format, ...)
{
    va_list args;
    char *text;

    va_start(args, format);
    text = make_text(format, args);
    va_end(args);
    fprintf(stderr, "pgqrs: %s\n", text != NULL ? text : "out of memory");
    if (log != NULL && log->file != NULL)
        write_to_file(log->file, CLI_LOG_ERROR, text != NULL ? text : "out of memory");
    free(text);
}
