#include "db/statement.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"

void
pgqrsi_scope_init(pgqrsi_scope *scope, const char *schema, uint64_t *next_serial)
{
    memset(scope, 0, sizeof(*scope));
    scope->schema = schema;
    scope->next_serial = next_serial;
}

void
pgqrsi_scope_release(pgqrsi_scope *scope)
{
    for (size_t i = 0; i < PGQRSI_SQL_COUNT; i++) {
        for (int lane = PGQRSI_LANE_READY; lane <= PGQRSI_LANE_HELD; lane++) {
            free(scope->statements[i][lane].text);
            free(scope->statements[i][lane].name);
        }
    }
}

/* Both kinds of quotes are escaped by doubling. Backslashes mean nothing:
 * standard_conforming_strings is on by default, and a literal that holds one is written so that the
 * setting does not matter. */
static void
append_quoted(pgqrsi_buffer *out, const char *text, char quote)
{
    int escape = quote == '\'' && strchr(text, '\\') != NULL;

    if (escape)
        pgqrsi_buffer_append_text(out, " E");
    pgqrsi_buffer_append(out, &quote, 1);
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == quote || (escape && *p == '\\'))
            pgqrsi_buffer_append(out, p, 1);
        pgqrsi_buffer_append(out, p, 1);
    }
    pgqrsi_buffer_append(out, &quote, 1);
}

/* The tables of a queue, by placeholder. */
static const struct {
    const char *placeholder, *prefix, *suffix;
} tables[] = {
    { "ready", "pgqrs_messages_", "_ready" }, { "held", "pgqrs_messages_", "_held" },
    { "messages", "pgqrs_messages_", "" },    { "archive", "pgqrs_archive_", "" },
    { "source", "pgqrs_archive_", "" },       { "keys", "pgqrs_keys_", "" },
    { "frontier", "pgqrs_frontier_", "" },
};

/* Writes the table that a placeholder of a queue stands for; "" if it is no such placeholder. */
static void
table_name(const pgqrsi_scope *scope, pgqrsi_lane lane, const char *placeholder, char *out,
           size_t size)
{
    int is_source = strcmp(placeholder, "source") == 0;

    out[0] = '\0';
    if (strcmp(placeholder, "leaf") == 0)
        placeholder = lane == PGQRSI_LANE_HELD ? "held" : "ready";
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
        if (strcmp(placeholder, tables[i].placeholder) == 0)
            snprintf(out, size, "%s%" PRId64 "%s", tables[i].prefix,
                     is_source && scope->source_id != 0 ? scope->source_id : scope->queue_id,
                     tables[i].suffix);
}

/* A relation of the schema, as the text of a regclass. */
static void
append_qualified(const pgqrsi_scope *scope, const char *relation, pgqrsi_buffer *out)
{
    pgqrsi_buffer name = PGQRSI_BUFFER_INIT;

    append_quoted(&name, scope->schema, '"');
    pgqrsi_buffer_append_text(&name, ".");
    pgqrsi_buffer_append_text(&name, relation);
    pgqrsi_buffer_append(&name, "", 1);
    if (name.failed)
        out->failed = 1;
    else
        append_quoted(out, name.data, '\'');
    pgqrsi_buffer_release(&name);
}

static void
append_placeholder(const pgqrsi_scope *scope, pgqrsi_lane lane, const char *placeholder, char quote,
                   pgqrsi_buffer *out)
{
    if (strcmp(placeholder, "schema") == 0) {
        append_quoted(out, scope->schema, quote);
    } else if (strcmp(placeholder, "sequence") == 0) {
        append_qualified(scope, "pgqrs_message_id_seq", out);
    } else if (strcmp(placeholder, "wake_channel") == 0) {
        char channel[32];

        snprintf(channel, sizeof(channel), "pgqrs_wake_%d", scope->backend);
        append_quoted(out, channel, quote);
    } else {
        char table[64];

        table_name(scope, lane, placeholder, table, sizeof(table));
        if (quote == '"')
            append_quoted(out, table, quote);
        else
            append_qualified(scope, table, out);
    }
}

/* Returns malloc'ed text, or NULL when memory is short. */
static char *
render(const pgqrsi_scope *scope, pgqrsi_lane lane, const char *text)
{
    pgqrsi_buffer out = PGQRSI_BUFFER_INIT;

    for (const char *p = text; *p != '\0';) {
        const char *end;
        char placeholder[16];

        if (p[0] != ':' || (p[1] != '"' && p[1] != '\'') || (p > text && p[-1] == ':')) {
            size_t plain = 1 + strcspn(p + 1, ":");

            pgqrsi_buffer_append(&out, p, plain);
            p += plain;
            continue;
        }
        end = strchr(p + 2, p[1]);
        if (end == NULL || (size_t)(end - p - 2) >= sizeof(placeholder)) {
            pgqrsi_buffer_append(&out, p, 1);
            p++;
            continue;
        }
        memcpy(placeholder, p + 2, (size_t)(end - p - 2));
        placeholder[end - p - 2] = '\0';
        append_placeholder(scope, lane, placeholder, p[1], &out);
        p = end + 1;
    }
    pgqrsi_buffer_append(&out, "", 1);
    if (out.failed) {
        pgqrsi_buffer_release(&out);
        return NULL;
    }
    return out.data;
}

static char *
name_of(const pgqrsi_scope *scope, pgqrsi_sql sql)
{
    char *name = NULL;

    if (scope->queue_name == NULL)
        return strdup(pgqrsi_sql_texts[sql].name);
    if (asprintf(&name, "queue \"%s\": %s", scope->queue_name, pgqrsi_sql_texts[sql].name) < 0)
        return NULL;
    return name;
}

pgqrs_status
pgqrsi_scope_statement(pgqrsi_scope *scope, pgqrsi_sql sql, pgqrsi_lane lane,
                       const pgqrsi_statement **out, pgqrs_error *err)
{
    pgqrsi_statement *statement = &scope->statements[sql][lane];

    if (statement->text == NULL) {
        char *name = name_of(scope, sql);
        char *text = render(scope, lane, pgqrsi_sql_texts[sql].text);

        if (name == NULL || text == NULL) {
            free(name);
            free(text);
            return pgqrsi_error_memory(err);
        }
        statement->name = name;
        statement->text = text;
        statement->shape = &pgqrsi_sql_texts[sql].shape;
        statement->serial = (*scope->next_serial)++;
    }
    *out = statement;
    return PGQRS_OK;
}

char *
pgqrsi_scope_migration(const pgqrsi_scope *scope, pgqrsi_migration migration)
{
    return render(scope, PGQRSI_LANE_READY, pgqrsi_migration_texts[migration].text);
}
