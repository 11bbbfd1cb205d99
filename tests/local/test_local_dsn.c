/*
 * The library and the DSN "local:NAME": it connects to a private server that runs, and makes
 * nothing of one that does not.
 */
#include "servers.h"

#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <pgqrs.h>

static pgqrs_status
open_client(const char *dsn, pgqrs_client **out)
{
    pgqrs_config *config;
    pgqrs_status status;

    expect_ok(pgqrs_config_new(&config, err));
    expect_ok(pgqrs_config_set(config, of("dsn"), of(dsn), err));
    status = pgqrs_client_open(config, out, err);
    pgqrs_config_free(config);
    return status;
}

static void
expect_refusal(const char *dsn, pgqrs_status status)
{
    pgqrs_client *client = NULL;

    expect_status(open_client(dsn, &client), status);
    assert_null(client);
}

static void
expect_end(const char *end)
{
    const char *message = pgqrs_error_message(err);
    size_t length = strlen(message), wanted = strlen(end);

    if (length < wanted || strcmp(message + length - wanted, end) != 0)
        fail_msg("\"%s\" does not end in \"%s\"", message, end);
}

/* ---- Children ---- */

/* Ended children that were waited for leave their use of memory here. */
static long
faults_of_ended_children(void)
{
    struct rusage usage;

    assert_int_equal(getrusage(RUSAGE_CHILDREN, &usage), 0);
    return usage.ru_minflt + usage.ru_majflt;
}

/* The children that are there, with those of children that ended: see adopt_orphans. */
static void
list_children(char *text, size_t size)
{
    char path[64];
    FILE *file;
    size_t length;

    snprintf(path, sizeof(path), "/proc/self/task/%ld/children", (long)getpid());
    file = fopen(path, "r");
    assert_non_null(file);
    length = fread(text, 1, size - 1, file);
    text[length] = '\0';
    fclose(file);
}

static void
adopt_orphans(void)
{
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
}

/* Opens a client with `dsn`, in vain. No process may be there afterwards that was not before, nor
 * have been there meanwhile. */
static void
expect_refusal_without_process(const char *dsn, pgqrs_status status)
{
    char before[4096], after[4096];
    long faults;

    list_children(before, sizeof(before));
    faults = faults_of_ended_children();
    expect_refusal(dsn, status);
    assert_int_equal(faults_of_ended_children(), faults);
    list_children(after, sizeof(after));
    assert_string_equal(after, before);
}

/* ---- Servers that are not there ---- */

TEST(an_absent_server_is_neither_made_nor_started)
{
    (void)state;
    adopt_orphans();
    expect_refusal_without_process("local:default", PGQRS_ECONNECT);
    expect_message("could not connect to the private server \"default\", which does not exist");
    expect_end(": start it with pgqrs local start default");
    expect_refusal_without_process("local:", PGQRS_ECONNECT);
    expect_end(": start it with pgqrs local start default");
    expect_refusal_without_process("local:not-here", PGQRS_ECONNECT);
    expect_end(": start it with pgqrs local start not-here");
    assert_false(exists(path_of("default")));
    assert_false(exists(path_of("not-here")));
    setenv("PGQRS_LOCAL_ROOT", path_of("no/such/folder"), 1);
    expect_refusal_without_process("local:", PGQRS_ECONNECT);
    expect_end(": start it with pgqrs local start default");
    setenv("PGQRS_LOCAL_ROOT", base, 1);
    assert_false(exists(path_of("no")));
}

/* The names of the folder's entries, in no order that matters. */
static void
list_folder(const char *path, char *text, size_t size)
{
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);
    size_t length = 0;

    assert_true(count >= 0);
    text[0] = '\0';
    for (int i = 0; i < count; i++) {
        length += (size_t)snprintf(text + length, size - length, "%s\n", entries[i]->d_name);
        assert_true(length < size);
        free(entries[i]);
    }
    free(entries);
}

TEST(a_stopped_server_stays_stopped)
{
    char before[4096], after[4096];
    pgqrs_local_info info;

    (void)state;
    adopt_orphans();
    start("default", &info);
    pgqrs_local_info_release(&info);
    expect_ok(pgqrs_local_stop(of("default"), err));
    list_folder(path_of("default"), before, sizeof(before));
    expect_refusal_without_process("local:default", PGQRS_ECONNECT);
    expect_message("could not connect to the private server \"default\", which does not run");
    expect_end(": start it with pgqrs local start default");
    list_folder(path_of("default"), after, sizeof(after));
    assert_string_equal(after, before);
    assert_int_equal(pid_of("default"), 0);
}

TEST(a_killed_server_is_not_started_again)
{
    pgqrs_local_info info;
    int64_t killed;

    (void)state;
    adopt_orphans();
    start("default", &info);
    killed = info.pid;
    pgqrs_local_info_release(&info);
    assert_int_equal(kill((pid_t)killed, SIGKILL), 0);
    while (pid_of("default") == killed) /* the kill takes a moment */
        pause_ms(1);
    /* Some of the server's processes have become children of this one. */
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    expect_refusal("local:default", PGQRS_ECONNECT);
    expect_message("could not connect to the private server \"default\", which does not answer");
    expect_end(": start it with pgqrs local start default");
    assert_int_equal(pid_of("default"), 0);
}

