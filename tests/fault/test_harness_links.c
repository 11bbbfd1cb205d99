/*
 * The proxy, the session that holds locks and the trigger that refuses rows, which other tests rely
 * on, really do what they say.
 */
#include "support.h"

#include <poll.h>
#include <time.h>

#include "holder.h"
#include "proxy.h"
#include "refusal.h"

#define DELAY_MS 20
#define SILENCE_MS 300

static long long
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Whether an answer comes within a while. */
static int
is_answered(PGconn *sql, int within_ms)
{
    struct pollfd readable = { .fd = PQsocket(sql), .events = POLLIN };

    assert_int_equal(PQsendQuery(sql, "SELECT 1"), 1);
    return poll(&readable, 1, within_ms) == 1;
}

TEST(a_slow_network_takes_its_time_in_both_directions)
{
    char *dsn = ts_empty_database();
    ts_proxy *proxy = ts_proxy_start(dsn);
    PGconn *sql;
    long long began_ms;

    (void)state;
    ts_proxy_delay(proxy, DELAY_MS);
    sql = ts_connect(ts_proxy_dsn(proxy));
    began_ms = now_ms();
    for (int i = 0; i < 10; i++)
        ts_sql(sql, "SELECT 1");
    assert_true(now_ms() - began_ms >= 10LL * 2 * DELAY_MS);
    /* Large answers come in order, and the last answer comes before the end of the session. */
    assert_int_equal(ts_int(sql, "SELECT length(repeat('x', 1000000))"), 1000000);
    PQclear(PQexec(sql, "SELECT pg_terminate_backend(pg_backend_pid())"));
    assert_non_null(strstr(PQerrorMessage(sql), "administrator command"));
    PQfinish(sql);
    ts_proxy_stop(proxy);
    free(dsn);
}

TEST(a_network_that_forgot_its_connections_takes_new_ones)
{
    char *dsn = ts_empty_database();
    ts_proxy *proxy = ts_proxy_start(dsn);
    PGconn *old = ts_connect(ts_proxy_dsn(proxy)), *new;

    (void)state;
    assert_true(is_answered(old, 10000));
    PQclear(PQgetResult(old));
    PQclear(PQgetResult(old));
    ts_proxy_forget(proxy);
    assert_false(is_answered(old, SILENCE_MS));
    new = ts_connect(ts_proxy_dsn(proxy));
    assert_true(is_answered(new, 10000));
    PQfinish(new);
    PQfinish(old);
    /* The server does not know that the old one is gone. */
    new = ts_connect(dsn);
    assert_int_equal(
        ts_int(new, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "
                    "pid <> pg_backend_pid() AND backend_type = 'client backend'"),
        1);
    PQfinish(new);
    ts_proxy_stop(proxy);
    free(dsn);
}

TEST(a_holder_is_waited_for_until_it_ends)
{
    char *dsn = ts_empty_database();
    PGconn *sql = ts_connect(dsn), *holder;

    (void)state;
    ts_sql(sql, "CREATE TABLE locked (n int)");
    holder = ts_hold(dsn, "LOCK TABLE locked");
    assert_int_equal(PQsendQuery(sql, "INSERT INTO locked VALUES (1)"), 1);
    ts_hold_await(holder, 1);
    ts_hold_end(holder);
    PQclear(PQgetResult(sql));
    PQclear(PQgetResult(sql));
    assert_int_equal(ts_int(sql, "SELECT count(*) FROM locked"), 1);
    PQfinish(sql);
    free(dsn);
}

TEST(a_trigger_refuses_what_it_shall_and_nothing_else)
{
    char *dsn = ts_empty_database();
    PGconn *sql = ts_connect(dsn);
    PGresult *result;

    (void)state;
    ts_sql(sql, "CREATE TABLE parent (n int) PARTITION BY LIST (n)");
    ts_sql(sql, "CREATE TABLE child PARTITION OF parent DEFAULT");
    ts_refuse(sql, "parent", "NEW.n = 7");
    ts_sql(sql, "INSERT INTO parent VALUES (6)");
    result = PQexec(sql, "INSERT INTO child VALUES (7)");
    assert_non_null(strstr(PQresultErrorMessage(result), TS_REFUSAL));
    PQclear(result);
    ts_refuse_end(sql, "parent");
    ts_sql(sql, "INSERT INTO parent VALUES (7)");
    assert_int_equal(ts_int(sql, "SELECT sum(n) FROM parent"), 13);
    PQfinish(sql);
    free(dsn);
}

TEST_MAIN(NULL, NULL)
