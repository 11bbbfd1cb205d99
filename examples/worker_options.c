/*
 * A worker with choices: two queues of different weight, a handler for each type of message,
 * retries, a time limit, middleware around every handler, and a log of what happens.
 *
 *     pgqrs local start
 *     cc worker_options.c $(pkg-config --cflags --libs pgqrs) -o worker_options
 *     PGQRS_DSN=local: ./worker_options
 *
 * The queues must be there: pgqrs install && pgqrs queue create mails && pgqrs queue create reports
 */
#include <pgqrs.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

static pgqrs_worker *worker;

static void
stop(int number)
{
    (void)number;
    pgqrs_worker_stop(worker);
}

/* Called by one thread for all events but PGQRS_EVENT_STARTED: quick things only. */
static void
log_event(const pgqrs_event *event, void *arg)
{
    static const char *const names[] = { "started",      "done",      "failed",    "dead",
                                         "snoozed",      "released",  "cancelled", "lost",
                                         "disconnected", "connected", "trouble" };

    if (event->kind == PGQRS_EVENT_STARTED)
        return;
    fprintf(arg, "%s", names[event->kind]);
    if (event->job != NULL)
        fprintf(arg, " %lld", (long long)pgqrs_job_message(event->job)->id);
    fprintf(arg, " %s\n", event->message);
}

/* Middleware: called around each handler. */
static pgqrs_job_outcome
count_attempts(pgqrs_job *job, void *arg)
{
    pgqrs_job_outcome outcome;

    (void)arg;
    if (pgqrs_job_message(job)->attempt > 1)
        printf("again: %lld\n", (long long)pgqrs_job_message(job)->id);
    outcome = pgqrs_job_next(job);
    if (outcome == PGQRS_JOB_FAILED)
        printf("failed: %lld\n", (long long)pgqrs_job_message(job)->id);
    return outcome;
}

/* Fails once, and says when to try again. */
static pgqrs_job_outcome
send_bill(pgqrs_job *job, void *arg)
{
    (void)arg;
    if (pgqrs_job_message(job)->attempt > 1)
        return PGQRS_JOB_DONE;
    pgqrs_job_set_error(job, pgqrs_slice_of("the printer was out of paper"), NULL);
    pgqrs_job_set_delay(job, 10, NULL);
    return PGQRS_JOB_FAILED;
}

static pgqrs_job_outcome
send_welcome(pgqrs_job *job, void *arg)
{
    (void)arg;
    pgqrs_job_set_result(job, pgqrs_slice_of("\"welcome\""), NULL);
    return PGQRS_JOB_DONE;
}

/* Takes too long, and looks now and then whether it should give up. What it returns then does not
 * matter. */
static pgqrs_job_outcome
write_report(pgqrs_job *job, void *arg)
{
    const struct timespec step = { .tv_sec = 0, .tv_nsec = 10000000 };

    (void)arg;
    while (pgqrs_job_cancelled(job) == PGQRS_JOB_NOT_CANCELLED)
        nanosleep(&step, NULL);
    return PGQRS_JOB_FAILED;
}

static int
add_queues(pgqrs_error *err)
{
    pgqrs_worker_queue_options often = PGQRS_WORKER_QUEUE_OPTIONS_INIT, rarely = often;
    pgqrs_slice mails = pgqrs_slice_of("mails"), reports = pgqrs_slice_of("reports");
    pgqrs_slice any_type = { NULL, 0 };

    often.weight = 3; /* three claims for each one of the other queue, while both are full */
    often.max_attempts = 5;
    often.retry = PGQRS_RETRY_EXPONENTIAL;
    often.retry_base_ms = 200;
    rarely.max_attempts = 1;
    rarely.job_timeout_ms = 100;
    return pgqrs_worker_add_queue(worker, mails, &often, err) == PGQRS_OK &&
           pgqrs_worker_add_queue(worker, reports, &rarely, err) == PGQRS_OK &&
           pgqrs_worker_handle(worker, mails, pgqrs_slice_of("bill"), send_bill, NULL, err) ==
               PGQRS_OK &&
           pgqrs_worker_handle(worker, mails, pgqrs_slice_of("welcome"), send_welcome, NULL, err) ==
               PGQRS_OK &&
           pgqrs_worker_handle(worker, reports, any_type, write_report, NULL, err) == PGQRS_OK &&
           pgqrs_worker_use(worker, count_attempts, NULL, err) == PGQRS_OK;
}

int
main(void)
{
    pgqrs_error *err = pgqrs_error_new();
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;
    pgqrs_worker_counts counts = PGQRS_WORKER_COUNTS_INIT;
    pgqrs_config *config = NULL;
    pgqrs_client *client = NULL;
    int ok;

    options.concurrency = 4;
    options.grace_ms = 10000;
    options.on_event = log_event;
    options.event_arg = stderr;
    ok = pgqrs_config_new(&config, err) == PGQRS_OK &&
         pgqrs_config_load_environment(config, err) == PGQRS_OK &&
         pgqrs_client_open(config, &client, err) == PGQRS_OK &&
         pgqrs_worker_new(client, &options, &worker, err) == PGQRS_OK && add_queues(err);
    if (ok)
        signal(SIGTERM, stop);
    ok = ok && pgqrs_worker_start(worker, err) == PGQRS_OK &&
         pgqrs_worker_wait(worker, -1, err) == PGQRS_OK;
    signal(SIGTERM, SIG_DFL);
    if (ok) {
        pgqrs_worker_count(worker, &counts);
        printf("%lld done, %lld failed, %lld dead\n", (long long)counts.done,
               (long long)counts.failed, (long long)counts.dead);
    } else {
        fprintf(stderr, "%s\n", pgqrs_error_message(err));
    }
    pgqrs_worker_close(worker);
    pgqrs_client_close(client);
    pgqrs_config_free(config);
    pgqrs_error_free(err);
    return ok ? 0 : 1;
}
