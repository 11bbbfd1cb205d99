#include "fake_lies.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

#define HEAD TS_MESSAGE_HEAD

void
ts_bytes_add(ts_bytes *bytes, const void *data, size_t size)
{
    if (bytes->size + size > bytes->capacity) {
        bytes->capacity = 2 * (bytes->size + size);
        bytes->data = realloc(bytes->data, bytes->capacity);
        if (bytes->data == NULL)
            ts_fail("out of memory");
    }
    if (size > 0)
        memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
}

void
ts_bytes_clear(ts_bytes *bytes)
{
    bytes->size = 0;
}

void
ts_bytes_int16(ts_bytes *bytes, int value)
{
    uint16_t wire = htons((uint16_t)value);

    ts_bytes_add(bytes, &wire, sizeof(wire));
}

void
ts_bytes_int32(ts_bytes *bytes, long value)
{
    uint32_t wire = htonl((uint32_t)value);

    ts_bytes_add(bytes, &wire, sizeof(wire));
}

uint16_t
ts_int16_at(const char *data)
{
    uint16_t wire;

    memcpy(&wire, data, sizeof(wire));
    return ntohs(wire);
}

int32_t
ts_int32_at(const char *data)
{
    uint32_t wire;

    memcpy(&wire, data, sizeof(wire));
    return (int32_t)ntohl(wire);
}

void
ts_bytes_message(ts_bytes *bytes, char type, const void *body, size_t size)
{
    ts_bytes_add(bytes, &type, 1);
    ts_bytes_int32(bytes, (long)size + 4);
    ts_bytes_add(bytes, body, size);
}

static const char *
end_of_field(const char *field)
{
    return field + strlen(field) + 1 + 18;
}

/* A row description with other columns, types or formats. */
static void
reshape_description(ts_teller *teller, const char *data, size_t size)
{
    uint16_t count = ts_int16_at(data + HEAD);
    int wanted = teller->reshape == TS_RESHAPE_FEWER  ? count - 1
                 : teller->reshape == TS_RESHAPE_NONE ? 0
                                                      : count;
    const char *field = data + HEAD + 2;
    ts_bytes body = { NULL, 0, 0 };

    (void)size;
    ts_bytes_int16(&body, teller->reshape == TS_RESHAPE_MORE ? count + 1 : wanted);
    for (int i = 0; i < wanted; i++) {
        const char *end = end_of_field(field), *type = end - 12;
        int other = ts_int32_at(type) == 25 ? 20 : 25;

        ts_bytes_add(&body, field, (size_t)(type - field));
        ts_bytes_int32(&body, teller->reshape == TS_RESHAPE_TYPES ? other : ts_int32_at(type));
        ts_bytes_add(&body, type + 4, 6);
        ts_bytes_int16(&body, teller->reshape == TS_RESHAPE_TEXT ? 0 : ts_int16_at(end - 2));
        field = end;
    }
    if (teller->reshape == TS_RESHAPE_MORE)
        ts_bytes_add(&body, "more\0\0\0\0\0\0\0\0\0\0\x14\0\x08\xff\xff\xff\xff\0\1", 5 + 18);
    ts_bytes_message(&teller->out, 'T', body.data, body.size);
    free(body.data);
}

static void
reshape_row(ts_teller *teller, const char *data, size_t size)
{
    uint16_t count = ts_int16_at(data + HEAD);
    const char *value = data + HEAD + 2;
    ts_bytes body = { NULL, 0, 0 };
    int wanted = count;

    if (teller->reshape == TS_RESHAPE_NO_ROWS)
        return;
    if (teller->reshape == TS_RESHAPE_MORE) {
        ts_bytes_int16(&body, count + 1);
        ts_bytes_add(&body, value, size - HEAD - 2);
        ts_bytes_int32(&body, -1);
        wanted = 0;
    } else {
        wanted =
            teller->reshape == TS_RESHAPE_NONE ? 0 : count - (teller->reshape == TS_RESHAPE_FEWER);
        ts_bytes_int16(&body, wanted);
    }
    for (int i = 0; i < wanted; i++) {
        int32_t length = ts_int32_at(value);
        size_t whole = 4 + (length > 0 ? (size_t)length : 0);

        ts_bytes_add(&body, value, whole);
        value += whole;
    }
    ts_bytes_message(&teller->out, 'D', body.data, body.size);
    free(body.data);
}

void
ts_lie_pass(ts_teller *teller, const char *data, size_t size)
{
    if (*data == 'T')
        ts_bytes_clear(&teller->result);
    if (*data == 'T' || *data == 'D')
        ts_bytes_add(&teller->result, data, size);
    if (*data == 'C' || *data == 'Z')
        teller->reshape = TS_RESHAPE_NOT;
    if (teller->reshape != TS_RESHAPE_NOT && *data == 'T')
        reshape_description(teller, data, size);
    else if (teller->reshape != TS_RESHAPE_NOT && *data == 'D')
        reshape_row(teller, data, size);
    else
        ts_bytes_add(&teller->out, data, size);
}
