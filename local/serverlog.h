/*
 * A private server's logs: which one it writes to, and why it did not start.
 */
#ifndef PGQRSI_LOCAL_SERVERLOG_H
#define PGQRSI_LOCAL_SERVERLOG_H

#include <pgqrs/error.h>
#include <pgqrs/slice.h>

#include "base/buffer.h"
#include "local/paths.h"

/** The path of the log that the server writes to, or wrote to last; the caller frees it. NULL if
 * memory is short. */
char *pgqrsi_serverlog_current(const pgqrsi_paths *paths);

/** The last fatal error of an attempt to start; empty if no log has one. Points into `text`, which
 * the caller initialised and releases. */
pgqrs_slice pgqrsi_serverlog_reason(const pgqrsi_paths *paths, pgqrsi_buffer *text);

#endif
