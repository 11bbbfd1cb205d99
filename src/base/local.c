#include "base/local.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"

#define DSN_PREFIX "local:"
#define DEFAULT_NAME "default"
#define NAME_MAX_BYTES 32
#define ROOT_PARENT "/var/lib/pgqrs"

#define ALLOWED "give 1 to %d of a-z, 0-9, \"-\" and \"_\", not \"-\" first"

/* ---- Names and folders ---- */

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
        return pgqrsi_error_set(err, PGQRS_EINVAL,
                                "refused the name of a private server, which is not shown, as it "
                                "may hold a password: " ALLOWED,
                                NAME_MAX_BYTES);
    return pgqrsi_error_set(err, PGQRS_EINVAL,
                            "refused the name \"%.*s\" of a private server: " ALLOWED,
                            (int)(name.size > 64 ? 64 : name.size), name.data, NAME_MAX_BYTES);
}

/* The variable's value if it is an absolute path; a relative one is ignored, as the XDG
 * specification says. The environment of a set-user-ID program is its caller's and not heard. */
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
    if (asprintf(out, "%s/.local/share/pgqrs", entry.pw_dir) >= 0)
        return PGQRS_OK;
    *out = NULL;
    return pgqrsi_error_memory(err);
}

static pgqrs_status
find_parent(char **out, pgqrs_error *err)
{
    const char *override = secure_getenv("PGQRS_LOCAL_ROOT");
    const char *data_home = absolute_from_environment("XDG_DATA_HOME");
    const char *home = absolute_from_environment("HOME");
    int length;

    if (override != NULL && *override != '\0' && *override != '/')
        return pgqrsi_error_set(err, PGQRS_EINVAL,
                                "refused PGQRS_LOCAL_ROOT = \"%s\": give an absolute path",
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

pgqrs_status
pgqrsi_local_find_folder(pgqrs_slice name, char **out, pgqrs_error *err)
{
    char *parent = NULL, *folder = NULL;
    pgqrs_status status;

    if (name.data == NULL)
        name = pgqrs_slice_of(DEFAULT_NAME);
    status = check_name(name, err);
    if (status == PGQRS_OK)
        status = find_parent(&parent, err);
    if (status == PGQRS_OK && asprintf(&folder, "%s/%.*s", parent, PGQRS_SLICE_ARG(name)) < 0)
        status = pgqrsi_error_memory(err);
    free(parent);
    if (status == PGQRS_OK)
        *out = folder;
    return status;
}

/* ---- Whose it is ---- */

pgqrs_status
pgqrsi_local_find_account(struct passwd *entry, char *text, size_t size, struct passwd **out,
                          pgqrs_error *err)
{
    int error = getpwnam_r(PGQRSI_LOCAL_ACCOUNT, entry, text, size, out);

    if (*out == NULL && error != 0 && error != ENOENT && error != ESRCH)
        return pgqrsi_error_set(err, PGQRS_ESYSTEM, "could not look up the account \"%s\": %s",
                                PGQRSI_LOCAL_ACCOUNT, strerror(error));
    if (*out != NULL && entry->pw_uid == 0)
        *out = NULL;
    return PGQRS_OK;
}

/* The user whose servers this process uses. */
static pgqrs_status
find_owner(uid_t *out, pgqrs_error *err)
{
    char text[4096];
    struct passwd entry, *found = NULL;
    pgqrs_status status;

    *out = geteuid();
    if (*out != 0)
        return PGQRS_OK;
    status = pgqrsi_local_find_account(&entry, text, sizeof(text), &found, err);
    if (found != NULL)
        *out = entry.pw_uid;
    return status;
}

/* If others can write in the folder above, one of them may have put a server of his there to
 * receive our data. */
pgqrs_status
pgqrsi_local_open_data(const char *data, const uid_t *owner, int *out_fd, struct stat *info,
                       pgqrs_error *err)
{
    *out_fd = open(data, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (*out_fd < 0 && errno == ENOENT)
        return PGQRS_OK;
    if (*out_fd < 0 || fstat(*out_fd, info) < 0)
        return pgqrsi_error_set(
            err, PGQRS_ESYSTEM,
            "could not look into \"%s\": %s; it must be a folder that belongs to this user", data,
            strerror(errno));
    if (owner != NULL && info->st_uid != *owner)
        return pgqrsi_error_set(
            err, PGQRS_ESYSTEM,
            "refused the folder \"%s\": it belongs to user %ld and not to %ld; remove it, or "
            "choose another name for the private server",
            data, (long)info->st_uid, (long)*owner);
    return PGQRS_OK;
}

/* ---- Where it listens ---- */

ssize_t
pgqrsi_local_read_start(int folder_fd, const char *path, char *text, size_t size)
{
    int fd = openat(folder_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    ssize_t length;

    if (fd < 0)
        return -1;
    do
        length = read(fd, text, size - 1);
    while (length < 0 && errno == EINTR);
    text[length > 0 ? length : 0] = '\0';
    close(fd);
    return length;
}

pgqrs_status
pgqrsi_local_read_pid_file(int data_fd, pgqrsi_local_pid_file *out, pgqrs_error *err)
{
    enum { LINE_PID = 0, LINE_PORT = 3, LINE_SOCKET_DIR = 4, LINE_STATUS = 7, LINE_COUNT = 8 };
    char text[4096], *lines[LINE_COUNT] = { NULL }, *rest = text;
    long number;

    memset(out, 0, sizeof(*out));
    if (pgqrsi_local_read_start(data_fd, PGQRSI_LOCAL_PID_FILE, text, sizeof(text)) <= 0)
        return PGQRS_OK;
    for (size_t i = 0; i < LINE_COUNT && rest != NULL; i++)
        lines[i] = strsep(&rest, "\n");
    if (lines[LINE_SOCKET_DIR] != NULL && *lines[LINE_SOCKET_DIR] == '/') {
        out->port = atoi(lines[LINE_PORT]);
        out->socket_dir = strdup(lines[LINE_SOCKET_DIR]);
        if (out->socket_dir == NULL)
            return pgqrsi_error_memory(err);
    }
    number = labs(strtol(lines[LINE_PID], NULL, 10)); /* negative: single-user mode */
    if (number > 1 && (long)(pid_t)number == number)
        out->pid = (pid_t)number;
    out->is_ready = lines[LINE_STATUS] != NULL && (strncmp(lines[LINE_STATUS], "ready", 5) == 0 ||
                                                   strncmp(lines[LINE_STATUS], "standby", 7) == 0);
    return PGQRS_OK;
}

void
pgqrsi_local_pid_file_release(pgqrsi_local_pid_file *file)
{
    free(file->socket_dir);
    memset(file, 0, sizeof(*file));
}

int
pgqrsi_local_listens(const char *socket_dir, int port, uid_t *out_user)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct ucred peer = { .uid = (uid_t)-1 };
    socklen_t size = sizeof(peer);
    int length, fd, is_heard;

    length =
        snprintf(address.sun_path, sizeof(address.sun_path), "%s/.s.PGSQL.%d", socket_dir, port);
    if (length < 0 || (size_t)length >= sizeof(address.sun_path))
        return 0;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return 0;
    is_heard = connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
    if (is_heard && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        peer.uid = (uid_t)-1;
    is_heard = is_heard || errno == EAGAIN;
    close(fd);
    if (out_user != NULL)
        *out_user = peer.uid;
    return is_heard;
}

/* ---- Connecting ---- */

/* Whatever libpq would else take from its environment variables: PGHOSTADDR and the like would lead
 * to some other server, or fail here. (PGSERVICE, PGTZ, PGDATESTYLE and PGGEQO have no keyword that
 * says "none".) */
#define INDEPENDENT                                                                                \
    " hostaddr='' options='' target_session_attrs='any' requirepeer='' sslmode='disable' "         \
    "gssencmode='disable' channel_binding='disable' sslrootcert='' ssl_min_protocol_version='' "   \
    "ssl_max_protocol_version=''"

char *
pgqrsi_local_write_conninfo(const char *socket_dir, int port)
{
    pgqrsi_buffer text = PGQRSI_BUFFER_INIT;
    char rest[384];

    pgqrsi_buffer_append_text(&text, "host='");
    for (const char *p = socket_dir; *p != '\0'; p++) {
        if (*p == '\'' || *p == '\\')
            pgqrsi_buffer_append_text(&text, "\\");
        pgqrsi_buffer_append(&text, p, 1);
    }
    snprintf(rest, sizeof(rest),
             "' port='%d' user='" PGQRSI_LOCAL_USER "' dbname='" PGQRSI_LOCAL_DATABASE
             "'" INDEPENDENT,
             port);
    pgqrsi_buffer_append(&text, rest, strlen(rest) + 1);
    if (text.failed) {
        pgqrsi_buffer_release(&text);
        return NULL;
    }
    return text.data;
}

int
pgqrsi_local_is_dsn(pgqrs_slice dsn)
{
    return dsn.data != NULL && dsn.size >= strlen(DSN_PREFIX) &&
           memcmp(dsn.data, DSN_PREFIX, strlen(DSN_PREFIX)) == 0;
}

static pgqrs_status
report_away(const char *name, const char *state, pgqrs_error *err)
{
    return pgqrsi_error_set(
        err, PGQRS_ECONNECT,
        "could not connect to the private server \"%s\", which %s: start it with pgqrs "
        "local start %s",
        name, state, name);
}

/* A folder in /tmp that a cleaner has removed may be a stranger's by now, with a server in it. */
static pgqrs_status
report_stranger(const char *name, const char *socket_dir, uid_t user, uid_t owner, pgqrs_error *err)
{
    return pgqrsi_error_set(
        err, PGQRS_ESYSTEM,
        "refused to connect to the private server \"%s\": the process that listens in "
        "\"%s\" belongs to user %ld and not to %ld; see whose that folder is",
        name, socket_dir, (long)user, (long)owner);
}

/* postmaster.pid alone proves nothing: it stays behind after kill -9 or a power cut. */
static pgqrs_status
find_server(const char *name, int data_fd, uid_t owner, char **out, pgqrs_error *err)
{
    pgqrsi_local_pid_file file;
    uid_t user = (uid_t)-1;
    char *conninfo = NULL;
    pgqrs_status status = pgqrsi_local_read_pid_file(data_fd, &file, err);

    if (status == PGQRS_OK && file.pid == 0)
        status = report_away(name, "does not run", err);
    else if (status == PGQRS_OK &&
             (file.socket_dir == NULL || !pgqrsi_local_listens(file.socket_dir, file.port, &user) ||
              user == (uid_t)-1))
        status = report_away(name, "does not answer", err);
    else if (status == PGQRS_OK && user != owner)
        status = report_stranger(name, file.socket_dir, user, owner, err);
    if (status == PGQRS_OK)
        conninfo = pgqrsi_local_write_conninfo(file.socket_dir, file.port);
    if (conninfo != NULL)
        *out = conninfo;
    else if (status == PGQRS_OK)
        status = pgqrsi_error_memory(err);
    pgqrsi_local_pid_file_release(&file);
    return status;
}

/* In the folder parent/NAME. */
static pgqrs_status
find_in_folder(const char *folder, char **out, pgqrs_error *err)
{
    const char *name = strrchr(folder, '/') + 1;
    struct stat info;
    uid_t owner;
    char *data;
    int fd = -1;
    pgqrs_status status = find_owner(&owner, err);

    if (status != PGQRS_OK)
        return status;
    if (asprintf(&data, "%s/" PGQRSI_LOCAL_DATA, folder) < 0)
        return pgqrsi_error_memory(err);
    status = pgqrsi_local_open_data(data, &owner, &fd, &info, err);
    if (status == PGQRS_OK)
        status = fd < 0 ? report_away(name, "does not exist", err)
                        : find_server(name, fd, owner, out, err);
    if (fd >= 0)
        close(fd);
    free(data);
    return status;
}

pgqrs_status
pgqrsi_local_conninfo(pgqrs_slice dsn, char **out, pgqrs_error *err)
{
    pgqrs_slice name = { NULL, 0 };
    char *folder = NULL;
    pgqrs_status status;

    if (dsn.size > strlen(DSN_PREFIX)) {
        name.data = dsn.data + strlen(DSN_PREFIX);
        name.size = dsn.size - strlen(DSN_PREFIX);
    }
    status = pgqrsi_local_find_folder(name, &folder, err);
    if (status == PGQRS_OK)
        status = find_in_folder(folder, out, err);
    free(folder);
    return status;
}
