#include "worker/notices.h"

#include "jobs/cancellations.h"
#include "worker/notification.h"

/* A hint and no more: what it says is looked at before anything is decided. */
static void
take(pgqrsi_claiming *claiming, const char *text, int64_t now_ms)
{
    pgqrsi_notification said;
    pgqrsi_work_queue *queue;

    if (!pgqrsi_notification_parse(text, &said))
        return;
    queue = pgqrsi_queues_of_key(claiming->queues, said.key);
    if (queue == NULL)
        return;
    if (said.kind == PGQRSI_NOTIFICATION_CANCEL)
        pgqrsi_cancellations_heard(&queue->held, said.id);
    else
        pgqrsi_claiming_woken(claiming, queue, now_ms);
}

void
pgqrsi_notices_take(pgqrsi_claiming *claiming, int64_t now_ms)
{
    pgqrsi_notice notice;

    while (pgqrsi_pipe_take_notice(claiming->exchange->claims.link.pipe, &notice))
        take(claiming, notice.payload, now_ms);
}
