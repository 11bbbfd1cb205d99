/*
 * Private servers whose sockets were removed, as cleaners of /tmp do, and environments that speak
 * of other servers.
 */
#include "servers.h"

#include <errno.h>

#define FOLDER_SIZE 200

/* The folder of the socket, as conninfo names it first. */
static void
find_socket_dir(const pgqrs_local_info *info, char folder[FOLDER_SIZE])
{
    const char *begin = strchr(info->conninfo, '\'') + 1;

    assert_int_equal(strncmp(info->conninfo, "host='/", 7), 0);
    assert_true(snprintf(folder, FOLDER_SIZE, "%.*s", (int)strcspn(begin, "'"), begin) <
                FOLDER_SIZE);
}

static void
remove_socket(const char *folder, int with_folder)
{
    char path[FOLDER_SIZE + 32];

    snprintf(path, sizeof(path), "%s/.s.PGSQL.5432", folder);
    assert_int_equal(unlink(path), 0);
    snprintf(path, sizeof(path), "%s/.s.PGSQL.5432.lock", folder);
    assert_int_equal(unlink(path), 0);
    if (with_folder)
        assert_int_equal(rmdir(folder), 0);
}

/* A path that is too long for a socket, so the socket is in /tmp. */
static void
use_long_root(void)
{
    char longer[400];

    snprintf(longer, sizeof(longer), "%s/%0100d", base, 0);
    assert_int_equal(mkdir(longer, 0755) == 0 || errno == EEXIST, 1);
    setenv("PGQRS_LOCAL_ROOT", longer, 1);
}

TEST(a_server_whose_socket_was_removed_is_started_anew)
{
    (void)state;
    use_long_root();
    for (int with_folder = 0; with_folder <= 1; with_folder++) {
        pgqrs_local_info before, after;
        char folder[FOLDER_SIZE], *sql;

        start("default", &before);
        sql = query(before.conninfo, "CREATE TABLE IF NOT EXISTS kept(); SELECT 1");
        assert_non_null(sql);
        find_socket_dir(&before, folder);
        assert_int_equal(strncmp(folder, "/tmp/pgqrs-", 11), 0);
        remove_socket(folder, with_folder);
        start("default", &after);
        assert_int_not_equal(before.pid, after.pid);
        expect_query(after.conninfo, "SELECT count(*) FROM pg_class WHERE relname = 'kept'", "1");
        free(sql);
        pgqrs_local_info_release(&before);
        pgqrs_local_info_release(&after);
    }
    pgqrs_local_destroy(of("default"), err);
    rmdir(getenv("PGQRS_LOCAL_ROOT"));
    setenv("PGQRS_LOCAL_ROOT", base, 1);
}

TEST(a_server_that_can_be_reached_is_left_alone)
{
    pgqrs_local_info before, after;

    (void)state;
    start("default", &before);
    start("default", &after);
    assert_int_equal(before.pid, after.pid);
    pgqrs_local_info_release(&before);
    pgqrs_local_info_release(&after);
}

/* Of libpq's variables those that a connection string can override. */
TEST(its_connection_string_does_not_depend_on_the_environment)
{
    static const char *const variables[][2] = {
        { "PGHOST", "/nonexistent" },
        { "PGHOSTADDR", "203.0.113.1" },
        { "PGPORT", "1" },
        { "PGUSER", "nobody" },
        { "PGDATABASE", "nothing" },
        { "PGOPTIONS", "-c no.such=1 -c nonsense=1" },
        { "PGTARGETSESSIONATTRS", "read-only" },
        { "PGCHANNELBINDING", "require" },
        { "PGREQUIREPEER", "nobody" },
        { "PGSSLMODE", "nonsense" },
        { "PGGSSENCMODE", "nonsense" },
        { "PGSSLROOTCERT", "/nonexistent" },
        { "PGSSLMINPROTOCOLVERSION", "nonsense" },
        { "PGSSLMAXPROTOCOLVERSION", "nonsense" },
    };
    pgqrs_local_info info;

    (void)state;
    start("default", &info);
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
        char *got;

        setenv(variables[i][0], variables[i][1], 1);
        got = query(info.conninfo, "SELECT current_setting('cluster_name')");
        unsetenv(variables[i][0]);
        if (got == NULL || strcmp(got, "pgqrs/default") != 0)
            fail_msg("with %s=%s: %s", variables[i][0], variables[i][1],
                     got != NULL ? got : "no connection");
        free(got);
    }
    pgqrs_local_info_release(&info);
}

TEST(a_name_that_looks_like_an_option_is_refused)
{
    pgqrs_local_info info;

    (void)state;
    expect_status(pgqrs_local_start(of("-x"), &info, err), PGQRS_EINVAL);
    expect_message("not \"-\" first");
    expect_status(pgqrs_local_status(of("--help"), &info, err), PGQRS_EINVAL);
}

TEST_MAIN(set_up, tear_down)
