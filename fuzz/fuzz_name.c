/*
 * Any bytes at all as a name: the verdict follows from UTF-8 and control characters alone, and a
 * refusal's message is one line that cannot drive a terminal.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
demand(int holds)
{
    if (!holds)
        abort();
}

/* 1 if the text holds a character of U+0000 to U+001F or U+007F to U+009F. Valid UTF-8 only. */
static int
holds_control_character(const unsigned char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] < 0x20 || text[i] == 0x7f || (text[i] == 0xc2 && text[i + 1] < 0xa0))
            return 1;
    return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pgqrs_slice text = { (const char *)data, size };
    size_t valid = pgqrsi_utf8_valid_prefix(text);
    pgqrs_error *err = pgqrs_error_new();
    const char *message;
    pgqrs_status status;

    demand(err != NULL && valid <= size);
    demand(pgqrsi_utf8_valid_prefix((pgqrs_slice){ text.data, valid }) == valid);
    status = pgqrsi_name_check("queue name", text, PGQRSI_QUEUE_NAME_MAX_BYTES, err);
    if (size == 0 || size > PGQRSI_QUEUE_NAME_MAX_BYTES || valid < size ||
        holds_control_character(data, size))
        demand(status == PGQRS_EINVAL);
    else
        demand(status == PGQRS_OK);
    demand(pgqrs_error_status(err) == status);
    message = pgqrs_error_message(err);
    demand((*message != '\0') == (status != PGQRS_OK));
    demand(pgqrsi_utf8_valid_prefix(pgqrs_slice_of(message)) == strlen(message));
    demand(!holds_control_character((const unsigned char *)message, strlen(message)));
    pgqrs_error_free(err);
    return 0;
}
