#include "work_slot.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "work_text.h"

/* How long a child may take to end after SIGTERM. */
#define TERM_MS 2000

/* How long to wait for the outputs of a child that has ended: what it wrote itself is in the pipes by then.
 */
#define DRAIN_MS 200

/* A message whose child could not be started is due again after this. */
#define RETRY_START_MS 1000

/* A string is cut to this, and when the server's limit (max_payload_bytes) is lower, to half of it and half
 * of that, until it fits or is not worth keeping. */
#define RESULT_MAX_BYTES CHILD_OUT_MAX_BYTES
#define RESULT_MIN_BYTES ((size_t)64)

#define VARIABLES 4

int64_t
slot_clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The only place where a slot's state changes. */
static void
change(struct slot *slot, enum slot_state state, int64_t wake_ms)
{
    static const unsigned from[] = {
        [SLOT_FREE] = 1U << SLOT_DRAINING | 1U << SLOT_FINISHED | 1U << SLOT_KILLING | 1U << SLOT_RELEASING,
        [SLOT_RUNNING] = 1U << SLOT_FREE,
        [SLOT_DRAINING] = 1U << SLOT_RUNNING,
        [SLOT_FINISHED] = 1U << SLOT_DRAINING,
        [SLOT_KILLING] = 1U << SLOT_RUNNING,
        [SLOT_RELEASING] = 1U << SLOT_FREE | 1U << SLOT_KILLING,
    };

    assert(from[state] & 1U << slot->state);
    slot->state = state;
    slot->wake_ms = wake_ms;
}

/* As asprintf, but NULL without memory. */
static char *__attribute__((format(printf, 1, 2))) print(const char *format, ...)
{
    va_list args;
    char *text = NULL;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    return text;
}

int
slot_start(struct slot *slot, const struct slot_work *work, const pgqrs_message *message,
           int64_t sure_until_ms, int *out_exec)
{
    pgqrs_slice type = message->type.data != NULL ? message->type : (pgqrs_slice){ "", 0 };
    char *variables[VARIABLES] = {
        print("PGQRS_MESSAGE_ID=%lld", (long long)message->id),
        print("PGQRS_QUEUE=%.*s", (int)work->queue.size, work->queue.data),
        print("PGQRS_ATTEMPT=%d", (int)message->attempt),
        print("PGQRS_TYPE=%.*s", (int)type.size, type.data),
    };
    int problem = 0;

    assert(slot->state == SLOT_FREE);
    memset(slot, 0, sizeof(*slot));
    child_init(&slot->child);
    slot->lease = pgqrs_message_lease(message);
    slot->sure_until_ms = sure_until_ms;
    *out_exec = 0;
    for (size_t i = 0; i < VARIABLES; i++)
        if (variables[i] == NULL)
            problem = ENOMEM;
    if (problem == 0)
        problem = child_start(&slot->child, &work->program, message->payload, variables, VARIABLES, out_exec);
    for (size_t i = 0; i < VARIABLES; i++)
        free(variables[i]);
    if (problem != 0)
        slot->back_off_ms = RETRY_START_MS;
    change(slot, problem == 0 ? SLOT_RUNNING : SLOT_RELEASING, WORK_NEVER);
    return problem;
}

/* The outputs are complete, or as complete as they will be. */
static void
finish(struct slot *slot)
{
    pgqrs_slice output = { slot->child.out, slot->child.out_size };

    child_close(&slot->child);
    change(slot, SLOT_FINISHED, WORK_NEVER);
    output = work_text_trim(output);
    slot->form = SLOT_FORM_JSON;
    if (output.size == 0 || !slot_is_success(slot))
        slot->form = SLOT_FORM_NONE;
    else if (slot->child.out_truncated || !work_text_may_be_json(output))
        slot_refuse_form(slot);
}

void
slot_handle(struct slot *slot, const struct pollfd fds[CHILD_FDS])
{
    if (slot->state == SLOT_FREE || slot->state == SLOT_FINISHED || slot->state == SLOT_RELEASING)
        return;
    child_handle(&slot->child, fds);
    if (slot->state == SLOT_DRAINING && child_is_drained(&slot->child))
        finish(slot);
}

void
slot_reap(struct slot *slot, int64_t now_ms)
{
    if (!slot_has_child(slot) || !child_reap(&slot->child, slot->state == SLOT_KILLING))
        return;
    if (slot->state == SLOT_RUNNING) {
        change(slot, SLOT_DRAINING, now_ms + DRAIN_MS);
        if (child_is_drained(&slot->child))
            finish(slot);
    } else if (slot->is_lost) {
        slot_clear(slot);
    } else {
        child_release(&slot->child);
        change(slot, SLOT_RELEASING, WORK_NEVER);
    }
}

/* A child whose lease cannot be extended must have ended when the lease does; how much earlier it is told so.
 */
static int64_t
fence_ms(const struct slot *slot, const struct slot_work *work)
{
    int64_t margin = work->lease_ms / 4 < TERM_MS ? work->lease_ms / 4 : TERM_MS;

    return slot->sure_until_ms - margin;
}

