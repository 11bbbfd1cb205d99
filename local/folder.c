#include "local/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/local.h"
#include "base/random.h"

#define OPEN_FOLDER (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define LOCK_PAUSE_MS 25

/* PostgreSQL nests four deep; a limit keeps this within the limit of open files. */
#define REMOVE_MAX_DEPTH 32

/* Root's servers need folders that the account can pass through; a user's are nobody else's
 * business. */
static mode_t
folder_mode(const pgqrsi_account *account)
{
    return account->switches ? 0755 : 0700;
}

static pgqrs_status
report(pgqrs_error *err, const char *attempt, const char *path, int error)
{
    return pgqrsi_error_set(err, PGQRS_ESYSTEM,
                            "could not %s \"%s\": %s; check it and the folders above it, or set "
                            "PGQRS_LOCAL_ROOT to another folder",
                            attempt, path, strerror(error));
}

/* Makes one folder, with this mode whatever the umask; one that is there stays as it is. */
static int
make_one(const char *path, mode_t mode)
{
    int fd, result;

    if (access(path, F_OK) == 0)
        return 0;
    if (mkdir(path, mode) < 0)
        return errno == EEXIST ? 0 : -1;
    fd = open(path, OPEN_FOLDER);
    if (fd < 0)
        return -1;
    result = fchmod(fd, mode);
    close(fd);
    return result;
}

static pgqrs_status
make_with_parents(const char *path, mode_t mode, pgqrs_error *err)
{
    char *copy = strdup(path);
    pgqrs_status status = PGQRS_OK;

    if (copy == NULL)
        return pgqrsi_error_memory(err);
    for (char *p = copy + 1; status == PGQRS_OK; p++) {
        char end = *p;

        if (end != '/' && end != '\0')
            continue;
        *p = '\0';
        if (make_one(copy, mode) < 0)
            status = report(err, "make the folder", copy, errno);
        *p = end;
        if (end == '\0')
            break;
    }
    free(copy);
    return status;
}

static pgqrs_status
check_owner(int fd, const char *path, uid_t owner, pgqrs_error *err)
{
    struct stat info;

    if (fstat(fd, &info) < 0)
        return report(err, "look at", path, errno);
    if (info.st_uid == owner)
        return PGQRS_OK;
    return pgqrsi_error_set(
        err, PGQRS_ESYSTEM,
        "refused the folder \"%s\": it belongs to user %ld and not to %ld; remove it, or run this "
        "as its owner",
        path, (long)info.st_uid, (long)owner);
}

/* ---- Whether the folder is ours ---- */

/* 1 if the folder holds something besides the lock; -1 if it cannot be read. */
static int
is_used(int fd)
{
    int copy = openat(fd, ".", OPEN_FOLDER);
    DIR *entries = copy >= 0 ? fdopendir(copy) : NULL;
    const struct dirent *entry;
    int used = 0;

    if (entries == NULL) {
        if (copy >= 0)
            close(copy);
        return -1;
    }
    while (!used && (entry = readdir(entries)) != NULL)
        used = strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
               strcmp(entry->d_name, PGQRSI_PATHS_LOCK) != 0;
    closedir(entries);
    return used;
}

