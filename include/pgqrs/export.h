/*
 * Marks the exported functions. The library hides all other symbols.
 */
#ifndef PGQRS_EXPORT_H
#define PGQRS_EXPORT_H

#if defined(__GNUC__) || defined(__clang__)
#define PGQRS_API __attribute__((visibility("default")))
#else
#define PGQRS_API
#endif

#endif
