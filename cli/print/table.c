#include "print/table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "print/terminal.h"
#include "print/utf8.h"

#define MAX_COLUMNS 32
#define GAP 2

/* A text is not cut to fewer cells. */
#define MIN_TEXT 8

struct cli_table {
    const cli_column *shown[MAX_COLUMNS];
    size_t places[MAX_COLUMNS]; /* of the shown ones among all values of a row */
    size_t columns;
    int is_wide;
    char **cells; /* row by row */
    size_t rows, capacity;
};

/* The text of `value` for people, "" for null; NULL with errno set when out of memory. The caller
 * frees it. */
static char *
text_of(const cli_value *value)
{
    char text[CLI_TIME_SIZE] = "";

    switch (value->kind) {
    case CLI_VALUE_TEXT:
    case CLI_VALUE_JSON:
        return cli_utf8_escape_line(value->text);
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

struct cli_table *
cli_table_new(const cli_column *columns, int is_wide)
{
    struct cli_table *table = calloc(1, sizeof(*table));

    for (size_t i = 0; table != NULL && columns[i].name != NULL && table->columns < MAX_COLUMNS;
         i++)
        if (is_wide || (columns[i].flags & CLI_COLUMN_DETAIL) == 0) {
            table->shown[table->columns] = &columns[i];
            table->places[table->columns++] = i;
        }
    if (table != NULL)
        table->is_wide = is_wide;
    return table;
}

void
cli_table_free(struct cli_table *table)
{
    if (table == NULL)
        return;
    for (size_t i = 0; i < table->rows * table->columns; i++)
        free(table->cells[i]);
    free(table->cells);
    free(table);
}

int
cli_table_add(struct cli_table *table, const cli_value *values)
{
    char **cells;

    if (table->rows == table->capacity) {
        size_t capacity = table->capacity > 0 ? 2 * table->capacity : 64;

        cells = realloc(table->cells, capacity * table->columns * sizeof(*cells));
        if (cells == NULL)
            return -1;
        table->cells = cells;
        table->capacity = capacity;
    }
    cells = table->cells + table->rows++ * table->columns;
    memset(cells, 0, table->columns * sizeof(*cells));
    for (size_t i = 0; i < table->columns; i++) {
        cells[i] = text_of(&values[table->places[i]]);
        if (cells[i] == NULL)
            return -1;
    }
    return 0;
}

/* The bytes of the character at `p`, and in *out_cells how wide it is. */
static size_t
measure(const char *p, size_t *out_cells)
{
    const unsigned char *bytes = (const unsigned char *)p;
    size_t length = cli_utf8_length(bytes, strnlen(p, 4));
    int cells = length > 0 ? wcwidth((wchar_t)cli_utf8_decode(bytes, length)) : 1;

    *out_cells = cells >= 0 ? (size_t)cells : 1;
    return length > 0 ? length : 1;
}

/* How many cells `text` takes; beyond `limit` it is not measured. */
static size_t
width_of(const char *text, size_t limit)
{
    size_t width = 0, cells;

    while (*text != '\0' && width <= limit) {
        text += measure(text, &cells);
        width += cells;
    }
    return width;
}

/* The bytes of `text` that fit into `width` cells, and in *out_cells how many of those they
 * take. */
static size_t
fitting(const char *text, size_t width, size_t *out_cells)
{
    size_t bytes = 0, cells;

    *out_cells = 0;
    while (text[bytes] != '\0') {
        size_t length = measure(text + bytes, &cells);

        if (*out_cells + cells > width)
            break;
        *out_cells += cells;
        bytes += length;
    }
    return bytes;
}

/* Prints `text`, cut to `width` cells, and pads it, but not at the end of a line. */
static void
print_cell(FILE *stream, const char *text, size_t width, int is_right, int is_last)
{
    size_t cells, bytes = fitting(text, width, &cells);
    int is_cut = text[bytes] != '\0';

    if (is_cut)
        bytes = fitting(text, width - 1, &cells);
    cells += is_cut ? 1U : 0U;
    if (is_right)
        fprintf(stream, "%*s", (int)(width - cells), "");
    fwrite(text, 1, bytes, stream);
    fputs(is_cut ? "\xe2\x80\xa6" : "", stream); /* an ellipsis */
    if (!is_last)
        fprintf(stream, "%*s", (int)(is_right ? GAP : width - cells + GAP), "");
}

/* The widest column that may become narrower, of those with all of `flags`; the number of columns
 * if there is none. */
static size_t
find_widest(const struct cli_table *table, const size_t *widths, unsigned flags)
{
    size_t widest = table->columns;

    for (size_t i = 0; i < table->columns; i++) {
        unsigned its = table->shown[i]->flags;

        if ((its & (CLI_COLUMN_RIGHT | CLI_COLUMN_WHOLE)) != 0 || (its & flags) != flags ||
            widths[i] <= MIN_TEXT)
            continue;
        if (widest == table->columns || widths[i] > widths[widest])
            widest = i;
    }
    return widest;
}

/* How wide each column is to be. What cannot be cut enough is left to the terminal, which wraps
 * it. */
static void
fit(const struct cli_table *table, size_t *widths, size_t limit)
{
    size_t total = GAP * (table->columns - 1), widest;

    for (size_t i = 0; i < table->columns; i++) {
        widths[i] = width_of(table->shown[i]->name, limit);
        for (size_t row = 0; row < table->rows; row++) {
            size_t width = width_of(table->cells[row * table->columns + i], limit);

            widths[i] = width > widths[i] ? width : widths[i];
        }
        total += widths[i];
    }
    for (; total > limit && !table->is_wide; total--) {
        widest = find_widest(table, widths, CLI_COLUMN_LONG);
        if (widest == table->columns)
            widest = find_widest(table, widths, 0);
        if (widest == table->columns)
            return;
        widths[widest]--;
    }
}

static void
print_padded(const struct cli_table *table, FILE *stream)
{
    const char *no_color = getenv("NO_COLOR");
    int is_plain = no_color != NULL && *no_color != '\0';
    size_t widths[MAX_COLUMNS], last = table->columns - 1;

    fit(table, widths, table->is_wide ? SIZE_MAX - 1 : cli_terminal_width(fileno(stream)));
    fputs(is_plain ? "" : "\033[1m", stream);
    for (size_t i = 0; i <= last; i++)
        print_cell(stream, table->shown[i]->name, widths[i],
                   (table->shown[i]->flags & CLI_COLUMN_RIGHT) != 0, i == last);
    fputs(is_plain ? "\n" : "\033[0m\n", stream);
    for (size_t row = 0; row < table->rows; row++) {
        for (size_t i = 0; i <= last; i++)
            print_cell(stream, table->cells[row * table->columns + i], widths[i],
                       (table->shown[i]->flags & CLI_COLUMN_RIGHT) != 0, i == last);
        putc('\n', stream);
    }
}

int
cli_table_print(const struct cli_table *table, FILE *stream)
{
    if (isatty(fileno(stream))) {
        print_padded(table, stream);
        return ferror(stream) ? -1 : 0;
    }
    for (size_t i = 0; i < table->columns; i++)
        fprintf(stream, "%s%s", table->shown[i]->name, i + 1 < table->columns ? "\t" : "\n");
    for (size_t i = 0; i < table->rows * table->columns; i++)
        fprintf(stream, "%s%s", table->cells[i], (i + 1) % table->columns != 0 ? "\t" : "\n");
    return ferror(stream) ? -1 : 0;
}

int
cli_table_item(FILE *stream, const cli_column *columns, const cli_value *values)
{
    size_t width = 0;
    int is_terminal = isatty(fileno(stream));

    for (size_t i = 0; columns[i].name != NULL; i++)
        width = strlen(columns[i].name) > width ? strlen(columns[i].name) : width;
    for (size_t i = 0; columns[i].name != NULL; i++) {
        char *text = text_of(&values[i]);

        if (text == NULL)
            return -1;
        if (is_terminal)
            fprintf(stream, "%-*s  %s\n", (int)width, columns[i].name, text);
        else
            fprintf(stream, "%s\t%s\n", columns[i].name, text);
        free(text);
    }
    return ferror(stream) ? -1 : 0;
}
