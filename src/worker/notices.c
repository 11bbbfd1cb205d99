#include "worker/notices.h"

#include <stdlib.h>
#include <string.h>

#include "jobs/cancellations.h"

/* "1 wake <key> <process id> ..." wakes the named ones, "1 cancel <key> <id>" says that a message was taken
 * away. Others are of later versions. Anybody may send them: nothing is decided here. */
static void
take(pgqrsi_claiming *claiming, const char *payload, int64_t now_ms)
{
    int is_cancel = strncmp(payload, "1 cancel ", 9) == 0;
    int64_t backend = pgqrsi_pipe_backend(claiming->exchange->claims.link.pipe);
    pgqrsi_work_queue *queue = NULL;
    char *end = NULL;

    if (is_cancel || strncmp(payload, "1 wake ", 7) == 0)
        queue = pgqrsi_queues_of_key(claiming->queues, strtoll(payload + (is_cancel ? 9 : 7), &end, 10));
    if (queue == NULL)
        return;
    if (is_cancel) {
        pgqrsi_cancellations_heard(&queue->held, strtoll(end, NULL, 10));
        return;
    }
    while (*end == ' ')
        if (strtoll(end + 1, &end, 10) == backend)
            pgqrsi_claiming_woken(claiming, queue, now_ms);
}

void
pgqrsi_notices_take(pgqrsi_claiming *claiming, int64_t now_ms)
{
    pgqrsi_notice notice;

    while (pgqrsi_pipe_take_notice(claiming->exchange->claims.link.pipe, &notice))
        take(claiming, notice.payload, now_ms);
}
