/*
 * A link: one connection of a worker, its place in the worker's epoll set, and the time of its next
 * connection attempt.
 */
#ifndef PGQRSI_EXCHANGE_LINK_H
#define PGQRSI_EXCHANGE_LINK_H

#include "client.h"

typedef struct pgqrsi_link {
    pgqrsi_pipe *pipe;
    int epoll_fd;
    int fd; /* a duplicate of the connection's descriptor, in the epoll set; -1: there is none */
    int of; /* the descriptor that it is a duplicate of */
    uint32_t events;
    int is_refused;   /* the last attempt to connect failed */
    int64_t down_ms;  /* since when it is not open; PGQRSI_CLOCK_NEVER: it is */
    int64_t retry_ms; /* when to connect again */
    int64_t backoff_ms;
    /* by when what is under way must be answered; PGQRSI_CLOCK_NEVER: nothing is */
    int64_t deadline_ms;
    int timeouts; /* deadlines that passed in a row */
} pgqrsi_link;

/** What one step of a link brought. */
typedef enum pgqrsi_link_change {
    PGQRSI_LINK_SAME,
    PGQRSI_LINK_OPENED,
    PGQRSI_LINK_REFUSED, /* an attempt to connect failed */
    PGQRSI_LINK_LOST,    /* it was open */
    PGQRSI_LINK_SILENT   /* it was open, and the server did not answer in time */
} pgqrsi_link_change;

pgqrs_status pgqrsi_link_new(pgqrsi_link *link, const pgqrsi_conn_settings *settings, int epoll_fd,
                             pgqrs_error *err);
void pgqrsi_link_free(pgqrsi_link *link);

int pgqrsi_link_is_open(const pgqrsi_link *link);

/** Whether it is not to be expected back in a moment. */
int pgqrsi_link_is_away(const pgqrsi_link *link);

/** Connects if it is time, reads and writes. `err` says why it is REFUSED, LOST or SILENT. */
pgqrsi_link_change pgqrsi_link_progress(pgqrsi_link *link, pgqrs_status *out, pgqrs_error *err);

void pgqrsi_link_close(pgqrsi_link *link);

/** Sees to it that the epoll set waits for what the connection waits for. */
void pgqrsi_link_register(pgqrsi_link *link);

/** When it wants to be looked at again though nothing has come. */
int64_t pgqrsi_link_due_ms(const pgqrsi_link *link);

#endif
