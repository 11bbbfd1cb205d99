/*
 * A worker with effects that happen exactly once: the handler writes its own row and ends the lease
 * in one transaction of its own. Whatever dies and whenever, either both happened or neither did;
 * if somebody else was handed the message meanwhile, the delete says so and we roll back.
 *
 *     cc worker_transaction.c $(pkg-config --cflags --libs pgqrs libpq) -o worker_transaction
 *     ./worker_transaction "$DSN"
 *
 * The queue must be there, and the table:
 *     pgqrs install && pgqrs queue create orders
 *     psql -c 'CREATE TABLE bookings (message bigint NOT NULL)'
 */
#include <libpq-fe.h>
#include <pgqrs.h>
#include <pgqrs/transaction.h>
#include <signal.h>
#include <stdio.h>

/* What a handler needs. A connection serves one thread at a time, so this worker has one thread;
 * one with more needs a connection for each. */
struct books {
    pgqrs_consumer *consumer;
    PGconn *connection;
};

static pgqrs_worker *worker;

static void
stop(int number)
{
    (void)number;
    pgqrs_worker_stop(worker);
}

static int
run(PGconn *connection, const char *sql)
{
    PGresult *result = PQexec(connection, sql);
    int ok = PQresultStatus(result) == PGRES_COMMAND_OK;

    PQclear(result);
    return ok;
}

static int
write_booking(PGconn *connection, const pgqrs_message *message)
{
    char id[24];
    const char *parameters[] = { id };
    PGresult *result;
    int ok;

    snprintf(id, sizeof(id), "%lld", (long long)message->id);
    result = PQexecParams(connection, "INSERT INTO bookings VALUES ($1)", 1, NULL, parameters, NULL,
                          NULL, 0);
    ok = PQresultStatus(result) == PGRES_COMMAND_OK;
    PQclear(result);
    return ok;
}

/*
 * PGQRS_JOB_FAILED is right for whatever went wrong. If nothing was committed the message is tried
 * again. If the lease was lost, or a commit whose answer did not arrive was carried out, the
 * worker's report finds no lease, and changes nothing.
 */
static pgqrs_job_outcome
book(pgqrs_job *job, void *arg)
{
    struct books *books = arg;
    const pgqrs_message *message = pgqrs_job_message(job);

    if (PQstatus(books->connection) != CONNECTION_OK)
        PQreset(books->connection);
    if (run(books->connection, "BEGIN") && write_booking(books->connection, message) &&
        pgqrs_consumer_delete_on(books->consumer, books->connection, pgqrs_message_lease(message),
                                 NULL) == PGQRS_OK &&
        run(books->connection, "COMMIT"))
        return PGQRS_JOB_SETTLED;
    if (PQtransactionStatus(books->connection) != PQTRANS_IDLE)
        run(books->connection, "ROLLBACK");
    return PGQRS_JOB_FAILED;
}

static int
work(pgqrs_client *client, struct books *books, pgqrs_error *err)
{
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;
    pgqrs_slice orders = pgqrs_slice_of("orders"), any_type = { NULL, 0 };
    int ok;

    options.concurrency = 1;
    ok = pgqrs_consumer_open(client, orders, NULL, &books->consumer, err) == PGQRS_OK &&
         pgqrs_worker_new(client, &options, &worker, err) == PGQRS_OK &&
         pgqrs_worker_add_queue(worker, orders, NULL, err) == PGQRS_OK &&
         pgqrs_worker_handle(worker, orders, any_type, book, books, err) == PGQRS_OK;
    if (ok)
        signal(SIGTERM, stop);
    ok = ok && pgqrs_worker_start(worker, err) == PGQRS_OK &&
         pgqrs_worker_wait(worker, -1, err) == PGQRS_OK;
    signal(SIGTERM, SIG_DFL);
    pgqrs_worker_close(worker);
    pgqrs_consumer_close(books->consumer);
    return ok;
}

int
main(int argc, char **argv)
{
    pgqrs_error *err = pgqrs_error_new();
    const char *dsn = argc > 1 ? argv[1] : "";
    struct books books = { NULL, PQconnectdb(dsn) };
    pgqrs_config *config = NULL;
    pgqrs_client *client = NULL;
    int ok =
        pgqrs_config_new(&config, err) == PGQRS_OK &&
        pgqrs_config_load_environment(config, err) == PGQRS_OK &&
        pgqrs_config_set(config, pgqrs_slice_of("dsn"), pgqrs_slice_of(dsn), err) == PGQRS_OK &&
        pgqrs_client_open(config, &client, err) == PGQRS_OK && work(client, &books, err);

    if (!ok)
        fprintf(stderr, "%s\n", pgqrs_error_message(err));
    pgqrs_client_close(client);
    pgqrs_config_free(config);
    PQfinish(books.connection);
    pgqrs_error_free(err);
    return ok ? 0 : 1;
}
