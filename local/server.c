#include "local/local.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/local.h"
#include "local/account.h"
#include "local/cluster.h"
#include "local/folder.h"
#include "local/paths.h"
#include "local/postmaster.h"
#include "local/programs.h"
#include "local/serverlog.h"

#define CALL_MS 60000

/* One private server while a call works on it. */
struct server {
    pgqrsi_paths paths;
    pgqrsi_account account;
    pgqrsi_folder folder;
    pgqrsi_programs programs;
    pgqrsi_postmaster postmaster;
    int64_t deadline_ms;
};

static pgqrs_status
server_init(struct server *server, pgqrs_slice name, pgqrs_error *err)
{
    pgqrs_status status;

    memset(server, 0, sizeof(*server));
    server->folder = (pgqrsi_folder)PGQRSI_FOLDER_INIT;
    server->deadline_ms = pgqrsi_clock_ms() + CALL_MS;
    status = pgqrsi_paths_init(&server->paths, name, err);
    return status == PGQRS_OK ? pgqrsi_account_init(&server->account, err) : status;
}

static void
server_release(struct server *server)
{
    pgqrsi_postmaster_release(&server->postmaster);
    pgqrsi_programs_release(&server->programs);
    pgqrsi_folder_unlock(&server->folder);
    pgqrsi_account_release(&server->account);
    pgqrsi_paths_release(&server->paths);
}

static pgqrs_status
look(struct server *server, pgqrs_error *err)
{
    pgqrsi_postmaster_release(&server->postmaster);
    return pgqrsi_postmaster_look(&server->postmaster, &server->paths, &server->account, err);
}

static pgqrs_status
find_programs(struct server *server, pgqrs_error *err)
{
    pgqrsi_programs_release(&server->programs);
    return pgqrsi_programs_find(&server->programs, pgqrsi_cluster_major(&server->paths),
                                server->paths.name, &server->account, server->deadline_ms, err);
}

/* With the folder locked and no server there. */
static pgqrs_status
launch(struct server *server, pgqrs_error *err)
{
    const pgqrsi_cluster cluster = { &server->paths, &server->account, &server->folder,
                                     &server->programs, server->deadline_ms };
    pgqrs_status status = PGQRS_OK;

    pgqrsi_folder_remove_leftovers(&server->folder);
    if (server->postmaster.has_data &&
        pgqrsi_cluster_major(&server->paths) != server->programs.major)
        /* another process has just made it, by another version */
        status = find_programs(server, err);
    else if (!server->postmaster.has_data)
        status = pgqrsi_cluster_create(&cluster, err);
    if (status == PGQRS_OK)
        status =
            pgqrsi_postmaster_clear(&server->paths, &server->account, server->deadline_ms, err);
    return status == PGQRS_OK ? pgqrsi_cluster_start(&cluster, err) : status;
}

/* A server that its user has made to listen elsewhere than at a socket is believed. */
static int
is_reachable(const struct server *server)
{
    return server->postmaster.phase == PGQRSI_POSTMASTER_READY &&
           (server->postmaster.socket_dir == NULL ||
            pgqrsi_postmaster_answers(&server->postmaster));
}

/* Waits until a server that starts or stops has done so. One that lost its socket is stopped, since
 * PostgreSQL makes the socket only as it starts: nobody can connect to it, and sessions that are
 * open connect again. */
static pgqrs_status
settle(struct server *server, pgqrs_error *err)
{
    pgqrs_status status;

    pgqrsi_postmaster_release(&server->postmaster);
    status = pgqrsi_postmaster_settle(&server->postmaster, &server->paths, &server->account,
                                      server->deadline_ms, err);
    if (status != PGQRS_OK || server->postmaster.phase != PGQRSI_POSTMASTER_READY ||
        is_reachable(server))
        return status;
    status = pgqrsi_postmaster_stop(&server->paths, &server->account, server->deadline_ms, err);
    return status == PGQRS_OK ? look(server, err) : status;
}

/* Brings the server to where it takes connections, and leaves what is known of it in
 * server->postmaster. */
static pgqrs_status
ensure_ready(struct server *server, pgqrs_error *err)
{
    pgqrs_status status = look(server, err);

    if (status != PGQRS_OK || is_reachable(server))
        return status;
    /* Before anything is made: without PostgreSQL nothing shall be left behind. */
    if (server->postmaster.phase == PGQRSI_POSTMASTER_GONE) {
        status = find_programs(server, err);
        if (status == PGQRS_OK)
            status = pgqrsi_account_require(&server->account, err);
    }
    if (status == PGQRS_OK)
        status = pgqrsi_folder_lock(&server->folder, &server->paths, &server->account,
                                    PGQRSI_FOLDER_CREATE, server->deadline_ms, err);
    if (status == PGQRS_OK)
        status = settle(server, err);
    if (status != PGQRS_OK || server->postmaster.phase == PGQRSI_POSTMASTER_READY)
        return status;
    if (server->programs.major == 0) /* it was there when first looked at */
        status = find_programs(server, err);
    if (status == PGQRS_OK)
        status = launch(server, err);
    if (status != PGQRS_OK)
        return status;
    pgqrsi_postmaster_release(&server->postmaster);
    status = pgqrsi_postmaster_settle(&server->postmaster, &server->paths, &server->account,
                                      server->deadline_ms, err);
    if (status == PGQRS_OK && server->postmaster.phase != PGQRSI_POSTMASTER_READY)
        status = pgqrsi_error_set(
            err, PGQRS_ESYSTEM,
            "the private server \"%s\" ended right after its start; see the logs in \"%s\"",
            server->paths.name, server->paths.log_dir);
    return status;
}

