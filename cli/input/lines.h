/*
 * Lines of a file, one after the other, in memory that does not depend on the file: a line longer
 * than allowed is refused without being gathered.
 */
#ifndef PGQRS_CLI_LINES_H
#define PGQRS_CLI_LINES_H

#include <stddef.h>
#include <stdint.h>

#include <pgqrs/slice.h>

typedef struct cli_lines {
    int fd;
    size_t max_bytes; /* of a line, without its end */
    char *buffer;
    size_t capacity;
    size_t start;   /* of what was not handed out yet */
    size_t end;     /* of what was read */
    int at_end;     /* of the file */
    int64_t number; /* of the line handed out last, from 1 */
    int64_t bytes;  /* of the file, handed out so far */
    int wake_fd;    /* when this is readable, waiting for the file ends; -1: never */
} cli_lines;

typedef enum cli_lines_result {
    CLI_LINES_LINE = 0,
    CLI_LINES_END = 1,
    CLI_LINES_TOO_LONG = 2, /* line `number` is longer than max_bytes */
    CLI_LINES_FAILED = 3    /* errno says why; EINTR: wake_fd became readable */
} cli_lines_result;

/** Reads lines of at most `max_bytes` from `fd`, which stays the caller's. 0, or -1 with errno
 * set. */
int cli_lines_init(cli_lines *lines, int fd, size_t max_bytes);

void cli_lines_release(cli_lines *lines);

/** The next line, without its end and without a byte order mark at the start of the file ("\n" or
 * "\r\n"), valid until the next call. */
cli_lines_result cli_lines_next(cli_lines *lines, pgqrs_slice *out);

#endif
