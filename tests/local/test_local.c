/*
 * Private servers, with real clusters in a throw-away folder whose name would upset a shell. Runs as root
 * (the servers then belong to the account `postgres`) and as an ordinary user.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pgqrs/local.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "local/folder.h"
#include "local/local.h"

/* The whole run's state. */
static char base[128];   /* what mkdtemp made */
static pgqrs_error *err; /* of the last failure */
static const char *const server_names[] = { "default", "killed", "moved", "full" };

/* ---- Helpers ---- */

static pgqrs_slice
of(const char *text)
{
    return pgqrs_slice_of(text);
}

#define expect_status(call, status)                                                                          \
    do {                                                                                                     \
        pgqrs_status got_ = (call);                                                                          \
        if (got_ != (status))                                                                                \
            fail_msg("%s: %s: %s", #call, pgqrs_status_name(got_), pgqrs_error_message(err));                \
    } while (0)

#define expect_ok(call) expect_status(call, PGQRS_OK)

static void
expect_message(const char *part)
{
    if (strstr(pgqrs_error_message(err), part) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", part, pgqrs_error_message(err));
}

/* base/entry, in one of a few static buffers. */
static const char *
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

static int
exists(const char *path)
{
    struct stat info;

    return lstat(path, &info) == 0;
}

static void
write_file(const char *path, const char *mode, const char *text)
{
    FILE *file = fopen(path, mode);

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* Runs psql and returns its output without the last line end, to be freed; NULL if it failed. */
static char *
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

static void
expect_query(const char *conninfo, const char *sql, const char *expected)
{
    char *got = query(conninfo, sql);

    assert_non_null(got);
    assert_string_equal(got, expected);
    free(got);
}

/* The server's account; our own unless we are root. */
static void
server_account(uid_t *uid, gid_t *gid)
{
    const struct passwd *entry = geteuid() == 0 ? getpwnam("postgres") : NULL;

    *uid = entry != NULL ? entry->pw_uid : geteuid();
    *gid = entry != NULL ? entry->pw_gid : getegid();
}

static void
pause_ms(long ms)
{
    nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000L }, NULL);
}

static int64_t
pid_of(const char *name)
{
    pgqrs_local_info info;
    int64_t pid;

    expect_ok(pgqrs_local_status(of(name), &info, err));
    pid = info.pid;
    pgqrs_local_info_release(&info);
    return pid;
}

static void
start(const char *name, pgqrs_local_info *info)
{
    expect_ok(pgqrs_local_start(of(name), info, err));
    assert_int_equal(info->state, PGQRS_LOCAL_RUNNING);
    assert_true(info->pid > 1);
}

/* ---- Without a server ---- */

static void
refuses_bad_names(void **state)
{
    static const char *const bad[] = { "",
                                       ".",
                                       "..",
                                       "../x",
                                       "a/b",
                                       "A",
                                       "a b",
                                       "x.y",
                                       "\xc3\xa4",
                                       "a\n",
                                       "abcdefghijklmnopqrstuvwxyz0123456" };
    pgqrs_local_info info;
    char *conninfo;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        expect_status(pgqrs_local_start(of(bad[i]), &info, err), PGQRS_EINVAL);
        expect_message("give 1 to 32 of a-z, 0-9");
        expect_status(pgqrs_local_status(of(bad[i]), &info, err), PGQRS_EINVAL);
        expect_status(pgqrs_local_stop(of(bad[i]), err), PGQRS_EINVAL);
        expect_status(pgqrs_local_destroy(of(bad[i]), err), PGQRS_EINVAL);
    }
    expect_status(pgqrs_local_start((pgqrs_slice){ "a\0b", 3 }, &info, err), PGQRS_EINVAL);
    expect_status(pgqrsi_local_conninfo(of("local:../x"), &conninfo, err), PGQRS_EINVAL);
    expect_status(pgqrsi_local_conninfo(of("postgres://x"), &conninfo, err), PGQRS_EINVAL);
}

