/*
 * Dead messages, grouped by their errors.
 */
#include "story.h"

#include <pgqrs/archive.h>

/* Dead messages with the ids from 1 to `count`, whose payloads are their ids. */
static void
given_dead(const struct story *s, int count)
{
    ts_sql(s->sql,
           "INSERT INTO pgqrs_archive (id, queue_id, priority, outcome, read_ct, failed_ct, "
           "crash_ct, enqueued_at, payload, message_type) SELECT n, 1, 0, 'dead', 1, 1, 0, now(), "
           "to_jsonb(n), CASE WHEN n %% 2 = 0 THEN 'even' ELSE 'odd' END FROM generate_series(1, "
           "%d) AS n; SELECT setval('pgqrs_message_id_seq', %d)",
           count, count);
}

static void
expect_group(const pgqrs_dead_group_list *list, size_t i, int64_t count, const char *shape,
             int64_t id)
{
    const pgqrs_dead_group *group = pgqrs_dead_group_list_at(list, i);

    assert_non_null(group);
    assert_int_equal(group->count, count);
    if (shape == NULL)
        assert_null(group->shape.data);
    else
        assert_true(story_slice_is(group->shape, shape));
    assert_int_equal(group->id, id);
    assert_true(group->oldest_at_ms > 0 && group->newest_at_ms >= group->oldest_at_ms);
}

STORY_TEST(errors_are_grouped_by_their_shape)
{
    static const char *const errors[] = {
        "no user 17 at 0xDEADBEEF",
        "no user 4711 at 0x1f\nline 2",
        "\n no user 5 at 0x0 ",
        "order 123e4567-E89B-12d3-a456-426614174000: 1.5 s",
        "order 00000000-0000-0000-0000-000000000000: 20.25 s\r\nmore",
        "commit 9fceb02d is bad, face it",
        "commit 1A2b3c is bad, face it",
        "v2beta x86_64 h2o",
    };
    struct story *s = *state;
    pgqrs_dead_group_options options = PGQRS_DEAD_GROUP_OPTIONS_INIT;
    pgqrs_dead_group_list *list;

    given_dead(s, 10);
    for (int i = 0; i < 8; i++) {
        const char *const values[] = { errors[i] };
        char *update = ts_format("UPDATE pgqrs_archive SET error = $1 WHERE id = %d", i + 1);

        PQclear(PQexecParams(s->sql, update, 1, NULL, values, NULL, NULL, 0));
        free(update);
    }
    ts_sql(s->sql, "UPDATE pgqrs_archive SET message_type = NULL; "
                   "UPDATE pgqrs_archive SET replayed_as = 1, replayed_at = now() WHERE id = 10");
    TS_OK(pgqrs_archive_errors(s->client, text("jobs"), NULL, &list, s->err), s->err);
    assert_int_equal(pgqrs_dead_group_list_count(list), 5);
    expect_group(list, 0, 3, "no user # at #", 3);
    expect_group(list, 1, 2, "commit # is bad, face it", 7);
    expect_group(list, 2, 2, "order #: #.# s", 5);
    expect_group(list, 3, 1, NULL, 9);
    expect_group(list, 4, 1, "v#beta x#_# h#o", 8);
    assert_null(pgqrs_dead_group_list_at(list, 0)->type.data);
    pgqrs_dead_group_list_free(list);

    ts_sql(s->sql,
           "UPDATE pgqrs_archive SET message_type = CASE WHEN id = 2 THEN 'a' ELSE 'b' END");
    options.limit = 1;
    TS_OK(pgqrs_archive_errors(s->client, text("jobs"), &options, &list, s->err), s->err);
    assert_int_equal(pgqrs_dead_group_list_count(list), 1);
    expect_group(list, 0, 2, "commit # is bad, face it", 7); /* types apart; the newest first */
    pgqrs_dead_group_list_free(list);
    options.type = text("a");
    TS_OK(pgqrs_archive_errors(s->client, text("jobs"), &options, &list, s->err), s->err);
    expect_group(list, 0, 1, "no user # at #", 2);
    assert_true(story_slice_is(pgqrs_dead_group_list_at(list, 0)->type, "a"));
    pgqrs_dead_group_list_free(list);
}

STORY_TEST(the_newest_10000_are_grouped)
{
    struct story *s = *state;
    pgqrs_dead_group_options options = PGQRS_DEAD_GROUP_OPTIONS_INIT;
    pgqrs_dead_group_list *list;
    int64_t total = 0;

    given_dead(s, 10100);
    ts_sql(s->sql, "UPDATE pgqrs_archive SET error = CASE WHEN id <= 100 THEN 'old' ELSE "
                   "repeat('x', 2000) END");
    TS_OK(pgqrs_archive_errors(s->client, text("jobs"), NULL, &list, s->err), s->err);
    for (size_t i = 0; i < pgqrs_dead_group_list_count(list); i++) {
        const pgqrs_dead_group *group = pgqrs_dead_group_list_at(list, i);

        total += group->count;
        assert_int_equal(group->shape.size, 300);
    }
    assert_int_equal(total, 10000);
    pgqrs_dead_group_list_free(list);
    for (int i = 0; i < 4; i++) {
        options = (pgqrs_dead_group_options)PGQRS_DEAD_GROUP_OPTIONS_INIT;
        options.limit = i == 0 ? -1 : i == 1 ? 10001 : 1;
        options.type = i == 2 ? text("") : text(NULL);
        options.size = i == 3 ? 0 : sizeof(options);
        TS_IS(PGQRS_EINVAL, pgqrs_archive_errors(s->client, text("jobs"), &options, &list, s->err),
              s->err);
    }
    TS_IS(PGQRS_ENOQUEUE, pgqrs_archive_errors(s->client, text("none"), NULL, &list, s->err),
          s->err);
    assert_int_equal(pgqrs_dead_group_list_count(NULL), 0);
}

TEST_MAIN(NULL, NULL)
