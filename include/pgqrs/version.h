/*
 * The version of this library.
 */
#ifndef PGQRS_VERSION_H
#define PGQRS_VERSION_H

#include <pgqrs/export.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PGQRS_VERSION "0.1.0"

/** The version of the running library, which can be newer than the header's PGQRS_VERSION. Static
 * text. Any thread. */
PGQRS_API const char *pgqrs_version(void);

#ifdef __cplusplus
}
#endif
#endif
