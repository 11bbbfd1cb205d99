/*
 * A private server's folder: made, claimed, locked and removed, following no symbolic link.
 *
 * For root, the folder itself belongs to root and only those inside it to the account `postgres`,
 * so that nothing that this account does there can lead root astray.
 */
#ifndef PGQRSI_LOCAL_FOLDER_H
#define PGQRSI_LOCAL_FOLDER_H

#include <stdint.h>

#include <pgqrs/error.h>

#include "local/account.h"
#include "local/paths.h"

/* A locked folder. */
typedef struct pgqrsi_folder {
    int fd;      /* -1: not open */
    int lock_fd; /* -1: not locked */
} pgqrsi_folder;

#define PGQRSI_FOLDER_INIT                                                                         \
    {                                                                                              \
        -1, -1                                                                                     \
    }

/** What pgqrsi_folder_lock does about a folder that is not there. */
typedef enum pgqrsi_folder_mode { PGQRSI_FOLDER_EXISTING, PGQRSI_FOLDER_CREATE } pgqrsi_folder_mode;

/**
 * Opens and locks the folder of `paths`, waiting for other processes and threads until
 * `deadline_ms`. It must be marked as ours; a new or empty one gets the mark. Call unlock even on
 * failure. Returns PGQRS_OK, PGQRS_ECONNECT (PGQRSI_FOLDER_EXISTING only), PGQRS_ESYSTEM or
 * PGQRS_ENOMEM.
 */
pgqrs_status pgqrsi_folder_lock(pgqrsi_folder *folder, const pgqrsi_paths *paths,
                                const pgqrsi_account *account, pgqrsi_folder_mode mode,
                                int64_t deadline_ms, pgqrs_error *err);

void pgqrsi_folder_unlock(pgqrsi_folder *folder);

/** Makes the sub-folder `entry`, owned by the account and open to nobody else, or checks that it is
 * so. */
pgqrs_status pgqrsi_folder_make_private(const pgqrsi_folder *folder, const char *entry,
                                        const pgqrsi_paths *paths, const pgqrsi_account *account,
                                        pgqrs_error *err);

/** Makes an empty folder for the socket, with no server running: as above, or a short one in /tmp,
 * where strangers may have been first. */
pgqrs_status pgqrsi_folder_make_socket_dir(const pgqrsi_folder *folder, const pgqrsi_paths *paths,
                                           const pgqrsi_account *account, pgqrs_error *err);

/** Removes everything that a process that was killed while it made or removed a cluster has left,
 * as far as that goes: what stays only takes up room. */
void pgqrsi_folder_remove_leftovers(const pgqrsi_folder *folder);

/** Removes the folder and all that is in it; it stays locked until unlock. */
pgqrs_status pgqrsi_folder_remove(const pgqrsi_folder *folder, const pgqrsi_paths *paths,
                                  const pgqrsi_account *account, pgqrs_error *err);

#endif
