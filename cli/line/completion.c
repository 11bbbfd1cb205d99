#include "line/completion.h"

#include <stdio.h>
#include <string.h>

#define PATH_SIZE 64

typedef void visitor(cli_output *output, const cli_node *node, const char *path);

/* Calls `visit` for every node; `path` is " queue create", "" for the root. */
static void
visit_all(cli_output *output, visitor *visit, const cli_node *node, const char *path)
{
    char below[PATH_SIZE];

    visit(output, node, path);
    for (const cli_node *child = node->children; child != NULL && child->name != NULL; child++) {
        if (snprintf(below, sizeof(below), "%s %s", path, child->name) < (int)sizeof(below))
            visit_all(output, visit, child, below);
    }
}

/* Prints text between single quotes. */
static void
print_quoted(cli_output *output, const char *text, const char *quote)
{
    cli_output_text(output, "'");
    for (; *text != '\0'; text++)
        cli_output_text(output, *text == '\'' ? "%s" : "%.1s", *text == '\'' ? quote : text);
    cli_output_text(output, "'");
}

/* Prints the words of "json|table" with spaces between them. */
static void
print_choices(cli_output *output, const char *choices)
{
    for (; *choices != '\0'; choices++)
        cli_output_text(output, "%c", *choices == '|' ? ' ' : *choices);
}

static int
takes_file(const cli_option *option)
{
    size_t length = option->argument != NULL ? strlen(option->argument) : 0;

    return option->kind == CLI_TEXT && length >= 4 && strcmp(option->argument + length - 4, "FILE") == 0;
}

/* Paths as alternatives of a case, each in double quotes. */
static void
print_path_alternative(cli_output *output, const cli_node *node, const char *path)
{
    if (*path != '\0')
        cli_output_text(output, "%s\"%s\"", node == cli_root.children ? "" : "|", path);
}

/* 1 if an option of this name that takes a value comes before `last` in the tree below `node`; 0 if `last`
 * comes first; -1 if neither is there. Each name is to be listed once. */
static int
is_listed_before(const cli_node *node, const cli_option *last)
{
    for (const cli_option *option = node->options; option != NULL && option->name != NULL; option++) {
        if (option == last)
            return 0;
        if (option->kind != CLI_FLAG && strcmp(option->name, last->name) == 0)
            return 1;
    }
    for (const cli_node *child = node->children; child != NULL && child->name != NULL; child++) {
        int listed = is_listed_before(child, last);

        if (listed >= 0)
            return listed;
    }
    return -1;
}

/* 1 if `option` is to be listed among those that take a value. */
static int
takes_value(const cli_option *option)
{
    return option->kind != CLI_FLAG && is_listed_before(&cli_root, option) == 0;
}

/* Options that take a value as alternatives of a case. */
static void
print_value_alternatives(cli_output *output, const cli_node *node, const char *path)
{
    for (const cli_option *option = node->options; option != NULL && option->name != NULL; option++) {
        if (!takes_value(option))
            continue;
        cli_output_text(output, "%s--%s", *path == '\0' && option == node->options ? "" : "|", option->name);
        if (option->letter != 0)
            cli_output_text(output, "|-%c", option->letter);
    }
}

/* The loop over the words before the cursor, the same for bash and zsh. */
static void
print_walk(cli_output *output, const char *words)
{
    cli_output_text(output,
                    "    for word in %s; do\n"
                    "        if [ -n \"$skip\" ]; then skip=; continue; fi\n"
                    "        case \"$word\" in\n"
                    "            --) return ;;\n"
                    "            ",
                    words);
    visit_all(output, print_value_alternatives, &cli_root, "");
    cli_output_text(output, ") skip=1 ;;\n"
                            "            -*) ;;\n"
                            "            *) case \"$at $word\" in\n"
                            "                ");
    visit_all(output, print_path_alternative, &cli_root, "");
    cli_output_text(output, ") at=\"$at $word\" ;;\n"
                            "            esac ;;\n"
                            "        esac\n"
                            "    done\n");
}

/* What may follow an option; one of the root may stand at any path. */
static void
print_bash_values(cli_output *output, const cli_node *node, const char *path)
{
    for (const cli_option *option = node->options; option != NULL && option->name != NULL; option++) {
        if (option->kind != CLI_CHOICE && !takes_file(option))
            continue;
        cli_output_text(output, "            %s\"%s --%s\") ", *path == '\0' ? "*" : "", path, option->name);
        if (option->kind == CLI_CHOICE) {
            cli_output_text(output, "words=\"");
            print_choices(output, option->argument);
            cli_output_text(output, "\" ;;\n");
        } else {
            cli_output_text(output, "compopt -o default 2>/dev/null; return ;;\n");
        }
    }
}

