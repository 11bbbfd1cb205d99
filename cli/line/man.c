#include "line/man.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "line/become.h"
#include "line/help.h"

/* How roff wants a character that would mean something to it, or be printed as a nicer one that a
 * shell does not know; NULL: as it is. */
static const char *
escape_of(char character)
{
    switch (character) {
    case '\\':
        return "\\e";
    case '-':
        return "\\-";
    case '\'':
        return "\\(aq";
    case '^':
        return "\\(ha";
    case '~':
        return "\\(ti";
    case '`':
        return "\\(ga";
    default:
        return NULL;
    }
}

/* Prints text, whose paragraphs an empty line separates. With `markup` "_" begins and ends a word
 * that is set off. */
static void
print_text(cli_output *output, const char *text, int markup)
{
    int is_set_off = 0;

    for (; *text != '\0'; text++) {
        const char *escape = escape_of(*text);

        if (strncmp(text, "\n\n", 2) == 0) {
            cli_output_text(output, "\n.PP\n");
            text++;
        } else if (*text == '_' && markup) {
            is_set_off = !is_set_off;
            cli_output_text(output, is_set_off ? "\\fI" : "\\fR");
        } else if (escape != NULL) {
            cli_output_text(output, "%s", escape);
        } else {
            cli_output_text(output, "%c", *text);
        }
    }
}

static void
print_default(cli_output *output, const char *text)
{
    if (text == NULL)
        return;
    cli_output_text(output, " (default: ");
    print_text(output, text, 0);
    cli_output_text(output, ")");
}

static void
print_option(cli_output *output, const cli_option *option)
{
    cli_output_text(output, ".TP\n");
    if (option->letter != 0)
        cli_output_text(output, "\\fB\\-%c\\fR, ", option->letter);
    cli_output_text(output, "\\fB\\-\\-");
    print_text(output, option->name, 0);
    cli_output_text(output, "\\fR");
    if (option->argument != NULL) {
        cli_output_text(output, " \\fI");
        print_text(output, option->argument, 0);
        cli_output_text(output, "\\fR");
    }
    cli_output_text(output, "\n");
    print_text(output, option->description, 0);
    if (option->required)
        cli_output_text(output, " (required)");
    print_default(output, option->default_text);
    cli_output_text(output, "\n");
}

static void
print_options(cli_output *output, const cli_option *options)
{
    for (; options != NULL && options->name != NULL; options++)
        print_option(output, options);
}

static void
print_examples(cli_output *output, const cli_node *node)
{
    if (node->examples == NULL)
        return;
    for (const cli_example *example = node->examples; example->command != NULL; example++) {
        cli_output_text(output, ".PP\n");
        print_text(output, example->purpose, 0);
        cli_output_text(output, ":\n.PP\n.RS 4\n.EX\n");
        print_text(output, example->command, 0);
        cli_output_text(output, "\n.EE\n.RE\n");
    }
}

static void
print_columns(cli_output *output, const cli_column *columns)
{
    if (columns == NULL)
        return;
    cli_output_text(output, ".PP\nColumns, those in brackets only with \\fB\\-\\-wide\\fR, in JSON "
                            "or of a single item:\n");
    for (; columns->name != NULL; columns++) {
        int is_detail = (columns->flags & CLI_COLUMN_DETAIL) != 0;

        cli_output_text(output, ".TP\n%s%s%s\n", is_detail ? "[" : "", columns->name,
                        is_detail ? "]" : "");
        print_text(output, columns->meaning, 0);
        cli_output_text(output, "\n");
    }
}

static void
print_command(cli_output *output, const cli_node *const *path, int depth)
{
    const cli_node *node = path[depth - 1];
    char usage[160];

    cli_help_usage(path, depth, usage, sizeof(usage));
    cli_output_text(output, ".SS ");
    print_text(output, usage + strlen("pgqrs "), 0);
    cli_output_text(output, "\n%c", node->summary[0] - ('a' - 'A'));
    print_text(output, node->summary + 1, 0);
    cli_output_text(output, ".\n");
    if (node->details != NULL) {
        cli_output_text(output, ".PP\n");
        print_text(output, node->details, 0);
        cli_output_text(output, "\n");
    }
    print_options(output, node->options);
    print_columns(output, node->columns);
    print_examples(output, node);
}

static void
print_commands(cli_output *output)
{
    for (const cli_node *node = cli_root.children; node->name != NULL; node++) {
        const cli_node *path[CLI_MAX_DEPTH] = { &cli_root, node };

        if (node->children == NULL)
            print_command(output, path, 2);
        for (const cli_node *child = node->children; child != NULL && child->name != NULL;
             child++) {
            path[2] = child;
            print_command(output, path, 3);
        }
    }
}

