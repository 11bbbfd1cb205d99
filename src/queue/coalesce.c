#include "queue/coalesce.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/waiter.h"
#include "queue/producer.h"
#include "queue/wake.h"

/* What one batch takes. */
#define MAX_CALLERS 256
#define MAX_BYTES ((size_t)4 << 20)

/* A batch waits for another transaction's lock no longer: then each caller sends its own message,
 * and waits for itself. */
#define PATIENCE_MS 25

typedef enum caller_state {
    WAITING, /* in the queue, until a leader takes it along, or it is told to lead itself */
    LEADING, /* in the queue or in its own batch, since it may send or was told to lead */
    SENT,    /* in another caller's batch, until that is answered or its own deadline passes */
    ANSWERED,
    ALONE, /* the batch was refused, and nothing of it was stored: it sends its own message */
    /* its deadline passed while the messages were being copied: it was released after that */
    ABANDONED
} caller_state;

struct batch;

/* One caller; lives on its stack. All but what is marked is guarded by the client's lock. */
typedef struct pgqrsi_caller {
    TAILQ_ENTRY(pgqrsi_caller) entry; /* while WAITING or LEADING */
    caller_state state;
    struct batch *batch; /* while SENT */
    size_t index;        /* in the batch */
    int is_late;         /* while SENT: the deadline has passed */
    pgqrsi_waiter waiter;
    /* Constant: */
    pgqrs_producer *producer;
    /* where it waits, even if the producer takes up another one in the meantime */
    pgqrsi_queue *queue;
    const pgqrsi_outgoing *message;
    size_t bytes;
    int64_t deadline_ms;
    /* Written before it is posted, and its own from then on: */
    pgqrs_status status;
    pgqrs_enqueued enqueued;
    pgqrs_error error;
} caller;

/* One statement; lives on the leader's stack. */
struct batch {
    caller *members[MAX_CALLERS]; /* guarded by the client's lock; NULL: has left */
    size_t count;
    int is_packed; /* guarded by the client's lock: the messages are copied, so members may leave */
    int late;      /* guarded by the client's lock: members that wait to leave */
    /* The leader's: */
    int64_t deadline_ms; /* the latest of all members': a member with less time leaves earlier */
    pgqrsi_call call;
    pgqrsi_outgoing outgoing;
    pgqrs_slice payloads[MAX_CALLERS];
    pgqrs_enqueue_options options[MAX_CALLERS];
};

static struct batch *
batch_of(const pgqrsi_call *call)
{
    return (struct batch *)(uintptr_t)((const char *)call - offsetof(struct batch, call));
}

static size_t
size_of(const pgqrsi_outgoing *message)
{
    const pgqrs_enqueue_options *options = pgqrsi_outgoing_options(message, 0);
    size_t size = message->payloads[0].size;

    return options == NULL
               ? size
               : size + options->headers.size + options->type.size + options->idempotency_key.size;
}

static void
join(pgqrsi_coalescing *coalescing, caller *self)
{
    TAILQ_INSERT_TAIL(&coalescing->callers, self, entry);
    coalescing->count++;
}

static void
leave(pgqrsi_coalescing *coalescing, caller *self)
{
    TAILQ_REMOVE(&coalescing->callers, self, entry);
    coalescing->count--;
}

/* Whether one statement can store both. Plain messages have a cheaper one of their own. */
static int
fit_together(const caller *a, const caller *b)
{
    return a->message->has_options == b->message->has_options &&
           a->producer->worker_id == b->producer->worker_id &&
           (!a->message->has_options ||
            a->producer->key_retention_ms == b->producer->key_retention_ms);
}

/* A batch is answered: returns the leader of the next one, which takes the first caller in the
 * queue. That is the last of those that fit the first one, because its deadline is the latest, and
 * a leader cannot leave its batch. To be posted once the lock is free. NULL if no caller waits:
 * there is a batch less. */
static caller *
next_leader(pgqrsi_coalescing *coalescing)
{
    caller *first = TAILQ_FIRST(&coalescing->callers);
    caller *next = TAILQ_LAST(&coalescing->callers, pgqrsi_callers);

    while (first != NULL && first->state != WAITING)
        first = TAILQ_NEXT(first, entry);
    if (first == NULL) {
        coalescing->batches--;
        return NULL;
    }
    while (next->state != WAITING || !fit_together(first, next))
        next = TAILQ_PREV(next, pgqrsi_callers, entry);
    next->state = LEADING;
    return next;
}

