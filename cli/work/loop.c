#include "work/loop.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "line/exit.h"
#include "work/queues.h"

/* What children and the server get after the second signal. */
#define SUDDEN_MS 1000

#define PROGRESS_MS 500

/* A message whose program is gone is due again after this, for a worker that has it. */
#define GIVE_BACK_MS 1000

/* How often a failure that may end the work is looked into. */
#define DOUBT_PAUSE_MS 1000

/* A queue that was deleted may be made again: the work ends if it is not by then. */
#define GONE_PATIENCE_MS 5000

/* Looking whether the queue is empty reads all of it: at most this part of the time, nor all the
 * time. */
#define COUNT_SHARE 10
#define COUNT_PAUSE_MS 250

/* The worker, signals, children. */
#define FDS_BEFORE_CHILDREN 2

static int64_t
earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static size_t
count_children(const struct work_loop *loop)
{
    size_t count = 0;

    for (size_t i = 0; i < loop->slot_count; i++)
        count += slot_has_child(&loop->slots[i]) ? 1U : 0U;
    return count;
}

static size_t
count_busy(const struct work_loop *loop)
{
    size_t count = 0;

    for (size_t i = 0; i < loop->slot_count; i++)
        count += loop->slots[i].state != SLOT_FREE ? 1U : 0U;
    return count;
}

/* The only place where the phase changes; it only ever goes forward. */
static void
enter(struct work_loop *loop, enum work_phase phase)
{
    int64_t now = slot_clock_ms();

    if (phase <= loop->phase)
        return;
    loop->phase = phase;
    loop->work.is_stopping = 1;
    pgqrs_worker_stop(loop->worker);
    if (phase == WORK_ENDING)
        loop->phase_end_ms = now + loop->options->grace_ms;
    else
        loop->phase_end_ms = now + (phase == WORK_SUDDEN ? SUDDEN_MS : WORK_STOPPING_MS);
    for (size_t i = 0; i < loop->slot_count && phase >= WORK_STOPPING; i++)
        slot_stop(&loop->slots[i], now, phase == WORK_SUDDEN ? 0 : SLOT_TERM_MS);
}

static void
give_up(struct work_loop *loop, pgqrs_status status, const char *why)
{
    if (loop->fatal != PGQRS_OK)
        return;
    loop->fatal = status;
    loop->exit_code = cli_exit_of(status);
    work_report_failure(loop->work.report, "%s", why);
    enter(loop, WORK_STOPPING);
}

/* Whether a failure cannot pass without anybody doing something about this process or its queue.
 * All others can: a password that is being changed (EAUTH), a server that is being replaced, a
 * message that the server refuses (EINVAL and the like). A missing privilege shows before anything
 * is claimed; later on a single message can be refused for that reason, by row security. */
static int
may_end_work(const struct work_loop *loop, pgqrs_status status)
{
    switch (status) {
    case PGQRS_ENOQUEUE:
    case PGQRS_ENOTINSTALLED:
    case PGQRS_ENOSCHEMA:
    case PGQRS_EOLDSCHEMA:
    case PGQRS_ENEWSCHEMA:
    case PGQRS_ECONFIG:
        return 1;
    case PGQRS_EDENIED:
        return !loop->has_begun;
    default:
        return 0;
    }
}

pgqrs_job_outcome
work_loop_take(pgqrs_job *job, void *arg)
{
    struct work_loop *loop = arg;
    long long id = (long long)pgqrs_job_message(job)->id;
    size_t free_slot = 0;
    int exec_failed = 0, problem;

    while (loop->slots[free_slot].state != SLOT_FREE)
        free_slot++; /* there is one: the worker runs no more jobs at once than there are slots */
    loop->unsettled++;
    loop->has_begun = 1;
    problem = slot_start(&loop->slots[free_slot], &loop->work, job, &exec_failed);
    if (exec_failed) {
        if (loop->phase == WORK_WORKING)
            work_report_failure(
                loop->work.report,
                "could not execute \"%s\" for message %lld, which is given back: %s",
                loop->options->command[0], id, strerror(problem));
        loop->exit_code = CLI_EXIT_UNAVAILABLE;
        enter(loop, WORK_ENDING);
        pgqrs_job_set_delay(job, GIVE_BACK_MS, NULL);
        return PGQRS_JOB_SNOOZED;
    }
    if (problem != 0)
        work_report_line(loop->work.report, CLI_LOG_WARN,
                         "could not start the program for message %lld, which is given back: %s",
                         id, strerror(problem));
    return PGQRS_JOB_PENDING;
}

