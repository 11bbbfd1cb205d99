#include "input/lines.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK ((size_t)64 << 10)

/* Programs of Windows put a byte order mark at the start of UTF-8. JSON has none (RFC 8259), and
 * lets readers ignore it. */
#define BOM "\xef\xbb\xbf"
#define BOM_BYTES ((size_t)3)

int
cli_lines_init(cli_lines *lines, int fd, size_t max_bytes)
{
    memset(lines, 0, sizeof(*lines));
    lines->fd = fd;
    lines->wake_fd = -1;
    lines->max_bytes = max_bytes;
    lines->capacity = 2 * BLOCK;
    lines->buffer = malloc(lines->capacity);
    return lines->buffer != NULL ? 0 : -1;
}

void
cli_lines_release(cli_lines *lines)
{
    free(lines->buffer);
    lines->buffer = NULL;
}

/* Makes room for one more block behind what is there. */
static int
make_room(cli_lines *lines)
{
    size_t length = lines->end - lines->start;
    size_t capacity = lines->capacity;
    char *larger;

    if (lines->capacity - lines->end >= BLOCK)
        return 0;
    memmove(lines->buffer, lines->buffer + lines->start, length);
    lines->start = 0;
    lines->end = length;
    while (capacity - length < BLOCK)
        capacity *= 2;
    if (capacity == lines->capacity)
        return 0;
    larger = realloc(lines->buffer, capacity);
    if (larger == NULL)
        return -1;
    lines->buffer = larger;
    lines->capacity = capacity;
    return 0;
}

/* Waits until there is something to read, or the end, or a failure to read. */
static int
wait_for_file(const cli_lines *lines)
{
    struct pollfd fds[] = { { .fd = lines->fd, .events = POLLIN },
                            { .fd = lines->wake_fd, .events = POLLIN } };

    while (poll(fds, 2, -1) < 0)
        if (errno != EINTR)
            return -1;
    if (fds[1].revents == 0)
        return 0;
    errno = EINTR;
    return -1;
}

/* Reads some more. */
static int
fill(cli_lines *lines)
{
    ssize_t got;

    if (make_room(lines) != 0)
        return -1;
    if (wait_for_file(lines) != 0)
        return -1;
    do
        got = read(lines->fd, lines->buffer + lines->end, BLOCK);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -1;
    lines->at_end = got == 0;
    lines->end += (size_t)got;
    return 0;
}

/* Hands out the first `length` bytes of what is there; `end_length` more are the line's end. */
static cli_lines_result
hand_out(cli_lines *lines, size_t length, size_t end_length, pgqrs_slice *out)
{
    const char *line = lines->buffer + lines->start;

    lines->number++;
    lines->start += length + end_length;
    lines->bytes += (int64_t)(length + end_length);
    if (length > 0 && line[length - 1] == '\r')
        length--;
    if (lines->number == 1 && length >= BOM_BYTES && memcmp(line, BOM, BOM_BYTES) == 0) {
        line += BOM_BYTES;
        length -= BOM_BYTES;
    }
    if (length > lines->max_bytes)
        return CLI_LINES_TOO_LONG;
    out->data = line;
    out->size = length;
    return CLI_LINES_LINE;
}

cli_lines_result
cli_lines_next(cli_lines *lines, pgqrs_slice *out)
{
    size_t searched = 0;

    for (;;) {
        size_t length = lines->end - lines->start;
        const char *line = lines->buffer + lines->start;
        const char *end =
            length > searched ? memchr(line + searched, '\n', length - searched) : NULL;

        if (end != NULL)
            return hand_out(lines, (size_t)(end - line), 1, out);
        if (lines->at_end)
            return length > 0 ? hand_out(lines, length, 0, out) : CLI_LINES_END;
        /* There may be a byte order mark and a carriage return in addition. */
        if (length > lines->max_bytes + BOM_BYTES + 1) {
            lines->number++;
            return CLI_LINES_TOO_LONG;
        }
        searched = length;
        if (fill(lines) != 0)
            return CLI_LINES_FAILED;
    }
}
