/*
 * Private servers: a PostgreSQL of one's own for those who have none.
 *
 * A private server is an ordinary PostgreSQL cluster that belongs to one user, listens on a unix
 * socket only and keeps its data below $XDG_DATA_HOME/pgqrs (usually ~/.local/share/pgqrs), so it
 * survives a reboot. Started by root it runs as the account `postgres`, below /var/lib/pgqrs if
 * XDG_DATA_HOME is not set. Its name is 1 to 32 of a-z, 0-9, "-" and "_", not "-" first; the
 * default is "default".
 *
 * Part of the command, not of the library: that one connects to a server that runs
 * (src/base/local.h).
 *
 * Needs PostgreSQL's server programs; PGQRS_ECONNECT says which one is missing and where it was
 * looked for. Every function runs programs and waits for them, up to a minute. Any thread;
 * processes that start the same server at once wait for each other.
 */
#ifndef LOCAL_LOCAL_H
#define LOCAL_LOCAL_H

#include <stdint.h>

#include <pgqrs/error.h>
#include <pgqrs/slice.h>

typedef enum pgqrs_local_state {
    PGQRS_LOCAL_ABSENT = 0, /* no data folder */
    PGQRS_LOCAL_STOPPED = 1,
    PGQRS_LOCAL_RUNNING = 2
} pgqrs_local_state;

/** What a private server is and where. The caller releases it with pgqrs_local_info_release. */
typedef struct pgqrs_local_info {
    pgqrs_local_state state;
    int64_t pid;    /* of the server; 0 unless running */
    char *data_dir; /* the cluster's folder */
    char *log_file; /* the server's log */
    char *conninfo; /* a libpq connection string for psql and others; holds no secret */
} pgqrs_local_info;

/** Frees what `info` holds and zeroes it; the struct is the caller's. */
void pgqrs_local_info_release(pgqrs_local_info *info);

/** Creates the server `name` ({ NULL, 0 }: the default) if it is absent, starts it if it is
 * stopped, and describes it in *out. Returns PGQRS_OK, PGQRS_EINVAL, PGQRS_ECONNECT (PostgreSQL's
 * programs are missing), PGQRS_ESYSTEM or PGQRS_ENOMEM. */
pgqrs_status pgqrs_local_start(pgqrs_slice name, pgqrs_local_info *out, pgqrs_error *err);

/** Stops it, ending its sessions. Harmless if it does not run. PGQRS_ECONNECT if it is absent. */
pgqrs_status pgqrs_local_stop(pgqrs_slice name, pgqrs_error *err);

/** Describes it, running or not; an absent one too. */
pgqrs_status pgqrs_local_status(pgqrs_slice name, pgqrs_local_info *out, pgqrs_error *err);

/** Stops it and removes all its data. PGQRS_ECONNECT if it is absent. */
pgqrs_status pgqrs_local_destroy(pgqrs_slice name, pgqrs_error *err);

#endif
