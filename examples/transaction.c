/*
 * Exactly once: the message is finished in the same transaction as what it caused. If the process
 * dies anywhere, either both happened or neither did; if somebody else was handed the message
 * meanwhile, the delete says so and we roll back.
 *
 *     cc transaction.c $(pkg-config --cflags --libs pgqrs libpq) -o transaction
 *     ./transaction "$DSN"
 */
#include <libpq-fe.h>
#include <pgqrs.h>
#include <pgqrs/transaction.h>
#include <stdio.h>

static int
run(PGconn *connection, const char *sql)
{
    PGresult *result = PQexec(connection, sql);
    int ok = PQresultStatus(result) == PGRES_COMMAND_OK;

    PQclear(result);
    return ok;
}

/* Books each message of the list, and removes it, in one transaction each. */
static int
book(pgqrs_consumer *consumer, PGconn *connection, const pgqrs_message_list *list, pgqrs_error *err)
{
    for (size_t i = 0; i < pgqrs_message_list_count(list); i++) {
        const pgqrs_message *message = pgqrs_message_list_at(list, i);

        if (!run(connection, "BEGIN") || !run(connection, "INSERT INTO bookings DEFAULT VALUES"))
            return 0;
        if (pgqrs_consumer_delete_on(consumer, connection, pgqrs_message_lease(message), err) !=
            PGQRS_OK) {
            fprintf(stderr, "%s\n", pgqrs_error_message(err));
            run(connection, "ROLLBACK");
        } else if (!run(connection, "COMMIT")) {
            return 0;
        } else {
            printf("booked message %lld\n", (long long)message->id);
        }
    }
    return 1;
}

static int
work(pgqrs_client *client, PGconn *connection, pgqrs_error *err)
{
    pgqrs_slice queue = pgqrs_slice_of("orders");
    pgqrs_producer *producer = NULL;
    pgqrs_consumer *consumer = NULL;
    pgqrs_message_list *list = NULL;
    int ok = pgqrs_producer_open(client, queue, NULL, &producer, err) == PGQRS_OK &&
             pgqrs_consumer_open(client, queue, NULL, &consumer, err) == PGQRS_OK;

    /* The order and its message appear together, when the transaction commits. */
    ok = ok && run(connection, "BEGIN") &&
         pgqrs_producer_enqueue_on(producer, connection, pgqrs_slice_of("{\"order\": 1}"), NULL,
                                   NULL, err) == PGQRS_OK &&
         run(connection, "COMMIT");
    ok = ok && pgqrs_consumer_dequeue(consumer, &list, err) == PGQRS_OK &&
         book(consumer, connection, list, err);
    pgqrs_message_list_free(list);
    pgqrs_consumer_close(consumer);
    pgqrs_producer_close(producer);
    return ok;
}

int
main(int argc, char **argv)
{
    pgqrs_error *err = pgqrs_error_new();
    PGconn *connection = PQconnectdb(argc > 1 ? argv[1] : "");
    pgqrs_config *config = NULL;
    pgqrs_client *client = NULL;
    int ok = pgqrs_config_new(&config, err) == PGQRS_OK &&
             pgqrs_config_set(config, pgqrs_slice_of("dsn"),
                              pgqrs_slice_of(argc > 1 ? argv[1] : ""), err) == PGQRS_OK &&
             pgqrs_client_open(config, &client, err) == PGQRS_OK &&
             pgqrs_admin_install(client, NULL, err) == PGQRS_OK;

    if (ok)
        pgqrs_queue_create(client, pgqrs_slice_of("orders"), NULL, NULL, err);
    ok = ok &&
         run(connection, "CREATE TABLE IF NOT EXISTS bookings (at timestamptz DEFAULT now())") &&
         work(client, connection, err);
    if (!ok)
        fprintf(stderr, "%s%s\n", pgqrs_error_message(err), PQerrorMessage(connection));
    pgqrs_client_close(client);
    pgqrs_config_free(config);
    PQfinish(connection);
    pgqrs_error_free(err);
    return ok ? 0 : 1;
}
