CREATE TABLE plain_jobs (
    id bigserial PRIMARY KEY,
    locked_until timestamptz NOT NULL DEFAULT '-infinity',
    attempts int NOT NULL DEFAULT 0,
    payload jsonb NOT NULL
)
