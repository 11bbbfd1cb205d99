#include "line/arguments.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "line/dsn.h"
#include "line/exit.h"
#include "print/log.h"
#include "line/number.h"
#include "line/suggest.h"

/* What getopt_long returns: a long option's value, far from any letter. */
#define GLOBAL_BASE 1000
#define LOCAL_BASE 2000
#define IS_WORD 1 /* of getopt_long in order: not an option */

/* What getopt_long understands at this point of the line. */
struct grammar {
    struct option longs[2 * CLI_MAX_OPTIONS + 1];
    char letters[4 * CLI_MAX_OPTIONS + 3];
};

const cli_node *
cli_call_node(const cli_call *call)
{
    return call->path[call->depth - 1];
}

static void
add_options(struct grammar *grammar, const cli_option *options, int base)
{
    size_t count = 0, length = strlen(grammar->letters);

    while (grammar->longs[count].name != NULL)
        count++;
    for (int i = 0; options != NULL && options[i].name != NULL; i++) {
        int has_argument = options[i].kind != CLI_FLAG;

        grammar->longs[count].name = options[i].name;
        grammar->longs[count].has_arg = has_argument ? required_argument : no_argument;
        grammar->longs[count].val = base + i;
        count++;
        if (options[i].letter == 0)
            continue;
        grammar->letters[length++] = options[i].letter;
        if (has_argument)
            grammar->letters[length++] = ':';
    }
}

static void
make_grammar(struct grammar *grammar, const cli_call *call)
{
    memset(grammar, 0, sizeof(*grammar));
    memcpy(grammar->letters,
           "-:", 3); /* words in order; a missing argument is told apart from an unknown option */
    add_options(grammar, cli_root.options, GLOBAL_BASE);
    if (call->depth > 1)
        add_options(grammar, cli_call_node(call)->options, LOCAL_BASE);
}

/* The words that lead to the command, such as "pgqrs queue create", into `text`. */
static const char *
path_text(const cli_call *call, char *text, size_t size)
{
    size_t length = 0;

    text[0] = '\0';
    for (int i = 0; i < call->depth && length < size; i++)
        length += (size_t)snprintf(text + length, size - length, "%s%s", i > 0 ? " " : "",
                                   call->path[i]->name);
    return text;
}

/* A connection string in the wrong place is not shown. */
static int
refuse_secret(const char *dashes, const char *name)
{
    cli_log_failure(
        NULL,
        "refused %s%s: it looks like a connection string, which is not shown here; give that with "
        "--dsn",
        dashes, name);
    return CLI_EXIT_USAGE;
}

static int
refuse_command(const cli_call *call, const char *word)
{
    cli_suggest suggest = CLI_SUGGEST_INIT(word);
    char path[64];

    if (cli_dsn_may_hold_password(word))
        return refuse_secret("", "a command");

    for (const cli_node *child = cli_call_node(call)->children; child->name != NULL; child++)
        cli_suggest_consider(&suggest, child->name);
    path_text(call, path, sizeof(path));
    if (suggest.best != NULL)
        cli_log_failure(NULL, "there is no command \"%s %s\": did you mean \"%s %s\"?", path, word,
                        path, suggest.best);
    else
        cli_log_failure(NULL, "there is no command \"%s %s\": see %s --help", path, word, path);
    return CLI_EXIT_USAGE;
}

static int
take_word(cli_call *call, char *word)
{
    const cli_node *child;

    if (cli_call_node(call)->children == NULL) {
        call->words[call->word_count++] = word;
        return 0;
    }
    child = cli_node_child(cli_call_node(call), word);
    if (child == NULL)
        return refuse_command(call, word);
    call->path[call->depth++] = child;
    return 0;
}

static void
consider_options(cli_suggest *suggest, const cli_option *options)
{
    for (; options != NULL && options->name != NULL; options++)
        cli_suggest_consider(suggest, options->name);
}

static int
refuse_long_option(const cli_call *call, const char *text)
{
    char name[40], path[64];
    cli_suggest suggest = CLI_SUGGEST_INIT(name);

    snprintf(name, sizeof(name), "%.*s", (int)strcspn(text + 2, "="), text + 2);
    if (strstr(name, "://") != NULL)
        return refuse_secret("", "an option");
    path_text(call, path, sizeof(path));
    if (optopt >= GLOBAL_BASE) {
        cli_log_failure(NULL, "the option --%s takes no value: see %s --help", name, path);
        return CLI_EXIT_USAGE;
    }
    consider_options(&suggest, cli_root.options);
    if (call->depth > 1)
        consider_options(&suggest, cli_call_node(call)->options);
    if (suggest.best != NULL)
        cli_log_failure(NULL, "\"%s\" has no option --%s: did you mean --%s?", path, name,
                        suggest.best);
    else
        cli_log_failure(NULL, "\"%s\" has no option --%s: see %s --help", path, name, path);
    return CLI_EXIT_USAGE;
}

