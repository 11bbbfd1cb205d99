/*
 * What a child has written, turned into what a message keeps: a JSON result or the text of an
 * error. Bytes that are not UTF-8, and zero bytes, which PostgreSQL's text cannot hold, become
 * U+FFFD.
 */
#ifndef PGQRS_CLI_WORK_TEXT_H
#define PGQRS_CLI_WORK_TEXT_H

#include <stddef.h>

#include <pgqrs/slice.h>

/** `output` without the one line end that most programs put at their end. */
pgqrs_slice work_text_trim(pgqrs_slice output);

/** 0 if `output` cannot be a JSON value, judged by its first and last characters; 1 if it may be
 * one. */
int work_text_may_be_json(pgqrs_slice output);

/** `output` as a JSON string of at most `max_bytes`, the rest cut at a character. The caller frees
 * the result; NULL: no memory. */
char *work_text_to_json(pgqrs_slice output, size_t max_bytes, size_t *out_size);

/** How a child ended, by the `status` of waitpid, and the end of its standard error, as UTF-8 text:
 * "exit status 3: no such file". The caller frees the result; NULL: no memory. */
char *work_text_of_failure(int status, pgqrs_slice tail);

#endif
