/*
 * The server's processes as /proc shows them: the postmaster, its children, and what ended ones have used.
 */
#include <ctype.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "measure.h"
#include "statement.h"

struct process {
    int64_t parent;
    int64_t own_ticks;    /* user and system */
    int64_t reaped_ticks; /* of children that have ended */
};

/* 1 if `pid` is there and its entry can be read. */
static int
read_process(int64_t pid, struct process *out)
{
    char path[64], line[1024];
    long long parent;
    unsigned long long user, system;
    long long reaped_user, reaped_system;
    const char *p;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%lld/stat", (long long)pid);
    file = fopen(path, "r");
    if (file == NULL)
        return 0;
    p = fgets(line, sizeof(line), file);
    fclose(file);
    /* The name, in parentheses, may hold anything; the numbers follow its last one. */
    p = p != NULL ? strrchr(line, ')') : NULL;
    if (p == NULL)
        return 0;
    if (sscanf(p + 1, " %*c %lld %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %lld %lld", &parent, &user,
               &system, &reaped_user, &reaped_system) != 5)
        return 0;
    out->parent = parent;
    out->own_ticks = (int64_t)(user + system);
    out->reaped_ticks = reaped_user + reaped_system;
    return 1;
}

/* Backends show "postgres: ..." in ps. Another machine's process number may be anything here. */
static int
is_backend(int64_t pid)
{
    static const char prefix[] = "postgres: ";
    char path[64], title[sizeof(prefix)] = "";
    size_t size;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%lld/cmdline", (long long)pid);
    file = fopen(path, "r");
    if (file == NULL)
        return 0;
    size = fread(title, 1, strlen(prefix), file);
    fclose(file);
    return size == strlen(prefix) && memcmp(title, prefix, size) == 0;
}

int
bench_server_find(bench_run *run, bench_server *out)
{
    struct process process;
    int64_t pid;
    int is_local;
    PGresult *result =
        bench_statement_run(run, run->observer, BENCH_SQL_BACKEND, 0, NULL, 0, "find the server's processes");

    *out = (bench_server){ 0 };
    if (result == NULL)
        return -1;
    pid = bench_statement_integer(result, 0);
    is_local = strcmp(PQgetvalue(result, 0, 1), "t") == 0;
    PQclear(result);
    if (is_local && !run->pooled && is_backend(pid) && read_process(pid, &process))
        out->postmaster_pid = process.parent;
    return 0;
}

double
bench_server_cpu(const bench_server *server)
{
    struct process process;
    struct dirent *entry;
    int64_t ticks;
    DIR *folder;

    if (server->postmaster_pid == 0 || !read_process(server->postmaster_pid, &process))
        return NAN;
    ticks = process.own_ticks + process.reaped_ticks;
    folder = opendir("/proc");
    if (folder == NULL)
        return NAN;
    for (entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (isdigit((unsigned char)entry->d_name[0]) &&
            read_process(strtoll(entry->d_name, NULL, 10), &process) &&
            process.parent == server->postmaster_pid)
            ticks += process.own_ticks + process.reaped_ticks;
    }
    closedir(folder);
    return (double)ticks / (double)sysconf(_SC_CLK_TCK);
}
