/*
 * A worker runs handlers on messages: what a handler sees of its job, and how each outcome is
 * stored.
 */
#include "running.h"

#include <pgqrs/transaction.h>

static pgqrs_job_outcome
double_it(pgqrs_job *job, void *arg)
{
    pgqrs_slice payload = pgqrs_job_message(job)->payload;
    char *number = strndup(payload.data, payload.size);
    char *result = ts_format("{\"double\": %d}", 2 * atoi(number));

    (void)arg;
    TS_OK(pgqrs_job_set_result(job, text(result), NULL), NULL);
    free(number);
    free(result);
    return PGQRS_JOB_DONE;
}

RUNNING_TEST(a_finished_message_is_archived_with_its_result)
{
    struct story *s = *state;
    pgqrs_worker *worker;

    story_send(s, "20");
    story_send(s, "21");
    worker = running_start(s, NULL, NULL, double_it, NULL);
    story_send(s, "22");
    running_await(s, 3);
    assert_int_equal(ts_int(s->sql,
                            "SELECT count(*) FROM pgqrs_archive WHERE outcome = 'done' AND "
                            "(result->>'double')::int = 2 * (payload #>> '{}')::int AND "
                            "read_ct = 1 AND failed_ct = 0 AND crash_ct = 0 AND error IS NULL"),
                     3);
    assert_int_equal(story_stored(s), 0);
    running_end(s, worker);
}

RUNNING_TEST(a_finished_message_is_deleted_where_the_queue_is_to_keep_none)
{
    struct story *s = *state;
    pgqrs_worker_queue_options queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;
    pgqrs_worker *worker;

    queue.done = PGQRS_DONE_DELETE;
    story_send_many(s, 250, NULL);
    worker = running_start(s, NULL, &queue, running_done, NULL);
    ts_wait_until(s->sql, RUNNING_WAIT_MS, "SELECT count(*) = 0 FROM pgqrs_messages");
    running_end(s, worker);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive"), 0);
}

static pgqrs_job_outcome
name_handler(pgqrs_job *job, void *arg)
{
    char *result = ts_format("\"%s\"", (const char *)arg);

    TS_OK(pgqrs_job_set_result(job, text(result), NULL), NULL);
    free(result);
    return PGQRS_JOB_DONE;
}

static void
send_typed(struct story *s, const char *type)
{
    pgqrs_enqueue_options options = PGQRS_ENQUEUE_OPTIONS_INIT;

    options.type = text(type);
    story_send_with(s, "{}", &options);
}

RUNNING_TEST(each_type_has_its_handler_and_the_rest_has_one_together)
{
    struct story *s = *state;
    pgqrs_worker *worker = running_new(s, NULL);
    char mail[] = "mail", bill[] = "bill", rest[] = "rest";

    TS_OK(pgqrs_worker_add_queue(worker, text("jobs"), NULL, s->err), s->err);
    TS_OK(pgqrs_worker_handle(worker, text("jobs"), text("mail"), name_handler, mail, s->err),
          s->err);
    TS_OK(pgqrs_worker_handle(worker, text("jobs"), any_type, name_handler, rest, s->err), s->err);
    TS_OK(pgqrs_worker_handle(worker, text("jobs"), text("bill"), name_handler, bill, s->err),
          s->err);
    send_typed(s, "mail");
    send_typed(s, "bill");
    send_typed(s, "mai");
    send_typed(s, "maill");
    story_send(s, "{}");
    TS_OK(pgqrs_worker_start(worker, s->err), s->err);
    running_await(s, 5);
    running_end(s, worker);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive WHERE result #>> '{}' = "
                                    "CASE WHEN message_type IN ('mail', 'bill') THEN message_type "
                                    "ELSE 'rest' END"),
                     5);
}

