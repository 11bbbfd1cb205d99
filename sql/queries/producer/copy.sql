-- Appends many plain messages to the ready lane: id, payload, producer_worker_id, in COPY's binary form, ids from reserve.sql.
-- One WAL record a page instead of one a message. Not allowed in a pipeline. Locks: nothing that others wait for.
COPY :"schema".:"ready" (id, payload, producer_worker_id) FROM STDIN (FORMAT binary);
