#include "exchange/events.h"

#include "base/clock.h"
#include "base/options.h"

#define REPEAT_MS 60000
#define CHANGE_MS 1000 /* reasons that take turns are told no more often */

void
pgqrsi_events_tell(const pgqrsi_events *events, pgqrs_event_kind kind, pgqrs_job *job,
                   pgqrs_status status, const char *message)
{
    pgqrs_event event = { .kind = kind, .job = job, .status = status, .message = message };

    if (events->callback != NULL)
        events->callback(&event, events->arg);
}

/* FNV-1a; never 0. */
static uint64_t
hash(const char *text)
{
    uint64_t sum = UINT64_C(14695981039346656037);

    for (; *text != '\0'; text++)
        sum = (sum ^ (unsigned char)*text) * UINT64_C(1099511628211);
    return sum | 1;
}

int
pgqrsi_trouble_is_news(pgqrsi_trouble *trouble, const char *message, int64_t now_ms)
{
    uint64_t reason = hash(message);
    int64_t pause_ms = reason == trouble->reason ? REPEAT_MS : CHANGE_MS;

    if (trouble->reason != 0 && now_ms - trouble->told_ms < pause_ms)
        return 0;
    trouble->reason = reason;
    trouble->told_ms = now_ms;
    return 1;
}

int
pgqrsi_events_trouble(const pgqrsi_events *events, pgqrsi_trouble *trouble, pgqrs_event_kind kind,
                      pgqrs_status status, const char *message)
{
    if (!pgqrsi_trouble_is_news(trouble, message, pgqrsi_clock_boot_ms()))
        return 0;
    pgqrsi_events_tell(events, kind, NULL, status, message);
    return 1;
}

void
pgqrsi_events_resolved(pgqrsi_trouble *trouble)
{
    trouble->reason = 0;
}

const char *
pgqrs_event_kind_name(pgqrs_event_kind value)
{
    static const char *const names[] = { [PGQRS_EVENT_STARTED] = "started",
                                         [PGQRS_EVENT_DONE] = "done",
                                         [PGQRS_EVENT_FAILED] = "failed",
                                         [PGQRS_EVENT_DEAD] = "dead",
                                         [PGQRS_EVENT_SNOOZED] = "snoozed",
                                         [PGQRS_EVENT_RELEASED] = "released",
                                         [PGQRS_EVENT_CANCELLED] = "cancelled",
                                         [PGQRS_EVENT_LOST] = "lost",
                                         [PGQRS_EVENT_DISCONNECTED] = "disconnected",
                                         [PGQRS_EVENT_CONNECTED] = "connected",
                                         [PGQRS_EVENT_TROUBLE] = "trouble",
                                         [PGQRS_EVENT_REOPENED] = "reopened",
                                         [PGQRS_EVENT_PAUSED] = "paused",
                                         [PGQRS_EVENT_UNPAUSED] = "unpaused" };

    return PGQRSI_ENUM_NAME(names, value);
}
