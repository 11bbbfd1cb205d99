/*
 * The server that tests share, and a database of one's own on it for each test.
 *
 * The server is the one that PGQRS_TEST_SERVER names (scripts/test starts one for all). Without it
 * the first call starts one for this executable alone. It runs with fsync off, which
 * pgqrs_admin_verify warns of. Its role `locked` must log in with the password `right-password`.
 */
#ifndef TS_DATABASE_H
#define TS_DATABASE_H

#include <libpq-fe.h>

/** The server as a connection string without a database's name. Kept for the life of the
 * process. */
const char *ts_server(void);

/** A new database with pgqrs installed in its schema public, as a connection string that the caller
 * frees. UTF-8, dropped at exit with all connections to it. */
char *ts_database(void);

/** A new database without pgqrs; as ts_database. */
char *ts_empty_database(void);

/** From now on the queues of `schema` get the numbers 1, 2 and so on instead of random ones, so
 * that tests can name their tables. Databases of ts_database are like that. */
void ts_number_queues(PGconn *connection, const char *schema);

/** As ts_database, on another server, and not dropped at exit. */
char *ts_database_on(const char *server);

#endif
