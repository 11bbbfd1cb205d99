-- The unadorned table that the queue is compared with.
CREATE TABLE :"schema".:"bare" (id bigserial PRIMARY KEY, payload jsonb)
