#include "work_server.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <pgqrs/queue.h>
#include <pgqrs/registration.h>

#include "work.h"
#include "work_text.h"

#define TOUCH_MS 10000
#define RETRY_FIRST_MS 50
#define RETRY_MAX_MS 5000
#define REMIND_MS 60000

/* Results archived in one statement: a few large ones should not pile up in memory. */
#define BATCH_RESULT_BYTES ((size_t)2 << 20)

int64_t
work_server_random(int64_t limit)
{
    uint64_t bits = 0;

    if (limit <= 0 || getrandom(&bits, sizeof(bits), GRND_NONBLOCK) != (ssize_t)sizeof(bits))
        return limit;
    return (int64_t)(bits % ((uint64_t)limit + 1));
}

/* Whether a failure can pass without anybody doing something about this process or its queue. */
static int
can_pass(pgqrs_status status)
{
    switch (status) {
    case PGQRS_ECONNECT:
    case PGQRS_EAUTH: /* a password that is being changed, a server that is being replaced */
    case PGQRS_ETIMEDOUT:
    case PGQRS_EUNKNOWN:
    case PGQRS_ESERVER:
    case PGQRS_ENOMEM:
    case PGQRS_ESYSTEM:
    case PGQRS_ERATE:
        return 1;
    default:
        return 0;
    }
}

static void
note_outage(struct work_server *server)
{
    int64_t now = slot_clock_ms();
    int64_t longest = RETRY_MAX_MS, limit = RETRY_FIRST_MS;

    if (server->failures == 0) {
        server->outage_ms = now;
        server->reminder_ms = now;
    }
    /* As long as leases may be saved it is tried often enough for that. */
    if (now - server->outage_ms < server->lease_ms && server->lease_ms / 4 < longest)
        longest = server->lease_ms / 4;
    for (int i = 0; i < server->failures && limit < longest; i++)
        limit *= 2;
    limit = limit < longest ? limit : longest;
    server->failures++;
    server->retry_ms =
        now + RETRY_FIRST_MS / 5 + work_server_random(limit < RETRY_MAX_MS ? limit : RETRY_MAX_MS);
    if (now < server->reminder_ms)
        return;
    server->reminder_ms = now + REMIND_MS;
    work_report_line(server->report, CLI_LOG_WARN, "%s; trying again", pgqrs_error_message(server->err));
}

/* Before every call; judge, after it, is the counterpart. */
static void
begin(struct work_server *server)
{
    work_fence_up(server->fence);
}

/* Every call's status passes through here. Returns 1 if it succeeded. */
static int
judge(struct work_server *server, pgqrs_status status)
{
    work_fence_down(server->fence);
    if (status == PGQRS_OK || status == PGQRS_ELEASELOST) {
        if (server->failures > 0)
            work_report_line(server->report, CLI_LOG_WARN, "the server answers again after %.1f s",
                             (double)(slot_clock_ms() - server->outage_ms) / 1000);
        server->failures = 0;
        server->retry_ms = 0;
        return 1;
    }
    if (can_pass(status)) {
        note_outage(server);
    } else if (server->fatal == PGQRS_OK) {
        server->fatal = status;
        work_report_failure(server->report, "%s", pgqrs_error_message(server->err));
    }
    return 0;
}

int
work_server_is_ready(const struct work_server *server, int64_t now_ms)
{
    return server->fatal == PGQRS_OK && now_ms >= server->retry_ms;
}

/* For a second call in the same turn: the first may have begun an outage. */
static int
is_well(const struct work_server *server)
{
    return server->fatal == PGQRS_OK && server->failures == 0;
}

pgqrs_status
work_server_open(struct work_server *server, pgqrs_client *client, pgqrs_slice queue, int64_t lease_ms,
                 struct work_report *report)
{
    pgqrs_consumer_options options = PGQRS_CONSUMER_OPTIONS_INIT;
    pgqrs_status status;

    memset(server, 0, sizeof(*server));
    server->client = client;
    server->queue = queue;
    server->lease_ms = lease_ms;
    server->report = report;
    server->err = pgqrs_error_new();
    status = pgqrs_registration_add(client, queue, &server->worker_id, server->err);
    if (status != PGQRS_OK)
        return status;
    server->touch_ms = slot_clock_ms() + TOUCH_MS;
    options.lease_ms = lease_ms;
    options.worker_id = server->worker_id;
    return pgqrs_consumer_open(client, queue, &options, &server->consumer, server->err);
}

void
work_server_close(struct work_server *server)
{
    /* A row that stays is taken for a worker that is gone after a minute; that is no reason to wait for
     * anything. */
    if (server->worker_id != 0 && is_well(server) &&
        pgqrs_registration_remove(server->client, server->worker_id, server->err) != PGQRS_OK)
        work_report_line(server->report, CLI_LOG_WARN, "%s", pgqrs_error_message(server->err));
    pgqrs_consumer_close(server->consumer);
    pgqrs_error_free(server->err);
}

