#include "local/account.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/local.h"

static int
load_groups(pgqrsi_account *account)
{
    int count = 16;

    for (;;) {
        int room = count;
        gid_t *groups = reallocarray(account->groups, (size_t)room, sizeof(gid_t));

        if (groups == NULL)
            return -1;
        account->groups = groups;
        if (getgrouplist(PGQRSI_LOCAL_ACCOUNT, account->gid, groups, &count) >= 0) {
            account->group_count = count;
            return 0;
        }
        if (count <= room)
            count = room * 2;
    }
}

pgqrs_status
pgqrsi_account_init(pgqrsi_account *account, pgqrs_error *err)
{
    char text[4096];
    struct passwd entry, *found = NULL;
    pgqrs_status status;

    memset(account, 0, sizeof(*account));
    account->uid = geteuid();
    account->gid = getegid();
    if (account->uid != 0)
        return PGQRS_OK;
    account->switches = 1;
    status = pgqrsi_local_find_account(&entry, text, sizeof(text), &found, err);
    if (status != PGQRS_OK)
        return status;
    if (found == NULL) {
        account->missing = 1;
        return PGQRS_OK;
    }
    account->uid = entry.pw_uid;
    account->gid = entry.pw_gid;
    account->home = strdup(entry.pw_dir);
    if (account->home == NULL || load_groups(account) < 0)
        return pgqrsi_error_memory(err);
    return PGQRS_OK;
}

void
pgqrsi_account_release(pgqrsi_account *account)
{
    free(account->groups);
    free(account->home);
    memset(account, 0, sizeof(*account));
}

pgqrs_status
pgqrsi_account_require(const pgqrsi_account *account, pgqrs_error *err)
{
    if (!account->missing)
        return PGQRS_OK;
    return pgqrsi_error_set(
        err, PGQRS_ECONNECT,
        "a PostgreSQL server does not run as root, and there is no account \"%s\" to run it: make "
        "it by `apt-get install postgresql` or `useradd --system %s`, or run this as an ordinary "
        "user",
        PGQRSI_LOCAL_ACCOUNT, PGQRSI_LOCAL_ACCOUNT);
}

/* What must not reach the programs as it is. */
static int
is_dropped(const char *variable, const pgqrsi_account *account)
{
    static const char *const always[] = { "PG", "LC_", "LANG=", "LANGUAGE=" };
    static const char *const of_root[] = { "HOME=", "USER=", "LOGNAME=", "XDG_", "MAIL=" };

    for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
        if (strncmp(variable, always[i], strlen(always[i])) == 0)
            return 1;
    for (size_t i = 0; account->switches && i < sizeof(of_root) / sizeof(of_root[0]); i++)
        if (strncmp(variable, of_root[i], strlen(of_root[i])) == 0)
            return 1;
    return 0;
}

/* Appends "name=value" at *end. */
static int
add(char ***end, const char *name, const char *value)
{
    if (asprintf(*end, "%s%s", name, value) < 0) {
        **end = NULL;
        return -1;
    }
    (*end)++;
    return 0;
}

char **
pgqrsi_account_environment(const pgqrsi_account *account, const char *data)
{
    size_t count = 0;
    char **environment, **end;

    while (environ != NULL && environ[count] != NULL)
        count++;
    environment = calloc(count + 6, sizeof(char *));
    if (environment == NULL)
        return NULL;
    end = environment;
    for (size_t i = 0; i < count && environ[i] != NULL; i++)
        if (!is_dropped(environ[i], account) && add(&end, "", environ[i]) < 0)
            goto fail;
    if (add(&end, "LC_ALL=", "C") < 0 || (data != NULL && add(&end, "PGDATA=", data) < 0))
        goto fail;
    if (account->switches && !account->missing &&
        (add(&end, "HOME=", account->home) < 0 || add(&end, "USER=", PGQRSI_LOCAL_ACCOUNT) < 0 ||
         add(&end, "LOGNAME=", PGQRSI_LOCAL_ACCOUNT) < 0))
        goto fail;
    return environment;
fail:
    pgqrsi_account_environment_free(environment);
    return NULL;
}

void
pgqrsi_account_environment_free(char **environment)
{
    for (char **p = environment; p != NULL && *p != NULL; p++)
        free(*p);
    free(environment);
}
