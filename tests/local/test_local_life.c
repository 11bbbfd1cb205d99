/*
 * The life of one private server: many starters, stops, kills, strangers, and its end.
 */
#include "servers.h"

#include <pthread.h>
#include <sys/prctl.h>

/* The server is "default", made by the first of these tests and destroyed by the last. */

TEST(many_starters_make_one_server)
{
    enum { STARTERS = 20 };
    pid_t starters[STARTERS];
    int ends[2];
    int64_t first, pid;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    for (int i = 0; i < STARTERS; i++) {
        starters[i] = fork();
        if (starters[i] == 0) {
            pgqrs_local_info info;

            if (pgqrs_local_start((pgqrs_slice){ NULL, 0 }, &info, err) != PGQRS_OK) {
                fprintf(stderr, "%s\n", pgqrs_error_message(err));
                _exit(1);
            }
            _exit(write(ends[1], &info.pid, sizeof(info.pid)) == sizeof(info.pid) ? 0 : 2);
        }
        assert_true(starters[i] > 0);
    }
    close(ends[1]);
    for (int i = 0; i < STARTERS; i++) {
        int wait_status;

        assert_int_equal(waitpid(starters[i], &wait_status, 0), starters[i]);
        assert_int_equal(wait_status, 0);
    }
    assert_int_equal(read(ends[0], &first, sizeof(first)), sizeof(first));
    for (int i = 1; i < STARTERS; i++) {
        assert_int_equal(read(ends[0], &pid, sizeof(pid)), sizeof(pid));
        assert_int_equal(pid, first);
    }
    /* The end of file: no server process holds what its starter had open. */
    assert_int_equal(read(ends[0], &pid, sizeof(pid)), 0);
    close(ends[0]);
    assert_int_equal(pid_of("default"), first);
}

TEST(server_is_set_up_well)
{
    pgqrs_local_info info;
    struct stat data, socket_dir, log_file;
    uid_t uid;
    gid_t gid;

    (void)state;
    server_account(&uid, &gid);
    start("default", &info);
    expect_query(info.conninfo, "select current_user, current_database()", "pgqrs|pgqrs");
    expect_query(info.conninfo,
                 "select string_agg(setting, ' ' order by name) from pg_settings where name in "
                 "('data_checksums', 'fsync', 'listen_addresses', 'server_encoding', "
                 "'max_connections', 'logging_collector', 'autovacuum_naptime', 'cluster_name')",
                 "5 pgqrs/default on on  on 100 UTF8");
    expect_query(info.conninfo, "select current_setting('wal_compression') <> 'off'", "t");
    expect_query(info.conninfo, "select datcollate from pg_database where datname = 'pgqrs'", "C");
    expect_query(info.conninfo,
                 "select string_agg(type || ' ' || auth_method, ', ' order by line_number) "
                 "from pg_hba_file_rules where database = '{all}'",
                 "local trust, host reject, host reject");
    assert_int_equal(stat(info.data_dir, &data), 0);
    assert_int_equal(stat(path_of("default/socket"), &socket_dir), 0);
    assert_true(data.st_uid == uid && (data.st_mode & 0777) == 0700);
    assert_true(socket_dir.st_uid == uid && (socket_dir.st_mode & 0777) == 0700);
    assert_int_equal(stat(info.log_file, &log_file), 0);
    assert_non_null(strstr(info.log_file, "/default/log/server-"));
    assert_int_equal(log_file.st_mode & 0777, 0600);
    pgqrs_local_info_release(&info);
}

TEST(data_survives_stop_and_start)
{
    pgqrs_local_info info;

    (void)state;
    start("default", &info);
    free(query(info.conninfo, "create table kept as select 42 as answer"));
    pgqrs_local_info_release(&info);
    expect_ok(pgqrs_local_stop(of("default"), err));
    expect_ok(pgqrs_local_stop(of("default"), err)); /* harmless */
    expect_ok(pgqrs_local_status(of("default"), &info, err));
    assert_int_equal(info.state, PGQRS_LOCAL_STOPPED);
    assert_int_equal(info.pid, 0);
    pgqrs_local_info_release(&info);
    start("default", &info);
    expect_query(info.conninfo, "select answer from kept", "42");
    pgqrs_local_info_release(&info);
}

