#include "line/completion.h"

#include <string.h>

/* The word at the cursor is a prefix of each candidate, which bash wants without what it takes for
 * a word of its own: up to the last "=" or ":". */
static const char bash_script[] =
    "# bash completion for pgqrs, printed by: pgqrs completion bash\n"
    "_pgqrs() {\n"
    "    local rest=${COMP_LINE:0:COMP_POINT} word line words=() IFS=$' \\t\\n'\n"
    "    for word in \"${COMP_WORDS[@]:0:COMP_CWORD+1}\"; do\n"
    "        if [[ $rest == [[:space:]]* || ${#words[@]} -eq 0 ]]; then\n"
    "            rest=${rest#\"${rest%%[![:space:]]*}\"}\n"
    "            words+=('')\n"
    "        fi\n"
    "        [[ $rest == \"$word\"* ]] || word=$rest\n"
    "        words[-1]+=${word//[\\\"\\'\\\\]/}\n"
    "        rest=${rest#\"$word\"}\n"
    "    done\n"
    "    word=${words[-1]%\"${words[-1]##*[=:]}\"}\n"
    "    COMPREPLY=()\n"
    "    while IFS= read -r line; do\n"
    "        [ \"$line\" != :files ] || { compopt -o default 2>/dev/null; return; }\n"
    "        line=${line%%$'\\t'*}\n"
    "        line=${line#\"$word\"}\n"
    "        [[ ${COMP_WORDS[COMP_CWORD]} == [\\\"\\']* ]] || line=$(printf %q \"$line\")\n"
    "        COMPREPLY+=(\"$line\")\n"
    "    done < <(\"${words[0]/#\\~\\//$HOME/}\" __complete \"${words[@]:1}\" 2>/dev/null)\n"
    "}\n"
    "complete -F _pgqrs pgqrs\n";

static const char zsh_script[] = "#compdef pgqrs\n"
                                 "# zsh completion for pgqrs, printed by: pgqrs completion zsh\n"
                                 "_pgqrs() {\n"
                                 "    local line\n"
                                 "    local -a names texts\n"
                                 "    for line in \"${(@f)$(${~words[1]} __complete "
                                 "\"${(@Q)words[2,CURRENT]}\" 2>/dev/null)}\"; do\n"
                                 "        [[ $line != :files ]] || { _files; return }\n"
                                 "        [[ -n $line ]] || continue\n"
                                 "        names+=(\"${line%%$'\\t'*}\")\n"
                                 "        texts+=(\"${line//$'\\t'/  -- }\")\n"
                                 "    done\n"
                                 "    compadd -l -d texts -a names\n"
                                 "}\n"
                                 "if [ \"${funcstack[1]}\" = _pgqrs ]; then\n"
                                 "    _pgqrs \"$@\"\n"
                                 "else\n"
                                 "    compdef _pgqrs pgqrs\n"
                                 "fi\n";

static const char fish_script[] =
    "# fish completion for pgqrs, printed by: pgqrs completion fish\n"
    "function __pgqrs_complete\n"
    "    set -l words (commandline -opc)\n"
    "    set -l lines ($words[1] __complete $words[2..-1] (commandline -ct) 2>/dev/null)\n"
    "    if test \"$lines\" = :files\n"
    "        __fish_complete_path (commandline -ct)\n"
    "    else if set -q lines[1]\n"
    "        printf '%s\\n' $lines\n"
    "    end\n"
    "end\n"
    "complete -c pgqrs -f -a '(__pgqrs_complete)'\n";

int
cli_print_completion(cli_context *context)
{
    pgqrs_slice shell = cli_call_argument(context->call, "SHELL");

    if (strcmp(shell.data, "bash") == 0)
        cli_output_text(&context->output, "%s", bash_script);
    else if (strcmp(shell.data, "zsh") == 0)
        cli_output_text(&context->output, "%s", zsh_script);
    else
        cli_output_text(&context->output, "%s", fish_script);
    return CLI_EXIT_OK;
}

void
cli_completion_offer(const cli_completion *completion, pgqrs_slice name, const char *meaning)
{
    size_t typed = strlen(completion->typed);

    if (name.size < typed || memcmp(name.data, completion->typed, typed) != 0)
        return;
    cli_output_text(completion->output, "%.*s%.*s%s%s\n", (int)completion->before_size,
                    completion->before, (int)name.size, name.data, meaning != NULL ? "\t" : "",
                    meaning != NULL ? meaning : "");
}

/* The words of "json|table". */
static void
offer_choices(const cli_completion *completion, const char *choices)
{
    while (*choices != '\0') {
        size_t length = strcspn(choices, "|");

        cli_completion_offer(completion, (pgqrs_slice){ choices, length }, NULL);
        choices += length + (choices[length] == '|');
    }
}

static void
offer_commands(const cli_completion *completion, const cli_node *node)
{
    for (const cli_node *child = node->children; child != NULL && child->name != NULL; child++)
        cli_completion_offer(completion, pgqrs_slice_of(child->name), child->summary);
}

static void
offer_options(const cli_completion *word, const cli_option *options)
{
    cli_completion name = *word;

    name.before = "--";
    name.before_size = 2;
    name.typed =
        word->typed + (word->typed[0] == '-') + (word->typed[0] == '-' && word->typed[1] == '-');
    for (; options != NULL && options->name != NULL; options++)
        cli_completion_offer(&name, pgqrs_slice_of(options->name), options->description);
}

static int
ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);

    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

static void
offer_value(cli_completion *completion, const cli_option *option)
{
    if (option->kind == CLI_CHOICE)
        offer_choices(completion, option->argument);
    else if (option->kind == CLI_TEXT && strcmp(option->argument, "DSN") == 0)
        completion->kind = CLI_COMPLETES_DSN;
    else if (option->kind == CLI_TEXT && ends_with(option->argument, "FILE"))
        cli_output_text(completion->output, ":files\n");
}

