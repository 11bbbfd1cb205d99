#include "folder.h"

#include <errno.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "check.h"

/* The one folder that holds all others of this process; "" before the first is asked for. */
static char base[256];

static int
remove_entry(const char *path, const struct stat *entry, int kind, struct FTW *position)
{
    (void)entry;
    (void)kind;
    (void)position;
    return remove(path);
}

static void
remove_base(void)
{
    if (ts_is_owner() && nftw(base, remove_entry, 16, FTW_DEPTH | FTW_PHYS) != 0)
        fprintf(stderr, "could not remove the temporary folder \"%s\": %s\n", base,
                strerror(errno));
}

static char *
format_list(const char *format, va_list arguments)
{
    char *text;

    if (vasprintf(&text, format, arguments) < 0)
        ts_fail("out of memory");
    return text;
}

char *
ts_format(const char *format, ...)
{
    va_list arguments;
    char *text;

    va_start(arguments, format);
    text = format_list(format, arguments);
    va_end(arguments);
    return text;
}

char *
ts_tmpdir(void)
{
    const char *parent = getenv("TMPDIR");
    char *path;

    if (base[0] == '\0') {
        snprintf(base, sizeof(base), "%s/ts.XXXXXX",
                 parent != NULL && *parent != '\0' ? parent : "/tmp");
        if (mkdtemp(base) == NULL)
            ts_fail("could not make a temporary folder like \"%s\": %s", base, strerror(errno));
        atexit(remove_base);
    }
    path = ts_format("%s/XXXXXX", base);
    if (mkdtemp(path) == NULL)
        ts_fail("could not make a temporary folder like \"%s\": %s", path, strerror(errno));
    return path;
}

char *
ts_path(const char *format, ...)
{
    const char *root = getenv("PGQRS_TEST_SOURCE_DIR");
    va_list arguments;
    char *relative, *path;

    va_start(arguments, format);
    relative = format_list(format, arguments);
    va_end(arguments);
    path = ts_format("%s/%s", root != NULL ? root : TS_SOURCE_DIR, relative);
    free(relative);
    return path;
}

char *
ts_file(const char *name, const char *content)
{
    char *folder = ts_tmpdir();
    char *path = ts_format("%s/%s", folder, name);
    FILE *file = fopen(path, "w");

    if (file == NULL || fputs(content, file) < 0 || fclose(file) != 0)
        ts_fail("could not write \"%s\": %s", path, strerror(errno));
    free(folder);
    return path;
}
