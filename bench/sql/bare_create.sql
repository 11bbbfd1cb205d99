-- The unadorned table that the queue is compared with.
CREATE TABLE {schema}.pgqrs_bench_{id} (id bigserial PRIMARY KEY, payload jsonb)
