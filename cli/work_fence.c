#include "work_fence.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

static void
block_alarm(int how)
{
    sigset_t alarm_only;

    sigemptyset(&alarm_only);
    sigaddset(&alarm_only, SIGALRM);
    sigprocmask(how, &alarm_only, NULL);
}

/* Of a timer, 0: never. Async-signal-safe. */
static void
set_alarm(struct work_fence *fence, int64_t due_ms)
{
    struct itimerspec at;

    memset(&at, 0, sizeof(at));
    if (due_ms != WORK_NEVER) {
        at.it_value.tv_sec = due_ms / 1000;
        at.it_value.tv_nsec = due_ms % 1000 * 1000000;
    }
    timer_settime(fence->timer, TIMER_ABSTIME, &at, NULL);
}

/* Ends whom it must, and says when the next is due. Async-signal-safe. */
static int64_t
end_overdue(struct work_fence *fence)
{
    int64_t now = slot_clock_ms(), due = WORK_NEVER;

    for (size_t i = 0; i < fence->slot_count; i++) {
        int64_t next = slot_fence(&fence->slots[i], fence->work, now);

        due = next < due ? next : due;
    }
    return due;
}

static void
ring(int number, siginfo_t *info, void *context)
{
    int saved = errno;

    (void)number;
    (void)context;
    if (info->si_code == SI_TIMER) {
        struct work_fence *fence = info->si_value.sival_ptr;

        set_alarm(fence, end_overdue(fence));
    }
    errno = saved;
}

int
work_fence_open(struct work_fence *fence, struct slot *slots, size_t count, const struct slot_work *work)
{
    struct sigaction action = { .sa_sigaction = ring, .sa_flags = SA_SIGINFO | SA_RESTART };
    struct sigevent event = { .sigev_notify = SIGEV_SIGNAL,
                              .sigev_signo = SIGALRM,
                              .sigev_value.sival_ptr = fence };

    fence->slots = slots;
    fence->slot_count = count;
    fence->work = work;
    block_alarm(SIG_BLOCK);
    if (timer_create(CLOCK_BOOTTIME, &event, &fence->timer) != 0)
        return errno;
    sigaction(SIGALRM, &action, &fence->before);
    return 0;
}

void
work_fence_close(struct work_fence *fence)
{
    struct sigaction ignore = { .sa_handler = SIG_IGN };

    timer_delete(fence->timer);
    /* One that is pending is dropped by this and does not reach whatever was there before. */
    sigaction(SIGALRM, &ignore, NULL);
    sigaction(SIGALRM, &fence->before, NULL);
}

void
work_fence_up(struct work_fence *fence)
{
    set_alarm(fence, end_overdue(fence));
    block_alarm(SIG_UNBLOCK);
}

void
work_fence_down(struct work_fence *fence)
{
    block_alarm(SIG_BLOCK);
    set_alarm(fence, WORK_NEVER);
}