static void
knows_its_dsns(void **state)
{
    (void)state;
    assert_true(pgqrsi_local_is_dsn(of("local:")));
    assert_true(pgqrsi_local_is_dsn(of("local:name")));
    assert_false(pgqrsi_local_is_dsn(of("local")));
    assert_false(pgqrsi_local_is_dsn(of("host=local:")));
    assert_false(pgqrsi_local_is_dsn(of("postgres://local:5432/x")));
    assert_false(pgqrsi_local_is_dsn((pgqrs_slice){ NULL, 0 }));
}

static void
describes_an_absent_server_and_makes_nothing(void **state)
{
    pgqrs_local_info info;

    (void)state;
    expect_ok(pgqrs_local_status(of("nobody"), &info, err));
    assert_int_equal(info.state, PGQRS_LOCAL_ABSENT);
    assert_int_equal(info.pid, 0);
    assert_string_equal(info.data_dir, path_of("nobody/data"));
    assert_string_equal(info.log_file, path_of("nobody/log/startup.log"));
    assert_non_null(strstr(info.conninfo, "/nobody/socket' port='5432' user='pgqrs' dbname='pgqrs'"));
    pgqrs_local_info_release(&info);
    expect_status(pgqrs_local_stop(of("nobody"), err), PGQRS_ENOSERVER);
    expect_status(pgqrs_local_destroy(of("nobody"), err), PGQRS_ENOSERVER);
    expect_message("there is no private server \"nobody\"");
    assert_false(exists(path_of("nobody")));
}

static void
finds_its_folder(void **state)
{
    char *home = strdup(getenv("HOME") != NULL ? getenv("HOME") : "/");
    pgqrs_local_info info;

    (void)state;
    setenv("PGQRS_LOCAL_ROOT", "relative", 1);
    expect_status(pgqrs_local_status(of("x"), &info, err), PGQRS_EINVAL);
    expect_message("give an absolute path");
    setenv("PGQRS_LOCAL_ROOT", "/tmp/a\nb", 1);
    expect_status(pgqrs_local_status(of("x"), &info, err), PGQRS_ESYSTEM);
    expect_message("has a control character");
    unsetenv("PGQRS_LOCAL_ROOT");
    setenv("XDG_DATA_HOME", "/xdg", 1);
    setenv("HOME", "/home/me", 1);
    expect_ok(pgqrs_local_status(of("x"), &info, err));
    assert_string_equal(info.data_dir, geteuid() == 0 ? "/var/lib/pgqrs/x/data" : "/xdg/pgqrs/x/data");
    pgqrs_local_info_release(&info);
    setenv("XDG_DATA_HOME", "relative", 1);
    expect_ok(pgqrs_local_status((pgqrs_slice){ NULL, 0 }, &info, err));
    assert_string_equal(info.data_dir, geteuid() == 0 ? "/var/lib/pgqrs/default/data"
                                                      : "/home/me/.local/share/pgqrs/default/data");
    pgqrs_local_info_release(&info);
    unsetenv("XDG_DATA_HOME");
    unsetenv("HOME");
    expect_ok(pgqrs_local_status(of("x"), &info, err));
    assert_int_equal(*info.data_dir, '/');
    pgqrs_local_info_release(&info);
    setenv("HOME", home, 1);
    setenv("PGQRS_LOCAL_ROOT", base, 1);
    free(home);
}

static void
says_which_programs_are_missing(void **state)
{
    pgqrs_local_info info;

    (void)state;
    assert_int_equal(mkdir(path_of("empty"), 0755), 0);
    setenv("PGQRS_PG_BINDIR", path_of("empty"), 1);
    expect_status(pgqrs_local_start(of("nobody"), &info, err), PGQRS_ENOPOSTGRES);
    expect_message("missing: initdb, pg_ctl, postgres; looked in PGQRS_PG_BINDIR = ");
    expect_message(path_of("empty"));
    expect_message("apt-get install postgresql");
    write_file(path_of("empty/initdb"), "w", "");
    assert_int_equal(chmod(path_of("empty/initdb"), 0755), 0);
    expect_status(pgqrs_local_start(of("nobody"), &info, err), PGQRS_ENOPOSTGRES);
    expect_message("missing: pg_ctl, postgres in ");
    assert_int_equal(unlink(path_of("empty/initdb")), 0);
    assert_int_equal(rmdir(path_of("empty")), 0);
    unsetenv("PGQRS_PG_BINDIR");
    assert_false(exists(path_of("nobody")));
}