RUNNING_TEST(a_type_without_a_handler_fails_and_stops_no_other)
{
    struct story *s = *state;
    pgqrs_worker *worker = running_new(s, NULL);
    pgqrs_worker_queue_options queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;

    queue.max_attempts = 2;
    queue.retry = PGQRS_RETRY_FIXED;
    queue.retry_base_ms = 1;
    send_typed(s, "unheard-of");
    for (int i = 0; i < 5; i++)
        send_typed(s, "mail");
    TS_OK(pgqrs_worker_add_queue(worker, text("jobs"), &queue, s->err), s->err);
    TS_OK(pgqrs_worker_handle(worker, text("jobs"), text("mail"), running_done, NULL, s->err),
          s->err);
    TS_OK(pgqrs_worker_start(worker, s->err), s->err);
    running_await(s, 6);
    running_end(s, worker);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive WHERE outcome = 'done'"),
                     5);
    assert_int_equal(ts_int(s->sql, "SELECT failed_ct FROM pgqrs_archive WHERE outcome = 'dead' "
                                    "AND error LIKE '%%unheard-of%%'"),
                     2);
}

static pgqrs_job_outcome
look_at_everything(pgqrs_job *job, void *arg)
{
    const pgqrs_message *message = pgqrs_job_message(job);

    TS_TRUE(story_slice_is(pgqrs_job_queue(job), "jobs"));
    TS_TRUE(story_slice_is(message->payload, "{\"to\": \"you\"}"));
    TS_TRUE(story_slice_is(message->headers, "{\"trace\": 7}"));
    TS_TRUE(story_slice_is(message->type, "mail"));
    TS_TRUE(message->state == PGQRS_MESSAGE_LEASED && message->lease_token != 0);
    TS_TRUE(message->priority == 3);
    TS_TRUE(message->enqueued_at_ms > 0 && message->dequeued_at_ms >= message->enqueued_at_ms);
    TS_TRUE(message->vt_ms > message->dequeued_at_ms);
    TS_TRUE(pgqrs_job_cancelled(job) == PGQRS_JOB_NOT_CANCELLED);
    TS_TRUE(pgqrs_job_left_ms(job) > 0 && pgqrs_job_left_ms(job) <= 3600000);
    TS_TRUE(pgqrs_job_data(job) == NULL);
    pgqrs_job_set_data(job, arg);
    TS_TRUE(pgqrs_job_data(job) == arg);
    ts_journal_add(arg, "attempt %d of %lld", message->attempt, (long long)message->id);
    return message->attempt < 3 ? PGQRS_JOB_FAILED : PGQRS_JOB_DONE;
}

RUNNING_TEST(a_job_tells_its_handler_all_about_the_message)
{
    struct story *s = *state;
    pgqrs_worker_queue_options queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;
    pgqrs_enqueue_options options = PGQRS_ENQUEUE_OPTIONS_INIT;
    ts_journal *journal = ts_journal_new();
    pgqrs_worker *worker;
    char *expected;
    int64_t id;

    options.headers = text("{\"trace\": 7}");
    options.type = text("mail");
    options.priority = 3;
    queue.job_timeout_ms = 3600000;
    queue.retry = PGQRS_RETRY_FIXED;
    queue.retry_base_ms = 1;
    id = story_send_with(s, "{\"to\": \"you\"}", &options);
    worker = running_start(s, NULL, &queue, look_at_everything, journal);
    running_await(s, 1);
    running_end(s, worker);
    expected = ts_format("attempt 1 of %lld\nattempt 2 of %lld\nattempt 3 of %lld\n", (long long)id,
                         (long long)id, (long long)id);
    ts_journal_expect(journal, expected);
    free(expected);
}

static pgqrs_job_outcome
look_at_the_time_left(pgqrs_job *job, void *arg)
{
    atomic_store((atomic_int *)arg, pgqrs_job_left_ms(job) == INT64_MAX ? 1 : -1);
    return PGQRS_JOB_DONE;
}

RUNNING_TEST(a_job_without_a_timeout_has_all_the_time)
{
    struct story *s = *state;
    atomic_int for_ever = 0;
    pgqrs_worker *worker;

    story_send(s, "1");
    worker = running_start(s, NULL, NULL, look_at_the_time_left, &for_ever);
    running_await(s, 1);
    running_end(s, worker);
    assert_int_equal(for_ever, 1);
}

/* A handler that writes an effect and ends the lease in one transaction of its own, which it rolls
 * back at first. */
