/*
 * `pgqrs work` and the processes around it: what it has started does not outlive it, however it
 * ends; a signal for the whole service charges nobody; as the first process of a container it can
 * be stopped and waits for orphans.
 */
#include "work_fixture.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <poll.h>
#include <sys/socket.h>

/* The shell stays, and what it runs leaves its number. */
#define GRANDCHILD "sh -c 'echo $$ > \"$FOLDER/pid\"; exec sleep 300'; true"

/* As GRANDCHILD, but the shell is told to end, too. */
#define ENDED_BY_ALL "sh -c 'echo $$ > \"$FOLDER/pid\"; exec sleep 300'; exit $?"

/* One more argument starts `pgqrs work` as what the kernel gives orphans to, and as first
 * process. */
#define AS_SUBREAPER                                                                               \
    "python3", "-c",                                                                               \
        "import ctypes, os, sys; ctypes.CDLL(None).prctl(36, 1, 0, 0, 0); os.execvp(sys.argv[1], " \
        "sys.argv[1:])"
#define AS_FIRST_PROCESS "unshare", "--pid", "--fork", "--mount-proc", "--kill-child"

/* The children of `pid`, at most `max` of them. */
static size_t
children_of(pid_t pid, pid_t *out, size_t max)
{
    char *path = ts_format("/proc/%d/task/%d/children", (int)pid, (int)pid);
    FILE *file = fopen(path, "r");
    size_t count = 0;
    int child;

    while (file != NULL && count < max && fscanf(file, "%d", &child) == 1)
        out[count++] = (pid_t)child;
    if (file != NULL)
        fclose(file);
    free(path);
    return count;
}

