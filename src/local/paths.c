#include "local/paths.h"

#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"

#define DEFAULT_NAME "default"
#define NAME_MAX_BYTES 32
#define ROOT_PARENT "/var/lib/pgqrs"

/* PostgreSQL cuts paths off at 1,024 bytes, in places without a word; the longest file below has about 100.
 */
#define FOLDER_MAX_BYTES 850

#define ALLOWED "give 1 to %d of a-z, 0-9, \"-\" and \"_\", not \"-\" first"

/* A connection string after "local:" may hold a password. */
static int
may_be_shown(pgqrs_slice name)
{
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] == ':' || name.data[i] == '=' || name.data[i] == '@')
            return 0;
    return 1;
}

static pgqrs_status
check_name(pgqrs_slice name, pgqrs_error *err)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-_";
    /* Commands would take a name that begins with "-" for an option. */
    int good = name.size >= 1 && name.size <= NAME_MAX_BYTES && name.data[0] != '-';

    for (size_t i = 0; good && i < name.size; i++)
        good = name.data[i] != '\0' && strchr(allowed, name.data[i]) != NULL;
    if (good)
        return PGQRS_OK;
    if (!may_be_shown(name))
        return pgqrsi_error_set(
            err, PGQRS_EINVAL,
            "refused the name of a private server, which is not shown, as it may hold a password: " ALLOWED,
            NAME_MAX_BYTES);
    return pgqrsi_error_set(err, PGQRS_EINVAL, "refused the name \"%.*s\" of a private server: " ALLOWED,
                            (int)(name.size > 64 ? 64 : name.size), name.data, NAME_MAX_BYTES);
}

/* The variable's value if it is an absolute path; a relative one is ignored, as the XDG specification says.
 * The environment of a set-user-ID program is its caller's and not heard. */
static const char *
absolute_from_environment(const char *variable)
{
    const char *value = secure_getenv(variable);

    return value != NULL && *value == '/' ? value : NULL;
}

static pgqrs_status
parent_from_accounts(char **out, pgqrs_error *err)
{
    char text[4096];
    struct passwd entry, *found = NULL;
    int error = getpwuid_r(geteuid(), &entry, text, sizeof(text), &found);

    if (found == NULL || *entry.pw_dir != '/')
        return pgqrsi_error_set(
            err, PGQRS_ESYSTEM,
            "there is no place for a private server: HOME is not set and user %ld has no home "
            "folder%s%s; set XDG_DATA_HOME",
            (long)geteuid(), error != 0 ? ": " : "", error != 0 ? strerror(error) : "");
    return asprintf(out, "%s/.local/share/pgqrs", entry.pw_dir) < 0 ? pgqrsi_error_memory(err) : PGQRS_OK;
}

static pgqrs_status
find_parent(char **out, pgqrs_error *err)
{
    const char *override = secure_getenv("PGQRS_LOCAL_ROOT");
    const char *data_home = absolute_from_environment("XDG_DATA_HOME");
    const char *home = absolute_from_environment("HOME");
    int length;

    if (override != NULL && *override != '\0' && *override != '/')
        return pgqrsi_error_set(err, PGQRS_EINVAL, "refused PGQRS_LOCAL_ROOT = \"%s\": give an absolute path",
                                override);
    if (override != NULL && *override != '\0')
        length = asprintf(out, "%s", override);
    else if (data_home != NULL)
        length = asprintf(out, "%s/pgqrs", data_home);
    else if (geteuid() == 0)
        length = asprintf(out, "%s", ROOT_PARENT);
    else if (home != NULL)
        length = asprintf(out, "%s/.local/share/pgqrs", home);
    else
        return parent_from_accounts(out, err);
    if (length < 0) {
        *out = NULL;
        return pgqrsi_error_memory(err);
    }
    while (length > 1 && (*out)[length - 1] == '/')
        (*out)[--length] = '\0';
    return PGQRS_OK;
}

