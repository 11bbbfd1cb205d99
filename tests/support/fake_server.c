#include "fake_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "fake_lies.h"
#include "folder.h"

#define MAX_LINKS 32
#define CHUNK_BYTES 65536
#define TICK_MS 2

/* Written by the test while nothing is under way; `told` by the fake server. */
struct orders {
    atomic_int lie; /* -1: the truth */
    atomic_int skip;
    atomic_int told;
    /* Counts arms and disarms: links that were lied to in an earlier era are closed. */
    atomic_int era;
};

struct ts_fake_server {
    pid_t pid;
    struct orders *orders;
    char *dsn;
};

/* A client's connection and the one to the real server that belongs to it. */
struct link {
    int client, server; /* -1: a free place */
    int lied_in;        /* the era of the lie; 0: none */
    ts_bytes in;        /* from the server, not a whole message yet */
    ts_teller teller;
};

struct relay {
    struct orders *orders;
    int listener;
    struct sockaddr_un server;
    struct link links[MAX_LINKS];
};

static void
cut(struct link *link)
{
    close(link->client);
    close(link->server);
    free(link->in.data);
    free(link->teller.out.data);
    free(link->teller.result.data);
    free(link->teller.again.data);
    memset(link, 0, sizeof(*link));
    link->client = link->server = -1;
}

static void
accept_one(struct relay *relay)
{
    int client = accept4(relay->listener, NULL, NULL, SOCK_CLOEXEC);
    int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t i = 0;

    while (i < MAX_LINKS && relay->links[i].client >= 0)
        i++;
    if (client < 0 || server < 0 || i == MAX_LINKS ||
        connect(server, (const struct sockaddr *)&relay->server, sizeof(relay->server)) != 0) {
        close(client);
        close(server);
        return;
    }
    relay->links[i].client = client;
    relay->links[i].server = server;
}

/* What the client says is passed on as it is. */
static void
listen_to_client(struct link *link)
{
    static char data[CHUNK_BYTES];
    ssize_t size = read(link->client, data, sizeof(data));

    if (size <= 0) {
        cut(link);
        return;
    }
    for (ssize_t sent = 0; sent < size;) {
        ssize_t some = send(link->server, data + sent, (size_t)(size - sent), MSG_NOSIGNAL);

        /* The real server has ended the session: its answers are passed on all the same. */
        if (some < 0)
            return;
        sent += some;
    }
}

static void
answer(struct relay *relay, struct link *link, const char *data, size_t size)
{
    struct orders *orders = relay->orders;
    int lie = atomic_load(&orders->lie);

    if (link->lied_in != 0 &&
        (link->teller.is_silent || link->teller.is_over || link->teller.again.size > 0))
        return;
    if (lie >= 0 && !atomic_load(&orders->told) && ts_lie_fits(lie, *data) &&
        atomic_fetch_sub(&orders->skip, 1) <= 0) {
        link->lied_in = atomic_load(&orders->era);
        ts_lie_tell(lie, &link->teller, data, size);
        atomic_store(&orders->told, 1);
        return;
    }
    ts_lie_pass(&link->teller, data, size);
}

static void
listen_to_server(struct relay *relay, struct link *link)
{
    static char data[CHUNK_BYTES];
    ssize_t size = read(link->server, data, sizeof(data));
    size_t done = 0;

    if (size <= 0) {
        cut(link);
        return;
    }
    ts_bytes_add(&link->in, data, (size_t)size);
    while (link->in.size - done >= TS_MESSAGE_HEAD) {
        uint32_t wire;
        size_t whole;

        memcpy(&wire, link->in.data + done + 1, sizeof(wire));
        whole = 1 + (size_t)ntohl(wire);
        if (link->in.size - done < whole)
            break;
        answer(relay, link, link->in.data + done, whole);
        done += whole;
    }
    memmove(link->in.data, link->in.data + done, link->in.size - done);
    link->in.size -= done;
}

static int
has_to_say(const struct link *link)
{
    return link->teller.out.size > 0 || link->teller.again.size > 0 || link->teller.is_over;
}

