/*
 * The shortest useful worker: carries out the messages of one queue, eight at once, until Ctrl-C or
 * SIGTERM; then it ends what it has begun and gives back the rest.
 *
 *     pgqrs local start
 *     cc worker.c $(pkg-config --cflags --libs pgqrs) -o worker
 *     PGQRS_DSN=local: ./worker
 *
 * The queue must be there: pgqrs install && pgqrs queue create mails
 */
#include <pgqrs.h>
#include <signal.h>
#include <stdio.h>

static pgqrs_worker *worker;

/* The first signal stops the worker, a second one ends the process. */
static void
stop(int number)
{
    (void)number;
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    pgqrs_worker_stop(worker);
}

/* Called by several threads at once. */
static pgqrs_job_outcome
send_mail(pgqrs_job *job, void *arg)
{
    const pgqrs_message *message = pgqrs_job_message(job);

    (void)arg;
    printf("mail %lld: %.*s\n", (long long)message->id, (int)message->payload.size,
           message->payload.data);
    return PGQRS_JOB_DONE;
}

int
main(void)
{
    pgqrs_error *err = pgqrs_error_new();
    pgqrs_slice mails = pgqrs_slice_of("mails"), any_type = { NULL, 0 };
    pgqrs_config *config = NULL;
    pgqrs_client *client = NULL;
    int ok = pgqrs_config_new(&config, err) == PGQRS_OK &&
             pgqrs_config_load_environment(config, err) == PGQRS_OK &&
             pgqrs_client_open(config, &client, err) == PGQRS_OK &&
             pgqrs_worker_new(client, NULL, &worker, err) == PGQRS_OK &&
             pgqrs_worker_add_queue(worker, mails, NULL, err) == PGQRS_OK &&
             pgqrs_worker_handle(worker, mails, any_type, send_mail, NULL, err) == PGQRS_OK;

    if (ok) {
        signal(SIGINT, stop);
        signal(SIGTERM, stop);
    }
    ok = ok && pgqrs_worker_start(worker, err) == PGQRS_OK &&
         pgqrs_worker_wait(worker, -1, err) == PGQRS_OK;
    if (!ok)
        fprintf(stderr, "%s\n", pgqrs_error_message(err));
    pgqrs_worker_close(worker);
    pgqrs_client_close(client);
    pgqrs_config_free(config);
    pgqrs_error_free(err);
    return ok ? 0 : 1;
}
