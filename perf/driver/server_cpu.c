/*
 * Processor time of the server, as /proc shows it: its first process, that one's children, and
 * ended ones.
 */
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "driver.h"

/* Clock ticks that a process and its ended children have used. */
static bool
read_ticks(long long pid, long long *out)
{
    static const char format[] =
        "%*d (postgres) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lld %lld %lld %lld";
    long long times[4];
    char path[64];
    int found;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%lld/stat", pid);
    file = fopen(path, "r");
    if (file == NULL)
        return false;
    found = fscanf(file, format, &times[0], &times[1], &times[2], &times[3]);
    fclose(file);
    if (found == 4)
        *out = times[0] + times[1] + times[2] + times[3];
    return found == 4;
}

double
driver_server_cpu(void)
{
    const char *server = getenv("PERF_SERVER_PID");
    long long ticks, sum, child;
    char path[100];
    FILE *file;

    if (server == NULL || !read_ticks(atoll(server), &sum))
        return NAN;
    snprintf(path, sizeof(path), "/proc/%.20s/task/%.20s/children", server, server);
    file = fopen(path, "r");
    if (file == NULL)
        return NAN;
    while (fscanf(file, "%lld", &child) == 1)
        if (read_ticks(child, &ticks))
            sum += ticks;
    fclose(file);
    return (double)sum / (double)sysconf(_SC_CLK_TCK);
}
