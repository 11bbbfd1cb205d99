#include "proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "folder.h"

#define MAX_LINKS 64
#define CHUNK_BYTES 65536
#define STALL_TICK_MS 10

/* Written by the test while nothing is under way, and read by the proxy; `passed` and `failed` the
 * other way round. */
struct orders {
    atomic_int armed;
    atomic_int direction;
    atomic_int fault;
    atomic_long bytes;
    atomic_long passed[2];
    atomic_int failed;
    atomic_int delay_ms;
    atomic_int era; /* connections of earlier ones are forgotten */
};

/* Bytes that are under way. */
struct parcel {
    struct parcel *next;
    long long due_ms;
    long size;
    char data[];
};

struct ts_proxy {
    pid_t pid;
    struct orders *orders;
    char *dsn;
};

/* One client's connection and the one to the server that belongs to it. By direction, [0] is read
 * to write to [1]. */
struct link {
    int client, server; /* -1: a free place */
    int era;
    struct parcel *first[2], *last[2]; /* by direction, oldest first */
};

struct relay {
    struct orders *orders;
    int listener;
    struct sockaddr_un server;
    struct link links[MAX_LINKS];
};

static long long
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int
write_all(int to, const char *data, long size)
{
    while (size > 0) {
        ssize_t written = send(to, data, (size_t)size, MSG_NOSIGNAL);

        if (written < 0)
            return 0;
        data += written;
        size -= written;
    }
    return 1;
}

/* Delivers what is due by `until_ms`; what cannot be delivered is lost. Returns whether all
 * could. */
static int
deliver(struct link *link, int direction, long long until_ms)
{
    int delivered = 1;

    while (link->first[direction] != NULL && link->first[direction]->due_ms <= until_ms) {
        struct parcel *parcel = link->first[direction];

        delivered &= write_all(direction == TS_PROXY_TO_SERVER ? link->server : link->client,
                               parcel->data, parcel->size);
        link->first[direction] = parcel->next;
        free(parcel);
    }
    return delivered;
}

/* At once, or when its time has come. */
static int
send_on(struct link *link, int direction, const char *data, long size, int delay_ms)
{
    struct parcel *parcel;

    if (delay_ms == 0 && link->first[direction] == NULL)
        return write_all(direction == TS_PROXY_TO_SERVER ? link->server : link->client, data, size);
    parcel = malloc(sizeof(*parcel) + (size_t)size);
    if (parcel == NULL)
        _exit(1);
    *parcel = (struct parcel){ .due_ms = now_ms() + delay_ms, .size = size };
    memcpy(parcel->data, data, (size_t)size);
    if (link->first[direction] == NULL)
        link->first[direction] = parcel;
    else
        link->last[direction]->next = parcel;
    link->last[direction] = parcel;
    return 1;
}