/* ---- Describing ---- */

/* A libpq connection string; the caller frees it. NULL if out of memory. A running server knows
 * best where its socket is: its user may have moved it. */
static char *
write_conninfo(const struct server *server)
{
    const pgqrsi_postmaster *postmaster = &server->postmaster;

    if (postmaster->phase == PGQRSI_POSTMASTER_READY && postmaster->socket_dir != NULL)
        return pgqrsi_local_write_conninfo(postmaster->socket_dir, postmaster->port);
    return pgqrsi_local_write_conninfo(server->paths.socket_dir, PGQRSI_LOCAL_PORT);
}

static pgqrs_status
describe(const struct server *server, pgqrs_local_info *out, pgqrs_error *err)
{
    pgqrs_local_info info = { PGQRS_LOCAL_ABSENT, 0, NULL, NULL, NULL };

    if (server->postmaster.phase != PGQRSI_POSTMASTER_GONE)
        info.state = PGQRS_LOCAL_RUNNING;
    else if (server->postmaster.has_data)
        info.state = PGQRS_LOCAL_STOPPED;
    info.pid = server->postmaster.pid;
    info.data_dir = strdup(server->paths.data);
    info.log_file = pgqrsi_serverlog_current(&server->paths);
    info.conninfo = write_conninfo(server);
    if (info.data_dir == NULL || info.log_file == NULL || info.conninfo == NULL) {
        pgqrs_local_info_release(&info);
        return pgqrsi_error_memory(err);
    }
    *out = info;
    return PGQRS_OK;
}

void
pgqrs_local_info_release(pgqrs_local_info *info)
{
    if (info == NULL)
        return;
    free(info->data_dir);
    free(info->log_file);
    free(info->conninfo);
    memset(info, 0, sizeof(*info));
}

/* ---- The calls ---- */

pgqrs_status
pgqrs_local_start(pgqrs_slice name, pgqrs_local_info *out, pgqrs_error *err)
{
    struct server server;
    pgqrs_status status = server_init(&server, name, err);

    if (status == PGQRS_OK)
        status = ensure_ready(&server, err);
    if (status == PGQRS_OK)
        status = describe(&server, out, err);
    server_release(&server);
    return status;
}

pgqrs_status
pgqrs_local_status(pgqrs_slice name, pgqrs_local_info *out, pgqrs_error *err)
{
    struct server server;
    pgqrs_status status = server_init(&server, name, err);

    if (status == PGQRS_OK)
        status = look(&server, err);
    if (status == PGQRS_OK)
        status = describe(&server, out, err);
    server_release(&server);
    return status;
}

pgqrs_status
pgqrs_local_stop(pgqrs_slice name, pgqrs_error *err)
{
    struct server server;
    pgqrs_status status = server_init(&server, name, err);

    if (status == PGQRS_OK)
        status = pgqrsi_folder_lock(&server.folder, &server.paths, &server.account,
                                    PGQRSI_FOLDER_EXISTING, server.deadline_ms, err);
    if (status == PGQRS_OK)
        status = look(&server, err);
    if (status == PGQRS_OK && !server.postmaster.has_data)
        status = pgqrsi_error_set(
            err, PGQRS_ECONNECT,
            "there is no private server \"%s\": \"%s\" does not exist; `pgqrs local start` makes "
            "it",
            server.paths.name, server.paths.data);
    if (status == PGQRS_OK)
        status = pgqrsi_postmaster_stop(&server.paths, &server.account, server.deadline_ms, err);
    server_release(&server);
    return status;
}

pgqrs_status
pgqrs_local_destroy(pgqrs_slice name, pgqrs_error *err)
{
    struct server server;
    pgqrs_status status = server_init(&server, name, err);

    if (status == PGQRS_OK)
        status = pgqrsi_folder_lock(&server.folder, &server.paths, &server.account,
                                    PGQRSI_FOLDER_EXISTING, server.deadline_ms, err);
    if (status == PGQRS_OK)
        status = pgqrsi_postmaster_stop(&server.paths, &server.account, server.deadline_ms, err);
    if (status == PGQRS_OK)
        status = pgqrsi_folder_remove(&server.folder, &server.paths, &server.account, err);
    server_release(&server);
    return status;
}
