/*
 * Status codes: what every fallible function of this library returns.
 *
 * PGQRS_OK is zero, every failure is negative. Emptiness ("no message was due") and repetition
 * ("this key was enqueued before") are outputs, not failures. The table below generates the
 * enumeration, the names and the texts; docs/statuses.md repeats it.
 *
 * A write has three outcomes: PGQRS_OK means stored; PGQRS_EUNKNOWN means that it may or may not be
 * stored; every other failure means that nothing was stored.
 */
#ifndef PGQRS_STATUS_H
#define PGQRS_STATUS_H

#include <pgqrs/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/* X(name, value, text). Append only: the values are part of the ABI. */
#define PGQRS_STATUS_MAP(X)                                                                        \
    X(OK, 0, "success")                                                                            \
    X(ENOMEM, -1, "out of memory")                                                                 \
    X(EINVAL, -2, "refused input: nothing was sent to the server")                                 \
    X(ECONFIG, -3, "a setting is missing or wrong")                                                \
    X(ECONNECT, -4, "the server cannot be reached: nothing was stored")                            \
    X(EAUTH, -5, "the server refused the login")                                                   \
    X(ETIMEDOUT, -6, "the deadline passed: nothing was stored")                                    \
    X(EUNKNOWN, -7, "the connection was lost after sending: it may or may not be stored")          \
    X(ENOSCHEMA, -8, "the database has no such schema")                                            \
    X(ENOTINSTALLED, -9, "pgqrs is not installed in this schema")                                  \
    X(EOLDSCHEMA, -10, "the installed schema is older than this library")                          \
    X(ENEWSCHEMA, -11, "the installed schema is newer than this library")                          \
    X(ENOQUEUE, -12, "no such queue")                                                              \
    X(EEXISTS, -13, "a queue of this name exists")                                                 \
    X(ENOMESSAGE, -14, "no such message")                                                          \
    X(ELEASELOST, -15, "the lease is lost: nothing was changed")                                   \
    X(ELEASED, -16, "another consumer has leased the message")                                     \
    X(ERATE, -17, "the producer's rate limit is reached: nothing was stored")                      \
    X(EDENIED, -18, "the database role lacks a privilege")                                         \
    X(ESERVER, -19, "the server reported an error: nothing was stored")                            \
    X(ESYSTEM, -20, "a call to the operating system failed")

typedef enum pgqrs_status {
#define PGQRS_STATUS_ENUM(name, value, text) PGQRS_##name = (value),
    PGQRS_STATUS_MAP(PGQRS_STATUS_ENUM)
#undef PGQRS_STATUS_ENUM
} pgqrs_status;

/** The name of the constant, such as "PGQRS_ENOQUEUE"; "PGQRS_?" if unknown. Static text. Any
 * thread. */
PGQRS_API const char *pgqrs_status_name(pgqrs_status status);

/** One line for people, such as "no such queue". Static text. Any thread. */
PGQRS_API const char *pgqrs_status_text(pgqrs_status status);

#ifdef __cplusplus
}
#endif
#endif