static void
print_bash_words(cli_output *output, const cli_node *node, const char *path)
{
    const char *gap = "";

    cli_output_text(output, "            \"%s\") words=\"", path);
    for (const cli_node *child = node->children; child != NULL && child->name != NULL; child++, gap = " ")
        cli_output_text(output, "%s%s", gap, child->name);
    for (const cli_argument *argument = node->arguments; argument != NULL && argument->name != NULL;
         argument++) {
        if (argument->kind != CLI_CHOICE)
            continue;
        cli_output_text(output, "%s", gap);
        print_choices(output, argument->choices);
        gap = " ";
    }
    for (const cli_option *option = node->options;
         node != &cli_root && option != NULL && option->name != NULL; option++, gap = " ")
        cli_output_text(output, "%s--%s", gap, option->name);
    cli_output_text(output, "\" ;;\n");
}

static void
print_bash(cli_output *output)
{
    cli_output_text(output, "# bash completion for pgqrs, made by: pgqrs completion bash\n"
                            "_pgqrs() {\n"
                            "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
                            "    local at='' skip='' words='' word\n"
                            "    COMPREPLY=()\n");
    print_walk(output, "\"${COMP_WORDS[@]:1:COMP_CWORD-1}\"");
    cli_output_text(output, "    if [ -n \"$skip\" ]; then\n"
                            "        case \"$prev\" in -c) prev=--config ;; esac\n"
                            "        case \"$at $prev\" in\n");
    visit_all(output, print_bash_values, &cli_root, "");
    cli_output_text(output, "        esac\n"
                            "    else\n"
                            "        case \"$at\" in\n");
    visit_all(output, print_bash_words, &cli_root, "");
    cli_output_text(output, "        esac\n"
                            "        words=\"$words");
    for (const cli_option *option = cli_root.options; option->name != NULL; option++)
        cli_output_text(output, " --%s", option->name);
    cli_output_text(output, "\"\n"
                            "    fi\n"
                            "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
                            "}\n"
                            "complete -F _pgqrs pgqrs\n");
}

static void
print_zsh_candidate(cli_output *output, const char *prefix, const char *name, const char *description)
{
    char text[400];

    snprintf(text, sizeof(text), "%s%s:%s", prefix, name, description);
    cli_output_text(output, " ");
    print_quoted(output, text, "'\\''");
}

static void
print_zsh_candidates(cli_output *output, const cli_node *node, const char *path)
{
    cli_output_text(output, "        \"%s\") candidates=(", path);
    for (const cli_node *child = node->children; child != NULL && child->name != NULL; child++)
        print_zsh_candidate(output, "", child->name, child->summary);
    for (const cli_argument *argument = node->arguments; argument != NULL && argument->name != NULL;
         argument++) {
        if (argument->kind != CLI_CHOICE)
            continue;
        cli_output_text(output, " ");
        print_choices(output, argument->choices);
    }
    cli_output_text(output, " ) flags=(");
    for (const cli_option *option = node->options;
         node != &cli_root && option != NULL && option->name != NULL; option++)
        print_zsh_candidate(output, "--", option->name, option->description);
    cli_output_text(output, " ) ;;\n");
}

static void
print_zsh_values(cli_output *output, const cli_node *node, const char *path)
{
    for (const cli_option *option = node->options; option != NULL && option->name != NULL; option++) {
        const char *anywhere = *path == '\0' ? "*" : "";

        if (option->kind != CLI_CHOICE && !takes_file(option))
            continue;
        cli_output_text(output, "            %s\"%s --%s\") ", anywhere, path, option->name);
        if (option->kind == CLI_CHOICE) {
            cli_output_text(output, "compadd -- ");
            print_choices(output, option->argument);
        } else {
            cli_output_text(output, "_files");
        }
        cli_output_text(output, " ;;\n");
    }
}

static void
print_zsh(cli_output *output)
{
    cli_output_text(output, "#compdef pgqrs\n"
                            "# zsh completion for pgqrs, made by: pgqrs completion zsh\n"
                            "_pgqrs() {\n"
                            "    local at='' skip='' word prev=${words[CURRENT-1]}\n"
                            "    local -a candidates flags\n");
    print_walk(output, "\"${(@)words[2,CURRENT-1]}\"");
    cli_output_text(output, "    if [ -n \"$skip\" ]; then\n"
                            "        case \"$prev\" in -c) prev=--config ;; esac\n"
                            "        case \"$at $prev\" in\n");
    visit_all(output, print_zsh_values, &cli_root, "");
    cli_output_text(output, "        esac\n"
                            "        return\n"
                            "    fi\n"
                            "    case \"$at\" in\n");
    visit_all(output, print_zsh_candidates, &cli_root, "");
    cli_output_text(output, "    esac\n"
                            "    flags+=(");
    for (const cli_option *option = cli_root.options; option->name != NULL; option++)
        print_zsh_candidate(output, "--", option->name, option->description);
    cli_output_text(output, " )\n"
                            "    _describe 'command' candidates\n"
                            "    _describe -o 'option' flags\n"
                            "}\n"
                            "if [ \"${funcstack[1]}\" = _pgqrs ]; then\n"
                            "    _pgqrs \"$@\"\n"
                            "else\n"
                            "    compdef _pgqrs pgqrs\n"
                            "fi\n");
}