static void
print_settings(cli_output *output)
{
    const pgqrs_setting *setting;

    cli_output_text(
        output,
        ".SH CONFIGURATION\n"
        "A setting is taken from the command line, else from the file that \\fB\\-\\-config\\fR "
        "names, else from its variable in\nthe environment, else from the file that "
        "\\fBPGQRS_CONFIG_FILE\\fR names or that lies in this folder, else it has its\n"
        "default. The file is YAML, one line for a setting: \\fBname: value\\fR.\n");
    for (size_t i = 0; (setting = pgqrs_config_setting(i)) != NULL; i++) {
        cli_output_text(output, ".TP\n\\fB%s\\fR, \\fB%s\\fR\n", setting->name,
                        setting->environment);
        print_text(output, setting->description, 0);
        print_default(output, setting->default_value);
        cli_output_text(output, "\n");
    }
}

static const char environment[] =
    ".SH ENVIRONMENT\n"
    ".TP\n\\fBPGQRS_CONFIG_FILE\\fR\n"
    "The configuration file, if \\fB\\-\\-config\\fR names none. It is weaker than the variables "
    "above.\n"
    ".TP\n\\fBPGHOST\\fR, \\fBPGPORT\\fR, \\fBPGDATABASE\\fR, \\fBPGUSER\\fR, \\fBPGSERVICE\\fR "
    "and the "
    "others of "
    "libpq\n"
    "Complete the connection string; without any DSN they are enough. Passwords are best kept in "
    "\\fI~/.pgpass\\fR.\n"
    ".TP\n\\fBDATABASE_URL\\fR\n"
    "A URI of PostgreSQL, used when neither a DSN nor \\fBPGHOST\\fR, \\fBPGHOSTADDR\\fR, "
    "\\fBPGDATABASE\\fR "
    "or "
    "\\fBPGSERVICE\\fR is given.\n"
    ".TP\n\\fBNO_COLOR\\fR\n"
    "No colours on a terminal.\n";

static void
print_exit_codes(cli_output *output)
{
    const cli_exit_row *row;

    cli_output_text(output, ".SH EXIT STATUS\n");
    for (size_t i = 0; (row = cli_exit_at(i)) != NULL; i++) {
        cli_output_text(output, ".TP\n\\fB%d\\fR\n", row->code);
        print_text(output, row->meaning, 1);
        cli_output_text(output, "\n");
    }
    cli_output_text(output, ".PP\nEvery failure is reported in one line on standard error.\n");
}

static void
print_page(cli_output *output)
{
    cli_output_text(
        output,
        ".TH pgqrs 1 \"\" \"pgqrs %s\"\n.SH NAME\npgqrs \\- %s\n.SH SYNOPSIS\n\\fBpgqrs\\fR "
        "[\\fIOPTION\\fR...] \\fICOMMAND\\fR [\\fIARGUMENT\\fR...]\n",
        pgqrs_version(), cli_root.summary);
    cli_output_text(
        output,
        ".SH DESCRIPTION\n"
        "Puts messages into queues in a PostgreSQL database, takes them out under leases, and runs "
        "programs for them.\n.PP\n"
        "Results go to standard output: tables for people, or with \\fB\\-\\-format json\\fR one "
        "object "
        "for one item and one array\nfor a list, and nothing else. In JSON, times are RFC 3339 in "
        "UTC, and a lease_token is a string, since many\nreaders of JSON lose digits of a number "
        "that long.\n");
    cli_output_text(
        output, ".SH OPTIONS\nThey may stand anywhere on the line. A \\fIDURATION\\fR is written "
                "as " CLI_DURATION_FORM ".\n");
    print_options(output, cli_root.options);
    cli_output_text(output, ".SH COMMANDS\n");
    print_commands(output);
    print_settings(output);
    cli_output_text(output, "%s", environment);
    print_exit_codes(output);
    cli_output_text(output, ".SH EXAMPLES\n");
    print_examples(output, &cli_root);
}

/* Standard output becomes a file in memory, and at last standard input of man(1). */
static int
show_page(cli_context *context)
{
    static char *const program[] = { "man", "-l", "-", NULL };
    int terminal = dup(STDOUT_FILENO), page = memfd_create("pgqrs.1", 0);

    if (terminal < 0 || page < 0 || dup2(page, STDOUT_FILENO) < 0) {
        cli_log_failure(&context->log, "could not make the manual page: %s", strerror(errno));
        return CLI_EXIT_OSERR;
    }
    print_page(&context->output);
    fflush(stdout);
    lseek(page, 0, SEEK_SET);
    dup2(page, STDIN_FILENO);
    dup2(terminal, STDOUT_FILENO);
    close(page);
    close(terminal);
    return cli_become(context, program, "is man installed? \"pgqrs man > FILE\" writes the page");
}

int
cli_man(cli_context *context)
{
    if (isatty(STDOUT_FILENO))
        return show_page(context);
    print_page(&context->output);
    return CLI_EXIT_OK;
}
