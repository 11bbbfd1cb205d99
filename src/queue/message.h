/*
 * Lists of messages: converts rows to pgqrs_message.
 */
#ifndef PGQRSI_QUEUE_MESSAGE_H
#define PGQRSI_QUEUE_MESSAGE_H

#include <pgqrs/message.h>

#include "db/rows.h"

/** Columns that every statement which returns messages begins with. */
#define PGQRSI_MESSAGE_COLUMNS 15

/** Reads row `row`; its text belongs to `rows`. */
void pgqrsi_message_read(const pgqrsi_rows *rows, int row, pgqrs_message *out);

/** An empty list with room for `capacity` messages. */
pgqrs_status pgqrsi_message_list_new(size_t capacity, pgqrs_message_list **out, pgqrs_error *err);

/** How many results may be added to one list. */
#define PGQRSI_MESSAGE_LIST_PARTS 16

/** 1 if no more results may be added to it. */
int pgqrsi_message_list_is_full(const pgqrs_message_list *list);

/** Appends all rows, the highest priority first, then by id; the list owns `rows` from now on. It
 * must not be full. */
void pgqrsi_message_list_add(pgqrs_message_list *list, pgqrsi_rows *rows);

/** What the rows of claim_ready.sql leave out, because it is the same for all of them. */
typedef struct pgqrsi_claim_facts {
    int64_t token;
    int64_t worker_id;
    int64_t lease_ms;
} pgqrsi_claim_facts;

/** pgqrsi_message_list_add for rows of claim_ready.sql. */
void pgqrsi_message_list_add_ready(pgqrs_message_list *list, pgqrsi_rows *rows,
                                   const pgqrsi_claim_facts *facts);

/** Removes the message at `index`. */
void pgqrsi_message_list_remove(pgqrs_message_list *list, size_t index);

#endif
