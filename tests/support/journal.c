#include "journal.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check.h"

/* Something to wait for: `changed` whenever what `lock` guards has. */
struct watch {
    pthread_mutex_t lock;
    pthread_cond_t changed;
};

struct ts_journal {
    struct watch watch;
    char *text; /* all lines */
    size_t size;
    ts_journal *next; /* of all there are: none is freed, and none is leaked */
};

struct ts_gate {
    struct watch watch;
    int arrived, open;
    ts_gate *next; /* of all there are */
};

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER; /* guards both lists */
static ts_gate *gates;
static ts_journal *journals;

static void
watch_init(struct watch *watch)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&watch->lock, NULL);
    pthread_cond_init(&watch->changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

static struct timespec
deadline(void)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += TS_JOURNAL_WAIT_MS / 1000;
    return until;
}

/* With the lock held; whether it is not yet too late. */
static int
watch_wait(struct watch *watch, const struct timespec *until)
{
    return pthread_cond_timedwait(&watch->changed, &watch->lock, until) != ETIMEDOUT;
}

ts_journal *
ts_journal_new(void)
{
    ts_journal *journal = calloc(1, sizeof(*journal));

    if (journal == NULL)
        ts_fail("out of memory");
    watch_init(&journal->watch);
    journal->text = strdup("");
    pthread_mutex_lock(&list_lock);
    journal->next = journals;
    journals = journal;
    pthread_mutex_unlock(&list_lock);
    return journal;
}

void
ts_journal_add(ts_journal *journal, const char *format, ...)
{
    va_list arguments;
    char *line;
    int size;

    va_start(arguments, format);
    size = vasprintf(&line, format, arguments);
    va_end(arguments);
    if (size < 0)
        ts_fail("out of memory");
    pthread_mutex_lock(&journal->watch.lock);
    journal->text = realloc(journal->text, journal->size + (size_t)size + 2);
    if (journal->text == NULL)
        ts_fail("out of memory");
    memcpy(journal->text + journal->size, line, (size_t)size);
    journal->size += (size_t)size + 1;
    memcpy(journal->text + journal->size - 1, "\n", 2);
    pthread_cond_broadcast(&journal->watch.changed);
    pthread_mutex_unlock(&journal->watch.lock);
    free(line);
}

const char *
ts_event_name(pgqrs_event_kind kind)
{
    static const char *const names[] = { "STARTED",      "DONE",      "FAILED",    "DEAD",
                                         "SNOOZED",      "RELEASED",  "CANCELLED", "LOST",
                                         "DISCONNECTED", "CONNECTED", "TROUBLE",   "REOPENED",
                                         "PAUSED",       "UNPAUSED" };

    if ((size_t)kind >= sizeof(names) / sizeof(names[0]))
        ts_fail("there is no event of the kind %d", (int)kind);
    return names[kind];
}

void
ts_journal_event(const pgqrs_event *event, void *journal)
{
    if (event->job != NULL)
        ts_journal_add(journal, "%s %lld", ts_event_name(event->kind),
                       (long long)pgqrs_job_message(event->job)->id);
    else
        ts_journal_add(journal, "%s", ts_event_name(event->kind));
}

/* With the lock held. */
static int
count_lines(const ts_journal *journal, const char *start)
{
    int count = 0;

    for (const char *line = journal->text; *line != '\0'; line = strchr(line, '\n') + 1)
        count += strncmp(line, start, strlen(start)) == 0;
    return count;
}

int
ts_journal_count(ts_journal *journal, const char *start)
{
    int count;

    pthread_mutex_lock(&journal->watch.lock);
    count = count_lines(journal, start);
    pthread_mutex_unlock(&journal->watch.lock);
    return count;
}

void
ts_journal_await(ts_journal *journal, const char *start, int count)
{
    const struct timespec until = deadline();
    char *text = NULL;

    pthread_mutex_lock(&journal->watch.lock);
    while (count_lines(journal, start) < count && text == NULL)
        if (!watch_wait(&journal->watch, &until))
            text = strdup(journal->text);
    pthread_mutex_unlock(&journal->watch.lock);
    if (text != NULL)
        ts_fail("%d lines did not come to begin with \"%s\" within %d ms; the journal is\n%s",
                count, start, TS_JOURNAL_WAIT_MS, text);
}

void
ts_journal_expect(ts_journal *journal, const char *wanted)
{
    char *text;

    pthread_mutex_lock(&journal->watch.lock);
    text = strdup(journal->text);
    pthread_mutex_unlock(&journal->watch.lock);
    if (strcmp(text, wanted) != 0)
        ts_fail("the journal is\n%swhere this was due:\n%s", text, wanted);
    free(text);
}

ts_gate *
ts_gate_new(void)
{
    ts_gate *gate = calloc(1, sizeof(*gate));

    if (gate == NULL)
        ts_fail("out of memory");
    watch_init(&gate->watch);
    pthread_mutex_lock(&list_lock);
    gate->next = gates;
    gates = gate;
    pthread_mutex_unlock(&list_lock);
    return gate;
}

void
ts_gate_pass(ts_gate *gate)
{
    const struct timespec until = deadline();

    pthread_mutex_lock(&gate->watch.lock);
    gate->arrived++;
    pthread_cond_broadcast(&gate->watch.changed);
    while (!gate->open && watch_wait(&gate->watch, &until))
        ;
    pthread_mutex_unlock(&gate->watch.lock);
}

void
ts_gate_await(ts_gate *gate, int count)
{
    const struct timespec until = deadline();
    int arrived;

    pthread_mutex_lock(&gate->watch.lock);
    while (gate->arrived < count && watch_wait(&gate->watch, &until))
        ;
    arrived = gate->arrived;
    pthread_mutex_unlock(&gate->watch.lock);
    if (arrived < count)
        ts_fail("%d instead of %d came to the gate within %d ms", arrived, count,
                TS_JOURNAL_WAIT_MS);
}

int
ts_gate_arrived(ts_gate *gate)
{
    int arrived;

    pthread_mutex_lock(&gate->watch.lock);
    arrived = gate->arrived;
    pthread_mutex_unlock(&gate->watch.lock);
    return arrived;
}

void
ts_gate_open(ts_gate *gate)
{
    pthread_mutex_lock(&gate->watch.lock);
    gate->open = 1;
    pthread_cond_broadcast(&gate->watch.changed);
    pthread_mutex_unlock(&gate->watch.lock);
}

void
ts_gates_open(void)
{
    pthread_mutex_lock(&list_lock);
    for (ts_gate *gate = gates; gate != NULL; gate = gate->next)
        ts_gate_open(gate);
    pthread_mutex_unlock(&list_lock);
}
