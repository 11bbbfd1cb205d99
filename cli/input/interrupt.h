/*
 * A long command that is asked to stop, by SIGINT, SIGTERM or SIGHUP, may first say how far it
 * came.
 */
#ifndef PGQRS_CLI_INTERRUPT_H
#define PGQRS_CLI_INTERRUPT_H

/** From now on the first of these signals is noted only; the second ends the process as usual.
 * Signals that are ignored, as nohup ignores SIGHUP, stay so. Returns a descriptor that is readable
 * from then on, for a caller that waits for something else, or -1 with errno set. */
int cli_interrupt_watch(void);

/** The signal that came, or 0. */
int cli_interrupt_signal(void);

#endif
