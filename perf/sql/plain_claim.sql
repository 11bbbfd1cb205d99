-- One batch is leased. $1: how many at most.
UPDATE plain_jobs
SET locked_until = clock_timestamp() + interval '1 minute', attempts = attempts + 1
WHERE ctid = ANY (ARRAY(SELECT ctid FROM plain_jobs WHERE locked_until <= now()
                        ORDER BY id LIMIT $1::bigint FOR UPDATE SKIP LOCKED))
RETURNING id, payload
