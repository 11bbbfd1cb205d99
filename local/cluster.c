#include "local/cluster.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/local.h"
#include "local/postmaster.h"
#include "local/process.h"
#include "local/serverlog.h"
#include "local_sql.h"

#define CONFIG_FILE "pgqrs.conf"
#define CREATE_LOG "create.log"
#define STARTUP_LOG (PGQRSI_PATHS_LOG "/" PGQRSI_PATHS_STARTUP_LOG)

/* Nobody waits for the first start of the programs longer than for these. */
#define STEP_MARGIN_MS 2000

static const char include_text[] = "\n# Added by pgqrs, which writes that file anew at every "
                                   "start. Settings below this line win.\n"
                                   "include_if_exists = '" CONFIG_FILE "'\n";

static const char settings_text[] =
    "# Written by pgqrs at every start of this private server. Put settings of your own at the end "
    "of\n"
    "# postgresql.conf: they win over these. fsync, full_page_writes and synchronous_commit stay "
    "on: a job "
    "that\n"
    "# was stored survives a power cut.\n"
    "\n"
    "# Only the unix socket, in a folder that only this user (and root) can enter.\n"
    "listen_addresses = ''\n"
    "unix_socket_permissions = 0700\n"
    "max_connections = 100\n"
    "\n"
    "# A queue rewrites few pages often, and leaves many dead rows.\n"
    "shared_buffers = 128MB\n"
    "max_wal_size = 4GB\n"
    "wal_compression = on\n"
    "autovacuum_naptime = 5s\n"
    "track_io_timing = on\n"
    "\n"
    "# One log for each day of the week, written over a week later.\n"
    "logging_collector = on\n"
    "log_destination = 'stderr'\n"
    "log_filename = 'server-%a.log'\n"
    "log_rotation_age = 1d\n"
    "log_rotation_size = 0\n"
    "log_truncate_on_rotation = on\n"
    "log_checkpoints = off\n"
    "log_line_prefix = '%m [%p] %q%u@%d '\n";

/* ---- Running programs ---- */

/* Runs a program in the server's folder, so that no path of the user's reaches the shell commands
 * that initdb and pg_ctl build. *result is written in every case. */
static pgqrs_status
run(const pgqrsi_cluster *cluster, const char *const *argv, const char *data, pgqrs_slice input,
    pgqrsi_process_result *result, pgqrs_error *err)
{
    pgqrsi_process process = PGQRSI_PROCESS_INIT;
    char **environment = pgqrsi_account_environment(cluster->account, data);
    pgqrs_status status;

    *result = (pgqrsi_process_result){ .exit_code = -1, .output = PGQRSI_BUFFER_INIT };
    if (environment == NULL)
        return pgqrsi_error_memory(err);
    process.argv = argv;
    process.environment = environment;
    process.account = cluster->account;
    process.folder = cluster->paths->folder;
    process.input = input;
    process.hold_fd = cluster->folder->lock_fd;
    process.deadline_ms = cluster->deadline_ms + STEP_MARGIN_MS;
    status = pgqrsi_process_run(&process, result, err);
    pgqrsi_account_environment_free(environment);
    return status;
}

/* ---- Configuration ---- */

/* Quotes a text for a configuration file. */
static void
append_quoted(pgqrsi_buffer *out, const char *text)
{
    pgqrsi_buffer_append_text(out, "'");
    for (; *text != '\0'; text++) {
        if (*text == '\'' || *text == '\\')
            pgqrsi_buffer_append(out, text, 1);
        pgqrsi_buffer_append(out, text, 1);
    }
    pgqrsi_buffer_append_text(out, "'\n");
}

/* The setting is a list, whose items are quoted once more. */
static void
append_socket_dir(pgqrsi_buffer *out, const char *path)
{
    pgqrsi_buffer item = PGQRSI_BUFFER_INIT;

    pgqrsi_buffer_append_text(&item, "\"");
    for (; *path != '\0'; path++) {
        if (*path == '"')
            pgqrsi_buffer_append(&item, path, 1);
        pgqrsi_buffer_append(&item, path, 1);
    }
    pgqrsi_buffer_append(&item, "\"", 2); /* with the closing zero byte */
    pgqrsi_buffer_append_text(out, "unix_socket_directories = ");
    if (item.failed)
        out->failed = 1;
    else
        append_quoted(out, item.data);
    pgqrsi_buffer_release(&item);
}

