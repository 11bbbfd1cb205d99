#include "line/man.h"

#include <stdio.h>
#include <string.h>

#include "line/help.h"

/* Prints text that may hold characters which mean something to scdoc. */
static void
print_escaped(cli_output *output, const char *text)
{
    for (; *text != '\0'; text++)
        cli_output_text(output, strchr("\\*_[]#<>|~`-+", *text) != NULL ? "\\%c" : "%c", *text);
}

static void
print_option(cli_output *output, const cli_option *option)
{
    if (option->letter != 0)
        cli_output_text(output, "*-%c*, ", option->letter);
    cli_output_text(output, "*--");
    print_escaped(output, option->name);
    cli_output_text(output, "*");
    if (option->argument != NULL) {
        cli_output_text(output, " _");
        print_escaped(output, option->argument);
        cli_output_text(output, "_");
    }
    cli_output_text(output, "\n\t");
    print_escaped(output, option->description);
    if (option->required)
        cli_output_text(output, " (required)");
    if (option->default_text != NULL) {
        cli_output_text(output, " (default: ");
        print_escaped(output, option->default_text);
        cli_output_text(output, ")");
    }
    cli_output_text(output, "\n\n");
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
        print_escaped(output, example->purpose);
        cli_output_text(output, ":\n\n```\n%s\n```\n\n", example->command);
    }
}

static void
print_command(cli_output *output, const cli_node *const *path, int depth)
{
    const cli_node *node = path[depth - 1];
    char usage[160];

    cli_help_usage(path, depth, usage, sizeof(usage));
    /* Headings are the one place where scdoc takes the text as it is. */
    cli_output_text(output, "## %s\n\n%c", usage + strlen("pgqrs "), node->summary[0] - ('a' - 'A'));
    print_escaped(output, node->summary + 1);
    cli_output_text(output, ".\n\n");
    if (node->details != NULL) {
        print_escaped(output, node->details);
        cli_output_text(output, "\n\n");
    }
    print_options(output, node->options);
    print_examples(output, node);
}

static void
print_commands(cli_output *output)
{
    for (const cli_node *node = cli_root.children; node->name != NULL; node++) {
        const cli_node *path[CLI_MAX_DEPTH] = { &cli_root, node };

        if (node->children == NULL)
            print_command(output, path, 2);
        for (const cli_node *child = node->children; child != NULL && child->name != NULL; child++) {
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
        output, "# CONFIGURATION\n\n"
                "A setting is taken from the command line, else from the file that *\\-\\-config* names, "
                "else from its variable in\nthe environment, else from the file that *PGQRS\\_CONFIG\\_FILE* "
                "names or that lies in this folder, else it has its\ndefault. The file is YAML, one line "
                "for a setting: *name: value*.\n\n");
    for (size_t i = 0; (setting = pgqrs_config_setting(i)) != NULL; i++) {
        cli_output_text(output, "*");
        print_escaped(output, setting->name);
        cli_output_text(output, "*, ");
        print_escaped(output, setting->environment);
        cli_output_text(output, "\n\t");
        print_escaped(output, setting->description);
        if (setting->default_value != NULL) {
            cli_output_text(output, " (default: ");
            print_escaped(output, setting->default_value);
            cli_output_text(output, ")");
        }
        cli_output_text(output, "\n\n");
    }
    cli_output_text(
        output,
        "# ENVIRONMENT\n\n"
        "*PGQRS\\_CONFIG\\_FILE*\n\tThe configuration file, if *\\-\\-config* names none. It is weaker than "
        "the variables above.\n\n"
        "*PGHOST*, *PGPORT*, *PGDATABASE*, *PGUSER*, *PGSERVICE* and the others of libpq\n\tComplete the "
        "connection string; without any DSN they are enough. Passwords are best kept in _~/.pgpass_.\n\n"
        "*DATABASE\\_URL*\n\tA URI of PostgreSQL, used when neither a DSN nor *PGHOST*, *PGHOSTADDR*, "
        "*PGDATABASE* or *PGSERVICE* is given.\n\n"
        "*NO\\_COLOR*\n\tNo colours on a terminal.\n\n");
}

static void
print_exit_codes(cli_output *output)
{
    const cli_exit_row *row;

    cli_output_text(output, "# EXIT STATUS\n\n");
    for (size_t i = 0; (row = cli_exit_at(i)) != NULL; i++)
        cli_output_text(output, "*%d*\n\t%s\n\n", row->code, row->meaning);
    cli_output_text(output, "Every failure is reported in one line on standard error.\n\n");
}

int
cli_man(cli_context *context)
{
    cli_output *output = &context->output;

    cli_output_text(output,
                    "pgqrs(1) \"pgqrs %s\"\n\n# NAME\n\npgqrs - %s\n\n# SYNOPSIS\n\n*pgqrs* [_OPTION_...] "
                    "_COMMAND_ [_ARGUMENT_...]\n\n",
                    pgqrs_version(), cli_root.summary);
    cli_output_text(
        output, "# DESCRIPTION\n\n"
                "Puts messages into queues in a PostgreSQL database, takes them out under leases, and runs "
                "programs for them.\n\n"
                "Results go to standard output: tables for people, or with *\\-\\-format json* one object "
                "for one item and one array\nfor a list, and nothing else. In JSON, times are RFC 3339 in "
                "UTC, and a lease\\_token is a string, since many\nreaders of JSON lose digits of a number "
                "that long.\n\n");
    cli_output_text(
        output,
        "# OPTIONS\n\nThey may stand anywhere on the line. A _DURATION_ is written as " CLI_DURATION_FORM
        ".\n\n");
    print_options(output, cli_root.options);
    cli_output_text(output, "# COMMANDS\n\n");
    print_commands(output);
    print_settings(output);
    print_exit_codes(output);
    cli_output_text(output, "# EXAMPLES\n\n");
    print_examples(output, &cli_root);
    return CLI_EXIT_OK;
}
