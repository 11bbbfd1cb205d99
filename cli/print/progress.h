/*
 * A progress line on a terminal: one line of standard error that is rewritten in place.
 *
 * Life cycle: start, any number of updates, end. There is a line only if standard error is a
 * terminal that can move its cursor (TERM is set and not "dumb"); otherwise start returns NULL,
 * which every function here takes and then does nothing. Nothing is drawn more often than ten times
 * a second, and only when the caller calls: there is no thread and no timer. Before anything else
 * is written to standard error call progress_clear; the next update draws again.
 */
#ifndef PGQRS_CLI_PROGRESS_H
#define PGQRS_CLI_PROGRESS_H

#include <stdint.h>

struct progress;

/** Starts a line that begins with `title` (copied). `total` is what `done` will reach, in any unit;
 * 0: not known. */
struct progress *progress_start(const char *title, int64_t total);

/** Says that `done` of the total is done, with `note` (may be NULL) at the end. Both texts must be
 * printable; the line is cut at the terminal's width. */
void progress_update(struct progress *progress, int64_t done, const char *note);

/** Takes the line off the terminal, so that a message can be written. */
void progress_clear(struct progress *progress);

/** Takes the line off for good and frees `progress`. */
void progress_end(struct progress *progress);

#endif