int64_t
slot_due_ms(const struct slot *slot, const struct slot_work *work)
{
    if (slot->state == SLOT_RUNNING)
        return fence_ms(slot, work);
    return slot->state == SLOT_FREE ? WORK_NEVER : slot->wake_ms;
}

int64_t
slot_fence(struct slot *slot, const struct slot_work *work, int64_t now_ms)
{
    int64_t due;

    if (slot->state == SLOT_KILLING && slot->wake_ms != WORK_NEVER) {
        if (now_ms < slot->wake_ms)
            return slot->wake_ms;
        child_signal(&slot->child, SIGKILL);
        return WORK_NEVER;
    }
    if (slot->state != SLOT_RUNNING)
        return WORK_NEVER;
    due = slot->is_fenced ? slot->sure_until_ms : fence_ms(slot, work);
    if (now_ms < due)
        return due;
    child_signal(&slot->child, slot->is_fenced ? SIGKILL : SIGTERM);
    child_signal(&slot->child, SIGCONT);
    if (slot->is_fenced)
        return WORK_NEVER;
    slot->is_fenced = 1;
    return slot->sure_until_ms;
}

int
slot_tick(struct slot *slot, const struct slot_work *work, int64_t now_ms)
{
    if (slot->is_fenced && slot->state == SLOT_RUNNING && now_ms < fence_ms(slot, work)) {
        slot_stop(slot, now_ms); /* too early, as it turned out: the lease was extended after all */
        return 0;
    }
    if (now_ms < slot_due_ms(slot, work))
        return 0;
    switch (slot->state) {
    case SLOT_RUNNING:
        slot_lose(slot, now_ms);
        if (slot->wake_ms > slot->sure_until_ms)
            slot->wake_ms = slot->sure_until_ms;
        return 1;
    case SLOT_DRAINING:
        finish(slot);
        return 0;
    case SLOT_KILLING:
        child_signal(&slot->child, SIGKILL);
        slot->wake_ms = WORK_NEVER;
        return 0;
    default:
        return 0;
    }
}

static void
end_child(struct slot *slot, int is_lost, int64_t now_ms)
{
    child_signal(&slot->child, SIGTERM);
    /* One that was stopped would not see it. */
    child_signal(&slot->child, SIGCONT);
    slot->is_lost = is_lost;
    change(slot, SLOT_KILLING, now_ms + TERM_MS);
}

void
slot_lose(struct slot *slot, int64_t now_ms)
{
    if (slot->state == SLOT_RUNNING)
        end_child(slot, 1, now_ms);
    else if (slot->state == SLOT_KILLING)
        slot->is_lost = 1;
    else if (slot->state != SLOT_FREE)
        slot_clear(slot);
}

void
slot_stop(struct slot *slot, int64_t now_ms)
{
    if (slot->state == SLOT_RUNNING)
        end_child(slot, 0, now_ms);
}

void
slot_kill(struct slot *slot, int64_t now_ms)
{
    slot_stop(slot, now_ms);
    if (slot->state == SLOT_KILLING)
        child_signal(&slot->child, SIGKILL);
}

int
slot_wants_lease(const struct slot *slot)
{
    return slot->state != SLOT_FREE && !(slot->state == SLOT_KILLING && slot->is_lost);
}

int
slot_has_child(const struct slot *slot)
{
    return slot->state == SLOT_RUNNING || slot->state == SLOT_KILLING;
}

int
slot_is_success(const struct slot *slot)
{
    return slot->state == SLOT_FINISHED && WIFEXITED(slot->child.status) &&
           WEXITSTATUS(slot->child.status) == 0;
}

pgqrs_slice
slot_result(const struct slot *slot)
{
    pgqrs_slice none = { NULL, 0 };
    pgqrs_slice output = { slot->child.out, slot->child.out_size };
    pgqrs_slice text = { slot->result, slot->result_size };

    switch (slot->form) {
    case SLOT_FORM_JSON:
        return work_text_trim(output);
    case SLOT_FORM_TEXT:
        return text;
    default:
        return none;
    }
}

void
slot_refuse_form(struct slot *slot)
{
    pgqrs_slice output = { slot->child.out, slot->child.out_size };
    size_t max_bytes = slot->form == SLOT_FORM_JSON ? RESULT_MAX_BYTES : slot->result_size / 2;

    free(slot->result);
    slot->result = NULL;
    if (max_bytes >= RESULT_MIN_BYTES)
        slot->result = work_text_to_json(work_text_trim(output), max_bytes, &slot->result_size);
    slot->form = slot->result != NULL ? SLOT_FORM_TEXT : SLOT_FORM_NONE;
}

void
slot_clear(struct slot *slot)
{
    child_release(&slot->child);
    free(slot->result);
    slot->result = NULL;
    change(slot, SLOT_FREE, WORK_NEVER);
}

void
slot_abandon(struct slot *slot)
{
    child_release(&slot->child);
    free(slot->result);
    slot->result = NULL;
}
