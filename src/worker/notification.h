/*
 * Parses the text of a notification. Every role can send one; a text that the library would not
 * have written is ignored, so another version can add kinds. Pure.
 *
 *   1 wake KEY        the worker should claim from the queue: on the channel of its session
 *   1 cancel KEY ID   a message of the queue was cancelled or deleted: on a channel that all share
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
    int64_t key; /* of the queue */
    int64_t id;  /* of the message that was cancelled; plain SQL can give a message any id */
} pgqrsi_notification;

/** Reads `text`. Returns 1, or 0 if the text is of another version or kind, or if it differs
 * in any byte from what the server writes: `out` is then untouched. */
int pgqrsi_notification_parse(const char *text, pgqrsi_notification *out);

#endif
