/*
 * A server that tells lies: it speaks for a real one, and puts wrong answers among the right ones.
 *
 *     ts_fake_server *fake = ts_fake_server_start(dsn);
 *     pgqrs_client *client = ts_client(ts_fake_server_dsn(fake), NULL);
 *     ts_fake_server_arm(fake, TS_LIE_MORE_ROWS, 0);
 *     ... a call of the client, which is told more rows than it asked for ...
 *     ts_fake_server_disarm(fake);
 *
 * It is a process of its own, which listens on a unix socket and ends with the test executable. The
 * lies are in fake_lies.c.
 */
#ifndef TS_FAKE_SERVER_H
#define TS_FAKE_SERVER_H

typedef struct ts_fake_server ts_fake_server;

/** One way to answer wrongly. */
typedef struct ts_lie {
    const char *name;
    const char *at; /* the types of the server's messages at which it can be told */
    int is_endless; /* only a deadline ends it */
} ts_lie;

/** One of them, from 0, and how many there are. */
const ts_lie *ts_lie_at(int lie);
extern const int ts_lie_count;

/** The number of the lie of that name. */
int ts_lie_find(const char *name);

/** Starts one in front of the server and database of `dsn`, which names a unix socket. */
ts_fake_server *ts_fake_server_start(const char *dsn);

/** The same database through it, valid as long as `fake`. */
const char *ts_fake_server_dsn(const ts_fake_server *fake);

/** From now on: passes `skip` messages on at which the lie could be told, then tells it, once. No
 * call may be under way. */
void ts_fake_server_arm(ts_fake_server *fake, int lie, int skip);

/** Tells no more lies; connections that were lied to are closed. */
void ts_fake_server_disarm(ts_fake_server *fake);

/** Whether the lie was told. */
int ts_fake_server_has_lied(const ts_fake_server *fake);

/** Ends it with all its connections; NULL is fine. */
void ts_fake_server_stop(ts_fake_server *fake);

#endif
