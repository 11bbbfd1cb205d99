#include "db/sqlstate.h"

#include <stddef.h>
#include <string.h>

struct rule {
    const char *prefix;
    pgqrs_status status;
};

/* The first prefix that fits wins. */
static const struct rule statement_rules[] = {
    /* data exception: the server's own check is stricter than ours */
    { "22", PGQRS_EINVAL },
    { "23505", PGQRS_EEXISTS },   /* unique_violation */
    { "23514", PGQRS_EINVAL },    /* check_violation */
    { "25006", PGQRS_ECONNECT },  /* read-only: a standby, or a primary that was demoted */
    { "3F000", PGQRS_ENOSCHEMA }, /* invalid_schema_name */
    { "42501", PGQRS_EDENIED },   /* insufficient_privilege */
    /* undefined_table; a queue's own tables: see pgqrsi_client_run */
    { "42P01", PGQRS_ENOTINSTALLED },
    { "42883", PGQRS_ENOTINSTALLED }, /* undefined_function */
    { "55P03", PGQRS_ETIMEDOUT },     /* lock_not_available */
    { "57014", PGQRS_ETIMEDOUT },     /* query_canceled, by statement_timeout */
    { "54", PGQRS_EINVAL },           /* program limit exceeded */
    { "", PGQRS_ESERVER },
};

static const struct rule connection_rules[] = {
    { "28", PGQRS_EAUTH },      /* invalid_authorization_specification, invalid_password */
    { "3D000", PGQRS_ECONFIG }, /* the database does not exist */
    { "42501", PGQRS_EDENIED }, /* no CONNECT privilege */
    { "", PGQRS_ECONNECT },
};

static pgqrs_status
look_up(const struct rule *rule, const char *sqlstate)
{
    while (strncmp(sqlstate, rule->prefix, strlen(rule->prefix)) != 0)
        rule++;
    return rule->status;
}

pgqrs_status
pgqrsi_sqlstate_of_statement(const char *sqlstate)
{
    return look_up(statement_rules, sqlstate);
}

pgqrs_status
pgqrsi_sqlstate_of_connection(const char *sqlstate)
{
    return look_up(connection_rules, sqlstate);
}

/* Whether it begins with one of `prefixes`, which end with NULL. */
static int
is_among(const char *sqlstate, const char *const *prefixes)
{
    for (; *prefixes != NULL; prefixes++)
        if (strncmp(sqlstate, *prefixes, strlen(*prefixes)) == 0)
            return 1;
    return 0;
}

/* The schema's owner may add triggers, constraints and policies: what those raise counts, too. */
int
pgqrsi_sqlstate_is_row(const char *sqlstate)
{
    static const char *const prefixes[] = {
        "21", /* cardinality violation, in a trigger */
        "22", /* data exception */
        "23", /* constraint violation */
        "38", /* external routine exception */
        "39", /* external routine invocation exception */
        /* a policy of row security refuses the row; also a missing grant, which meets every row */
        "42501",
        "44",    /* WITH CHECK OPTION violation */
        "53200", /* out of memory */
        "54",    /* program limit exceeded */
        "P0",    /* raised by PL/pgSQL */
        "XX",    /* internal error, such as an invalid memory allocation, or a damaged row */
        NULL,
    };

    return is_among(sqlstate, prefixes);
}

int
pgqrsi_sqlstate_is_lock(const char *sqlstate)
{
    return strcmp(sqlstate, "55P03") == 0;
}

int
pgqrsi_sqlstate_try_later(const char *sqlstate)
{
    static const char *const prefixes[] = {
        "08",    /* connection exception, of a foreign table */
        "25006", /* read-only session: connect again */
        "40",    /* serialization failure, deadlock */
        "53",    /* insufficient resources: disk full, out of memory, too many connections */
        "55006", /* object in use */
        "55P03", /* lock not available */
        "57",    /* operator intervention: statement timeout, shutdown, startup */
        "58",    /* system error, such as an I/O error */
        NULL,
    };

    return is_among(sqlstate, prefixes);
}