static void
refuses_foreign_folders(void **state)
{
    pgqrs_local_info info;

    (void)state;
    assert_int_equal(mkdir(path_of("foreign"), 0755), 0);
    write_file(path_of("foreign/precious"), "w", "data");
    expect_status(pgqrs_local_destroy(of("foreign"), err), PGQRS_ESYSTEM);
    expect_message("was not made by pgqrs");
    expect_status(pgqrs_local_start(of("foreign"), &info, err), PGQRS_ESYSTEM);
    assert_true(exists(path_of("foreign/precious")));
    assert_false(exists(path_of("foreign/lock")));
    assert_int_equal(symlink("foreign", path_of("linked")), 0);
    expect_status(pgqrs_local_destroy(of("linked"), err), PGQRS_ESYSTEM);
    expect_status(pgqrs_local_start(of("linked"), &info, err), PGQRS_ESYSTEM);
    assert_true(exists(path_of("foreign/precious")));
    if (geteuid() == 0) {
        assert_int_equal(mkdir(path_of("theirs"), 0755), 0);
        assert_int_equal(chown(path_of("theirs"), 65534, 65534), 0);
        expect_status(pgqrs_local_start(of("theirs"), &info, err), PGQRS_ESYSTEM);
        expect_message("it belongs to user 65534");
        assert_int_equal(rmdir(path_of("theirs")), 0);
    }
    unlink(path_of("linked"));
    unlink(path_of("foreign/precious"));
    assert_int_equal(rmdir(path_of("foreign")), 0);
}

/* ---- With a server: "default", made by the first of these ---- */

static void
many_starters_make_one_server(void **state)
{
    enum { STARTERS = 20 };
    pid_t starters[STARTERS];
    int ends[2];
    int64_t first, pid;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    for (int i = 0; i < STARTERS; i++) {
        starters[i] = fork();
        if (starters[i] == 0) {
            pgqrs_local_info info;

            if (pgqrs_local_start((pgqrs_slice){ NULL, 0 }, &info, err) != PGQRS_OK) {
                fprintf(stderr, "%s\n", pgqrs_error_message(err));
                _exit(1);
            }
            _exit(write(ends[1], &info.pid, sizeof(info.pid)) == sizeof(info.pid) ? 0 : 2);
        }
        assert_true(starters[i] > 0);
    }
    close(ends[1]);
    for (int i = 0; i < STARTERS; i++) {
        int wait_status;

        assert_int_equal(waitpid(starters[i], &wait_status, 0), starters[i]);
        assert_int_equal(wait_status, 0);
    }
    assert_int_equal(read(ends[0], &first, sizeof(first)), sizeof(first));
    for (int i = 1; i < STARTERS; i++) {
        assert_int_equal(read(ends[0], &pid, sizeof(pid)), sizeof(pid));
        assert_int_equal(pid, first);
    }
    /* The end of file: no server process holds what its starter had open. */
    assert_int_equal(read(ends[0], &pid, sizeof(pid)), 0);
    close(ends[0]);
    assert_int_equal(pid_of("default"), first);
}

static void
server_is_set_up_well(void **state)
{
    pgqrs_local_info info;
    struct stat data, socket_dir, log_file;
    uid_t uid;
    gid_t gid;

    (void)state;
    server_account(&uid, &gid);
    start("default", &info);
    expect_query(info.conninfo, "select current_user, current_database()", "pgqrs|pgqrs");
    expect_query(info.conninfo,
                 "select string_agg(setting, ' ' order by name) from pg_settings where name in "
                 "('data_checksums', 'fsync', 'listen_addresses', 'server_encoding', 'max_connections',"
                 " 'wal_compression', 'logging_collector', 'autovacuum_naptime', 'cluster_name')",
                 "5 pgqrs/default on on  on 100 UTF8 pglz");
    expect_query(info.conninfo, "select datcollate from pg_database where datname = 'pgqrs'", "C");
    expect_query(info.conninfo,
                 "select string_agg(type || ' ' || auth_method, ', ' order by line_number) "
                 "from pg_hba_file_rules where database = '{all}'",
                 "local trust, host reject, host reject");
    assert_int_equal(stat(info.data_dir, &data), 0);
    assert_int_equal(stat(path_of("default/socket"), &socket_dir), 0);
    assert_true(data.st_uid == uid && (data.st_mode & 0777) == 0700);
    assert_true(socket_dir.st_uid == uid && (socket_dir.st_mode & 0777) == 0700);
    assert_int_equal(stat(info.log_file, &log_file), 0);
    assert_non_null(strstr(info.log_file, "/default/log/server-"));
    assert_int_equal(log_file.st_mode & 0777, 0600);
    pgqrs_local_info_release(&info);
}

