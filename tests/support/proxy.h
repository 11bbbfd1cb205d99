/*
 * A proxy between a client and a server that fails on demand: it counts the bytes that pass, and
 * after so many of them in one direction it closes the connection, resets it, or goes silent. It
 * can be a slow network as well, and one that has forgotten the connections that there are.
 *
 *     ts_proxy *proxy = ts_proxy_start(dsn);
 *     pgqrs_client *client = ts_client(ts_proxy_dsn(proxy), NULL);
 *     ts_proxy_arm(proxy, TS_PROXY_TO_SERVER, 100, TS_PROXY_CLOSE);
 *     ... a call of the client: its connection ends after 100 more bytes have reached the server
 *     ts_proxy_pass(proxy);
 *
 * It is a process of its own, which ends with the test executable. It listens on 127.0.0.1, so that
 * a connection can be reset, and reaches the server by its unix socket.
 */
#ifndef TS_PROXY_H
#define TS_PROXY_H

typedef struct ts_proxy ts_proxy;

typedef enum ts_proxy_direction {
    TS_PROXY_TO_SERVER = 0,
    TS_PROXY_TO_CLIENT = 1
} ts_proxy_direction;

typedef enum ts_proxy_fault {
    TS_PROXY_CLOSE, /* both sides see an end of file */
    TS_PROXY_RESET, /* the client sees a reset, the server an end of file */
    TS_PROXY_MUTE,  /* nothing passes in that direction, on any connection, but all stay open */
    TS_PROXY_STALL, /* as mute, and what arrives is not read either: the sender's buffers fill up */
    TS_PROXY_REFUSE /* as close, and new connections are closed at once */
} ts_proxy_fault;

/** Starts a proxy in front of the server and database of `dsn`, which names a unix socket. */
ts_proxy *ts_proxy_start(const char *dsn);

/** The same database through the proxy, valid as long as `proxy`. */
const char *ts_proxy_dsn(const ts_proxy *proxy);

/** From now on: lets `bytes` more pass in `direction`, then does `fault`, once. No call may be
 * under way. */
void ts_proxy_arm(ts_proxy *proxy, ts_proxy_direction direction, long bytes, ts_proxy_fault fault);

/** Lets everything pass again; connections that were cut stay so, and silent ones lose what they
 * did not pass on. */
void ts_proxy_pass(ts_proxy *proxy);

/** From now on every byte takes `ms` in each direction, so a round trip takes twice as long. 0: no
 * time. */
void ts_proxy_delay(ts_proxy *proxy, int ms);

/** Nothing passes any more on the connections that are open now, in neither direction, not even
 * their end, until the proxy ends; new ones work. So does a firewall that has lost its table, or a
 * server that moved. */
void ts_proxy_forget(ts_proxy *proxy);

/** How many bytes have passed in `direction` since the last arm or pass. */
long ts_proxy_passed(const ts_proxy *proxy, ts_proxy_direction direction);

/** Whether the fault that it was armed with has happened. */
int ts_proxy_has_failed(const ts_proxy *proxy);

/** Ends it with all its connections; NULL is fine. */
void ts_proxy_stop(ts_proxy *proxy);

#endif
