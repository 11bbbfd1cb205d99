/*
 * The server's counters, brought up to date. A session reports what it did when it ends, at the
 * latest.
 */
#ifndef TESTS_API_COUNTERS_H
#define TESTS_API_COUNTERS_H

#include "story.h"

/* Ends the connection past the library, opens another one, and has all tables counted. */
static inline void
settle_counters(struct story *s)
{
    int pid = PQbackendPID(s->sql);

    PQfinish(s->sql);
    s->sql = ts_connect(s->dsn);
    ts_wait_until(s->sql, STORY_WAIT_MS, "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = %d",
                  pid);
    ts_sql(s->sql, "ANALYZE");
}

#endif
