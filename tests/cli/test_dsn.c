/* Passwords in connection strings: found, and overwritten in every place of the command line. */
#include "found.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../cli/line/dsn.c"

#define MAX_ARGUMENTS 8
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

TEST(passwords_are_noticed)
{
    static const char *const with[] = { "postgresql://u:secret@h/db",
                                        "postgres://:x@/db",
                                        "postgresql://u:secret/x@host/db",
                                        "postgresql://u:se@cret@h/db",
                                        "postgresql://u:se?cret@h/db",
                                        "PostgreSQL://u:secret@h/db",
                                        "https://u:secret@h/",
                                        "postgresql://h/db?password=x",
                                        "postgresql://h/db?a=b&password=x",
                                        "postgresql://h/db?pass%77ord=x",
                                        "host=h password=x",
                                        "host=h PASSWORD=x",
                                        "password = 'x y'",
                                        "host=h password\v=x",
                                        "host=h sslpassword=x" };
    static const char *const without[] = {
        "postgresql://u@h:5432/db", "local:", "host=h user=u",         "host=h passfile=/x",
        "dbname=password",          "",       "postgresql://h:5432/db"
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(with); i++)
        if (!cli_dsn_may_hold_password(with[i]))
            fail_msg("no password seen in %s", with[i]);
    for (size_t i = 0; i < COUNT_OF(without); i++)
        if (cli_dsn_may_hold_password(without[i]))
            fail_msg("a password seen in %s", without[i]);
}

/* The word "secret" must go wherever it stands, and all else stay. */
TEST(every_dsn_is_overwritten_wherever_it_stands)
{
    static const char *const lines[][MAX_ARGUMENTS] = {
        { "pgqrs", "--dsn", "secret", "queue", "list" },
        { "pgqrs", "--dsn=secret", "queue", "list" },
        { "pgqrs", "-d", "secret", "queue", "list" },
        { "pgqrs", "-dsecret", "queue", "list" },
        { "pgqrs", "-d", "secret", "-d", "secret", "queue" },
        { "pgqrs", "queue", "list", "--ds", "secret" },
        { "pgqrs", "queue", "list", "--d=secret" },
        { "pgqrs", "local", "status", "-d", "secret" },
        { "pgqrs", "--dsn", "--", "-d", "secret" },
        { "pgqrs", "--out", "--", "-d", "secret" },
        { "pgqrs", "-c", "-hd", "-hd", "secret" },
        { "pgqrs", "-d", "-d", "secret" },
        { "pgqrs", "-hd", "secret" },
        { "pgqrs", "-hdsecret" },
        { "pgqrs", "queue", "postgresql://u:secret@h/db" },
        { "pgqrs", "--dns=postgresql://u:secret@h/db" },
        { "pgqrs", "--password=secret" },
        { "pgqrs", "-d" },
        { "pgqrs" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        char *argv[MAX_ARGUMENTS] = { NULL }, **copies;
        int argc = 0;

        for (; argc < MAX_ARGUMENTS && lines[i][argc] != NULL; argc++)
            argv[argc] = strdup(lines[i][argc]);
        copies = cli_dsn_hide(argc, argv);
        assert_non_null(copies);
        assert_null(copies[argc]);
        for (int j = 0; j < argc; j++) {
            assert_string_equal(copies[j], lines[i][j]);
            if (strstr(argv[j], "secret") != NULL)
                fail_msg("line %zu still has %s", i, argv[j]);
            assert_int_equal(strlen(argv[j]), strlen(lines[i][j]));
            free(argv[j]);
        }
        cli_dsn_release(copies);
    }
}

/* The arguments after "--" are another program's. */
TEST(what_is_no_dsn_stays)
{
    static const char *const line[] = { "pgqrs", "work", "q",  "--lease",        "5",
                                        "--",    "psql", "-d", "password=others" };
    char *argv[COUNT_OF(line)], **copies;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(line); i++)
        argv[i] = strdup(line[i]);
    copies = cli_dsn_hide(COUNT_OF(line), argv);
    for (size_t i = 0; i < COUNT_OF(line); i++) {
        assert_string_equal(argv[i], line[i]);
        free(argv[i]);
    }
    cli_dsn_release(copies);
}

TEST_MAIN(NULL, NULL)
