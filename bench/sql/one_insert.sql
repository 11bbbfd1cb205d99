-- One message into the queue's ready lane, the plainest way.
-- Parameters: $1 payload. Returns its id.
INSERT INTO :"schema".:"ready" (payload) VALUES ($1::jsonb) RETURNING id
