#include "line/dsn.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int
cli_dsn_is_postgres_uri(const char *text)
{
    return strncasecmp(text, "postgres://", 11) == 0 || strncasecmp(text, "postgresql://", 13) == 0;
}

/* "password", and "=" after it; sslpassword ends likewise. */
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
    /* %70assword= */
    return cli_dsn_is_postgres_uri(text) && query != NULL && strchr(query, '%') != NULL;
}

static void
overwrite(char *text)
{
    memset(text, 'x', strlen(text));
}

/* The place of the value in an argument that is --dsn or a beginning of it; its length if the value
 * is the next argument; 0 if it is no such option. */
static size_t
find_long_value(const char *argument)
{
    size_t length = strcspn(argument, "=");

    if (length <= 2 || length > strlen("--dsn") || strncmp(argument, "--dsn", length) != 0)
        return 0;
    return argument[length] == '=' ? length + 1 : length;
}

/* The same for -d, which may stand after the letters of other options, and before its value. */
static size_t
find_short_value(const char *argument)
{
    const char *letter = argument[0] == '-' && argument[1] != '-' ? strchr(argument, 'd') : NULL;

    return letter != NULL ? (size_t)(letter - argument) + 1 : 0;
}

/* Whether what follows is for another program. After an option "--" may as well be that option's
 * value. */
static int
ends_options(char *const *copies, int i)
{
    return strcmp(copies[i], "--") == 0 && copies[i - 1][0] != '-';
}

/* Which argument is the value of which option only the parser knows, so whatever could be --dsn is
 * taken for it, be it the value of another option. */
static void
hide(int argc, char **argv, char *const *copies)
{
    for (int i = 1; i < argc && !ends_options(copies, i); i++) {
        size_t place = find_long_value(copies[i]);

        if (place == 0)
            place = find_short_value(copies[i]);
        if (place == 0 && cli_dsn_may_hold_password(copies[i]))
            overwrite(argv[i]);
        if (place == 0)
            continue;
        if (copies[i][place] != '\0')
            overwrite(argv[i] + place);
        else if (i + 1 < argc)
            overwrite(argv[i + 1]);
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
        hide(argc, argv, copies);
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