static void
print_fish_paths(cli_output *output, const cli_node *node, const char *path)
{
    (void)node;
    if (*path != '\0')
        cli_output_text(output, " '%s'", path);
}

static void
print_fish_valued(cli_output *output, const cli_node *node, const char *path)
{
    (void)path;
    for (const cli_option *option = node->options; option != NULL && option->name != NULL; option++) {
        if (!takes_value(option))
            continue;
        cli_output_text(output, " --%s", option->name);
        if (option->letter != 0)
            cli_output_text(output, " -%c", option->letter);
    }
}

/* The beginning of a line that holds at `path` only; options of the root hold everywhere. */
static void
begin_fish(cli_output *output, const char *path, int everywhere)
{
    cli_output_text(output, "complete -c pgqrs");
    if (!everywhere)
        cli_output_text(output, " -n \"__pgqrs_at '%s'\"", path);
}

static void
print_fish_option(cli_output *output, const cli_option *option)
{
    cli_output_text(output, " -l %s", option->name);
    if (option->letter != 0)
        cli_output_text(output, " -s %c", option->letter);
    if (option->kind == CLI_CHOICE) {
        cli_output_text(output, " -x -a '");
        print_choices(output, option->argument);
        cli_output_text(output, "'");
    } else if (option->kind != CLI_FLAG) {
        cli_output_text(output, takes_file(option) ? " -r -F" : " -x");
    }
    cli_output_text(output, " -d ");
    print_quoted(output, option->description, "\\'");
    cli_output_text(output, "\n");
}

static void
print_fish_node(cli_output *output, const cli_node *node, const char *path)
{
    for (const cli_node *child = node->children; child != NULL && child->name != NULL; child++) {
        begin_fish(output, path, 0);
        cli_output_text(output, " -a %s -d ", child->name);
        print_quoted(output, child->summary, "\\'");
        cli_output_text(output, "\n");
    }
    for (const cli_argument *argument = node->arguments; argument != NULL && argument->name != NULL;
         argument++) {
        if (argument->kind != CLI_CHOICE)
            continue;
        begin_fish(output, path, 0);
        cli_output_text(output, " -a '");
        print_choices(output, argument->choices);
        cli_output_text(output, "'\n");
    }
    for (const cli_option *option = node->options; option != NULL && option->name != NULL; option++) {
        begin_fish(output, path, node == &cli_root);
        print_fish_option(output, option);
    }
}

static void
print_fish(cli_output *output)
{
    cli_output_text(output, "# fish completion for pgqrs, made by: pgqrs completion fish\n"
                            "function __pgqrs_at\n"
                            "    set -l at ''\n"
                            "    set -l skip\n"
                            "    set -l words (commandline -opc)\n"
                            "    for word in $words[2..-1]\n"
                            "        if set -q skip[1]\n"
                            "            set -e skip[1]\n"
                            "            continue\n"
                            "        end\n"
                            "        switch $word\n"
                            "            case --\n"
                            "                return 1\n"
                            "            case");
    visit_all(output, print_fish_valued, &cli_root, "");
    cli_output_text(output, "\n"
                            "                set skip 1\n"
                            "            case '-*'\n"
                            "            case '*'\n"
                            "                switch \"$at $word\"\n"
                            "                    case");
    visit_all(output, print_fish_paths, &cli_root, "");
    cli_output_text(output, "\n"
                            "                        set at \"$at $word\"\n"
                            "                end\n"
                            "        end\n"
                            "    end\n"
                            "    test \"$at\" = \"$argv[1]\"\n"
                            "end\n"
                            "complete -c pgqrs -f\n");
    visit_all(output, print_fish_node, &cli_root, "");
}

int
cli_completion(cli_context *context)
{
    pgqrs_slice shell = cli_call_argument(context->call, "SHELL");

    if (strcmp(shell.data, "bash") == 0)
        print_bash(&context->output);
    else if (strcmp(shell.data, "zsh") == 0)
        print_zsh(&context->output);
    else
        print_fish(&context->output);
    return CLI_EXIT_OK;
}
