#include "dsn.h"

#include <string.h>

/* scheme://user:password@host... */
static int
has_password_in_userinfo(const char *authority)
{
    size_t length = strcspn(authority, "@/?");

    return authority[length] == '@' && memchr(authority, ':', length) != NULL;
}

/* "password" or "sslpassword", where a key may begin, and "=". */
static int
has_password_key(const char *text, const char *separators)
{
    static const char *const keys[] = { "password", "sslpassword" };

    for (const char *p = text; *p != '\0'; p++) {
        if (p != text && strchr(separators, p[-1]) == NULL)
            continue;
        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
            size_t length = strlen(keys[i]);

            if (strncmp(p, keys[i], length) != 0)
                continue;
            length += strspn(p + length, " \t\r\n");
            if (p[length] == '=')
                return 1;
        }
    }
    return 0;
}

int
cli_dsn_has_password(const char *dsn)
{
    const char *authority = strstr(dsn, "://");

    if (authority != NULL && (strncmp(dsn, "postgres:", 9) == 0 || strncmp(dsn, "postgresql:", 11) == 0))
        return has_password_in_userinfo(authority + 3) || has_password_key(dsn, "?&");
    return has_password_key(dsn, " \t\r\n");
}
