#include "db/session.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "db/conn_internal.h"

#define CHANNEL "pgqrs_session"

/* How often the two connections are compared before one of them listens. */
#define ROUNDS 6

/* How long a notification may take: the pooler is near, and it has been asked a dozen times by
 * then. */
#define NOTIFICATION_MS 2000

/* The number that a statement returns; 0 on failure. */
static int64_t
ask(pgqrsi_conn *conn, const pgqrsi_statement *statement, int64_t deadline_ms)
{
    pgqrsi_rows *rows = NULL;
    int64_t number = 0;

    if (pgqrsi_conn_run(conn, statement, NULL, deadline_ms, &rows, NULL) == PGQRS_OK)
        number = pgqrsi_rows_int(rows, 0, 0);
    pgqrsi_rows_free(rows);
    return number;
}

/* Whether each of them has a process of its own, time and again. */
static int
look_separate(pgqrsi_conn *one, pgqrsi_conn *other, const pgqrsi_statement *backend,
              int64_t deadline_ms)
{
    int64_t of_one = ask(one, backend, deadline_ms), of_other = ask(other, backend, deadline_ms);

    for (int i = 0; i < ROUNDS; i++) {
        if (of_one == 0 || of_other == 0 || of_one == of_other)
            return 0;
        if (ask(one, backend, deadline_ms) != of_one ||
            ask(other, backend, deadline_ms) != of_other)
            return 0;
    }
    return 1;
}

/* Whether the notification arrives at a connection on which nothing is asked. */
static int
hears(pgqrsi_conn *conn, const char *payload, int64_t deadline_ms)
{
    do {
        PGnotify *notify;
        int is_it = 0;

        if (!PQconsumeInput(conn->pg))
            return 0;
        while (!is_it && (notify = PQnotifies(conn->pg)) != NULL) {
            is_it = strcmp(notify->relname, CHANNEL) == 0 && strcmp(notify->extra, payload) == 0;
            PQfreemem(notify);
        }
        if (is_it)
            return 1;
    } while (pgqrsi_clock_left_ms(deadline_ms) > 0 &&
             pgqrsi_conn_wait(conn->pg, POLLIN, deadline_ms) == PGQRSI_WAIT_READY);
    return 0;
}

static int
is_reached(pgqrsi_conn *conn, pgqrsi_conn *other, const pgqrsi_session_statements *statements,
           int64_t deadline_ms)
{
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    int64_t until_ms = pgqrsi_clock_ms() + NOTIFICATION_MS, token = pgqrsi_random_token();
    char payload[24];
    int reached = 0;

    snprintf(payload, sizeof(payload), "%" PRId64, token);
    pgqrsi_params_add_int(&params, token);
    if (pgqrsi_conn_run(conn, statements->hear, NULL, deadline_ms, NULL, NULL) == PGQRS_OK &&
        pgqrsi_conn_run(other, statements->tell, &params, deadline_ms, NULL, NULL) == PGQRS_OK)
        reached = hears(conn, payload, until_ms < deadline_ms ? until_ms : deadline_ms);
    (void)pgqrsi_conn_run(conn, statements->forget, NULL, deadline_ms, NULL, NULL);
    pgqrsi_params_release(&params);
    return reached;
}

int
pgqrsi_session_is_kept(pgqrsi_conn *conn, const pgqrsi_conn_settings *settings,
                       const pgqrsi_session_statements *statements, int64_t deadline_ms)
{
    pgqrsi_conn *other = NULL;
    int is_kept = 0;

    if (pgqrsi_conn_open(settings, deadline_ms, &other, NULL) != PGQRS_OK)
        return 0;
    if (pgqrsi_conn_is_pooled(other) &&
        look_separate(conn, other, statements->backend, deadline_ms))
        is_kept = is_reached(conn, other, statements, deadline_ms);
    pgqrsi_conn_close(other);
    return is_kept;
}