static int
has_marker(int fd)
{
    struct stat info;

    return fstatat(fd, PGQRSI_PATHS_MARKER, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISREG(info.st_mode);
}

/* The marker is written before anything else and removed after it, so a folder in use without one
 * is foreign. */
static pgqrs_status
check_ours(int fd, const pgqrsi_paths *paths, pgqrs_error *err)
{
    int used = is_used(fd);

    if (used < 0)
        return report(err, "read the folder", paths->folder, errno);
    if (!used || has_marker(fd))
        return PGQRS_OK;
    return pgqrsi_error_set(err, PGQRS_ESYSTEM,
                            "refused the folder \"%s\": it is in use but was not made by pgqrs (it "
                            "has no file \"%s\"); "
                            "move it away, or choose another name for the private server",
                            paths->folder, PGQRSI_PATHS_MARKER);
}

static pgqrs_status
write_marker(int fd, const pgqrsi_paths *paths, pgqrs_error *err)
{
    int marker =
        openat(fd, PGQRSI_PATHS_MARKER, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

    if (marker < 0)
        return errno == EEXIST ? PGQRS_OK : report(err, "write a file in", paths->folder, errno);
    /* Its being there is what counts. */
    if (dprintf(marker,
                "A private PostgreSQL server of pgqrs. Remove it by `pgqrs local destroy %s`.\n",
                paths->name) < 0) {
        int error = errno;

        unlinkat(fd, PGQRSI_PATHS_MARKER, 0);
        close(marker);
        return report(err, "write a file in", paths->folder, error);
    }
    close(marker);
    return PGQRS_OK;
}

/* ---- Locking ---- */

static void
pause_ms(int64_t ms)
{
    struct timespec time = { (time_t)(ms / 1000), (long)(ms % 1000) * 1000000L };

    nanosleep(&time, NULL);
}

static pgqrs_status
wait_for_lock(int fd, const pgqrsi_paths *paths, int64_t deadline_ms, pgqrs_error *err)
{
    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return report(err, "lock", paths->lock, errno);
        if (pgqrsi_clock_left_ms(deadline_ms) == 0)
            return pgqrsi_error_set(
                err, PGQRS_ESYSTEM,
                "gave up on the private server \"%s\": another process is still starting or "
                "stopping it and holds \"%s\"; try again",
                paths->name, paths->lock);
        pause_ms(pgqrsi_random_jitter(LOCK_PAUSE_MS));
    }
    return PGQRS_OK;
}

/* Opens the folder. *out_fd is -1 if there is none. */
static pgqrs_status
open_folder(const pgqrsi_paths *paths, const pgqrsi_account *account, int *out_fd, pgqrs_error *err)
{
    pgqrs_status status;

    *out_fd = open(paths->folder, OPEN_FOLDER);
    if (*out_fd < 0)
        return errno == ENOENT ? PGQRS_OK : report(err, "open the folder", paths->folder, errno);
    status = check_owner(*out_fd, paths->folder, account->switches ? 0 : account->uid, err);
    return status == PGQRS_OK ? check_ours(*out_fd, paths, err) : status;
}

/* Whoever removes the folder removes the lock as well; a lock that was waited for may be gone by
 * then. */
static int
is_current(int lock_fd, const pgqrsi_paths *paths)
{
    struct stat ours, current;

    return fstat(lock_fd, &ours) == 0 && lstat(paths->lock, &current) == 0 &&
           ours.st_dev == current.st_dev && ours.st_ino == current.st_ino;
}

/* One attempt. PGQRS_OK without folder->lock_fd: the folder vanished meanwhile, try again. */
static pgqrs_status
try_lock(pgqrsi_folder *folder, const pgqrsi_paths *paths, const pgqrsi_account *account,
         pgqrsi_folder_mode mode, int64_t deadline_ms, pgqrs_error *err)
{
    pgqrs_status status = PGQRS_OK;

    if (mode == PGQRSI_FOLDER_CREATE)
        status = make_with_parents(paths->folder, folder_mode(account), err);
    if (status == PGQRS_OK)
        status = open_folder(paths, account, &folder->fd, err);
    if (status != PGQRS_OK)
        return status;
    if (folder->fd < 0)
        return mode == PGQRSI_FOLDER_CREATE ? PGQRS_OK : PGQRS_ECONNECT;
    folder->lock_fd =
        openat(folder->fd, PGQRSI_PATHS_LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (folder->lock_fd < 0)
        return errno == ENOENT ? PGQRS_OK : report(err, "open", paths->lock, errno);
    status = wait_for_lock(folder->lock_fd, paths, deadline_ms, err);
    if (status == PGQRS_OK && !is_current(folder->lock_fd, paths)) {
        close(folder->lock_fd);
        folder->lock_fd = -1;
    }
    return status;
}

pgqrs_status
pgqrsi_folder_lock(pgqrsi_folder *folder, const pgqrsi_paths *paths, const pgqrsi_account *account,
                   pgqrsi_folder_mode mode, int64_t deadline_ms, pgqrs_error *err)
{
    pgqrs_status status;

    *folder = (pgqrsi_folder)PGQRSI_FOLDER_INIT;
    do {
        if (folder->fd >= 0)
            close(folder->fd);
        folder->fd = -1;
        status = try_lock(folder, paths, account, mode, deadline_ms, err);
    } while (status == PGQRS_OK && folder->lock_fd < 0);
    if (status == PGQRS_ECONNECT)
        return pgqrsi_error_set(err, status,
                                "there is no private server \"%s\": \"%s\" does not exist; `pgqrs "
                                "local start` makes it",
                                paths->name, paths->folder);
    if (status == PGQRS_OK)
        status = check_ours(folder->fd, paths, err);
    return status == PGQRS_OK ? write_marker(folder->fd, paths, err) : status;
}

void
pgqrsi_folder_unlock(pgqrsi_folder *folder)
{
    /* Not by closing alone: a child that another thread has forked may hold a copy for a while. */
    if (folder->lock_fd >= 0) {
        flock(folder->lock_fd, LOCK_UN);
        close(folder->lock_fd);
    }
    if (folder->fd >= 0)
        close(folder->fd);
    *folder = (pgqrsi_folder)PGQRSI_FOLDER_INIT;
}

/* ---- Sub-folders ---- */

/* Makes the folder `entry` of `parent_fd`, or takes one that is there; mode 0700 and the account's
 * in the end. A folder that belongs to anybody else is refused. */
static pgqrs_status
make_private(int parent_fd, const char *entry, const char *path, const pgqrsi_account *account,
             pgqrs_error *err)
{
    int made = mkdirat(parent_fd, entry, 0700) == 0;
    int fd = made || errno == EEXIST ? openat(parent_fd, entry, OPEN_FOLDER) : -1;
    pgqrs_status status;

    if (fd < 0)
        return report(err, "make the folder", path, errno);
    if (made && account->switches && fchown(fd, account->uid, account->gid) < 0) {
        int error = errno;

        close(fd);
        unlinkat(parent_fd, entry, AT_REMOVEDIR);
        return report(err, "give to the account " PGQRSI_LOCAL_ACCOUNT " the folder", path, error);
    }
    status = check_owner(fd, path, account->uid, err);
    if (status == PGQRS_OK && fchmod(fd, 0700) < 0)
        status = report(err, "close to other users the folder", path, errno);
    close(fd);
    return status;
}

pgqrs_status
pgqrsi_folder_make_private(const pgqrsi_folder *folder, const char *entry,
                           const pgqrsi_paths *paths, const pgqrsi_account *account,
                           pgqrs_error *err)
{
    char *path;
    pgqrs_status status;

    if (asprintf(&path, "%s/%s", paths->folder, entry) < 0)
        return pgqrsi_error_memory(err);
    status = make_private(folder->fd, entry, path, account, err);
    free(path);
    return status;
}

/* ---- Removing ---- */

static int remove_entry(int parent_fd, const char *name, int depth);

/* Removes what is in the folder, whose descriptor it takes over. */
static int
empty_folder(int fd, int depth)
{
    DIR *entries = fdopendir(fd);
    const struct dirent *entry;
    int result = 0, error;

    if (entries == NULL) {
        close(fd);
        return -1;
    }
    while (result == 0 && (entry = readdir(entries)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            result = remove_entry(fd, entry->d_name, depth);
    error = errno;
    closedir(entries);
    errno = error;
    return result;
}

/* A symbolic link is removed, never followed. 0 if the entry is gone. */
static int
remove_entry(int parent_fd, const char *name, int depth)
{
    for (int attempt = 0; attempt < 3; attempt++) {
        int fd = openat(parent_fd, name, OPEN_FOLDER);

        if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
            return unlinkat(parent_fd, name, 0) == 0 || errno == ENOENT ? 0 : -1;
        if (fd < 0)
            return errno == ENOENT ? 0 : -1;
        if (depth == REMOVE_MAX_DEPTH) {
            close(fd);
            errno = ELOOP;
            return -1;
        }
        if (empty_folder(fd, depth + 1) < 0)
            return -1;
        if (unlinkat(parent_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
            return 0;
        if (errno != ENOTEMPTY)
            return -1; /* else something was put there meanwhile */
    }
    return -1;
}

/* Removes the entries that start with `prefix`, except for the marker and the lock. */
static int
remove_prefixed(int folder_fd, const char *prefix)
{
    int copy = openat(folder_fd, ".", OPEN_FOLDER);
    DIR *entries = copy >= 0 ? fdopendir(copy) : NULL;
    const struct dirent *entry;
    int result = 0, error;

    if (entries == NULL) {
        if (copy >= 0)
            close(copy);
        return -1;
    }
    while (result == 0 && (entry = readdir(entries)) != NULL) {
        const char *name = entry->d_name;

        if (strncmp(name, prefix, strlen(prefix)) == 0 && strcmp(name, ".") != 0 &&
            strcmp(name, "..") != 0 && strcmp(name, PGQRSI_PATHS_MARKER) != 0 &&
            strcmp(name, PGQRSI_PATHS_LOCK) != 0)
            result = remove_entry(folder_fd, name, 0);
    }
    error = errno;
    closedir(entries);
    errno = error;
    return result;
}

void
pgqrsi_folder_remove_leftovers(const pgqrsi_folder *folder)
{
    (void)remove_prefixed(folder->fd, PGQRSI_PATHS_TEMPORARY_PREFIX);
}

/* The folder is emptied because a crash leaves a lock file beside the socket: PostgreSQL would not
 * start if its number is another process's by now, be that a zombie. */
pgqrs_status
pgqrsi_folder_make_socket_dir(const pgqrsi_folder *folder, const pgqrsi_paths *paths,
                              const pgqrsi_account *account, pgqrs_error *err)
{
    pgqrs_status status;
    int fd;

    if (paths->socket_is_short)
        status = make_private(AT_FDCWD, paths->socket_dir, paths->socket_dir, account, err);
    else
        status = pgqrsi_folder_make_private(folder, PGQRSI_PATHS_SOCKET, paths, account, err);
    if (status != PGQRS_OK)
        return status;
    fd = open(paths->socket_dir, OPEN_FOLDER);
    if (fd < 0 || empty_folder(fd, 0) < 0)
        return report(err, "empty the folder", paths->socket_dir, errno);
    return PGQRS_OK;
}

/* Only if it is the account's: in /tmp, the name alone says nothing. */
static void
remove_short_socket_dir(const pgqrsi_paths *paths, const pgqrsi_account *account)
{
    struct stat info;

    if (paths->socket_is_short && lstat(paths->socket_dir, &info) == 0 && S_ISDIR(info.st_mode) &&
        info.st_uid == account->uid)
        (void)remove_entry(AT_FDCWD, paths->socket_dir, 0);
}

pgqrs_status
pgqrsi_folder_remove(const pgqrsi_folder *folder, const pgqrsi_paths *paths,
                     const pgqrsi_account *account, pgqrs_error *err)
{
    /* From here on there is no cluster any more, even if this process is killed half-way. */
    if (renameat(folder->fd, PGQRSI_LOCAL_DATA, folder->fd,
                 PGQRSI_PATHS_TEMPORARY_PREFIX "removed") < 0 &&
        errno != ENOENT) {
        /* A leftover of that name is in the way. */
        pgqrsi_folder_remove_leftovers(folder);
        if (renameat(folder->fd, PGQRSI_LOCAL_DATA, folder->fd,
                     PGQRSI_PATHS_TEMPORARY_PREFIX "removed") < 0)
            return report(err, "remove", paths->data, errno);
    }
    remove_short_socket_dir(paths, account);
    if (remove_prefixed(folder->fd, "") < 0)
        return report(err, "remove all of", paths->folder, errno);
    if (unlinkat(folder->fd, PGQRSI_PATHS_MARKER, 0) < 0 && errno != ENOENT)
        return report(err, "remove all of", paths->folder, errno);
    if (unlinkat(folder->fd, PGQRSI_PATHS_LOCK, 0) < 0 && errno != ENOENT)
        return report(err, "remove all of", paths->folder, errno);
    /* Another process may be making a new server there by now, which is its good right. */
    if (rmdir(paths->folder) < 0 && errno != ENOENT && errno != ENOTEMPTY && errno != EEXIST)
        return report(err, "remove", paths->folder, errno);
    return PGQRS_OK;
}
