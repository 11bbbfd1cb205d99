/*
 * The lies of the fake server, for fake_server.c: how an answer of the real server is changed.
 */
#ifndef TS_FAKE_LIES_H
#define TS_FAKE_LIES_H

#include <stddef.h>
#include <stdint.h>

#include "fake_server.h"

#define TS_MESSAGE_HEAD 5 /* a message's type and length */

/* Bytes that grow. */
typedef struct ts_bytes {
    char *data;
    size_t size, capacity;
} ts_bytes;

/* How rows are changed from a row description to the end of its result. */
typedef enum ts_reshape {
    TS_RESHAPE_NOT = 0,
    TS_RESHAPE_FEWER,
    TS_RESHAPE_NONE,
    TS_RESHAPE_MORE,
    TS_RESHAPE_TYPES,
    TS_RESHAPE_TEXT,
    TS_RESHAPE_NO_ROWS
} ts_reshape;

/* What one connection has been told. */
typedef struct ts_teller {
    ts_bytes out;    /* to the client, next */
    ts_bytes result; /* description and rows of the present result, as the real server sent them */
    ts_bytes again;  /* is repeated until the connection ends */
    ts_reshape reshape;
    int is_silent; /* says nothing more */
    int is_over;   /* is closed once `out` is sent */
} ts_teller;

void ts_bytes_add(ts_bytes *bytes, const void *data, size_t size);
void ts_bytes_clear(ts_bytes *bytes);

/** Numbers as the protocol has them. */
void ts_bytes_int16(ts_bytes *bytes, int value);
void ts_bytes_int32(ts_bytes *bytes, long value);
uint16_t ts_int16_at(const char *data);
int32_t ts_int32_at(const char *data);

/** A whole message of that body. */
void ts_bytes_message(ts_bytes *bytes, char type, const void *body, size_t size);

/** Whether lie number `lie` can be told at a message of that type. */
int ts_lie_fits(int lie, char type);

/** Tells it instead of, or in addition to, the whole message `data`. */
void ts_lie_tell(int lie, ts_teller *teller, const char *data, size_t size);

/** Passes a message on, reshaped if an earlier lie wants that. */
void ts_lie_pass(ts_teller *teller, const char *data, size_t size);

#endif
