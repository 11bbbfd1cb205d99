#include "work/slot.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "work/text.h"

/* How long to wait for the outputs of a child that has ended: what it wrote itself is in the pipes
 * by then. */
#define DRAIN_MS 200

/* How long after the end of a child by a signal to wait for the same signal: whoever ends a whole
 * service signals its processes one after the other. */
#define SHARED_SIGNAL_MS 500

/* A message whose child could not be started is kept so long. */
#define PAUSE_MS 1000

/* A string is cut to this, and when the server's limit (max_payload_bytes) is lower, to half of it
 * and half of that, until it fits or is not worth keeping. */
#define RESULT_MAX_BYTES CHILD_OUT_MAX_BYTES
#define RESULT_MIN_BYTES ((size_t)64)

#define VARIABLES 6

/* The kernel takes no longer one: MAX_ARG_STRLEN. */
#define VARIABLE_MAX_BYTES ((size_t)128 << 10)

int64_t
slot_clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void
slot_init(struct slot *slot)
{
    memset(slot, 0, sizeof(*slot));
    child_init(&slot->child);
    slot->wake_ms = WORK_NEVER;
}

/* The only place where a slot's state changes. */
static void
change(struct slot *slot, enum slot_state state, int64_t wake_ms)
{
    static const unsigned from[] = {
        [SLOT_FREE] = 1U << SLOT_DRAINING | 1U << SLOT_KILLING | 1U << SLOT_PAUSING,
        [SLOT_RUNNING] = 1U << SLOT_FREE,
        [SLOT_DRAINING] = 1U << SLOT_RUNNING,
        [SLOT_KILLING] = 1U << SLOT_RUNNING,
        [SLOT_PAUSING] = 1U << SLOT_FREE,
    };

    assert(from[state] & 1U << slot->state);
    slot->state = state;
    slot->wake_ms = wake_ms;
}

/* What a program is told of its message. */
struct variables {
    char *list[VARIABLES];
    size_t count;
    int problem; /* 0, or an errno */
};

static void add(struct variables *variables, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
add(struct variables *variables, const char *format, ...)
{
    char **variable = &variables->list[variables->count];
    va_list args;

    va_start(args, format);
    if (vasprintf(variable, format, args) < 0)
        variables->problem = ENOMEM;
    else
        variables->count++;
    va_end(args);
}

static void
make_variables(struct variables *variables, const struct slot_work *work, const pgqrs_job *job)
{
    const pgqrs_message *message = pgqrs_job_message(job);
    pgqrs_slice queue = pgqrs_job_queue(job);

    add(variables, "PGQRS_MESSAGE_ID=%lld", (long long)message->id);
    add(variables, "PGQRS_QUEUE=%.*s", (int)queue.size, queue.data);
    add(variables, "PGQRS_ATTEMPT=%d", (int)message->attempt);
    add(variables, "PGQRS_TYPE=%.*s", (int)message->type.size,
        message->type.size > 0 ? message->type.data : "");
    add(variables, "PGQRS_LEASE_TOKEN=%lld", (long long)message->lease_token);
    if (message->headers.size <= VARIABLE_MAX_BYTES - sizeof("PGQRS_HEADERS="))
        add(variables, "PGQRS_HEADERS=%.*s", (int)message->headers.size,
            message->headers.size > 0 ? message->headers.data : "");
    else
        work_report_line(
            work->report, CLI_LOG_WARN,
            "ran the program for message %lld without PGQRS_HEADERS: %zu bytes are too many for a "
            "variable",
            (long long)message->id, message->headers.size);
}

int
slot_start(struct slot *slot, const struct slot_work *work, pgqrs_job *job, int *out_exec)
{
    struct variables variables = { .count = 0 };
    int problem;

    assert(slot->state == SLOT_FREE);
    pgqrs_job_set_data(job, slot);
    *out_exec = 0;
    make_variables(&variables, work, job);
    problem = variables.problem;
    if (problem == 0)
        problem = child_start(&slot->child, &work->program, pgqrs_job_message(job)->payload,
                              variables.list, variables.count, out_exec);
    for (size_t i = 0; i < variables.count; i++)
        free(variables.list[i]);
    if (*out_exec)
        return problem;
    slot->job = job;
    if (problem == 0)
        change(slot, SLOT_RUNNING, WORK_NEVER);
    else
        change(slot, SLOT_PAUSING, slot_clock_ms() + PAUSE_MS);
    return problem;
}

/* To FREE. */
static void
end_job(struct slot *slot, pgqrs_job_outcome outcome)
{
    pgqrs_job *job = slot->job;

    slot->job = NULL;
    child_release(&slot->child);
    change(slot, SLOT_FREE, WORK_NEVER);
    pgqrs_job_finish(job, outcome);
}

/* Standard output as it is if that is JSON, else as a string, cut so that it is accepted. */
static void
set_result(struct slot *slot, const struct slot_work *work)
{
    pgqrs_slice output = work_text_trim((pgqrs_slice){ slot->child.out, slot->child.out_size });
    pgqrs_status status = PGQRS_EINVAL;
    size_t size = 2 * RESULT_MAX_BYTES;

    if (output.size == 0 || !work->keeps_results)
        return;
    if (!slot->child.out_truncated && work_text_may_be_json(output))
        status = pgqrs_job_set_result(slot->job, output, work->err);
    while (status == PGQRS_EINVAL && size / 2 >= RESULT_MIN_BYTES) {
        char *text = work_text_to_json(output, size / 2, &size);

        status = text == NULL
                     ? PGQRS_ENOMEM
                     : pgqrs_job_set_result(slot->job, (pgqrs_slice){ text, size }, work->err);
        free(text);
    }
    if (status != PGQRS_OK)
        work_report_line(work->report, CLI_LOG_WARN, "archived message %lld without its result: %s",
                         (long long)pgqrs_job_message(slot->job)->id,
                         status == PGQRS_ENOMEM ? "out of memory" : pgqrs_error_message(work->err));
}

static void
set_error(struct slot *slot, const struct slot_work *work)
{
    char *text = work_text_of_failure(slot->child.status, child_error_tail(&slot->child));

    if (text == NULL || pgqrs_job_set_error(slot->job, pgqrs_slice_of(text), work->err) != PGQRS_OK)
        work_report_line(work->report, CLI_LOG_WARN,
                         "reported the failure of message %lld without its error: %s",
                         (long long)pgqrs_job_message(slot->job)->id,
                         text == NULL ? "out of memory" : pgqrs_error_message(work->err));
    free(text);
}

/* Whether the child was ended from outside: by a signal that asks for it, or, in a shell, by the
 * end of what it ran by such a signal. */
static int
was_told_to_end(int status)
{
    int number = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status) - 128;

    return number == SIGTERM || number == SIGINT || number == SIGHUP || number == SIGQUIT ||
           number == SIGKILL;
}

