#include "local/paths.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "base/local.h"

/* PostgreSQL cuts paths off at 1,024 bytes, in places without a word; the longest file below has
 * about 100. */
#define FOLDER_MAX_BYTES 850

/* FNV-1a: tells folders apart, keeps no secret. */
static uint64_t
hash(const char *text)
{
    uint64_t value = UINT64_C(14695981039346656037);

    for (; *text != '\0'; text++)
        value = (value ^ (unsigned char)*text) * UINT64_C(1099511628211);
    return value;
}

/* A socket's path has room for 107 bytes, and libpq takes a comma in a host for a separator. The
 * short folder is in /tmp and not in $XDG_RUNTIME_DIR: that one vanishes when the user logs out,
 * while the server runs on, and is not set everywhere (cron, sudo), while the path must be the same
 * for all of the user's processes. Whoever makes it checks whose it is. */
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
    if (asprintf(&paths->socket_dir, "/tmp/pgqrs-%ld-%016" PRIx64, (long)geteuid(),
                 hash(paths->folder)) >= 0)
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
    status = pgqrsi_local_find_folder(name, &paths->folder, err);
    if (status != PGQRS_OK)
        return status;
    paths->name = strdup(strrchr(paths->folder, '/') + 1);
    if (paths->name == NULL || join(&paths->lock, paths->folder, PGQRSI_PATHS_LOCK) < 0 ||
        join(&paths->data, paths->folder, PGQRSI_LOCAL_DATA) < 0 ||
        join(&paths->log_dir, paths->folder, PGQRSI_PATHS_LOG) < 0 || name_socket_dir(paths) < 0)
        return pgqrsi_error_memory(err);
    if (has_control_character(paths->folder))
        return pgqrsi_error_set(err, PGQRS_ESYSTEM,
                                "the path \"%s\" of the private server \"%s\" has a control "
                                "character, which PostgreSQL "
                                "cannot handle; set PGQRS_LOCAL_ROOT to another folder",
                                paths->folder, paths->name);
    if (strlen(paths->folder) > FOLDER_MAX_BYTES)
        return pgqrsi_error_set(
            err, PGQRS_ESYSTEM,
            "the path of the private server \"%s\" is too long for PostgreSQL: %zu bytes of at "
            "most %d; set PGQRS_LOCAL_ROOT to a shorter folder than \"%.80s...\"",
            paths->name, strlen(paths->folder), FOLDER_MAX_BYTES, paths->folder);
    return PGQRS_OK;
}

void
pgqrsi_paths_release(pgqrsi_paths *paths)
{
    free(paths->name);
    free(paths->folder);
    free(paths->lock);
    free(paths->data);
    free(paths->log_dir);
    free(paths->socket_dir);
    memset(paths, 0, sizeof(*paths));
}