static void
data_survives_stop_and_start(void **state)
{
    pgqrs_local_info info;

    (void)state;
    start("default", &info);
    free(query(info.conninfo, "create table kept as select 42 as answer"));
    pgqrs_local_info_release(&info);
    expect_ok(pgqrs_local_stop(of("default"), err));
    expect_ok(pgqrs_local_stop(of("default"), err)); /* harmless */
    expect_ok(pgqrs_local_status(of("default"), &info, err));
    assert_int_equal(info.state, PGQRS_LOCAL_STOPPED);
    assert_int_equal(info.pid, 0);
    pgqrs_local_info_release(&info);
    start("default", &info);
    expect_query(info.conninfo, "select answer from kept", "42");
    pgqrs_local_info_release(&info);
}

static void
dsn_starts_the_server(void **state)
{
    char *conninfo, *again;
    int64_t pid;

    (void)state;
    expect_ok(pgqrs_local_stop(of("default"), err));
    expect_ok(pgqrsi_local_conninfo(of("local:"), &conninfo, err));
    pid = pid_of("default");
    expect_ok(pgqrsi_local_conninfo(of("local:default"), &again, err));
    assert_string_equal(conninfo, again);
    assert_int_equal(pid_of("default"), pid);
    expect_query(again, "select 1", "1");
    free(conninfo);
    free(again);
}

static void
starts_again_after_kill(void **state)
{
    pgqrs_local_info info;
    int64_t killed;

    (void)state;
    start("default", &info);
    killed = info.pid;
    free(query(info.conninfo, "create table written as select 7 as n"));
    assert_int_equal(kill((pid_t)killed, SIGKILL), 0);
    pgqrs_local_info_release(&info);
    while (pid_of("default") == killed) /* the kill takes a moment */
        pause_ms(1);
    start("default", &info);
    assert_true(info.pid != killed);
    expect_query(info.conninfo, "select n from written", "7");
    pgqrs_local_info_release(&info);
}

/* A process of the server's account that has the server's name but is none. */
static pid_t
spawn_stranger(void)
{
    uid_t uid;
    gid_t gid;
    pid_t pid;
    int ends[2];
    char byte;

    server_account(&uid, &gid);
    assert_int_equal(pipe(ends), 0);
    pid = fork();
    if (pid == 0) {
        if (geteuid() == 0 && (setgid(gid) < 0 || setuid(uid) < 0))
            _exit(1);
        prctl(PR_SET_NAME, "postgres");
        prctl(PR_SET_DUMPABLE, 1);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(ends[1]); /* the parent reads the end of file, and goes on */
        close(ends[0]);
        for (;;)
            pause();
    }
    assert_true(pid > 0);
    close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 0);
    close(ends[0]);
    return pid;
}

static void
stale_pid_file_of_a_stranger_is_harmless(void **state)
{
    pid_t stranger = spawn_stranger();
    pgqrs_local_info info;
    char text[1200];
    uid_t uid;
    gid_t gid;

    (void)state;
    server_account(&uid, &gid);
    expect_ok(pgqrs_local_stop(of("default"), err));
    snprintf(text, sizeof(text), "%ld\n%s\n1700000000\n5432\n/nowhere\n\n  1234567 0\nready   \n",
             (long)stranger, path_of("default/data"));
    write_file(path_of("default/data/postmaster.pid"), "w", text);
    assert_int_equal(chown(path_of("default/data/postmaster.pid"), uid, gid), 0);
    expect_ok(pgqrs_local_status(of("default"), &info, err));
    assert_int_equal(info.state, PGQRS_LOCAL_STOPPED);
    pgqrs_local_info_release(&info);
    expect_ok(pgqrs_local_stop(of("default"), err));
    start("default", &info);
    assert_true(info.pid != stranger);
    expect_query(info.conninfo, "select 1", "1");
    pgqrs_local_info_release(&info);
    assert_int_equal(waitpid(stranger, NULL, WNOHANG), 0); /* it still lives */
    kill(stranger, SIGKILL);
    assert_int_equal(waitpid(stranger, NULL, 0), stranger);
}

