/*
 * How a symbol of this library is exported. Nothing else is visible outside of it.
 */
#ifndef PGQRS_EXPORT_H
#define PGQRS_EXPORT_H

#if defined(__GNUC__) || defined(__clang__)
#define PGQRS_API __attribute__((visibility("default")))
#else
#define PGQRS_API
#endif

#endif
