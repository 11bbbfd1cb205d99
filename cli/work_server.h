/*
 * The server as `pgqrs work` sees it: every call goes through here, and so does every failure.
 *
 * A failure that may pass (no connection, a deadline, an unknown outcome) opens an outage: no call is made
 * until a pause is over, which grows from one failure to the next, with jitter; the first call that succeeds
 * ends the outage. It may last for ever: children run on, and what they achieved is kept until it can be
 * reported. A failure that does not pass by itself (no such queue, not installed, a privilege is lacking) is
 * fatal.
 *
 * Every call blocks at most `operation_timeout_ms` of the client.
 */
#ifndef PGQRS_CLI_WORK_SERVER_H
#define PGQRS_CLI_WORK_SERVER_H

#include <pgqrs/consumer.h>

#include "work_fence.h"
#include "work_report.h"
#include "work_slot.h"

struct work_server {
    pgqrs_client *client;
    pgqrs_consumer *consumer;
    pgqrs_slice queue;
    int64_t lease_ms;
    int64_t worker_id; /* 0: none */
    int64_t touch_ms;  /* when the worker's row is to be touched */
    pgqrs_error *err;
    struct work_fence *fence; /* up during each call; set by whoever has the slots */
    struct work_report *report;
    int failures;        /* in a row; 0: no outage */
    int64_t retry_ms;    /* during an outage: no call before this */
    int64_t outage_ms;   /* when it began */
    int64_t reminder_ms; /* when to mention it again */
    pgqrs_status fatal;  /* PGQRS_OK, or why there is no point in going on */
};

/** Opens the queue and registers this process as a worker. PGQRS_OK, or a failure that server->err describes;
 * close in either case. */
pgqrs_status work_server_open(struct work_server *server, pgqrs_client *client, pgqrs_slice queue,
                              int64_t lease_ms, struct work_report *report);

/** Unregisters, unless there is an outage, and frees what `server` holds. */
void work_server_close(struct work_server *server);

/** 1 if calls may be made now: there is no outage, or it is time to see whether it is over. */
int work_server_is_ready(const struct work_server *server, int64_t now_ms);

/** Claims up to `max` messages. 0 with *out, which may be empty and which the caller frees, and until when
 * their leases are sure; -1 after a failure. */
int work_server_claim(struct work_server *server, size_t max, pgqrs_message_list **out,
                      int64_t *out_sure_until_ms);

/** Extends the lease of every slot that wants one. A slot whose lease is lost drops its message. */
void work_server_extend(struct work_server *server, struct slot *slots, size_t count);

/** Reports FINISHED slots and gives RELEASING ones back; those that the server has heard of become FREE. */
void work_server_settle(struct work_server *server, struct slot *slots, size_t count);

/** Touches the worker's row if it is time to. */
void work_server_touch(struct work_server *server, int64_t now_ms);

/** 1 if the queue holds nothing at all any more, 0 if it holds something, -1 after a failure. */
int work_server_is_empty(struct work_server *server);

/** A random number from 0 to `limit`. */
int64_t work_server_random(int64_t limit);

#endif