/* What write_config does, in a child that is the cluster's owner, so that root never writes where
 * somebody else may have put a symbolic link. The paths are relative to the server's folder. */
struct config_job {
    char file[128];      /* data/pgqrs.conf */
    char new_file[128];  /* beside it */
    char main_file[128]; /* postgresql.conf to be extended, or "" */
    pgqrs_slice text;
};

static int
write_all(const char *path, int flags, const char *text, size_t size)
{
    int fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC | flags, 0600);
    int good = fd >= 0;

    while (good && size > 0) {
        ssize_t written = write(fd, text, size);

        if (written < 0 && errno == EINTR)
            continue;
        good = written > 0;
        text += written > 0 ? written : 0;
        size -= written > 0 ? (size_t)written : 0;
    }
    good = good && fsync(fd) == 0;
    return (fd < 0 || close(fd) == 0) && good ? 0 : -1;
}

/* The exit code is an errno: all of Linux' fit. */
static int
do_config_job(const void *argument)
{
    const struct config_job *job = argument;

    errno = 0;
    if (write_all(job->new_file, O_CREAT | O_TRUNC, job->text.data, job->text.size) == 0 &&
        rename(job->new_file, job->file) == 0 &&
        (job->main_file[0] == '\0' ||
         write_all(job->main_file, O_APPEND, include_text, strlen(include_text)) == 0))
        return 0;
    return errno > 0 && errno < 255 ? errno : EIO;
}

/* Writes pgqrs.conf into the folder `data`, and has it included if `is_new`. */
static pgqrs_status
write_config(const pgqrsi_cluster *cluster, const char *data, int is_new, pgqrs_error *err)
{
    static const char *const argv[] = { "the writer of " CONFIG_FILE, NULL };
    pgqrsi_buffer text = PGQRSI_BUFFER_INIT;
    pgqrsi_process process = PGQRSI_PROCESS_INIT;
    pgqrsi_process_result result;
    struct config_job job;
    pgqrs_status status;

    pgqrsi_buffer_append_text(&text, settings_text);
    pgqrsi_buffer_append_text(&text, "cluster_name = 'pgqrs/");
    pgqrsi_buffer_append_text(&text, cluster->paths->name);
    pgqrsi_buffer_append_text(&text, "'\nlog_directory = ");
    append_quoted(&text, cluster->paths->log_dir);
    append_socket_dir(&text, cluster->paths->socket_dir);
    if (text.failed) {
        pgqrsi_buffer_release(&text);
        return pgqrsi_error_memory(err);
    }
    snprintf(job.file, sizeof(job.file), "%s/" CONFIG_FILE, data);
    snprintf(job.new_file, sizeof(job.new_file), "%s/" CONFIG_FILE ".new", data);
    snprintf(job.main_file, sizeof(job.main_file), "%s/postgresql.conf", data);
    if (!is_new)
        job.main_file[0] = '\0';
    job.text = (pgqrs_slice){ text.data, text.size };
    process.argv = argv;
    process.call = do_config_job;
    process.argument = &job;
    process.account = cluster->account;
    process.folder = cluster->paths->folder;
    process.deadline_ms = cluster->deadline_ms + STEP_MARGIN_MS;
    status = pgqrsi_process_run(&process, &result, err);
    if (status == PGQRS_OK && result.exit_code != 0)
        status = pgqrsi_error_set(err, PGQRS_ESYSTEM, "could not write \"%s/%s\": %s",
                                  cluster->paths->folder, job.file,
                                  strerror(result.exit_code > 0 ? result.exit_code : EIO));
    pgqrsi_process_result_release(&result);
    pgqrsi_buffer_release(&text);
    return status;
}

/* ---- Making a cluster ---- */

