/*
 * A test is defined where it is written, and found there: no second list names it.
 *
 *     TEST(what_is_promised_is_a_sentence)
 *     {
 *         (void)state;
 *         assert_int_equal(1 + 1, 2);
 *     }
 *
 *     TEST_MAIN(NULL, NULL)
 *
 * TEST stands for the head of the function, whose parameter is `void **state`. A fixture has a
 * macro of its own on top of TEST_WITH, whose name ends in TEST, and the file uses that one:
 *
 *     #define STORY_TEST(name) TEST_WITH(name, story_open, story_close)
 *
 * TEST_MAIN runs the tests of its file in the order of their definitions. A function that looks
 * like a test but has a plain head does not compile: it is static and not used.
 *
 * Each executable has its tests in one .c file, and includes this header there only. Includes
 * cmocka.
 */
#ifndef TESTS_FOUND_H
#define TESTS_FOUND_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Places for tests. A place stays empty when its number went to another use of __COUNTER__. */
#define FOUND_MAX 256

/* Each test at the place of its number: constructors may run in any order. */
static struct CMUnitTest found_tests[FOUND_MAX];

/** A test without a fixture. */
#define TEST(name) TEST_WITH(name, NULL, NULL)

/** A test between `set_up` and `tear_down`, functions of cmocka's types that are declared before,
 * or NULL. */
#define TEST_WITH(name, set_up, tear_down) FOUND_TEST(name, set_up, tear_down, __COUNTER__)

/* The constructor runs before main and puts the test at its place. */
#define FOUND_TEST(name, set_up, tear_down, number)                                                \
    static void name(void **state);                                                                \
    _Static_assert((number) < FOUND_MAX, "too many tests in one file: raise FOUND_MAX");           \
    static void __attribute__((constructor)) found_##name(void)                                    \
    {                                                                                              \
        found_tests[number] =                                                                      \
            (struct CMUnitTest)cmocka_unit_test_setup_teardown(name, set_up, tear_down);           \
    }                                                                                              \
    static void name(void **state)

/* Moves the tests to the front of their places, in their order. Returns how many there are. */
static inline size_t
found_count(void)
{
    size_t count = 0;

    for (size_t place = 0; place < FOUND_MAX; place++)
        if (found_tests[place].test_func != NULL)
            found_tests[count++] = found_tests[place];
    return count;
}

/**
 * Runs all tests between the group's `set_up` and `tear_down`, each of which may be NULL. With an
 * argument only those whose names it matches, as in a shell; with --list prints the names and runs
 * none. Returns the exit code. For a main that has something else to do; others are TEST_MAIN.
 */
static inline int
found_run(int argc, char **argv, CMFixtureFunction set_up, CMFixtureFunction tear_down)
{
    size_t count = found_count();

    if (argc > 1 && strcmp(argv[1], "--list") == 0) {
        for (size_t i = 0; i < count; i++)
            puts(found_tests[i].name);
        return 0;
    }
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return _cmocka_run_group_tests("tests", found_tests, count, set_up, tear_down);
}

/** The main of a file of tests. */
#define TEST_MAIN(set_up, tear_down)                                                               \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        return found_run(argc, argv, set_up, tear_down);                                           \
    }

#endif
