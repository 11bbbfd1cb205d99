/*
 * A keeper: a helper process that runs one of the with-... scripts, and with it a server, until we
 * let go of it or die.
 *
 * It holds the reading end of a pipe and ends when the pipe does. So not even a SIGKILL of the test
 * leaves a server behind.
 */
#ifndef TS_KEEPER_H
#define TS_KEEPER_H

typedef struct ts_keeper ts_keeper;

/** Runs `script` of this folder with up to two arguments (NULL for none), which starts a server,
 * and reads the environment variable `variable` that it sets for its command. Free it, or leave it
 * to the exit. */
ts_keeper *ts_keeper_start(const char *script, const char *argument, const char *value,
                           const char *variable);

/** What the variable held, valid as long as `keeper`. */
const char *ts_keeper_text(const ts_keeper *keeper);

/** Ends the keeper and waits until the server is gone; NULL is fine. */
void ts_keeper_free(ts_keeper *keeper);

#endif
