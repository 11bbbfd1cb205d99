#include "exchange/link.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"

#define NEVER PGQRSI_CLOCK_NEVER

#define BACKOFF_FIRST_MS 50
#define BACKOFF_MAX_MS 5000

/* How often a connection that is being made is looked at: its own deadline is noticed then. */
#define CONNECTING_MS 250

/* A connection that is not made within this is away. */
#define AWAY_MS 250

pgqrs_status
pgqrsi_link_new(pgqrsi_link *link, const pgqrsi_conn_settings *settings, int epoll_fd,
                pgqrs_error *err)
{
    link->epoll_fd = epoll_fd;
    link->fd = link->of = -1;
    link->deadline_ms = NEVER;
    link->down_ms = pgqrsi_clock_boot_ms();
    return pgqrsi_pipe_new(settings, &link->pipe, err);
}

/* The descriptor is our own duplicate, for a child that a handler forked may have inherited the
 * connection's: then closing that would not take it out of the epoll set, and nothing else
 * could. */
static void
unregister(pgqrsi_link *link)
{
    if (link->fd < 0)
        return;
    epoll_ctl(link->epoll_fd, EPOLL_CTL_DEL, link->fd, NULL);
    close(link->fd);
    link->fd = link->of = -1;
}

void
pgqrsi_link_free(pgqrsi_link *link)
{
    unregister(link);
    pgqrsi_pipe_free(link->pipe);
    link->pipe = NULL;
}

int
pgqrsi_link_is_open(const pgqrsi_link *link)
{
    return pgqrsi_pipe_state_of(link->pipe) == PGQRSI_PIPE_OPEN;
}

int
pgqrsi_link_is_away(const pgqrsi_link *link)
{
    return !pgqrsi_link_is_open(link) &&
           (link->is_refused || pgqrsi_clock_boot_ms() - link->down_ms >= AWAY_MS);
}

/* Any part of the pause, so that many processes do not come back together. */
static void
plan_retry(pgqrsi_link *link)
{
    link->backoff_ms = link->backoff_ms == 0 ? BACKOFF_FIRST_MS : link->backoff_ms * 2;
    if (link->backoff_ms > BACKOFF_MAX_MS)
        link->backoff_ms = BACKOFF_MAX_MS;
    link->retry_ms = pgqrsi_clock_boot_ms() + 1 + pgqrsi_random_token() % link->backoff_ms;
}

static pgqrsi_link_change
went_down(pgqrsi_link *link, pgqrsi_pipe_state before)
{
    unregister(link);
    link->deadline_ms = NEVER;
    link->is_refused = before != PGQRSI_PIPE_OPEN;
    if (!link->is_refused)
        link->down_ms = pgqrsi_clock_boot_ms();
    plan_retry(link);
    return link->is_refused ? PGQRSI_LINK_REFUSED : PGQRSI_LINK_LOST;
}

static pgqrsi_link_change
went_up(pgqrsi_link *link)
{
    unregister(link);
    link->is_refused = 0;
    link->backoff_ms = 0;
    link->down_ms = NEVER;
    return PGQRSI_LINK_OPENED;
}

static pgqrsi_link_change
fell_silent(pgqrsi_link *link, pgqrs_status *out, pgqrs_error *err)
{
    pgqrsi_pipe_close(link->pipe);
    *out = pgqrsi_error_set(err, PGQRS_ETIMEDOUT,
                            "the server did not answer in time: the connection was given up");
    went_down(link, PGQRSI_PIPE_OPEN);
    link->timeouts++;
    return PGQRSI_LINK_SILENT;
}

pgqrsi_link_change
pgqrsi_link_progress(pgqrsi_link *link, pgqrs_status *out, pgqrs_error *err)
{
    pgqrsi_pipe_state before = pgqrsi_pipe_state_of(link->pipe);
    size_t pending = pgqrsi_pipe_pending(link->pipe);
    int64_t now_ms = pgqrsi_clock_boot_ms();

    *out = PGQRS_OK;
    if (before == PGQRSI_PIPE_CLOSED) {
        if (now_ms < link->retry_ms)
            return PGQRSI_LINK_SAME;
        *out = pgqrsi_pipe_open(link->pipe, err);
    }
    if (*out == PGQRS_OK)
        *out = pgqrsi_pipe_progress(link->pipe, err);
    if (*out != PGQRS_OK)
        return went_down(link, before);
    if (before != PGQRSI_PIPE_OPEN && pgqrsi_link_is_open(link))
        return went_up(link);
    if (pgqrsi_pipe_pending(link->pipe) == 0) {
        link->deadline_ms = NEVER;
        if (pending > 0)
            link->timeouts = 0;
    } else if (now_ms >= link->deadline_ms && before == PGQRSI_PIPE_OPEN) {
        return fell_silent(link, out, err);
    }
    return PGQRSI_LINK_SAME;
}

void
pgqrsi_link_close(pgqrsi_link *link)
{
    unregister(link);
    pgqrsi_pipe_close(link->pipe);
    link->deadline_ms = NEVER;
    link->down_ms = pgqrsi_clock_boot_ms();
}

/* While a connection is being made libpq may close its socket and open another one of the same
 * number. */
void
pgqrsi_link_register(pgqrsi_link *link)
{
    int fd = pgqrsi_pipe_fd(link->pipe);
    short wanted = pgqrsi_pipe_events(link->pipe);
    struct epoll_event event = { .events = 0 };

    event.events =
        (wanted & POLLIN ? (uint32_t)EPOLLIN : 0U) | (wanted & POLLOUT ? (uint32_t)EPOLLOUT : 0U);
    event.data.ptr = link;
    if (!pgqrsi_link_is_open(link) || link->of != fd)
        unregister(link);
    if (fd < 0 || (link->fd >= 0 && link->events == event.events))
        return;
    if (link->fd >= 0) {
        epoll_ctl(link->epoll_fd, EPOLL_CTL_MOD, link->fd, &event);
    } else {
        link->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        link->of = fd;
        if (link->fd >= 0)
            epoll_ctl(link->epoll_fd, EPOLL_CTL_ADD, link->fd, &event);
    }
    link->events = event.events;
}

int64_t
pgqrsi_link_due_ms(const pgqrsi_link *link)
{
    switch (pgqrsi_pipe_state_of(link->pipe)) {
    case PGQRSI_PIPE_CLOSED:
        return link->retry_ms;
    case PGQRSI_PIPE_CONNECTING:
        return pgqrsi_clock_boot_ms() + CONNECTING_MS;
    case PGQRSI_PIPE_OPEN:
        break;
    }
    return link->deadline_ms;
}