static void
waits_for_a_server_that_others_start_or_stop(void **state)
{
    pgqrs_local_info info;
    int64_t pid;

    (void)state;
    start("default", &info);
    pid = info.pid;
    pgqrs_local_info_release(&info);
    assert_int_equal(kill((pid_t)pid, SIGINT), 0); /* not by our function, so nobody holds the lock */
    start("default", &info);
    /* Either it was looked at before it noticed, or a new one was started behind it. */
    for (int attempt = 0; info.pid == pid && attempt < 1000; attempt++) {
        pgqrs_local_info_release(&info);
        pause_ms(10);
        start("default", &info);
    }
    assert_true(info.pid != pid);
    expect_query(info.conninfo, "select 1", "1");
    pgqrs_local_info_release(&info);
}

static void
leaves_the_host_alone(void **state)
{
    pgqrs_local_info info;
    mode_t mask = umask(0137); /* hostile to folders */
    char folder[512], after[512];

    (void)state;
    expect_ok(pgqrs_local_stop(of("default"), err));
    signal(SIGCHLD, SIG_IGN);
    setenv("PGHOST", "nowhere.invalid", 1);
    setenv("PGPORT", "1", 1);
    setenv("LC_ALL", "xx_YY.UTF-8", 1);
    assert_non_null(getcwd(folder, sizeof(folder)));
    start("default", &info);
    assert_non_null(getcwd(after, sizeof(after)));
    assert_string_equal(folder, after);
    assert_string_equal(getenv("PGHOST"), "nowhere.invalid");
    assert_int_equal(umask(mask), 0137);
    assert_true(signal(SIGCHLD, SIG_DFL) == SIG_IGN);
    unsetenv("PGHOST");
    unsetenv("PGPORT");
    unsetenv("LC_ALL");
    expect_query(info.conninfo, "select 1", "1");
    pgqrs_local_info_release(&info);
}

static void
says_why_it_does_not_start(void **state)
{
    pgqrs_local_info info;
    struct stat config;

    (void)state;
    expect_ok(pgqrs_local_stop(of("default"), err));
    assert_int_equal(stat(path_of("default/data/postgresql.conf"), &config), 0);
    write_file(path_of("default/data/postgresql.conf"), "a", "port = rubbish\n");
    expect_status(pgqrs_local_start(of("default"), &info, err), PGQRS_ESYSTEM);
    expect_message("could not start the private server \"default\"");
    expect_message("contains errors");
    expect_message(path_of("default/log"));
    assert_int_equal(truncate(path_of("default/data/postgresql.conf"), config.st_size), 0);
    start("default", &info);
    pgqrs_local_info_release(&info);
}

static void
needs_programs_of_the_right_version(void **state)
{
    pgqrs_local_info info;
    char version[16] = "";
    FILE *file;

    (void)state;
    expect_ok(pgqrs_local_stop(of("default"), err));
    file = fopen(path_of("default/data/PG_VERSION"), "r");
    assert_non_null(file);
    assert_non_null(fgets(version, sizeof(version), file));
    fclose(file);
    write_file(path_of("default/data/PG_VERSION"), "w", "12\n");
    expect_status(pgqrs_local_start(of("default"), &info, err), PGQRS_ENOPOSTGRES);
    expect_message("was made by PostgreSQL 12");
    expect_message("apt-get install postgresql-12");
    write_file(path_of("default/data/PG_VERSION"), "w", version);
    start("default", &info);
    pgqrs_local_info_release(&info);
}

static void
settings_of_the_user_win(void **state)
{
    pgqrs_local_info info;

    (void)state;
    expect_ok(pgqrs_local_stop(of("default"), err));
    write_file(path_of("default/data/postgresql.conf"), "a", "max_connections = 37\nport = 6000\n");
    start("default", &info);
    expect_query(info.conninfo, "show max_connections", "37");
    assert_non_null(strstr(info.conninfo, "port='6000'"));
    pgqrs_local_info_release(&info);
}

