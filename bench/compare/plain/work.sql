-- pgbench can only keep one row, hence the aggregates: the payloads do travel to the client.
WITH claimed AS (
    UPDATE plain_jobs
    SET locked_until = clock_timestamp() + interval '1 minute', attempts = attempts + 1
    WHERE id = ANY (ARRAY(SELECT id FROM plain_jobs WHERE locked_until <= now()
                          ORDER BY id LIMIT :batch FOR UPDATE SKIP LOCKED))
    RETURNING id, payload)
SELECT coalesce(array_agg(id), '{}') AS ids, string_agg(payload::text, ',') AS payloads FROM claimed \gset
DELETE FROM plain_jobs WHERE id = ANY (:ids::bigint[]);