/* The state of a process as in ps(1), '\0' if there is none; *name is its name. */
static char
process_state(pid_t pid, char name[32])
{
    char *path = ts_format("/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    char state = '\0';

    name[0] = '\0';
    if (file != NULL && fscanf(file, "%*d (%31[^)]) %c", name, &state) != 2)
        state = '\0';
    if (file != NULL)
        fclose(file);
    free(path);
    return state;
}

/* The guard of a worker, other than `not`. */
static pid_t
await_guard(const ts_process *worker, pid_t not )
{
    long long deadline = now_ms() + WORK_WAIT_MS;
    pid_t children[64];
    char name[32];

    for (;;) {
        size_t count = children_of(ts_process_pid(worker), children, 64);

        for (size_t i = 0; i < count; i++)
            if (children[i] != not &&process_state(children[i], name) != 'Z' &&
                strcmp(name, "work-guard") == 0)
                return children[i];
        if (now_ms() > deadline)
            ts_fail("the worker has no guard");
        pause_ms(10);
    }
}

TEST(a_grandchild_ends_with_its_killed_worker)
{
    struct fixture f;
    ts_process *worker;
    pid_t grandchild;

    (void)state;
    fixture_open(&f);
    fixture_send_numbers(&f, 1);
    worker = fixture_work(&f, "1", "60", 0, GRANDCHILD);
    grandchild = await_pid(&f, "pid");
    ts_kill(worker, SIGKILL);
    ts_wait(worker, WORK_WAIT_MS, NULL);
    await_end(grandchild, WORK_WAIT_MS);
    fixture_close(&f);
}

TEST(a_grandchild_ends_with_the_killed_group_of_its_worker)
{
    struct fixture f;
    ts_process *worker;
    pid_t grandchild;

    (void)state;
    fixture_open(&f);
    fixture_send_numbers(&f, 1);
    worker = fixture_work(&f, "1", "60", 0, GRANDCHILD);
    grandchild = await_pid(&f, "pid");
    kill(-ts_process_pid(worker), SIGKILL);
    ts_wait(worker, WORK_WAIT_MS, NULL);
    await_end(grandchild, WORK_WAIT_MS);
    fixture_close(&f);
}

TEST(a_guard_that_was_killed_is_replaced)
{
    struct fixture f;
    ts_process *worker;
    pid_t grandchild, guard;

    (void)state;
    fixture_open(&f);
    fixture_send_numbers(&f, 1);
    worker = fixture_work(&f, "2", "60", 0, GRANDCHILD);
    grandchild = await_pid(&f, "pid");
    guard = await_guard(worker, 0);
    kill(guard, SIGKILL);
    await_guard(worker, guard);
    assert_true(ts_is_running(grandchild));
    ts_kill(worker, SIGKILL);
    ts_wait(worker, WORK_WAIT_MS, NULL);
    await_end(grandchild, WORK_WAIT_MS);
    fixture_close(&f);
}

/* Processes that a program leaves in the background go on when it and the worker end in order. */
TEST(what_a_program_left_behind_outlives_both_in_peace)
{
    struct fixture f;
    pid_t left;

    (void)state;
    fixture_open(&f);
    fixture_send_numbers(&f, 1);
    fixture_work_off(&f, "sleep 300 >/dev/null 2>&1 & echo $! > \"$FOLDER/pid\"");
    left = await_pid(&f, "pid");
    pause_ms(100);
    assert_true(ts_is_running(left));
    kill(left, SIGKILL);
    fixture_close(&f);
}

/* As systemd does it: both are signalled before either can do anything. */
static void
stop_service(const char *script, int number)
{
    struct fixture f;
    ts_process *worker;
    ts_result result;
    pid_t grandchild;

    fixture_open(&f);
    fixture_send_numbers(&f, 1);
    worker = fixture_work(&f, "1", "60", 0, script);
    grandchild = await_pid(&f, "pid");
    ts_kill(worker, SIGSTOP);
    kill(-getpgid(grandchild), number);
    await_end(grandchild, WORK_WAIT_MS);
    ts_kill(worker, number);
    ts_kill(worker, SIGCONT);
    ts_wait(worker, WORK_WAIT_MS, &result);
    assert_int_equal(result.exit_code, 0);
    assert_int_equal(ts_int(f.sql,
                            "SELECT count(*) FROM pgqrs_messages WHERE vt <= clock_timestamp() AND "
                            "failed_ct = 0 AND crash_ct = 0 AND lease_token IS NULL"),
                     1);
    ts_result_release(&result);
    fixture_close(&f);
}

TEST(a_signal_for_the_whole_service_charges_nobody)
{
    (void)state;
    stop_service(GRANDCHILD, SIGTERM);
    stop_service(GRANDCHILD, SIGINT);
    stop_service("trap 'exit 143' TERM; " GRANDCHILD, SIGTERM);
}

TEST(a_signal_for_the_program_alone_is_a_failure)
{
    struct fixture f;
    ts_process *worker;
    ts_result result;

    (void)state;
    fixture_open(&f);
    fixture_send_numbers(&f, 1);
    worker = fixture_work(&f, "1", "60", 1, "[ -e \"$FOLDER/pid\" ] && exit 0; " ENDED_BY_ALL);
    kill(-getpgid(await_pid(&f, "pid")), SIGTERM);
    ts_wait(worker, WORK_WAIT_MS, &result);
    assert_int_equal(result.exit_code, 0);
    assert_int_equal(ts_int(f.sql, "SELECT failed_ct FROM pgqrs_archive WHERE outcome = 'done'"),
                     1);
    ts_result_release(&result);
    fixture_close(&f);
}

static size_t
count_zombies(pid_t parent)
{
    pid_t children[64];
    size_t count = children_of(parent, children, 64), zombies = 0;
    char name[32];

    for (size_t i = 0; i < count; i++)
        zombies += process_state(children[i], name) == 'Z';
    return zombies;
}

static void
await_no_zombies(pid_t parent)
{
    long long deadline = now_ms() + WORK_WAIT_MS;

    while (count_zombies(parent) > 0) {
        if (now_ms() > deadline)
            ts_fail("%zu children have ended and were not waited for", count_zombies(parent));
        pause_ms(10);
    }
}

TEST(orphans_are_waited_for_and_no_program_is_taken_for_one)
{
    struct fixture f;
    ts_result result;

    (void)state;
    fixture_open(&f);
    fixture_send_numbers(&f, 50);
    {
        const char *const argv[] = {
            AS_SUBREAPER,
            ts_command(),
            "work",
            "jobs",
            "--concurrency",
            "4",
            "--",
            "sh",
            "-c",
            "(sleep 0.1; echo > \"$FOLDER/left-$PGQRS_MESSAGE_ID\") >/dev/null 2>&1 & "
            "echo $PGQRS_MESSAGE_ID",
            NULL
        };
        const char *const env[] = { f.dsn_variable, f.folder_variable, NULL };
        ts_process *worker = ts_spawn(&(ts_invocation){ .argv = argv, .env = env });

        ts_wait_until(f.sql, WORK_WAIT_MS,
                      "SELECT count(*) = 50 FROM pgqrs_archive WHERE outcome = 'done' AND read_ct "
                      "= 1 AND result = to_jsonb(id)");
        for (int i = 1; i <= 50; i++) {
            char *path = ts_format("%s/left-%d", f.folder, i);
            long long deadline = now_ms() + WORK_WAIT_MS;

            while (access(path, F_OK) != 0 && now_ms() < deadline)
                pause_ms(10);
            assert_int_equal(access(path, F_OK), 0);
            free(path);
        }
        await_no_zombies(ts_process_pid(worker));
        ts_kill(worker, SIGTERM);
        ts_wait(worker, WORK_WAIT_MS, &result);
        assert_int_equal(result.exit_code, 0);
        ts_result_release(&result);
    }
    fixture_close(&f);
}

/* A server that takes connections and never answers. Returns its socket; *dsn is a connection
 * string for it.
 */
static int
open_silent_server(char **dsn)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    TS_TRUE(fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0 && listen(fd, 8) == 0 &&
            getsockname(fd, (struct sockaddr *)&address, &size) == 0);
    *dsn = ts_format("PGQRS_DSN=host=127.0.0.1 port=%d user=nobody dbname=nothing",
                     ntohs(address.sin_port));
    return fd;
}

