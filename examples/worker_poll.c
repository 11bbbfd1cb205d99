/*
 * A worker without threads, in a plain poll loop: works until the queue is empty, then stops. For a
 * program that waits for other descriptors as well, and whose handlers are quick.
 *
 *     pgqrs local start
 *     cc worker_poll.c $(pkg-config --cflags --libs pgqrs) -o worker_poll
 *     PGQRS_DSN=local: ./worker_poll
 *
 * The queue must be there: pgqrs install && pgqrs queue create mails
 */
#include <limits.h>
#include <pgqrs.h>
#include <poll.h>
#include <stdio.h>

/* Called by pgqrs_worker_process, in this thread. */
static pgqrs_job_outcome
send_mail(pgqrs_job *job, void *arg)
{
    const pgqrs_message *message = pgqrs_job_message(job);
    int *sent = arg;

    printf("mail %.*s\n", (int)message->payload.size, message->payload.data);
    (*sent)++;
    return PGQRS_JOB_DONE;
}

static int
work_until_empty(pgqrs_worker *worker, pgqrs_error *err)
{
    bool over = false;

    while (!over) {
        struct pollfd readable = { .fd = pgqrs_worker_fd(worker), .events = POLLIN };
        int64_t timeout_ms = pgqrs_worker_timeout_ms(worker);

        /* Whatever it says, also that a signal came: process looks for itself. */
        poll(&readable, 1, timeout_ms < INT_MAX ? (int)timeout_ms : INT_MAX);
        if (pgqrs_worker_process(worker, &over, err) != PGQRS_OK)
            return 0;
        if (pgqrs_worker_is_idle(worker))
            pgqrs_worker_stop(worker);
    }
    return 1;
}

int
main(void)
{
    pgqrs_error *err = pgqrs_error_new();
    pgqrs_slice mails = pgqrs_slice_of("mails"), any_type = { NULL, 0 };
    pgqrs_config *config = NULL;
    pgqrs_client *client = NULL;
    pgqrs_worker *worker = NULL;
    int sent = 0;
    int ok = pgqrs_config_new(&config, err) == PGQRS_OK &&
             pgqrs_config_load_environment(config, err) == PGQRS_OK &&
             pgqrs_client_open(config, &client, err) == PGQRS_OK &&
             pgqrs_worker_new(client, NULL, &worker, err) == PGQRS_OK &&
             pgqrs_worker_add_queue(worker, mails, NULL, err) == PGQRS_OK &&
             pgqrs_worker_handle(worker, mails, any_type, send_mail, &sent, err) == PGQRS_OK &&
             work_until_empty(worker, err);

    if (ok)
        printf("sent %d mails\n", sent);
    else
        fprintf(stderr, "%s\n", pgqrs_error_message(err));
    pgqrs_worker_close(worker);
    pgqrs_client_close(client);
    pgqrs_config_free(config);
    pgqrs_error_free(err);
    return ok ? 0 : 1;
}
