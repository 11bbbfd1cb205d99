#include "input/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static volatile sig_atomic_t came;

/* Somebody who has just looked at `came` and is about to wait would miss a signal; a byte in a pipe
 * waits for him. */
static int wake_fds[2];

static void
note(int signal_number)
{
    int saved = errno;
    ssize_t written;

    came = signal_number;
    written = write(wake_fds[1], "", 1);
    (void)written; /* if it is full it is readable already */
    errno = saved;
}

int
cli_interrupt_watch(void)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
    struct sigaction action = { .sa_handler = note, .sa_flags = (int)SA_RESETHAND }, before;

    if (pipe2(wake_fds, O_CLOEXEC | O_NONBLOCK) != 0)
        return -1;
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler == SIG_DFL)
            sigaction(signals[i], &action, NULL);
    return wake_fds[0];
}

int
cli_interrupt_signal(void)
{
    return came;
}
