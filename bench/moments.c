#include "moments.h"

#include <stdlib.h>
#include <string.h>

void
bench_moments_release(bench_moments *moments)
{
    free(moments->values);
    *moments = (bench_moments){ 0 };
}

int
bench_moments_add(bench_moments *moments, int64_t id, int64_t from_ns, int64_t to_ns)
{
    if (moments->count == moments->capacity) {
        size_t capacity = moments->capacity > 0 ? moments->capacity * 2 : 1024;
        bench_moment *values = realloc(moments->values, capacity * sizeof(*values));

        if (values == NULL)
            return -1;
        moments->values = values;
        moments->capacity = capacity;
    }
    moments->values[moments->count++] = (bench_moment){ id, from_ns, to_ns };
    return 0;
}

static int
compare_ids(const void *a, const void *b)
{
    int64_t left = ((const bench_moment *)a)->id, right = ((const bench_moment *)b)->id;

    return (left > right) - (left < right);
}

int
bench_moments_join(const bench_moments *lists, size_t count, bench_moments *out)
{
    size_t total = 0;

    for (size_t i = 0; i < count; i++)
        total += lists[i].count;
    *out = (bench_moments){ 0 };
    out->values = calloc(total > 0 ? total : 1, sizeof(*out->values));
    if (out->values == NULL)
        return -1;
    out->capacity = total;
    for (size_t i = 0; i < count; i++) {
        if (lists[i].count > 0)
            memcpy(out->values + out->count, lists[i].values, lists[i].count * sizeof(*out->values));
        out->count += lists[i].count;
    }
    qsort(out->values, out->count, sizeof(*out->values), compare_ids);
    return 0;
}

bench_audit
bench_moments_audit(const bench_moments *in, const bench_moments *out)
{
    bench_audit audit = { 0, 0 };
    size_t i = 0, k = 0;

    while (i < in->count || k < out->count) {
        if (k == out->count || (i < in->count && in->values[i].id < out->values[k].id)) {
            audit.lost++;
            i++;
        } else if (i == in->count || out->values[k].id < in->values[i].id) {
            audit.twice++;
            k++;
        } else {
            i++;
            k++;
        }
    }
    return audit;
}