/* Keeps a failed program's output and quotes the part that matters. */
static pgqrs_status
report_creation(const pgqrsi_cluster *cluster, const char *program,
                const pgqrsi_process_result *result, pgqrs_error *err)
{
    pgqrs_slice reason =
        pgqrsi_process_reason((pgqrs_slice){ result->output.data, result->output.size });
    int fd = openat(cluster->folder->fd, CREATE_LOG,
                    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    int kept = fd >= 0 &&
               write(fd, result->output.data, result->output.size) == (ssize_t)result->output.size;

    if (fd >= 0)
        close(fd);
    return pgqrsi_error_set(
        err, PGQRS_ESYSTEM,
        "could not make the private server \"%s\" in \"%s\": %s failed with %s %d: %.*s%s%s%s",
        cluster->paths->name, cluster->paths->folder, program,
        result->signal != 0 ? "signal" : "exit code",
        result->signal != 0 ? result->signal : result->exit_code, PGQRS_SLICE_ARG(reason),
        kept ? "; all it said is in \"" : "; its output could not be kept in \"",
        cluster->paths->folder, "/" CREATE_LOG "\"");
}

/* Who may connect: everyone who reaches the socket, as the superuser. The socket is in a folder of
 * mode 0700, so that is the owner and root, who could read the data anyway. Peer authentication
 * would lock out root, whose server runs as another account. Were TCP ever turned on, nobody could
 * log in there: host is "reject". The locale is C: it sorts the same on every machine, now and
 * after the next upgrade of the C library. */
static pgqrs_status
run_initdb(const pgqrsi_cluster *cluster, const char *data, pgqrs_error *err)
{
    const char *argv[] = {
        cluster->programs->initdb, "--pgdata",           data,         "--username",
        PGQRSI_LOCAL_USER,         "--encoding=UTF8",    "--locale=C", "--data-checksums",
        "--auth-local=trust",      "--auth-host=reject", NULL
    };
    pgqrsi_process_result result;
    pgqrs_status status = run(cluster, argv, NULL, (pgqrs_slice){ NULL, 0 }, &result, err);

    if (status == PGQRS_OK && result.exit_code != 0)
        status = report_creation(cluster, argv[0], &result, err);
    pgqrsi_process_result_release(&result);
    return status;
}

/* In single-user mode, before anybody can connect. */
static pgqrs_status
create_database(const pgqrsi_cluster *cluster, const char *data, pgqrs_error *err)
{
    const char *argv[] = {
        cluster->programs->postgres, "--single", "-D", data, "-c", "exit_on_error=on", "-c",
        "logging_collector=off",     "postgres", NULL
    };
    pgqrsi_process_result result;
    pgqrs_status status =
        run(cluster, argv, NULL, pgqrs_slice_of(local_sql_texts[LOCAL_SQL_CREATE_DATABASE].text),
            &result, err);

    if (status == PGQRS_OK && result.exit_code != 0)
        status = report_creation(cluster, argv[0], &result, err);
    pgqrsi_process_result_release(&result);
    return status;
}

static pgqrs_status
move_into_place(const pgqrsi_cluster *cluster, const char *data, pgqrs_error *err)
{
    if (renameat(cluster->folder->fd, data, cluster->folder->fd, PGQRSI_LOCAL_DATA) == 0 &&
        fsync(cluster->folder->fd) == 0)
        return PGQRS_OK;
    return pgqrsi_error_set(err, PGQRS_ESYSTEM, "could not move \"%s/%s\" to \"%s\": %s",
                            cluster->paths->folder, data, cluster->paths->data, strerror(errno));
}

pgqrs_status
pgqrsi_cluster_create(const pgqrsi_cluster *cluster, pgqrs_error *err)
{
    char data[64];
    pgqrs_status status;

    snprintf(data, sizeof(data), PGQRSI_PATHS_TEMPORARY_PREFIX "new-%ld-%lld", (long)getpid(),
             (long long)pgqrsi_clock_ms());
    status =
        pgqrsi_folder_make_private(cluster->folder, data, cluster->paths, cluster->account, err);
    if (status == PGQRS_OK)
        status = run_initdb(cluster, data, err);
    if (status == PGQRS_OK)
        status = create_database(cluster, data, err);
    if (status == PGQRS_OK)
        status = write_config(cluster, data, 1, err);
    if (status == PGQRS_OK)
        status = move_into_place(cluster, data, err);
    if (status != PGQRS_OK)
        pgqrsi_folder_remove_leftovers(cluster->folder);
    else
        unlinkat(cluster->folder->fd, CREATE_LOG, 0);
    return status;
}

/* ---- Starting ---- */

static pgqrs_status
prepare(const pgqrsi_cluster *cluster, pgqrs_error *err)
{
    const pgqrsi_paths *paths = cluster->paths;
    pgqrs_status status =
        pgqrsi_folder_make_private(cluster->folder, PGQRSI_PATHS_LOG, paths, cluster->account, err);

    if (status == PGQRS_OK)
        status = pgqrsi_folder_make_socket_dir(cluster->folder, paths, cluster->account, err);
    if (status == PGQRS_OK)
        status = write_config(cluster, PGQRSI_LOCAL_DATA, 0, err);
    if (status == PGQRS_OK) /* pg_ctl appends to it; it tells of one start only */
        unlinkat(cluster->folder->fd, STARTUP_LOG, 0);
    return status;
}

/* Why pg_ctl failed. After a crash, the server may just be taking its time. */
static pgqrs_status
report_start(const pgqrsi_cluster *cluster, const pgqrsi_process_result *result, pgqrs_error *err)
{
    const pgqrsi_paths *paths = cluster->paths;
    pgqrsi_buffer text = PGQRSI_BUFFER_INIT;
    pgqrs_slice reason = pgqrsi_serverlog_reason(paths, &text);
    pgqrsi_postmaster postmaster;

    if (pgqrsi_postmaster_look(&postmaster, paths, cluster->account, NULL) == PGQRS_OK &&
        postmaster.pid != 0)
        reason = pgqrs_slice_of(
            "it takes no connections yet and may be recovering from a crash: try again later");
    else if (reason.size == 0)
        reason = pgqrsi_process_reason((pgqrs_slice){ result->output.data, result->output.size });
    pgqrsi_postmaster_release(&postmaster);
    pgqrsi_error_set(
        err, PGQRS_ESYSTEM,
        "could not start the private server \"%s\" in \"%s\": %.*s; see the logs in \"%s\"",
        paths->name, paths->data, PGQRS_SLICE_ARG(reason), paths->log_dir);
    pgqrsi_buffer_release(&text);
    return PGQRS_ESYSTEM;
}

pgqrs_status
pgqrsi_cluster_start(const pgqrsi_cluster *cluster, pgqrs_error *err)
{
    char seconds[16];
    const char *argv[] = { cluster->programs->pg_ctl,
                           "start",
                           "--wait",
                           "--silent",
                           "--timeout",
                           seconds,
                           "--log",
                           STARTUP_LOG,
                           NULL };
    pgqrsi_process_result result;
    pgqrs_status status = prepare(cluster, err);
    int left_ms;

    if (status != PGQRS_OK)
        return status;
    left_ms = pgqrsi_clock_left_ms(cluster->deadline_ms);
    snprintf(seconds, sizeof(seconds), "%d", left_ms > 1000 ? left_ms / 1000 : 1);
    /* The folder goes by the environment and not by -D, which pg_ctl hands to a shell. */
    status = run(cluster, argv, PGQRSI_LOCAL_DATA, (pgqrs_slice){ NULL, 0 }, &result, err);
    if (status == PGQRS_OK && result.exit_code != 0)
        status = report_start(cluster, &result, err);
    pgqrsi_process_result_release(&result);
    return status;
}

int
pgqrsi_cluster_major(const pgqrsi_paths *paths)
{
    char text[16] = "";
    int data = open(paths->data, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int fd =
        data >= 0 ? openat(data, "PG_VERSION", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) : -1;
    ssize_t size = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;

    if (fd >= 0)
        close(fd);
    if (data >= 0)
        close(data);
    return size > 0 ? atoi(text) : 0;
}
