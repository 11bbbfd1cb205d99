/*
 * Signals that ask the process to end before it has begun: while it reads its settings and
 * connects.
 *
 * The kernel drops a signal without a handler that is sent to the first process of a container, so
 * there they need one from the first line of main on.
 */
#ifndef PGQRS_CLI_EARLY_STOP_H
#define PGQRS_CLI_EARLY_STOP_H

/** For the first process of a container: from now on SIGTERM, SIGINT and SIGHUP end it, as they end
 * any other process, with the exit code 128 and the signal's number. Does nothing for other
 * processes. */
void early_stop_as_first_process(void);

/** From now on these signals end the process at once and with success: nothing was begun. Signals
 * that are ignored, as nohup ignores SIGHUP, stay so. */
void early_stop_begin(void);

/** Something was begun: from now on these signals end the process with 128 and the signal's
 * number. */
void early_stop_end(void);

#endif
