/*
 * What connection strings look like, and where they may hold a password.
 */
#ifndef PGQRS_CLI_DSN_H
#define PGQRS_CLI_DSN_H

/** How the DSN of a private server begins; its name follows, if it is not the default one. */
#define CLI_LOCAL_DSN "local:"

/** 1 if `text` begins with postgres:// or postgresql://, in any case. */
int cli_dsn_is_postgres_uri(const char *text);

/** 1 if `text` may hold a password: a URI with a user, or key=value pairs with one of that name.
 * Rather too often than not: what may hold one is never shown. */
int cli_dsn_may_hold_password(const char *text);

/** Copies the arguments, and then overwrites in `argv` every value of --dsn, and whatever else may
 * hold a password before "--": the kernel shows that memory to all users of the machine. Returns
 * the copies, ended by NULL, to be released, or NULL without memory. */
char **cli_dsn_hide(int argc, char **argv);

/** Wipes and frees the copies. NULL is fine. */
void cli_dsn_release(char **arguments);

#endif
