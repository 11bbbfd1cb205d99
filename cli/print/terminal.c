#include "print/terminal.h"

#include <stdlib.h>
#include <sys/ioctl.h>

#define USUAL_WIDTH 80
#define MIN_WIDTH 40
#define MAX_WIDTH 10000

/* What the variable COLUMNS says, 0 if that is no sensible number. */
static long
asked_width(void)
{
    const char *columns = getenv("COLUMNS");
    char *end = NULL;
    long width = columns != NULL ? strtol(columns, &end, 10) : 0;

    return width > 0 && width <= MAX_WIDTH && *end == '\0' ? width : 0;
}

size_t
cli_terminal_width(int fd)
{
    struct winsize size = { 0 };
    long width = asked_width();

    if (width == 0)
        width = ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : USUAL_WIDTH;
    return width < MIN_WIDTH ? MIN_WIDTH : (size_t)width;
}