/* After a claim that took long nobody knows how much is left of the leases: extends them, or gives all back.
 */
static int
confirm(struct work_server *server, const pgqrs_message_list *list, int64_t *out_sure_until_ms)
{
    pgqrs_lease leases[WORK_CONCURRENCY_MAX];
    pgqrs_status results[WORK_CONCURRENCY_MAX];
    size_t count = pgqrs_message_list_count(list), lost = 0;
    int64_t now = slot_clock_ms();

    for (size_t i = 0; i < count; i++)
        leases[i] = pgqrs_message_lease(pgqrs_message_list_at(list, i));
    begin(server);
    if (!judge(server, pgqrs_consumer_extend_visibility_batch(server->consumer, leases, count,
                                                              server->lease_ms, results, server->err)))
        return -1;
    for (size_t i = 0; i < count; i++)
        lost += results[i] != PGQRS_OK ? 1U : 0U;
    if (lost == 0) {
        *out_sure_until_ms = now + server->lease_ms;
        return 0;
    }
    begin(server);
    judge(server, pgqrs_consumer_release_batch(server->consumer, leases, count, 0, results, server->err));
    return -1;
}

int
work_server_claim(struct work_server *server, size_t max, pgqrs_message_list **out,
                  int64_t *out_sure_until_ms)
{
    pgqrs_message_list *list = NULL;
    int64_t before = slot_clock_ms();
    int64_t sure_until = before + server->lease_ms;

    begin(server);
    if (!judge(server, pgqrs_consumer_dequeue_batch(server->consumer, max, NULL, &list, server->err)))
        return -1;
    if (pgqrs_message_list_count(list) > 0 && slot_clock_ms() - before > server->lease_ms / 4 &&
        confirm(server, list, &sure_until) != 0) {
        pgqrs_message_list_free(list);
        return -1;
    }
    *out = list;
    *out_sure_until_ms = sure_until;
    return 0;
}

static void
drop_lost(struct work_server *server, struct slot *slot)
{
    server->report->counts.lost++;
    work_report_line(
        server->report, CLI_LOG_WARN,
        "lost the lease of message %lld: it has been given to somebody else or is gone; dropped its "
        "outcome",
        (long long)slot->lease.id);
    slot_lose(slot, slot_clock_ms());
}

void
work_server_extend(struct work_server *server, struct slot *slots, size_t count)
{
    pgqrs_lease leases[WORK_CONCURRENCY_MAX];
    pgqrs_status results[WORK_CONCURRENCY_MAX];
    struct slot *extended[WORK_CONCURRENCY_MAX];
    size_t n = 0;
    int64_t sure_until = slot_clock_ms() + server->lease_ms;

    for (size_t i = 0; i < count; i++) {
        if (!slot_wants_lease(&slots[i]))
            continue;
        leases[n] = slots[i].lease;
        extended[n++] = &slots[i];
    }
    if (n == 0)
        return;
    begin(server);
    if (!judge(server, pgqrs_consumer_extend_visibility_batch(server->consumer, leases, n, server->lease_ms,
                                                              results, server->err)))
        return;
    for (size_t i = 0; i < n; i++) {
        if (results[i] == PGQRS_OK)
            extended[i]->sure_until_ms = sure_until;
        else if (extended[i]->is_unsure) /* settling it, which follows, finds out more */
            continue;
        else
            drop_lost(server, extended[i]);
    }
}

/* What `result`, PGQRS_OK or PGQRS_ELEASELOST, says about a slot's report. */
static void
close_slot(struct work_server *server, struct slot *slot, pgqrs_status result, int64_t *counter)
{
    if (result == PGQRS_OK) {
        (*counter)++;
    } else if (slot->is_unsure) {
        server->report->counts.lost++;
        work_report_line(
            server->report, CLI_LOG_INFO,
            "message %lld is settled already, by a report whose answer was lost or by somebody else",
            (long long)slot->lease.id);
    } else {
        drop_lost(server, slot);
        return;
    }
    slot_clear(slot);
}

static void
archive_one(struct work_server *server, struct slot *slot)
{
    pgqrs_status status;

    begin(server);
    for (;;) {
        status = pgqrs_consumer_archive(server->consumer, slot->lease, slot_result(slot), server->err);
        if (status != PGQRS_EINVAL || slot->form == SLOT_FORM_NONE)
            break;
        slot_refuse_form(slot);
        if (slot->form == SLOT_FORM_NONE)
            work_report_line(server->report, CLI_LOG_WARN, "archived message %lld without its result: %s",
                             (long long)slot->lease.id, pgqrs_error_message(server->err));
    }
    if (status == PGQRS_EUNKNOWN)
        slot->is_unsure = 1;
    if (judge(server, status))
        close_slot(server, slot, status, &server->report->counts.done);
}