static int
refuse_option(const cli_call *call, char *const *argv)
{
    const char *text = argv[optind - 1];
    char path[64];

    if (strncmp(text, "--", 2) == 0)
        return refuse_long_option(call, text);
    path_text(call, path, sizeof(path));
    cli_log_failure(
        NULL,
        "\"%s\" has no option -%c: see %s --help, and put -- before an argument that begins with -",
        path, optopt >= ' ' && optopt <= '~' ? optopt : '?', path);
    return CLI_EXIT_USAGE;
}

/* The option that getopt names by `code`: a place in one of the lists, or a letter. *given: where
 * its value goes. */
static const cli_option *
find_option(cli_call *call, int code, cli_given **given)
{
    const cli_option *global = cli_root.options, *local = cli_call_node(call)->options;

    for (int i = 0; global[i].name != NULL; i++) {
        *given = &call->global[i];
        if (code == GLOBAL_BASE + i || code == global[i].letter)
            return &global[i];
    }
    for (int i = 0; local != NULL && local[i].name != NULL; i++) {
        *given = &call->local[i];
        if (code == LOCAL_BASE + i || code == local[i].letter)
            return &local[i];
    }
    return NULL;
}

static void
take_option(cli_call *call, int code, char *argument)
{
    static char flag[1]; /* "", but not constant */
    cli_given *given;

    if (find_option(call, code, &given) != NULL)
        given->text = argument != NULL ? argument : flag;
}

static int
refuse_without_value(cli_call *call, const char *text)
{
    cli_given *given;
    const cli_option *option = find_option(call, optopt, &given);

    if (option != NULL && option->kind == CLI_CHOICE)
        cli_log_failure(NULL, "the option %s needs a value: give one of %s", text,
                        option->argument);
    else
        cli_log_failure(NULL, "the option %s needs a value", text);
    return CLI_EXIT_USAGE;
}

static int
take_apart(cli_call *call, int argc, char **argv)
{
    struct grammar grammar;
    int code, failed = 0;

    optind = 0;
    opterr = 0;
    for (;;) {
        make_grammar(&grammar, call);
        code = getopt_long(argc, argv, grammar.letters, grammar.longs, NULL);
        if (code < 0)
            break;
        if (code == IS_WORD)
            failed = take_word(call, optarg);
        else if (code == '?')
            failed = refuse_option(call, argv);
        else if (code == ':')
            failed = refuse_without_value(call, argv[optind - 1]);
        else
            take_option(call, code, optarg);
        if (failed)
            return failed;
    }
    if (strcmp(argv[optind - 1], "--") == 0)
        call->behind = call->word_count;
    for (; optind < argc && !failed; optind++)
        failed = take_word(call, argv[optind]);
    return failed;
}

/* 1 if `text` is one of the words of `choices`. */
static int
is_choice(const char *choices, const char *text)
{
    size_t length = strlen(text);

    while (length > 0 && *choices != '\0') {
        size_t word = strcspn(choices, "|");

        if (word == length && memcmp(choices, text, length) == 0)
            return 1;
        choices += word + (choices[word] == '|');
    }
    return 0;
}

static int
refuse_value(const char *dashes, const char *name, const char *text, const char *want)
{
    if (cli_dsn_may_hold_password(text))
        return refuse_secret(dashes, name);
    cli_log_failure(NULL, "refused %s%s = \"%.60s\": give %s", dashes, name, text, want);
    return CLI_EXIT_USAGE;
}

static int
refuse_choice(const char *dashes, const char *name, const char *text, const char *choices)
{
    char want[80];

    snprintf(want, sizeof(want), "one of %s", choices);
    return refuse_value(dashes, name, text, want);
}

static void
describe_range(cli_kind kind, int64_t min, int64_t max, char *text, size_t size)
{
    char from[CLI_DURATION_SIZE], to[CLI_DURATION_SIZE];

    if (kind == CLI_NUMBER) {
        snprintf(text, size, "a whole number from %lld to %lld", (long long)min, (long long)max);
        return;
    }
    cli_duration_format(min, from);
    cli_duration_format(max, to);
    snprintf(text, size, "a duration from %s to %s, such as " CLI_DURATION_FORM, from, to);
}

static int
check_number(const char *dashes, const char *name, cli_kind kind, int64_t min, int64_t max,
             const char *text, int64_t *out)
{
    char want[160];
    int bad = kind == CLI_NUMBER ? cli_number_parse(text, min, max, out)
                                 : cli_duration_parse(text, min, max, out);

    if (!bad)
        return 0;
    describe_range(kind, min, max, want, sizeof(want));
    return refuse_value(dashes, name, text, want);
}

/* Whether messages quote the option's value when it is wrong: names and files, not what is data. */
static int
is_shown(const cli_option *option)
{
    static const char *const shown[] = {
        "schema", "config", "out", "log-dest", "file", "key-field"
    };

    for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
        if (strcmp(option->name, shown[i]) == 0)
            return 1;
    return 0;
}

