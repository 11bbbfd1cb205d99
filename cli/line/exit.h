/*
 * Exit codes: one table of what each means, and which failure of the library gives which.
 */
#ifndef PGQRS_CLI_EXIT_H
#define PGQRS_CLI_EXIT_H

#include <stddef.h>

#include <pgqrs.h>

/* X(name, value, meaning): 0, 1, the codes of sysexits.h, and that of SIGPIPE. The manual page is
 * made from it. */
#define CLI_EXIT_MAP(X)                                                                            \
    X(OK, 0, "Success. Emptiness is success too: no message was due, the list is empty.")          \
    X(FAILED, 1,                                                                                   \
      "What was asked about failed: no such queue or message, the queue exists, the lease is "     \
      "lost, the "                                                                                 \
      "message is leased by another consumer, _verify_ found a problem, a message of _work "       \
      "--until-empty_ "                                                                            \
      "is "                                                                                        \
      "dead.")                                                                                     \
    X(USAGE, 64,                                                                                   \
      "Wrong usage: an unknown command or option, a number out of range, a refused name.")         \
    X(DATA, 65, "A payload, headers, a result or a line of a file was refused.")                   \
    X(NOINPUT, 66, "The input file cannot be opened or read.")                                     \
    X(UNAVAILABLE, 69,                                                                             \
      "No server, no schema, not installed, a schema of another version, or no PostgreSQL "        \
      "programs.")                                                                                 \
    X(SOFTWARE, 70, "The server reported an error.")                                               \
    X(OSERR, 71, "Out of memory, or a call to the operating system failed.")                       \
    X(CANTCREAT, 73, "The file of _--out_ or _--log-dest_ cannot be created.")                     \
    X(IOERR, 74, "The output could not be written.")                                               \
    X(TEMPFAIL, 75,                                                                                \
      "The deadline passed, the outcome is unknown, or a rate limit is reached: try again.")       \
    X(NOPERM, 77, "The login was refused, or the database role lacks a privilege.")                \
    X(CONFIG, 78, "A setting is missing or wrong.")                                                \
    X(PIPE, 141, "The reader of the output went away, such as _head_: ended by SIGPIPE, silently.")

enum cli_exit {
#define CLI_EXIT_ENUM(name, value, meaning) CLI_EXIT_##name = (value),
    CLI_EXIT_MAP(CLI_EXIT_ENUM)
#undef CLI_EXIT_ENUM
};

/** One row of the table. Static texts. */
typedef struct cli_exit_row {
    int code;
    const char *meaning;
} cli_exit_row;

/** The `index`-th row by code; NULL after the last. */
const cli_exit_row *cli_exit_at(size_t index);

/** The exit code for `status`. */
int cli_exit_of(pgqrs_status status);

#endif
