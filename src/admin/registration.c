#include "admin/registration.h"

#include <unistd.h>

#include "base/error.h"
#include "base/name.h"
#include "queue/queue.h"

#define MAX_HOST_NAME_BYTES 255

static pgqrs_slice
host_name(char *buffer, size_t size)
{
    pgqrs_slice name;

    if (gethostname(buffer, size) != 0 || buffer[0] == '\0')
        return pgqrs_slice_of("unknown");
    buffer[size - 1] = '\0';
    name = pgqrs_slice_of(buffer);
    name.size = pgqrsi_utf8_valid_prefix(name);
    return name;
}

void
pgqrsi_registration_params(pgqrsi_params *params, pgqrs_slice queue)
{
    char buffer[MAX_HOST_NAME_BYTES + 1] = "";

    pgqrsi_params_add_text(params, queue);
    pgqrsi_params_add_text(params, host_name(buffer, sizeof(buffer)));
    pgqrsi_params_add_int(params, getpid());
}

pgqrs_status
pgqrsi_registration_add(pgqrs_client *client, pgqrs_slice queue, int64_t deadline_ms,
                        int64_t *out_id, pgqrs_error *err)
{
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    pgqrsi_queue *opened = NULL;
    pgqrsi_rows *rows = NULL;
    pgqrs_status status = pgqrsi_queue_open(client, queue, deadline_ms, &opened, err);

    if (status != PGQRS_OK)
        return status;
    pgqrsi_registration_params(&params, queue);
    status = pgqrsi_client_run(client,
                               &(pgqrsi_call){ .sql = PGQRSI_SQL_REGISTRATION_REGISTER,
                                               .effect = PGQRSI_WRITES,
                                               .params = &params },
                               deadline_ms, &rows, err);
    pgqrsi_params_release(&params);
    if (status != PGQRS_OK)
        return status;
    if (pgqrsi_rows_count(rows) == 0)
        status = pgqrsi_error_set(err, PGQRS_ENOQUEUE,
                                  "registering a worker: queue \"%s\" was deleted in the meantime",
                                  opened->name);
    else
        *out_id = pgqrsi_rows_int(rows, 0, 0);
    pgqrsi_rows_free(rows);
    return status;
}

pgqrs_status
pgqrs_registration_add(pgqrs_client *client, pgqrs_slice queue, int64_t *out_id, pgqrs_error *err)
{
    return pgqrsi_registration_add(client, queue, pgqrsi_client_deadline(client), out_id, err);
}

static pgqrs_status
run_with_id(pgqrs_client *client, pgqrsi_sql sql, int64_t id, pgqrs_error *err)
{
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    pgqrs_status status;

    pgqrsi_params_add_int(&params, id);
    status = pgqrsi_client_run(
        client, &(pgqrsi_call){ .sql = sql, .effect = PGQRSI_WRITES, .params = &params },
        pgqrsi_client_deadline(client), NULL, err);
    pgqrsi_params_release(&params);
    return status;
}

pgqrs_status
pgqrs_registration_touch(pgqrs_client *client, int64_t id, pgqrs_error *err)
{
    return run_with_id(client, PGQRSI_SQL_REGISTRATION_TOUCH, id, err);
}

pgqrs_status
pgqrs_registration_remove(pgqrs_client *client, int64_t id, pgqrs_error *err)
{
    return run_with_id(client, PGQRSI_SQL_REGISTRATION_UNREGISTER, id, err);
}
