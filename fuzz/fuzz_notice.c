/*
 * Any text as a notification: what is read of it, written as the server writes it, is that text
 * again, so that nothing else is taken for one.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/notification.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
demand(int holds)
{
    if (!holds)
        abort();
}

static void
check_said(const pgqrsi_notification *said, const char *text)
{
    char again[64];

    if (said->kind == PGQRSI_NOTIFICATION_WAKE)
        snprintf(again, sizeof(again), "1 wake %lld", (long long)said->key);
    else
        snprintf(again, sizeof(again), "1 cancel %lld %lld", (long long)said->key,
                 (long long)said->id);
    demand(strcmp(again, text) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = strndup((const char *)data, size);
    pgqrsi_notification said;

    demand(text != NULL);
    if (pgqrsi_notification_parse(text, &said))
        check_said(&said, text);
    free(text);
    return 0;
}
