#include "print/table.h"

#include <errno.h>
#include <inttypes.h>
#include <libsmartcols.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "print/utf8.h"

static int
is_terminal(FILE *stream)
{
    return isatty(fileno(stream));
}

static int
wants_colour(FILE *stream)
{
    const char *no_color = getenv("NO_COLOR");

    return is_terminal(stream) && (no_color == NULL || *no_color == '\0');
}

/* The text of `value` for people, "" for null; NULL with errno set when memory is short. The caller frees it.
 */
static char *
text_of(const cli_value *value)
{
    char text[CLI_TIME_SIZE] = "";

    switch (value->kind) {
    case CLI_VALUE_TEXT:
    case CLI_VALUE_JSON:
        return cli_utf8_escape_harmful(value->text);
    case CLI_VALUE_NUMBER:
    case CLI_VALUE_TOKEN:
        snprintf(text, sizeof(text), "%" PRId64, value->number);
        break;
    case CLI_VALUE_BOOLEAN:
        snprintf(text, sizeof(text), "%s", value->number ? "yes" : "no");
        break;
    case CLI_VALUE_TIME:
        cli_time_format(value->number, text);
        break;
    case CLI_VALUE_NULL:
        break;
    }
    return strdup(text);
}

static struct libscols_table *
new_table(void)
{
    struct libscols_table *table = scols_new_table();

    if (table == NULL)
        errno = ENOMEM;
    return table;
}

/* libsmartcols reports a negative errno. */
static int
add_column(struct libscols_table *table, const char *name, int flags)
{
    if (scols_table_new_column(table, name, 0, flags) != NULL)
        return 0;
    errno = ENOMEM;
    return -1;
}

struct libscols_table *
cli_table_new(const cli_column *columns)
{
    struct libscols_table *table = new_table();

    for (size_t i = 0; table != NULL && columns[i].name != NULL; i++) {
        int flags = 0;

        if (columns[i].flags & CLI_COLUMN_DETAIL)
            continue;
        if (columns[i].flags & CLI_COLUMN_RIGHT)
            flags |= SCOLS_FL_RIGHT;
        if (columns[i].flags & CLI_COLUMN_LONG)
            flags |= SCOLS_FL_TRUNC;
        if (add_column(table, columns[i].name, flags) != 0) {
            cli_table_free(table);
            return NULL;
        }
    }
    return table;
}

/* Puts `text`, which it takes, into a cell. */
static int
put(struct libscols_line *line, size_t column, char *text)
{
    int failed = text != NULL ? scols_line_refer_data(line, column, text) : -ENOMEM;

    if (failed == 0)
        return 0;
    free(text);
    errno = -failed;
    return -1;
}

int
cli_table_add(struct libscols_table *table, const cli_column *columns, const cli_value *values)
{
    struct libscols_line *line = scols_table_new_line(table, NULL);
    size_t column = 0;

    if (line == NULL) {
        errno = ENOMEM;
        return -1;
    }
    for (size_t i = 0; columns[i].name != NULL; i++) {
        if (columns[i].flags & CLI_COLUMN_DETAIL)
            continue;
        if (put(line, column++, text_of(&values[i])) != 0)
            return -1;
    }
    return 0;
}

int
cli_table_print(struct libscols_table *table, FILE *stream)
{
    struct libscols_column *column;
    size_t index = 0;
    int failed;

    scols_table_set_stream(table, stream);
    if (!is_terminal(stream))
        scols_table_set_termforce(table, SCOLS_TERMFORCE_NEVER);
    scols_table_enable_colors(table, wants_colour(stream));
    for (; (column = scols_table_get_column(table, index)) != NULL; index++) {
        scols_cell_set_color(scols_column_get_header(column), "bold");
        if (!is_terminal(stream))
            scols_column_set_flags(column, scols_column_get_flags(column) & ~SCOLS_FL_TRUNC);
    }
    failed = scols_print_table(table);
    if (failed == 0)
        return ferror(stream) ? -1 : 0;
    errno = -failed;
    return -1;
}

void
cli_table_free(struct libscols_table *table)
{
    if (table != NULL)
        scols_unref_table(table);
}

int
cli_table_item(FILE *stream, const cli_column *columns, const cli_value *values)
{
    struct libscols_table *table = new_table();
    int failed = table == NULL;

    if (!failed)
        failed = add_column(table, "name", 0) != 0 || add_column(table, "value", 0) != 0;
    for (size_t i = 0; !failed && columns[i].name != NULL; i++) {
        struct libscols_line *line = scols_table_new_line(table, NULL);

        if (line == NULL)
            errno = ENOMEM;
        failed = line == NULL || put(line, 0, strdup(columns[i].name)) != 0 ||
                 put(line, 1, text_of(&values[i])) != 0;
    }
    if (!failed) {
        scols_table_enable_noheadings(table, 1);
        failed = cli_table_print(table, stream) != 0;
    }
    cli_table_free(table);
    return failed ? -1 : 0;
}
