#include "work/early_stop.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

/* 1: nothing was begun. */
static volatile sig_atomic_t is_early;

static void
end(int signal_number)
{
    static const char text[] = "pgqrs: told to stop before the work began; nothing was claimed\n";
    ssize_t written;

    if (!is_early)
        _exit(128 + signal_number);
    written = write(STDERR_FILENO, text, sizeof(text) - 1);
    (void)written; /* the process ends in any case */
    _exit(0);
}

static void
handle(void)
{
    static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
    struct sigaction action = { .sa_handler = end }, before;

    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(signals[i], &action, NULL);
}

void
early_stop_as_first_process(void)
{
    if (getpid() == 1)
        handle();
}

void
early_stop_begin(void)
{
    is_early = 1;
    handle();
}

void
early_stop_end(void)
{
    is_early = 0;
}
