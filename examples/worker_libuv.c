/*
 * A worker in libuv's event loop, with no thread of the worker's. A handler hands its work to
 * libuv's thread pool and ends the job when that is done, so that the loop is never held up.
 *
 *     pgqrs local start
 *     cc worker_libuv.c $(pkg-config --cflags --libs pgqrs libuv) -o worker_libuv
 *     PGQRS_DSN=local: ./worker_libuv
 *
 * The queue must be there: pgqrs install && pgqrs queue create texts
 */
#include <pgqrs.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

/* ---- the adapter: for a program of yours copy from here ... ---- */

/* A worker in a loop. It is yours, and must stay where it is until `on_detached` is called. */
struct attachment {
    uv_poll_t readable;
    uv_timer_t timer;
    int open; /* how many of these two are not closed yet */
    pgqrs_worker *worker;
    pgqrs_error *err;
    /* PGQRS_OK, or why the worker could not be started */
    pgqrs_status status;
    /* the worker is over, or was detached; may be NULL */
    void (*on_detached)(struct attachment *attached);
};

static void
on_closed(uv_handle_t *handle)
{
    struct attachment *attached = handle->data;

    if (--attached->open == 0 && attached->on_detached != NULL)
        attached->on_detached(attached);
}

/* Leaves the loop; twice is once. A worker that is not over can be attached again, or closed. */
static void
detach(struct attachment *attached)
{
    if (!uv_is_closing((uv_handle_t *)&attached->timer)) {
        uv_close((uv_handle_t *)&attached->readable, on_closed);
        uv_close((uv_handle_t *)&attached->timer, on_closed);
    }
}

static void
on_time(uv_timer_t *timer)
{
    struct attachment *attached = timer->data;
    bool over = false;

    attached->status = pgqrs_worker_process(attached->worker, &over, attached->err);
    if (over || attached->status != PGQRS_OK)
        detach(attached);
    else if (!uv_is_closing((uv_handle_t *)timer)) /* by a handler */
        uv_timer_start(timer, on_time, (uint64_t)pgqrs_worker_timeout_ms(attached->worker), 0);
}

static void
on_readable(uv_poll_t *readable, int status, int events)
{
    struct attachment *attached = readable->data;

    (void)status;
    (void)events;
    on_time(&attached->timer);
}

/* Lets `loop` run `worker` from its next turn on. Returns 0, or libuv's error, and then nothing is
 * attached. From the loop's thread. */
static int
attach(struct attachment *attached, uv_loop_t *loop, pgqrs_worker *worker, pgqrs_error *err)
{
    int failed = uv_poll_init(loop, &attached->readable, pgqrs_worker_fd(worker));

    if (failed)
        return failed;
    uv_timer_init(loop, &attached->timer);
    attached->readable.data = attached;
    attached->timer.data = attached;
    attached->open = 2;
    attached->worker = worker;
    attached->err = err;
    attached->status = PGQRS_OK;
    uv_poll_start(&attached->readable, UV_READABLE, on_readable);
    uv_timer_start(&attached->timer, on_time, 0, 0);
    return 0;
}

/* ---- ... to here ---- */

struct count {
    uv_work_t request;
    pgqrs_job *job;
    int words;
};

/* In a thread of libuv's pool. */
static void
count_words(uv_work_t *request)
{
    struct count *count = request->data;
    const pgqrs_slice text = pgqrs_job_message(count->job)->payload;

    for (size_t i = 0; i < text.size && pgqrs_job_cancelled(count->job) == PGQRS_JOB_NOT_CANCELLED;
         i++)
        count->words += text.data[i] == ' ' || i == 0;
}

/* In the loop's thread again. */
static void
report_words(uv_work_t *request, int status)
{
    struct count *count = request->data;
    char result[32];

    snprintf(result, sizeof(result), "{\"words\": %d}", count->words);
    if (status != 0 || pgqrs_job_set_result(count->job, pgqrs_slice_of(result), NULL) != PGQRS_OK)
        pgqrs_job_finish(count->job, PGQRS_JOB_FAILED);
    else
        pgqrs_job_finish(count->job, PGQRS_JOB_DONE);
    free(count);
}

static pgqrs_job_outcome
begin_count(pgqrs_job *job, void *arg)
{
    struct count *count = calloc(1, sizeof(*count));

    if (count == NULL)
        return PGQRS_JOB_FAILED;
    count->job = job;
    count->request.data = count;
    if (uv_queue_work(arg, &count->request, count_words, report_words) != 0) {
        free(count);
        return PGQRS_JOB_FAILED;
    }
    return PGQRS_JOB_PENDING;
}

static void
on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    pgqrs_worker_stop(handle->data);
}

static int
run_loop(uv_loop_t *loop, pgqrs_worker *worker, pgqrs_error *err)
{
    struct attachment attached = { .on_detached = NULL };
    uv_signal_t terminate;
    int failed = attach(&attached, loop, worker, err);

    if (failed) {
        fprintf(stderr, "%s\n", uv_strerror(failed));
        return 0;
    }
    uv_signal_init(loop, &terminate);
    uv_unref((uv_handle_t *)&terminate);
    terminate.data = worker;
    uv_signal_start(&terminate, on_signal, SIGTERM);
    uv_run(loop, UV_RUN_DEFAULT); /* until nothing is left in it, no work of a handler's either */
    uv_close((uv_handle_t *)&terminate, NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    return attached.status == PGQRS_OK;
}

int
main(void)
{
    pgqrs_error *err = pgqrs_error_new();
    pgqrs_slice texts = pgqrs_slice_of("texts"), any_type = { NULL, 0 };
    pgqrs_config *config = NULL;
    pgqrs_client *client = NULL;
    pgqrs_worker *worker = NULL;
    uv_loop_t *loop = uv_default_loop();
    int ok = pgqrs_config_new(&config, err) == PGQRS_OK &&
             pgqrs_config_load_environment(config, err) == PGQRS_OK &&
             pgqrs_client_open(config, &client, err) == PGQRS_OK &&
             pgqrs_worker_new(client, NULL, &worker, err) == PGQRS_OK &&
             pgqrs_worker_add_queue(worker, texts, NULL, err) == PGQRS_OK &&
             pgqrs_worker_handle(worker, texts, any_type, begin_count, loop, err) == PGQRS_OK &&
             run_loop(loop, worker, err);

    puts(ok ? "stopped" : pgqrs_error_message(err));
    pgqrs_worker_close(worker);
    uv_loop_close(loop);
    pgqrs_client_close(client);
    pgqrs_config_free(config);
    pgqrs_error_free(err);
    return ok ? 0 : 1;
}
