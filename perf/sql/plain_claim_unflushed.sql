-- The same, but its commit does not wait for the disk: a lease that a crash forgets is a job that is due again.
UPDATE plain_jobs
SET locked_until = clock_timestamp() + interval '1 minute', attempts = attempts + 1
WHERE ctid = ANY (ARRAY(SELECT ctid FROM plain_jobs WHERE locked_until <= now() ORDER BY id
                        LIMIT CASE WHEN set_config('synchronous_commit', 'off', true) = 'off' THEN $1::bigint END
                        FOR UPDATE SKIP LOCKED))
RETURNING id, payload