/* Stops the process `pid_of` names as soon as it waits for the server. */
static void
stop_while_it_connects(const char *const *argv, int is_wrapped, int number)
{
    ts_process *worker;
    ts_result result;
    struct pollfd poll_fd;
    char *dsn;
    int server = open_silent_server(&dsn);
    pid_t pid;

    worker = ts_spawn(&(ts_invocation){ .argv = argv, .env = (const char *const[]){ dsn, NULL } });
    poll_fd = (struct pollfd){ .fd = server, .events = POLLIN };
    assert_int_equal(poll(&poll_fd, 1, WORK_WAIT_MS), 1);
    pid = ts_process_pid(worker);
    if (is_wrapped)
        assert_int_equal(children_of(pid, &pid, 1), 1);
    kill(pid, number);
    ts_wait(worker, WORK_WAIT_MS, &result);
    if (result.exit_code != 0 || strstr(result.err, "nothing was claimed") == NULL)
        ts_fail("it ended with %d (signal %d): %s", result.exit_code, result.signal, result.err);
    ts_result_release(&result);
    close(server);
    free(dsn);
}

TEST(it_can_be_stopped_while_it_connects)
{
    const char *const argv[] = { ts_command(), "work", "jobs", "--", "cat", NULL };

    (void)state;
    stop_while_it_connects(argv, 0, SIGTERM);
    stop_while_it_connects(argv, 0, SIGINT);
    stop_while_it_connects(argv, 0, SIGHUP);
}

TEST(the_first_process_of_a_container_can_be_stopped_at_once)
{
    const char *const argv[] = {
        AS_FIRST_PROCESS, ts_command(), "work", "jobs", "--", "cat", NULL
    };
    ts_result result;

    (void)state;
    ts_run_args(&result, NULL, AS_FIRST_PROCESS, "true", NULL);
    if (result.exit_code != 0) {
        print_message("skipped: no process namespace can be made here: %s\n", result.err);
        ts_result_release(&result);
        skip();
    }
    ts_result_release(&result);
    stop_while_it_connects(argv, 1, SIGTERM);
    stop_while_it_connects(argv, 1, SIGINT);
}

TEST_MAIN(NULL, NULL)