TEST(starts_again_after_kill)
{
    pgqrs_local_info info;
    int64_t killed;

    (void)state;
    start("default", &info);
    killed = info.pid;
    free(query(info.conninfo, "create table written as select 7 as n"));
    assert_int_equal(kill((pid_t)killed, SIGKILL), 0);
    pgqrs_local_info_release(&info);
    while (pid_of("default") == killed) /* the kill takes a moment */
        pause_ms(1);
    start("default", &info);
    assert_true(info.pid != killed);
    expect_query(info.conninfo, "select n from written", "7");
    pgqrs_local_info_release(&info);
}

static void *
start_in_thread(void *out_pid)
{
    pgqrs_local_info info;
    int64_t *pid = out_pid;

    if (pgqrs_local_start(of("default"), &info, NULL) == PGQRS_OK) {
        *pid = info.pid;
        pgqrs_local_info_release(&info);
    }
    return NULL;
}

TEST(threads_start_one_server)
{
    enum { THREADS = 8 };
    pthread_t threads[THREADS];
    int64_t pids[THREADS] = { 0 };

    (void)state;
    expect_ok(pgqrs_local_stop(of("default"), err));
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, start_in_thread, &pids[i]), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pids[i], pid_of("default"));
    assert_true(pids[0] > 1);
}

/* A process of the server's account that has the server's name but is none. */
static pid_t
spawn_stranger(void)
{
    uid_t uid;
    gid_t gid;
    pid_t pid;
    int ends[2];
    char byte;

    server_account(&uid, &gid);
    assert_int_equal(pipe(ends), 0);
    pid = fork();
    if (pid == 0) {
        if (geteuid() == 0 && (setgid(gid) < 0 || setuid(uid) < 0))
            _exit(1);
        prctl(PR_SET_NAME, "postgres");
        prctl(PR_SET_DUMPABLE, 1);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(ends[1]); /* the parent reads the end of file, and goes on */
        close(ends[0]);
        for (;;)
            pause();
    }
    assert_true(pid > 0);
    close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 0);
    close(ends[0]);
    return pid;
}

TEST(stale_pid_file_of_a_stranger_is_harmless)
{
    pid_t stranger = spawn_stranger();
    pgqrs_local_info info;
    char text[1200];
    uid_t uid;
    gid_t gid;

    (void)state;
    server_account(&uid, &gid);
    expect_ok(pgqrs_local_stop(of("default"), err));
    snprintf(text, sizeof(text), "%ld\n%s\n1700000000\n5432\n/nowhere\n\n  1234567 0\nready   \n",
             (long)stranger, path_of("default/data"));
    write_file(path_of("default/data/postmaster.pid"), "w", text);
    assert_int_equal(chown(path_of("default/data/postmaster.pid"), uid, gid), 0);
    expect_ok(pgqrs_local_status(of("default"), &info, err));
    assert_int_equal(info.state, PGQRS_LOCAL_STOPPED);
    pgqrs_local_info_release(&info);
    expect_ok(pgqrs_local_stop(of("default"), err));
    start("default", &info);
    assert_true(info.pid != stranger);
    expect_query(info.conninfo, "select 1", "1");
    pgqrs_local_info_release(&info);
    assert_int_equal(waitpid(stranger, NULL, WNOHANG), 0); /* it still lives */
    kill(stranger, SIGKILL);
    assert_int_equal(waitpid(stranger, NULL, 0), stranger);
}

TEST(waits_for_a_server_that_others_start_or_stop)
{
    pgqrs_local_info info;
    int64_t pid;

    (void)state;
    start("default", &info);
    pid = info.pid;
    pgqrs_local_info_release(&info);
    /* Stopped without pgqrs_local_stop, so nobody holds the lock. */
    assert_int_equal(kill((pid_t)pid, SIGINT), 0);
    start("default", &info);
    /* Either the call came before the server saw the signal, or it started a new server after
     * it. */
    for (int attempt = 0; info.pid == pid && attempt < 1000; attempt++) {
        pgqrs_local_info_release(&info);
        pause_ms(10);
        start("default", &info);
    }
    assert_true(info.pid != pid);
    expect_query(info.conninfo, "select 1", "1");
    pgqrs_local_info_release(&info);
}

