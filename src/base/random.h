/*
 * Random numbers: lease tokens that cannot be guessed or issued twice, and jitter.
 */
#ifndef PGQRSI_BASE_RANDOM_H
#define PGQRSI_BASE_RANDOM_H

#include <stdint.h>

/** A positive 63-bit number from the operating system; 0 if it has none to give. */
int64_t pgqrsi_random_token(void);

/** `value` changed by up to a fifth, either way, so that many processes do not act at once. */
int64_t pgqrsi_random_jitter(int64_t value);

#endif