/* The lease is good for the margin beyond the moment when the worker noticed, which is no earlier
 * than this turn was due: a process that slept meanwhile kills at once. */
static int64_t
term_ms(const struct work_loop *loop, int64_t now_ms)
{
    int64_t margin_ms = earlier(SLOT_TERM_MS, loop->options->lease_ms / 4);
    int64_t left_ms = loop->due_ms + margin_ms - now_ms;

    return left_ms < 0 ? 0 : earlier(left_ms, margin_ms);
}

static void
cancel(struct work_loop *loop, pgqrs_job *job)
{
    pgqrs_job_cancellation why = pgqrs_job_cancelled(job);
    struct slot *slot = pgqrs_job_data(job);
    int64_t now_ms = slot_clock_ms();

    if (slot == NULL || slot->job != job || why == PGQRS_JOB_STOPPING)
        return;
    work_report_cancellation(loop->work.report, (long long)pgqrs_job_message(job)->id, why);
    slot_stop(slot, now_ms, why == PGQRS_JOB_LEASE_LOST ? term_ms(loop, now_ms) : SLOT_TERM_MS);
}

/* Whether the server knows what became of a job that a child was started for. */
static int
is_settled(const pgqrs_event *event)
{
    if (event->job == NULL || pgqrs_job_data(event->job) == NULL)
        return 0;
    switch (event->kind) {
    case PGQRS_EVENT_DONE:
    case PGQRS_EVENT_FAILED:
    case PGQRS_EVENT_DEAD:
    case PGQRS_EVENT_SNOOZED:
    case PGQRS_EVENT_RELEASED:
    case PGQRS_EVENT_LOST:
        return 1;
    case PGQRS_EVENT_CANCELLED:
        return pgqrs_job_cancelled(event->job) == PGQRS_JOB_CANCELLED;
    default:
        return 0;
    }
}

/* A trigger of the archive can fail for one message as if there were no table, so the queue itself
 * is asked (look_into_doubt). A privilege is not: looking at the queue needs others. */
static void
doubt(struct work_loop *loop, const pgqrs_event *event)
{
    if (event->status == PGQRS_EDENIED) {
        give_up(loop, event->status, event->message);
        return;
    }
    loop->doubt = event->status;
    if (loop->fatal == PGQRS_OK)
        work_report_event(loop->work.report, event, slot_clock_ms());
}

static void
look_into_doubt(struct work_loop *loop, int64_t now_ms)
{
    pgqrs_status status;

    if (loop->doubt == PGQRS_OK || now_ms < loop->doubt_ms)
        return;
    status = work_queues_look(loop->client, loop->options, &loop->misses_queue, loop->work.err);
    loop->doubt_ms = slot_clock_ms() + DOUBT_PAUSE_MS;
    if (status == PGQRS_ENOQUEUE && loop->gone_ms == 0)
        loop->gone_ms = now_ms + GONE_PATIENCE_MS;
    if (status == PGQRS_ENOQUEUE && now_ms < loop->gone_ms && !loop->options->until_empty)
        return; /* it may be made again just now: the worker takes it up then */
    loop->gone_ms = 0;
    loop->doubt = PGQRS_OK;
    if (may_end_work(loop, status))
        give_up(loop, status, pgqrs_error_message(loop->work.err));
}

void
work_loop_note(const pgqrs_event *event, void *arg)
{
    struct work_loop *loop = arg;

    loop->unsettled -= is_settled(event);
    if (event->kind == PGQRS_EVENT_CANCELLED)
        cancel(loop, event->job);
    else if ((event->kind == PGQRS_EVENT_DISCONNECTED || event->kind == PGQRS_EVENT_TROUBLE) &&
             may_end_work(loop, event->status))
        doubt(loop, event);
    else if (loop->fatal == PGQRS_OK)
        work_report_event(loop->work.report, event, slot_clock_ms());
}

