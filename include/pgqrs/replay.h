/*
 * Replaying dead messages: a copy goes into a queue under a new id.
 *
 * A copy has the payload, type, priority and producer of the dead message, all counts at 0, and no
 * idempotency key: the key stays with the first message. Its headers are those of the dead message
 * and two more: "pgqrs_replayed_from", the id of the first message, and "pgqrs_replays", how often
 * that was replayed (1 for the first copy). "pgqrs_edited": true is added if the payload was
 * replaced. Headers that are not an object, which only plain SQL can store, are not copied.
 *
 * The dead message stays in the archive with all that it holds, marked with the copy's id and the
 * time: replaying it again stores nothing. Copy and mark are one transaction. Once the dead message
 * is removed from the archive, the mark is gone with it.
 *
 * A copy is an ordinary message: it wakes workers, and waits while its queue is paused. Nothing is
 * replayed by itself. A role needs the grants of "mail_replayer" in docs/security.md.
 *
 * Any thread. Besides the statuses listed with it, each function can return the failures listed in
 * pgqrs/queue.h, and PGQRS_ENOQUEUE for either queue.
 */
#ifndef PGQRS_REPLAY_H
#define PGQRS_REPLAY_H

#include <pgqrs/producer.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Options of pgqrs_archive_replay. Zero means the default. */
typedef struct pgqrs_replay_options {
    size_t size;          /* sizeof this struct */
    pgqrs_slice to_queue; /* where the copy goes; default: the queue in which the message died */
    pgqrs_slice payload;  /* JSON that replaces the payload in the copy; default: the same */
    int64_t delay_ms;     /* time until the copy is due, 0 ms to 10 years; default 0 ms */
    int32_t priority_set; /* 1: the copy has `priority`; default 0: that of the dead message */
    int32_t priority;     /* -100 to 100 */
} pgqrs_replay_options;

#define PGQRS_REPLAY_OPTIONS_INIT                                                                  \
    {                                                                                              \
        sizeof(pgqrs_replay_options), { 0, 0 }, { 0, 0 }, 0, 0, 0                                  \
    }

/**
 * Replays the dead message `id` of `queue`, however often it was replayed before.
 *
 * options  NULL for the defaults.
 * out      NULL, or the copy's id. If the dead message was replayed before, by whichever caller:
 *          the id of that copy, `duplicate` is 1 and nothing was stored; `options` do not count.
 *
 * Returns PGQRS_OK; PGQRS_EINVAL or PGQRS_ENOMESSAGE (`queue` has no such dead message; nothing was
 * stored); or PGQRS_EUNKNOWN (call it again: there is one copy at most). Blocks at most
 * `operation_timeout_ms`.
 */
PGQRS_API pgqrs_status pgqrs_archive_replay(pgqrs_client *client, pgqrs_slice queue, int64_t id,
                                            const pgqrs_replay_options *options,
                                            pgqrs_enqueued *out, pgqrs_error *err);

/** What pgqrs_archive_replay_all has done so far. */
typedef struct pgqrs_replayed {
    size_t size;      /* sizeof this struct; begin with PGQRS_REPLAYED_INIT */
    int64_t replayed; /* messages whose copies are stored */
    int64_t skipped;  /* messages left alone because they were replayed too often before */
    int64_t left;     /* messages that matched at the beginning, and are neither */
    int64_t unknown;  /* of those, messages that may have been replayed: the connection was lost */
} pgqrs_replayed;

#define PGQRS_REPLAYED_INIT                                                                        \
    {                                                                                              \
        sizeof(pgqrs_replayed), 0, 0, 0, 0                                                         \
    }

/** Called by pgqrs_archive_replay_all, in its thread, without a lock: for each part of the archive
 * that it counts, with the messages found so far in `left`, and after each slice. Returns true to
 * go on, false to stop. */
typedef bool (*pgqrs_replay_progress)(void *arg, const pgqrs_replayed *so_far);

/** Which dead messages to replay, and how fast. Zero means the default: all, in the queue in which
 * they died. Times are of the server's clock and count from when a message was archived. */
typedef struct pgqrs_replay_all_options {
    size_t size;               /* sizeof this struct */
    pgqrs_slice to_queue;      /* where the copies go */
    pgqrs_slice type;          /* only messages of this type */
    int64_t archived_from_ms;  /* only messages archived at this time or later, since 1970 */
    int64_t archived_until_ms; /* or at this time or earlier */
    int64_t older_than_ms;     /* only messages that have been dead for this long */
    int64_t newer_than_ms;     /* or no longer than this */
    int64_t limit;             /* replays at most so many, the lowest ids first; default: all */
    int64_t per_second;        /* 1 to 1,000,000; default 1,000 */
    int32_t force;             /* 1: also messages that were replayed 3 times and more */
    int32_t is_dry_run;        /* 1: only counts; `replayed` then says how many there would be */
    pgqrs_replay_progress progress; /* default: none */
    void *progress_arg;
} pgqrs_replay_all_options;

#define PGQRS_REPLAY_ALL_OPTIONS_INIT                                                              \
    {                                                                                              \
        sizeof(pgqrs_replay_all_options), { 0, 0 }, { 0, 0 }, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0         \
    }

/**
 * Replays dead messages of `queue` in the order of their ids, in slices of at most 1,000, each in a
 * transaction of its own. Takes the messages that are dead when it begins, by the server's clock: a
 * copy that dies during the call is not replayed by it. Leaves out messages that were replayed, and
 * skips, unless forced, copies that stem from three replays.
 *
 * options  NULL for the defaults.
 * out      NULL, or what was done: written after a failure, too.
 *
 * Interrupted in whatever way, it can be called again, and does the rest. A message that the server
 * refuses does not keep the others from being replayed; up to 10 of them are left, and then
 * reported with the server's reason.
 *
 * Returns PGQRS_OK, also if `progress` stopped it; PGQRS_EINVAL (nothing was done); PGQRS_EUNKNOWN
 * (out->unknown messages may have been replayed); or another failure. Blocks as long as it takes;
 * each statement at most `operation_timeout_ms`.
 */
PGQRS_API pgqrs_status pgqrs_archive_replay_all(pgqrs_client *client, pgqrs_slice queue,
                                                const pgqrs_replay_all_options *options,
                                                pgqrs_replayed *out, pgqrs_error *err);

#ifdef __cplusplus
}
#endif
#endif