TEST(leaves_the_host_alone)
{
    pgqrs_local_info info;
    mode_t mask = umask(0137); /* hostile to folders */
    char folder[512], after[512];

    (void)state;
    expect_ok(pgqrs_local_stop(of("default"), err));
    signal(SIGCHLD, SIG_IGN);
    setenv("PGHOST", "nowhere.invalid", 1);
    setenv("PGPORT", "1", 1);
    setenv("LC_ALL", "xx_YY.UTF-8", 1);
    assert_non_null(getcwd(folder, sizeof(folder)));
    start("default", &info);
    assert_non_null(getcwd(after, sizeof(after)));
    assert_string_equal(folder, after);
    assert_string_equal(getenv("PGHOST"), "nowhere.invalid");
    assert_int_equal(umask(mask), 0137);
    assert_true(signal(SIGCHLD, SIG_DFL) == SIG_IGN);
    unsetenv("PGHOST");
    unsetenv("PGPORT");
    unsetenv("LC_ALL");
    expect_query(info.conninfo, "select 1", "1");
    pgqrs_local_info_release(&info);
}

TEST(says_why_it_does_not_start)
{
    pgqrs_local_info info;
    struct stat config;

    (void)state;
    expect_ok(pgqrs_local_stop(of("default"), err));
    assert_int_equal(stat(path_of("default/data/postgresql.conf"), &config), 0);
    write_file(path_of("default/data/postgresql.conf"), "a", "port = rubbish\n");
    expect_status(pgqrs_local_start(of("default"), &info, err), PGQRS_ESYSTEM);
    expect_message("could not start the private server \"default\"");
    expect_message("contains errors");
    expect_message(path_of("default/log"));
    assert_int_equal(truncate(path_of("default/data/postgresql.conf"), config.st_size), 0);
    start("default", &info);
    pgqrs_local_info_release(&info);
}

TEST(needs_programs_of_the_right_version)
{
    pgqrs_local_info info;
    char version[16] = "";
    FILE *file;

    (void)state;
    expect_ok(pgqrs_local_stop(of("default"), err));
    file = fopen(path_of("default/data/PG_VERSION"), "r");
    assert_non_null(file);
    assert_non_null(fgets(version, sizeof(version), file));
    fclose(file);
    write_file(path_of("default/data/PG_VERSION"), "w", "12\n");
    expect_status(pgqrs_local_start(of("default"), &info, err), PGQRS_ECONNECT);
    expect_message("was made by PostgreSQL 12");
    expect_message("apt-get install postgresql-12");
    write_file(path_of("default/data/PG_VERSION"), "w", version);
    start("default", &info);
    pgqrs_local_info_release(&info);
}

TEST(settings_of_the_user_win)
{
    pgqrs_local_info info;

    (void)state;
    expect_ok(pgqrs_local_stop(of("default"), err));
    write_file(path_of("default/data/postgresql.conf"), "a", "max_connections = 37\nport = 6000\n");
    start("default", &info);
    expect_query(info.conninfo, "show max_connections", "37");
    assert_non_null(strstr(info.conninfo, "port='6000'"));
    pgqrs_local_info_release(&info);
}

TEST(destroys_without_following_links)
{
    (void)state;
    assert_int_equal(mkdir(path_of("outside"), 0755), 0);
    write_file(path_of("outside/precious"), "w", "data");
    assert_int_equal(symlink(path_of("outside"), path_of("default/data/pg_tblspc/1")), 0);
    assert_int_equal(symlink(path_of("outside/precious"), path_of("default/data/link")), 0);
    expect_ok(pgqrs_local_destroy((pgqrs_slice){ NULL, 0 }, err));
    assert_false(exists(path_of("default")));
    assert_true(exists(path_of("outside/precious")));
    expect_status(pgqrs_local_destroy(of("default"), err), PGQRS_ECONNECT);
    unlink(path_of("outside/precious"));
    assert_int_equal(rmdir(path_of("outside")), 0);
}

TEST_MAIN(set_up, tear_down)