static void
destroys_without_following_links(void **state)
{
    (void)state;
    assert_int_equal(mkdir(path_of("outside"), 0755), 0);
    write_file(path_of("outside/precious"), "w", "data");
    assert_int_equal(symlink(path_of("outside"), path_of("default/data/pg_tblspc/1")), 0);
    assert_int_equal(symlink(path_of("outside/precious"), path_of("default/data/link")), 0);
    expect_ok(pgqrs_local_destroy((pgqrs_slice){ NULL, 0 }, err));
    assert_false(exists(path_of("default")));
    assert_true(exists(path_of("outside/precious")));
    expect_status(pgqrs_local_destroy(of("default"), err), PGQRS_ENOSERVER);
    unlink(path_of("outside/precious"));
    assert_int_equal(rmdir(path_of("outside")), 0);
}

/* ---- Servers of their own ---- */

/* 1 if the server's folder has an entry that starts with "data.". */
static int
has_leftover(const char *name)
{
    DIR *entries = opendir(path_of("%s", name));
    const struct dirent *entry;
    int found = 0;

    while (entries != NULL && (entry = readdir(entries)) != NULL)
        found = found || strncmp(entry->d_name, "data.", 5) == 0;
    if (entries != NULL)
        closedir(entries);
    return found;
}

static void
recovers_from_a_killed_creation(void **state)
{
    pgqrs_local_info info;
    pid_t starter = fork();

    (void)state;
    if (starter == 0)
        _exit(pgqrs_local_start(of("killed"), &info, NULL) == PGQRS_OK ? 0 : 1);
    assert_true(starter > 0);
    for (int attempt = 0; !has_leftover("killed"); attempt++) {
        assert_true(attempt < 10000);
        pause_ms(1);
    }
    kill(starter, SIGKILL);
    assert_int_equal(waitpid(starter, NULL, 0), starter);
    assert_false(exists(path_of("killed/data")));
    expect_ok(pgqrs_local_status(of("killed"), &info, err));
    assert_int_equal(info.state, PGQRS_LOCAL_ABSENT);
    pgqrs_local_info_release(&info);
    /* initdb may still be at work; the lock is held for as long as it is. */
    start("killed", &info);
    expect_query(info.conninfo, "select 1", "1");
    assert_false(has_leftover("killed"));
    pgqrs_local_info_release(&info);
    expect_ok(pgqrs_local_destroy(of("killed"), err));
}

static void
says_why_it_cannot_be_made(void **state)
{
    pid_t starter = fork();
    int wait_status;

    (void)state;
    if (starter == 0) {
        struct rlimit limit = { 64 * 1024, 64 * 1024 }; /* like a full disk */
        pgqrs_local_info info;
        const char *message;

        setrlimit(RLIMIT_FSIZE, &limit);
        if (pgqrs_local_start(of("full"), &info, err) != PGQRS_ESYSTEM)
            _exit(1);
        message = pgqrs_error_message(err);
        if (strstr(message, "could not make the private server \"full\"") == NULL ||
            strstr(message, "initdb") == NULL || strstr(message, "create.log") == NULL) {
            fprintf(stderr, "%s\n", message);
            _exit(2);
        }
        _exit(exists(path_of("full/data")) || has_leftover("full") ? 3 : 0);
    }
    assert_true(starter > 0);
    assert_int_equal(waitpid(starter, &wait_status, 0), starter);
    assert_int_equal(wait_status, 0);
    assert_true(exists(path_of("full/create.log")));
    expect_ok(pgqrs_local_destroy(of("full"), err));
    assert_false(exists(path_of("full")));
}

/* The host of a connection string that needs no unquoting. */
static void
copy_host(const char *conninfo, char *host, size_t size)
{
    snprintf(host, size, "%s", conninfo + strlen("host='"));
    host[strcspn(host, "'")] = '\0';
}

