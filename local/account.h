/*
 * Who runs PostgreSQL's programs, and with which environment.
 *
 * They refuse to run as root, so root hands them to the account `postgres`; everybody else runs
 * them himself.
 */
#ifndef PGQRSI_LOCAL_ACCOUNT_H
#define PGQRSI_LOCAL_ACCOUNT_H

#include <stddef.h>
#include <sys/types.h>

#include <pgqrs/error.h>

typedef struct pgqrsi_account {
    int switches; /* 1: this process is root, and programs run as another account */
    int missing;  /* 1: that account does not exist; the members below mean nothing */
    uid_t uid;
    gid_t gid;
    gid_t *groups; /* if switches */
    int group_count;
    char *home; /* if switches */
} pgqrsi_account;

/** Finds out. A missing account is no failure yet. Call release even on failure. */
pgqrs_status pgqrsi_account_init(pgqrsi_account *account, pgqrs_error *err);

void pgqrsi_account_release(pgqrsi_account *account);

/** PGQRS_OK, or PGQRS_ECONNECT if the account is missing, saying how to get it. */
pgqrs_status pgqrsi_account_require(const pgqrsi_account *account, pgqrs_error *err);

/**
 * A copy of this process's environment for the programs: without PostgreSQL's variables (they would
 * point at some other server), in English (messages are shown), and with the account's home. NULL
 * if memory is short. `data` becomes PGDATA unless it is NULL. Free it with
 * pgqrsi_account_environment_free.
 */
char **pgqrsi_account_environment(const pgqrsi_account *account, const char *data);

void pgqrsi_account_environment_free(char **environment);

#endif
