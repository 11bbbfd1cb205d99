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

/** The version of the library that runs, which may be newer than PGQRS_VERSION of the header. Static text. */
PGQRS_API const char *pgqrs_version(void);

#ifdef __cplusplus
}
#endif
#endif