static void
a_long_path_gets_a_short_socket(void **state)
{
    char root[512], host[256];
    pgqrs_local_info info;
    struct stat folder;
    uid_t uid;
    gid_t gid;

    (void)state;
    server_account(&uid, &gid);
    snprintf(root, sizeof(root), "%s", path_of("long, %0100d \\ `touch x`/below", 0));
    setenv("PGQRS_LOCAL_ROOT", root, 1);
    expect_ok(pgqrs_local_status(of("moved"), &info, err));
    copy_host(info.conninfo, host, sizeof(host));
    pgqrs_local_info_release(&info);
    assert_true(strncmp(host, "/tmp/pgqrs-", 11) == 0);

    /* A stranger was there first. */
    assert_int_equal(symlink("/tmp", host), 0);
    expect_status(pgqrs_local_start(of("moved"), &info, err), PGQRS_ESYSTEM);
    expect_message(host);
    unlink(host);
    if (geteuid() == 0) {
        assert_int_equal(mkdir(host, 0777), 0);
        assert_int_equal(chown(host, 65534, 65534), 0);
        expect_status(pgqrs_local_start(of("moved"), &info, err), PGQRS_ESYSTEM);
        expect_message("it belongs to user 65534");
        assert_int_equal(rmdir(host), 0);
    }

    start("moved", &info);
    expect_query(info.conninfo, "select 1", "1");
    assert_int_equal(lstat(host, &folder), 0);
    assert_true(S_ISDIR(folder.st_mode) && folder.st_uid == uid && (folder.st_mode & 0777) == 0700);
    pgqrs_local_info_release(&info);
    expect_ok(pgqrs_local_destroy(of("moved"), err));
    assert_false(exists(host));
    assert_int_equal(rmdir(root), 0);
    *strrchr(root, '/') = '\0';
    assert_int_equal(rmdir(root), 0);
    setenv("PGQRS_LOCAL_ROOT", base, 1);
}

static void
root_needs_a_folder_that_the_account_reaches(void **state)
{
    pgqrs_local_info info;

    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(mkdir(path_of("closed"), 0700), 0);
    setenv("PGQRS_LOCAL_ROOT", path_of("closed"), 1);
    expect_status(pgqrs_local_start(of("x"), &info, err), PGQRS_ESYSTEM);
    expect_message("as the account postgres: Permission denied");
    expect_ok(pgqrs_local_destroy(of("x"), err));
    setenv("PGQRS_LOCAL_ROOT", base, 1);
    assert_int_equal(rmdir(path_of("closed")), 0);
}

/* ---- The run ---- */

static int
set_up(void **state)
{
    (void)state;
    snprintf(base, sizeof(base), "/tmp/pgqrs it's \"$x\" XXXXXX");
    err = pgqrs_error_new();
    if (err == NULL || mkdtemp(base) == NULL || chmod(base, 0755) < 0)
        return -1;
    unsetenv("PGQRS_PG_BINDIR");
    return setenv("PGQRS_LOCAL_ROOT", base, 1);
}

/* Also after failed tests: no server may stay behind. */
static int
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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_bad_names),
        cmocka_unit_test(knows_its_dsns),
        cmocka_unit_test(describes_an_absent_server_and_makes_nothing),
        cmocka_unit_test(finds_its_folder),
        cmocka_unit_test(says_which_programs_are_missing),
        cmocka_unit_test(refuses_foreign_folders),
        cmocka_unit_test(many_starters_make_one_server),
        cmocka_unit_test(server_is_set_up_well),
        cmocka_unit_test(data_survives_stop_and_start),
        cmocka_unit_test(dsn_starts_the_server),
        cmocka_unit_test(starts_again_after_kill),
        cmocka_unit_test(stale_pid_file_of_a_stranger_is_harmless),
        cmocka_unit_test(waits_for_a_server_that_others_start_or_stop),
        cmocka_unit_test(leaves_the_host_alone),
        cmocka_unit_test(says_why_it_does_not_start),
        cmocka_unit_test(needs_programs_of_the_right_version),
        cmocka_unit_test(settings_of_the_user_win),
        cmocka_unit_test(destroys_without_following_links),
        cmocka_unit_test(recovers_from_a_killed_creation),
        cmocka_unit_test(says_why_it_cannot_be_made),
        cmocka_unit_test(a_long_path_gets_a_short_socket),
        cmocka_unit_test(root_needs_a_folder_that_the_account_reaches),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
