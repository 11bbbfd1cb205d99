#include "print/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "print/json.h"
#include "print/table.h"
#include "print/utf8.h"

/* Notes the first failure of a write; the command goes on, because its work is done in the
 * database. */
static void
check(cli_output *output, int failed)
{
    if (failed && output->failed == 0)
        output->failed = errno != 0 ? errno : EIO;
}

int
cli_output_open(cli_output *output, const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666), saved;
    struct stat info;

    if (fd >= 0)
        output->new_file = path;
    else if (errno == EEXIST)
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return -1;
    if (dup2(fd, STDOUT_FILENO) >= 0) {
        output->holds_old = fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
        close(fd);
        return 0;
    }
    saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

/* There is a result. */
static void
begin(cli_output *output)
{
    output->new_file = NULL;
    if (output->holds_old)
        check(output, ftruncate(STDOUT_FILENO, 0) != 0);
    output->holds_old = 0;
}

void
cli_output_item(cli_output *output, const cli_column *columns, const cli_value *values)
{
    begin(output);
    if (output->json) {
        check(output, cli_json_object(stdout, columns, values) < 0 || putc('\n', stdout) == EOF);
        return;
    }
    check(output, cli_table_item(stdout, columns, values) != 0);
}

void
cli_output_result(cli_output *output, const cli_column *columns, const cli_value *values,
                  const char *sentence)
{
    if (output->json)
        cli_output_item(output, columns, values);
    else
        cli_output_text(output, "%s\n", sentence);
}

void
cli_output_list_begin(cli_output *output, const cli_column *columns)
{
    begin(output);
    output->columns = columns;
    output->rows = 0;
    if (output->json) {
        check(output, putc('[', stdout) == EOF);
        return;
    }
    output->table = cli_table_new(columns, output->is_wide);
    check(output, output->table == NULL);
}

void
cli_output_list_row(cli_output *output, const cli_value *values)
{
    if (output->json) {
        check(output, fputs(output->rows > 0 ? ",\n" : "\n", stdout) < 0 ||
                          cli_json_object(stdout, output->columns, values) < 0);
    } else if (output->table != NULL) {
        check(output, cli_table_add(output->table, values) != 0);
    }
    output->rows++;
}

void
cli_output_list_end(cli_output *output, const char *nothing)
{
    if (output->json)
        check(output, fputs(output->rows > 0 ? "\n]\n" : "]\n", stdout) < 0);
    else if (output->rows == 0)
        cli_output_text(output, "%s\n", nothing);
    else if (output->table != NULL && output->failed == 0)
        check(output, cli_table_print(output->table, stdout) != 0);
    cli_table_free(output->table);
    output->table = NULL;
    output->columns = NULL;
}

void
cli_output_text(cli_output *output, const char *format, ...)
{
    char *text = NULL, *clean = NULL;
    va_list args;

    begin(output);
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    if (text != NULL)
        clean = cli_utf8_escape_harmful(pgqrs_slice_of(text));
    errno = clean == NULL ? ENOMEM : errno;
    check(output, clean == NULL || fputs(clean, stdout) < 0);
    free(clean);
    free(text);
}

/* What did not print through us, as the benchmark, has overwritten what was there; what is left
 * after it goes. */
static void
settle_file(cli_output *output, int succeeded)
{
    off_t written = lseek(STDOUT_FILENO, 0, SEEK_CUR);

    if (output->holds_old && (written > 0 || succeeded))
        check(output, ftruncate(STDOUT_FILENO, written) != 0);
    if (output->new_file != NULL && written == 0 && !succeeded)
        unlink(output->new_file);
}

int
cli_output_finish(cli_output *output, int succeeded)
{
    errno = 0;
    check(output, ferror(stdout));
    check(output, fflush(stdout) != 0);
    settle_file(output, succeeded);
    check(output, fclose(stdout) != 0);
    return output->failed;
}
