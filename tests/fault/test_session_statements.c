/*
 * Statements that a connection prepares: in a pipe, with the preparation under way; and not without
 * bound.
 */
#include "tests/api/story.h"

#include <poll.h>

#include "../../src/base/clock.h"
#include "../../src/client.h"

#define STATEMENTS_MAX 256
#define MANY 1000
#define OURS 1000000 /* the serials of the client's own statements are lower */
#define WAIT_MS 60000

/* A statement of the test's own. */
static pgqrsi_statement
statement(uint32_t serial, char *sql)
{
    static char name[] = "test";

    return (pgqrsi_statement){ .name = name, .text = sql, .serial = serial };
}

struct piping {
    struct story *s;
    pgqrsi_pipe *pipe;
};

static void
progress(struct piping *p)
{
    struct pollfd entry = { .fd = pgqrsi_pipe_fd(p->pipe), .events = pgqrsi_pipe_events(p->pipe) };

    poll(&entry, 1, 100);
    TS_OK(pgqrsi_pipe_progress(p->pipe, p->s->err), p->s->err);
}

static struct piping
open_pipe(struct story *s)
{
    struct piping p = { .s = s };

    TS_OK(pgqrsi_pipe_new(&s->client->settings, &p.pipe, s->err), s->err);
    TS_OK(pgqrsi_pipe_open(p.pipe, s->err), s->err);
    while (pgqrsi_pipe_state_of(p.pipe) != PGQRSI_PIPE_OPEN)
        progress(&p);
    return p;
}

static void
send_alone(struct piping *p, const pgqrsi_statement *sent)
{
    pgqrsi_pipe_send(p->pipe, sent, NULL);
    pgqrsi_pipe_sync(p->pipe, NULL);
}

/* The status of the next answer, and the number that its first statement returned, if it did. */
static pgqrs_status
take(struct piping *p, int64_t *number)
{
    pgqrsi_answer answer;
    pgqrs_status status;

    while (!pgqrsi_pipe_take(p->pipe, &answer))
        progress(p);
    status = answer.status;
    if (status == PGQRS_OK && number != NULL)
        *number = pgqrsi_rows_int(answer.rows[0], 0, 0);
    for (size_t i = 0; i < answer.count; i++)
        pgqrsi_rows_free(answer.rows[i]);
    pgqrsi_error_release(&answer.error);
    return status;
}

static int64_t
run_alone(struct piping *p, const pgqrsi_statement *sent)
{
    int64_t number = 0;

    send_alone(p, sent);
    assert_int_equal(take(p, &number), PGQRS_OK);
    return number;
}

STORY_TEST(a_statement_is_prepared_while_others_are_met_for_the_first_time)
{
    struct story *s = *state;
    struct piping p = open_pipe(s);
    pgqrsi_statement first = statement(1, "SELECT 1"), late = statement(100000, "SELECT 2"),
                     look = statement(2, "SELECT count(*) FROM pg_prepared_statements");

    run_alone(&p, &first);
    send_alone(&p, &first); /* is being prepared */
    send_alone(&p, &late);
    assert_int_equal(take(&p, NULL), PGQRS_OK);
    assert_int_equal(take(&p, NULL), PGQRS_OK);
    assert_int_equal(run_alone(&p, &first), 1);
    assert_int_equal(run_alone(&p, &look), 1);
    pgqrsi_pipe_free(p.pipe);
}

/* Its preparation follows a failure of its segment, so the server skips it. Those sent meanwhile
 * must not count on it. */
STORY_TEST(a_preparation_that_the_server_skipped_costs_nobody_else)
{
    struct story *s = *state;
    struct piping p = open_pipe(s);
    pgqrsi_statement bad = statement(1, "SELECT 1 / 0"), good = statement(2, "SELECT 7"),
                     look = statement(3, "SELECT count(*) FROM pg_prepared_statements");
    int64_t number = 0;

    run_alone(&p, &good);
    pgqrsi_pipe_send(p.pipe, &bad, NULL);
    pgqrsi_pipe_send(p.pipe, &good, NULL);
    pgqrsi_pipe_sync(p.pipe, NULL);
    send_alone(&p, &good);
    assert_int_equal(take(&p, NULL), PGQRS_EINVAL);
    assert_int_equal(take(&p, &number), PGQRS_OK);
    assert_int_equal(number, 7);
    assert_int_equal(run_alone(&p, &good), 7);
    assert_int_equal(run_alone(&p, &good), 7);
    assert_int_equal(run_alone(&p, &look), 1);
    pgqrsi_pipe_free(p.pipe);
}

