/*
 * The first program: put a message in, take it out, keep the result.
 *
 *     pgqrs local start
 *     cc first.c $(pkg-config --cflags --libs pgqrs) -o first
 *     PGQRS_DSN=local: ./first
 */
#include <pgqrs.h>
#include <stdio.h>

int
main(void)
{
    pgqrs_error *err = pgqrs_error_new();
    pgqrs_slice queue = pgqrs_slice_of("hello");
    pgqrs_config *config = NULL;
    pgqrs_client *client = NULL;
    pgqrs_producer *producer = NULL;
    pgqrs_consumer *consumer = NULL;
    pgqrs_message_list *list = NULL;
    int ok;

    ok = pgqrs_config_new(&config, err) == PGQRS_OK &&
         pgqrs_config_load_environment(config, err) == PGQRS_OK &&
         pgqrs_client_open(config, &client, err) == PGQRS_OK &&
         pgqrs_admin_install(client, NULL, err) == PGQRS_OK;
    if (ok && pgqrs_queue_create(client, queue, NULL, NULL, err) == PGQRS_EEXISTS)
        puts("the queue is there already");
    ok = ok && pgqrs_producer_open(client, queue, NULL, &producer, err) == PGQRS_OK &&
         pgqrs_producer_enqueue(producer, pgqrs_slice_of("{\"to\": \"world\"}"), NULL, NULL, err) ==
             PGQRS_OK &&
         pgqrs_consumer_open(client, queue, NULL, &consumer, err) == PGQRS_OK &&
         pgqrs_consumer_dequeue(consumer, &list, err) == PGQRS_OK;
    for (size_t i = 0; ok && i < pgqrs_message_list_count(list); i++) {
        const pgqrs_message *message = pgqrs_message_list_at(list, i);

        printf("message %lld says %.*s\n", (long long)message->id, (int)message->payload.size,
               message->payload.data);
        ok = pgqrs_consumer_archive(consumer, pgqrs_message_lease(message),
                                    pgqrs_slice_of("\"done\""), err) == PGQRS_OK;
    }
    if (!ok)
        fprintf(stderr, "%s\n", pgqrs_error_message(err));
    pgqrs_message_list_free(list);
    pgqrs_consumer_close(consumer);
    pgqrs_producer_close(producer);
    pgqrs_client_close(client);
    pgqrs_config_free(config);
    pgqrs_error_free(err);
    return ok ? 0 : 1;
}
