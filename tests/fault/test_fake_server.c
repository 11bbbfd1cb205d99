/*
 * A server that lies while a client is opened, and to a worker: see lying.h.
 */
#include "lying.h"

STORY_TEST(no_lie_harms_an_opening)
{
    tell_all_lies(*state, "open_client", open_client);
}

STORY_TEST(no_lie_harms_the_opening_of_a_queue)
{
    tell_all_lies(*state, "open_queue", open_queue);
}

STORY_TEST(no_lie_harms_a_list)
{
    tell_all_lies(*state, "look", look);
}

static pgqrs_job_outcome
done(pgqrs_job *job, void *arg)
{
    (void)job;
    (void)arg;
    return PGQRS_JOB_DONE;
}

/* The worker's own connections are told each lie, at one place after the other, while messages go
 * through it. Whatever it makes of that, it goes on afterwards. */
RUNNING_TEST(no_lie_harms_a_worker)
{
    struct story *s = *state;
    pgqrs_worker_options options = PGQRS_WORKER_OPTIONS_INIT;
    pgqrs_worker_queue_options queue = PGQRS_WORKER_QUEUE_OPTIONS_INIT;
    pgqrs_client *client = NULL;
    pgqrs_worker *worker;
    int told = 0;

    ready_to_lie(s);
    for (int i = 0; i < TRIES && client == NULL; i++)
        client = try_client(s, s->err);
    TS_TRUE(client != NULL);
    options.poll_ms = 50;
    queue.lease_ms = 1000;
    ts_sql(s->sql, "UPDATE pgqrs_queues SET max_crashes = 1000, max_attempts = 1000");
    worker = running_new_on(s, client, &options);
    running_add(s, worker, "jobs", &queue, done, NULL);
    TS_OK(pgqrs_worker_start(worker, s->err), s->err);
    present_call = "worker";
    for (int lie = 0; lie < ts_lie_count; lie++) {
        present_lie = ts_lie_at(lie)->name;
        present_place = lie % 4;
        ts_fake_server_arm(fake, lie, lie % 4);
        alarm(PATIENCE_S);
        for (int i = 0; i < 5; i++)
            story_send(s, "1");
        usleep(ts_lie_at(lie)->is_endless ? 300000 : 20000);
        told += ts_fake_server_has_lied(fake);
        ts_fake_server_disarm(fake);
        ts_wait_until(s->sql, 1000 * PATIENCE_S, "SELECT count(*) = 0 FROM pgqrs_messages");
        alarm(0);
    }
    TS_TRUE(told >= 40);
    running_end(s, worker);
    pgqrs_client_close(client);
}

/* The error names the answer that was wrong. */
STORY_TEST(a_lie_is_called_what_it_is)
{
    static const struct {
        const char *lie, *said;
        call *function;
    } cases[] = {
        { "many_more_rows", "more rows than it was asked for", dequeue },
        { "no_rows", "fewer rows", enqueue_batch },
        { "fewer_columns", "another number of columns", enqueue },
        { "other_types", "columns of other types", enqueue },
        { "text_format", "columns of other types or formats", enqueue },
        { "short_value", "none of its type", enqueue },
        { "spoilt_values", "none of its type", dequeue },
        { "copy_out_instead", "COPY that was not asked for", enqueue },
        { "fatal_error", "ended the session", enqueue },
        { "endless_rows", "the deadline passed", enqueue },
        { "no_ready", "answered twice", enqueue },
        { "no_copy", "deadline passed", copy },
        { "close_before", "connection was lost", enqueue },
        { "authentication_gss", "cannot connect to the server", open_client },
        { "silence", "did not answer in time", open_client },
    };
    struct story *s = *state;

    ready_to_lie(s);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lied l = begin(s);
        pgqrs_status status = PGQRS_OK;

        /* The library repeats a statement that only reads, so the lie is told to the statement
         * after it. */
        for (int place = 0; place < PLACES && status == PGQRS_OK; place++) {
            ts_fake_server_arm(fake, ts_lie_find(cases[i].lie), place);
            alarm(PATIENCE_S);
            status = cases[i].function(&l, s->err);
            alarm(0);
            ts_fake_server_disarm(fake);
        }
        if (status == PGQRS_OK)
            ts_fail("the lie %s was believed", cases[i].lie);
        story_expect_message(s, cases[i].said);
        end(&l);
    }
}

TEST_MAIN(NULL, NULL)
