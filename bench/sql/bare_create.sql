-- The unadorned table that the queue is compared with.
CREATE TABLE :"table" (id bigserial PRIMARY KEY, payload jsonb)
