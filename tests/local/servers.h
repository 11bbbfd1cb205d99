/*
 * What the tests of private servers share: a throw-away folder whose name would upset a shell, and
 * psql. They run as root (the servers then belong to the account `postgres`) and as an ordinary
 * user.
 */
#ifndef TESTS_LOCAL_SERVERS_H
#define TESTS_LOCAL_SERVERS_H

#include "found.h"

#include <fcntl.h>
#include <pgqrs/error.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "local/local.h"

/* The whole run's state. */
static char base[128];   /* what mkdtemp made */
static pgqrs_error *err; /* of the last failure */
static const char *const server_names[] = { "default", "killed", "moved", "full" };

/* ---- Helpers ---- */

static inline pgqrs_slice
of(const char *text)
{
    return pgqrs_slice_of(text);
}

#define expect_status(call, status)                                                                \
    do {                                                                                           \
        pgqrs_status got_ = (call);                                                                \
        if (got_ != (status))                                                                      \
            fail_msg("%s: %s: %s", #call, pgqrs_status_name(got_), pgqrs_error_message(err));      \
    } while (0)

#define expect_ok(call) expect_status(call, PGQRS_OK)

static inline void
expect_message(const char *part)
{
    if (strstr(pgqrs_error_message(err), part) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", part, pgqrs_error_message(err));
}

/* base/entry, in one of a few static buffers. */
static inline const char *
path_of(const char *format, ...)
{
    static char paths[4][1024];
    static unsigned next;
    char *path = paths[next++ % 4];
    int length = snprintf(path, sizeof(paths[0]), "%s/", base);
    va_list args;

    va_start(args, format);
    vsnprintf(path + length, sizeof(paths[0]) - (size_t)length, format, args);
    va_end(args);
    return path;
}

static inline int
exists(const char *path)
{
    struct stat info;

    return lstat(path, &info) == 0;
}

static inline void
write_file(const char *path, const char *mode, const char *text)
{
    FILE *file = fopen(path, mode);

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* Runs psql and returns its output without the last line end, to be freed; NULL if it failed. */
static inline char *
query(const char *conninfo, const char *sql)
{
    char *argv[] = { (char[]){ "psql" },
                     (char[]){ "-XAtq" },
                     (char[]){ "-d" },
                     strdup(conninfo),
                     (char[]){ "-c" },
                     strdup(sql),
                     NULL };
    char *output = calloc(1, 65536);
    size_t size = 0;
    posix_spawn_file_actions_t actions;
    int ends[2], wait_status;
    ssize_t got;
    pid_t pid;

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    assert_int_equal(posix_spawnp(&pid, "psql", &actions, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    while ((got = read(ends[0], output + size, 65535 - size)) > 0)
        size += (size_t)got;
    close(ends[0]);
    assert_int_equal(waitpid(pid, &wait_status, 0), pid);
    free(argv[3]);
    free(argv[5]);
    if (size > 0 && output[size - 1] == '\n')
        output[size - 1] = '\0';
    if (wait_status == 0)
        return output;
    free(output);
    return NULL;
}

static inline void
expect_query(const char *conninfo, const char *sql, const char *expected)
{
    char *got = query(conninfo, sql);

    assert_non_null(got);
    assert_string_equal(got, expected);
    free(got);
}

/* The server's account; our own unless we are root. */
static inline void
server_account(uid_t *uid, gid_t *gid)
{
    const struct passwd *entry = geteuid() == 0 ? getpwnam("postgres") : NULL;

    *uid = entry != NULL ? entry->pw_uid : geteuid();
    *gid = entry != NULL ? entry->pw_gid : getegid();
}

static inline void
pause_ms(long ms)
{
    nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000L }, NULL);
}

static inline int64_t
pid_of(const char *name)
{
    pgqrs_local_info info;
    int64_t pid;

    expect_ok(pgqrs_local_status(of(name), &info, err));
    pid = info.pid;
    pgqrs_local_info_release(&info);
    return pid;
}

static inline void
start(const char *name, pgqrs_local_info *info)
{
    expect_ok(pgqrs_local_start(of(name), info, err));
    assert_int_equal(info->state, PGQRS_LOCAL_RUNNING);
    assert_true(info->pid > 1);
}

/* ---- The run ---- */

static inline int
set_up(void **state)
{
    (void)state;
    snprintf(base, sizeof(base), "/tmp/pgqrs it's \"$x\" XXXXXX");
    err = pgqrs_error_new();
    if (err == NULL || mkdtemp(base) == NULL || chmod(base, 0755) < 0)
        return -1;
    return setenv("PGQRS_LOCAL_ROOT", base, 1);
}

/* Also after failed tests: no server may stay behind. */
static inline int
tear_down(void **state)
{
    (void)state;
    setenv("PGQRS_LOCAL_ROOT", base, 1);
    for (size_t i = 0; i < sizeof(server_names) / sizeof(server_names[0]); i++)
        pgqrs_local_destroy(of(server_names[i]), NULL);
    pgqrs_error_free(err);
    if (rmdir(base) == 0)
        return 0;
    fprintf(stderr, "left behind: %s\n", base);
    return -1;
}

#endif
