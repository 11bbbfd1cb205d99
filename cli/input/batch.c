#include "input/batch.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_BYTES ((size_t)4 << 20)

int
cli_batch_init(cli_batch *batch, pgqrs_producer *producer, const pgqrs_enqueue_options *options,
               size_t max)
{
    memset(batch, 0, sizeof(*batch));
    batch->producer = producer;
    batch->options = *options;
    batch->max = max;
    batch->text_size = TEXT_BYTES;
    batch->text = malloc(batch->text_size);
    batch->payloads = calloc(max, sizeof(*batch->payloads));
    batch->each = calloc(max, sizeof(*batch->each));
    batch->pointers = calloc(max, sizeof(*batch->pointers));
    batch->results = calloc(max, sizeof(*batch->results));
    batch->lines = calloc(max, sizeof(*batch->lines));
    return batch->text != NULL && batch->payloads != NULL && batch->each != NULL &&
                   batch->pointers != NULL && batch->results != NULL && batch->lines != NULL
               ? 0
               : -1;
}

void
cli_batch_release(cli_batch *batch)
{
    free(batch->text);
    free(batch->payloads);
    free(batch->each);
    free(batch->pointers);
    free(batch->results);
    free(batch->lines);
    memset(batch, 0, sizeof(*batch));
}

int
cli_batch_has_room(const cli_batch *batch, size_t bytes)
{
    return batch->count == 0 ||
           (batch->count < batch->max && bytes <= batch->text_size - batch->text_used);
}

static pgqrs_slice
copy(cli_batch *batch, pgqrs_slice text)
{
    pgqrs_slice slice = { batch->text + batch->text_used, text.size };

    memcpy(batch->text + batch->text_used, text.data, text.size);
    batch->text_used += text.size;
    return slice;
}

int
cli_batch_add(cli_batch *batch, pgqrs_slice payload, pgqrs_slice key, int64_t line)
{
    size_t i = batch->count, bytes = payload.size + key.size;

    if (bytes > batch->text_size) { /* then it is the first, and nothing points into the old text */
        char *larger = realloc(batch->text, bytes);

        if (larger == NULL)
            return -1;
        batch->text = larger;
        batch->text_size = bytes;
    }
    batch->payloads[i] = copy(batch, payload);
    batch->each[i] = batch->options;
    if (key.data != NULL)
        batch->each[i].idempotency_key = copy(batch, key);
    batch->pointers[i] = &batch->each[i];
    batch->lines[i] = line;
    batch->count++;
    return 0;
}

/* One alone has the more exact message about what is wrong with it. */
static pgqrs_status
send_range(cli_batch *batch, size_t first, size_t end, pgqrs_error *err)
{
    pgqrs_status status;

    if (end - first == 1)
        status = pgqrs_producer_enqueue(batch->producer, batch->payloads[first],
                                        batch->pointers[first], &batch->results[first], err);
    else
        status = pgqrs_producer_enqueue_batch(batch->producer, batch->payloads + first,
                                              batch->pointers + first, end - first,
                                              batch->results + first, err);
    if (status != PGQRS_OK)
        return status;
    for (size_t i = first; i < end; i++) {
        batch->duplicates += batch->results[i].duplicate != 0;
        batch->sent += batch->results[i].duplicate == 0;
    }
    return status;
}

/* Sends the messages from `first` to before `end`. A batch with a refused message is refused as a
 * whole: it is halved until that message stands alone, so that all before it get through. *stop is
 * where it failed, to before *stop_end. */
static pgqrs_status
send_or_halve(cli_batch *batch, size_t first, size_t end, size_t *stop, size_t *stop_end,
              pgqrs_error *err)
{
    size_t middle = first + (end - first) / 2;
    pgqrs_status status = send_range(batch, first, end, err);

    *stop = first;
    *stop_end = end;
    if (status != PGQRS_EINVAL || end - first == 1)
        return status;
    status = send_or_halve(batch, first, middle, stop, stop_end, err);
    if (status == PGQRS_OK)
        status = send_or_halve(batch, middle, end, stop, stop_end, err);
    return status;
}

pgqrs_status
cli_batch_send(cli_batch *batch, int64_t *first, int64_t *last, pgqrs_error *err)
{
    pgqrs_status status = PGQRS_OK;
    size_t stop = 0, stop_end = 0;

    if (batch->count == 0)
        return PGQRS_OK;
    status = send_or_halve(batch, 0, batch->count, &stop, &stop_end, err);
    *first = batch->lines[stop];
    *last = batch->lines[stop_end - 1];
    batch->count = 0;
    batch->text_used = 0;
    return status;
}
