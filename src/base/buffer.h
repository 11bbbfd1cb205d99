/*
 * A growing run of bytes. An append that runs out of memory marks the buffer as failed; check once
 * after a series of appends.
 *
 * Life cycle: zero-initialise (PGQRSI_BUFFER_INIT), append, check failed, release. One thread at a
 * time.
 */
#ifndef PGQRSI_BASE_BUFFER_H
#define PGQRSI_BASE_BUFFER_H

#include <stddef.h>
#include <stdint.h>

#include <pgqrs/slice.h>

typedef struct pgqrsi_buffer {
    char *data; /* NULL until the first append */
    size_t size;
    size_t capacity;
    int failed; /* 1: an append ran out of memory; data is what was there before it */
} pgqrsi_buffer;

#define PGQRSI_BUFFER_INIT                                                                         \
    {                                                                                              \
        NULL, 0, 0, 0                                                                              \
    }

void pgqrsi_buffer_release(pgqrsi_buffer *buffer);

/** Makes room for `more` bytes behind the end. Returns where to write them, or NULL. */
char *pgqrsi_buffer_reserve(pgqrsi_buffer *buffer, size_t more);

void pgqrsi_buffer_append(pgqrsi_buffer *buffer, const void *bytes, size_t size);
void pgqrsi_buffer_append_slice(pgqrsi_buffer *buffer, pgqrs_slice slice);
void pgqrsi_buffer_append_text(pgqrsi_buffer *buffer, const char *text);

/** Appends in network byte order. */
void pgqrsi_buffer_append_int16(pgqrsi_buffer *buffer, int16_t value);
void pgqrsi_buffer_append_int32(pgqrsi_buffer *buffer, int32_t value);
void pgqrsi_buffer_append_int64(pgqrsi_buffer *buffer, int64_t value);

#endif
