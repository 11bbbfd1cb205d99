/*
 * The archive lies in a tablespace whose disk is full: finished jobs are neither run again nor
 * charged a crash, their reports go through when there is room again, and other queues go on
 * meanwhile. The disk is a small one in memory, which only this executable and its server see;
 * without the right to mount one, the tests are skipped.
 */
#include "outage.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "outcome.h"
#include "tally.h"

#define LEASE_MS 1000
#define JOBS 5
#define NO_SPACE "No space left on device"

/* Long enough for every lease to expire twice. */
#define FULL_SECONDS 3

static char *disk;         /* where it is mounted */
static const char *denied; /* what could not be done to mount it; NULL: it is there */

static void
unmount_disk(void)
{
    umount2(disk, MNT_DETACH);
}

/* The server runs under its own account, and has to come to where our temporary folders are. */
static int
let_others_pass(const char *folder)
{
    char *parent = ts_format("%.*s", (int)(strrchr(folder, '/') - folder), folder);
    int failed = chmod(parent, 0711);

    free(parent);
    return failed;
}

/* Everything in a name space of our own, which goes away with us. */
static const char *
mount_disk(void)
{
    const struct passwd *account = getpwnam("postgres");
    char *space;

    if (geteuid() != 0 || account == NULL)
        return "need root, and the account postgres";
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return "no mount name space";
    disk = ts_tmpdir();
    if (mount("pgqrs_test", disk, "tmpfs", 0, "size=4m,mode=0755") != 0)
        return "no tmpfs";
    atexit(unmount_disk); /* before the folder is removed */
    space = ts_format("%s/space", disk);
    TS_TRUE(let_others_pass(disk) == 0 && mkdir(space, 0700) == 0 &&
            chown(space, account->pw_uid, account->pw_gid) == 0);
    free(space);
    return NULL;
}

static void
fill_disk(void)
{
    char *path = ts_format("%s/filler", disk), zeros[4096] = { 0 };
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ssize_t written;

    TS_TRUE(fd >= 0);
    do
        written = write(fd, zeros, sizeof(zeros));
    while (written > 0);
    TS_TRUE(written < 0 && errno == ENOSPC);
    close(fd);
    free(path);
}

static void
clear_disk(void)
{
    char *path = ts_format("%s/filler", disk);

    TS_TRUE(unlink(path) == 0);
    free(path);
}

/* Every partition of the archive of "jobs", while it is empty: the first row needs a page. */
static void
move_archive(struct story *s)
{
    if (ts_int(s->sql, "SELECT count(*) FROM pg_tablespace WHERE spcname = 'small'") == 0)
        ts_sql(s->sql, "CREATE TABLESPACE small LOCATION '%s/space'", disk);
    ts_sql(
        s->sql,
        "DO $$ DECLARE leaf regclass; BEGIN FOR leaf IN SELECT t.relid FROM pgqrs_queues AS q, "
        "pg_partition_tree('pgqrs_archive_' || q.id) AS t WHERE q.queue_name = 'jobs' AND t.isleaf "
        "LOOP EXECUTE format('ALTER TABLE %%s SET TABLESPACE small', leaf); END LOOP; END $$");
}

struct full {
    ts_tally *tally;
    ts_journal *words;
};

static void
note_event(const pgqrs_event *event, void *arg)
{
    const struct full *full = arg;

    ts_tally_event(event, full->tally);
    if (event->message != NULL && strstr(event->message, NO_SPACE) != NULL)
        ts_journal_add(full->words, "%s for want of space", ts_event_name(event->kind));
}

/* A worker of "jobs" and of "other". Each test has notes of its own: the worker that a failed test
 * leaves behind goes on writing. */
