/*
 * A slice: a pointer and a length. All text of users is passed as slices. The text need not end in
 * a zero byte.
 *
 * A slice never owns its memory. A function that takes a slice copies what it keeps. A function
 * that returns a slice documents who owns the memory. { NULL, 0 } means "not given", { "", 0 }
 * means "empty".
 */
#ifndef PGQRS_SLICE_H
#define PGQRS_SLICE_H

#include <stddef.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pgqrs_slice {
    const char *data;
    size_t size;
} pgqrs_slice;

/** A slice over a zero-terminated string, which must outlive the slice; NULL gives { NULL, 0 }. Any
 * thread. */
static inline pgqrs_slice
pgqrs_slice_of(const char *text)
{
    pgqrs_slice slice;

    slice.data = text;
    slice.size = text != NULL ? strlen(text) : 0;
    return slice;
}

/** A slice over a string literal: PGQRS_SLICE("{}"). */
#ifdef __cplusplus
#define PGQRS_SLICE(literal) (pgqrs_slice{ "" literal, sizeof(literal) - 1 })
#else
#define PGQRS_SLICE(literal) ((pgqrs_slice){ "" literal, sizeof(literal) - 1 })
#endif

/** For printf: printf("%.*s", PGQRS_SLICE_ARG(slice)). At most INT_MAX bytes. */
#define PGQRS_SLICE_ARG(slice) (int)(slice).size, (slice).data

#ifdef __cplusplus
}
#endif
#endif
