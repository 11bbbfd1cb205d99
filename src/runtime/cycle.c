/*
 * A cycle is everything that there is to ask and to tell, at once: claims, heartbeats, what became of jobs.
 * The next one is sent when all of it is answered; what accumulates meanwhile is its batch.
 */
#include "runtime/runtime.h"

#include <string.h>

pgqrsi_segment *
pgqrsi_cycle_segment(pgqrs_worker *worker)
{
    if (pgqrsi_pipe_room(worker->work_link.pipe) == 0)
        return NULL;
    for (size_t i = 0; i < PGQRSI_PIPE_SEGMENTS; i++) {
        pgqrsi_segment *segment = &worker->segments[i];

        if (segment->is_used)
            continue;
        segment->is_used = 1;
        segment->count = 0;
        segment->sent_ms = pgqrsi_clock_boot_ms();
        return segment;
    }
    return NULL;
}

pgqrsi_errand *
pgqrsi_cycle_send(pgqrs_worker *worker, pgqrsi_segment *segment, pgqrsi_errand_kind kind,
                  pgqrsi_work_queue *queue, const pgqrsi_call *call)
{
    const pgqrsi_statement *statement = NULL;
    pgqrsi_errand *errand;

    if (segment->count == PGQRSI_PIPE_STATEMENTS || call->params->bytes.failed ||
        pgqrsi_client_statement(worker->client, call, &statement, NULL) != PGQRS_OK)
        return NULL;
    pgqrsi_pipe_send(worker->work_link.pipe, statement, call->params);
    errand = &segment->errands[segment->count++];
    memset(errand, 0, sizeof(*errand));
    errand->kind = kind;
    errand->queue = queue;
    return errand;
}

void
pgqrsi_cycle_sync(pgqrs_worker *worker, pgqrsi_segment *segment)
{
    pgqrsi_pipe_sync(worker->work_link.pipe, segment);
    worker->work_link.deadline_ms = pgqrsi_clock_boot_ms() + worker->client->settings.operation_timeout_ms;
}

static void
carried_out(pgqrs_worker *worker, pgqrsi_errand *errand, pgqrsi_rows **rows, int64_t sent_ms)
{
    switch (errand->kind) {
    case PGQRSI_ERRAND_LISTEN:
        worker->is_listening = 1;
        break;
    case PGQRSI_ERRAND_LOCK:
        pgqrsi_sleeping_locked(errand->queue, pgqrsi_rows_int(*rows, 0, 0),
                               pgqrsi_rows_int(*rows, 0, 1) != 0);
        break;
    case PGQRSI_ERRAND_UNLOCK:
    case PGQRSI_ERRAND_WAKE:
    case PGQRSI_ERRAND_LEAVE:
        break;
    case PGQRSI_ERRAND_CLAIM:
        pgqrsi_claiming_answer(errand->queue, *rows, sent_ms);
        *rows = NULL; /* belongs to the messages now */
        break;
    case PGQRSI_ERRAND_END:
    case PGQRSI_ERRAND_FAIL:
        pgqrsi_reporting_answer(errand, *rows);
        break;
    case PGQRSI_ERRAND_EXTEND:
        pgqrsi_beating_answer(errand, *rows, sent_ms);
        break;
    }
}

static void
failed(pgqrs_worker *worker, pgqrsi_errand *errand, pgqrs_status status, const char *message)
{
    switch (errand->kind) {
    case PGQRSI_ERRAND_CLAIM:
        pgqrsi_claiming_failed(errand->queue, status, message);
        break;
    case PGQRSI_ERRAND_END:
    case PGQRSI_ERRAND_FAIL:
        if (status != PGQRS_EUNKNOWN)
            pgqrsi_worker_tell(worker, PGQRS_EVENT_TROUBLE, NULL, status, message);
        pgqrsi_reporting_failed(errand, status);
        break;
    case PGQRSI_ERRAND_EXTEND:
        pgqrsi_beating_failed(errand, status, message);
        break;
    case PGQRSI_ERRAND_LISTEN:
    case PGQRSI_ERRAND_LOCK:
    case PGQRSI_ERRAND_UNLOCK:
    case PGQRSI_ERRAND_WAKE:
    case PGQRSI_ERRAND_LEAVE:
        break; /* asked for again when it matters */
    }
}

/* A claim that was sent with others in a refused transaction, and so on: one failure for all of a segment. */
static void
take_answer(pgqrs_worker *worker, pgqrsi_answer *answer)
{
    pgqrsi_segment *segment = answer->arg;

    for (size_t i = 0; i < segment->count; i++) {
        pgqrsi_errand *errand = &segment->errands[i];
        const pgqrsi_call call = { .scope = errand->queue != NULL ? &errand->queue->consumer->queue->scope
                                                                  : NULL };

        if (answer->status == PGQRS_OK) {
            carried_out(worker, errand, &answer->rows[i], segment->sent_ms);
        } else {
            const pgqrsi_statement name = { .name = errand->queue != NULL
                                                        ? errand->queue->consumer->queue->name
                                                        : NULL };
            pgqrs_status status = pgqrsi_client_explain(&call, &name, answer->status, &answer->error);

            failed(worker, errand, status, pgqrs_error_message(&answer->error));
        }
        pgqrsi_rows_free(answer->rows[i]);
    }
    segment->is_used = 0;
    pgqrsi_error_release(&answer->error);
}

void
pgqrsi_cycle_take_answers(pgqrs_worker *worker)
{
    int64_t cycle_us;
    pgqrsi_answer answer;
    int took = 0;

    while (pgqrsi_pipe_take(worker->work_link.pipe, &answer)) {
        take_answer(worker, &answer);
        took = 1;
    }
    if (!took || pgqrsi_pipe_pending(worker->work_link.pipe) > 0 || worker->cycle_began_us == 0)
        return;
    cycle_us = pgqrsi_clock_us() - worker->cycle_began_us;
    worker->cycle_us += ((double)cycle_us - worker->cycle_us) / 8;
    worker->cycle_began_us = 0;
}
