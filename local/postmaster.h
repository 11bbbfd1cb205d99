/*
 * The server process of a cluster: whether there is one, and how to stop it.
 *
 *     GONE --start--> BUSY (starting, recovering) --> READY --stop--> BUSY (stopping) --> GONE
 *
 * The file postmaster.pid alone proves nothing: it stays behind after kill -9 or a power cut, and
 * its number may be somebody else's by then. So a process only counts if it works in the cluster's
 * folder.
 */
#ifndef PGQRSI_LOCAL_POSTMASTER_H
#define PGQRSI_LOCAL_POSTMASTER_H

#include <stdint.h>
#include <sys/types.h>

#include <pgqrs/error.h>

#include "local/account.h"
#include "local/paths.h"

typedef enum pgqrsi_postmaster_phase {
    PGQRSI_POSTMASTER_GONE, /* no process; there may be a stale postmaster.pid */
    PGQRSI_POSTMASTER_BUSY, /* a process that takes no connections yet, or no longer */
    PGQRSI_POSTMASTER_READY
} pgqrsi_postmaster_phase;

typedef struct pgqrsi_postmaster {
    pgqrsi_postmaster_phase phase;
    pid_t pid;        /* 0 if GONE */
    int has_data;     /* 1: there is a cluster */
    int is_pid_taken; /* 1: GONE, and the process of that number is another program's */
    int port;         /* of the last run, if GONE */
    char *socket_dir; /* likewise; NULL if it has none or does not say yet */
} pgqrsi_postmaster;

/** Looks. Returns PGQRS_OK, PGQRS_ESYSTEM (the folder cannot be read) or PGQRS_ENOMEM. *postmaster
 * is always written: release it. */
pgqrs_status pgqrsi_postmaster_look(pgqrsi_postmaster *postmaster, const pgqrsi_paths *paths,
                                    const pgqrsi_account *account, pgqrs_error *err);

/** Looks until it is not BUSY. PGQRS_ESYSTEM if it still is at the deadline. */
pgqrs_status pgqrsi_postmaster_settle(pgqrsi_postmaster *postmaster, const pgqrsi_paths *paths,
                                      const pgqrsi_account *account, int64_t deadline_ms,
                                      pgqrs_error *err);

/** Ends the server's sessions and the server ("fast" shutdown), and waits until all its processes
 * are gone. */
pgqrs_status pgqrsi_postmaster_stop(const pgqrsi_paths *paths, const pgqrsi_account *account,
                                    int64_t deadline_ms, pgqrs_error *err);

/** Clears the way for a start after a crash: waits for the processes that a killed server left
 * behind (ending them if they take long), and removes a postmaster.pid whose number belongs to
 * another program by now. */
pgqrs_status pgqrsi_postmaster_clear(const pgqrsi_paths *paths, const pgqrsi_account *account,
                                     int64_t deadline_ms, pgqrs_error *err);

/** Whether a server takes connections at the socket that postmaster.pid names. A READY server does
 * not if a cleaner of /tmp has removed its socket. */
int pgqrsi_postmaster_answers(const pgqrsi_postmaster *postmaster);

void pgqrsi_postmaster_release(pgqrsi_postmaster *postmaster);

#endif