static void
offer_argument(cli_completion *completion, const cli_call *call)
{
    const cli_argument *argument = cli_call_node(call)->arguments;
    int place = call->word_count;

    for (; argument != NULL && argument->name != NULL && place > 0; place--)
        if (argument->presence != CLI_REST && argument->presence != CLI_MANY)
            argument++;
    if (argument != NULL && argument->presence == CLI_MANY && call->behind >= 0)
        argument++;
    if (argument == NULL || argument->name == NULL)
        return;
    if (argument->presence == CLI_REST_BEHIND) {
        cli_output_text(completion->output, call->behind >= 0 ? ":files\n" : "--\n");
        return;
    }
    if (argument->kind == CLI_CHOICE)
        offer_choices(completion, argument->choices);
    completion->kind = argument->completes;
}

/* The option of a list that `name`, `length` bytes, means: a beginning is enough. NULL if there is
 * none. */
static const cli_option *
find_long(const cli_option *options, const char *name, size_t length, int *out_index)
{
    const cli_option *found = NULL;

    for (int i = 0; length > 0 && options != NULL && options[i].name != NULL; i++)
        if (strncmp(options[i].name, name, length) == 0 &&
            (found == NULL || strlen(options[i].name) == length)) {
            found = &options[i];
            *out_index = i;
        }
    return found;
}

static const cli_option *
find_letter(const cli_option *options, char letter, int *out_index)
{
    for (*out_index = 0; options != NULL && options[*out_index].name != NULL; ++*out_index)
        if (options[*out_index].letter == letter)
            return &options[*out_index];
    return NULL;
}

/* The option of `word` that takes a value, *out_value, which is NULL if it is the next word; else
 * NULL. *out_given: where the value of an option of the root belongs, or NULL. */
static const cli_option *
find_valued(cli_call *call, char *word, char **out_value, cli_given **out_given)
{
    const cli_option *local = cli_call_node(call)->options, *option = NULL;
    size_t length = strcspn(word, "=");
    int index = 0, is_global = 1;

    *out_value = NULL;
    if (word[1] == '-') {
        option = find_long(cli_root.options, word + 2, length - 2, &index);
        is_global = option != NULL;
        if (option == NULL)
            option = find_long(local, word + 2, length - 2, &index);
        *out_value = word[length] == '=' ? word + length + 1 : NULL;
    }
    for (char *letter = word + 1; word[1] != '-' && *letter != '\0'; letter++) {
        option = find_letter(cli_root.options, *letter, &index);
        is_global = option != NULL;
        if (option == NULL)
            option = find_letter(local, *letter, &index);
        *out_value = letter[1] != '\0' ? letter + 1 : NULL;
        if (option == NULL || option->kind != CLI_FLAG)
            break;
    }
    *out_given = option != NULL && is_global ? &call->global[index] : NULL;
    return option != NULL && option->kind != CLI_FLAG ? option : NULL;
}

/* Takes one word before the cursor. Returns the option whose value the next word is, or NULL;
 * *out_given as above. */
static const cli_option *
take_word(cli_call *call, char *word, cli_given **out_given)
{
    const cli_option *option;
    const cli_node *child;
    char *value;

    if (call->behind >= 0 || word[0] != '-' || word[1] == '\0') {
        child = cli_node_child(cli_call_node(call), word);
        if (child == NULL)
            call->word_count++;
        else if (child->arguments != NULL && child->arguments->completes == CLI_COMPLETES_COMMANDS)
            call->wants_help = 1; /* of the command whose words follow */
        else
            call->path[call->depth++] = child;
        return NULL;
    }
    if (strcmp(word, "--") == 0) {
        call->behind = call->word_count;
        return NULL;
    }
    option = find_valued(call, word, &value, out_given);
    if (option == NULL || value == NULL)
        return option;
    if (*out_given != NULL)
        (*out_given)->text = value;
    return NULL;
}

/* A word that begins with "-": an option, or the value after its "=". */
static void
offer_dashes(cli_completion *completion, cli_call *call, char *word)
{
    cli_given *given;
    char *value = NULL;
    const cli_option *option =
        strchr(word, '=') != NULL ? find_valued(call, word, &value, &given) : NULL;

    if (option == NULL || value == NULL) {
        offer_options(completion, call->depth > 1 ? cli_call_node(call)->options : NULL);
        offer_options(completion, cli_root.options);
        return;
    }
    completion->before = word;
    completion->before_size = (size_t)(value - word);
    completion->typed = value;
    offer_value(completion, option);
}

void
cli_completion_find(cli_completion *out, cli_output *output, cli_call *call, char **words,
                    int count)
{
    static char nothing[1];
    const cli_option *pending = NULL;
    cli_given *given = NULL;
    char *word = count > 0 ? words[count - 1] : nothing;

    *call = (cli_call){ .path = { &cli_root }, .depth = 1, .behind = -1 };
    *out = (cli_completion){ .output = output, .before = "", .typed = word };
    for (int i = 0; i + 1 < count; i++) {
        if (pending == NULL) {
            pending = take_word(call, words[i], &given);
            continue;
        }
        if (given != NULL)
            given->text = words[i];
        pending = NULL;
    }
    if (pending != NULL)
        offer_value(out, pending);
    else if (call->behind < 0 && word[0] == '-')
        offer_dashes(out, call, word);
    else if (cli_call_node(call)->children != NULL && call->word_count == 0)
        offer_commands(out, cli_call_node(call));
    else if (!call->wants_help)
        offer_argument(out, call);
}
