/*
 * The parameters of one statement, in the order of $1, $2, ..., in PostgreSQL's binary format:
 * nothing is quoted, and nothing can be injected.
 *
 * Life cycle: zero-initialise (PGQRSI_PARAMS_INIT), add, run, release. If an add runs out of
 * memory, the run reports it. One thread at a time.
 */
#ifndef PGQRSI_DB_PARAMS_H
#define PGQRSI_DB_PARAMS_H

#include <stdint.h>

#include <pgqrs/slice.h>

#include "base/buffer.h"

#define PGQRSI_PARAMS_MAX 16

typedef struct pgqrsi_params {
    pgqrsi_buffer bytes;
    int count;
    int failed; /* more than PGQRSI_PARAMS_MAX, which is a mistake in this library */
    struct pgqrsi_param {
        size_t offset; /* into bytes */
        int length;
        int is_null;
        uint32_t type; /* the PostgreSQL type's OID */
    } at[PGQRSI_PARAMS_MAX];
} pgqrsi_params;

#define PGQRSI_PARAMS_INIT                                                                         \
    {                                                                                              \
        .bytes = PGQRSI_BUFFER_INIT                                                                \
    }

void pgqrsi_params_release(pgqrsi_params *params);

/** A bigint. */
void pgqrsi_params_add_int(pgqrsi_params *params, int64_t value);

/** A bigint, or NULL if it is 0. */
void pgqrsi_params_add_id(pgqrsi_params *params, int64_t value);

/** Text or jsonb; NULL if the slice's data is NULL. */
void pgqrsi_params_add_text(pgqrsi_params *params, pgqrs_slice value);
void pgqrsi_params_add_json(pgqrsi_params *params, pgqrs_slice value);

/** Arrays: start one of `count` elements, add exactly as many, end it. */
void pgqrsi_params_start_ints(pgqrsi_params *params, size_t count);
void pgqrsi_params_start_texts(pgqrsi_params *params, size_t count);
void pgqrsi_params_start_jsons(pgqrsi_params *params, size_t count);
void pgqrsi_params_element_int(pgqrsi_params *params, int64_t value);
void pgqrsi_params_element_text(pgqrsi_params *params, pgqrs_slice value);
void pgqrsi_params_element_json(pgqrsi_params *params, pgqrs_slice value);
void pgqrsi_params_end_array(pgqrsi_params *params);

#endif
