/*
 * How a test fails.
 */
#ifndef TS_CHECK_H
#define TS_CHECK_H

#include <pgqrs/error.h>

/**
 * Ends the running test with a message. In a forked child it ends the child with exit code 99, and
 * in a thread other than the main one the whole executable: cmocka's own assertions must not be
 * used in either, these may.
 */
#define ts_fail(...) ts_fail_at(__FILE__, __LINE__, __VA_ARGS__)

/** Asserts that `expression` is PGQRS_OK; shows the message of `err` (which may be NULL) if not. */
#define TS_OK(expression, err) TS_IS(PGQRS_OK, expression, err)

/** Asserts that `expression` is the status `wanted`. */
#define TS_IS(wanted, expression, err)                                                             \
    ts_check_status((wanted), (expression), (err), #expression, __FILE__, __LINE__)

/** Asserts a condition; may be used where ts_fail may. */
#define TS_TRUE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition))                                                                          \
            ts_fail("it does not hold that %s", #condition);                                       \
    } while (0)

void ts_fail_at(const char *file, int line, const char *format, ...)
    __attribute__((noreturn, format(printf, 3, 4)));

void ts_check_status(pgqrs_status wanted, pgqrs_status got, const pgqrs_error *err,
                     const char *expression, const char *file, int line);

/** Whether this process is the test executable itself, not a child that it forked. */
int ts_is_owner(void);

#endif