/* Each of many statements is run often enough to be prepared. */
STORY_TEST(a_pipe_keeps_a_bounded_number_of_prepared_statements)
{
    struct story *s = *state;
    struct piping p = open_pipe(s);
    pgqrsi_statement look = statement(MANY + 1, "SELECT count(*) FROM pg_prepared_statements");

    for (uint32_t i = 0; i < MANY; i++) {
        pgqrsi_statement one = statement(i, "SELECT 5");

        for (int times = 0; times < 3; times++)
            send_alone(&p, &one);
        for (int times = 0; times < 3; times++)
            assert_int_equal(take(&p, NULL), PGQRS_OK);
        assert_int_equal(run_alone(&p, &one), 5);
    }
    assert_in_range(run_alone(&p, &look), STATEMENTS_MAX / 2, STATEMENTS_MAX);
    pgqrsi_pipe_free(p.pipe);
}

/* Making room is part of a transaction that fails before it comes to that. */
STORY_TEST(room_that_was_not_made_is_made_later)
{
    struct story *s = *state;
    struct piping p = open_pipe(s);
    pgqrsi_statement bad = statement(MANY, "SELECT 1 / 0"),
                     look = statement(MANY + 1, "SELECT count(*) FROM pg_prepared_statements");

    for (uint32_t i = 0; i < MANY; i++) {
        pgqrsi_statement one = statement(i, "SELECT 5");

        run_alone(&p, &one);
        pgqrsi_pipe_send(p.pipe, &bad, NULL);
        pgqrsi_pipe_send(p.pipe, &one, NULL);
        pgqrsi_pipe_sync(p.pipe, NULL);
        assert_int_equal(take(&p, NULL), PGQRS_EINVAL);
        for (int times = 0; times < 3; times++)
            assert_int_equal(run_alone(&p, &one), 5);
    }
    assert_in_range(run_alone(&p, &look), STATEMENTS_MAX / 2, STATEMENTS_MAX);
    pgqrsi_pipe_free(p.pipe);
}

static int64_t
run_on(struct story *s, pgqrsi_conn *conn, const pgqrsi_statement *sent)
{
    pgqrsi_rows *rows = NULL;
    int64_t number;

    TS_OK(pgqrsi_conn_run(conn, sent, NULL, pgqrsi_clock_ms() + WAIT_MS, &rows, s->err), s->err);
    number = pgqrsi_rows_int(rows, 0, 0);
    pgqrsi_rows_free(rows);
    return number;
}

STORY_TEST(a_connection_keeps_a_bounded_number_of_prepared_statements)
{
    struct story *s = *state;
    pgqrsi_statement look = statement(OURS + MANY, "SELECT count(*) FROM pg_prepared_statements");
    pgqrsi_conn *conn = NULL;

    TS_OK(pgqrsi_pool_acquire(s->client->pool, INT64_MAX, &conn, s->err), s->err);
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < MANY; i++) {
            pgqrsi_statement one = statement(OURS + i, "SELECT 5");

            for (int times = 0; times < 3; times++)
                assert_int_equal(run_on(s, conn, &one), 5);
        }
    }
    assert_in_range(run_on(s, conn, &look), STATEMENTS_MAX / 2, STATEMENTS_MAX);
    pgqrsi_pool_release(s->client->pool, conn);
}

/* More statements in turn than are kept: those that are kept stay, instead of each driving out
 * another. */
STORY_TEST(statements_in_turn_do_not_drive_each_other_out)
{
    struct story *s = *state;
    pgqrsi_statement look = statement(
        OURS + MANY,
        "SELECT count(*) FROM pg_prepared_statements WHERE generic_plans + custom_plans >= 5");
    pgqrsi_conn *conn = NULL;

    TS_OK(pgqrsi_pool_acquire(s->client->pool, INT64_MAX, &conn, s->err), s->err);
    for (int round = 0; round < 8; round++) {
        for (uint32_t i = 0; i < STATEMENTS_MAX + 40; i++) {
            pgqrsi_statement one = statement(OURS + i, "SELECT 5");

            assert_int_equal(run_on(s, conn, &one), 5);
        }
    }
    assert_in_range(run_on(s, conn, &look), STATEMENTS_MAX - 10, STATEMENTS_MAX);
    pgqrsi_pool_release(s->client->pool, conn);
}

TEST_MAIN(NULL, NULL)
