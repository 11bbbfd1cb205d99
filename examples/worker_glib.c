/*
 * A worker in GLib's main loop, with no thread of the worker's: for programs with GTK, and for
 * services that are built on GLib. The worker is a source like any other.
 *
 *     pgqrs local start
 *     cc worker_glib.c $(pkg-config --cflags --libs pgqrs glib-2.0) -o worker_glib
 *     PGQRS_DSN=local: ./worker_glib
 *
 * The queue must be there: pgqrs install && pgqrs queue create texts
 */
#include <glib-unix.h>
#include <glib.h>
#include <pgqrs.h>
#include <stdio.h>

/* ---- the adapter: for a program of yours copy from here ... ---- */

/* A worker as a source of events. */
struct attachment {
    GSource source; /* first, as GLib wants it */
    gpointer readable;
    pgqrs_worker *worker;
    pgqrs_error *err;
};

static gboolean
prepare(GSource *source, gint *timeout)
{
    int64_t timeout_ms = pgqrs_worker_timeout_ms(((struct attachment *)source)->worker);

    *timeout = (gint)MIN(timeout_ms, G_MAXINT);
    return timeout_ms == 0;
}

static gboolean
check(GSource *source)
{
    struct attachment *attached = (struct attachment *)source;

    return g_source_query_unix_fd(source, attached->readable) != 0 ||
           pgqrs_worker_timeout_ms(attached->worker) == 0;
}

/* `callback` is called when the worker is over, or could not be started: then `err` says why. */
static gboolean
dispatch(GSource *source, GSourceFunc callback, gpointer arg)
{
    struct attachment *attached = (struct attachment *)source;
    bool over = false;

    if (pgqrs_worker_process(attached->worker, &over, attached->err) == PGQRS_OK && !over)
        return G_SOURCE_CONTINUE;
    if (callback != NULL)
        callback(arg);
    return G_SOURCE_REMOVE;
}

static GSourceFuncs worker_source = { .prepare = prepare, .check = check, .dispatch = dispatch };

/* Lets `context` (NULL: the default one) run `worker`, and calls `on_over` when that is over. Hand
 * what it returns to detach. From the context's thread. */
static GSource *
attach(GMainContext *context, pgqrs_worker *worker, pgqrs_error *err, GSourceFunc on_over,
       gpointer arg)
{
    GSource *source = g_source_new(&worker_source, sizeof(struct attachment));
    struct attachment *attached = (struct attachment *)source;

    attached->worker = worker;
    attached->err = err;
    attached->readable = g_source_add_unix_fd(source, pgqrs_worker_fd(worker), G_IO_IN);
    g_source_set_name(source, "pgqrs_worker");
    g_source_set_callback(source, on_over, arg, NULL);
    g_source_attach(source, context);
    return source;
}

/* Leaves the loop. A worker that is not over can be attached again, or closed. */
static void
detach(GSource *source)
{
    g_source_destroy(source);
    g_source_unref(source);
}

/* ---- ... to here ---- */

/* Quick, so it works in the loop's thread; one that takes long returns PGQRS_JOB_PENDING and calls
 * pgqrs_job_finish when it is done. */
static pgqrs_job_outcome
digest(pgqrs_job *job, void *arg)
{
    pgqrs_slice text = pgqrs_job_message(job)->payload;
    gchar *sum =
        g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)text.data, text.size);
    gchar *result = g_strdup_printf("{\"sha256\": \"%s\"}", sum);
    pgqrs_status status = pgqrs_job_set_result(job, pgqrs_slice_of(result), NULL);

    (void)arg;
    g_free(result);
    g_free(sum);
    return status == PGQRS_OK ? PGQRS_JOB_DONE : PGQRS_JOB_FAILED;
}

static gboolean
on_signal(gpointer arg)
{
    pgqrs_worker_stop(arg);
    return G_SOURCE_CONTINUE;
}

static gboolean
on_over(gpointer arg)
{
    g_main_loop_quit(arg);
    return G_SOURCE_REMOVE;
}

static int
run_loop(pgqrs_worker *worker, pgqrs_error *err)
{
    GMainLoop *loop = g_main_loop_new(NULL, FALSE);
    GSource *source = attach(NULL, worker, err, on_over, loop);
    guint terminate = g_unix_signal_add(SIGTERM, on_signal, worker);

    g_main_loop_run(loop);
    g_source_remove(terminate);
    detach(source);
    g_main_loop_unref(loop);
    return pgqrs_error_status(err) == PGQRS_OK;
}

int
main(void)
{
    pgqrs_error *err = pgqrs_error_new();
    pgqrs_slice texts = pgqrs_slice_of("texts"), any_type = { NULL, 0 };
    pgqrs_config *config = NULL;
    pgqrs_client *client = NULL;
    pgqrs_worker *worker = NULL;
    int ok = pgqrs_config_new(&config, err) == PGQRS_OK &&
             pgqrs_config_load_environment(config, err) == PGQRS_OK &&
             pgqrs_client_open(config, &client, err) == PGQRS_OK &&
             pgqrs_worker_new(client, NULL, &worker, err) == PGQRS_OK &&
             pgqrs_worker_add_queue(worker, texts, NULL, err) == PGQRS_OK &&
             pgqrs_worker_handle(worker, texts, any_type, digest, NULL, err) == PGQRS_OK &&
             run_loop(worker, err);

    puts(ok ? "stopped" : pgqrs_error_message(err));
    pgqrs_worker_close(worker);
    pgqrs_client_close(client);
    pgqrs_config_free(config);
    pgqrs_error_free(err);
    return ok ? 0 : 1;
}
