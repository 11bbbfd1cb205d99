-- Appends many plain messages to the ready lane. Two statements in one string, so one transaction: the first gives out ids,
-- the second takes rows of id, payload, producer_worker_id in COPY's binary form. :count is how many: a string of two statements
-- has no parameters, so the number itself is put there (src/db/copy.c).
-- Returns: the ids, ascending, in the order of the rows to come. One WAL record a page instead of one a message.
-- Not allowed in a pipeline. Locks: nothing that others wait for.
-- Columns: int8
-- Rows: many
SELECT pg_catalog.nextval(:'sequence'::regclass) FROM pg_catalog.generate_series(1, :count);
COPY :"schema".:"ready" (id, payload, producer_worker_id) FROM STDIN (FORMAT binary);
