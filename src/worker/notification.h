/*
 * Parses the text of a notification. Every role can send one; a text that the library would not
 * have written is ignored. Pure.
 *
 *   1 wake KEY PID...   workers with these server processes should claim from the queue
 *   1 cancel KEY ID     a message of the queue was cancelled or deleted
 */
#ifndef PGQRSI_WORKER_NOTIFICATION_H
#define PGQRSI_WORKER_NOTIFICATION_H

#include <stdint.h>

typedef enum pgqrsi_notification_kind {
    PGQRSI_NOTIFICATION_WAKE = 1,
    PGQRSI_NOTIFICATION_CANCEL
} pgqrsi_notification_kind;

typedef struct pgqrsi_notification {
    pgqrsi_notification_kind kind;
    int64_t key;      /* of the queue */
    const char *list; /* what was not taken yet of the process ids or the message's id; in the text */
} pgqrsi_notification;

/** Reads `text`, which must outlive `out`. Returns 1, or 0 if the text is of another version or kind, or if
 * it differs in any byte from what the server writes; `out` is then untouched. */
int pgqrsi_notification_parse(const char *text, pgqrsi_notification *out);

/** Takes the next process id of a wake, or the message's id of a cancellation. Returns 1, or 0 if there is
 * none. */
int pgqrsi_notification_next(pgqrsi_notification *notification, int64_t *out_id);

#endif
