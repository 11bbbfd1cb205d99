#include "line/suggest.h"

#include <string.h>

#define MAX_LENGTH 32

static unsigned
least(unsigned a, unsigned b, unsigned c)
{
    unsigned smaller = a < b ? a : b;

    return smaller < c ? smaller : c;
}

/* How many letters must be put in, left out, changed or swapped with a neighbour. Both at most
 * MAX_LENGTH. */
static unsigned
distance_between(const char *a, const char *b)
{
    unsigned cost[MAX_LENGTH + 1][MAX_LENGTH + 1];
    size_t a_length = strlen(a), b_length = strlen(b);

    for (size_t i = 0; i <= a_length; i++)
        for (size_t j = 0; j <= b_length; j++) {
            if (i == 0 || j == 0) {
                cost[i][j] = (unsigned)(i + j);
                continue;
            }
            cost[i][j] = least(cost[i - 1][j] + 1, cost[i][j - 1] + 1,
                               cost[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                cost[i - 2][j - 2] + 1 < cost[i][j])
                cost[i][j] = cost[i - 2][j - 2] + 1;
        }
    return cost[a_length][b_length];
}

void
cli_suggest_consider(cli_suggest *suggest, const char *name)
{
    size_t length = strlen(suggest->typed);
    unsigned distance;

    if (length > MAX_LENGTH || strlen(name) > MAX_LENGTH)
        return;
    distance = distance_between(suggest->typed, name);
    /* "--max" means "--max-attempts": a beginning counts as near. */
    if (length >= 3 && strncmp(suggest->typed, name, length) == 0)
        distance = 1;
    if (distance <= 1 + length / 3 && distance < length && distance < suggest->distance) {
        suggest->distance = distance;
        suggest->best = name;
    }
}