/* FNV-1a: tells folders apart, keeps no secret. */
static uint64_t
hash(const char *text)
{
    uint64_t value = UINT64_C(14695981039346656037);

    for (; *text != '\0'; text++)
        value = (value ^ (unsigned char)*text) * UINT64_C(1099511628211);
    return value;
}

/* A socket's path has room for 107 bytes, and libpq takes a comma in a host for a separator. The short folder
 * is in /tmp and not in $XDG_RUNTIME_DIR: that one vanishes when the user logs out, while the server runs on,
 * and is not set everywhere (cron, sudo), while the path must be the same for all of the user's processes.
 * Whoever makes it checks whose it is. */
static int
name_socket_dir(pgqrsi_paths *paths)
{
    static const char socket_name[] = "/.s.PGSQL.5432";
    struct sockaddr_un address;

    if (asprintf(&paths->socket_dir, "%s/" PGQRSI_PATHS_SOCKET, paths->folder) < 0)
        goto fail;
    if (strlen(paths->socket_dir) + sizeof(socket_name) <= sizeof(address.sun_path) &&
        strchr(paths->socket_dir, ',') == NULL)
        return 0;
    free(paths->socket_dir);
    paths->socket_is_short = 1;
    if (asprintf(&paths->socket_dir, "/tmp/pgqrs-%ld-%016" PRIx64, (long)geteuid(), hash(paths->folder)) >= 0)
        return 0;
fail:
    paths->socket_dir = NULL; /* asprintf leaves it undefined */
    return -1;
}

/* A line end would break the lines of postmaster.pid. */
static int
has_control_character(const char *text)
{
    while ((unsigned char)*text >= ' ' && *text != 0x7f)
        text++;
    return *text != '\0';
}

static int
join(char **out, const char *folder, const char *entry)
{
    if (asprintf(out, "%s/%s", folder, entry) >= 0)
        return 0;
    *out = NULL;
    return -1;
}

pgqrs_status
pgqrsi_paths_init(pgqrsi_paths *paths, pgqrs_slice name, pgqrs_error *err)
{
    pgqrs_status status;

    memset(paths, 0, sizeof(*paths));
    if (name.data == NULL)
        name = pgqrs_slice_of(DEFAULT_NAME);
    status = check_name(name, err);
    if (status == PGQRS_OK)
        status = find_parent(&paths->parent, err);
    if (status != PGQRS_OK)
        return status;
    paths->name = strndup(name.data, name.size);
    if (paths->name == NULL || join(&paths->folder, paths->parent, paths->name) < 0 ||
        join(&paths->lock, paths->folder, PGQRSI_PATHS_LOCK) < 0 ||
        join(&paths->data, paths->folder, PGQRSI_PATHS_DATA) < 0 ||
        join(&paths->log_dir, paths->folder, PGQRSI_PATHS_LOG) < 0 || name_socket_dir(paths) < 0)
        return pgqrsi_error_memory(err);
    if (has_control_character(paths->folder))
        return pgqrsi_error_set(
            err, PGQRS_ESYSTEM,
            "the path \"%s\" of the private server \"%s\" has a control character, which PostgreSQL "
            "cannot handle; set PGQRS_LOCAL_ROOT to another folder",
            paths->folder, paths->name);
    if (strlen(paths->folder) > FOLDER_MAX_BYTES)
        return pgqrsi_error_set(
            err, PGQRS_ESYSTEM,
            "the path of the private server \"%s\" is too long for PostgreSQL: %zu bytes of at "
            "most %d; set PGQRS_LOCAL_ROOT to a shorter folder than \"%.80s...\"",
            paths->name, strlen(paths->folder), FOLDER_MAX_BYTES, paths->parent);
    return PGQRS_OK;
}

void
pgqrsi_paths_release(pgqrsi_paths *paths)
{
    free(paths->name);
    free(paths->parent);
    free(paths->folder);
    free(paths->lock);
    free(paths->data);
    free(paths->log_dir);
    free(paths->socket_dir);
    memset(paths, 0, sizeof(*paths));
}
