#include "line/help.h"

#include <stdio.h>
#include <string.h>

#include <unistd.h>

#include "print/terminal.h"

/* Longer lines are hard to read, and shorter ones too. */
#define MAX_WIDTH 100
#define MIN_WIDTH 60

/* What is longer stands on a line of its own, so that the description has room. */
#define LEFT_MAX 28

/* Appends to the text in `text`, as far as there is room. */
static void append(char *text, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void
append(char *text, size_t size, const char *format, ...)
{
    size_t length = strlen(text);
    va_list args;

    va_start(args, format);
    vsnprintf(text + length, size - length, format, args);
    va_end(args);
}

static void
append_argument(char *text, size_t size, const cli_argument *argument)
{
    switch (argument->presence) {
    case CLI_REQUIRED:
        append(text, size, " %s", argument->name);
        break;
    case CLI_OPTIONAL:
        append(text, size, " [%s]", argument->name);
        break;
    case CLI_MANY:
        append(text, size, " %s...", argument->name);
        break;
    case CLI_REST:
        append(text, size, " [%s...]", argument->name);
        break;
    case CLI_REST_BEHIND:
        append(text, size, " -- %s [ARG...]", argument->name);
        break;
    }
}

void
cli_help_usage(const cli_node *const *path, int depth, char *text, size_t size)
{
    const cli_node *node = path[depth - 1];
    const cli_argument *argument = node->arguments;

    text[0] = '\0';
    for (int i = 0; i < depth; i++)
        append(text, size, "%s%s", i > 0 ? " " : "", path[i]->name);
    if (node->children != NULL) {
        append(text, size, " COMMAND");
        return;
    }
    for (; argument != NULL && argument->name != NULL && argument->presence != CLI_REST_BEHIND;
         argument++)
        append_argument(text, size, argument);
    if (node->options != NULL)
        append(text, size, " [OPTION...]");
    if (argument != NULL && argument->name != NULL)
        append_argument(text, size, argument);
}

static size_t
help_width(void)
{
    size_t width = cli_terminal_width(STDOUT_FILENO);

    if (width < MIN_WIDTH)
        return MIN_WIDTH;
    return width < MAX_WIDTH ? width : MAX_WIDTH;
}

/* Prints `text` in lines that fit the terminal; all but the first begin with `indent` spaces.
 * `column` is where the first one begins. */
static void
print_wrapped(cli_output *output, const char *text, size_t indent, size_t column)
{
    size_t width = help_width();

    while (*text != '\0') {
        size_t word = strcspn(text, " \n");

        if (column > indent && column + 1 + word > width) {
            cli_output_text(output, "\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent) {
            cli_output_text(output, " ");
            column++;
        }
        cli_output_text(output, "%.*s", (int)word, text);
        column += word;
        text += word;
        if (strncmp(text, "\n\n", 2) == 0) {
            cli_output_text(output, "\n\n%*s", (int)indent, "");
            column = indent;
        }
        text += strspn(text, " \n");
    }
    cli_output_text(output, "\n");
}

/* The width of a left column that is to hold `left`, when that of those before is `width`. */
static size_t
widen(size_t width, const char *left)
{
    size_t length = strlen(left);

    return length <= LEFT_MAX && length > width ? length : width;
}

static void
print_row(cli_output *output, const char *left, size_t left_width, const char *right)
{
    if (strlen(left) > left_width)
        cli_output_text(output, "  %s\n%*s", left, (int)left_width + 4, "");
    else
        cli_output_text(output, "  %-*s  ", (int)left_width, left);
    print_wrapped(output, right, left_width + 4, left_width + 4);
}

static void
print_children(cli_output *output, const cli_node *node)
{
    size_t width = 0;

    if (node->children == NULL)
        return;
    for (const cli_node *child = node->children; child->name != NULL; child++)
        width = widen(width, child->name);
    cli_output_text(output, "\nCommands:\n");
    for (const cli_node *child = node->children; child->name != NULL; child++)
        print_row(output, child->name, width, child->summary);
}

static void
print_arguments(cli_output *output, const cli_node *node)
{
    size_t width = 0;

    if (node->arguments == NULL)
        return;
    for (const cli_argument *argument = node->arguments; argument->name != NULL; argument++)
        width = widen(width, argument->name);
    cli_output_text(output, "\nArguments:\n");
    for (const cli_argument *argument = node->arguments; argument->name != NULL; argument++)
        print_row(output, argument->name, width, argument->description);
}

/* How an option is written, such as "-d, --dsn DSN". */
static void
option_text(const cli_option *option, char *text, size_t size)
{
    text[0] = '\0';
    if (option->letter != 0)
        append(text, size, "-%c, ", option->letter);
    else
        append(text, size, "    ");
    append(text, size, "--%s", option->name);
    if (option->argument != NULL)
        append(text, size, " %s", option->argument);
}

static void
print_options(cli_output *output, const cli_option *options, const char *title)
{
    char left[80], right[400];
    size_t width = 0;

    if (options == NULL)
        return;
    for (const cli_option *option = options; option->name != NULL; option++) {
        option_text(option, left, sizeof(left));
        width = widen(width, left);
    }
    cli_output_text(output, "\n%s:\n", title);
    for (const cli_option *option = options; option->name != NULL; option++) {
        option_text(option, left, sizeof(left));
        snprintf(right, sizeof(right), "%s%s", option->description,
                 option->required ? " (required)" : "");
        if (option->default_text != NULL)
            append(right, sizeof(right), " (default: %s)", option->default_text);
        print_row(output, left, width, right);
    }
}

/* What a DURATION is, if one of `options` takes one. */
static void
print_forms(cli_output *output, const cli_option *options)
{
    for (; options != NULL && options->name != NULL; options++)
        if (options->kind == CLI_DURATION) {
            cli_output_text(output, "\n");
            print_wrapped(output, "A DURATION is written as " CLI_DURATION_FORM ".", 0, 0);
            return;
        }
}

static void
print_columns(cli_output *output, const cli_column *columns)
{
    size_t width = 0;

    if (columns == NULL)
        return;
    for (size_t i = 0; columns[i].name != NULL; i++)
        width = widen(width, columns[i].name);
    cli_output_text(
        output, "\nColumns, those in brackets only with --wide, in JSON or of a single item:\n");
    for (size_t i = 0; columns[i].name != NULL; i++) {
        char name[40];

        snprintf(name, sizeof(name), columns[i].flags & CLI_COLUMN_DETAIL ? "[%s]" : "%s",
                 columns[i].name);
        print_row(output, name, width + 2, columns[i].meaning);
    }
}

static void
print_examples(cli_output *output, const cli_node *node)
{
    if (node->examples == NULL)
        return;
    cli_output_text(output, "\nExamples:\n");
    for (const cli_example *example = node->examples; example->command != NULL; example++)
        cli_output_text(output, "  %s\n      %s\n", example->command, example->purpose);
}

/* What the command does, as a sentence. */
static void
print_summary(cli_output *output, const cli_node *node)
{
    char sentence[160];

    snprintf(sentence, sizeof(sentence), "%c%s.", node->summary[0] - ('a' - 'A'),
             node->summary + 1);
    print_wrapped(output, sentence, 0, 0);
    if (node->details == NULL)
        return;
    cli_output_text(output, "\n");
    print_wrapped(output, node->details, 0, 0);
}

void
cli_help_print(cli_output *output, const cli_call *call)
{
    const cli_node *node = cli_call_node(call);
    char usage[160];

    cli_help_usage(call->path, call->depth, usage, sizeof(usage));
    cli_output_text(output, "Usage: %s\n\n", usage);
    print_summary(output, node);
    print_children(output, node);
    print_arguments(output, node);
    if (call->depth > 1)
        print_options(output, node->options, "Options");
    print_forms(output, node->options);
    print_columns(output, node->columns);
    print_examples(output, node);
    if (call->depth == 1 && !call->is_short) {
        print_options(output, node->options, "Options, anywhere on the line");
        return;
    }
    cli_output_text(output, "\n");
    print_wrapped(output,
                  call->is_short
                      ? "Options, the database among them: see pgqrs --help"
                      : "Options for every command, such as --dsn and --format: see pgqrs --help",
                  0, 0);
}

int
cli_help(cli_context *context)
{
    cli_call about = { .path = { &cli_root }, .depth = 1 };
    char *const *words = cli_call_rest(context->call);

    for (; *words != NULL; words++) {
        const cli_node *child = cli_node_child(cli_call_node(&about), *words);

        if (child == NULL)
            return cli_fail_usage(
                context, "there is no command \"%s\" to explain: see pgqrs --help", *words);
        about.path[about.depth++] = child;
    }
    cli_help_print(&context->output, &about);
    return CLI_EXIT_OK;
}

int
cli_version(cli_context *context)
{
    cli_output_text(&context->output, "pgqrs %s\n", pgqrs_version());
    return CLI_EXIT_OK;
}
