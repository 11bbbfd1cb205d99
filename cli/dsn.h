/*
 * Connection strings, as far as passwords go.
 */
#ifndef PGQRS_CLI_DSN_H
#define PGQRS_CLI_DSN_H

/** 1 if `dsn`, a URI or key=value pairs, seems to hold a password, else 0. */
int cli_dsn_has_password(const char *dsn);

#endif
