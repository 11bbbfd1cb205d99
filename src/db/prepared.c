#include "db/prepared.h"

enum { UNKNOWN = 0, SEEN, PREPARING, PREPARED, DROPPING };

typedef struct pgqrsi_prepared_entry entry;

static entry *
set_of(pgqrsi_prepared *prepared, uint64_t serial)
{
    /* Statements of queues come at regular distances: the multiplication spreads them. */
    uint64_t mixed = serial * UINT64_C(0x9e3779b97f4a7c15);

    return prepared->entries[(mixed >> 32) % PGQRSI_PREPARED_SETS];
}

static entry *
find(pgqrsi_prepared *prepared, uint64_t serial)
{
    entry *set = set_of(prepared, serial);

    for (size_t i = 0; i < PGQRSI_PREPARED_WAYS; i++)
        if (set[i].state != UNKNOWN && set[i].serial == serial)
            return &set[i];
    return NULL;
}

/* Remembers that it was run once, in place of what was not run for longest; not at all if the whole
 * set is prepared. */
static void
meet(pgqrsi_prepared *prepared, uint64_t serial)
{
    entry *set = set_of(prepared, serial), *place = NULL;

    for (size_t i = 0; i < PGQRSI_PREPARED_WAYS; i++)
        if (set[i].state <= SEEN && (place == NULL || set[i].used < place->used))
            place = &set[i];
    if (place != NULL)
        *place = (entry){ serial, prepared->uses, SEEN };
}

/* The prepared statement that was not run for longest, and not since `before`; NULL if there is
 * none. */
static entry *
find_victim(pgqrsi_prepared *prepared, uint64_t before)
{
    entry *victim = NULL;

    for (size_t i = 0; i < PGQRSI_PREPARED_SETS; i++) {
        for (size_t j = 0; j < PGQRSI_PREPARED_WAYS; j++) {
            entry *one = &prepared->entries[i][j];

            if (one->state == PREPARED && one->used < before) {
                before = one->used;
                victim = one;
            }
        }
    }
    return victim;
}

pgqrsi_run_as
pgqrsi_prepared_plan(pgqrsi_prepared *prepared, uint64_t serial, uint64_t *victim)
{
    entry *known = find(prepared, serial), *dropped = NULL;
    uint64_t last_used;

    prepared->uses++;
    if (known == NULL) {
        meet(prepared, serial);
        return PGQRSI_RUN_UNNAMED;
    }
    last_used = known->used;
    known->used = prepared->uses;
    if (known->state != SEEN)
        return known->state == PREPARED ? PGQRSI_RUN_NAMED : PGQRSI_RUN_UNNAMED;
    if (prepared->count >= PGQRSI_PREPARED_MAX) {
        dropped = find_victim(prepared, last_used);
        if (dropped == NULL)
            return PGQRSI_RUN_UNNAMED;
        dropped->state = DROPPING;
        *victim = dropped->serial;
    } else {
        prepared->count++;
    }
    known->state = PREPARING;
    return dropped != NULL ? PGQRSI_RUN_DROP_PREPARE : PGQRSI_RUN_PREPARE;
}

void
pgqrsi_prepared_settle(pgqrsi_prepared *prepared, uint64_t serial, int succeeded)
{
    entry *known = find(prepared, serial);

    if (known == NULL)
        return;
    if (known->state == PREPARING) {
        known->state = succeeded ? PREPARED : SEEN;
        prepared->count -= !succeeded;
    } else if (known->state == DROPPING) {
        known->state = succeeded ? UNKNOWN : PREPARED;
        prepared->count += !succeeded;
    }
}