/* As much as the client takes now. */
static void
talk_to_client(struct link *link)
{
    ts_teller *teller = &link->teller;
    ssize_t size;

    while (teller->again.size > 0 && teller->out.size < CHUNK_BYTES)
        ts_bytes_add(&teller->out, teller->again.data, teller->again.size);
    size = send(link->client, teller->out.data, teller->out.size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (size < 0 && errno != EAGAIN) {
        cut(link);
        return;
    }
    if (size > 0) {
        memmove(teller->out.data, teller->out.data + size, teller->out.size - (size_t)size);
        teller->out.size -= (size_t)size;
    }
    if (teller->is_over && teller->out.size == 0)
        cut(link);
}

static void
serve_link(struct relay *relay, struct link *link, const struct pollfd entries[2])
{
    if (link->client >= 0 && link->lied_in != 0 &&
        link->lied_in != atomic_load(&relay->orders->era))
        cut(link);
    if (link->client >= 0 && entries[1].revents != 0)
        listen_to_server(relay, link);
    if (link->client >= 0 && (entries[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
        listen_to_client(link);
    if (link->client >= 0 && has_to_say(link))
        talk_to_client(link);
}

static void
serve(struct relay *relay)
{
    for (;;) {
        struct pollfd entries[2 * MAX_LINKS + 1];

        for (size_t i = 0; i < MAX_LINKS; i++) {
            struct link *link = &relay->links[i];

            entries[2 * i] = (struct pollfd){ .fd = link->client, .events = POLLIN };
            entries[2 * i + 1] = (struct pollfd){ .fd = link->server, .events = POLLIN };
            if (link->client >= 0 && has_to_say(link))
                entries[2 * i].events |= POLLOUT;
        }
        entries[2 * MAX_LINKS] = (struct pollfd){ .fd = relay->listener, .events = POLLIN };
        if (poll(entries, 2 * MAX_LINKS + 1, TICK_MS) < 0 && errno != EINTR)
            _exit(1);
        for (size_t i = 0; i < MAX_LINKS; i++)
            if (relay->links[i].client >= 0)
                serve_link(relay, &relay->links[i], &entries[2 * i]);
        if (entries[2 * MAX_LINKS].revents != 0)
            accept_one(relay);
    }
}

/* The value of an option of a connection string, or `otherwise`. The caller frees it. */
static char *
option_of(const char *dsn, const char *keyword, const char *otherwise)
{
    PQconninfoOption *options = PQconninfoParse(dsn, NULL);
    const char *value = otherwise;
    char *out;

    for (PQconninfoOption *option = options; option != NULL && option->keyword != NULL; option++)
        if (option->val != NULL && strcmp(option->keyword, keyword) == 0)
            value = option->val;
    out = ts_format("%s", value);
    PQconninfoFree(options);
    return out;
}

static struct sockaddr_un
socket_in(const char *folder, const char *port)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    if (snprintf(address.sun_path, sizeof(address.sun_path), "%s/.s.PGSQL.%s", folder, port) >=
        (int)sizeof(address.sun_path))
        ts_fail("the socket in \"%s\" has too long a path", folder);
    return address;
}

static int
listen_in(const char *folder)
{
    struct sockaddr_un address = socket_in(folder, "5432");
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (listener < 0 || bind(listener, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(listener, MAX_LINKS) != 0)
        ts_fail("could not listen in \"%s\": %s", folder, strerror(errno));
    return listener;
}

ts_fake_server *
ts_fake_server_start(const char *dsn)
{
    ts_fake_server *fake = calloc(1, sizeof(*fake));
    struct relay relay = { .orders = mmap(NULL, sizeof(*relay.orders), PROT_READ | PROT_WRITE,
                                          MAP_SHARED | MAP_ANONYMOUS, -1, 0) };
    char *folder = ts_tmpdir(), *host = option_of(dsn, "host", ""),
         *port = option_of(dsn, "port", "5432");
    char *database = option_of(dsn, "dbname", ""), *user = option_of(dsn, "user", "postgres");

    if (fake == NULL || relay.orders == MAP_FAILED)
        ts_fail("out of memory");
    relay.server = socket_in(host, port);
    relay.listener = listen_in(folder);
    atomic_store(&relay.orders->lie, -1);
    atomic_store(&relay.orders->era, 1);
    for (size_t i = 0; i < MAX_LINKS; i++)
        relay.links[i].client = relay.links[i].server = -1;
    fake->orders = relay.orders;
    fake->dsn = ts_format("host=%s port=5432 user=%s dbname=%s", folder, user, database);
    fake->pid = fork();
    if (fake->pid < 0)
        ts_fail("could not start a process for the fake server: %s", strerror(errno));
    if (fake->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        /* Above all the pipes whose end tells servers to go away. */
        close_range(3, (unsigned)relay.listener - 1, 0);
        close_range((unsigned)relay.listener + 1, ~0U, 0);
        serve(&relay);
    }
    close(relay.listener);
    free(folder);
    free(host);
    free(port);
    free(database);
    free(user);
    return fake;
}

const char *
ts_fake_server_dsn(const ts_fake_server *fake)
{
    return fake->dsn;
}

void
ts_fake_server_arm(ts_fake_server *fake, int lie, int skip)
{
    atomic_fetch_add(&fake->orders->era, 1);
    atomic_store(&fake->orders->told, 0);
    atomic_store(&fake->orders->skip, skip);
    atomic_store(&fake->orders->lie, lie);
}

void
ts_fake_server_disarm(ts_fake_server *fake)
{
    atomic_store(&fake->orders->lie, -1);
    atomic_fetch_add(&fake->orders->era, 1);
}

int
ts_fake_server_has_lied(const ts_fake_server *fake)
{
    return atomic_load(&fake->orders->told);
}

void
ts_fake_server_stop(ts_fake_server *fake)
{
    if (fake == NULL)
        return;
    kill(fake->pid, SIGKILL);
    while (waitpid(fake->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    munmap(fake->orders, sizeof(*fake->orders));
    free(fake->dsn);
    free(fake);
}
