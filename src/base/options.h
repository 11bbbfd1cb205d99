/*
 * Structs that callers and the library share and that may grow. Each begins with its size: a
 * program and a library of different versions understand each other.
 */
#ifndef PGQRSI_BASE_OPTIONS_H
#define PGQRSI_BASE_OPTIONS_H

#include <stddef.h>

#include <pgqrs/error.h>

/**
 * Copies the caller's options `given` over `own`, which holds the defaults; both begin with their
 * size. A shorter struct, of a program that was built with an older header, leaves the rest at its
 * defaults. Of a longer one the rest must be zero: PGQRS_EINVAL. `given` NULL: nothing is copied.
 * `name` and `init` are for the error.
 */
pgqrs_status pgqrsi_options_read(const char *name, const char *init, const void *given, void *own,
                                 pgqrs_error *err);

/** PGQRS_EINVAL unless `out`, a struct that the library is to write into, begins with a size. */
pgqrs_status pgqrsi_results_check(const char *name, const char *init, const void *out,
                                  pgqrs_error *err);

/** Copies `own` over the caller's `out`, as far as both reach, and fills the rest of a longer one
 * with zeros. The caller's size stays. */
void pgqrsi_results_write(void *out, const void *own);

/** The `value`-th of `count` names; "unknown" if it has none. */
const char *pgqrsi_enum_name(const char *const *names, size_t count, int value);

#define PGQRSI_ENUM_NAME(names, value)                                                             \
    pgqrsi_enum_name(names, sizeof(names) / sizeof((names)[0]), (int)(value))

#endif
