#include "local/postmaster.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/local.h"
#include "local/process.h"

#define PAUSE_MS 20
#define PROBE_MS 5000
#define ORPHAN_PATIENCE_MS 5000

static void
pause_shortly(void)
{
    struct timespec time = { 0, PAUSE_MS * 1000000L };

    nanosleep(&time, NULL);
}

/* ---- Whose process it is ---- */

/* What is_inside asks a child. */
struct question {
    char path[64];
    struct stat data;
};

static int
answer(const void *argument)
{
    const struct question *question = argument;
    struct stat info;

    return !(stat(question->path, &info) == 0 && info.st_dev == question->data.st_dev &&
             info.st_ino == question->data.st_ino);
}

/* 1 if the process works in the folder `data`. */
static int
is_inside(pid_t pid, const struct stat *data, const pgqrsi_account *account)
{
    static const char *const argv[] = { "a look at /proc", NULL };
    pgqrsi_process process = PGQRSI_PROCESS_INIT;
    pgqrsi_process_result result;
    struct question question;
    struct stat info;
    int inside;

    snprintf(question.path, sizeof(question.path), "/proc/%ld/cwd", (long)pid);
    if (stat(question.path, &info) == 0)
        return info.st_dev == data->st_dev && info.st_ino == data->st_ino;
    if (errno != EACCES || !account->switches || account->missing)
        return 0; /* ENOENT: it ended, or is a zombie */
    /* In a container, root may lack the right to look at other users' processes, but their owner
     * has it. */
    question.data = *data;
    process.argv = argv;
    process.call = answer;
    process.argument = &question;
    process.account = account;
    process.deadline_ms = pgqrsi_clock_ms() + PROBE_MS;
    inside = pgqrsi_process_run(&process, &result, NULL) == PGQRS_OK && result.exit_code == 0;
    pgqrsi_process_result_release(&result);
    return inside;
}

static int
is_server_process(pid_t pid, const struct stat *data, const pgqrsi_account *account)
{
    char path[64], command[64];

    if (kill(pid, 0) < 0 && errno == ESRCH)
        return 0;
    snprintf(path, sizeof(path), "/proc/%ld/comm", (long)pid);
    if (pgqrsi_local_read_start(AT_FDCWD, path, command, sizeof(command)) < 0)
        return access("/proc/self/comm", F_OK) < 0; /* without /proc, better believe the file */
    /* A shell may well stand in that folder. */
    return (strcmp(command, "postgres\n") == 0 || strcmp(command, "postmaster\n") == 0) &&
           is_inside(pid, data, account);
}

/* ---- postmaster.pid ---- */

static pgqrs_status
fill(pgqrsi_postmaster *postmaster, int data_fd, const struct stat *data,
     const pgqrsi_account *account, pgqrs_error *err)
{
    pgqrsi_local_pid_file file;
    pgqrs_status status = pgqrsi_local_read_pid_file(data_fd, &file, err);

    postmaster->port = file.port;
    postmaster->socket_dir = file.socket_dir;
    if (status != PGQRS_OK || file.pid == 0)
        return status;
    if (!is_server_process(file.pid, data, account)) {
        postmaster->is_pid_taken = kill(file.pid, 0) == 0 || errno == EPERM;
        return PGQRS_OK;
    }
    postmaster->pid = file.pid;
    postmaster->phase = file.is_ready ? PGQRSI_POSTMASTER_READY : PGQRSI_POSTMASTER_BUSY;
    return PGQRS_OK;
}

static pgqrs_status
open_data(const pgqrsi_paths *paths, const pgqrsi_account *account, int *out_fd, struct stat *data,
          pgqrs_error *err)
{
    return pgqrsi_local_open_data(paths->data, account->missing ? NULL : &account->uid, out_fd,
                                  data, err);
}

