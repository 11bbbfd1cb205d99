/*
 * Support for tests on a real PostgreSQL server: includes all of it, and cmocka.
 *
 *     char *dsn = ts_database();                      a new database with pgqrs installed
 *     pgqrs_client *client = ts_client(dsn, NULL);    a client on it
 *     TS_OK(pgqrs_queue_create(client, ..., err), err);
 *     PGconn *sql = ts_connect(dsn);                  to see what is stored
 *     assert_int_equal(ts_int(sql, "SELECT count(*) FROM pgqrs_queues"), 1);
 *
 * Everything here ends the running test with a message when something goes wrong, so nothing
 * returns a failure. What is made (databases, servers, folders, processes) goes away when the test
 * executable ends, even by a crash.
 */
#ifndef TS_SUPPORT_H
#define TS_SUPPORT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pgqrs.h>

#include "check.h"
#include "client.h"
#include "cluster.h"
#include "database.h"
#include "folder.h"
#include "found.h"
#include "process.h"
#include "sql.h"

#endif
