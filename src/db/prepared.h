/*
 * For src/db only: the statements that one connection has prepared on the server.
 *
 * A statement is prepared when it runs for the second time: a command that runs each statement once
 * saves the round trip. Each prepared statement costs the server memory. At most
 * PGQRSI_PREPARED_MAX are kept; the least recently used one is dropped for a statement that runs
 * more often. If more statements than that run in turn, they do not evict each other: the rest run
 * unprepared.
 *
 *   unknown ---> SEEN ---> PREPARING ---> PREPARED ---> DROPPING ---> unknown
 *                  ^           |             ^              |
 *                  +-- failed -+             +--- failed ---+
 *
 * No I/O: the caller sends the statements that these functions name, and passes the outcomes back.
 */
#ifndef PGQRSI_DB_PREPARED_H
#define PGQRSI_DB_PREPARED_H

#include <stddef.h>
#include <stdint.h>

#define PGQRSI_PREPARED_MAX 256

/* Statements that are remembered, prepared or not: sets of a few, found by the serial. */
#define PGQRSI_PREPARED_SETS 128
#define PGQRSI_PREPARED_WAYS 8

typedef struct pgqrsi_prepared {
    size_t count;  /* prepared, or being so */
    uint64_t uses; /* the clock of `used` */
    struct pgqrsi_prepared_entry {
        uint64_t serial; /* of the statement */
        uint64_t used;   /* when it was run last */
        int state;       /* see the diagram; 0: unknown, a free place */
    } entries[PGQRSI_PREPARED_SETS][PGQRSI_PREPARED_WAYS];
} pgqrsi_prepared;

/** How to run a statement. */
typedef enum pgqrsi_run_as {
    PGQRSI_RUN_UNNAMED,
    PGQRSI_RUN_NAMED,
    PGQRSI_RUN_PREPARE,     /* prepare it, then run it by name */
    PGQRSI_RUN_DROP_PREPARE /* drop *victim, prepare it, then run it by name */
} pgqrsi_run_as;

/** Decides for the statement `serial`, which is about to be run. What is to be prepared or dropped
 * then counts as being so until the function below is called. */
pgqrsi_run_as pgqrsi_prepared_plan(pgqrsi_prepared *prepared, uint64_t serial, uint64_t *victim);

/** The server answered the preparation, or the dropping, of `serial`; `succeeded` is 0 if it failed
 * or was skipped. */
void pgqrsi_prepared_settle(pgqrsi_prepared *prepared, uint64_t serial, int succeeded);

#endif
