-- Stores many plain messages in the ready lane. Two statements in one string, in one transaction:
-- the first issues ids, the second takes rows of id, payload, producer_worker_id in COPY's binary
-- form. :count is the number of messages. A string of two statements takes no parameters, so
-- src/db/copy.c writes the number into it.
-- Returns: the ids, ascending, in the order of the rows to come. One WAL record a page instead of
-- one a message.
-- Not allowed in a pipeline. Locks: none that others wait for.
-- Columns: int8
-- Rows: many
SELECT pg_catalog.nextval(:'sequence'::regclass) FROM pg_catalog.generate_series(1, :count);
COPY :"schema".:"ready" (id, payload, producer_worker_id) FROM STDIN (FORMAT binary);
