#include "local/programs.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "local/process.h"

/* Where Debian, the project's own RPMs, Alpine and a build from source put a server. */
static const char *const package_patterns[] = { "/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin",
                                                "/usr/libexec/postgresql*",
                                                "/usr/local/pgsql/bin" };
#define PATTERN_COUNT (sizeof(package_patterns) / sizeof(package_patterns[0]))

static const char *const needed[] = { "initdb", "pg_ctl", "postgres" };
#define NEEDED_COUNT (sizeof(needed) / sizeof(needed[0]))

/* One hunt: what was asked for, and what to tell if it fails. */
struct search {
    pgqrsi_programs *out;
    int major;
    const pgqrsi_account *account;
    char **environment;
    int64_t deadline_ms;
    size_t most;            /* programs found together in one folder without being all */
    pgqrsi_buffer missing;  /* the programs that such a folder lacks, and its name */
    pgqrsi_buffer places;   /* where it looked, for people */
    pgqrsi_buffer unsuited; /* complete folders that were not taken, and why */
    int failed;             /* out of memory elsewhere than in a buffer */
};

static void
append_item(pgqrsi_buffer *list, const char *item)
{
    if (list->size > 0)
        pgqrsi_buffer_append_text(list, ", ");
    pgqrsi_buffer_append_text(list, item);
}

static int
is_program(const char *folder, const char *name)
{
    struct stat info;
    char *path;
    int good;

    if (asprintf(&path, "%s/%s", folder, name) < 0)
        return 0;
    good = stat(path, &info) == 0 && S_ISREG(info.st_mode) && (info.st_mode & 0111) != 0;
    free(path);
    return good;
}

/* Runs "PROGRAM OPTION" and returns the first line that it printed, which the caller frees; NULL on
 * failure, with the reason in `err`. */
static char *
ask(const struct search *search, const char *program, const char *option, pgqrs_error *err)
{
    const char *argv[] = { program, option, NULL };
    pgqrsi_process process = PGQRSI_PROCESS_INIT;
    pgqrsi_process_result result;
    char *line = NULL;

    process.argv = argv;
    process.environment = search->environment;
    process.account = search->account->missing ? NULL : search->account;
    process.deadline_ms = search->deadline_ms;
    if (pgqrsi_process_run(&process, &result, err) == PGQRS_OK) {
        pgqrs_slice reason =
            pgqrsi_process_reason((pgqrs_slice){ result.output.data, result.output.size });

        if (result.exit_code == 0 && result.output.size > 0)
            line = strndup(result.output.data, result.output.size);
        else
            pgqrsi_error_set(err, PGQRS_ESYSTEM, "%s %s failed: %.*s", program, option,
                             PGQRS_SLICE_ARG(reason));
    }
    pgqrsi_process_result_release(&result);
    if (line != NULL)
        line[strcspn(line, "\n")] = '\0';
    return line;
}

/* "postgres (PostgreSQL) 15.8 (Debian 15.8-0+deb12u1)" gives 15; 0 if it is something else. */
static int
ask_major(const struct search *search, const char *postgres, pgqrs_error *err)
{
    static const char before[] = "(PostgreSQL) ";
    char *line = ask(search, postgres, "--version", err);
    const char *number = line != NULL ? strstr(line, before) : NULL;
    int major = number != NULL ? atoi(number + strlen(before)) : 0;

    if (line != NULL && major <= 0)
        pgqrsi_error_set(err, PGQRS_ESYSTEM, "%s does not say its version", postgres);
    free(line);
    return major > 0 ? major : 0;
}

static int
name_programs(struct search *search, const char *folder)
{
    char **const paths[NEEDED_COUNT] = { &search->out->initdb, &search->out->pg_ctl,
                                         &search->out->postgres };

    pgqrsi_programs_release(search->out);
    for (size_t i = 0; i < NEEDED_COUNT; i++) {
        if (asprintf(paths[i], "%s/%s", folder, needed[i]) >= 0)
            continue;
        *paths[i] = NULL;
        search->failed = 1;
        return -1;
    }
    return 0;
}

