/* Lines come out whole whatever the size of what is read, and an endless one is refused in bounded
 * memory. */
#include "found.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <unistd.h>

#include "../../cli/input/lines.c"

static int
file_of(const char *text, size_t size)
{
    char name[] = "/tmp/pgqrs-lines-XXXXXX";
    int fd = mkstemp(name);

    assert_true(fd >= 0);
    unlink(name);
    assert_int_equal(write(fd, text, size), (ssize_t)size);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static void
expect_line(cli_lines *lines, const char *wanted)
{
    pgqrs_slice line = { NULL, 0 };

    assert_int_equal(cli_lines_next(lines, &line), CLI_LINES_LINE);
    assert_int_equal(line.size, strlen(wanted));
    assert_memory_equal(line.data, wanted, line.size);
}

TEST(ends_of_lines_are_left_out)
{
    static const char text[] = "one\ntwo\r\n\n  \nlast";
    cli_lines lines;
    pgqrs_slice line;
    int fd = file_of(text, sizeof(text) - 1);

    (void)state;
    assert_int_equal(cli_lines_init(&lines, fd, 100), 0);
    expect_line(&lines, "one");
    expect_line(&lines, "two");
    expect_line(&lines, "");
    expect_line(&lines, "  ");
    expect_line(&lines, "last");
    assert_int_equal(lines.number, 5);
    assert_int_equal(lines.bytes, sizeof(text) - 1);
    assert_int_equal(cli_lines_next(&lines, &line), CLI_LINES_END);
    assert_int_equal(cli_lines_next(&lines, &line), CLI_LINES_END);
    cli_lines_release(&lines);
    close(fd);
}

TEST(the_limit_counts_the_line_without_its_end)
{
    static const char text[] = "12345\n12345\r\n123456\nnext";
    cli_lines lines;
    pgqrs_slice line;
    int fd = file_of(text, sizeof(text) - 1);

    (void)state;
    assert_int_equal(cli_lines_init(&lines, fd, 5), 0);
    expect_line(&lines, "12345");
    expect_line(&lines, "12345");
    assert_int_equal(cli_lines_next(&lines, &line), CLI_LINES_TOO_LONG);
    assert_int_equal(lines.number, 3);
    cli_lines_release(&lines);
    close(fd);
}

TEST(lines_of_every_length_survive_the_edges_of_the_buffer)
{
    size_t size = 0, capacity = (size_t)3 << 20;
    char *text = malloc(capacity);
    cli_lines lines;
    pgqrs_slice line;
    int fd;

    (void)state;
    assert_non_null(text);
    for (size_t length = 0; length < 2000; length++) {
        memset(text + size, 'a' + (int)(length % 26), length);
        size += length;
        text[size++] = '\n';
    }
    fd = file_of(text, size);
    free(text);
    assert_int_equal(cli_lines_init(&lines, fd, 2000), 0);
    for (size_t length = 0; length < 2000; length++) {
        assert_int_equal(cli_lines_next(&lines, &line), CLI_LINES_LINE);
        assert_int_equal(line.size, length);
        if (length > 0)
            assert_true(line.data[0] == (char)('a' + (int)(length % 26)) &&
                        line.data[length - 1] == line.data[0]);
    }
    assert_int_equal(cli_lines_next(&lines, &line), CLI_LINES_END);
    cli_lines_release(&lines);
    close(fd);
}

TEST(an_endless_line_is_not_gathered)
{
    cli_lines lines;
    pgqrs_slice line;
    int fd = open("/dev/zero", O_RDONLY);

    (void)state;
    assert_int_equal(cli_lines_init(&lines, fd, 1000000), 0);
    assert_int_equal(cli_lines_next(&lines, &line), CLI_LINES_TOO_LONG);
    assert_int_equal(lines.number, 1);
    assert_true(lines.capacity <= (size_t)4 << 20);
    cli_lines_release(&lines);
    close(fd);
}

TEST(a_folder_cannot_be_read)
{
    cli_lines lines;
    pgqrs_slice line;
    int fd = open("/", O_RDONLY);

    (void)state;
    assert_int_equal(cli_lines_init(&lines, fd, 100), 0);
    assert_int_equal(cli_lines_next(&lines, &line), CLI_LINES_FAILED);
    cli_lines_release(&lines);
    close(fd);
}

TEST(waiting_ends_when_somebody_wakes_it)
{
    cli_lines lines;
    pgqrs_slice line;
    int input[2], wake[2];

    (void)state;
    assert_int_equal(pipe(input), 0);
    assert_int_equal(pipe(wake), 0);
    assert_int_equal(write(input[1], "one\ntw", 6), 6);
    assert_int_equal(cli_lines_init(&lines, input[0], 100), 0);
    lines.wake_fd = wake[0];
    expect_line(&lines, "one");
    assert_int_equal(write(wake[1], "", 1), 1);
    errno = 0;
    assert_int_equal(cli_lines_next(&lines, &line), CLI_LINES_FAILED);
    assert_int_equal(errno, EINTR);
    lines.wake_fd = -1;
    assert_int_equal(write(input[1], "o\n", 2), 2);
    expect_line(&lines, "two"); /* nothing was lost */
    cli_lines_release(&lines);
    close(input[0]);
    close(input[1]);
    close(wake[0]);
    close(wake[1]);
}

TEST(a_byte_order_mark_at_the_start_is_left_out)
{
    static const char text[] = "\xef\xbb\xbfone\n\xef\xbb\xbftwo\n";
    cli_lines lines;
    int fd = file_of(text, sizeof(text) - 1);

    (void)state;
    assert_int_equal(cli_lines_init(&lines, fd, 6), 0);
    expect_line(&lines, "one");
    expect_line(&lines, "\xef\xbb\xbftwo");
    assert_int_equal(lines.bytes, sizeof(text) - 1);
    cli_lines_release(&lines);
    close(fd);
}

TEST_MAIN(NULL, NULL)
