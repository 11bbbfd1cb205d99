/* Making the schema that pgqrs is to be installed in. */
#include <pgqrs/admin.h>

#include "base/clock.h"
#include "base/error.h"
#include "client.h"

pgqrs_status
pgqrs_admin_create_schema(pgqrs_client *client, pgqrs_error *err)
{
    return pgqrsi_client_run(
        client, &(pgqrsi_call){ .sql = PGQRSI_SQL_ADMIN_CREATE_SCHEMA, .effect = PGQRSI_WRITES },
        pgqrsi_clock_ms() + client->settings.operation_timeout_ms, NULL, err);
}