/* The same folder may be found in several ways. */
static void
note_unsuited(struct search *search, const char *folder, const char *why)
{
    if (search->unsuited.size > 0 &&
        memmem(search->unsuited.data, search->unsuited.size, folder, strlen(folder)) != NULL)
        return;
    append_item(&search->unsuited, folder);
    pgqrsi_buffer_append_text(&search->unsuited, " (");
    pgqrsi_buffer_append_text(&search->unsuited, why);
    pgqrsi_buffer_append_text(&search->unsuited, ")");
}

/* A folder that has some of the programs tells more about what is wrong than one that has none. */
static int
is_complete(struct search *search, const char *folder)
{
    pgqrsi_buffer missing = PGQRSI_BUFFER_INIT;
    size_t found = 0;

    for (size_t i = 0; i < NEEDED_COUNT; i++) {
        if (is_program(folder, needed[i]))
            found++;
        else
            append_item(&missing, needed[i]);
    }
    if (found == NEEDED_COUNT)
        return 1;
    if (found > search->most) {
        search->most = found;
        pgqrsi_buffer_append_text(&missing, " in ");
        pgqrsi_buffer_append_text(&missing, folder);
        pgqrsi_buffer_release(&search->missing);
        search->missing = missing;
    } else {
        pgqrsi_buffer_release(&missing);
    }
    return 0;
}

/* Returns 1 with search->out filled if the folder has what is needed. */
static int
try_folder(struct search *search, const char *folder)
{
    pgqrs_error *err;
    char version[32];
    int major;

    if (*folder != '/' || !is_complete(search, folder) || name_programs(search, folder) < 0)
        return 0;
    err = pgqrs_error_new();
    major = ask_major(search, search->out->postgres, err);
    if (major != 0 && (search->major == 0 || search->major == major)) {
        search->out->major = major;
    } else if (major != 0) {
        snprintf(version, sizeof(version), "version %d", major);
        note_unsuited(search, folder, version);
    } else {
        note_unsuited(search, folder, pgqrs_error_message(err));
    }
    pgqrs_error_free(err);
    return search->out->major != 0;
}

/* Calls `visit` for each absolute folder of PATH until it returns 1. */
static int
walk_path(struct search *search, int (*visit)(struct search *, const char *))
{
    const char *path = secure_getenv("PATH");
    char *copy, *rest, *folder;
    int found = 0;

    if (path == NULL)
        return 0;
    copy = strdup(path);
    if (copy == NULL) {
        search->failed = 1;
        return 0;
    }
    rest = copy;
    while (!found && (folder = strsep(&rest, ":")) != NULL)
        found = *folder == '/' && visit(search, folder);
    free(copy);
    return found;
}

/* Asks the pg_config of this folder, if it has one. Returns 1 if there was one to ask, and
 * search->out->major tells whether its answer was good: only the first pg_config counts. */
static int
ask_pg_config(struct search *search, const char *folder)
{
    char *program, *bindir;

    if (!is_program(folder, "pg_config"))
        return 0;
    if (asprintf(&program, "%s/pg_config", folder) < 0) {
        search->failed = 1;
        return 0;
    }
    bindir = ask(search, program, "--bindir", NULL);
    if (bindir != NULL && *bindir == '/') {
        append_item(&search->places, bindir);
        pgqrsi_buffer_append_text(&search->places, " (named by pg_config)");
        try_folder(search, bindir);
    }
    free(bindir);
    free(program);
    return 1;
}

/* The last number in the path: its version. */
static long
version_of(const char *path)
{
    const char *p = path + strlen(path);

    while (p > path && !(p[-1] >= '0' && p[-1] <= '9'))
        p--;
    while (p > path && p[-1] >= '0' && p[-1] <= '9')
        p--;
    return strtol(p, NULL, 10);
}

static int
compare_newest_first(const void *a, const void *b)
{
    long version_a = version_of(*(const char *const *)a),
         version_b = version_of(*(const char *const *)b);

    return (version_a < version_b) - (version_a > version_b);
}

