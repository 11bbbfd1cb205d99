/*
 * A journal: lines that any threads write and a test waits for and compares. And a gate: where
 * handlers wait until the test lets them go on.
 *
 *     ts_journal *journal = ts_journal_new();
 *     options.on_event = ts_journal_event;      writes "STARTED 1", "DONE 1", "DISCONNECTED"
 *     options.event_arg = journal;
 *     ts_journal_await(journal, "DONE", 1);
 *     ts_journal_expect(journal, "STARTED 1\nDONE 1\n");
 *
 * Both live until the test executable ends, so that a thread that outlives a failed test does no
 * harm. Every wait has a deadline of TS_JOURNAL_WAIT_MS.
 */
#ifndef TS_JOURNAL_H
#define TS_JOURNAL_H

#include <pgqrs/worker.h>

#define TS_JOURNAL_WAIT_MS 20000

typedef struct ts_journal ts_journal;

ts_journal *ts_journal_new(void);

/** Writes one line. */
void ts_journal_add(ts_journal *journal, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** An event callback: writes the kind, and the message's id if the event is about a job. */
void ts_journal_event(const pgqrs_event *event, void *journal);

/** The name of a kind of event, without its prefix. */
const char *ts_event_name(pgqrs_event_kind kind);

/** How many lines begin with `start`. */
int ts_journal_count(ts_journal *journal, const char *start);

/** Waits until at least `count` lines begin with `start`. */
void ts_journal_await(ts_journal *journal, const char *start, int count);

/** Asserts what all lines are, each with a line end. */
void ts_journal_expect(ts_journal *journal, const char *wanted);

typedef struct ts_gate ts_gate;

/** A gate that is closed. */
ts_gate *ts_gate_new(void);

/** Waits until it is open. Past the deadline it goes on all the same: the test has failed by
 * then. */
void ts_gate_pass(ts_gate *gate);

/** Waits until `count` have come to the gate, since it was made. */
void ts_gate_await(ts_gate *gate, int count);

/** How many have come to the gate. */
int ts_gate_arrived(ts_gate *gate);

void ts_gate_open(ts_gate *gate);

/** When a test has failed: its handlers must end. */
void ts_gates_open(void);

#endif
