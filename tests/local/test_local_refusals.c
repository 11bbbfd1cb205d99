/*
 * Private servers, before there is one: names, folders, programs.
 */
#include "servers.h"

#include "base/local.h"

TEST(refuses_bad_names)
{
    static const char *const bad[] = { "",
                                       ".",
                                       "..",
                                       "../x",
                                       "a/b",
                                       "A",
                                       "a b",
                                       "x.y",
                                       "\xc3\xa4",
                                       "a\n",
                                       "abcdefghijklmnopqrstuvwxyz0123456" };
    pgqrs_local_info info;
    char *conninfo;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        expect_status(pgqrs_local_start(of(bad[i]), &info, err), PGQRS_EINVAL);
        expect_message("give 1 to 32 of a-z, 0-9");
        expect_status(pgqrs_local_status(of(bad[i]), &info, err), PGQRS_EINVAL);
        expect_status(pgqrs_local_stop(of(bad[i]), err), PGQRS_EINVAL);
        expect_status(pgqrs_local_destroy(of(bad[i]), err), PGQRS_EINVAL);
    }
    expect_status(pgqrs_local_start((pgqrs_slice){ "a\0b", 3 }, &info, err), PGQRS_EINVAL);
    expect_status(pgqrsi_local_conninfo(of("local:../x"), &conninfo, err), PGQRS_EINVAL);
    expect_status(pgqrsi_local_conninfo(of("local:A"), &conninfo, err), PGQRS_EINVAL);
}

TEST(shows_no_name_that_may_hold_a_password)
{
    static const char *const bad[] = { "local:postgresql://me:hunter2@localhost/db",
                                       "local:x password=hunter2",
                                       "local://me:hunter2@localhost/db",
                                       "local:me:hunter2",
                                       "local:PASSWORD=hunter2",
                                       "local:x password = hunter2" };
    char *conninfo;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        expect_status(pgqrsi_local_conninfo(of(bad[i]), &conninfo, err), PGQRS_EINVAL);
        expect_message("give 1 to 32 of a-z, 0-9");
        if (strstr(pgqrs_error_message(err), "hunter2") != NULL)
            fail_msg("\"%s\" shows the password", pgqrs_error_message(err));
    }
}

TEST(knows_its_dsns)
{
    (void)state;
    assert_true(pgqrsi_local_is_dsn(of("local:")));
    assert_true(pgqrsi_local_is_dsn(of("local:name")));
    assert_false(pgqrsi_local_is_dsn(of("local")));
    assert_false(pgqrsi_local_is_dsn(of("host=local:")));
    assert_false(pgqrsi_local_is_dsn(of("postgres://local:5432/x")));
    assert_false(pgqrsi_local_is_dsn((pgqrs_slice){ NULL, 0 }));
}

TEST(describes_an_absent_server_and_makes_nothing)
{
    pgqrs_local_info info;

    (void)state;
    expect_ok(pgqrs_local_status(of("nobody"), &info, err));
    assert_int_equal(info.state, PGQRS_LOCAL_ABSENT);
    assert_int_equal(info.pid, 0);
    assert_string_equal(info.data_dir, path_of("nobody/data"));
    assert_string_equal(info.log_file, path_of("nobody/log/startup.log"));
    assert_non_null(
        strstr(info.conninfo, "/nobody/socket' port='5432' user='pgqrs' dbname='pgqrs'"));
    pgqrs_local_info_release(&info);
    expect_status(pgqrs_local_stop(of("nobody"), err), PGQRS_ECONNECT);
    expect_status(pgqrs_local_destroy(of("nobody"), err), PGQRS_ECONNECT);
    expect_message("there is no private server \"nobody\"");
    assert_false(exists(path_of("nobody")));
}