static int
check_options(const cli_option *options, cli_given *given)
{
    for (int i = 0, failed; options != NULL && options[i].name != NULL; i++) {
        const cli_option *option = &options[i];

        if (given[i].text == NULL) {
            if (!option->required)
                continue;
            cli_log_failure(NULL, "the option --%s %s is missing: %s", option->name,
                            option->argument, option->description);
            return CLI_EXIT_USAGE;
        }
        if (is_shown(option) && cli_dsn_may_hold_password(given[i].text))
            return refuse_secret("--", option->name);
        if (option->kind == CLI_CHOICE && !is_choice(option->argument, given[i].text))
            return refuse_choice("--", option->name, given[i].text, option->argument);
        if (option->kind != CLI_NUMBER && option->kind != CLI_DURATION)
            continue;
        failed = check_number("--", option->name, option->kind, option->min, option->max,
                              given[i].text, &given[i].number);
        if (failed)
            return failed;
    }
    return 0;
}

static int
refuse_missing(const cli_call *call, const cli_argument *argument)
{
    char path[64];

    path_text(call, path, sizeof(path));
    cli_log_failure(NULL, "\"%s\" needs %s: %s", path, argument->name, argument->description);
    return CLI_EXIT_USAGE;
}

static int
check_word(const cli_argument *argument, const char *text, int64_t *out_number)
{
    if (argument->kind == CLI_CHOICE && !is_choice(argument->choices, text))
        return refuse_choice("", argument->name, text, argument->choices);
    if (argument->kind == CLI_NUMBER)
        return check_number("", argument->name, CLI_NUMBER, argument->min, argument->max, text,
                            out_number);
    return 0;
}

static int
check_rest(const cli_call *call, int first)
{
    for (int i = first; i < call->word_count; i++)
        if (cli_dsn_may_hold_password(call->words[i]))
            return refuse_secret("", "an argument");
    return 0;
}

/* At least one word, up to "--". Returns 0 or an exit code, and moves *i after them. */
static int
check_many(const cli_call *call, const cli_argument *argument, int *i)
{
    int end = call->behind >= 0 ? call->behind : call->word_count;

    if (*i == end)
        return refuse_missing(call, argument);
    for (; *i < end; ++*i)
        if (cli_dsn_may_hold_password(call->words[*i]))
            return refuse_secret("", argument->name);
    return 0;
}

static int
check_words(cli_call *call)
{
    const cli_argument *argument = cli_call_node(call)->arguments;
    char path[64];
    int i = 0, failed;

    for (; argument != NULL && argument->name != NULL; argument++) {
        if (argument->presence == CLI_MANY) {
            failed = check_many(call, argument, &i);
            if (failed)
                return failed;
            continue;
        }
        if (argument->presence == CLI_REST)
            return check_rest(call, i);
        if (argument->presence == CLI_REST_BEHIND && (call->behind != i || i == call->word_count))
            return refuse_missing(call, argument);
        if (argument->presence == CLI_REST_BEHIND)
            return 0;
        if (i == call->word_count && argument->presence == CLI_REQUIRED)
            return refuse_missing(call, argument);
        if (i == call->word_count)
            return 0;
        if (argument->kind == CLI_TEXT && strcmp(argument->name, "PAYLOAD") != 0 &&
            cli_dsn_may_hold_password(call->words[i]))
            return refuse_secret("", argument->name);
        failed = check_word(argument, call->words[i], &call->word_numbers[i]);
        if (failed)
            return failed;
        i++;
    }
    if (i == call->word_count)
        return 0;
    if (cli_dsn_may_hold_password(call->words[i]))
        return refuse_secret("", "an argument");
    path_text(call, path, sizeof(path));
    cli_log_failure(NULL, "\"%s\" takes no argument \"%s\": see %s --help", path, call->words[i],
                    path);
    return CLI_EXIT_USAGE;
}

/* `is_empty_line`: just "pgqrs", from somebody who wants to know what there is. */
static int
check(cli_call *call, int is_empty_line)
{
    const cli_node *node = cli_call_node(call);
    char path[64];
    int failed;

    call->wants_help = cli_call_has(call, "help") || is_empty_line;
    call->is_short = is_empty_line;
    call->wants_version = cli_call_has(call, "version");
    if (call->wants_help || call->wants_version)
        return 0;
    if (node->children != NULL) {
        path_text(call, path, sizeof(path));
        cli_log_failure(NULL, "\"%s\" needs a command: see %s --help", path, path);
        return CLI_EXIT_USAGE;
    }
    failed = check_options(cli_root.options, call->global);
    if (!failed)
        failed = check_words(call);
    if (!failed)
        failed = check_options(node->options, call->local);
    return failed;
}

int
cli_call_parse(cli_call *out, int argc, char **argv)
{
    int failed;

    memset(out, 0, sizeof(*out));
    out->path[0] = &cli_root;
    out->depth = 1;
    out->behind = -1;
    out->words = calloc((size_t)argc + 1, sizeof(*out->words));
    if (out->words == NULL) {
        cli_log_failure(NULL, "%s", pgqrs_status_text(PGQRS_ENOMEM));
        return CLI_EXIT_OSERR;
    }
    failed = argc > 0 ? take_apart(out, argc, argv) : 0;
    return failed ? failed : check(out, argc == 1);
}

void
cli_call_release(cli_call *call)
{
    free(call->words);
    call->words = NULL;
}
