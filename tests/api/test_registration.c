/*
 * Workers register, refresh their registration, and unregister.
 */
#include "story.h"

#include <unistd.h>

STORY_TEST(a_worker_is_registered_with_where_it_runs)
{
    struct story *s = *state;
    char host[256] = "";
    char *recorded;
    int64_t id = 0, other = 0;

    TS_OK(pgqrs_registration_add(s->client, text("jobs"), &id, s->err), s->err);
    TS_OK(pgqrs_registration_add(s->client, text("jobs"), &other, s->err), s->err);
    assert_true(id > 0 && other > 0 && id != other);
    assert_int_equal(ts_int(s->sql,
                            "SELECT process_id FROM pgqrs_workers WHERE id = %lld AND queue_id = 1",
                            (long long)id),
                     getpid());
    gethostname(host, sizeof(host) - 1);
    recorded =
        ts_text(s->sql, "SELECT host_name FROM pgqrs_workers WHERE id = %lld", (long long)id);
    assert_string_equal(recorded, host);
    free(recorded);
}

STORY_TEST(a_worker_of_no_queue_is_refused)
{
    struct story *s = *state;
    int64_t id = -1;

    TS_IS(PGQRS_ENOQUEUE, pgqrs_registration_add(s->client, text("none"), &id, s->err), s->err);
    TS_IS(PGQRS_EINVAL, pgqrs_registration_add(s->client, text(""), &id, s->err), s->err);
    assert_int_equal(id, -1);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_workers"), 0);
}

STORY_TEST(a_touch_says_that_it_is_alive)
{
    struct story *s = *state;
    int64_t id = 0, other = 0;

    TS_OK(pgqrs_registration_add(s->client, text("jobs"), &id, s->err), s->err);
    TS_OK(pgqrs_registration_add(s->client, text("jobs"), &other, s->err), s->err);
    ts_sql(s->sql, "UPDATE pgqrs_workers SET seen_at = seen_at - interval '1 h', started_at = "
                   "started_at - interval '1 h'");
    TS_OK(pgqrs_registration_touch(s->client, id, s->err), s->err);
    assert_int_equal(
        ts_int(s->sql, "SELECT id FROM pgqrs_workers WHERE seen_at > clock_timestamp() - interval "
                       "'1 min' AND started_at < clock_timestamp() - interval '59 min'"),
        id);
}

STORY_TEST(a_worker_that_left_may_leave_again)
{
    struct story *s = *state;
    int64_t id = 0, other = 0;

    TS_OK(pgqrs_registration_add(s->client, text("jobs"), &id, s->err), s->err);
    TS_OK(pgqrs_registration_add(s->client, text("jobs"), &other, s->err), s->err);
    for (int i = 0; i < 2; i++) {
        TS_OK(pgqrs_registration_remove(s->client, id, s->err), s->err);
        TS_OK(pgqrs_registration_touch(s->client, id, s->err), s->err);
    }
    assert_int_equal(ts_int(s->sql, "SELECT id FROM pgqrs_workers"), other);
}

STORY_TEST(workers_go_with_their_queue)
{
    struct story *s = *state;
    int64_t id = 0;

    TS_OK(pgqrs_registration_add(s->client, text("jobs"), &id, s->err), s->err);
    TS_OK(pgqrs_queue_delete(s->client, text("jobs"), s->err), s->err);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_workers"), 0);
    TS_OK(pgqrs_registration_touch(s->client, id, s->err), s->err);
}

TEST_MAIN(NULL, NULL)
