/*
 * Makes a cluster, and starts its server.
 */
#ifndef PGQRSI_LOCAL_CLUSTER_H
#define PGQRSI_LOCAL_CLUSTER_H

#include <stdint.h>

#include <pgqrs/error.h>

#include "local/account.h"
#include "local/folder.h"
#include "local/paths.h"
#include "local/programs.h"

/* What both functions work on; nothing of it is owned. */
typedef struct pgqrsi_cluster {
    const pgqrsi_paths *paths;
    const pgqrsi_account *account;
    const pgqrsi_folder *folder; /* locked */
    const pgqrsi_programs *programs;
    int64_t deadline_ms;
} pgqrsi_cluster;

/** Makes the cluster beside its place, and moves it there when it is whole. Returns PGQRS_OK,
 * PGQRS_ESYSTEM or PGQRS_ENOMEM; a cluster half made is removed. */
pgqrs_status pgqrsi_cluster_create(const pgqrsi_cluster *cluster, pgqrs_error *err);

/** Starts the server and waits until it takes connections. PGQRS_OK, PGQRS_ESYSTEM or
 * PGQRS_ENOMEM. */
pgqrs_status pgqrsi_cluster_start(const pgqrsi_cluster *cluster, pgqrs_error *err);

/** The major version that made the cluster; 0 if there is no cluster or it does not say. */
int pgqrsi_cluster_major(const pgqrsi_paths *paths);

#endif