/* Whether this worker finds nothing in its queues. It goes on looking for one that is gone. */
static int
finds_nothing(const struct work_loop *loop)
{
    if (loop->misses_queue)
        return count_busy(loop) == 0;
    return pgqrs_worker_is_idle(loop->worker);
}

/* The queues are looked at only while this worker finds nothing in them. */
static void
look_whether_empty(struct work_loop *loop)
{
    int64_t messages, before = slot_clock_ms(), after;
    pgqrs_status status;

    if (loop->phase != WORK_WORKING || before < loop->count_ms || !finds_nothing(loop))
        return;
    status = work_queues_count(loop->client, loop->options, &messages, loop->work.err);
    after = slot_clock_ms();
    loop->count_ms = after + COUNT_PAUSE_MS + (after - before) * (COUNT_SHARE - 1);
    if (may_end_work(loop, status))
        give_up(loop, status, pgqrs_error_message(loop->work.err));
    else if (status == PGQRS_OK && messages == 0)
        enter(loop, WORK_ENDING);
}

static void
advance(struct work_loop *loop)
{
    int64_t now = slot_clock_ms();

    for (size_t i = 0; i < loop->slot_count; i++)
        slot_tick(&loop->slots[i], &loop->work, now);
    if (loop->options->until_empty)
        look_whether_empty(loop);
    look_into_doubt(loop, now);
    work_report_reminder(loop->work.report, now);
    if (loop->phase == WORK_ENDING && now >= loop->phase_end_ms) {
        work_report_line(loop->work.report, CLI_LOG_WARN,
                         "stopped %zu program%s that had not ended in time", count_children(loop),
                         count_children(loop) == 1 ? "" : "s");
        enter(loop, WORK_STOPPING);
    }
}

static int
is_finished(const struct work_loop *loop)
{
    return loop->is_over || (loop->fatal != PGQRS_OK && count_busy(loop) == 0) ||
           (loop->phase >= WORK_STOPPING && slot_clock_ms() >= loop->phase_end_ms);
}

/* How long nothing is to be done, if nothing happens. */
static int
sleep_ms(struct work_loop *loop)
{
    int64_t now = slot_clock_ms();
    int64_t due = now + earlier(pgqrs_worker_timeout_ms(loop->worker), INT_MAX);

    due = earlier(due, loop->phase_end_ms);
    if (loop->doubt != PGQRS_OK)
        due = earlier(due, loop->doubt_ms);
    for (size_t i = 0; i < loop->slot_count; i++)
        due = earlier(due, loop->slots[i].wake_ms);
    if (loop->options->until_empty && loop->phase == WORK_WORKING && finds_nothing(loop))
        due = earlier(due, loop->count_ms);
    if (loop->work.report->progress != NULL)
        due = earlier(due, now + PROGRESS_MS);
    loop->due_ms = due > now ? due : now;
    return (int)(loop->due_ms - now);
}

void
work_loop_guard(struct work_loop *loop)
{
    int problem;

    work_guard_stop(&loop->guard);
    problem = work_guard_start(&loop->guard);
    loop->work.program.guard_fd = loop->guard.fd;
    if (problem != 0)
        work_report_line(
            loop->work.report, CLI_LOG_WARN,
            "could not start the process that ends programs after a crash of this one: %s",
            strerror(problem));
    for (size_t i = 0; i < loop->slot_count; i++)
        if (slot_has_child(&loop->slots[i]))
            work_guard_tell(loop->guard.fd, loop->slots[i].child.pid);
}

static int
reap_slot(struct work_loop *loop, pid_t pid)
{
    for (size_t i = 0; i < loop->slot_count; i++)
        if (slot_has_child(&loop->slots[i]) && loop->slots[i].child.pid == pid) {
            slot_reap(&loop->slots[i], &loop->work, slot_clock_ms());
            return 1;
        }
    return 0;
}

/* Not only programs: the first process of a container is given all orphans, which stay zombies
 * until it waits for them. Each child is looked at before it is waited for, so that none is taken
 * from its slot. */
static void
reap(struct work_loop *loop)
{
    siginfo_t info;

    for (;;) {
        memset(&info, 0, sizeof(info));
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0)
            return;
        if (reap_slot(loop, info.si_pid))
            continue;
        waitpid(info.si_pid, NULL, 0);
        if (info.si_pid == loop->guard.pid)
            work_loop_guard(loop);
    }
}

