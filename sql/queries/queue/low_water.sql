-- Remembers, for new clients, where claims of the ready lane may begin. $1 the queue's id, $2 the message id.
-- Columns: none
-- Rows: none
UPDATE :"schema".pgqrs_queues SET low_water = $2::bigint WHERE id = $1::bigint AND low_water < $2::bigint;
