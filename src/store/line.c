#include "store/line.h"

#include "store/producer.h"

void
pgqrsi_line_join(pgqrsi_line *line, pgqrsi_request *request)
{
    request->before = line->last;
    request->behind = NULL;
    if (line->last != NULL)
        line->last->behind = request;
    else
        line->first = request;
    line->last = request;
    line->count++;
}

void
pgqrsi_line_leave(pgqrsi_line *line, pgqrsi_request *request)
{
    if (request->before != NULL)
        request->before->behind = request->behind;
    else
        line->first = request->behind;
    if (request->behind != NULL)
        request->behind->before = request->before;
    else
        line->last = request->before;
    line->count--;
}

int
pgqrsi_line_fit_together(const pgqrsi_request *a, const pgqrsi_request *b)
{
    return a->message->has_options == b->message->has_options &&
           a->producer->worker_id == b->producer->worker_id &&
           (!a->message->has_options || a->producer->key_retention_ms == b->producer->key_retention_ms);
}

pgqrsi_request *
pgqrsi_line_call_next(pgqrsi_line *line)
{
    pgqrsi_request *first = line->first, *next = line->last;

    while (first != NULL && first->state != PGQRSI_REQUEST_WAITING)
        first = first->behind;
    if (first == NULL) {
        line->flights--;
        return NULL;
    }
    while (next->state != PGQRSI_REQUEST_WAITING || !pgqrsi_line_fit_together(first, next))
        next = next->before;
    next->state = PGQRSI_REQUEST_LEADING;
    return next;
}
