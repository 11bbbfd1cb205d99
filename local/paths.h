/*
 * Where a private server lives.
 *
 *     <parent>/NAME/             $PGQRS_LOCAL_ROOT, $XDG_DATA_HOME/pgqrs, or root's /var/lib/pgqrs
 *         pgqrs-server           the marker: this folder is ours to remove
 *         lock                   held while a server is made, started, stopped or removed
 *         data/                  the cluster
 *         data.*                 a cluster half made or half removed
 *         socket/                where clients connect, unless that path is too long
 *         log/                   startup.log and one log for each day of the week
 */
#ifndef PGQRSI_LOCAL_PATHS_H
#define PGQRSI_LOCAL_PATHS_H

#include <pgqrs/error.h>
#include <pgqrs/slice.h>

/* Entries of the server's folder, in addition to PGQRSI_LOCAL_DATA. */
#define PGQRSI_PATHS_MARKER "pgqrs-server"
#define PGQRSI_PATHS_LOCK "lock"
#define PGQRSI_PATHS_SOCKET "socket"
#define PGQRSI_PATHS_LOG "log"
#define PGQRSI_PATHS_STARTUP_LOG "startup.log"
#define PGQRSI_PATHS_TEMPORARY_PREFIX "data."

typedef struct pgqrsi_paths {
    char *name;
    char *folder;     /* <parent>/NAME */
    char *lock;       /* folder/lock */
    char *data;       /* folder/data */
    char *log_dir;    /* folder/log */
    char *socket_dir; /* folder/socket, or a short one in /tmp */
    int socket_is_short;
} pgqrsi_paths;

/** Checks `name` ({ NULL, 0 }: "default") and works out its paths; touches no file. Call release
 * even on failure. Returns PGQRS_OK, PGQRS_EINVAL, PGQRS_ESYSTEM (no home folder) or
 * PGQRS_ENOMEM. */
pgqrs_status pgqrsi_paths_init(pgqrsi_paths *paths, pgqrs_slice name, pgqrs_error *err);

/** Frees what `paths` holds and zeroes it. */
void pgqrsi_paths_release(pgqrsi_paths *paths);

#endif
