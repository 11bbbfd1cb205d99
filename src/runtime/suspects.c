/*
 * Suspects: messages whose next crash would be their last.
 *
 * A process that dies loses the leases of all that it held, and each of those messages is charged one crash,
 * the one that killed it and those that just were there. So that these do not die with it, a message that has
 * one crash left is run while the process holds nothing else: what crashes then is the culprit.
 *
 *   claimed ---> ASIDE: nothing is claimed, what has not begun is given back, what runs is waited for --->
 * run alone
 *
 * Others of its kind in the same claim are given back, for later or for other workers. What runs is waited
 * for so long and no longer: then the suspect is run beside it.
 */
#include "runtime/runtime.h"

#include "base/random.h"

#define WAIT_FOR_OTHERS_MS 5000

/* Another suspect is due again after about this. */
#define AWAY_MS 300

int
pgqrsi_suspects_is_one(const pgqrs_job *job)
{
    return job->message->crash_ct > 0 &&
           job->message->crash_ct + 1 >= pgqrsi_consumer_max_crashes(job->queue->consumer);
}

static void
send_away(pgqrs_job *job, int64_t away_ms)
{
    job->is_over = 1;
    job->away_ms = away_ms;
    pgqrsi_reporting_add(job, PGQRSI_VERDICT_RETURNED);
}

void
pgqrsi_suspects_take(pgqrs_job *job)
{
    pgqrs_worker *worker = job->worker;

    if (worker->suspect != NULL) {
        job->place = PGQRSI_JOB_RETURNED;
        send_away(job, pgqrsi_random_jitter(AWAY_MS));
        return;
    }
    job->place = PGQRSI_JOB_ASIDE;
    job->return_ms = NEVER;
    worker->suspect = job;
    worker->is_suspect_aside = 1;
    worker->suspect_ms = pgqrsi_clock_boot_ms() + WAIT_FOR_OTHERS_MS;
}

/* What has not begun would be charged for nothing. */
static void
send_others_away(pgqrs_worker *worker)
{
    for (size_t i = 0; i < worker->queue_count; i++) {
        pgqrs_job *job;

        TAILQ_FOREACH(job, &worker->queues[i]->owned, owned)
        if (job != worker->suspect && job->state == PGQRSI_LEASE_HELD && pgqrsi_running_withdraw(job))
            send_away(job, 0);
    }
}

void
pgqrsi_suspects_turn(pgqrs_worker *worker, int64_t now_ms)
{
    pgqrs_job *suspect = worker->suspect;
    struct pgqrsi_job_list alone = TAILQ_HEAD_INITIALIZER(alone);

    if (suspect == NULL || !worker->is_suspect_aside || suspect->state != PGQRSI_LEASE_HELD)
        return;
    send_others_away(worker);
    if (worker->owned_count > 1 && now_ms < worker->suspect_ms)
        return;
    worker->is_suspect_aside = 0;
    suspect->place = PGQRSI_JOB_WAITING;
    TAILQ_INSERT_TAIL(&alone, suspect, entry);
    pgqrsi_running_add(worker, &alone, 1);
}

int64_t
pgqrsi_suspects_due_ms(const pgqrs_worker *worker)
{
    return worker->suspect != NULL && worker->is_suspect_aside ? worker->suspect_ms : NEVER;
}