static void
archive_batch(struct work_server *server, struct slot **slots, size_t n)
{
    pgqrs_lease leases[WORK_CONCURRENCY_MAX];
    pgqrs_slice archived[WORK_CONCURRENCY_MAX];
    pgqrs_status results[WORK_CONCURRENCY_MAX];
    pgqrs_status status;

    for (size_t i = 0; i < n; i++) {
        leases[i] = slots[i]->lease;
        archived[i] = slot_result(slots[i]);
    }
    begin(server);
    status = pgqrs_consumer_archive_batch(server->consumer, leases, archived, n, results, server->err);
    if (status == PGQRS_EINVAL) { /* one of the results; nothing was sent */
        for (size_t i = 0; i < n && (i == 0 || is_well(server)); i++)
            archive_one(server, slots[i]);
        return;
    }
    for (size_t i = 0; i < n && status == PGQRS_EUNKNOWN; i++)
        slots[i]->is_unsure = 1;
    if (!judge(server, status))
        return;
    for (size_t i = 0; i < n; i++)
        close_slot(server, slots[i], results[i], &server->report->counts.done);
}

static void
fail_one(struct work_server *server, struct slot *slot)
{
    pgqrs_fail_options options = PGQRS_FAIL_OPTIONS_INIT;
    char *text = work_text_of_failure(slot->child.status, child_error_tail(&slot->child));
    int is_dead = 0;
    pgqrs_status status;

    options.error = pgqrs_slice_of(text);
    begin(server);
    status = pgqrs_consumer_fail(server->consumer, slot->lease, &options, &is_dead, server->err);
    if (status == PGQRS_EUNKNOWN)
        slot->is_unsure = 1;
    if (status == PGQRS_OK)
        work_report_line(server->report, is_dead ? CLI_LOG_WARN : CLI_LOG_INFO, "message %lld %s: %.200s",
                         (long long)slot->lease.id,
                         is_dead ? "failed for the last time and is dead" : "failed and will be tried again",
                         text != NULL ? text : "out of memory");
    free(text);
    if (judge(server, status))
        close_slot(server, slot, status,
                   is_dead ? &server->report->counts.dead : &server->report->counts.failed);
}

/* One statement for all that have the same pause: those that could not be started, and those that were
 * stopped. */
static void
release_all(struct work_server *server, struct slot *slots, size_t count, int64_t back_off_ms)
{
    pgqrs_lease leases[WORK_CONCURRENCY_MAX];
    pgqrs_status results[WORK_CONCURRENCY_MAX];
    struct slot *released[WORK_CONCURRENCY_MAX];
    pgqrs_status status;
    size_t n = 0;

    for (size_t i = 0; i < count; i++) {
        if (slots[i].state != SLOT_RELEASING || slots[i].back_off_ms != back_off_ms)
            continue;
        leases[n] = slots[i].lease;
        released[n++] = &slots[i];
    }
    if (n == 0)
        return;
    begin(server);
    status = pgqrs_consumer_release_batch(server->consumer, leases, n, back_off_ms, results, server->err);
    for (size_t i = 0; i < n && status == PGQRS_EUNKNOWN; i++)
        released[i]->is_unsure = 1;
    if (!judge(server, status))
        return;
    for (size_t i = 0; i < n; i++)
        close_slot(server, released[i], results[i], &server->report->counts.released);
}

void
work_server_settle(struct work_server *server, struct slot *slots, size_t count)
{
    struct slot *batch[WORK_CONCURRENCY_MAX];
    int called = 0; /* the first call may be the one that ends an outage */
    size_t i = 0;

    while (i < count && (!called || is_well(server))) {
        size_t n = 0, bytes = 0;

        for (; i < count && bytes < BATCH_RESULT_BYTES; i++) {
            if (!slot_is_success(&slots[i]))
                continue;
            bytes += slot_result(&slots[i]).size;
            batch[n++] = &slots[i];
        }
        if (n > 0) {
            archive_batch(server, batch, n);
            called = 1;
        }
    }
    for (i = 0; i < count && (!called || is_well(server)); i++) {
        if (slots[i].state == SLOT_FINISHED && !slot_is_success(&slots[i])) {
            fail_one(server, &slots[i]);
            called = 1;
        }
    }
    for (i = 0; i < count && (!called || is_well(server)); i++) {
        if (slots[i].state == SLOT_RELEASING) {
            release_all(server, slots, count, slots[i].back_off_ms);
            called = 1;
        }
    }
}

void
work_server_touch(struct work_server *server, int64_t now_ms)
{
    if (now_ms < server->touch_ms)
        return;
    begin(server);
    if (judge(server, pgqrs_registration_touch(server->client, server->worker_id, server->err)))
        server->touch_ms = slot_clock_ms() + TOUCH_MS;
}

int
work_server_is_empty(struct work_server *server)
{
    pgqrs_queue_counts counts;

    begin(server);
    if (!judge(server, pgqrs_queue_count(server->client, server->queue, &counts, server->err)))
        return -1;
    return counts.ready == 0 && counts.delayed == 0 && counts.leased == 0;
}
