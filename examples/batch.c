/*
 * Batches: a thousand messages in one transaction, claimed and finished a hundred at a time, each
 * with its own result.
 *
 *     pgqrs local start
 *     cc batch.c $(pkg-config --cflags --libs pgqrs) -o batch
 *     PGQRS_DSN=local: ./batch
 */
#include <pgqrs.h>
#include <stdio.h>

enum { MESSAGES = 1000, BATCH = 100 };

static int
fill(pgqrs_client *client, pgqrs_slice queue, pgqrs_error *err)
{
    static char text[MESSAGES][32];
    static pgqrs_slice payloads[MESSAGES];
    pgqrs_producer *producer = NULL;
    int ok = pgqrs_producer_open(client, queue, NULL, &producer, err) == PGQRS_OK;

    for (int i = 0; i < MESSAGES; i++) {
        snprintf(text[i], sizeof(text[i]), "{\"number\": %d}", i);
        payloads[i] = pgqrs_slice_of(text[i]);
    }
    ok = ok &&
         pgqrs_producer_enqueue_batch(producer, payloads, NULL, MESSAGES, NULL, err) == PGQRS_OK;
    pgqrs_producer_close(producer);
    return ok;
}

/* Returns how many were finished; -1 on failure. */
static int
empty_once(pgqrs_consumer *consumer, pgqrs_error *err)
{
    pgqrs_message_list *list = NULL;
    pgqrs_lease leases[BATCH];
    pgqrs_status results[BATCH];
    int finished = 0;
    size_t count;

    if (pgqrs_consumer_dequeue_batch(consumer, BATCH, NULL, &list, err) != PGQRS_OK)
        return -1;
    count = pgqrs_message_list_count(list);
    for (size_t i = 0; i < count; i++)
        leases[i] = pgqrs_message_lease(pgqrs_message_list_at(list, i));
    pgqrs_message_list_free(list);
    if (count > 0 && pgqrs_consumer_delete_batch(consumer, leases, count, results, err) != PGQRS_OK)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (results[i] == PGQRS_OK) /* or PGQRS_ELEASELOST, for this one alone */
            finished++;
    return finished;
}

int
main(void)
{
    pgqrs_error *err = pgqrs_error_new();
    pgqrs_slice queue = pgqrs_slice_of("numbers");
    pgqrs_config *config = NULL;
    pgqrs_client *client = NULL;
    pgqrs_consumer *consumer = NULL;
    int total = 0, finished;
    int ok = pgqrs_config_new(&config, err) == PGQRS_OK &&
             pgqrs_config_load_environment(config, err) == PGQRS_OK &&
             pgqrs_client_open(config, &client, err) == PGQRS_OK &&
             pgqrs_admin_install(client, NULL, err) == PGQRS_OK;

    if (ok)
        pgqrs_queue_create(client, queue, NULL, NULL, err);
    ok = ok && fill(client, queue, err) &&
         pgqrs_consumer_open(client, queue, NULL, &consumer, err) == PGQRS_OK;
    for (finished = 1; ok && finished != 0;) {
        finished = empty_once(consumer, err);
        ok = finished >= 0;
        total += finished;
    }
    if (ok)
        printf("finished %d messages\n", total);
    else
        fprintf(stderr, "%s\n", pgqrs_error_message(err));
    pgqrs_consumer_close(consumer);
    pgqrs_client_close(client);
    pgqrs_config_free(config);
    pgqrs_error_free(err);
    return ok ? 0 : 1;
}
