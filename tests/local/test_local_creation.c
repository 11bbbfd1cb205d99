/*
 * Making a private server in bad circumstances.
 */
#include "servers.h"

#include <dirent.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>

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

TEST(recovers_from_a_killed_creation)
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

/* 1 if the process has the file open. */
static int
has_open(pid_t pid, const char *file)
{
    char folder[64], path[512], target[1024];
    const struct dirent *entry;
    DIR *entries;
    int found = 0;

    snprintf(folder, sizeof(folder), "/proc/%ld/fd", (long)pid);
    entries = opendir(folder);
    while (entries != NULL && !found && (entry = readdir(entries)) != NULL) {
        ssize_t length;

        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        length = readlink(path, target, sizeof(target));
        found = length == (ssize_t)strlen(file) && memcmp(target, file, (size_t)length) == 0;
    }
    if (entries != NULL)
        closedir(entries);
    return found;
}

TEST(who_waits_for_a_removed_lock_starts_over)
{
    pgqrs_local_info info;
    int lock, wait_status, ends[2];
    pid_t starter;
    char byte;

    (void)state;
    /* We are removing the server, */
    assert_int_equal(mkdir(path_of("killed"), 0755), 0);
    lock = open(path_of("killed/lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(lock >= 0);
    assert_int_equal(flock(lock, LOCK_EX), 0);
    /* somebody waits for us, with the lock opened by himself and not inherited, */
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    starter = fork();
    if (starter == 0) {
        close(lock);
        close(ends[1]);
        _exit(pgqrs_local_start(of("killed"), &info, err) == PGQRS_OK ? 0 : 1);
    }
    assert_true(starter > 0);
    close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 0);
    close(ends[0]);
    for (int attempt = 0; !has_open(starter, path_of("killed/lock")); attempt++) {
        assert_true(attempt < 10000);
        pause_ms(1);
    }
    /* and we are done. */
    assert_int_equal(unlink(path_of("killed/lock")), 0);
    assert_int_equal(rmdir(path_of("killed")), 0);
    assert_int_equal(close(lock), 0);
    assert_int_equal(waitpid(starter, &wait_status, 0), starter);
    assert_int_equal(wait_status, 0);
    assert_true(exists(path_of("killed/lock")));
    assert_true(pid_of("killed") > 1);
    expect_ok(pgqrs_local_destroy(of("killed"), err));
}

TEST(says_why_it_cannot_be_made)
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

TEST(a_long_path_gets_a_short_socket)
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

    /* Another user created the folder first. */
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

TEST(root_needs_a_folder_that_the_account_reaches)
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

/* What a process in another container does: it sees the files, not the server's processes. Exit
 * code 0: refused as it should be; 77: this system lets nobody try. */
static int
start_unseen(void)
{
    pgqrs_local_info info;
    int wait_status;
    pid_t pid;

    if (unshare(CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC) < 0 ||
        mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0)
        return 77;
    pid = fork();
    if (pid == 0) {
        if (mount("proc", "/proc", "proc", 0, NULL) < 0)
            _exit(77);
        if (pgqrs_local_start(of("moved"), &info, err) != PGQRS_ESYSTEM)
            _exit(1);
        if (strstr(pgqrs_error_message(err), "it may run in another container") == NULL) {
            fprintf(stderr, "%s\n", pgqrs_error_message(err));
            _exit(2);
        }
        _exit(0);
    }
    return pid > 0 && waitpid(pid, &wait_status, 0) == pid && WIFEXITED(wait_status)
               ? WEXITSTATUS(wait_status)
               : 3;
}

TEST(another_container_leaves_the_server_alone)
{
    pgqrs_local_info info;
    int wait_status;
    int64_t pid;
    pid_t child;

    (void)state;
    if (geteuid() != 0)
        skip();
    start("moved", &info);
    pid = info.pid;
    child = fork();
    if (child == 0)
        _exit(start_unseen());
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &wait_status, 0), child);
    assert_int_equal(pid_of("moved"), pid);
    expect_query(info.conninfo, "select 1", "1");
    pgqrs_local_info_release(&info);
    expect_ok(pgqrs_local_destroy(of("moved"), err));
    assert_true(WIFEXITED(wait_status));
    if (WEXITSTATUS(wait_status) == 77)
        skip();
    assert_int_equal(WEXITSTATUS(wait_status), 0);
}

TEST_MAIN(set_up, tear_down)
