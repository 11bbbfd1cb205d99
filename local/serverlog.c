#include "local/serverlog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TAIL_MAX_BYTES 8192
#define REASON_MAX_BYTES 600

/* Reads the end of a regular file; nothing if there is none. */
static void
read_tail(const char *path, pgqrsi_buffer *out)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat info;
    char *end;
    ssize_t size;

    out->size = 0;
    if (fd < 0)
        return;
    end = pgqrsi_buffer_reserve(out, TAIL_MAX_BYTES);
    if (end != NULL && fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) {
        size = pread(fd, end, TAIL_MAX_BYTES,
                     info.st_size > TAIL_MAX_BYTES ? info.st_size - TAIL_MAX_BYTES : 0);
        if (size > 0)
            out->size += (size_t)size;
    }
    close(fd);
}

/* data/current_logfiles has one line, "stderr PATH". Its owner could write anything there; only the
 * file's name counts. */
char *
pgqrsi_serverlog_current(const pgqrsi_paths *paths)
{
    pgqrsi_buffer text = PGQRSI_BUFFER_INIT;
    char *path = NULL, *name = NULL;

    if (asprintf(&path, "%s/current_logfiles", paths->data) < 0)
        return NULL;
    read_tail(path, &text);
    free(path);
    pgqrsi_buffer_append(&text, "", 1);
    if (!text.failed) {
        text.data[strcspn(text.data, "\n")] = '\0';
        name = strrchr(text.data, '/');
    }
    if (asprintf(&path, "%s/%s", paths->log_dir,
                 name != NULL && name[1] != '\0' ? name + 1 : PGQRSI_PATHS_STARTUP_LOG) < 0)
        path = NULL;
    pgqrsi_buffer_release(&text);
    return path;
}

/* The line of the last fatal error and what follows it. */
static pgqrs_slice
find_fatal(const pgqrsi_buffer *text)
{
    static const char *const words[] = { "FATAL:", "PANIC:" };
    pgqrs_slice found = { NULL, 0 };
    size_t start = 0;
    int any = 0;

    for (size_t i = 0; i < text->size; i++)
        for (size_t j = 0; j < sizeof(words) / sizeof(words[0]); j++)
            if (text->size - i > strlen(words[j]) &&
                memcmp(text->data + i, words[j], strlen(words[j])) == 0) {
                start = i;
                any = 1;
            }
    if (!any)
        return found;
    found.data = text->data + start;
    found.size = text->size - start;
    while (found.size > 0 && (unsigned char)found.data[found.size - 1] <= ' ')
        found.size--;
    if (found.size > REASON_MAX_BYTES)
        found.size = REASON_MAX_BYTES;
    return found;
}

/* Before the server's collector of messages runs, they go to startup.log, which is new at each
 * start. */
pgqrs_slice
pgqrsi_serverlog_reason(const pgqrsi_paths *paths, pgqrsi_buffer *text)
{
    pgqrs_slice reason = { NULL, 0 };
    char *path;

    if (asprintf(&path, "%s/" PGQRSI_PATHS_STARTUP_LOG, paths->log_dir) < 0)
        return reason;
    read_tail(path, text);
    free(path);
    reason = find_fatal(text);
    if (reason.size > 0)
        return reason;
    path = pgqrsi_serverlog_current(paths);
    if (path == NULL)
        return reason;
    read_tail(path, text);
    free(path);
    return find_fatal(text);
}
