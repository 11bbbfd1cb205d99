/* The options of bench stand twice, in the command's tree and in the benchmark's own table: they say the
 * same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../bench/options.c"
#include "../../cli/commands/tree_bench.c"

static const cli_option *
find(const char *name)
{
    for (const cli_option *option = cli_bench_options; option->name != NULL; option++)
        if (strcmp(option->name, name) == 0)
            return option;
    fprintf(stderr, "the command has no option --%s, which the benchmark has\n", name);
    exit(1);
}

static void
numbers_have_the_same_range_default_and_description(void **state)
{
    char default_text[32] = "";

    (void)state;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const cli_option *option = find(rows[i].name);

        assert_int_equal(option->kind, CLI_NUMBER);
        assert_int_equal(option->min, rows[i].min);
        assert_int_equal(option->max, rows[i].max);
        assert_string_equal(option->description, rows[i].description);
        snprintf(default_text, sizeof(default_text), "%lld", (long long)rows[i].default_value);
        if (rows[i].default_value > 0)
            assert_string_equal(option->default_text, default_text);
        else
            assert_null(option->default_text);
    }
}

static void
flags_have_the_same_description(void **state)
{
    (void)state;
    for (size_t i = 0; i < FLAG_COUNT; i++) {
        const cli_option *option = find(flags[i].name);

        assert_int_equal(option->kind, CLI_FLAG);
        assert_string_equal(option->description, flags[i].description);
    }
}

/* Parses "--NAME=VALUE" as the command hands it over. */
static int
parse(const char *name, const char *value, int value_size, bench_options *out)
{
    char program[] = "bench", word[80];
    char *words[] = { program, word, NULL };

    snprintf(word, sizeof(word), "--%s=%.*s", name, value_size, value);
    return bench_options_parse(2, words, INT64_MAX, out);
}

static void
every_word_that_the_command_lets_through_is_known_to_the_benchmark(void **state)
{
    static const struct {
        const char *option;
        const char *const *names;
    } choices[] = { { "finish", finish_names }, { "hold-transaction", hold_names } };
    bench_options options;

    (void)state;
    for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
        const cli_option *option = find(choices[i].option);
        size_t words = 0, names = 0;

        assert_int_equal(option->kind, CLI_CHOICE);
        for (const char *p = option->argument; *p != '\0'; words++) {
            size_t size = strcspn(p, "|");

            assert_int_equal(parse(option->name, p, (int)size, &options), 0);
            p += size + (p[size] == '|');
        }
        while (choices[i].names[names] != NULL)
            names++;
        assert_int_equal(words, names);
    }
    assert_int_equal(parse("jobs", "1", 1, &options), 0);
    assert_string_equal(bench_finish_name(options.finish), find("finish")->default_text);
}

static int
parse_two(const char *first, const char *second, bench_options *out)
{
    char program[] = "bench", words[2][40];
    char *all[] = { program, words[0], words[1], NULL };

    snprintf(words[0], sizeof(words[0]), "%s", first);
    snprintf(words[1], sizeof(words[1]), "%s", second);
    return bench_options_parse(3, all, INT64_MAX, out);
}

static void
what_a_flag_measures_takes_no_option_that_means_nothing_there(void **state)
{
    bench_options options;

    (void)state;
    assert_int_equal(parse_two("--threads=3", "--jobs=10", &options), 0);
    assert_int_equal(options.mode, BENCH_MODE_THREADS);
    assert_int_equal(options.workers, 3);
    assert_int_equal(options.producers, 3);
    assert_int_equal(parse_two("--pickup", "--threads=5", &options), 0);
    assert_int_equal(options.mode, BENCH_MODE_PICKUP);
    assert_int_equal(options.threads, 5);
    assert_int_equal(parse_two("--wake-ups", "--producers=2", &options), 0);
    assert_int_equal(options.mode, BENCH_MODE_WAKE_UPS);
    assert_int_equal(parse_two("--idle", "--jobs=3", &options), EX_USAGE);
    assert_int_equal(parse_two("--idle", "--pickup", &options), EX_USAGE);
    assert_int_equal(parse_two("--threads=8", "--batch=10", &options), EX_USAGE);
    assert_int_equal(parse_two("--threads=8", "--delayed=10", &options), EX_USAGE);
    assert_int_equal(parse_two("--wake-ups", "--threads=8", &options), EX_USAGE);
    assert_int_equal(parse_two("--pickup", "--hold-transaction=xid", &options), EX_USAGE);
    assert_int_equal(parse_two("--hold-transaction=xid", "--idle", &options), EX_USAGE);
}

static void
the_command_has_no_option_that_the_benchmark_lacks(void **state)
{
    size_t count = 0;

    (void)state;
    while (cli_bench_options[count].name != NULL)
        count++;
    assert_int_equal(count, ROW_COUNT + FLAG_COUNT + 2); /* and --finish and --hold-transaction */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_have_the_same_range_default_and_description),
        cmocka_unit_test(flags_have_the_same_description),
        cmocka_unit_test(what_a_flag_measures_takes_no_option_that_means_nothing_there),
        cmocka_unit_test(every_word_that_the_command_lets_through_is_known_to_the_benchmark),
        cmocka_unit_test(the_command_has_no_option_that_the_benchmark_lacks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
