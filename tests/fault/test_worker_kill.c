/*
 * Worker processes die by SIGKILL at random moments: nothing is lost, nothing is archived twice,
 * and what a dead one held is at work again within a second and a half of the end of its lease.
 *
 * 40 kills; PGQRS_TEST_SCALE=5 makes it 200. PGQRS_TEST_SEED repeats the choices of a run.
 */
#include "../concurrency/crowd.h"
#include "running.h"

#include "worker_program.h"

#define WORKERS 4
#define KILLS 40
#define LEASE_MS 1000
#define RECOVERY_MS 1500

/* Leases as they are just after a kill: those of the dead end at that time. */
#define SNAPSHOT                                                                                   \
    "INSERT INTO snapshots SELECT id, lease_token, vt, clock_timestamp() FROM pgqrs_messages "     \
    "WHERE lease_token IS NOT NULL"

/* For each lease under which the message was not finished: from its last end that was seen to the
 * next time that the message was begun under another one. Negative where it was given back
 * earlier. */
#define WORST_RECOVERY                                                                             \
    "SELECT coalesce(max(extract(epoch FROM began - ends) * 1000)::bigint, 0) FROM ("              \
    "SELECT s.ends, (SELECT min(l.at) FROM ledger AS l WHERE l.id = s.id AND l.token <> s.token "  \
    "AND "                                                                                         \
    "l.what = 'began' AND l.at > s.seen) AS began FROM (SELECT id, token, max(ends) AS ends, "     \
    "min(at) AS "                                                                                  \
    "seen FROM snapshots GROUP BY id, token) AS s WHERE NOT EXISTS (SELECT FROM pgqrs_archive AS " \
    "a WHERE "                                                                                     \
    "a.id = s.id AND a.lease_token = s.token)) AS r"

static int
open_for_kills(void **state)
{
    pgqrs_queue_options options = PGQRS_QUEUE_OPTIONS_INIT;
    int result;
    struct story *s;

    options.max_crashes = 1000;
    result = story_open_with(state, &options);
    s = *state;
    ts_sql(s->sql,
           "DROP TABLE IF EXISTS ledger, snapshots; "
           "CREATE TABLE snapshots (id bigint, token bigint, ends timestamptz, at timestamptz)");
    ts_ledger_create(s->sql);
    return result;
}

#define KILL_TEST(name) TEST_WITH(name, open_for_kills, running_close)

static ts_process *
spawn(const struct story *s)
{
    return ts_worker_spawn(&(ts_worker_setup){ .dsn = s->dsn, .lease_ms = LEASE_MS });
}

/* Work for about a third of the threads, until the time is over. Returns how many messages were
 * sent. */
static int
feed(struct story *s, int64_t ms, uint64_t *random)
{
    int64_t until = story_now_ms() + ms;
    int sent = 0;

    do {
        char payload[12];

        snprintf(payload, sizeof(payload), "%d", crowd_random(random, 10, 120));
        story_send(s, payload);
        sent++;
        usleep(10000);
    } while (story_now_ms() < until);
    return sent;
}

static void
kill_and_replace(struct story *s, ts_process **victim)
{
    ts_result result;

    ts_kill(*victim, SIGKILL);
    ts_wait(*victim, RUNNING_WAIT_MS, &result);
    if (result.signal != SIGKILL)
        ts_fail("a worker had ended with %d before it was killed:\n%s\n%s", result.exit_code,
                result.out, result.err);
    ts_result_release(&result);
    ts_sql(s->sql, SNAPSHOT);
    *victim = spawn(s);
}

/* Returns the longest time in milliseconds from the end of a dead worker's lease to the next
 * attempt. */
static long long
kill_again_and_again(struct story *s)
{
    const int kills = crowd_scale(KILLS);
    uint64_t random = crowd_state(crowd_seed(), 1);
    ts_process *workers[WORKERS];
    long long worst;
    int sent = 0;

    /* Given workers at work, when they are killed again and again, */
    for (int i = 0; i < WORKERS; i++)
        workers[i] = spawn(s);
    for (int i = 0; i < WORKERS; i++)
        ts_wait_output(workers[i], "ready", RUNNING_WAIT_MS);
    for (int i = 0; i < kills; i++) {
        sent += feed(s, crowd_random(&random, 0, 200), &random);
        kill_and_replace(s, &workers[crowd_random(&random, 0, WORKERS - 1)]);
    }
    /* then all is done in the end, each once. */
    ts_wait_until(s->sql, 60000, "SELECT count(*) = 0 FROM pgqrs_messages");
    for (int i = 0; i < WORKERS; i++) {
        ts_result result;

        ts_kill(workers[i], SIGTERM);
        ts_wait(workers[i], RUNNING_WAIT_MS, &result);
        assert_int_equal(result.exit_code, 0);
        ts_result_release(&result);
    }
    crowd_check_archive(s->sql, sent);
    assert_int_equal(ts_int(s->sql, "SELECT count(DISTINCT id) FROM ledger"), sent);
    worst = ts_int(s->sql, WORST_RECOVERY);
    print_message("%d kills, %d messages, %lld begun more than once, crashes counted %lld, worst "
                  "recovery %lld ms after the lease\n",
                  kills, sent,
                  ts_int(s->sql, "SELECT count(*) FROM (SELECT FROM ledger WHERE what = 'began' "
                                 "GROUP BY id HAVING count(*) > 1) AS repeated"),
                  ts_int(s->sql, "SELECT sum(crash_ct) FROM pgqrs_archive"), worst);
    assert_true(ts_int(s->sql, "SELECT sum(crash_ct) FROM pgqrs_archive") > 0);
    return worst;
}

KILL_TEST(what_a_killed_worker_held_is_soon_at_work_again)
{
    struct story *s = *state;
    long long worst = kill_again_and_again(s);

    /* A busy machine may miss the bound once. */
    if (worst > RECOVERY_MS) {
        ts_sql(s->sql, "TRUNCATE ledger, snapshots, pgqrs_archive");
        worst = kill_again_and_again(s);
    }
    assert_true(worst <= RECOVERY_MS);
}

int
main(int argc, char **argv)
{
    ts_worker_program(argc, argv);
    return found_run(argc, argv, NULL, NULL);
}