static int
try_packages(struct search *search)
{
    int found = 0;

    for (size_t i = 0; !found && i < PATTERN_COUNT; i++) {
        glob_t matches;

        append_item(&search->places, package_patterns[i]);
        if (glob(package_patterns[i], GLOB_ONLYDIR, NULL, &matches) != 0)
            continue;
        qsort(matches.gl_pathv, matches.gl_pathc, sizeof(char *), compare_newest_first);
        for (size_t j = 0; !found && j < matches.gl_pathc; j++)
            found = try_folder(search, matches.gl_pathv[j]);
        globfree(&matches);
    }
    return found;
}

/* Returns 1 if search->out holds what is needed. */
static int
try_everywhere(struct search *search)
{
    const char *only = secure_getenv("PGQRS_PG_BINDIR");
    const char *path = secure_getenv("PATH");

    if (only != NULL && *only != '\0') {
        append_item(&search->places, "PGQRS_PG_BINDIR = ");
        pgqrsi_buffer_append_text(&search->places, only);
        return try_folder(search, only);
    }
    if (walk_path(search, ask_pg_config) && search->out->major != 0)
        return 1;
    append_item(&search->places, "PATH = ");
    pgqrsi_buffer_append_text(&search->places, path != NULL ? path : "");
    return walk_path(search, try_folder) || try_packages(search);
}

static pgqrs_status
report_failure(struct search *search, const char *name, pgqrs_error *err)
{
    pgqrs_slice missing = { search->missing.data, search->missing.size };
    pgqrs_slice places = { search->places.data, search->places.size };
    pgqrs_slice unsuited = { search->unsuited.data, search->unsuited.size };

    if (search->failed || search->missing.failed || search->places.failed ||
        search->unsuited.failed)
        return pgqrsi_error_memory(err);
    if (missing.size == 0)
        missing = pgqrs_slice_of("initdb, pg_ctl, postgres");
    if (search->major != 0)
        return pgqrsi_error_set(
            err, PGQRS_ECONNECT,
            "the private server \"%s\" was made by PostgreSQL %d, whose server programs were not "
            "found in %.*s%s%.*s: install them by `apt-get install postgresql-%d` or name their "
            "folder in PGQRS_PG_BINDIR",
            name, search->major, PGQRS_SLICE_ARG(places), unsuited.size > 0 ? "; passed over " : "",
            PGQRS_SLICE_ARG(unsuited), search->major);
    if (unsuited.size > 0)
        return pgqrsi_error_set(err, PGQRS_ECONNECT,
                                "the programs of a PostgreSQL server are of no use: %.*s; install "
                                "good ones by `apt-get "
                                "install postgresql` or name their folder in PGQRS_PG_BINDIR",
                                PGQRS_SLICE_ARG(unsuited));
    return pgqrsi_error_set(
        err, PGQRS_ECONNECT,
        "programs of a PostgreSQL server are missing: %.*s; looked in %.*s; install them by "
        "`apt-get install postgresql` or name their folder in PGQRS_PG_BINDIR",
        PGQRS_SLICE_ARG(missing), PGQRS_SLICE_ARG(places));
}

pgqrs_status
pgqrsi_programs_find(pgqrsi_programs *programs, int major, const char *name,
                     const pgqrsi_account *account, int64_t deadline_ms, pgqrs_error *err)
{
    struct search search = {
        .out = programs, .major = major, .account = account, .deadline_ms = deadline_ms
    };
    pgqrs_status status = PGQRS_OK;

    memset(programs, 0, sizeof(*programs));
    search.environment = pgqrsi_account_environment(account, NULL);
    if (search.environment == NULL)
        return pgqrsi_error_memory(err);
    if (!try_everywhere(&search)) {
        pgqrsi_programs_release(programs);
        status = report_failure(&search, name, err);
    }
    pgqrsi_account_environment_free(search.environment);
    pgqrsi_buffer_release(&search.missing);
    pgqrsi_buffer_release(&search.places);
    pgqrsi_buffer_release(&search.unsuited);
    return status;
}

void
pgqrsi_programs_release(pgqrsi_programs *programs)
{
    free(programs->initdb);
    free(programs->pg_ctl);
    free(programs->postgres);
    memset(programs, 0, sizeof(*programs));
}