static struct full *
start(struct outage *outage, int64_t *other_id, pgqrs_producer **other)
{
    struct story *s = &outage->story;
    static struct full notes[2];
    static size_t used;
    struct full *full = &notes[used++];
    pgqrs_worker_queue_options queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;
    pgqrs_worker *worker;

    TS_TRUE(used <= sizeof(notes) / sizeof(notes[0]));
    *full = (struct full){ ts_tally_new(0), ts_journal_new() };
    outage->options.on_event = note_event;
    outage->options.event_arg = full;
    queue.lease_ms = LEASE_MS;
    TS_OK(pgqrs_queue_create(s->client, text("other"), NULL, other_id, s->err), s->err);
    TS_OK(pgqrs_producer_open(s->client, text("other"), NULL, other, s->err), s->err);
    worker = running_new(s, &outage->options);
    running_add(s, worker, "jobs", &queue, ts_tally_handler, full->tally);
    running_add(s, worker, "other", &queue, ts_tally_handler, full->tally);
    TS_OK(pgqrs_worker_start(worker, s->err), s->err);
    return full;
}

static void
expect_other_goes_on(struct story *s, pgqrs_producer *other, int64_t other_id)
{
    long long before =
        ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive_%lld", (long long)other_id);

    TS_OK(pgqrs_producer_enqueue(other, text("{}"), NULL, NULL, s->err), s->err);
    ts_wait_until(s->sql, TS_OUTCOME_WAIT_MS, "SELECT count(*) = %lld FROM pgqrs_archive_%lld",
                  before + 1, (long long)other_id);
}

static int
is_skipped(void)
{
    if (denied != NULL)
        print_message("skipped: %s\n", denied);
    return denied != NULL;
}

OUTAGE_TEST(what_is_finished_waits_for_room_and_others_go_on)
{
    struct outage *outage = *state;
    struct story *s = &outage->story;
    pgqrs_producer *other;
    struct full *full;
    int64_t other_id;

    if (is_skipped())
        skip();
    move_archive(s);
    fill_disk();
    full = start(outage, &other_id, &other);
    story_send_many(s, JOBS, NULL);
    ts_journal_await(full->words, "TROUBLE for want of space", 1);
    expect_other_goes_on(s, other, other_id);
    ts_sql(s->sql, "SELECT pg_sleep(%d)", FULL_SECONDS);
    expect_other_goes_on(s, other, other_id);
    ts_outcome_expect_no_crash(s->sql);
    clear_disk();
    ts_outcome_await(s->sql, JOBS + 2,
                     "outcome = 'done' AND read_ct = 1 AND failed_ct = 0 AND crash_ct = 0");
    ts_tally_expect_once(full->tally, JOBS + 2);
    pgqrs_producer_close(other);
}

/* A report may succeed later, so the worker takes a minute to give up. */
OUTAGE_TEST(what_finds_no_room_for_long_becomes_a_failure_that_says_why)
{
    struct outage *outage = *state;
    struct story *s = &outage->story;
    pgqrs_producer *other;
    struct full *full;
    int64_t other_id;

    if (is_skipped())
        skip();
    move_archive(s);
    fill_disk();
    full = start(outage, &other_id, &other);
    story_send(s, "{}");
    ts_journal_await(full->words, "TROUBLE for want of space", 1);
    expect_other_goes_on(s, other, other_id);
    ts_wait_until(s->sql, 4 * TS_OUTCOME_WAIT_MS,
                  "SELECT count(*) = 1 FROM " HELD " WHERE failed_ct >= 1");
    ts_journal_await(full->words, "FAILED for want of space", 1);
    ts_outcome_expect_no_crash(s->sql);
    expect_other_goes_on(s, other, other_id);
    clear_disk();
    ts_outcome_await(s->sql, 3, "outcome = 'done' AND crash_ct = 0");
    ts_outcome_expect(s->sql, 1, "failed_ct >= 1");
    assert_int_equal(ts_tally_events(full->tally, PGQRS_EVENT_LOST), 0);
    pgqrs_producer_close(other);
}

int
main(int argc, char **argv)
{
    denied = mount_disk();
    return found_run(argc, argv, NULL, NULL);
}
