#include "runtime/runtime.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/random.h"

#define BACKOFF_FIRST_MS 50
#define BACKOFF_MAX_MS 5000

pgqrs_status
pgqrsi_link_new(pgqrs_worker *worker, pgqrsi_link *link, pgqrs_error *err)
{
    link->fd = -1;
    link->deadline_ms = NEVER;
    return pgqrsi_pipe_new(&worker->client->settings, &link->pipe, err);
}

void
pgqrsi_link_free(pgqrsi_link *link)
{
    pgqrsi_pipe_free(link->pipe);
    link->pipe = NULL;
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

static void
went_down(pgqrs_worker *worker, pgqrsi_link *link, pgqrs_status status, const pgqrs_error *detail)
{
    int is_news = !link->is_down && link == &worker->work_link;

    link->is_down = 1;
    link->deadline_ms = NEVER;
    plan_retry(link);
    if (is_news)
        pgqrsi_worker_tell(worker, PGQRS_EVENT_DISCONNECTED, NULL, status, pgqrs_error_message(detail));
}

static void
went_up(pgqrs_worker *worker, pgqrsi_link *link)
{
    int is_news = link->is_down && link == &worker->work_link;

    link->is_down = 0;
    link->backoff_ms = 0;
    if (is_news)
        pgqrsi_worker_tell(worker, PGQRS_EVENT_CONNECTED, NULL, PGQRS_OK, "");
}

void
pgqrsi_link_progress(pgqrs_worker *worker, pgqrsi_link *link)
{
    pgqrsi_pipe_state before = pgqrsi_pipe_state_of(link->pipe);
    int64_t now_ms = pgqrsi_clock_boot_ms();
    pgqrs_error detail = PGQRSI_ERROR_INIT;
    pgqrs_status status = PGQRS_OK;

    if (before == PGQRSI_PIPE_CLOSED) {
        if (now_ms < link->retry_ms)
            return;
        status = pgqrsi_pipe_open(link->pipe, &detail);
    }
    if (status == PGQRS_OK)
        status = pgqrsi_pipe_progress(link->pipe, &detail);
    if (status == PGQRS_OK && now_ms >= link->deadline_ms && pgqrsi_pipe_pending(link->pipe) > 0) {
        pgqrsi_pipe_close(link->pipe);
        status = pgqrsi_error_set(&detail, PGQRS_ETIMEDOUT,
                                  "the server did not answer in time: the connection was given up");
    }
    if (status != PGQRS_OK)
        went_down(worker, link, status, &detail);
    else if (before != PGQRSI_PIPE_OPEN && pgqrsi_pipe_state_of(link->pipe) == PGQRSI_PIPE_OPEN)
        went_up(worker, link);
    if (pgqrsi_pipe_pending(link->pipe) == 0)
        link->deadline_ms = NEVER;
    pgqrsi_error_release(&detail);
}

/* A socket that was closed has left epoll by itself, and its number may be another one's by now. */
void
pgqrsi_link_register(pgqrs_worker *worker, pgqrsi_link *link)
{
    int is_open = pgqrsi_pipe_state_of(link->pipe) == PGQRSI_PIPE_OPEN;
    int fd = pgqrsi_pipe_fd(link->pipe);
    short wanted = pgqrsi_pipe_events(link->pipe);
    struct epoll_event event = { .events = 0 };

    if (fd < 0) {
        link->fd = -1;
        return;
    }
    event.events = (wanted & POLLIN ? (uint32_t)EPOLLIN : 0U) | (wanted & POLLOUT ? (uint32_t)EPOLLOUT : 0U);
    event.data.ptr = link;
    if (is_open && link->fd == fd && link->events == event.events)
        return;
    if (epoll_ctl(worker->epoll_fd, EPOLL_CTL_MOD, fd, &event) != 0 && errno == ENOENT)
        epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, fd, &event);
    link->fd = is_open ? fd : -1;
    link->events = event.events;
}

int64_t
pgqrsi_link_due_ms(const pgqrsi_link *link)
{
    switch (pgqrsi_pipe_state_of(link->pipe)) {
    case PGQRSI_PIPE_CLOSED:
        return link->retry_ms;
    case PGQRSI_PIPE_CONNECTING:
        return pgqrsi_clock_boot_ms() + 250; /* its own deadline is looked at then */
    case PGQRSI_PIPE_OPEN:
        break;
    }
    return link->deadline_ms;
}
