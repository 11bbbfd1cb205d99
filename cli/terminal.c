#include "terminal.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "number.h"

#define USUAL_WIDTH 80
#define MIN_WIDTH 40
#define MAX_WIDTH 10000

size_t
cli_terminal_width(int fd)
{
    const char *columns = getenv("COLUMNS");
    struct winsize size = { 0 };
    int64_t width = USUAL_WIDTH;

    if (columns != NULL && cli_number_parse(columns, 1, MAX_WIDTH, &width) == 0)
        return width < MIN_WIDTH ? MIN_WIDTH : (size_t)width;
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        width = size.ws_col;
    return width < MIN_WIDTH ? MIN_WIDTH : (size_t)width;
}
