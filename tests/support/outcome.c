#include "outcome.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "check.h"
#include "sql.h"

#define PAUSE_NS 10000000
#define SHOWN 20

static int
count_archived(PGconn *sql, const char *condition)
{
    return (int)ts_int(sql, "SELECT count(*) FROM pgqrs_archive WHERE %s", condition);
}

/* Some messages, stored or archived, those first that were not simply done, with what was counted
 * for each. The caller frees the text. */
static char *
show(PGconn *sql)
{
    return ts_text(
        sql,
        "SELECT coalesce(string_agg(line, E'\\n'), 'no message at all') FROM ("
        "SELECT format('%%s in queue %%s: %%s, read %%s, failed %%s, crashed %%s%%s', id, "
        "queue_id, state, read_ct, failed_ct, crash_ct, error) AS line FROM ("
        "SELECT id, queue_id, 'stored' AS state, read_ct, failed_ct, crash_ct, "
        "CASE WHEN lease_token IS NOT NULL THEN ', leased' END AS error FROM pgqrs_messages "
        "UNION ALL SELECT id, queue_id, outcome, read_ct, failed_ct, crash_ct, ', ' || error "
        "FROM pgqrs_archive) AS messages "
        "ORDER BY read_ct = 1 AND failed_ct = 0 AND state = 'done', id LIMIT %d) AS lines",
        SHOWN);
}

void
ts_outcome_await(PGconn *sql, int count, const char *condition)
{
    const struct timespec pause = { .tv_nsec = PAUSE_NS };
    struct timespec start, now;

    clock_gettime(CLOCK_MONOTONIC, &start);
    while (count_archived(sql, condition) != count) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec - start.tv_sec > TS_OUTCOME_WAIT_MS / 1000)
            ts_fail("%d and not %d messages were archived with %s after %d ms:\n%s",
                    count_archived(sql, condition), count, condition, TS_OUTCOME_WAIT_MS,
                    show(sql));
        nanosleep(&pause, NULL);
    }
}

void
ts_outcome_expect(PGconn *sql, int count, const char *condition)
{
    int found = count_archived(sql, condition);

    if (found != count)
        ts_fail("%d and not %d messages were archived with %s:\n%s", found, count, condition,
                show(sql));
}

void
ts_outcome_expect_no_crash(PGconn *sql)
{
    if (ts_int(sql, "SELECT (SELECT count(*) FROM pgqrs_messages WHERE crash_ct > 0) + (SELECT "
                    "count(*) FROM pgqrs_archive WHERE crash_ct > 0)") != 0)
        ts_fail("messages were charged a crash:\n%s", show(sql));
}