/* Takes callers from the queue, the first ones first, and the leader. */
static void
fill(pgqrsi_coalescing *coalescing, caller *leader, struct batch *batch)
{
    caller *member, *next;
    size_t bytes = leader->bytes;

    batch->count = 0;
    batch->deadline_ms = leader->deadline_ms;
    batch->is_packed = 0;
    batch->late = 0;
    leave(coalescing, leader);
    for (member = TAILQ_FIRST(&coalescing->callers);
         member != NULL && batch->count < MAX_CALLERS - 1; member = next) {
        next = TAILQ_NEXT(member, entry);
        if (member->state != WAITING || !fit_together(leader, member))
            continue;
        if (bytes + member->bytes > MAX_BYTES)
            break;
        bytes += member->bytes;
        if (member->deadline_ms > batch->deadline_ms)
            batch->deadline_ms = member->deadline_ms;
        leave(coalescing, member);
        member->state = SENT;
        member->batch = batch;
        member->index = batch->count;
        batch->members[batch->count++] = member;
    }
    leader->index = batch->count;
    batch->members[batch->count++] = leader;
}

/* No member can leave while the messages are copied. Those whose deadline passed in that time leave
 * now. */
static void
release_late(pgqrs_client *client, struct batch *batch)
{
    caller *left[MAX_CALLERS];
    size_t count = 0;

    pgqrsi_client_lock(client);
    batch->is_packed = 1;
    for (size_t i = 0; batch->late > 0 && i < batch->count; i++) {
        caller *member = batch->members[i];

        if (member->is_late) {
            member->state = ABANDONED;
            batch->members[i] = NULL;
            left[count++] = member;
        }
    }
    pgqrsi_client_unlock(client);
    for (size_t i = 0; i < count; i++)
        pgqrsi_waiter_post(&left[i]->waiter);
}

/* Whether one message may have caused the failure, so that sending each by itself saves the others.
 * Never when some may be stored. */
static int
may_be_of_one(pgqrs_status status, const pgqrs_error *err)
{
    if (status == PGQRS_OK || status == PGQRS_EUNKNOWN)
        return 0;
    return status == PGQRS_ENOMEM || pgqrs_error_sqlstate(err)[0] != '\0';
}

/* Writes the batch's outcome into one member. */
static void
inform(caller *member, const pgqrsi_outgoing *outgoing, const pgqrsi_rows *rows,
       pgqrs_status status, const pgqrs_error *detail)
{
    member->status = status;
    member->state = ANSWERED;
    if (status == PGQRS_OK) {
        member->enqueued = pgqrsi_outgoing_result(outgoing, rows, member->index);
        return;
    }
    if (outgoing->count > 1 && may_be_of_one(status, detail)) {
        member->state = ALONE;
        return;
    }
    pgqrsi_error_set(&member->error, status, "%s", pgqrs_error_message(detail));
    pgqrsi_error_set_sqlstate(&member->error, pgqrs_error_sqlstate(detail));
}

/* The outcome is known: wakes all members, the leader of the next batch first. */
static void
publish(const pgqrsi_call *call, pgqrs_status status, const pgqrsi_rows *rows,
        const pgqrs_error *detail)
{
    struct batch *batch = batch_of(call);
    caller *leader = batch->members[batch->count - 1];
    pgqrs_client *client = leader->producer->client;
    caller *next;

    pgqrsi_client_lock(client);
    next = next_leader(&leader->queue->coalescing);
    for (size_t i = 0; i < batch->count; i++)
        if (batch->members[i] != NULL)
            inform(batch->members[i], &batch->outgoing, rows, status, detail);
    pgqrsi_client_unlock(client);
    if (next != NULL)
        pgqrsi_waiter_post(&next->waiter);
    for (size_t i = 0; i + 1 < batch->count; i++) /* the last one is the leader */
        if (batch->members[i] != NULL)
            pgqrsi_waiter_post(&batch->members[i]->waiter);
}

/* Sends all members' messages in one statement, and publishes the outcome. The next batch may fail,
 * or wait for a lock, so this one ensures the wake-up for its own commit. */
static void
send(caller *leader, struct batch *batch)
{
    pgqrs_producer *producer = leader->producer;
    pgqrsi_params params = PGQRSI_PARAMS_INIT;
    pgqrsi_outgoing *outgoing = &batch->outgoing;
    int64_t patience_ms = batch->count > 1 ? PATIENCE_MS : 0;
    pgqrs_error detail = PGQRSI_ERROR_INIT;
    pgqrsi_rows *rows = NULL;

    for (size_t i = 0; i < batch->count; i++) {
        batch->payloads[i] = batch->members[i]->message->payloads[0];
        if (leader->message->has_options)
            batch->options[i] = *pgqrsi_outgoing_options(batch->members[i]->message, 0);
    }
    *outgoing =
        (pgqrsi_outgoing){ batch->payloads, leader->message->has_options ? batch->options : NULL,
                           batch->count, leader->message->has_options };
    pgqrsi_outgoing_pack(producer, outgoing, patience_ms, &params);
    if (batch->count > 1)
        release_late(producer->client, batch);
    batch->call = pgqrsi_outgoing_call(producer, NULL, outgoing, &params);
    batch->call.queue = leader->queue;
    batch->call.answered = publish;
    (void)pgqrsi_wake_run(producer->client, &batch->call, batch->deadline_ms, &rows, &detail);
    pgqrsi_params_release(&params);
    pgqrsi_rows_free(rows);
    pgqrsi_error_release(&detail);
}