pgqrs_status
pgqrsi_postmaster_look(pgqrsi_postmaster *postmaster, const pgqrsi_paths *paths,
                       const pgqrsi_account *account, pgqrs_error *err)
{
    struct stat data;
    pgqrs_status status;
    int fd;

    memset(postmaster, 0, sizeof(*postmaster));
    status = open_data(paths, account, &fd, &data, err);
    if (fd < 0)
        return status;
    postmaster->has_data = 1;
    if (status == PGQRS_OK)
        status = fill(postmaster, fd, &data, account, err);
    close(fd);
    return status;
}

void
pgqrsi_postmaster_release(pgqrsi_postmaster *postmaster)
{
    free(postmaster->socket_dir);
    memset(postmaster, 0, sizeof(*postmaster));
}

pgqrs_status
pgqrsi_postmaster_settle(pgqrsi_postmaster *postmaster, const pgqrsi_paths *paths,
                         const pgqrsi_account *account, int64_t deadline_ms, pgqrs_error *err)
{
    for (;;) {
        pgqrs_status status = pgqrsi_postmaster_look(postmaster, paths, account, err);
        pid_t pid = postmaster->pid;

        if (status != PGQRS_OK || postmaster->phase != PGQRSI_POSTMASTER_BUSY)
            return status;
        pgqrsi_postmaster_release(postmaster);
        if (pgqrsi_clock_left_ms(deadline_ms) == 0)
            return pgqrsi_error_set(
                err, PGQRS_ESYSTEM,
                "gave up waiting for the private server \"%s\": process %ld is still starting, "
                "recovering or stopping; see \"%s\" and try again",
                paths->name, (long)pid, paths->log_dir);
        pause_shortly();
    }
}

/* ---- Processes that outlive their server ---- */

/* The processes that work in the folder `data`; each gets `number` unless that is 0. Returns how
 * many. */
static int
signal_processes(const struct stat *data, const pgqrsi_account *account, int number)
{
    DIR *processes = opendir("/proc");
    const struct dirent *entry;
    int count = 0;

    if (processes == NULL)
        return 0;
    while ((entry = readdir(processes)) != NULL) {
        pid_t pid = isdigit((unsigned char)*entry->d_name) ? (pid_t)atol(entry->d_name) : 0;

        if (pid <= 1 || !is_server_process(pid, data, account))
            continue;
        count++;
        if (number != 0)
            kill(pid, number);
    }
    closedir(processes);
    return count;
}

/* After kill -9 of a server its other processes notice and end by themselves, but for one that is
 * deep in a long statement. SIGQUIT is what the server would send them. */
static pgqrs_status
wait_for_processes(const struct stat *data, const pgqrsi_paths *paths,
                   const pgqrsi_account *account, int64_t deadline_ms, pgqrs_error *err)
{
    int64_t patience_ms = pgqrsi_clock_ms() + ORPHAN_PATIENCE_MS;
    int64_t give_up_ms = (deadline_ms > patience_ms ? deadline_ms : patience_ms) + PAUSE_MS;
    int count;

    while ((count = signal_processes(data, account,
                                     pgqrsi_clock_left_ms(patience_ms) == 0 ? SIGQUIT : 0)) > 0) {
        if (pgqrsi_clock_left_ms(give_up_ms) == 0)
            return pgqrsi_error_set(err, PGQRS_ESYSTEM,
                                    "gave up on the private server \"%s\": %d processes of an "
                                    "earlier run still work in "
                                    "\"%s\" and do not end; end them and try again",
                                    paths->name, count, paths->data);
        pause_shortly();
    }
    return PGQRS_OK;
}

