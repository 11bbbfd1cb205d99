/*
 * Private servers, as a client sees them: which server a DSN names, where its folder is, who must
 * own it, and where the server listens.
 *
 * Nothing here starts a process, makes a file or changes the account. The command creates, starts
 * and stops servers; it takes names and paths from here.
 */
#ifndef PGQRSI_BASE_LOCAL_H
#define PGQRSI_BASE_LOCAL_H

#include <pwd.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <pgqrs/error.h>
#include <pgqrs/slice.h>

/* The account that runs root's servers: PostgreSQL refuses to run as root. */
#define PGQRSI_LOCAL_ACCOUNT "postgres"

/* The cluster, in the server's folder. */
#define PGQRSI_LOCAL_DATA "data"
#define PGQRSI_LOCAL_PID_FILE "postmaster.pid"

/* Of every private server. The user is the superuser. */
#define PGQRSI_LOCAL_PORT 5432
#define PGQRSI_LOCAL_USER "pgqrs"
#define PGQRSI_LOCAL_DATABASE "pgqrs"

/* What a running server says of itself in postmaster.pid. */
typedef struct pgqrsi_local_pid_file {
    /* 0: there is no file, or it names no process; else perhaps another program's by now */
    pid_t pid;
    int is_ready;     /* 1: it takes connections */
    int port;         /* if socket_dir is given */
    char *socket_dir; /* NULL if it has none or does not say yet */
} pgqrsi_local_pid_file;

/** 1 if `dsn` starts with "local:" and so names a private server, well or badly; else 0. Any
 * thread. */
int pgqrsi_local_is_dsn(pgqrs_slice dsn);

/**
 * Finds the private server that `dsn` ("local:" or "local:NAME") names, and writes libpq's
 * connection string for it to *out, which the caller frees. Returns PGQRS_OK, PGQRS_EINVAL (a bad
 * name), PGQRS_ECONNECT (no such server, or it does not run), PGQRS_ESYSTEM (its folder or its
 * socket is somebody else's) or PGQRS_ENOMEM. Does not wait for the server. Any thread.
 */
pgqrs_status pgqrsi_local_conninfo(pgqrs_slice dsn, char **out, pgqrs_error *err);

/* ---- For those who make, start and stop servers ---- */

/** Checks `name` ({ NULL, 0 }: "default"), and writes the path of the server's folder to *out,
 * which the caller frees; its last part is the name. Touches no file. Returns PGQRS_OK,
 * PGQRS_EINVAL, PGQRS_ESYSTEM (no home folder) or PGQRS_ENOMEM. */
pgqrs_status pgqrsi_local_find_folder(pgqrs_slice name, char **out, pgqrs_error *err);

/** Looks up the account that runs root's servers. *out is `entry`, whose texts are in
 * text[0..size), or NULL if there is no such account. Returns PGQRS_OK or PGQRS_ESYSTEM. */
pgqrs_status pgqrsi_local_find_account(struct passwd *entry, char *text, size_t size,
                                       struct passwd **out, pgqrs_error *err);

/** Opens the cluster's folder `data`, following no link; *out_fd is -1 if there is none. One that
 * does not belong to `owner` is refused, unless that is NULL. Returns PGQRS_OK or PGQRS_ESYSTEM;
 * the caller closes *out_fd in both cases. */
pgqrs_status pgqrsi_local_open_data(const char *data, const uid_t *owner, int *out_fd,
                                    struct stat *info, pgqrs_error *err);

/** Reads postmaster.pid in the folder `data_fd`. *out is always written: release it. Returns
 * PGQRS_OK or PGQRS_ENOMEM. */
pgqrs_status pgqrsi_local_read_pid_file(int data_fd, pgqrsi_local_pid_file *out, pgqrs_error *err);

void pgqrsi_local_pid_file_release(pgqrsi_local_pid_file *file);

/** Reads the beginning of a file as text, following no link. Returns its length, or -1. */
ssize_t pgqrsi_local_read_start(int folder_fd, const char *path, char *text, size_t size);

/** 1 if a process listens at the socket of `port` in `socket_dir`; else 0. *out_user, unless NULL,
 * becomes the process's user, or (uid_t)-1 if too many wait to be let in to tell. Does not wait. */
int pgqrsi_local_listens(const char *socket_dir, int port, uid_t *out_user);

/** A libpq connection string for the server whose socket is in `socket_dir`; the caller frees it.
 * NULL if out of memory. */
char *pgqrsi_local_write_conninfo(const char *socket_dir, int port);

#endif