/* The caller leads: to be called with the lock, which it gives back. */
static void
lead(caller *leader)
{
    struct batch batch;

    fill(&leader->queue->coalescing, leader, &batch);
    pgqrsi_client_unlock(leader->producer->client);
    send(leader, &batch);
}

/* Another caller leads instead. To be called with the lock, which it gives back. */
static void
pass_on(caller *self)
{
    pgqrsi_coalescing *coalescing = &self->queue->coalescing;
    caller *next;

    leave(coalescing, self);
    next = next_leader(coalescing);
    pgqrsi_client_unlock(self->producer->client);
    if (next != NULL)
        pgqrsi_waiter_post(&next->waiter);
}

/* The caller may return: no other thread will post it. */
static pgqrs_status
say_late(caller *self, int was_sent)
{
    const char *queue = self->queue->name;

    if (was_sent)
        return pgqrsi_error_set(
            &self->error, PGQRS_EUNKNOWN,
            "enqueueing to queue \"%s\": the deadline passed after it was sent, so it may "
            "or may not be stored",
            queue);
    return pgqrsi_error_set(
        &self->error, PGQRS_ETIMEDOUT,
        "enqueueing to queue \"%s\": the deadline passed while other threads' messages "
        "were being stored, and it was not sent: try again, or raise operation_timeout_ms",
        queue);
}

/* The deadline passed. Returns 1 if the caller is free to go; 0 if it is sure to be posted at any
 * moment. */
static int
try_to_leave(caller *self)
{
    pgqrs_client *client = self->producer->client;
    int is_free = 0;

    pgqrsi_client_lock(client);
    if (self->state == WAITING) {
        leave(&self->queue->coalescing, self);
        self->status = say_late(self, 0);
        is_free = 1;
    } else if (self->state == SENT && self->batch->is_packed) {
        self->batch->members[self->index] = NULL;
        self->status = say_late(self, 1);
        is_free = 1;
    } else if (self->state == SENT) {
        self->is_late = 1;
        self->batch->late++;
    }
    pgqrsi_client_unlock(client);
    return is_free;
}

/* Waits until there is an outcome, leading a batch if told to. */
static void
wait_for_outcome(caller *self)
{
    if (!pgqrsi_waiter_wait(&self->waiter, self->deadline_ms)) {
        if (try_to_leave(self))
            return;
        pgqrsi_waiter_wait(&self->waiter, PGQRSI_CLOCK_NEVER);
    }
    switch (self->state) {
    case ABANDONED:
        self->status = say_late(self, 1);
        break;
    case LEADING:
        pgqrsi_client_lock(self->producer->client);
        if (pgqrsi_clock_left_ms(self->deadline_ms) > 0) {
            lead(self);
        } else {
            pass_on(self);
            self->status = say_late(self, 0);
        }
        break;
    default:
        break;
    }
}

/* The message is stored: what is left to do for it alone. */
static pgqrs_status
settle(caller *self, pgqrs_enqueued *out, pgqrs_error *err)
{
    pgqrs_status status = PGQRS_OK;

    pgqrsi_outgoing_remember(self->producer, self->message);
    if (out == NULL)
        return PGQRS_OK;
    if (self->enqueued.id == 0)
        status = pgqrsi_outgoing_resolve(self->producer, NULL, self->message, 0, self->deadline_ms,
                                         &self->enqueued, err);
    if (status == PGQRS_OK)
        *out = self->enqueued;
    return status;
}

pgqrs_status
pgqrsi_coalesce_enqueue(pgqrs_producer *producer, const pgqrsi_outgoing *message,
                        int64_t deadline_ms, pgqrs_enqueued *out, pgqrs_error *err)
{
    pgqrsi_queue *queue = producer->queue;
    pgqrsi_coalescing *coalescing = &queue->coalescing;
    caller self = { .producer = producer,
                    .queue = queue,
                    .message = message,
                    .bytes = size_of(message),
                    .deadline_ms = deadline_ms,
                    .error = PGQRSI_ERROR_INIT };
    pgqrs_status status;

    pgqrsi_client_lock(producer->client);
    join(coalescing, &self);
    if (coalescing->batches < PGQRSI_COALESCED_BATCHES) {
        coalescing->batches++;
        self.state = LEADING;
        lead(&self);
    } else {
        self.state = WAITING;
        pgqrsi_waiter_init(&self.waiter);
        pgqrsi_client_unlock(producer->client);
        wait_for_outcome(&self);
        pgqrsi_waiter_release(&self.waiter);
    }
    if (self.state == ALONE)
        return pgqrsi_outgoing_store(producer, NULL, message, deadline_ms, out, err);
    if (self.status == PGQRS_OK)
        return settle(&self, out, err);
    status = self.status;
    pgqrsi_error_move(err, &self.error);
    pgqrsi_error_release(&self.error);
    return status;
}
