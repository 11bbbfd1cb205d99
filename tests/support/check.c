#include "check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define EXIT_CHILD_FAILED 99

static pid_t owner;

/* Line by line, or a child's exit repeats what its parent had not written yet, and a crash loses
 * it. */
__attribute__((constructor)) static void
begin(void)
{
    owner = getpid();
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
}

int
ts_is_owner(void)
{
    return getpid() == owner;
}

void
ts_fail_at(const char *file, int line, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fflush(stdout);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    if (!ts_is_owner()) {
        fprintf(stderr, "%s:%d: failed in the forked process %d\n", file, line, (int)getpid());
        _exit(EXIT_CHILD_FAILED);
    }
    if (gettid() != getpid()) {
        fprintf(stderr, "%s:%d: failed in a thread; no further test of this executable can run\n",
                file, line);
        abort();
    }
    _fail(file, line);
    abort();
}

void
ts_check_status(pgqrs_status wanted, pgqrs_status got, const pgqrs_error *err,
                const char *expression, const char *file, int line)
{
    if (got == wanted)
        return;
    ts_fail_at(file, line, "%s\nreturned %s instead of %s: %s", expression, pgqrs_status_name(got),
               pgqrs_status_name(wanted),
               got == PGQRS_OK ? "it succeeded"
               : err != NULL   ? pgqrs_error_message(err)
                               : pgqrs_status_text(got));
}