/* The outputs are complete, or as complete as they will be. */
static void
conclude(struct slot *slot, const struct slot_work *work)
{
    int is_success = WIFEXITED(slot->child.status) && WEXITSTATUS(slot->child.status) == 0;

    if (work->is_stopping && was_told_to_end(slot->child.status)) {
        work_report_line(
            work->report, CLI_LOG_INFO,
            "gave back message %lld: its program was ended by a signal as the worker stops",
            (long long)pgqrs_job_message(slot->job)->id);
        end_job(slot, PGQRS_JOB_SNOOZED);
        return;
    }
    if (is_success)
        set_result(slot, work);
    else
        set_error(slot, work);
    end_job(slot, is_success ? PGQRS_JOB_DONE : PGQRS_JOB_FAILED);
}

static void
conclude_if_complete(struct slot *slot, const struct slot_work *work)
{
    if (slot->state == SLOT_DRAINING && child_is_drained(&slot->child) &&
        (work->is_stopping || !was_told_to_end(slot->child.status)))
        conclude(slot, work);
}

static void
pass_on(void *arg, const char *bytes, size_t size)
{
    work_report_pass_on(arg, bytes, size);
}

void
slot_handle(struct slot *slot, const struct slot_work *work, const struct pollfd fds[CHILD_FDS])
{
    child_handle(&slot->child, fds, pass_on, work->report);
    conclude_if_complete(slot, work);
}

void
slot_reap(struct slot *slot, const struct slot_work *work, int64_t now_ms)
{
    if (!slot_has_child(slot) ||
        !child_reap(&slot->child, &work->program, slot->state == SLOT_KILLING))
        return;
    if (slot->state == SLOT_KILLING) {
        end_job(slot, PGQRS_JOB_SNOOZED);
        return;
    }
    change(slot, SLOT_DRAINING,
           now_ms + (was_told_to_end(slot->child.status) ? SHARED_SIGNAL_MS : DRAIN_MS));
    conclude_if_complete(slot, work);
}

void
slot_tick(struct slot *slot, const struct slot_work *work, int64_t now_ms)
{
    if (now_ms < slot->wake_ms)
        return;
    switch (slot->state) {
    case SLOT_DRAINING:
        conclude(slot, work);
        break;
    case SLOT_KILLING:
        child_signal(&slot->child, SIGKILL);
        slot->wake_ms = WORK_NEVER;
        break;
    case SLOT_PAUSING:
        end_job(slot, PGQRS_JOB_SNOOZED);
        break;
    default:
        break;
    }
}

void
slot_stop(struct slot *slot, int64_t now_ms, int64_t term_ms)
{
    int64_t kill_ms = now_ms + term_ms;

    if (slot->state == SLOT_RUNNING) {
        child_signal(&slot->child, SIGTERM);
        /* One that was stopped would not see it. */
        child_signal(&slot->child, SIGCONT);
        change(slot, SLOT_KILLING, kill_ms);
    } else if (slot->state != SLOT_FREE && slot->wake_ms > kill_ms) {
        slot->wake_ms = kill_ms;
    }
}

int
slot_has_child(const struct slot *slot)
{
    return slot->state == SLOT_RUNNING || slot->state == SLOT_KILLING;
}

void
slot_abandon(struct slot *slot)
{
    slot_stop(slot, slot_clock_ms(), 0);
    child_signal(&slot->child, SIGKILL);
    if (slot->state != SLOT_FREE)
        end_job(slot, PGQRS_JOB_SNOOZED);
}
