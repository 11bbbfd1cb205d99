#include "base/buffer.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

void
pgqrsi_buffer_release(pgqrsi_buffer *buffer)
{
    free(buffer->data);
    *buffer = (pgqrsi_buffer)PGQRSI_BUFFER_INIT;
}

char *
pgqrsi_buffer_reserve(pgqrsi_buffer *buffer, size_t more)
{
    size_t capacity = buffer->capacity > 0 ? buffer->capacity : 64;
    char *data;

    if (buffer->failed || more > SIZE_MAX / 2 - buffer->size) {
        buffer->failed = 1;
        return NULL;
    }
    if (buffer->size + more <= buffer->capacity)
        return buffer->data + buffer->size;
    while (capacity < buffer->size + more)
        capacity *= 2;
    data = realloc(buffer->data, capacity);
    if (data == NULL) {
        buffer->failed = 1;
        return NULL;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return data + buffer->size;
}

void
pgqrsi_buffer_append(pgqrsi_buffer *buffer, const void *bytes, size_t size)
{
    char *end = pgqrsi_buffer_reserve(buffer, size);

    if (end == NULL || size == 0)
        return;
    memcpy(end, bytes, size);
    buffer->size += size;
}

void
pgqrsi_buffer_append_slice(pgqrsi_buffer *buffer, pgqrs_slice slice)
{
    pgqrsi_buffer_append(buffer, slice.data, slice.size);
}

void
pgqrsi_buffer_append_text(pgqrsi_buffer *buffer, const char *text)
{
    pgqrsi_buffer_append(buffer, text, strlen(text));
}

void
pgqrsi_buffer_append_int16(pgqrsi_buffer *buffer, int16_t value)
{
    uint16_t wire = htobe16((uint16_t)value);

    pgqrsi_buffer_append(buffer, &wire, sizeof(wire));
}

void
pgqrsi_buffer_append_int32(pgqrsi_buffer *buffer, int32_t value)
{
    uint32_t wire = htobe32((uint32_t)value);

    pgqrsi_buffer_append(buffer, &wire, sizeof(wire));
}

void
pgqrsi_buffer_append_int64(pgqrsi_buffer *buffer, int64_t value)
{
    uint64_t wire = htobe64((uint64_t)value);

    pgqrsi_buffer_append(buffer, &wire, sizeof(wire));
}