static void
cut(struct link *link, ts_proxy_fault fault)
{
    const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

    deliver(link, TS_PROXY_TO_SERVER, INT64_MAX);
    deliver(link, TS_PROXY_TO_CLIENT, INT64_MAX);
    if (fault == TS_PROXY_RESET)
        setsockopt(link->client, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(link->client);
    close(link->server);
    link->client = link->server = -1;
}

static int
refuses(const struct orders *orders)
{
    return atomic_load(&orders->failed) && atomic_load(&orders->fault) == TS_PROXY_REFUSE;
}

/* Whether that is what happens in `direction` now. */
static int
is_silent(const struct orders *orders, ts_proxy_fault fault, int direction)
{
    return atomic_load(&orders->failed) && atomic_load(&orders->fault) == (int)fault &&
           atomic_load(&orders->direction) == direction;
}

static int
closes(ts_proxy_fault fault)
{
    return fault != TS_PROXY_MUTE && fault != TS_PROXY_STALL;
}

static void
accept_one(struct relay *relay)
{
    int client = accept4(relay->listener, NULL, NULL, SOCK_CLOEXEC), on = 1;
    int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t i = 0;

    while (i < MAX_LINKS && relay->links[i].client >= 0)
        i++;
    if (client < 0 || server < 0 || i == MAX_LINKS || refuses(relay->orders) ||
        connect(server, (const struct sockaddr *)&relay->server, sizeof(relay->server)) != 0) {
        close(client);
        close(server);
        return;
    }
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    relay->links[i] = (struct link){ .client = client,
                                     .server = server,
                                     .era = atomic_load(&relay->orders->era) };
}

/* Moves what is there, as far as the orders allow. */
static void
carry(struct relay *relay, struct link *link, int direction)
{
    static char data[CHUNK_BYTES];
    struct orders *orders = relay->orders;
    int from = direction == TS_PROXY_TO_SERVER ? link->client : link->server;
    ssize_t size = read(from, data, sizeof(data));
    long allowed = size;
    int fails;

    if (size <= 0) {
        cut(link, TS_PROXY_CLOSE);
        return;
    }
    if (is_silent(orders, TS_PROXY_MUTE, direction))
        return;
    if (atomic_load(&orders->armed) && atomic_load(&orders->direction) == direction &&
        atomic_load(&orders->bytes) - atomic_load(&orders->passed[direction]) < allowed)
        allowed = atomic_load(&orders->bytes) - atomic_load(&orders->passed[direction]);
    fails = allowed < size;
    if (fails) {
        atomic_store(&orders->armed, 0);
        atomic_store(&orders->failed, 1);
    }
    atomic_fetch_add(&orders->passed[direction], allowed);
    if (!send_on(link, direction, data, allowed, atomic_load(&orders->delay_ms)) ||
        (fails && closes((ts_proxy_fault)atomic_load(&orders->fault))))
        cut(link, (ts_proxy_fault)atomic_load(&orders->fault));
}

static int
is_forgotten(const struct relay *relay, const struct link *link)
{
    return link->era != atomic_load(&relay->orders->era);
}

/* What is not read is not polled either, and so looked at again after a while. */
static int
stall_some(const struct relay *relay, struct pollfd *entries)
{
    int stalled = 0;

    for (size_t i = 1; i < 1 + 2 * MAX_LINKS; i++) {
        if (is_forgotten(relay, &relay->links[(i - 1) / 2]))
            entries[i].fd = -1;
        if (!is_silent(relay->orders, TS_PROXY_STALL, (int)((i - 1) % 2)))
            continue;
        entries[i].fd = -1;
        stalled = 1;
    }
    return stalled;
}

/* Delivers what has come to its end, and returns how long to wait for what is under way; -1:
 * nothing is. */
static int
deliver_due(struct relay *relay)
{
    long long now = now_ms(), next = INT64_MAX;

    for (size_t i = 0; i < 2 * MAX_LINKS; i++) {
        struct link *link = &relay->links[i / 2];
        int direction = (int)(i % 2);

        if (link->client < 0 || is_forgotten(relay, link))
            continue;
        if (!deliver(link, direction, now))
            cut(link, TS_PROXY_CLOSE);
        else if (link->first[direction] != NULL && link->first[direction]->due_ms < next)
            next = link->first[direction]->due_ms;
    }
    return next == INT64_MAX ? -1 : (int)(next - now);
}

static void
wait_for_some(struct relay *relay, struct pollfd *entries)
{
    int wait_ms = deliver_due(relay);

    entries[0] = (struct pollfd){ .fd = relay->listener, .events = POLLIN };
    for (size_t i = 0; i < MAX_LINKS; i++) {
        entries[1 + 2 * i] = (struct pollfd){ .fd = relay->links[i].client, .events = POLLIN };
        entries[2 + 2 * i] = (struct pollfd){ .fd = relay->links[i].server, .events = POLLIN };
    }
    if (stall_some(relay, entries) && (wait_ms < 0 || wait_ms > STALL_TICK_MS))
        wait_ms = STALL_TICK_MS;
    if (poll(entries, 1 + 2 * MAX_LINKS, wait_ms) < 0 && errno != EINTR)
        _exit(1);
}

static void
serve(struct relay *relay)
{
    for (;;) {
        struct pollfd entries[1 + 2 * MAX_LINKS];

        wait_for_some(relay, entries);
        for (size_t i = 0; i < MAX_LINKS; i++)
            for (size_t direction = 0; direction < 2; direction++)
                if (relay->links[i].client >= 0 && entries[1 + 2 * i + direction].revents != 0 &&
                    !is_forgotten(relay, &relay->links[i]))
                    carry(relay, &relay->links[i], (int)direction);
        if (entries[0].revents != 0)
            accept_one(relay);
    }
}

/* Reads where the server is, and prepares what is told to clients. */
static void
find_server(const char *dsn, struct sockaddr_un *server, char **database, char **user)
{
    PQconninfoOption *options = PQconninfoParse(dsn, NULL);
    const char *host = NULL, *port = "5432", *name = NULL, *role = "postgres";

    for (PQconninfoOption *option = options; option != NULL && option->keyword != NULL; option++) {
        if (option->val == NULL)
            continue;
        if (strcmp(option->keyword, "host") == 0)
            host = option->val;
        else if (strcmp(option->keyword, "port") == 0)
            port = option->val;
        else if (strcmp(option->keyword, "dbname") == 0)
            name = option->val;
        else if (strcmp(option->keyword, "user") == 0)
            role = option->val;
    }
    if (host == NULL || *host != '/' || name == NULL)
        ts_fail("the connection string \"%s\" does not name a unix socket and a database", dsn);
    server->sun_family = AF_UNIX;
    if (snprintf(server->sun_path, sizeof(server->sun_path), "%s/.s.PGSQL.%s", host, port) >=
        (int)sizeof(server->sun_path))
        ts_fail("the socket in \"%s\" has too long a path", host);
    *database = ts_format("%s", name);
    *user = ts_format("%s", role);
    PQconninfoFree(options);
}

static int
listen_somewhere(struct sockaddr_in *address)
{
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t size = sizeof(*address);

    *address =
        (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    if (listener < 0 || bind(listener, (const struct sockaddr *)address, sizeof(*address)) != 0 ||
        listen(listener, MAX_LINKS) != 0 ||
        getsockname(listener, (struct sockaddr *)address, &size) != 0)
        ts_fail("could not listen on 127.0.0.1: %s", strerror(errno));
    return listener;
}

ts_proxy *
ts_proxy_start(const char *dsn)
{
    ts_proxy *proxy = calloc(1, sizeof(*proxy));
    struct relay relay = { .orders = mmap(NULL, sizeof(*relay.orders), PROT_READ | PROT_WRITE,
                                          MAP_SHARED | MAP_ANONYMOUS, -1, 0) };
    struct sockaddr_in address;
    char *database, *user;

    if (proxy == NULL || relay.orders == MAP_FAILED)
        ts_fail("out of memory");
    find_server(dsn, &relay.server, &database, &user);
    relay.listener = listen_somewhere(&address);
    for (size_t i = 0; i < MAX_LINKS; i++)
        relay.links[i].client = relay.links[i].server = -1;
    proxy->orders = relay.orders;
    proxy->dsn = ts_format("host=127.0.0.1 port=%d user=%s dbname=%s sslmode=disable",
                           ntohs(address.sin_port), user, database);
    free(database);
    free(user);
    proxy->pid = fork();
    if (proxy->pid < 0)
        ts_fail("could not start a process for the proxy: %s", strerror(errno));
    if (proxy->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        /* Above all the pipes whose end tells servers to go away. */
        close_range(3, (unsigned)relay.listener - 1, 0);
        close_range((unsigned)relay.listener + 1, ~0U, 0);
        serve(&relay);
    }
    close(relay.listener);
    return proxy;
}

const char *
ts_proxy_dsn(const ts_proxy *proxy)
{
    return proxy->dsn;
}

void
ts_proxy_pass(ts_proxy *proxy)
{
    atomic_store(&proxy->orders->armed, 0);
    atomic_store(&proxy->orders->failed, 0);
    atomic_store(&proxy->orders->passed[TS_PROXY_TO_SERVER], 0);
    atomic_store(&proxy->orders->passed[TS_PROXY_TO_CLIENT], 0);
}

void
ts_proxy_arm(ts_proxy *proxy, ts_proxy_direction direction, long bytes, ts_proxy_fault fault)
{
    ts_proxy_pass(proxy);
    atomic_store(&proxy->orders->direction, (int)direction);
    atomic_store(&proxy->orders->bytes, bytes);
    atomic_store(&proxy->orders->fault, (int)fault);
    atomic_store(&proxy->orders->armed, 1);
}

void
ts_proxy_delay(ts_proxy *proxy, int ms)
{
    atomic_store(&proxy->orders->delay_ms, ms);
}

void
ts_proxy_forget(ts_proxy *proxy)
{
    atomic_fetch_add(&proxy->orders->era, 1);
}

long
ts_proxy_passed(const ts_proxy *proxy, ts_proxy_direction direction)
{
    return atomic_load(&proxy->orders->passed[direction]);
}

int
ts_proxy_has_failed(const ts_proxy *proxy)
{
    return atomic_load(&proxy->orders->failed);
}

void
ts_proxy_stop(ts_proxy *proxy)
{
    if (proxy == NULL)
        return;
    kill(proxy->pid, SIGKILL);
    while (waitpid(proxy->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    munmap(proxy->orders, sizeof(*proxy->orders));
    free(proxy->dsn);
    free(proxy);
}
