/*
 * Finding a running private server, with the nth allocation failing: the call reports "out of
 * memory", never that there is no server.
 */

#include "found.h"

#include <grp.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/local.h"

#include "failing.h"

/* What a running server has: a folder, a socket, and a file that names both. */
static char base[] = "/tmp/pgqrs-memory-XXXXXX";
static int listener;

/* Root's servers belong to another account, and this process is the server here. */
static int
become_the_account(void)
{
    const struct passwd *entry = geteuid() == 0 ? getpwnam(PGQRSI_LOCAL_ACCOUNT) : NULL;

    if (entry == NULL)
        return 0;
    return setgroups(0, NULL) == 0 && setgid(entry->pw_gid) == 0 && setuid(entry->pw_uid) == 0 ? 0
                                                                                               : -1;
}

static int
set_up(void **state)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    char path[64];
    FILE *file;

    (void)state;
    if (become_the_account() != 0 || mkdtemp(base) == NULL ||
        setenv("PGQRS_LOCAL_ROOT", base, 1) != 0)
        return -1;
    snprintf(path, sizeof(path), "%s/default", base);
    if (mkdir(path, 0700) != 0)
        return -1;
    snprintf(path, sizeof(path), "%s/default/data", base);
    if (mkdir(path, 0700) != 0)
        return -1;
    snprintf(path, sizeof(path), "%s/default/data/postmaster.pid", base);
    file = fopen(path, "w");
    if (file == NULL)
        return -1;
    fprintf(file, "%ld\n/data\n1700000000\n5432\n%s\n\n  1234567 0\nready   \n", (long)getpid(),
            base);
    if (fclose(file) != 0)
        return -1;
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/.s.PGSQL.5432", base);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, (const struct sockaddr *)&address, sizeof(address)) != 0)
        return -1;
    return listen(listener, 128);
}

static int
tear_down(void **state)
{
    static const char *const files[] = { "default/data/postmaster.pid", ".s.PGSQL.5432",
                                         "default/data", "default" };
    char path[64];

    (void)state;
    close(listener);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", base, files[i]);
        remove(path);
    }
    return rmdir(base);
}

static void
sweep(const char *dsn, int forever)
{
    pgqrs_error *err = pgqrs_error_new();
    long nth = 0, failed;

    assert_non_null(err);
    do {
        char *untouched = base, *out = untouched;
        pgqrs_status status;

        nth++;
        failing_arm(FAILING_LIBRARY, forever, nth);
        status = pgqrsi_local_conninfo(pgqrs_slice_of(dsn), &out, err);
        failed = failing_disarm();
        assert_int_equal(status, failed > 0 ? PGQRS_ENOMEM : PGQRS_OK);
        assert_int_equal(out == untouched, failed > 0);
        if (failed == 0)
            free(out);
    } while (failed > 0);
    assert_true(nth > 4);
    pgqrs_error_free(err);
}

TEST(memory_that_is_short_is_reported_as_such)
{
    (void)state;
    for (int forever = 0; forever <= 1; forever++) {
        sweep("local:", forever);
        sweep("local:default", forever);
    }
}

TEST_MAIN(set_up, tear_down)
