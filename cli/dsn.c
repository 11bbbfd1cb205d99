#include "dsn.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int
is_postgres_uri(const char *text)
{
    return strncasecmp(text, "postgres://", 11) == 0 || strncasecmp(text, "postgresql://", 13) == 0;
}

/* "password", and "=" behind it; sslpassword ends likewise. */
static int
has_password_key(const char *text)
{
    static const char key[] = "password";

    for (; *text != '\0'; text++) {
        const char *end = text + sizeof(key) - 1;

        if (strncasecmp(text, key, sizeof(key) - 1) == 0 && end[strspn(end, " \t\r\n\v\f")] == '=')
            return 1;
    }
    return 0;
}

int
cli_dsn_may_hold_password(const char *text)
{
    const char *authority = strstr(text, "://"), *user_end, *colon, *query;

    if (has_password_key(text))
        return 1;
    if (authority == NULL)
        return 0;
    /* A "/" or "@" in a password is a mistake that people make. */
    authority += 3;
    user_end = strrchr(authority, '@');
    colon = strchr(authority, ':');
    query = strchr(authority, '?');
    if (user_end != NULL && colon != NULL && colon < user_end)
        return 1;
    return is_postgres_uri(text) && query != NULL && strchr(query, '%') != NULL; /* %70assword= */
}

static void
overwrite(char *text)
{
    memset(text, 'x', strlen(text));
}

/* Whether the argument is --dsn or a beginning of it. *value is what stands behind a "=" in it, or NULL: it
 * is the next argument. */
static int
is_long_dsn(char *argument, char **value)
{
    size_t length = strcspn(argument, "=");

    *value = argument[length] == '=' ? argument + length + 1 : NULL;
    return length > 2 && length <= strlen("--dsn") && strncmp(argument, "--dsn", length) == 0;
}

/* The same for -d, which may stand behind the letters of other options, and before its value. */
static int
is_short_dsn(char *argument, char **value)
{
    char *letter = argument[0] == '-' && argument[1] != '-' ? strchr(argument, 'd') : NULL;

    *value = letter != NULL && letter[1] != '\0' ? letter + 1 : NULL;
    return letter != NULL;
}

/* Whether what follows is for another program. Behind an option "--" may as well be that option's value. */
static int
ends_options(char *const *argv, int i)
{
    return strcmp(argv[i], "--") == 0 && argv[i - 1][0] != '-';
}

static void
hide(int argc, char **argv)
{
    for (int i = 1; i < argc && !ends_options(argv, i); i++) {
        char *value;

        if (!is_long_dsn(argv[i], &value) && !is_short_dsn(argv[i], &value)) {
            if (cli_dsn_may_hold_password(argv[i]))
                overwrite(argv[i]);
            continue;
        }
        if (value == NULL && i + 1 < argc)
            value = argv[++i];
        if (value != NULL)
            overwrite(value);
    }
}

char **
cli_dsn_hide(int argc, char **argv)
{
    char **copies = calloc((size_t)argc + 1, sizeof(*copies));

    for (int i = 0; copies != NULL && i < argc; i++) {
        copies[i] = strdup(argv[i]);
        if (copies[i] == NULL) {
            cli_dsn_release(copies);
            return NULL;
        }
    }
    if (copies != NULL)
        hide(argc, argv);
    return copies;
}

void
cli_dsn_release(char **arguments)
{
    for (char **p = arguments; p != NULL && *p != NULL; p++) {
        explicit_bzero(*p, strlen(*p));
        free(*p);
    }
    free(arguments);
}
