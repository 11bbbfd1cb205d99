/*
 * What the tests of replays share: dead messages, their copies, and a look at one column.
 */
#ifndef TESTS_API_DYING_H
#define TESTS_API_DYING_H

#include "story.h"

#include <pgqrs/archive.h>
#include <pgqrs/replay.h>

/* Sends a message into the empty queue and lets it die with `error`. */
static inline int64_t
die_with(struct story *s, const char *payload, const pgqrs_enqueue_options *options,
         const char *error)
{
    pgqrs_fail_options for_good = PGQRS_FAIL_OPTIONS_INIT;
    int64_t id;

    ts_sql(s->sql, "DELETE FROM pgqrs_messages_1");
    id = story_send_with(s, payload, options);
    for_good.mode = PGQRS_FAIL_FOR_GOOD;
    for_good.error = text(error);
    TS_OK(pgqrs_consumer_fail(s->consumer, story_take_one(s, s->consumer), &for_good, NULL, s->err),
          s->err);
    return id;
}

static inline int64_t
die(struct story *s, const char *payload)
{
    return die_with(s, payload, NULL, "broken");
}

static inline int64_t
replay_with(struct story *s, int64_t id, const pgqrs_replay_options *options)
{
    pgqrs_enqueued copy = { 0 };

    TS_OK(pgqrs_archive_replay(s->client, text("jobs"), id, options, &copy, s->err), s->err);
    assert_false(copy.duplicate);
    assert_false(copy.differs);
    assert_true(copy.id > id);
    return copy.id;
}

static inline char *
column(const struct story *s, const char *table, const char *name, int64_t id)
{
    return ts_text(s->sql, "SELECT coalesce((%s)::text, '(null)') FROM %s WHERE id = %lld", name,
                   table, (long long)id);
}

static inline void
expect(const struct story *s, const char *table, const char *name, int64_t id, const char *expected)
{
    char *found = column(s, table, name, id);

    assert_string_equal(found, expected);
    free(found);
}

#endif