static void
take_signals(struct work_loop *loop)
{
    struct signalfd_siginfo info;

    while (read(loop->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGCHLD) {
            reap(loop);
            continue;
        }
        if (loop->phase == WORK_WORKING || loop->last_signal != 0)
            work_report_signal(loop->work.report, (int)info.ssi_signo, loop->last_signal != 0,
                               count_children(loop));
        enter(loop, loop->last_signal != 0 ? WORK_SUDDEN : WORK_ENDING);
        loop->last_signal = (int)info.ssi_signo;
    }
}

/* Sleeps until there is something to do or something happens, and handles what does not need the
 * server. */
static void
wait_for_events(struct work_loop *loop)
{
    struct pollfd fds[FDS_BEFORE_CHILDREN + CHILD_FDS * WORK_CONCURRENCY_MAX];

    fds[0] = (struct pollfd){ .fd = pgqrs_worker_fd(loop->worker), .events = POLLIN };
    fds[1] = (struct pollfd){ .fd = loop->signal_fd, .events = POLLIN };
    for (size_t i = 0; i < loop->slot_count; i++)
        child_poll(&loop->slots[i].child, &fds[FDS_BEFORE_CHILDREN + CHILD_FDS * i]);
    if (poll(fds, FDS_BEFORE_CHILDREN + CHILD_FDS * loop->slot_count, sleep_ms(loop)) <= 0)
        return;
    for (size_t i = 0; i < loop->slot_count; i++)
        slot_handle(&loop->slots[i], &loop->work, &fds[FDS_BEFORE_CHILDREN + CHILD_FDS * i]);
    take_signals(loop);
}

int
work_loop_init(struct work_loop *loop)
{
    loop->phase_end_ms = WORK_NEVER;
    loop->slots = calloc((size_t)loop->options->concurrency, sizeof(*loop->slots));
    if (loop->slots == NULL)
        return ENOMEM;
    loop->slot_count = (size_t)loop->options->concurrency;
    for (size_t i = 0; i < loop->slot_count; i++)
        slot_init(&loop->slots[i]);
    return 0;
}

/* The exit code of a worker that has reported everything. A script that waits for the queue to be
 * empty wants to know whether what was in it is done. */
static int
judge(struct work_loop *loop)
{
    pgqrs_slice queue = pgqrs_slice_of("QUEUE");
    pgqrs_worker_counts counts = PGQRS_WORKER_COUNTS_INIT;

    pgqrs_worker_count(loop->worker, &counts);
    if (loop->exit_code != CLI_EXIT_OK || !loop->options->until_empty || counts.dead == 0)
        return loop->exit_code;
    if (loop->options->queue_count == 1)
        queue = loop->options->queues[0];
    work_report_failure(
        loop->work.report,
        "%lld message%s failed for good: see pgqrs archive list %.*s --outcome dead",
        (long long)counts.dead, counts.dead == 1 ? "" : "s", (int)queue.size, queue.data);
    return CLI_EXIT_FAILED;
}

int
work_loop_run(struct work_loop *loop)
{
    reap(loop); /* orphans from before SIGCHLD was waited for */
    for (;;) {
        pgqrs_status status = pgqrs_worker_process(loop->worker, &loop->is_over, loop->work.err);

        if (status != PGQRS_OK)
            give_up(loop, status, pgqrs_error_message(loop->work.err));
        advance(loop);
        work_report_progress(loop->work.report, loop->worker, (int)count_children(loop));
        if (is_finished(loop))
            break;
        wait_for_events(loop);
    }
    if (loop->phase == WORK_SUDDEN)
        return 128 + loop->last_signal;
    if (loop->unsettled == 0 || loop->fatal != PGQRS_OK)
        return judge(loop);
    work_report_line(
        loop->work.report, CLI_LOG_WARN,
        "left %lld messages as they are: what became of them could not be reported; they are due "
        "again when their leases have run out",
        (long long)loop->unsettled);
    return CLI_EXIT_TEMPFAIL;
}

void
work_loop_release(struct work_loop *loop)
{
    for (size_t i = 0; i < loop->slot_count; i++)
        slot_abandon(&loop->slots[i]);
    free(loop->slots);
    loop->slots = NULL;
    loop->slot_count = 0;
}
