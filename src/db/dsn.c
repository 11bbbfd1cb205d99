#include "db/dsn.h"

#include <libpq-fe.h>
#include <string.h>

#include "base/error.h"

#define FORMS                                                                                      \
    "; write local:, a URI like postgresql://user@host:5432/database, or key=value pairs like "    \
    "\"host=... "                                                                                  \
    "dbname=...\""

static int
is_uri(const char *conninfo)
{
    return strncmp(conninfo, "postgres://", 11) == 0 || strncmp(conninfo, "postgresql://", 13) == 0;
}

/* An unescaped "@" in the password of a URI makes its rest part of the host or the database, and
 * later messages would show it. */
static int
has_stray_at(const char *conninfo)
{
    const char *first = strchr(conninfo, '@');

    return is_uri(conninfo) && first != NULL && strchr(first + 1, '@') != NULL;
}

/* An unescaped "/" in the password of a URI makes what stands before it the port, which a message
 * would show. */
static int
has_stray_slash(const char *conninfo)
{
    const char *authority = strstr(conninfo, "://"), *slash, *at, *colon;

    if (authority == NULL || !is_uri(conninfo))
        return 0;
    authority += 3;
    slash = strchr(authority, '/');
    at = strchr(authority, '@');
    colon = strchr(authority, ':');
    return slash != NULL && at != NULL && colon != NULL && colon < slash && slash < at &&
           strcspn(authority, "?") > (size_t)(at - authority);
}

/* "password", and "=" after it; sslpassword ends likewise. */
static int
has_password_key(const char *text)
{
    static const char key[] = "password";

    for (const char *at = strcasestr(text, key); at != NULL; at = strcasestr(at + 1, key)) {
        const char *end = at + sizeof(key) - 1;

        if (end[strspn(end, " \t\r\n\v\f")] == '=')
            return 1;
    }
    return 0;
}

/* A connection string given as one of these may bring a password into what later messages show. */
static const PQconninfoOption *
find_nested(const PQconninfoOption *options)
{
    static const char *const shown[] = { "host", "hostaddr", "port", "user", "dbname", "service" };

    for (; options->keyword != NULL; options++)
        for (size_t i = 0; options->val != NULL && i < sizeof(shown) / sizeof(shown[0]); i++)
            if (strcmp(options->keyword, shown[i]) == 0 &&
                (strstr(options->val, "://") != NULL || has_password_key(options->val)))
                return options;
    return NULL;
}

/* Whether the word that libpq quotes last is the name of an option, and cannot be part of a
 * password: it looks like one, and nothing that may hold a password comes with it. */
static int
may_quote(const char *conninfo, const char *reason)
{
    const char *word = strchr(reason, '"');
    size_t length = word != NULL ? strspn(word + 1, "abcdefghijklmnopqrstuvwxyz_") : 0;

    return length > 0 && word[1 + length] == '"' && strchr(word + 2 + length, '"') == NULL &&
           strpbrk(conninfo, "@%") == NULL && strcasestr(conninfo, "pass") == NULL;
}

/* Libpq's reason where that can be shown. */
static pgqrs_status
refuse(const char *conninfo, char *reason, pgqrs_error *err)
{
    reason[strcspn(reason, "\n")] = '\0';
    if (strchr(reason, '"') == NULL || may_quote(conninfo, reason))
        return pgqrsi_error_set(err, PGQRS_ECONFIG, "the DSN cannot be read: %s" FORMS, reason);
    return pgqrsi_error_set(
        err, PGQRS_ECONFIG,
        "the DSN cannot be read; it is not shown, as it may hold a password" FORMS);
}

pgqrs_status
pgqrsi_dsn_check(const char *conninfo, pgqrs_error *err)
{
    const PQconninfoOption *nested;
    PQconninfoOption *options;
    char *reason = NULL;
    pgqrs_status status = PGQRS_OK;

    if (has_stray_at(conninfo))
        return pgqrsi_error_set(
            err, PGQRS_ECONFIG,
            "the DSN holds more than one \"@\": write an \"@\" in a password as %%40");
    if (has_stray_slash(conninfo))
        return pgqrsi_error_set(
            err, PGQRS_ECONFIG,
            "the DSN holds a \"/\" before its \"@\": write a \"/\" in a password as %%2F, "
            "and an \"@\" in a database's name as %%40");
    options = PQconninfoParse(conninfo, &reason);
    if (options == NULL && (reason == NULL || strncmp(reason, "out of memory", 13) == 0)) {
        PQfreemem(reason);
        return pgqrsi_error_memory(err);
    }
    if (options == NULL)
        status = refuse(conninfo, reason, err);
    nested = options != NULL ? find_nested(options) : NULL;
    if (nested != NULL)
        status = pgqrsi_error_set(
            err, PGQRS_ECONFIG,
            "the DSN's %s holds a connection string of its own, which is not shown; give "
            "that as the whole DSN",
            nested->keyword);
    PQconninfoFree(options);
    PQfreemem(reason);
    return status;
}
