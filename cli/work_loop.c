#include "work_loop.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "exit.h"

/* Messages come with their payloads: so many at a time are in memory twice. */
#define CLAIM_MAX ((size_t)32)

#define CLAIM_PAUSE_FIRST_MS 50
#define CLAIM_PAUSE_MAX_MS 1000

/* After children could not be started for want of something. */
#define START_PAUSE_MS 1000

/* What children and the server get to end after the grace. */
#define STOPPING_MS 7000
#define SUDDEN_MS 1000

#define PROGRESS_MS 500

/* Looking whether the queue is empty reads all of it: at most this part of the time. */
#define COUNT_SHARE 10

static size_t
count_children(const struct work_loop *loop)
{
    size_t count = 0;

    for (size_t i = 0; i < loop->slot_count; i++)
        count += slot_has_child(&loop->slots[i]) ? 1U : 0U;
    return count;
}

static size_t
count_free(const struct work_loop *loop)
{
    size_t count = 0;

    for (size_t i = 0; i < loop->slot_count; i++)
        count += loop->slots[i].state == SLOT_FREE ? 1U : 0U;
    return count;
}

/* The only place where the phase changes; it only ever goes forward. */
static void
enter(struct work_loop *loop, enum work_phase phase, int64_t now_ms)
{
    if (phase <= loop->phase)
        return;
    loop->phase = phase;
    loop->phase_end_ms = WORK_NEVER;
    if (phase == WORK_ENDING) {
        loop->phase_end_ms = now_ms + (loop->options->grace_ms > 0 ? loop->options->grace_ms : WORK_GRACE_MS);
    } else if (phase == WORK_STOPPING) {
        loop->phase_end_ms = now_ms + STOPPING_MS;
        for (size_t i = 0; i < loop->slot_count; i++)
            slot_stop(&loop->slots[i], now_ms);
    }
}

static void
end_early(struct work_loop *loop, int64_t now_ms)
{
    size_t left = loop->slot_count - count_free(loop);

    loop->exit_code = CLI_EXIT_TEMPFAIL;
    work_report_line(loop->report, CLI_LOG_WARN,
                     "left %zu messages as they are: what became of them could not be reported; they are due "
                     "again when their leases have run out",
                     left);
    enter(loop, WORK_OVER, now_ms);
}

static void
advance(struct work_loop *loop, int64_t now_ms)
{
    if (loop->server->fatal != PGQRS_OK && loop->phase < WORK_STOPPING) {
        loop->exit_code = cli_exit_of(loop->server->fatal);
        enter(loop, WORK_STOPPING, now_ms);
    }
    if (loop->phase == WORK_ENDING && now_ms >= loop->phase_end_ms) {
        work_report_line(loop->report, CLI_LOG_WARN, "stopped %zu children that had not ended in time",
                         count_children(loop));
        enter(loop, WORK_STOPPING, now_ms);
    }
    if (loop->phase >= WORK_ENDING && count_free(loop) == loop->slot_count)
        enter(loop, WORK_OVER, now_ms);
    else if (loop->phase == WORK_STOPPING && loop->server->fatal != PGQRS_OK && count_children(loop) == 0)
        enter(loop, WORK_OVER, now_ms);
    else if (loop->phase == WORK_STOPPING && now_ms >= loop->phase_end_ms)
        end_early(loop, now_ms);
}

/* Between half and all of it more or less, so that workers which were started together do not ask together.
 */
static int64_t
jitter(int64_t pause_ms)
{
    return pause_ms * 3 / 4 + work_server_random(pause_ms / 2);
}

static void
plan_claim(struct work_loop *loop, size_t asked, size_t got, int64_t now_ms)
{
    if (got == asked) {
        loop->claim_pause_ms = 0;
        loop->claim_ms = now_ms;
        return;
    }
    if (got > 0 || loop->claim_pause_ms == 0)
        loop->claim_pause_ms = CLAIM_PAUSE_FIRST_MS;
    else if (loop->claim_pause_ms < CLAIM_PAUSE_MAX_MS / 2)
        loop->claim_pause_ms *= 2;
    else
        loop->claim_pause_ms = CLAIM_PAUSE_MAX_MS;
    loop->claim_ms = now_ms + jitter(loop->claim_pause_ms);
}

