/*
 * Replaying dead messages, for the call of one (replay.c) and that of many (replay_all.c).
 */
#ifndef PGQRSI_ADMIN_REPLAY_H
#define PGQRSI_ADMIN_REPLAY_H

#include <pgqrs/replay.h>

#include "queue/queue.h"

/** Where the dead messages are and where the copies go. */
typedef struct pgqrsi_replay_route {
    pgqrs_client *client;
    pgqrsi_queue *source, *target;
    pgqrsi_scope own;    /* of two queues; unused if they are one */
    pgqrsi_scope *scope; /* of replay.sql */
} pgqrsi_replay_route;

/** Looks both queues up; `to` may be { NULL, 0 }. Close the route in either case. */
pgqrs_status pgqrsi_replay_open(pgqrs_client *client, pgqrs_slice from, pgqrs_slice to,
                                int64_t deadline_ms, pgqrsi_replay_route *out, pgqrs_error *err);
void pgqrsi_replay_close(pgqrsi_replay_route *route);

/** Runs a reading statement on the archive of the source. `params` may be NULL. */
pgqrs_status pgqrsi_replay_ask(const pgqrsi_replay_route *route, pgqrsi_sql sql,
                               const pgqrsi_params *params, int64_t deadline_ms, pgqrsi_rows **out,
                               pgqrs_error *err);

/** Replays `count` messages in one transaction and wakes workers. `ids` ascend. *out: see
 * replay.sql. */
pgqrs_status pgqrsi_replay_send(const pgqrsi_replay_route *route, const int64_t *ids, size_t count,
                                const pgqrs_replay_options *options, int64_t deadline_ms,
                                pgqrsi_rows **out, pgqrs_error *err);

/** PGQRS_EDENIED: row security hides rows of the archive. */
pgqrs_status pgqrsi_replay_hidden(const pgqrsi_replay_route *route, pgqrs_error *err);

#endif