/* Waits until the process `pid` is no longer the server. */
static pgqrs_status
wait_until_gone(pid_t pid, const pgqrsi_paths *paths, const pgqrsi_account *account,
                int64_t deadline_ms, pgqrs_error *err)
{
    for (;;) {
        pgqrsi_postmaster postmaster;
        pgqrs_status status = pgqrsi_postmaster_look(&postmaster, paths, account, err);
        int gone = postmaster.pid != pid;

        pgqrsi_postmaster_release(&postmaster);
        if (status != PGQRS_OK || gone)
            return status;
        if (pgqrsi_clock_left_ms(deadline_ms) == 0)
            return pgqrsi_error_set(err, PGQRS_ESYSTEM,
                                    "gave up waiting for the private server \"%s\" to stop: "
                                    "process %ld is still writing "
                                    "its data; see \"%s\" and try again",
                                    paths->name, (long)pid, paths->log_dir);
        pause_shortly();
    }
}

/* Signals and looks do what `pg_ctl stop -m fast -w` does, but not to a stranger who has inherited
 * the number, and also after the programs were uninstalled. */
pgqrs_status
pgqrsi_postmaster_stop(const pgqrsi_paths *paths, const pgqrsi_account *account,
                       int64_t deadline_ms, pgqrs_error *err)
{
    pgqrsi_postmaster postmaster;
    pgqrs_status status = pgqrsi_postmaster_look(&postmaster, paths, account, err);
    pid_t pid = postmaster.pid;
    struct stat data;

    pgqrsi_postmaster_release(&postmaster);
    if (status != PGQRS_OK || pid == 0)
        return status;
    if (kill(pid, SIGINT) < 0 && errno != ESRCH)
        return pgqrsi_error_set(err, PGQRS_ESYSTEM,
                                "could not stop the private server \"%s\", process %ld: %s",
                                paths->name, (long)pid, strerror(errno));
    status = wait_until_gone(pid, paths, account, deadline_ms, err);
    if (status != PGQRS_OK || lstat(paths->data, &data) < 0)
        return status;
    return wait_for_processes(&data, paths, account, deadline_ms, err);
}

/* A socket on a shared volume joins containers that cannot see each other's processes; PostgreSQL's
 * own checks see nothing there, and two servers on one cluster would destroy it. So every listener
 * counts, whoever it is. */
int
pgqrsi_postmaster_answers(const pgqrsi_postmaster *postmaster)
{
    return postmaster->socket_dir != NULL &&
           pgqrsi_local_listens(postmaster->socket_dir, postmaster->port, NULL);
}

pgqrs_status
pgqrsi_postmaster_clear(const pgqrsi_paths *paths, const pgqrsi_account *account,
                        int64_t deadline_ms, pgqrs_error *err)
{
    pgqrsi_postmaster postmaster;
    pgqrs_status status = pgqrsi_postmaster_look(&postmaster, paths, account, err);
    struct stat data;
    int fd = -1;

    if (status == PGQRS_OK)
        status = open_data(paths, account, &fd, &data, err);
    if (fd >= 0 && status == PGQRS_OK)
        status = wait_for_processes(&data, paths, account, deadline_ms, err);
    if (fd >= 0 && status == PGQRS_OK && pgqrsi_postmaster_answers(&postmaster))
        status = pgqrsi_error_set(
            err, PGQRS_ESYSTEM,
            "refused to start the private server \"%s\": one answers at \"%s\" already, but its "
            "process cannot be seen; it may run in another container: stop it there",
            paths->name, postmaster.socket_dir);
    /* PostgreSQL would refuse to start. If nobody has the number it removes the file itself, and
     * looks first whether the shared memory that the file names is still in use. */
    if (fd >= 0 && status == PGQRS_OK && postmaster.is_pid_taken &&
        unlinkat(fd, PGQRSI_LOCAL_PID_FILE, 0) < 0 && errno != ENOENT)
        status = pgqrsi_error_set(err, PGQRS_ESYSTEM,
                                  "could not remove the stale \"%s/" PGQRSI_LOCAL_PID_FILE "\": %s",
                                  paths->data, strerror(errno));
    if (fd >= 0)
        close(fd);
    pgqrsi_postmaster_release(&postmaster);
    return status;
}