/* Starts one child for each message, in the slots that are free. */
static void
start_children(struct work_loop *loop, const pgqrs_message_list *list, int64_t sure_until_ms)
{
    size_t count = pgqrs_message_list_count(list);
    size_t next = 0;

    for (size_t i = 0; i < loop->slot_count && next < count; i++) {
        const pgqrs_message *message;
        int exec_failed = 0;
        int problem;

        if (loop->slots[i].state != SLOT_FREE)
            continue;
        message = pgqrs_message_list_at(list, next++);
        problem = slot_start(&loop->slots[i], &loop->work, message, sure_until_ms, &exec_failed);
        if (problem == 0)
            continue;
        loop->claim_ms = slot_clock_ms() + START_PAUSE_MS;
        if (exec_failed && loop->phase == WORK_WORKING) {
            work_report_failure(loop->report,
                                "could not execute \"%s\" for message %lld, which is given back: %s",
                                loop->options->command[0], (long long)message->id, strerror(problem));
            loop->exit_code = CLI_EXIT_UNAVAILABLE;
            enter(loop, WORK_ENDING, slot_clock_ms());
        } else if (!exec_failed) {
            work_report_line(loop->report, CLI_LOG_WARN,
                             "could not start a child for message %lld, which is given back: %s",
                             (long long)message->id, strerror(problem));
        }
    }
}

static void
look_whether_empty(struct work_loop *loop)
{
    int64_t before = slot_clock_ms(), after;
    int is_empty;

    if (before < loop->count_ms)
        return;
    is_empty = work_server_is_empty(loop->server);
    after = slot_clock_ms();
    loop->count_ms = after + (after - before) * (COUNT_SHARE - 1);
    if (is_empty == 1)
        enter(loop, WORK_OVER, after);
}

static void
claim(struct work_loop *loop)
{
    size_t asked = count_free(loop);
    pgqrs_message_list *list = NULL;
    int64_t sure_until;
    size_t got;

    if (asked == 0 || slot_clock_ms() < loop->claim_ms)
        return;
    asked = asked < CLAIM_MAX ? asked : CLAIM_MAX;
    if (work_server_claim(loop->server, asked, &list, &sure_until) != 0)
        return;
    got = pgqrs_message_list_count(list);
    plan_claim(loop, asked, got, slot_clock_ms());
    start_children(loop, list, sure_until);
    pgqrs_message_list_free(list);
    if (got == 0 && loop->options->until_empty && count_free(loop) == loop->slot_count)
        look_whether_empty(loop);
}

static void
tick_slots(struct work_loop *loop, int64_t now_ms)
{
    for (size_t i = 0; i < loop->slot_count; i++) {
        if (!slot_tick(&loop->slots[i], &loop->work, now_ms))
            continue;
        loop->report->counts.lost++;
        work_report_line(loop->report, CLI_LOG_WARN,
                         "stopped the child of message %lld: its lease could not be extended in time",
                         (long long)loop->slots[i].lease.id);
    }
}

/* One turn. What may take long, the server, is asked in the order of urgency; the fence comes behind the
 * extension, so that a process that has slept past its leases first asks whether they still hold. */
static void
turn(struct work_loop *loop)
{
    struct work_server *server = loop->server;
    int64_t now = slot_clock_ms();

    if (now >= loop->extend_ms && work_server_is_ready(server, now)) {
        work_server_extend(server, loop->slots, loop->slot_count);
        if (work_server_is_ready(server, slot_clock_ms()))
            loop->extend_ms = slot_clock_ms() + loop->work.lease_ms / 3;
    }
    tick_slots(loop, slot_clock_ms());
    if (work_server_is_ready(server, slot_clock_ms()))
        work_server_settle(server, loop->slots, loop->slot_count);
    if (work_server_is_ready(server, slot_clock_ms()))
        work_server_touch(server, slot_clock_ms());
    if (loop->phase == WORK_WORKING && work_server_is_ready(server, slot_clock_ms()))
        claim(loop);
    tick_slots(loop, slot_clock_ms()); /* for the fence, before a child that it has ended is reaped */
    advance(loop, slot_clock_ms());
    work_report_progress(loop->report, (int)count_children(loop));
}

