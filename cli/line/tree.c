#include "line/tree.h"

#include <string.h>

const cli_node *
cli_node_child(const cli_node *node, const char *name)
{
    for (const cli_node *child = node->children; child != NULL && child->name != NULL; child++)
        if (strcmp(child->name, name) == 0)
            return child;
    return NULL;
}