/* ---- Servers that are ---- */

static void
expect_client(const char *dsn)
{
    pgqrs_client *client = NULL;

    expect_ok(open_client(dsn, &client));
    expect_ok(pgqrs_admin_install(client, NULL, err));
    pgqrs_client_close(client);
}

TEST(a_server_that_runs_needs_no_programs)
{
    char *path = strdup(getenv("PATH"));
    char *programs = getenv("PGQRS_PG_BINDIR") != NULL ? strdup(getenv("PGQRS_PG_BINDIR")) : NULL;
    pgqrs_local_info info;

    (void)state;
    start("default", &info);
    setenv("PGQRS_PG_BINDIR", "/nonexistent", 1);
    setenv("PATH", "/nonexistent", 1);
    expect_client("local:");
    expect_client("local:default");
    setenv("PATH", path, 1);
    if (programs != NULL)
        setenv("PGQRS_PG_BINDIR", programs, 1);
    else
        unsetenv("PGQRS_PG_BINDIR");
    free(programs);
    free(path);
    assert_int_equal(pid_of("default"), info.pid);
    pgqrs_local_info_release(&info);
}

TEST(a_server_is_found_where_its_user_has_moved_it)
{
    pgqrs_local_info info;

    (void)state;
    expect_ok(pgqrs_local_stop(of("default"), err));
    write_file(path_of("default/data/postgresql.conf"), "a", "port = 6000\n");
    start("default", &info);
    pgqrs_local_info_release(&info);
    expect_client("local:default");
}

/* ---- Strangers ---- */

TEST(a_folder_of_somebody_else_is_refused)
{
    (void)state;
    assert_int_equal(mkdir(path_of("theirs"), 0755), 0);
    assert_int_equal(symlink(path_of("default/data"), path_of("theirs/data")), 0);
    expect_refusal("local:theirs", PGQRS_ESYSTEM);
    expect_message("it must be a folder that belongs to this user");
    assert_int_equal(unlink(path_of("theirs/data")), 0);
    if (geteuid() == 0) {
        assert_int_equal(mkdir(path_of("theirs/data"), 0755), 0);
        assert_int_equal(chown(path_of("theirs/data"), 65534, 65534), 0);
        expect_refusal("local:theirs", PGQRS_ESYSTEM);
        expect_message("it belongs to user 65534");
        assert_int_equal(rmdir(path_of("theirs/data")), 0);
    }
    assert_int_equal(rmdir(path_of("theirs")), 0);
}

/* A process of the account nobody that listens where a server would, in `folder`, which it owns,
 * until it is killed. */
static pid_t
spawn_listener(const char *folder)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int ends[2], fd;
    char byte;
    pid_t pid;

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid = fork();
    if (pid == 0) {
        snprintf(address.sun_path, sizeof(address.sun_path), "%s/.s.PGSQL.5432", folder);
        fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (setgroups(0, NULL) < 0 || setgid(65534) < 0 || setuid(65534) < 0 ||
            prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || /* setuid takes it back */
            bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 8) < 0 ||
            write(ends[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    assert_true(pid > 0);
    close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    close(ends[0]);
    return pid;
}

/* As after a power cut: postmaster.pid names a folder in /tmp, which a stranger was the first to
 * make anew.
 */
TEST(a_socket_of_somebody_else_is_refused)
{
    char folder[] = "/tmp/pgqrs-theirs-XXXXXX", socket[64], text[1200];
    pid_t listener;
    uid_t uid;
    gid_t gid;

    (void)state;
    if (geteuid() != 0)
        skip();
    server_account(&uid, &gid);
    expect_ok(pgqrs_local_stop(of("default"), err));
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chown(folder, 65534, 65534), 0);
    listener = spawn_listener(folder);
    snprintf(text, sizeof(text), "%ld\n%s\n1700000000\n5432\n%s\n\n  1234567 0\nready   \n",
             (long)listener, path_of("default/data"), folder);
    write_file(path_of("default/data/postmaster.pid"), "w", text);
    assert_int_equal(chown(path_of("default/data/postmaster.pid"), uid, gid), 0);
    expect_refusal("local:default", PGQRS_ESYSTEM);
    expect_message("belongs to user 65534");
    expect_message(folder);
    kill(listener, SIGKILL);
    assert_int_equal(waitpid(listener, NULL, 0), listener);
    expect_refusal("local:default", PGQRS_ECONNECT);
    expect_message("which does not answer");
    snprintf(socket, sizeof(socket), "%s/.s.PGSQL.5432", folder);
    assert_int_equal(unlink(socket), 0);
    assert_int_equal(rmdir(folder), 0);
}

TEST_MAIN(set_up, tear_down)
