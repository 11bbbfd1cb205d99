/*
 * How wide a terminal is.
 */
#ifndef PGQRS_CLI_TERMINAL_H
#define PGQRS_CLI_TERMINAL_H

#include <stddef.h>

/** The columns of the terminal `fd`: what COLUMNS says, else what the terminal says; 80 if `fd` is
 * none. Never fewer than 40. */
size_t cli_terminal_width(int fd);

#endif
