/*
 * Any text as a DSN, with "hushhush" where a password may be: whatever holds one is noticed, is
 * overwritten on the command line, and no error quotes it, neither the command's nor the library's.
 * What libpq takes holds none in a place that later messages show.
 */
#include <pgqrs/config.h>

#include <libpq-fe.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/local.h"
#include "db/dsn.h"
#include "line/arguments.h"
#include "line/dsn.h"

#define CANARY "hushhush"
#define MAX_ARGUMENTS 6

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
demand(int holds)
{
    if (!holds)
        abort();
}

/* What the command says of these arguments, the last NULL, is one line without the canary. */
static void
check_line(const char *const line[MAX_ARGUMENTS])
{
    FILE *standard_error = stderr;
    char *argv[MAX_ARGUMENTS + 1] = { NULL }, *said = NULL;
    size_t length = 0;
    int argc = 0;
    cli_call call;

    for (; argc < MAX_ARGUMENTS && line[argc] != NULL; argc++)
        argv[argc] = strdup(line[argc]);
    stderr = open_memstream(&said, &length);
    demand(stderr != NULL);
    cli_call_parse(&call, argc, argv);
    cli_call_release(&call);
    fclose(stderr);
    stderr = standard_error;
    demand(strstr(said, CANARY) == NULL);
    free(said);
    for (int i = 0; i < argc; i++)
        free(argv[i]);
}

/* A DSN where it does not belong. */
static void
check_stray(const char *dsn)
{
    char *joined = NULL;

    demand(asprintf(&joined, "--dns=%s", dsn) > 0);
    check_line((const char *const[MAX_ARGUMENTS]){ "pgqrs", "--", dsn });
    check_line((const char *const[MAX_ARGUMENTS]){ "pgqrs", "queue", "--", dsn });
    check_line((const char *const[MAX_ARGUMENTS]){ "pgqrs", "queue", "list", "--", dsn });
    check_line((const char *const[MAX_ARGUMENTS]){ "pgqrs", "queue", "create", "--", dsn });
    check_line(
        (const char *const[MAX_ARGUMENTS]){ "pgqrs", "message", "list", "q", "--limit", dsn });
    check_line((const char *const[MAX_ARGUMENTS]){ "pgqrs", "queue", "list", "--out", dsn });
    check_line((const char *const[MAX_ARGUMENTS]){ "pgqrs", "queue", "list", joined });
    free(joined);
}

static void
check_hidden(const char *first, const char *second, size_t kept)
{
    char *argv[] = { strdup("pgqrs"), strdup(first), strdup(second), NULL };
    int argc = *second != '\0' ? 3 : 2;
    char **copies = cli_dsn_hide(argc, argv), *last = argv[argc - 1];

    demand(copies != NULL && strcmp(copies[1], first) == 0);
    demand(strspn(last + kept, "x") == strlen(last + kept));
    cli_dsn_release(copies);
    for (int i = 0; i < 3; i++)
        free(argv[i]);
}

static void
check_all_hidden(const char *dsn)
{
    char *joined = NULL;

    demand(asprintf(&joined, "--dsn=%s", dsn) > 0);
    check_hidden(joined, "", strlen("--dsn="));
    free(joined);
    demand(asprintf(&joined, "-d%s", dsn) > 0);
    if (*dsn != '\0') {
        check_hidden(joined, "", strlen("-d"));
        check_hidden("-d", dsn, 0);
        check_hidden("--dsn", dsn, 0);
    }
    free(joined);
}

/* Messages name these. */
static int
is_shown(const char *keyword)
{
    static const char *const shown[] = { "host", "hostaddr", "port", "user", "dbname", "service" };

    for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
        if (strcmp(keyword, shown[i]) == 0)
            return 1;
    return 0;
}

/* `accepted`: the library would connect with it. */
static void
check_parsed(const char *dsn, int accepted)
{
    PQconninfoOption *options = PQconninfoParse(dsn, NULL);

    demand(options != NULL || !accepted);
    for (PQconninfoOption *o = options; o != NULL && o->keyword != NULL; o++) {
        int is_secret =
            strcmp(o->keyword, "password") == 0 || strcmp(o->keyword, "sslpassword") == 0;

        if (o->val == NULL || *o->val == '\0')
            continue;
        demand(!is_secret || cli_dsn_may_hold_password(dsn));
        demand(!accepted || !is_shown(o->keyword) || !cli_dsn_may_hold_password(o->val));
    }
    PQconninfoFree(options);
}

static pgqrs_status
check_local(const char *dsn, pgqrs_error *err)
{
    pgqrs_slice name = pgqrs_slice_of(dsn + strlen(CLI_LOCAL_DSN));
    char *folder = NULL;
    pgqrs_status status = pgqrsi_local_find_folder(name, &folder, err);

    demand(status == PGQRS_OK || status == PGQRS_EINVAL);
    free(folder);
    return status;
}

static void
check_library(const char *dsn, int may_hold)
{
    pgqrs_error *err = pgqrs_error_new();
    pgqrs_config *config = NULL;

    demand(err != NULL && pgqrs_config_new(&config, NULL) == PGQRS_OK);
    pgqrs_config_set(config, pgqrs_slice_of("dsn"), pgqrs_slice_of(dsn), err);
    demand(!may_hold || strstr(pgqrs_error_message(err), CANARY) == NULL);
    if (strncmp(dsn, CLI_LOCAL_DSN, strlen(CLI_LOCAL_DSN)) == 0)
        check_local(dsn, err);
    else
        check_parsed(dsn, pgqrsi_dsn_check(dsn, err) == PGQRS_OK);
    demand(!may_hold || strstr(pgqrs_error_message(err), CANARY) == NULL);
    demand(strchr(pgqrs_error_message(err), '\n') == NULL);
    pgqrs_config_free(config);
    pgqrs_error_free(err);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *dsn = strndup((const char *)data, size);
    int may_hold = cli_dsn_may_hold_password(dsn);

    if (cli_dsn_is_postgres_uri(dsn))
        demand(strstr(dsn, "://") != NULL);
    check_all_hidden(dsn);
    if (may_hold)
        check_stray(dsn);
    check_library(dsn, may_hold);
    free(dsn);
    return 0;
}