static pgqrs_job_outcome
settle(pgqrs_job *job, void *arg)
{
    struct story *s = arg;
    const pgqrs_message *message = pgqrs_job_message(job);
    pgqrs_error *err = pgqrs_error_new();
    PGconn *own = ts_connect(s->dsn);
    int archive = message->payload.data[0] == '1';

    ts_sql(own, "BEGIN");
    ts_sql(own, "INSERT INTO effects VALUES (%lld)", (long long)message->id);
    if (archive)
        TS_OK(pgqrs_consumer_archive_on(s->consumer, own, pgqrs_message_lease(message),
                                        text("\"mine\""), err),
              err);
    else
        TS_OK(pgqrs_consumer_delete_on(s->consumer, own, pgqrs_message_lease(message), err), err);
    ts_sql(own, message->attempt == 1 ? "ROLLBACK" : "COMMIT");
    PQfinish(own);
    pgqrs_error_free(err);
    return message->attempt == 1 ? PGQRS_JOB_FAILED : PGQRS_JOB_SETTLED;
}

RUNNING_TEST(a_handler_settles_a_job_in_a_transaction_of_its_own)
{
    struct story *s = *state;
    pgqrs_worker_queue_options queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;
    ts_journal *journal = ts_journal_new();
    pgqrs_worker *worker;

    queue.retry = PGQRS_RETRY_FIXED;
    queue.retry_base_ms = 1;
    options.on_event = ts_journal_event;
    options.event_arg = journal;
    ts_sql(s->sql, "DROP TABLE IF EXISTS effects; CREATE TABLE effects (id bigint)");
    for (int i = 0; i < 10; i++)
        story_send(s, i % 2 == 0 ? "0" : "1");
    worker = running_start(s, &options, &queue, settle, s);
    ts_wait_until(s->sql, RUNNING_WAIT_MS, "SELECT count(*) = 0 FROM pgqrs_messages");
    ts_journal_await(journal, "DONE", 10);
    running_end(s, worker);
    assert_int_equal(ts_int(s->sql, "SELECT count(DISTINCT id) FROM effects"), 10);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM effects"), 10);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive WHERE outcome = 'done' AND "
                                    "result = '\"mine\"' AND payload = '1'"),
                     5);
    assert_int_equal(ts_int(s->sql, "SELECT count(*) FROM pgqrs_archive"), 5);
    assert_int_equal(ts_journal_count(journal, "LOST"), 0);
}

static pgqrs_job_outcome
return_anything(pgqrs_job *job, void *arg)
{
    (void)arg;
    return pgqrs_job_message(job)->attempt == 1 ? (pgqrs_job_outcome)77 : PGQRS_JOB_DONE;
}

RUNNING_TEST(an_outcome_that_is_none_counts_as_a_failure)
{
    struct story *s = *state;
    pgqrs_worker_queue_options queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;
    pgqrs_worker *worker;

    queue.retry = PGQRS_RETRY_FIXED;
    queue.retry_base_ms = 1;
    story_send(s, "1");
    worker = running_start(s, NULL, &queue, return_anything, NULL);
    running_await(s, 1);
    running_end(s, worker);
    assert_int_equal(ts_int(s->sql, "SELECT failed_ct FROM pgqrs_archive WHERE outcome = 'done'"),
                     1);
}

static pgqrs_job_outcome
set_what_cannot_be(pgqrs_job *job, void *arg)
{
    pgqrs_error *err = pgqrs_error_new();

    (void)arg;
    TS_OK(pgqrs_job_set_result(job, text("\"first\""), err), err);
    TS_IS(PGQRS_EINVAL, pgqrs_job_set_result(job, text("{\"open\""), err), err);
    TS_IS(PGQRS_EINVAL, pgqrs_job_set_error(job, text("\xff\xfe"), err), err);
    TS_IS(PGQRS_EINVAL, pgqrs_job_set_delay(job, -1, err), err);
    TS_IS(PGQRS_EINVAL, pgqrs_job_set_delay(job, INT64_C(11) * 366 * 86400 * 1000, err), err);
    pgqrs_error_free(err);
    return PGQRS_JOB_DONE;
}

RUNNING_TEST(what_cannot_be_stored_is_refused_and_changes_nothing)
{
    struct story *s = *state;
    pgqrs_worker *worker;

    story_send(s, "1");
    worker = running_start(s, NULL, NULL, set_what_cannot_be, NULL);
    running_await(s, 1);
    running_end(s, worker);
    assert_int_equal(ts_int(s->sql, "SELECT result = '\"first\"' FROM pgqrs_archive"), 1);
}

TEST_MAIN(NULL, NULL)
