#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

pgqrs_error *
pgqrs_error_new(void)
{
    return calloc(1, sizeof(pgqrs_error));
}

void
pgqrs_error_free(pgqrs_error *err)
{
    if (err == NULL)
        return;
    free(err->message);
    free(err);
}

void
pgqrsi_error_release(pgqrs_error *err)
{
    free(err->message);
    *err = (pgqrs_error)PGQRSI_ERROR_INIT;
}

pgqrs_status
pgqrs_error_status(const pgqrs_error *err)
{
    return err != NULL ? err->status : PGQRS_OK;
}

const char *
pgqrs_error_message(const pgqrs_error *err)
{
    if (err == NULL || err->status == PGQRS_OK)
        return "";
    return err->message != NULL ? err->message : pgqrs_status_text(err->status);
}

const char *
pgqrs_error_sqlstate(const pgqrs_error *err)
{
    return err != NULL ? err->sqlstate : "";
}

/* Of the server's own errors: too many connections, disk full, serialization failure, deadlock,
 * lock timeout, cancelled by a timeout, shutting down or starting up, and read-only after a
 * failover. */
static int
is_transient_sqlstate(const char *sqlstate)
{
    static const char *const prefixes[] = { "08", "53", "40", "55P03", "57", "25006" };

    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
        if (strncmp(sqlstate, prefixes[i], strlen(prefixes[i])) == 0)
            return 1;
    return 0;
}

bool
pgqrs_error_is_transient(const pgqrs_error *err)
{
    if (err == NULL)
        return 0;
    switch (err->status) {
    case PGQRS_ECONNECT:
    case PGQRS_ETIMEDOUT:
    case PGQRS_EUNKNOWN:
    case PGQRS_ERATE:
    case PGQRS_ENOMEM:
    case PGQRS_ELEASED:
        return 1;
    case PGQRS_ESERVER:
        return is_transient_sqlstate(err->sqlstate);
    default:
        return 0;
    }
}

/* How many bytes a character beyond ASCII has at `p` that would drive a terminal or mislead a
 * reader, else 0: C1 controls, U+2028 and U+2029, which end lines, and those that change the
 * direction of text. */
static size_t
harmful_length(const unsigned char *p)
{
    if (p[0] == 0xc2)
        return p[1] >= 0x80 && p[1] <= 0x9f ? 2 : 0;
    if (p[0] == 0xd8)
        return p[1] == 0x9c ? 2 : 0; /* U+061C */
    if (p[0] != 0xe2)
        return 0;
    if (p[1] == 0x80)
        return p[2] == 0x8e || p[2] == 0x8f || (p[2] >= 0xa8 && p[2] <= 0xae) ? 3 : 0;
    return p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9 ? 3 : 0;
}

/* A message may quote what a stranger sent: it stays on one line and cannot drive a terminal. */
static void
replace_control_characters(char *text)
{
    for (unsigned char *p = (unsigned char *)text; *p != '\0'; p++) {
        if (*p == '\n' || *p == '\t')
            *p = ' ';
        else if (*p < 0x20 || *p == 0x7f)
            *p = '?';
        else if (harmful_length(p) > 0)
            memset(p, '?', harmful_length(p));
    }
}

pgqrs_status
pgqrsi_error_set(pgqrs_error *err, pgqrs_status status, const char *format, ...)
{
    va_list args;
    char *message = NULL;

    if (err == NULL)
        return status;
    va_start(args, format);
    if (vasprintf(&message, format, args) < 0)
        message = NULL;
    va_end(args);
    if (message != NULL)
        replace_control_characters(message);
    free(err->message);
    err->message = message;
    err->status = status;
    err->sqlstate[0] = '\0';
    return status;
}

void
pgqrsi_error_set_sqlstate(pgqrs_error *err, const char *sqlstate)
{
    if (err == NULL || sqlstate == NULL)
        return;
    snprintf(err->sqlstate, sizeof(err->sqlstate), "%s", sqlstate);
}

void
pgqrsi_error_move(pgqrs_error *err, pgqrs_error *from)
{
    if (err == NULL)
        return;
    free(err->message);
    *err = *from;
    from->message = NULL;
}

pgqrs_status
pgqrsi_error_memory(pgqrs_error *err)
{
    if (err == NULL)
        return PGQRS_ENOMEM;
    free(err->message);
    err->message = NULL;
    err->status = PGQRS_ENOMEM;
    err->sqlstate[0] = '\0';
    return PGQRS_ENOMEM;
}
