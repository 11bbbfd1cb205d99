/*
 * A worker in libevent's loop, with no thread of the worker's. A handler begins something that
 * takes a while (here a timer, as it might be the answer of another server) and ends the job when
 * that has come.
 *
 *     pgqrs local start
 *     cc worker_libevent.c $(pkg-config --cflags --libs pgqrs libevent) -o worker_libevent
 *     PGQRS_DSN=local: ./worker_libevent
 *
 * The queue must be there: pgqrs install && pgqrs queue create texts
 */
#include <event2/event.h>
#include <pgqrs.h>
#include <signal.h>
#include <stdio.h>

/* ---- the adapter: for a program of yours copy from here ... ---- */

/* A worker in a loop. It is yours, and must stay where it is until it is detached. */
struct attachment {
    struct event *event; /* NULL: not attached */
    pgqrs_worker *worker;
    pgqrs_error *err;
    /* PGQRS_OK, or why the worker could not be started */
    pgqrs_status status;
    /* the worker is over, or was detached; may be NULL */
    void (*on_detached)(struct attachment *attached);
};

/* Leaves the loop; twice is once. A worker that is not over can be attached again, or closed. */
static void
detach(struct attachment *attached)
{
    if (attached->event == NULL)
        return;
    event_free(attached->event);
    attached->event = NULL;
    if (attached->on_detached != NULL)
        attached->on_detached(attached);
}

/* Once: until the descriptor is readable, or the time has passed. */
static int
wait_for(struct attachment *attached)
{
    int64_t timeout_ms = pgqrs_worker_timeout_ms(attached->worker);
    struct timeval timeout = { .tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000 };

    return event_add(attached->event, &timeout);
}

static void
on_event(evutil_socket_t descriptor, short what, void *arg)
{
    struct attachment *attached = arg;
    bool over = false;

    (void)descriptor;
    (void)what;
    attached->status = pgqrs_worker_process(attached->worker, &over, attached->err);
    if (attached->event == NULL) /* by a handler */
        return;
    if (over || attached->status != PGQRS_OK || wait_for(attached) != 0)
        detach(attached);
}

/* Lets `base` run `worker` from its next turn on. Returns 0, or -1, and then nothing is attached.
 * From the loop's thread. */
static int
attach(struct attachment *attached, struct event_base *base, pgqrs_worker *worker, pgqrs_error *err)
{
    attached->worker = worker;
    attached->err = err;
    attached->status = PGQRS_OK;
    attached->event = event_new(base, pgqrs_worker_fd(worker), EV_READ, on_event, attached);
    if (attached->event == NULL)
        return -1;
    if (wait_for(attached) != 0) {
        event_free(attached->event);
        attached->event = NULL;
        return -1;
    }
    return 0;
}

/* ---- ... to here ---- */

static void
on_answer(evutil_socket_t descriptor, short what, void *arg)
{
    pgqrs_job *job = arg;

    (void)descriptor;
    (void)what;
    if (pgqrs_job_set_result(job, pgqrs_slice_of("{\"answer\": 42}"), NULL) == PGQRS_OK)
        pgqrs_job_finish(job, PGQRS_JOB_DONE);
    else
        pgqrs_job_finish(job, PGQRS_JOB_FAILED);
}

static pgqrs_job_outcome
ask(pgqrs_job *job, void *arg)
{
    const struct timeval soon = { .tv_sec = 0, .tv_usec = 20000 };

    if (event_base_once(arg, -1, EV_TIMEOUT, on_answer, job, &soon) != 0)
        return PGQRS_JOB_FAILED;
    return PGQRS_JOB_PENDING;
}

static void
on_signal(evutil_socket_t number, short what, void *arg)
{
    (void)number;
    (void)what;
    pgqrs_worker_stop(arg);
}

static int
run_loop(struct event_base *base, pgqrs_worker *worker, pgqrs_error *err)
{
    struct attachment attached = { 0 };
    struct event *terminate = evsignal_new(base, SIGTERM, on_signal, worker);
    int ok = terminate != NULL && event_add(terminate, NULL) == 0 &&
             attach(&attached, base, worker, err) == 0;

    while (ok && attached.event != NULL)
        event_base_loop(base, EVLOOP_ONCE);
    if (terminate != NULL)
        event_free(terminate);
    /* until nothing is left in it, no answer that a handler waits for either */
    event_base_dispatch(base);
    return ok && attached.status == PGQRS_OK;
}

int
main(void)
{
    pgqrs_error *err = pgqrs_error_new();
    pgqrs_slice texts = pgqrs_slice_of("texts"), any_type = { NULL, 0 };
    pgqrs_config *config = NULL;
    pgqrs_client *client = NULL;
    pgqrs_worker *worker = NULL;
    struct event_base *base = event_base_new();
    int ok = base != NULL && pgqrs_config_new(&config, err) == PGQRS_OK &&
             pgqrs_config_load_environment(config, err) == PGQRS_OK &&
             pgqrs_client_open(config, &client, err) == PGQRS_OK &&
             pgqrs_worker_new(client, NULL, &worker, err) == PGQRS_OK &&
             pgqrs_worker_add_queue(worker, texts, NULL, err) == PGQRS_OK &&
             pgqrs_worker_handle(worker, texts, any_type, ask, base, err) == PGQRS_OK &&
             run_loop(base, worker, err);

    puts(ok ? "stopped" : pgqrs_error_message(err));
    pgqrs_worker_close(worker);
    if (base != NULL)
        event_base_free(base);
    pgqrs_client_close(client);
    pgqrs_config_free(config);
    pgqrs_error_free(err);
    return ok ? 0 : 1;
}