static int64_t
earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* When the next turn has something to do, if nothing happens before. */
static int64_t
next_turn_ms(const struct work_loop *loop, int64_t now_ms)
{
    int64_t server_due = loop->server->touch_ms;
    int64_t due = loop->phase_end_ms;

    for (size_t i = 0; i < loop->slot_count; i++) {
        const struct slot *slot = &loop->slots[i];

        due = earlier(due, slot_due_ms(slot, &loop->work));
        if (slot_wants_lease(slot))
            server_due = earlier(server_due, loop->extend_ms);
        if (slot->state == SLOT_FINISHED || slot->state == SLOT_RELEASING)
            server_due = 0;
    }
    if (loop->phase == WORK_WORKING && count_free(loop) > 0)
        server_due = earlier(server_due, loop->claim_ms);
    if (server_due < loop->server->retry_ms)
        server_due = loop->server->retry_ms;
    if (loop->server->fatal == PGQRS_OK)
        due = earlier(due, server_due);
    if (loop->report->progress != NULL)
        due = earlier(due, now_ms + PROGRESS_MS);
    return due;
}

static void
take_signals(struct work_loop *loop)
{
    struct signalfd_siginfo info;

    while (read(loop->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        int64_t now = slot_clock_ms();

        if (info.ssi_signo == SIGCHLD) {
            for (size_t i = 0; i < loop->slot_count; i++)
                slot_reap(&loop->slots[i], now);
            continue;
        }
        loop->is_sudden = loop->last_signal != 0;
        loop->last_signal = (int)info.ssi_signo;
        if (loop->phase == WORK_WORKING)
            work_report_line(
                loop->report, CLI_LOG_INFO,
                "claiming no more after SIG%s: waiting for %zu children; a second signal stops them",
                sigabbrev_np((int)info.ssi_signo), count_children(loop));
        enter(loop, WORK_ENDING, now);
    }
}

/* Sleeps until `until_ms` or until something happens, and handles that. */
static void
wait_for_events(struct work_loop *loop, int64_t until_ms)
{
    struct pollfd fds[1 + CHILD_FDS * WORK_CONCURRENCY_MAX];
    int64_t left = until_ms - slot_clock_ms();
    int timeout = left <= 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;

    fds[0].fd = loop->signal_fd;
    fds[0].events = POLLIN;
    for (size_t i = 0; i < loop->slot_count; i++)
        child_poll(&loop->slots[i].child, &fds[1 + CHILD_FDS * i]);
    if (poll(fds, 1 + CHILD_FDS * loop->slot_count, timeout) <= 0)
        return;
    for (size_t i = 0; i < loop->slot_count; i++)
        slot_handle(&loop->slots[i], &fds[1 + CHILD_FDS * i]);
    take_signals(loop);
}

/* The second signal: nothing is waited for but the end of what was killed. */
static void
end_suddenly(struct work_loop *loop)
{
    int64_t deadline = slot_clock_ms() + SUDDEN_MS;

    for (size_t i = 0; i < loop->slot_count; i++)
        slot_kill(&loop->slots[i], slot_clock_ms());
    while (count_children(loop) > 0 && slot_clock_ms() < deadline)
        wait_for_events(loop, deadline);
    if (work_server_is_ready(loop->server, slot_clock_ms()))
        work_server_settle(loop->server, loop->slots, loop->slot_count);
    loop->exit_code = 128 + loop->last_signal;
}

static void
run(struct work_loop *loop)
{
    loop->phase_end_ms = WORK_NEVER;
    loop->extend_ms = slot_clock_ms() + loop->work.lease_ms / 3;
    while (!loop->is_sudden) {
        turn(loop);
        if (loop->phase == WORK_OVER)
            return;
        wait_for_events(loop, next_turn_ms(loop, slot_clock_ms()));
    }
    end_suddenly(loop);
}

int
work_loop_run(struct work_loop *loop)
{
    struct work_fence fence;
    int problem;

    loop->slot_count = (size_t)loop->options->concurrency;
    loop->slots = calloc(loop->slot_count, sizeof(*loop->slots));
    problem =
        loop->slots == NULL ? ENOMEM : work_fence_open(&fence, loop->slots, loop->slot_count, &loop->work);
    if (problem != 0) {
        work_report_failure(loop->report, "could not get ready for %zu children: %s", loop->slot_count,
                            strerror(problem));
        free(loop->slots);
        return CLI_EXIT_OSERR;
    }
    for (size_t i = 0; i < loop->slot_count; i++)
        child_init(&loop->slots[i].child);
    loop->server->fence = &fence;
    run(loop);
    for (size_t i = 0; i < loop->slot_count; i++)
        slot_abandon(&loop->slots[i]);
    loop->server->fence = NULL;
    work_fence_close(&fence);
    free(loop->slots);
    return loop->exit_code;
}
