/*
 * Memory that runs out on demand: while it is armed, the nth allocation fails, or that and all
 * later ones.
 *
 * Two circles can be drawn around whose allocations count. What the library itself asks for goes
 * through the linker's --wrap (see tests/meson.build), with sanitizers too. What libpq asks for as
 * well goes through malloc and its like, which this executable defines in place of the C library's;
 * a sanitizer does the same, so then there is no second circle.
 *
 * One thread. Included by one file of an executable.
 */
#ifndef TESTS_MEMORY_FAILING_H
#define TESTS_MEMORY_FAILING_H

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define FAILING_HAS_SANITIZER
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FAILING_HAS_SANITIZER
#endif
#if defined(__GLIBC__) && !defined(FAILING_HAS_SANITIZER)
#define FAILING_REACHES_LIBPQ
#endif

typedef enum failing_circle { FAILING_LIBRARY, FAILING_ALL } failing_circle;

static struct {
    int armed;
    failing_circle circle;
    int forever; /* all later ones fail too */
    long left;   /* allocations until the first that fails */
    long failed; /* how many did */
} failing;

static inline void
failing_arm(failing_circle circle, int forever, long nth)
{
    failing.circle = circle;
    failing.forever = forever;
    failing.left = nth;
    failing.failed = 0;
    failing.armed = 1;
}

/* Memory is back. Returns how many allocations failed. */
static inline long
failing_disarm(void)
{
    failing.armed = 0;
    return failing.failed;
}

static inline int
failing_refuses(failing_circle circle)
{
    if (!failing.armed || failing.circle != circle)
        return 0;
    if (failing.left > 0)
        failing.left--;
    if (failing.left > 0 || (failing.failed > 0 && !failing.forever))
        return 0;
    failing.failed++;
    errno = ENOMEM;
    return 1;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t size);
int __wrap_vasprintf(char **out, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
int __wrap_asprintf(char **out, const char *format, ...) __attribute__((format(printf, 2, 3)));
int __wrap___vasprintf_chk(char **out, int flag, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));
int __wrap___asprintf_chk(char **out, int flag, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

void *
__wrap_malloc(size_t size)
{
    return failing_refuses(FAILING_LIBRARY) ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t count, size_t size)
{
    return failing_refuses(FAILING_LIBRARY) ? NULL : __real_calloc(count, size);
}

void *
__wrap_realloc(void *old, size_t size)
{
    return failing_refuses(FAILING_LIBRARY) ? NULL : __real_realloc(old, size);
}

char *
__wrap_strdup(const char *text)
{
    return failing_refuses(FAILING_LIBRARY) ? NULL : __real_strdup(text);
}

char *
__wrap_strndup(const char *text, size_t size)
{
    return failing_refuses(FAILING_LIBRARY) ? NULL : __real_strndup(text, size);
}

/* Counts as one allocation. vsnprintf, because vasprintf and its checked sister are both wrapped.
 * The failed one leaves rubbish behind, as the C library may. */
static inline int __attribute__((format(printf, 2, 0)))
failing_format(char **out, const char *format, va_list args)
{
    va_list again;
    int size;

    *out = (char *)(size_t)1;
    if (failing_refuses(FAILING_LIBRARY))
        return -1;
    va_copy(again, args);
    size = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (size < 0)
        return -1;
    *out = __real_malloc((size_t)size + 1);
    return *out != NULL ? vsnprintf(*out, (size_t)size + 1, format, args) : -1;
}

int
__wrap_vasprintf(char **out, const char *format, va_list args)
{
    return failing_format(out, format, args);
}

int
__wrap_asprintf(char **out, const char *format, ...)
{
    va_list args;
    int size;

    va_start(args, format);
    size = failing_format(out, format, args);
    va_end(args);
    return size;
}

/* With _FORTIFY_SOURCE the two above are called by these names. */
int
__wrap___vasprintf_chk(char **out, int flag, const char *format, va_list args)
{
    (void)flag;
    return failing_format(out, format, args);
}

int
__wrap___asprintf_chk(char **out, int flag, const char *format, ...)
{
    va_list args;
    int size;

    (void)flag;
    va_start(args, format);
    size = failing_format(out, format, args);
    va_end(args);
    return size;
}

#ifdef FAILING_REACHES_LIBPQ
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

void *
malloc(size_t size)
{
    return failing_refuses(FAILING_ALL) ? NULL : __libc_malloc(size);
}

void *
calloc(size_t count, size_t size)
{
    return failing_refuses(FAILING_ALL) ? NULL : __libc_calloc(count, size);
}

void *
realloc(void *old, size_t size)
{
    return failing_refuses(FAILING_ALL) ? NULL : __libc_realloc(old, size);
}
#endif

#endif
