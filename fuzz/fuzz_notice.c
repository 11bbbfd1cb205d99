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
check_said(pgqrsi_notification said, const char *text)
{
    char *again = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&again, &length);
    int64_t id, count = 0;

    demand(out != NULL);
    fprintf(out, "1 %s %lld", said.kind == PGQRSI_NOTIFICATION_WAKE ? "wake" : "cancel",
            (long long)said.key);
    while (pgqrsi_notification_next(&said, &id)) {
        demand(id > 0 || said.kind == PGQRSI_NOTIFICATION_CANCEL);
        fprintf(out, " %lld", (long long)id);
        count++;
    }
    demand(fclose(out) == 0 && strcmp(again, text) == 0);
    demand(said.kind == PGQRSI_NOTIFICATION_WAKE ? count > 0 : count == 1);
    free(again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = strndup((const char *)data, size);
    pgqrsi_notification said;

    demand(text != NULL);
    if (pgqrsi_notification_parse(text, &said))
        check_said(said, text);
    free(text);
    return 0;
}