TEST(finds_its_folder)
{
    char *home = strdup(getenv("HOME") != NULL ? getenv("HOME") : "/");
    pgqrs_local_info info;

    (void)state;
    setenv("PGQRS_LOCAL_ROOT", "relative", 1);
    expect_status(pgqrs_local_status(of("x"), &info, err), PGQRS_EINVAL);
    expect_message("give an absolute path");
    setenv("PGQRS_LOCAL_ROOT", "/tmp/a\nb", 1);
    expect_status(pgqrs_local_status(of("x"), &info, err), PGQRS_ESYSTEM);
    expect_message("has a control character");
    unsetenv("PGQRS_LOCAL_ROOT");
    setenv("XDG_DATA_HOME", "/xdg", 1);
    setenv("HOME", "/home/me", 1);
    expect_ok(pgqrs_local_status(of("x"), &info, err));
    assert_string_equal(info.data_dir, "/xdg/pgqrs/x/data");
    pgqrs_local_info_release(&info);
    setenv("XDG_DATA_HOME", "relative", 1);
    expect_ok(pgqrs_local_status((pgqrs_slice){ NULL, 0 }, &info, err));
    assert_string_equal(info.data_dir, geteuid() == 0 ? "/var/lib/pgqrs/default/data"
                                                      : "/home/me/.local/share/pgqrs/default/data");
    pgqrs_local_info_release(&info);
    unsetenv("XDG_DATA_HOME");
    unsetenv("HOME");
    expect_ok(pgqrs_local_status(of("x"), &info, err));
    assert_int_equal(*info.data_dir, '/');
    pgqrs_local_info_release(&info);
    setenv("HOME", home, 1);
    setenv("PGQRS_LOCAL_ROOT", base, 1);
    free(home);
}

TEST(says_which_programs_are_missing)
{
    char *programs = getenv("PGQRS_PG_BINDIR") != NULL ? strdup(getenv("PGQRS_PG_BINDIR")) : NULL;
    pgqrs_local_info info;

    (void)state;
    assert_int_equal(mkdir(path_of("empty"), 0755), 0);
    setenv("PGQRS_PG_BINDIR", path_of("empty"), 1);
    expect_status(pgqrs_local_start(of("nobody"), &info, err), PGQRS_ECONNECT);
    expect_message("missing: initdb, pg_ctl, postgres; looked in PGQRS_PG_BINDIR = ");
    expect_message(path_of("empty"));
    expect_message("apt-get install postgresql");
    write_file(path_of("empty/initdb"), "w", "");
    assert_int_equal(chmod(path_of("empty/initdb"), 0755), 0);
    expect_status(pgqrs_local_start(of("nobody"), &info, err), PGQRS_ECONNECT);
    expect_message("missing: pg_ctl, postgres in ");
    assert_int_equal(unlink(path_of("empty/initdb")), 0);
    assert_int_equal(rmdir(path_of("empty")), 0);
    if (programs != NULL)
        setenv("PGQRS_PG_BINDIR", programs, 1);
    else
        unsetenv("PGQRS_PG_BINDIR");
    free(programs);
    assert_false(exists(path_of("nobody")));
}

TEST(refuses_foreign_folders)
{
    pgqrs_local_info info;

    (void)state;
    assert_int_equal(mkdir(path_of("foreign"), 0755), 0);
    write_file(path_of("foreign/precious"), "w", "data");
    expect_status(pgqrs_local_destroy(of("foreign"), err), PGQRS_ESYSTEM);
    expect_message("was not made by pgqrs");
    expect_status(pgqrs_local_start(of("foreign"), &info, err), PGQRS_ESYSTEM);
    assert_true(exists(path_of("foreign/precious")));
    assert_false(exists(path_of("foreign/lock")));
    assert_int_equal(symlink("foreign", path_of("linked")), 0);
    expect_status(pgqrs_local_destroy(of("linked"), err), PGQRS_ESYSTEM);
    expect_status(pgqrs_local_start(of("linked"), &info, err), PGQRS_ESYSTEM);
    assert_true(exists(path_of("foreign/precious")));
    if (geteuid() == 0) {
        assert_int_equal(mkdir(path_of("theirs"), 0755), 0);
        assert_int_equal(chown(path_of("theirs"), 65534, 65534), 0);
        expect_status(pgqrs_local_start(of("theirs"), &info, err), PGQRS_ESYSTEM);
        expect_message("it belongs to user 65534");
        assert_int_equal(rmdir(path_of("theirs")), 0);
    }
    unlink(path_of("linked"));
    unlink(path_of("foreign/precious"));
    assert_int_equal(rmdir(path_of("foreign")), 0);
}

TEST_MAIN(set_up, tear_down)
